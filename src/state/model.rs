//! The state document's content: identities and outcome, no secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::error::StateError;
use crate::resources::resource::{Live, NodeId, Owner, World};

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
    /// The last run.
    pub last_run: Option<LastRun>,
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
    /// Digest of the saved plan that it did, so that an unfinished one may be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
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
