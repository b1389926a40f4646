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

    /// How long to look for a resource that an earlier run may have created before it is created again: AWS documents
    /// no bound for new resources to appear in its listings; it takes seconds.
    pub fn unseen(&self) -> Duration {
        self.0.get("unseen").map_or(Duration::from_secs(30), |seconds| Duration::from_secs(*seconds))
    }

    /// The deadline of a kind.
    pub fn of(&self, kind: Kind) -> Duration {
        let (name, minutes) = match kind {
            Kind::Stack => ("stack", 45),
            // Ten to fifteen minutes in 2019, a few today.
            Kind::Server => ("server", 30),
            Kind::Table => ("table", 20),
            Kind::Replica => ("replica", 60),
            Kind::ServerId | Kind::Trigger => ("function", 5),
            Kind::UserRole | Kind::UserPolicy => ("role", 5),
            Kind::Record => ("record", 5),
            Kind::Bucket | Kind::Package => ("bucket", 10),
            Kind::ApiAccount | Kind::LogGroup => ("api", 5),
        };
        self.0.get(name).map_or(Duration::from_secs(minutes * 60), |seconds| Duration::from_secs(*seconds))
    }
}
