//! The background process: MiniStack as its child, the front in itself.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::control;
use super::error::LocalError;
use super::files::{bound, write_json};
use super::folder;
use super::front::{self, Front};
use super::ministack::{self, Ministack};
use crate::function_key::FunctionKey;
use crate::process::{ProcessId, end_session};
use crate::secret::Secret;
use crate::settings::{DEFAULT_PORT, MinistackStatus, StartOptions, endpoint};

/// Time limit for open connections to finish when the front stops.
const DRAIN: Duration = Duration::from_secs(3);

/// The run file: what `start` and `stop` need to know about a running local cloud.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Run {
    version: u32,
    pub(super) port: u16,
    pub(super) front: ProcessId,
    pub(super) ministack: ProcessId,
}

impl Run {
    /// The path of the run file.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("run.json")
    }
}

/// Runs the local cloud in `dir` until SIGTERM, SIGINT or the end of MiniStack.
///
/// # Errors
/// See [`LocalError`]. MiniStack has ended when this returns.
pub async fn serve(dir: &Path, options: &StartOptions) -> Result<(), LocalError> {
    // In a session of its own, the process survives the terminal that it was started from. A process that leads a
    // group already, such as one started from a shell by hand, cannot create a session, and does not need one.
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!(%error, "no session of its own");
    }
    allow_open_files();
    let dir = &folder::prepared(dir)?;
    let port = options.port.unwrap_or(DEFAULT_PORT);
    let listener = listen(port).await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(LocalError::file("catching", "SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(LocalError::file("catching", "SIGINT"))?;

    let venv = match &options.venv {
        Some(venv) => venv.clone(),
        None => ministack::default_venv()?,
    };
    let venv = folder::programs(&venv)?;
    // What a front that was killed has left.
    remove_temporary(dir);
    let function_key = FunctionKey::random();
    let secrets = (Secret::keep(dir)?, Secret::random());
    let mut ministack = Ministack::spawn(&venv, dir, &endpoint(port), (&secrets.1, &function_key)).await?;
    let front_process = ProcessId::of(std::process::id().cast_signed());
    if let (Some(front), Some(ministack)) = (front_process, ministack.process) {
        // Written before MiniStack is ready, so that the next start or stop finds it whatever happens from here on.
        write_json(&Run::path(dir), &Run { version: 1, port, front, ministack })?;
    }
    let result = tokio::select! {
        result = run(dir, (port, listener), options, (secrets, function_key), &mut ministack) => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        never = bound_logs(dir) => match never {},
    };
    tracing::info!("stopping");
    let ended = ministack.end().await;
    let me = std::process::id().cast_signed();
    // A session that another process leads may contain processes that are not the local cloud's.
    if ProcessId::of(me).and_then(ProcessId::session) == Some(me) {
        end_session(me).await;
    }
    remove_temporary(dir);
    match std::fs::remove_file(Run::path(dir)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "cannot remove the run file");
        }
        _ => {}
    }
    result.and(ended)
}

/// Keeps the logs from filling the disk: each has two files of about this length.
const LONGEST_LOG: u64 = 8 << 20;
const LOG_INTERVAL: Duration = Duration::from_secs(1);

async fn bound_logs(dir: &Path) -> Infallible {
    loop {
        tokio::time::sleep(LOG_INTERVAL).await;
        for log in control::log_paths(dir) {
            if let Err(error) = bound(&log, LONGEST_LOG) {
                tracing::debug!(%error, "a log is not bounded");
            }
        }
    }
}

/// Removes the code of functions, which MiniStack unpacks.
fn remove_temporary(dir: &Path) {
    match std::fs::remove_dir_all(ministack::temporary(dir)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "cannot remove temporary files");
        }
        _ => {}
    }
}

/// Raises the limit on open files as far as is allowed: shells set 1,024, which is fewer than the connections that are
/// admitted at once.
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit on open files stays");
    }
}

/// Serves until MiniStack exits, or until this future is dropped, as `select` does on a signal.
async fn run(
    dir: &Path,
    (port, listener): (u16, TcpListener),
    options: &StartOptions,
    (secrets, function_key): ((Secret, Secret), FunctionKey),
    ministack: &mut Ministack,
) -> Result<(), LocalError> {
    ministack.ready().await?;
    let status = MinistackStatus {
        version: ministack::VERSION.to_owned(),
        endpoint: endpoint(ministack.port),
        pid: ministack.process.map_or(0, |process| process.pid),
    };
    let front = Front::new(dir, port, ministack.port, status, options, secrets, function_key)?;
    tracing::info!(endpoint = endpoint(port), "ready");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(front::run(front, listener, async {
        // Dropping the sender stops the front, too.
        let _ = stopped.await;
    }));
    let ended = ministack.ended().await;
    drop(stop);
    if tokio::time::timeout(DRAIN, serving).await.is_err() {
        tracing::debug!("connections were still open");
    }
    Err(ended)
}

/// Listens on the front's port, on loopback only.
pub(super) async fn listen(port: u16) -> Result<TcpListener, LocalError> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => LocalError::PortTaken { port },
        _ => LocalError::Network { action: "listening", port, source },
    })
}
