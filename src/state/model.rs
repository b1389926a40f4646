//! The state file's content: identities and outcome, no secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resources::resource::{Live, NodeId, Owner, World};

/// Version of this format.
pub const VERSION: u32 = 1;

/// State of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Version of the format.
    pub version: u32,
    /// Name of the environment.
    pub environment: String,
    /// The account it was deployed to.
    pub account: String,
    /// What AWS finds each resource by.
    pub identities: BTreeMap<NodeId, String>,
    /// The last run.
    pub last_run: Option<LastRun>,
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
}

impl State {
    /// An empty state.
    pub fn new(environment: &str, account: &str) -> Self {
        Self { version: VERSION, environment: environment.to_owned(), account: account.to_owned(), ..Self::default() }
    }

    /// Takes over what is known now; another's things are never remembered.
    pub fn learn(&mut self, world: &World) {
        for (id, live) in world {
            match live {
                Some(Live { owner: Owner::Foreign(_), .. }) => None,
                Some(live) => self.identities.insert(id.clone(), live.identity.clone()),
                None => self.identities.remove(id),
            };
        }
    }
}
