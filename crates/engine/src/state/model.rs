//! The content of the state document: identities and the last run, no secrets. How the format grows:
//! [`super::document`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::document;
use super::error::StateError;
use sftpctl_aws::Tags;
use sftpctl_core::hex;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Live, Owner};
use sftpctl_core::spec::names;

/// The newest version of the document that this program reads.
const VERSION: u32 = 1;

/// The state of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version that was read. A document is written in the lowest version that has all of its members.
    pub version: u32,
    /// The number of writes, so that no two documents of a run are the same.
    pub serial: u64,
    /// The run that wrote the document, so that no two runs write the same one.
    pub run: String,
    pub environment: String,
    /// The AWS account that the environment is deployed to.
    pub account: String,
    /// The name, ID or ARN by which AWS finds each resource.
    pub identities: BTreeMap<NodeId, String>,
    /// Tags that adopted buckets had before the adoption.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopted_tags: BTreeMap<NodeId, Tags>,
    pub last_run: Option<LastRun>,
    /// The last run that was a deploy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deploy: Option<LastRun>,
    /// Regions whose server was changed and has not admitted a canary since: the next deploy checks the log-in there,
    /// with or without changes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unverified: BTreeSet<String>,
    /// The place to which the state was moved; while `on_its_way` is set, the place from which it is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// The document is the copy of an unfinished move, from the place in `moved_to`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_its_way: bool,
    /// The SHA-256 of the document on one line with this member empty, so that edits by hand are detected. It is the
    /// last member in every version, so that an older sftpctl can check it even with members that it does not know.
    pub digest: String,
}

/// The state's record of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// `deploy` or `teardown`.
    pub command: String,
    /// The start of the run, RFC 3339.
    pub started: String,
    /// The end of the run, RFC 3339; `None` while it runs, or if it was killed.
    pub finished: Option<String>,
    /// `running`, `done`, `partly` (something was left out on request), `failed`, `stopped`.
    pub outcome: String,
    /// The program and its version.
    pub by: String,
    /// The user and the machine: `alice on laptop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The digest of the saved plan that the run executed, so that a rerun may resume it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl LastRun {
    fn is_deploy(&self) -> bool {
        self.command == "deploy"
    }

    fn format(&self) -> u32 {
        let Self { command: _, started: _, finished: _, outcome: _, by: _, who: _, plan: _ } = self;
        1
    }
}

impl State {
    pub fn new(environment: &str, account: &str) -> Self {
        Self { version: 1, environment: environment.to_owned(), account: account.to_owned(), ..Self::default() }
    }

    /// The IDs of all remembered servers; what cannot be an ID is not one that was made.
    pub fn servers(&self) -> Vec<String> {
        let servers = self.identities.iter().filter(|(id, _)| id.kind() == Some(Kind::Server));
        let servers = servers.filter(|(_, identity)| names::is_server_id(identity));
        servers.map(|(_, identity)| identity.clone()).collect()
    }

