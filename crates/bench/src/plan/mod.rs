//! What is measured: a plan, and the cells that it has. Pure.

mod cells;
mod file;
mod hosts;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::size::Size;

pub use cells::{Action, Cell, Needs, Test};
pub use file::{File, load, schema};
pub use hosts::{Host, NAME_HINT, SILENCE, is_name};

/// A plan without defaults that are left to fill in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub targets: Vec<Target>,
    /// Seconds that any operation may take, beside what its size needs.
    pub deadline: u64,
    /// MB a second that a transfer has at least: the rest of its time.
    pub slowest: f64,
    /// Operations stuck in a row after which a target is given up.
    pub give_up_after: u32,
    /// Whether files are put that the target has no room for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fill: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Sizes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<Threads>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<Logins>,
}

/// A place under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    pub name: String,
    pub at: String,
    /// The region of a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The private key for an SFTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// The file with the password for an SFTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// A file for `ssh -F`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_config: Option<PathBuf>,
}

/// One file at a time, of each size and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizes {
    pub sizes: Vec<Size>,
    pub content: Vec<Content>,
    /// Measured repetitions of each transfer.
    pub repeat: u32,
    /// Repetitions before them that do not count.
    pub warmup: u32,
    /// Whether files of a folder are also read a second time, from what caches they are in.
    pub cached: bool,
}

/// What several threads do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Put,
    Get,
    /// Each thread puts and gets in turn, and half of them begin with each.
    Both,
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Put, Self::Get, Self::Both];

    pub fn action(self) -> Action {
        match self {
            Self::Put => Action::Put,
            Self::Get => Action::Get,
            Self::Both => Action::Both,
        }
    }
}

/// Several files at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threads {
    pub sizes: Vec<Size>,
    pub content: Vec<Content>,
    pub threads: Vec<u32>,
    /// Of each thread.
    pub iterations: u32,
    pub warmup: u32,
    pub operations: Vec<Operation>,
}

/// Log-ins to an SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logins {
    pub threads: Vec<u32>,
    pub iterations: u32,
    pub warmup: u32,
}

/// Each thread is a process with a runtime of its own.
pub const MOST_THREADS: u32 = 256;

/// The sizes of the worksheet of 2019.
pub const SIZES_2019: [u64; 10] = [1, 5, 10, 50, 100, 200, 500, 1000, 2000, 5000];

impl Default for Sizes {
    fn default() -> Self {
        Self {
            sizes: SIZES_2019.iter().map(|mb| Size(mb * 1_000_000)).collect(),
            content: Content::ALL.to_vec(),
            repeat: 7,
            warmup: 1,
            cached: true,
        }
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            sizes: vec![Size(5_000_000)],
            content: vec![Content::Text],
            threads: (1..=15).collect(),
            iterations: 30,
            warmup: 1,
            operations: Operation::ALL.to_vec(),
        }
    }
}

impl Default for Logins {
    fn default() -> Self {
        Self { threads: vec![1, 2, 4, 8], iterations: 30, warmup: 1 }
    }
}

impl Plan {
    /// A plan for these targets without tests.
    pub fn of(targets: Vec<Target>) -> Self {
        Self {
            targets,
            deadline: 60,
            slowest: 1.0,
            give_up_after: 3,
            fill: false,
            sizes: None,
            threads: None,
            logins: None,
        }
    }

    /// Seconds after which an operation on this many bytes is stuck.
    pub fn limit(&self, bytes: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
        let seconds = self.deadline as f64;
        seconds + Size(bytes).mb() / self.slowest
    }
}
