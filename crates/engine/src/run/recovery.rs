//! Reads AWS, and finds the outcomes of operations that a killed run had begun.

use std::sync::Arc;
use std::time::Duration;

use sftpctl_core::events::Event;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Live, Owner};

use super::Run;
use crate::execute::deadlines::Deadlines;
use crate::execute::error::StepError;
use crate::observe::{Observed, observe};
use crate::resources::Orphan;
use crate::resources::resource::Resource;
use crate::resources::strays;
use crate::state::journal::{Entry, Event as JournalEvent};
use crate::state::writer::JournalWriter;
use crate::wait;

impl Run {
    /// Reads everything from AWS, and finds the outcomes of a killed run's operations.
    pub async fn observe(&mut self) -> Observed {
        let (environment, resources) = (self.environment.name.clone(), self.resources.len());
        self.reporter.event(&Event::Observing { environment, resources });
        let retired = self.retired();
        let all: Vec<_> = self.resources.iter().chain(&retired).cloned().collect();
        let mut observed = observe(&self.aws, &all, &self.state.identities).await;
        // A remembered resource that has become foreign is no longer this environment's concern.
        for resource in &retired {
            let foreign = |live: &Live| live.owner != Owner::Ours;
            if observed.actual.get(resource.id()).and_then(Option::as_ref).is_some_and(foreign) {
                if let Some(Some(Live { owner: Owner::Foreign(what), .. })) = observed.actual.remove(resource.id()) {
                    self.reporter.note(&format!("{what}; it is left unchanged"));
                }
                self.state.identities.remove(resource.id());
            }
        }
        self.resolve_unfinished(&all, &mut observed).await;
        if let Some(store) = &self.locked_store {
            // What a killed run deleted may have been visible to it until its end.
            let is_open = |id: &NodeId| self.unfinished.iter().any(|entry| entry.node == *id);
            let gone = observed.actual.iter().filter(|(id, live)| live.is_none() && !is_open(id));
            gone.for_each(|(id, _)| store.journal().seen_gone(id));
        }
        observed.name_conflicts = self.name_conflicts(&observed.actual).await;
        observed
    }

    /// Finds and records the outcome of every unfinished operation. A resource that AWS finds only by listing is
    /// searched for repeatedly: listings show new resources late, and creating it again would create a second one.
    async fn resolve_unfinished(&mut self, all: &[Arc<dyn Resource>], observed: &mut Observed) {
        let Some(journal) = self.locked_store.as_ref().map(|store| Arc::clone(store.journal())) else { return };
        let mut open = Vec::new();
        for entry in std::mem::take(&mut self.unfinished) {
            let JournalEvent::Intent { action, title } = &entry.event else { continue };
            // A limited run knows only the resources in its scope.
            let Some(resource) = all.iter().find(|resource| *resource.id() == entry.node).cloned() else {
                match self.scope.is_whole() {
                    false => open.push(entry),
                    true => open.extend(self.resolve_dropped(&journal, entry, observed).await),
                }
                continue;
            };
            // Missing, or not readable now: the listing may lag behind.
            let not_found = !matches!(observed.actual.get(&entry.node), Some(Some(_)));
            if not_found && *action == Action::Create && resource.found_by_listing() {
                self.reporter.event(&Event::StepWaiting {
                    step: entry.node.clone(),
                    status: format!(
                        "an earlier run may have created the {title} ({}); searching for it",
                        entry.operation
                    ),
                });
                let limit = Deadlines::new(self.environment.deadlines.clone()).unseen();
                let known = self.state.identities.get(&entry.node).map(String::as_str);
                match wait::short(limit, || resource.read(&self.aws, known)).await {
                    Ok(found) => {
                        observed.unreadable.remove(&entry.node);
                        observed.actual.insert(entry.node.clone(), found);
                    }
                    Err(error) => {
                        observed.actual.remove(&entry.node);
                        observed.undecided.insert(entry.node.clone(), format!("{title}: {error}"));
                    }
                }
            }
            match verdict(observed.actual.get(&entry.node), *action) {
                Verdict::Open => open.push(entry),
                Verdict::Done(live) => {
                    journal.done(&entry.operation, &entry.node, Some(&live.identity));
                    self.state.identities.insert(entry.node.clone(), live.identity.clone());
                }
                Verdict::Deleted => {
                    journal.done(&entry.operation, &entry.node, None);
                    self.state.forget(&entry.node);
                }
                Verdict::Nothing => journal.failed(&entry.operation, &entry.node, "it had no effect"),
            }
        }
        self.unfinished = open;
    }

