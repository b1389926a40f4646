//! Adopts resources that were created outside sftpctl: tags them, or remembers them, and changes nothing else.

use serde_json::Value;
use sftpctl_aws::Tags;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Actual, Change, Live, Owner};

use super::Run;
use super::error::RunError;
use crate::observe::Observed;
use crate::resources::tags::PROPERTY;
use crate::state::journal::{Entry, Event};

#[derive(Clone, Debug)]
pub struct Adoption {
    /// The environment's node that it becomes.
    pub id: NodeId,
    pub title: String,
    /// The resource as AWS has it.
    pub live: Live,
    /// The tags that adopt it.
    pub ours_by: Tags,
    /// Tags that a bucket's owner has set, which CloudFormation would remove.
    pub tags: Tags,
    /// Whether it already carries the environment's tag, or is in the state.
    pub ours: bool,
    /// The next deployment's change to it.
    pub then: Option<Change>,
}

impl Run {
    /// Foreign resources with the environment's names, each with the reason why it is foreign.
    pub fn candidates(&self, observed: &Observed) -> Vec<(NodeId, String)> {
        let foreign = observed.actual.iter().filter_map(|(id, live)| match &live.as_ref()?.owner {
            Owner::Foreign(what) => Some((id.clone(), what.clone())),
            Owner::Ours => None,
        });
        foreign.collect()
    }

    /// Checks a resource before its adoption. `identity` is needed where the name does not determine it.
    ///
    /// # Errors
    /// The environment has no such resource, the resource belongs to another environment, or it does not exist in AWS.
    pub async fn adoption(&self, id: &NodeId, identity: Option<&str>, actual: &Actual) -> Result<Adoption, RunError> {
        let resource = self
            .resources
            .iter()
            .find(|resource| resource.id() == id)
            .ok_or_else(|| RunError::NoSuchResource { environment: self.environment.name.clone(), id: id.clone() })?;
        let known = match (resource.kind(), identity, actual.get(id).and_then(Option::as_ref)) {
            // Servers have no names, so the user gives the ID.
            (Kind::Server, None, None) => {
                return Err(RunError::ServerIdMissing { environment: self.environment.name.clone(), id: id.clone() });
            }
            (Kind::Server, Some(wanted), Some(live)) if live.identity != wanted => {
                return Err(RunError::NotAdoptable(format!(
                    "{id} is already {}; there can be only one",
                    live.identity
                )));
            }
            (Kind::Server, Some(wanted), _) => Some(wanted.to_owned()),
            (_, _, live) => live.map(|live| live.identity.clone()),
        };
        let live =
            resource.read(&self.aws, known.as_deref()).await.map_err(|error| RunError::Adoption(error.into()))?;
        let live = live.ok_or_else(|| {
            RunError::NotAdoptable(format!("{} does not exist, so it cannot be adopted", resource.title()))
        })?;
        // An identity that is an ARN, or a zone ID and a name, ends with the name.
        if let Some(wanted) = identity
            && live.identity != wanted
            && !live.identity.ends_with(&format!("/{wanted}"))
        {
            return Err(RunError::NotAdoptable(format!(
                "according to the environment file {id} is {}, not {wanted}",
                live.identity
            )));
        }
        let ours = matches!(actual.get(id), Some(Some(live)) if live.owner == Owner::Ours);
        let ours_by = match ours {
            true => Tags::new(),
            false => resource.adoptable(&self.aws, &live).await.map_err(RunError::Unadoptable)?,
        };
        Ok(Adoption {
            ours,
            ours_by,
            tags: match actual.get(id).and_then(Option::as_ref).and_then(|live| live.properties.get(PROPERTY)) {
                Some(Value::Object(tags)) if resource.kind() == Kind::Bucket => {
                    tags.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
                }
                _ => Tags::new(),
            },
            id: id.clone(),
            title: resource.title(),
            then: resource.diff(Some(&live), actual),
            live,
        })
    }

    /// Adopts one resource and remembers it.
    ///
    /// # Errors
    /// AWS refuses the tag, the resource is foreign, or the state cannot be written.
    pub async fn adopt(&mut self, adoption: &Adoption) -> Result<(), RunError> {
        let resource = self.resources.iter().find(|resource| *resource.id() == adoption.id).cloned();
        let (Some(resource), Some(store)) = (resource, &mut self.locked_store) else {
            return Err(RunError::NoLock);
        };
        // First: the stack would remove tags of the bucket that are not in the state.
        if !adoption.tags.is_empty() {
            self.state.adopted_tags.insert(adoption.id.clone(), adoption.tags.clone());
            store.save(&mut self.state).await?;
        }
        let journal = store.journal().clone();
        let operation = journal.intend(&adoption.id, Action::Import, &adoption.title).await?;
        if let Err(error) = resource.adopt(&self.aws, &adoption.live, &adoption.ours_by).await {
            journal.failed(&operation, &adoption.id, &error.to_string());
            return Err(RunError::Adoption(error));
        }
        // This adoption completes one during which an earlier run was killed.
        let (earlier, others): (Vec<Entry>, _) = std::mem::take(&mut self.unfinished).into_iter().partition(|entry| {
            entry.node == adoption.id && matches!(entry.event, Event::Intent { action: Action::Import, .. })
        });
        self.unfinished = others;
        for operation in earlier.iter().map(|entry| &entry.operation).chain([&operation]) {
            journal.done(operation, &adoption.id, Some(&adoption.live.identity));
        }
        self.state.identities.insert(adoption.id.clone(), adoption.live.identity.clone());
        Ok(store.save(&mut self.state).await?)
    }
}
