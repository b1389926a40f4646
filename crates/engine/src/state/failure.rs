//! The last run in which a step failed, beside the state: for `status --why`, long after the terminal is closed. It is
//! not part of the state, since no run depends on it: losing it loses an explanation.

use serde::{Deserialize, Serialize};

use super::blob::Expect;
use super::document;
use super::error::StateError;
use super::journal::{Event, Journal};
use super::model::LastRun;
use super::store::Store;
use sftpctl_core::kind::NodeId;

/// The newest version of the document that this program reads.
const VERSION: u32 = 1;

/// A run in which a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub version: u32,
    pub environment: String,
    pub account: String,
    pub run: LastRun,
    /// The steps that failed, in the order of their failures.
    pub steps: Vec<FailedStep>,
    /// The steps that were not begun because of them, or because the run was asked to stop.
    pub not_begun: Vec<NodeId>,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedStep {
    pub step: NodeId,
    /// The resource's name in messages.
    pub title: String,
    /// The time of the failure, RFC 3339.
    pub at: String,
    /// The failure in one sentence.
    pub error: String,
    /// Causes in AWS's words, first cause first.
    pub causes: Vec<String>,
    /// The state in AWS after the failure.
    pub left: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(environment: &str, account: &str, run: LastRun) -> Self {
        let own = str::to_owned;
        let (steps, not_begun) = (Vec::new(), Vec::new());
        Self { version: VERSION, environment: own(environment), account: own(account), run, steps, not_begun }
    }
}

/// What the journal of a run has that did not end, or that ended without a word to the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journaled {
    /// Operations that failed, and were not followed by one that succeeded: the resource, the time, the message.
    pub failed: Vec<(NodeId, String, String)>,
    /// Operations without an outcome: the resource, the time, its title.
    pub open: Vec<(NodeId, String, String)>,
}

impl Journaled {
    fn of(journal: &Journal) -> Self {
        let mut failed: Vec<(NodeId, String, String)> = Vec::new();
        for entry in journal.entries() {
            match &entry.event {
                Event::Failed { error } => failed.push((entry.node.clone(), entry.at.clone(), error.clone())),
                // The step has got over it.
                Event::Done { .. } => failed.retain(|(node, ..)| *node != entry.node),
                Event::Intent { .. } | Event::Made { .. } => {}
            }
        }
        let open = journal.unfinished().into_iter().filter_map(|entry| match &entry.event {
            Event::Intent { title, .. } => Some((entry.node.clone(), entry.at.clone(), title.clone())),
            _ => None,
        });
        Self { failed, open: open.collect() }
    }
}

impl Store {
    pub(super) fn failure_name(&self) -> String {
        format!("{}.failure", self.environment)
    }

    /// The last run in which a step failed; `None` if there was none.
    ///
    /// # Errors
    /// The document cannot be read, is damaged, was written by a newer sftpctl, or belongs to another environment or
    /// account.
    pub async fn failure(&self) -> Result<Option<Failure>, StateError> {
        let name = self.failure_name();
        let Some(blob) = self.blobs.get(&name).await? else { return Ok(None) };
        let failure: Failure = document::parse(&self.blobs.address(&name), &blob.content, VERSION)?;
        self.check_owner(&name, &failure.environment, &failure.account)?;
        Ok(Some(failure))
    }

    /// Remembers a run in which a step failed, in the place of the one before.
    ///
    /// # Errors
    /// The place cannot be read or written.
    pub(crate) async fn remember_failure(&self, failure: &Failure) -> Result<(), StateError> {
        let name = self.failure_name();
        let before = self.blobs.get(&name).await?;
        let expect = Expect::found(before.as_ref().map(|blob| &blob.version));
        self.blobs.put(&name, &document::pretty(failure), expect).await.map(drop)
    }