    /// Resolves an operation on a resource that is no longer in the environment file. A resource that it created is
    /// added to the state, so this deployment deletes it. Returns the operation if its outcome is still unknown.
    async fn resolve_dropped(
        &mut self,
        journal: &JournalWriter,
        entry: Entry,
        observed: &mut Observed,
    ) -> Option<Entry> {
        let limit = Deadlines::new(self.environment.deadlines.clone()).unseen();
        let creates = matches!(entry.event, JournalEvent::Intent { action, .. } if action != Action::Delete);
        let searched = if creates { self.find_dropped(&entry.node, limit).await } else { Ok(None) };
        let found = match searched {
            Ok(found) => found,
            Err(error) => {
                observed.undecided.insert(entry.node.clone(), error.to_string());
                return Some(entry);
            }
        };
        let Some((resource, live)) = found else {
            let nothing = "it is no longer in the environment file, and AWS does not have it";
            journal.failed(&entry.operation, &entry.node, nothing);
            return None;
        };
        journal.done(&entry.operation, &entry.node, Some(&live.identity));
        self.state.identities.insert(resource.id().clone(), live.identity.clone());
        observed.actual.insert(resource.id().clone(), Some(live));
        None
    }

    /// Searches for the resource that a killed run created at a node that is no longer in the environment file, if a
    /// deployment may delete it.
    async fn find_dropped(
        &self,
        node: &NodeId,
        limit: Duration,
    ) -> Result<Option<(Arc<dyn Resource>, Live)>, StepError> {
        // The file has nothing at this node, so a resource there with our tag was created by the killed run.
        let nothing = Actual::new();
        let orphan = match node.kind().and_then(strays::of) {
            Some(stray) => stray.find_created(&self.search(&nothing, &[]), node, limit).await?,
            None => None,
        };
        let Some(orphan) = orphan else { return Ok(None) };
        let resource: Arc<dyn Resource> = Arc::new(Orphan { id: node.clone(), ..orphan });
        let live = resource.read(&self.aws, None).await?.filter(|live| live.owner == Owner::Ours);
        Ok(live.map(|live| (resource, live)))
    }
}

/// The outcome of an operation that a killed run had begun.
#[derive(Debug, PartialEq)]
enum Verdict<'a> {
    /// Unknown, or the user has to decide: the operation stays unfinished for the next run.
    Open,
    /// The resource exists.
    Done(&'a Live),
    /// The resource is deleted, as the operation wanted.
    Deleted,
    /// The resource does not exist: the operation had no effect.
    Nothing,
}

/// The outcome of an unfinished operation according to the resource in AWS; `actual` is `None` if it could not be read.
fn verdict(actual: Option<&Option<Live>>, action: Action) -> Verdict<'_> {
    match (actual, action) {
        (None, _) => Verdict::Open,
        // Foreign, or there are two.
        (Some(Some(live)), _) if live.owner != Owner::Ours => Verdict::Open,
        (Some(Some(live)), _) => Verdict::Done(live),
        (Some(None), Action::Delete) => Verdict::Deleted,
        (Some(None), _) => Verdict::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_operations_are_judged_by_what_aws_has() {
        let ours = Live::new("s-1");
        let foreign = Live::new("s-2").owned_by(Owner::Foreign("two servers".into()));
        for action in [Action::Create, Action::Update, Action::Delete, Action::Import, Action::Recreate] {
            assert_eq!(verdict(None, action), Verdict::Open, "{action:?}: it could not be read");
            assert_eq!(verdict(Some(&Some(foreign.clone())), action), Verdict::Open, "{action:?}");
            assert_eq!(verdict(Some(&Some(ours.clone())), action), Verdict::Done(&ours), "{action:?}");
            let gone = if action == Action::Delete { Verdict::Deleted } else { Verdict::Nothing };
            assert_eq!(verdict(Some(&None), action), gone, "{action:?}");
        }
    }
}