    /// Remembers the resources that were read from AWS, except foreign ones, and forgets those that are gone.
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
        // Afterwards: settings of a stack's function may have been read before the stack was deleted.
        for (id, _) in actual.iter().filter(|(_, live)| live.is_none()) {
            self.forget(id);
        }
    }

    /// Forgets a resource that is gone. The settings of a stack's function have no step of their own when the stack is
    /// deleted.
    pub fn forget(&mut self, id: &NodeId) {
        self.identities.remove(id);
        if *id == NodeId::new(id.place(), Kind::Stack) {
            for kind in [Kind::ServerId, Kind::Trigger] {
                self.identities.remove(&NodeId::new(id.place(), kind));
            }
        }
    }

    /// Records the start of a run.
    pub fn begins(&mut self, run: LastRun) {
        if run.is_deploy() {
            self.last_deploy = Some(run.clone());
        }
        self.last_run = Some(run);
    }

    /// Records the end of the run with its outcome, `at` a time in RFC 3339.
    pub fn ends(&mut self, outcome: &str, at: String) {
        if let Some(run) = &mut self.last_run {
            outcome.clone_into(&mut run.outcome);
            run.finished = Some(at);
            if run.is_deploy() {
                self.last_deploy = Some(run.clone());
            }
        }
    }

    /// The lowest version that has all members of this state. A member that was added after version 1 counts only if it
    /// is not empty.
    fn format(&self) -> u32 {
        // Without `..`: a new member does not compile until it is given a version here.
        let Self {
            version: _,
            serial: _,
            run: _,
            environment: _,
            account: _,
            // A program keeps resources of unknown kinds, so new kinds do not raise the version.
            identities: _,
            adopted_tags: _,
            last_run,
            last_deploy,
            unverified: _,
            moved_to: _,
            on_its_way: _,
            digest: _,
        } = self;
        [last_run, last_deploy].into_iter().flatten().map(LastRun::format).max().unwrap_or(1)
    }

    /// The document's text, with its digest.
    pub(super) fn write(&self) -> Vec<u8> {
        let unsigned = Self { version: self.format(), ..self.clone() };
        document::pretty(&Self { digest: unsigned.sum(), ..unsigned })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is damaged, edited by hand, or written by a newer sftpctl.
    pub fn read(address: &str, content: &[u8]) -> Result<Self, StateError> {
        let damaged = |reason: String| StateError::Damaged { address: address.to_owned(), reason };
        let changed = || damaged("its digest does not match: it was changed by hand or is incomplete".to_owned());
        match document::parse::<Self>(address, content, VERSION) {
            Ok(state) if state.digest == state.sum() => Ok(state),
            Ok(_) => Err(changed()),
            // Unknown members, or known members in an unknown form: the digest shows whether sftpctl wrote them.
            Err(StateError::Newer { version, .. }) if version <= u64::from(VERSION) && !is_whole(content) => {
                Err(changed())
            }
            Err(error @ StateError::Damaged { .. }) if is_whole(content) => {
                let version = serde_json::from_slice::<serde_json::Value>(content).ok();
                let version = version.and_then(|document| document["version"].as_u64()).filter(|version| *version > 0);
                Err(version.map_or(error, |version| document::newer(address, version, VERSION)))
            }
            Err(error) => Err(error),
        }
    }

    fn sum(&self) -> String {
        hex::encode(&Sha256::digest(document::compact(&Self { digest: String::new(), ..self.clone() })))
    }
}

/// Whether a document's digest matches its text, even if the document has unknown members.
fn is_whole(content: &[u8]) -> bool {
    const KEY: &[u8] = b",\"digest\":\"";
    let text = document::without_spaces(content);
    let Some(at) = text.windows(KEY.len()).rposition(|window| window == KEY).map(|at| at + KEY.len()) else {
        return false;
    };
    let (before, digest) = text.split_at(at);
    digest.strip_suffix(b"\"}") == Some(hex::encode(&Sha256::digest([before, b"\"}"].concat())).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teardown_is_not_a_deploy() {
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
        assert_eq!(state.last_deploy.as_ref().unwrap().outcome, "running", "a killed one counts as well");
        state.ends("done", "2026-11-24T09:05:00Z".into());
        state.begins(run("teardown"));
        state.ends("failed", "2026-11-24T09:10:00Z".into());
        let outcome = |run: &Option<LastRun>| run.as_ref().map(|run| (run.command.clone(), run.outcome.clone()));
        assert_eq!(outcome(&state.last_run), Some(("teardown".into(), "failed".into())));
        assert_eq!(outcome(&state.last_deploy), Some(("deploy".into(), "done".into())));
        assert_eq!(State::read("99.json", &state.write()).unwrap().last_deploy, state.last_deploy);
    }

    #[test]
    fn function_settings_are_forgotten_with_their_stack() {
        let mut state = State::new("99", "111111111111");
        let node = |place, kind| NodeId::new(place, kind);
        for place in ["us-west-2", "us-east-2"] {
            for kind in [Kind::Stack, Kind::ServerId, Kind::Trigger, Kind::Server] {
                state.identities.insert(node(place, kind), "it".into());
            }
        }
        // As after a teardown: resources without a step of their own were not read again.
        let live = Some(Live::new("it"));
        let actual = Actual::from([
            (node("us-west-2", Kind::Stack), None),
            (node("us-west-2", Kind::ServerId), live.clone()),
            (node("us-west-2", Kind::Trigger), live.clone()),
            (node("us-east-2", Kind::Stack), live),
        ]);
        state.learn(&actual);
        let left: Vec<&str> = state.identities.keys().map(NodeId::as_str).collect();
        let others = ["us-east-2/server", "us-east-2/server-id", "us-east-2/stack", "us-east-2/trigger"];
        assert_eq!(left, [&others[..], &["us-west-2/server"]].concat());
    }
}