    /// What the journal tells of failures and of operations without an outcome. It can be read while a run writes it.
    ///
    /// # Errors
    /// As for [`Store::load`].
    pub async fn journaled(&self) -> Result<Journaled, StateError> {
        let name = self.journal_name();
        let Some(blob) = self.blobs.get(&name).await? else { return Ok(Journaled::default()) };
        let journal = Journal::read(&self.blobs.address(&name), &blob.content)?;
        self.check_owner(&name, &journal.header().environment, &journal.header().account)?;
        Ok(Journaled::of(&journal))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::folder::Folder;
    use super::super::journal::{Entry, Header};
    use super::super::machine::ThisMachine;
    use super::*;
    use sftpctl_core::kind::Kind;
    use sftpctl_core::model::Action;

    fn store(dir: &tempfile::TempDir, environment: &str) -> Store {
        let blobs = Arc::new(Folder::new(dir.path().join("state")));
        Store::new(blobs, environment, "111111111111", Arc::new(ThisMachine))
    }

    fn failure(outcome: &str) -> Failure {
        let run = LastRun {
            command: "deploy".into(),
            started: "2026-11-24T09:00:00Z".into(),
            finished: Some("2026-11-24T09:05:00Z".into()),
            outcome: outcome.into(),
            by: "sftpctl 0.1.0".into(),
            who: None,
            plan: None,
        };
        let step = FailedStep {
            step: NodeId::new("us-west-2", Kind::Stack),
            title: "stack s".into(),
            at: "2026-11-24T09:04:00Z".into(),
            error: "stack s ended in ROLLBACK_COMPLETE".into(),
            causes: vec!["it already exists".into()],
            left: "nothing".into(),
            hint: None,
        };
        Failure { steps: vec![step], ..Failure::new("99", "111111111111", run) }
    }

    #[tokio::test]
    async fn the_last_failure_is_kept_moves_along_and_is_no_state() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of_99 = store(&here, "99");
        assert_eq!(of_99.failure().await.unwrap(), None);
        of_99.remember_failure(&failure("failed")).await.unwrap();
        of_99.remember_failure(&failure("stopped")).await.unwrap();
        assert_eq!(of_99.failure().await.unwrap(), Some(failure("stopped")));
        assert_eq!(of_99.environments().await.unwrap(), Vec::<String>::new(), "it is not the state of one");
        of_99.copy_companions(&store(&there, "99")).await.unwrap();
        assert_eq!(store(&there, "99").failure().await.unwrap(), Some(failure("stopped")));
        std::fs::rename(here.path().join("state/99.failure"), here.path().join("state/98.failure")).unwrap();
        assert!(matches!(store(&here, "98").failure().await.err(), Some(StateError::Other { .. })));
    }

    #[test]
    fn an_operation_that_succeeded_later_is_no_failure() {
        let intent = || Event::Intent { action: Action::Create, title: "Transfer server".into() };
        let failed = || Event::Failed { error: "Rate exceeded".into() };
        let mut journal = Journal::new(Header::new("99", "111111111111", "run-1"));
        let mut add = |operation: &str, place: &str, event: Event| {
            let (node, at) = (NodeId::new(place, Kind::Server), "2026-11-24T09:00:00Z".to_owned());
            journal.add(Entry { operation: operation.into(), node, at, event }).unwrap();
        };
        for (operation, place) in [("a", "us-west-2"), ("b", "us-east-2")] {
            add(operation, place, intent());
            add(operation, place, failed());
        }
        add("c", "us-west-2", intent());
        add("c", "us-west-2", Event::Done { identity: Some("s-1".into()) });
        add("d", "us-east-1", intent());
        let line = |place: &str, text: &str| {
            (NodeId::new(place, Kind::Server), "2026-11-24T09:00:00Z".to_owned(), text.to_owned())
        };
        let told = Journaled::of(&journal);
        assert_eq!(told.failed, [line("us-east-2", "Rate exceeded")]);
        assert_eq!(told.open, [line("us-east-1", "Transfer server")]);
    }
}
