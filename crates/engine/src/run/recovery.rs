//! What AWS has now, and what came of what an earlier run had begun.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::execute::deadlines::Deadlines;
use crate::execute::error::StepError;
use crate::observe::{Observed, observe};
use crate::resources::Orphan;
use crate::resources::resource::Resource;
use crate::resources::stray;
use crate::state::journal::{Entry, Event as JournalEvent};
use crate::state::writer::JournalWriter;
use crate::wait;
use sftpctl_core::events::Event;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Live, Owner};

impl Run {
    /// Reads everything from AWS, and finds out what came of what a killed run had begun.
    pub async fn observe(&mut self) -> Observed {
        let (environment, resources) = (self.environment.name.clone(), self.resources.len());
        self.reporter.event(&Event::Observing { environment, resources });
        let retired = self.retired();
        let all: Vec<_> = self.resources.iter().chain(&retired).cloned().collect();
        let mut observed = observe(&self.aws, &all, &self.state.identities).await;
        // What state remembers and somebody else has taken over is nobody's business here.
        for resource in &retired {
            let foreign = |live: &Live| live.owner != Owner::Ours;
            if observed.actual.get(resource.id()).and_then(Option::as_ref).is_some_and(foreign) {
                if let Some(Some(Live { owner: Owner::Foreign(what), .. })) = observed.actual.remove(resource.id()) {
                    self.reporter.note(&format!("{what}; it is left as it is"));
                }
                self.state.identities.remove(resource.id());
            }
        }
        self.settle(&all, &mut observed).await;
        observed.taken = self.taken(&observed.actual).await;
        observed
    }

    /// Gives every unfinished operation its outcome, once. One that made something which AWS finds by listing only is
    /// looked for a while: listings show new things late, and making it again would make a second one.
    async fn settle(&mut self, all: &[Arc<dyn Resource>], observed: &mut Observed) {
        let Some(journal) = self.locked_store.as_ref().map(|store| Arc::clone(store.journal())) else { return };
        let mut open = Vec::new();
        for entry in std::mem::take(&mut self.unfinished) {
            let JournalEvent::Intent { action, title } = &entry.event else { continue };
            // A limited run knows only its part.
            let Some(resource) = all.iter().find(|resource| *resource.id() == entry.node).cloned() else {
                match self.scope.is_whole() {
                    false => open.push(entry),
                    true => open.extend(self.settle_dropped(&journal, entry, observed).await),
                }
                continue;
            };
            // Not there, or not readable just now, which a moment later may be "not there" in a listing that lags.
            let unseen = !matches!(observed.actual.get(&entry.node), Some(Some(_)));
            if unseen && *action == Action::Create && resource.found_by_listing() {
                self.reporter.event(&Event::StepWaiting {
                    step: entry.node.clone(),
                    status: format!("an earlier run may have made the {title} ({}): looking for it", entry.operation),
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
                Verdict::Nothing => journal.failed(&entry.operation, &entry.node, "nothing came of it"),
            }
        }
        self.unfinished = open;
    }

    /// The same for an operation on what the environment file does not have any more. What it made is remembered, and so
    /// goes with this deployment. Gives the operation back where nobody can say.
    async fn settle_dropped(
        &mut self,
        journal: &JournalWriter,
        entry: Entry,
        observed: &mut Observed,
    ) -> Option<Entry> {
        let limit = Deadlines::new(self.environment.deadlines.clone()).unseen();
        let makes = matches!(entry.event, JournalEvent::Intent { action, .. } if action != Action::Delete);
        let looked = if makes { self.dropped_node(&entry.node, limit).await } else { Ok(None) };
        let found = match looked {
            Ok(found) => found,
            Err(error) => {
                observed.undecided.insert(entry.node.clone(), error.to_string());
                return Some(entry);
            }
        };
        let Some((resource, live)) = found else {
            let nothing = "the environment file does not have it any more, and AWS has nothing of it";
            journal.failed(&entry.operation, &entry.node, nothing);
            return None;
        };
        journal.done(&entry.operation, &entry.node, Some(&live.identity));
        self.state.identities.insert(resource.id().clone(), live.identity.clone());
        observed.actual.insert(resource.id().clone(), Some(live));
        None
    }

    /// What a killed run made of a node that the file has no more, if it did and a deployment may remove it.
    async fn dropped_node(
        &self,
        node: &NodeId,
        limit: Duration,
    ) -> Result<Option<(Arc<dyn Resource>, Live)>, StepError> {
        // Nothing of the file is at this node, so that whatever carries our tag there is what the killed run created.
        let nothing = Actual::new();
        let orphan = match node.kind().and_then(stray::of) {
            Some(stray) => stray.find_created(&self.search(&nothing, &[]), node, limit).await?,
            None => None,
        };
        let Some(orphan) = orphan else { return Ok(None) };
        let resource: Arc<dyn Resource> = Arc::new(Orphan { id: node.clone(), ..orphan });
        let live = resource.read(&self.aws, None).await?.filter(|live| live.owner == Owner::Ours);
        Ok(live.map(|live| (resource, live)))
    }
}

/// What came of an operation that a killed run had begun.
#[derive(Debug, PartialEq)]
enum Verdict<'a> {
    /// Unknown, or for a person to settle: it stays unfinished for the next run.
    Open,
    /// The resource is there.
    Done(&'a Live),
    /// The resource is gone, as the operation wanted.
    Deleted,
    /// The resource is not there: the operation had no effect.
    Nothing,
}

/// What came of an unfinished operation, by what AWS has now: `None` where it could not be read.
fn verdict(actual: Option<&Option<Live>>, action: Action) -> Verdict<'_> {
    match (actual, action) {
        (None, _) => Verdict::Open,
        // Foreign, or two of them.
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
