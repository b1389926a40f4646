//! The options of a start and the status of a local cloud, which the command and the background process share.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::delay::Delays;

/// Default folder of the local cloud.
pub const DEFAULT_DIR: &str = ".sftpctl/local";
/// Default port of the front.
pub const DEFAULT_PORT: u16 = 4570;

#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// The port on 127.0.0.1; `None` is [`DEFAULT_PORT`], or the port of the local cloud that already runs.
    pub port: Option<u16>,
    /// Simulated delays of services.
    pub delays: Delays,
    /// The virtual environment; `None` is the one in the user's cache, which all local clouds of the user share.
    pub venv: Option<PathBuf>,
    /// Keep the files of SFTP sessions in memory and skip authorization, to measure the endpoint alone.
    pub files_in_memory: bool,
    /// Time limits of SFTP clients.
    pub sftp_limits: SftpLimits,
    /// Names of AWS's manners that are off from the start.
    pub without_manners: Vec<String>,
}

/// The state of the local cloud, as `local status` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub running: bool,
    /// The endpoint URL for AWS calls, for example `http://127.0.0.1:4570`.
    pub endpoint: Option<String>,
    /// Process ID of the front.
    pub pid: Option<i32>,
    pub ministack: Option<MinistackStatus>,
    /// The Transfer servers of every account and region.
    pub servers: Vec<ServerStatus>,
    pub dir: PathBuf,
}

/// The MiniStack behind the front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MinistackStatus {
    pub version: String,
    /// MiniStack's own endpoint. AWS calls should go to the front's instead.
    pub endpoint: String,
    /// Process ID of MiniStack.
    pub pid: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    pub account: String,
    pub region: String,
    /// `s-…`
    pub server_id: String,
    /// As in the Transfer API: ONLINE, STARTING, …
    pub state: String,
    /// The host name or address for SFTP clients.
    pub host: String,
    /// The port for SFTP clients, once the server has an endpoint.
    pub port: Option<u16>,
}

pub(crate) fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Time limits of every connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SftpLimits {
    /// Seconds without any transfer or request (user guide, "Transfer Family quotas": 1,800).
    pub idle_seconds: f64,
    /// Seconds without an answer to keep-alives (the same page: 300).
    pub unresponsive_seconds: f64,
    /// Seconds from the connection to the log-in. AWS documents no limit; the default is OpenSSH's (`LoginGraceTime`).
    pub log_in_seconds: f64,
}

impl Default for SftpLimits {
    fn default() -> Self {
        Self { idle_seconds: 1800.0, unresponsive_seconds: 300.0, log_in_seconds: 120.0 }
    }
}

impl SftpLimits {
    /// From the last request or transfer to the disconnect.
    pub(crate) fn idle(self) -> Duration {
        time(self.idle_seconds)
    }

    /// From the last answer of the client to the disconnect.
    pub(crate) fn unresponsive(self) -> Duration {
        time(self.unresponsive_seconds)
    }

    /// From the connection to the log-in.
    pub(crate) fn log_in(self) -> Duration {
        time(self.log_in_seconds)
    }
}

fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}
