//! Orphans: resources that carry our tag, or that the state remembers, and that are no longer in the environment file:
//! a second server, a stack in a dropped region, the bucket of a dropped cluster. The search for each kind is in the
//! kind's own file ([`strays`]).
//!
//! `drift` lists orphans and `status` counts them; `teardown` removes them like other resources, with the same plan and
//! journal. `deploy` does the same with those that the state remembers and that hold no data.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde::Serialize;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::Actual;
use sftpctl_core::node::Node as _;
use sftpctl_core::spec::names;

use super::Run;
use super::error::RunError;
use super::planning::check_readable;
use super::scope::{Retirement, Scope, history, is_forgotten_when_missing, retirement};
use crate::desired;
use crate::drift::model::{Drifted, Property, Unseen};
use crate::observe::Observed;
use crate::resources::resource::Resource;
use crate::resources::stray::Search;
use crate::resources::strays;
use crate::resources::{Orphan, Package};

/// Orphans, for `status`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// Their names, as in `drift`.
    pub found: Vec<String>,
    /// Searches that failed.
    pub unseen: Vec<Unseen>,
}

impl Run {
    pub(super) fn search<'a>(&'a self, actual: &'a Actual, also: &'a [String]) -> Search<'a> {
        let nodes = self.resources.iter().map(|resource| resource.id().clone()).collect();
        Search::new(&self.aws, &self.environment, &self.state.identities, nodes, actual, also)
    }

    /// All orphans, and the searches that failed. It searches the regions of the file, those that the state remembers,
    /// and `also`. A run on a part of the environment finds none.
    pub async fn orphans(&self, actual: &Actual, also: &[String]) -> (Vec<Orphan>, Vec<Unseen>) {
        let (mut orphans, mut unseen) = (Vec::new(), Vec::new());
        if !self.scope.is_whole() {
            return (orphans, unseen);
        }
        let search = self.search(actual, also);
        let kinds = Kind::ALL.iter().copied().filter_map(strays::of);
        for (label, found) in join_all(kinds.map(|stray| stray.find_all(&search))).await.into_iter().flatten() {
            match found {
                Ok(found) => orphans.extend(found),
                Err(error) => unseen.push(Unseen::failed(label, error)),
            }
        }
        orphans.sort_by(|one, two| one.id.cmp(&two.id));
        // A record is still ours after the server that it names was deleted.
        let of_kind = |kind: Kind| move |orphan: &&Orphan| orphan.kind() == kind;
        let servers: Vec<String> = orphans.iter().filter(of_kind(Kind::Server)).map(|o| o.identity.clone()).collect();
        for record in orphans.iter_mut().filter(|orphan| orphan.kind() == Kind::Record) {
            record.servers.extend(servers.iter().cloned());
        }
        (orphans, unseen)
    }

    /// Names of the orphans, for `status`; `None` in a run on a part of the environment.
    pub async fn orphan_names(&self, actual: &Actual) -> Option<Orphans> {
        if !self.scope.is_whole() {
            return None;
        }
        let (orphans, unseen) = self.orphans(actual, &[]).await;
        let mut found: Vec<String> = orphans.iter().map(|orphan| as_drift(orphan).resource).collect();
        found.sort();
        Some(Orphans { found, unseen })
    }

    fn is_dropped(&self, region: &str) -> bool {
        !self.environment.regions.contains_key(region)
    }

    /// Resources in the state that are no longer in the file and that the next deployment deletes.
    pub(super) fn retired(&self) -> Vec<Arc<dyn Resource>> {
        if !self.scope.is_whole() {
            return Vec::new();
        }
        let nothing = Actual::new();
        let search = self.search(&nothing, &[]);
        let gone = self.state.identities.iter().filter(|(id, _)| !search.nodes.contains(*id));
        gone.filter_map(|(id, identity)| {
            let kind = id.kind()?;
            if retirement(kind, self.is_dropped(id.place())) != Retirement::Deploy {
                return None;
            }
            let Some(stray) = strays::of(kind) else {
                // The only kind without a search: it is found only by the state.
                let package = desired::package(&self.environment, id.place(), &self.code);
                return Some(Arc::new(Package { retired: true, ..package }) as Arc<dyn Resource>);
            };
            let orphan = Orphan { id: id.clone(), ..search.orphan(stray, id.place(), identity, "") };
            Some(Arc::new(orphan) as Arc<dyn Resource>)
        })
        .collect()
    }

    /// API Gateway's role for logs in regions that are no longer in the file. A deployment keeps it, since it belongs
    /// to the AWS account; a whole teardown checks whether another API needs it.
    fn dropped_api_accounts(&self) -> Vec<Arc<dyn Resource>> {
        let remembered = self.state.identities.keys().map(NodeId::place);
        let regions: BTreeSet<&str> = remembered.filter(|place| *place != "global" && self.is_dropped(place)).collect();
        let account = |region| -> Arc<dyn Resource> { Arc::new(desired::api_account(&self.environment, region)) };
        let known = |resource: &Arc<dyn Resource>| self.state.identities.contains_key(resource.id());
        regions.into_iter().map(account).filter(known).collect()
    }

    /// Turns this run into a teardown of everything: adds the resources that AWS services create again by themselves,
    /// the orphans, and resources of dropped regions that only the state remembers. Some names contain IDs, which are
    /// taken from `observed`.
    ///
    /// # Errors
    /// A resource could not be read, or a search failed: resources that were not found may be in use.
    pub async fn take_down_everything(&mut self, observed: &Observed) -> Result<(), RunError> {
        check_readable(observed)?;
        let deployed = self.state.last_run.is_some();
        let history = history(&self.environment, &self.state.identities, &observed.actual, deployed);
        self.resources.extend(desired::leftovers(&self.environment, &history));
        let orphans = self.all_orphans(&observed.actual, &[]).await?;
        for more in orphans.into_iter().chain(self.retired()).chain(self.dropped_api_accounts()) {
            if !self.resources.iter().any(|resource| resource.id() == more.id()) {
                self.resources.push(more);
            }
        }
        self.scope = Scope::Teardown;
        Ok(())
    }

    /// Turns this run into a teardown of only the orphans, which are also searched for in the regions `also`.
    ///
    /// # Errors
    /// A resource could not be read, or a search failed.
    pub async fn take_down_orphans(&mut self, observed: &Observed, also: &[String]) -> Result<(), RunError> {
        check_readable(observed)?;
        self.resources = self.all_orphans(&observed.actual, also).await?;
        // The environment's other resources are not part of this run.
        self.scope = Scope::Orphans;
        Ok(())
    }

    async fn all_orphans(&mut self, actual: &Actual, also: &[String]) -> Result<Vec<Arc<dyn Resource>>, RunError> {
        let (orphans, unseen) = self.orphans(actual, also).await;
        if let Some(unseen) = unseen.into_iter().next() {
            return Err(RunError::NotSearched { resource: unseen.resource, why: unseen.why });
        }
        self.forget_all_but(&orphans);
        Ok(orphans.into_iter().map(|orphan| Arc::new(orphan) as Arc<dyn Resource>).collect())
    }

    /// Forgets resources that the complete search did not find: a run deleted them and was killed before it could save
    /// the state.
    fn forget_all_but(&mut self, orphans: &[Orphan]) {
        let gone = |id: &NodeId, identity: &String| {
            let names = || names::log_groups(&self.environment, id.place());
            id.kind().is_some_and(|kind| {
                is_forgotten_when_missing(kind, self.is_dropped(id.place()), names().contains(identity))
            })
        };
        let exists = |id: &NodeId| {
            orphans.iter().any(|orphan| orphan.id == *id) || self.resources.iter().any(|resource| resource.id() == id)
        };
        let remembered = self.state.identities.iter();
        let gone: Vec<NodeId> =
            remembered.filter(|(id, identity)| gone(id, identity) && !exists(id)).map(|(id, _)| id.clone()).collect();
        self.state.identities.retain(|id, _| !gone.contains(id));
    }
}

/// An orphan in the report of `drift`.
pub(super) fn as_drift(orphan: &Orphan) -> Drifted {
    let after = match orphan.note {
        "" => orphan.identity.clone(),
        note => format!("{} ({note})", orphan.identity),
    };
    let kind = orphan.kind();
    let name = match orphan.identity.split_once('/') {
        Some((_, name)) if kind == Kind::Record => name,
        _ => orphan.identity.trim_start_matches('/'),
    };
    Drifted {
        resource: format!("{}/orphan/{kind}/{name}", orphan.region),
        title: format!("{kind} that is not in the environment file"),
        how: "orphan",
        properties: vec![Property::exists(false, after)],
    }
}
