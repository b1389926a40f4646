//! How long to wait for each kind of resource.

use std::collections::BTreeMap;
use std::time::Duration;

use sftpctl_core::kind::Kind;

/// How long to wait for each kind before giving up; AWS continues, and so does the next run.
#[derive(Clone, Debug)]
pub struct Deadlines(BTreeMap<String, u64>);

impl Deadlines {
    /// Overrides by kind, in seconds, from the environment file.
    pub fn new(overrides: BTreeMap<String, u64>) -> Self {
        Self(overrides)
    }

    /// How long to search for a resource that an earlier run may have created before it is created again. AWS documents
    /// no limit for the time until its listings show a new resource; in practice it takes seconds.
    pub fn unseen(&self) -> Duration {
        self.0.get("unseen").map_or(Duration::from_secs(30), |seconds| Duration::from_secs(*seconds))
    }

    pub fn of(&self, kind: Kind) -> Duration {
        let (name, minutes) = kind.deadline();
        self.0.get(name).map_or(Duration::from_secs(minutes * 60), |seconds| Duration::from_secs(*seconds))
    }
}
