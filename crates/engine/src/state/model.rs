//! The state document's content: identities and outcome, no secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::StateError;
use sftpctl_aws::Tags;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Live, Owner};

/// Version of this format.
pub const VERSION: u32 = 1;

/// State of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Version of the format.
    pub version: u32,
    /// Counts the writes, so that no two of a run are alike.
    pub serial: u64,
    /// The run that wrote it, so that no two of two runs are alike.
    pub run: String,
    /// Name of the environment.
    pub environment: String,
    /// The account it was deployed to.
    pub account: String,
    /// What AWS finds each resource by.
    pub identities: BTreeMap<NodeId, String>,
    /// Tags that adopted buckets had of their owners.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted_tags: BTreeMap<NodeId, Tags>,
    /// The last run.
    pub last_run: Option<LastRun>,
    /// The last run that was a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deploy: Option<LastRun>,
    /// Regions whose server was worked on and has admitted nobody since: the next deployment looks, with or without changes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unverified: BTreeSet<String>,
    /// Where the state is now, if not here any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// This is the copy of a move that is not finished: the state is where `moved_to` says, or will be here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_its_way: bool,
    /// Digest of everything above: a document that was edited by hand is not believed.
    pub digest: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LastRun {
    /// `deploy` or `teardown`.
    pub command: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339; none while it runs or when it was killed.
    pub finished: Option<String>,
    /// `running`, `done`, `failed`, `stopped`.
    pub outcome: String,
    /// Version of sftpctl.
    pub by: String,
    /// Whose run it was: a user on a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Digest of the saved plan that it did, so that an unfinished one may be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl LastRun {
    fn is_deploy(&self) -> bool {
        self.command == "deploy"
    }
}

impl State {
    /// An empty state.
    pub fn new(environment: &str, account: &str) -> Self {
        Self { version: VERSION, environment: environment.to_owned(), account: account.to_owned(), ..Self::default() }
    }

    /// Ids of the servers that are remembered.
    pub fn servers(&self) -> Vec<String> {
        let servers = self.identities.iter().filter(|(id, _)| id.local_name().split('/').next() == Some("server"));
        servers.map(|(_, identity)| identity.clone()).collect()
    }

    /// Takes over what is known now; another's things are never remembered.
    pub fn learn(&mut self, actual: &Actual) {
        for (id, live) in actual {
            match live {
                Some(Live { owner: Owner::Foreign(_), .. }) => None,
                Some(live) => self.identities.insert(id.clone(), live.identity.clone()),
                None => {
                    self.adopted_tags.remove(id);
                    self.identities.remove(id)
                }
            };
        }
        // Last: what a stack's function carries may be in a actual that was read before the stack went.
        for (id, _) in actual.iter().filter(|(_, live)| live.is_none()) {
            self.forget(id);
        }
    }

    /// What is gone. What a stack's function carries has no step of its own when the stack goes.
    pub fn forget(&mut self, id: &NodeId) {
        self.identities.remove(id);
        if *id == NodeId::new(id.place(), Kind::Stack) {
            for kind in [Kind::ServerId, Kind::Trigger] {
                self.identities.remove(&NodeId::new(id.place(), kind));
            }
        }
    }

    /// A run begins. Until it says how it ended, it is at work or was killed.
    pub fn begins(&mut self, run: LastRun) {
        if run.is_deploy() {
            self.last_deploy = Some(run.clone());
        }
        self.last_run = Some(run);
    }

    /// The run has ended so, at a time in RFC 3339.
    pub fn ends(&mut self, outcome: &str, at: String) {
        if let Some(run) = &mut self.last_run {
            outcome.clone_into(&mut run.outcome);
            run.finished = Some(at);
            if run.is_deploy() {
                self.last_deploy = Some(run.clone());
            }
        }
    }

    /// The document, with its digest.
    pub(super) fn write(&self) -> Vec<u8> {
        super::document::pretty(&Self { digest: self.sum(), ..self.clone() })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is damaged, edited by hand, or of a newer version.
    pub fn read(address: &str, content: &[u8]) -> Result<Self, StateError> {
        let state: Self = super::document::parse(address, content, VERSION)?;
        if state.digest != state.sum() {
            let reason = "its digest does not fit: it was changed by hand or is not whole".to_owned();
            return Err(StateError::Damaged { address: address.to_owned(), reason });
        }
        Ok(state)
    }

    fn sum(&self) -> String {
        // Plain data with text keys cannot fail to serialize.
        let text = serde_json::to_vec(&Self { digest: String::new(), ..self.clone() }).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teardown_is_no_deployment() {
        let run = |command: &str| LastRun {
            command: command.into(),
            started: "2026-11-24T09:00:00Z".into(),
            finished: None,
            outcome: "running".into(),
            by: "sftpctl 0.1.0".into(),
            who: Some("alice on laptop".into()),
            plan: None,
        };
        let mut state = State::new("99", "111111111111");
        state.begins(run("deploy"));
        assert_eq!(state.last_deploy.as_ref().unwrap().outcome, "running", "a killed one is told as well");
        state.ends("done", "2026-11-24T09:05:00Z".into());
        state.begins(run("teardown"));
        state.ends("failed", "2026-11-24T09:10:00Z".into());
        let told = |run: &Option<LastRun>| run.as_ref().map(|run| (run.command.clone(), run.outcome.clone()));
        assert_eq!(told(&state.last_run), Some(("teardown".into(), "failed".into())));
        assert_eq!(told(&state.last_deploy), Some(("deploy".into(), "done".into())));
        assert_eq!(State::read("99.json", &state.write()).unwrap().last_deploy, state.last_deploy);
    }

    #[test]
    fn what_goes_with_a_stack_is_forgotten_with_it() {
        let mut state = State::new("99", "111111111111");
        let node = |place, kind| NodeId::new(place, kind);
        for place in ["us-west-2", "us-east-2"] {
            for kind in [Kind::Stack, Kind::ServerId, Kind::Trigger, Kind::Server] {
                state.identities.insert(node(place, kind), "it".into());
            }
        }
        // As it is after a teardown: nobody has looked at what has no step of its own.
        let there = Some(Live::new("it"));
        let actual = Actual::from([
            (node("us-west-2", Kind::Stack), None),
            (node("us-west-2", Kind::ServerId), there.clone()),
            (node("us-west-2", Kind::Trigger), there.clone()),
            (node("us-east-2", Kind::Stack), there),
        ]);
        state.learn(&actual);
        let left: Vec<&str> = state.identities.keys().map(NodeId::as_str).collect();
        let theirs = ["us-east-2/server", "us-east-2/server-id", "us-east-2/stack", "us-east-2/trigger"];
        assert_eq!(left, [&theirs[..], &["us-west-2/server"]].concat());
    }
}
