//! Simulated delays: the local cloud answers at once, AWS does not.
//!
//! A rehearsal or a benchmark sets them, at the start or while the local cloud runs (`POST /_sftpctl/settings`). With 0
//! the answers of MiniStack pass unchanged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Delays in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Delays {
    /// From CreateServer or StartServer to ONLINE, and from StopServer to OFFLINE.
    pub server_start_seconds: f64,
    /// From the start of a stack operation to its end as DescribeStacks shows it.
    pub stack_operation_seconds: f64,
    /// From CreateTable, or the addition of a replica, to ACTIVE as DescribeTable shows it.
    pub table_creation_seconds: f64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { server_start_seconds: 1.0, stack_operation_seconds: 0.0, table_creation_seconds: 0.0 }
    }
}

/// A change of [`Delays`]. `None` leaves a value as it is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct DelayChange {
    server_start_seconds: Option<f64>,
    stack_operation_seconds: Option<f64>,
    table_creation_seconds: Option<f64>,
}

impl Delays {
    pub(crate) fn server_start(&self) -> Duration {
        seconds(self.server_start_seconds)
    }

    pub(crate) fn stack_operation(&self) -> Duration {
        seconds(self.stack_operation_seconds)
    }

    pub(crate) fn table_creation(&self) -> Duration {
        seconds(self.table_creation_seconds)
    }

    /// Applies `change`, or returns the name of the first value that is not a valid duration.
    pub(crate) fn changed(mut self, change: DelayChange) -> Result<Self, &'static str> {
        for (name, to, from) in [
            ("serverStartSeconds", &mut self.server_start_seconds, change.server_start_seconds),
            ("stackOperationSeconds", &mut self.stack_operation_seconds, change.stack_operation_seconds),
            ("tableCreationSeconds", &mut self.table_creation_seconds, change.table_creation_seconds),
        ] {
            if let Some(value) = from {
                if Duration::try_from_secs_f64(value).is_err() {
                    return Err(name);
                }
                *to = value;
            }
        }
        Ok(self)
    }
}

/// Invalid values (negative, not a number) count as zero; `changed` and the command line refuse them earlier.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}
