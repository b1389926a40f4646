//! Starts, stops and queries the local cloud of a folder, from another process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::error::LocalError;
use super::files::{append, read_json, tail};
use super::folder::{self, prepared};
use super::ministack;
use super::serve::Run;
use super::settings::{DEFAULT_PORT, StartOptions, Status, endpoint};
use crate::log_file::LogFile;
use crate::process::{ProcessId, end_session, poll};
use crate::secret::Secret;

/// Time limit for MiniStack and the front to start.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Time limit for a front that runs to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// Time limit for both to write their state and exit.
const STOP_DEADLINE: Duration = Duration::from_secs(45);

/// Starts the local cloud in `dir` in the background, installing it first if needed, and waits until it answers.
///
/// A local cloud that already runs in `dir` is left as it is. `progress` gets a line for each step that takes time.
///
/// # Errors
/// See [`LocalError`]; after an error nothing is left running.
pub async fn start(dir: &Path, options: &StartOptions, progress: &(dyn Fn(&str) + Sync)) -> Result<Status, LocalError> {
    let dir = &prepared(dir)?;
    // No lock if it already answers: many commands may use it at once.
    if let Some(run) = running(dir)?
        && options.port.is_none_or(|requested| requested == run.port)
        && let Ok(Some(status)) = ask(dir).await
    {
        return Ok(status);
    }
    let _lock = lock(dir)?;
    if let Some(run) = running(dir)? {
        return match options.port {
            Some(requested) if requested != run.port => Err(LocalError::RunsElsewhere { running: run.port, requested }),
            _ => status(dir).await,
        };
    }
    end_orphan(dir).await?;
    let port = options.port.unwrap_or(DEFAULT_PORT);
    // Checked before the installation, so that a taken port is reported at once.
    drop(super::serve::listen(port).await?);
    let venv = match &options.venv {
        Some(venv) => ministack::install(venv, false, progress).await?,
        None => ministack::install(&ministack::default_venv()?, true, progress).await?,
    };

    progress(&format!("starting on {}", endpoint(port)));
    let log_path = dir.join("front.log");
    let log = append(&log_path)?;
    let errors = log.try_clone().map_err(LocalError::file("opening", &log_path))?;
    let program = std::env::current_exe().map_err(LocalError::file("finding", "this program"))?;
    let mut command = std::process::Command::new(&program);
    command.args(["serve", "--dir"]).arg(dir).arg("--port").arg(port.to_string()).arg("--venv").arg(&venv);
    for (name, value) in [
        ("--server-start-time", options.delays.server_start_seconds),
        ("--stack-time", options.delays.stack_operation_seconds),
        ("--table-time", options.delays.table_creation_seconds),
        ("--sftp-idle-time", options.sftp_limits.idle_seconds),
        ("--sftp-unresponsive-time", options.sftp_limits.unresponsive_seconds),
        ("--sftp-log-in-time", options.sftp_limits.log_in_seconds),
    ] {
        command.arg(name).arg(value.to_string());
    }
    for name in &options.without_manners {
        command.args(["--without-manner", name]);
    }
    if options.files_in_memory {
        command.arg("--files-in-memory");
    }
    if std::env::var_os("RUST_LOG").is_none() {
        // Log-ins, uploads and refusals belong in the front's log.
        command.env("RUST_LOG", "warn,sftpctl_local_cloud=info");
    }
    // Upload parts are large and short-lived. By default glibc raises its mmap threshold when the first one is freed
    // and keeps the later ones, so that the front grows with the files that pass through it; a threshold set explicitly
    // stays. Smaller blocks are kept, because returning them costs downloads a tenth of their speed.
    for (name, mebibytes) in [("MALLOC_MMAP_THRESHOLD_", 4_u32), ("MALLOC_TRIM_THRESHOLD_", 64)] {
        if std::env::var_os(name).is_none() {
            command.env(name, (mebibytes << 20).to_string());
        }
    }
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let mut child =
        command.spawn().map_err(|source| LocalError::Spawn { program: program.display().to_string(), source })?;

    let ready = poll(START_DEADLINE, async || match child.try_wait() {
        Ok(Some(status)) => Some(Err(format!("it exited ({status})"))),
        _ => match ask(dir).await {
            Ok(Some(status)) => Some(Ok(status)),
            _ => None,
        },
    })
    .await;
    let reason = match ready {
        Some(Ok(status)) => return Ok(status),
        Some(Err(reason)) => reason,
        None => format!("no answer within {} s", START_DEADLINE.as_secs()),
    };
    if let Some(process) = ProcessId::of(child.id().cast_signed()) {
        process.terminate();
        if !process.wait_gone(STOP_DEADLINE).await {
            process.kill();
        }
    }
    end_orphan(dir).await?;
    Err(LocalError::NotReady { what: "the local cloud", reason, log: tail(&log_path, 8) })
}

/// Stops the local cloud in `dir` after it has written its state. Returns whether one was running.
///
/// # Errors
/// [`LocalError::DidNotStop`] when it does not exit in time; it is not killed, so that its state is not lost.
pub async fn stop(dir: &Path) -> Result<bool, LocalError> {
    if !dir.is_dir() {
        return Ok(false);
    }
    let dir = &prepared(dir)?;
    let _lock = lock(dir)?;
    let front = running(dir)?;
    if let Some(run) = &front {
        run.front.terminate();
        if !run.front.wait_gone(STOP_DEADLINE).await {
            let seconds = STOP_DEADLINE.as_secs();
            return Err(LocalError::DidNotStop { what: "the local cloud's front", pid: run.front.pid, seconds });
        }
    }
    let orphan = end_orphan(dir).await?;
    Ok(front.is_some() || orphan)
}

/// Reads the status of the local cloud in `dir`.
///
/// # Errors
/// The local cloud's own files cannot be read, or it runs and does not answer ([`LocalError::NoAnswer`]). A local cloud
/// that is not running is not an error.
pub async fn status(dir: &Path) -> Result<Status, LocalError> {
    let dir = folder::real(dir)?;
    if dir.exists() {
        folder::check(&dir)?;
    }
    let answer = poll(ANSWER_DEADLINE, async || match (ask(&dir).await, running(&dir)) {
        (Ok(Some(status)), _) => Some(Ok(Some(status))),
        (Ok(None), Ok(Some(_))) => None,
        (Ok(None), Ok(None)) => Some(Ok(None)),
        (Err(error), _) | (_, Err(error)) => Some(Err(error)),
    });
    let answer = match (answer.await, running(&dir)?) {
        (Some(answer), _) => answer?,
        (None, Some(run)) => return Err(LocalError::NoAnswer { dir, pid: run.front.pid }),
        (None, None) => None,
    };
    Ok(answer.unwrap_or(Status {
        running: false,
        endpoint: None,
        pid: None,
        ministack: None,
        servers: Vec::new(),
        dir,
    }))
}

/// The log files of the local cloud in `dir`: the front's and MiniStack's. They may not exist yet.
///
/// # Errors
/// The folder is not this user's own ([`LocalError::Untrusted`], [`LocalError::Exposed`]).
pub fn logs(dir: &Path) -> Result<[LogFile; 2], LocalError> {
    let dir = folder::real(dir)?;
    if !dir.exists() {
        return Err(LocalError::NotRunning { dir });
    }
    folder::check(&dir)?;
    Ok(log_paths(&dir).map(LogFile::new))
}

pub(super) fn log_paths(dir: &Path) -> [PathBuf; 2] {
    [dir.join("front.log"), dir.join("ministack.log")]
}

/// Calls one of the front's own paths, `/_sftpctl/…`, in `dir`. Returns the body of the answer.
///
/// # Errors
/// [`LocalError::NotRunning`], [`LocalError::NoAnswer`], or [`LocalError::Refused`] with the front's answer.
pub async fn manage(dir: &Path, method: &str, path: &str, body: &str) -> Result<String, LocalError> {
    let dir = folder::real(dir)?;
    if !dir.exists() {
        return Err(LocalError::NotRunning { dir });
    }
    folder::check(&dir)?;
    let Some(run) = running(&dir)? else { return Err(LocalError::NotRunning { dir }) };
    let Some(secret) = Secret::read(&dir)? else { return Err(LocalError::NotRunning { dir }) };
    let path = format!("/_sftpctl/{path}");
    match ministack::send((run.port, &secret), method, &path, body, ANSWER_DEADLINE).await {
        Some((200, answer)) => Ok(answer),
        Some((_, words)) => Err(LocalError::Refused { words: words.trim().to_owned() }),
        None if run.front.is_alive() => Err(LocalError::NoAnswer { dir, pid: run.front.pid }),
        None => Err(LocalError::NotRunning { dir }),
    }
}

/// The secret key of every account of the local cloud in `dir`.
///
/// # Errors
/// It was never started, or its file cannot be read.
pub fn secret_key(dir: &Path) -> Result<String, LocalError> {
    let dir = folder::real(dir)?;
    if dir.exists() {
        folder::check(&dir)?;
    }
    let secret = Secret::read(&dir)?.ok_or(LocalError::NotRunning { dir })?;
    Ok(secret.as_str().to_owned())
}

/// Asks the front named in the run file for its status; `None` when there is none, or it does not answer.
async fn ask(dir: &Path) -> Result<Option<Status>, LocalError> {
    let Some(run) = running(dir)? else { return Ok(None) };
    let Some(secret) = Secret::read(dir)? else { return Ok(None) };
    let text = super::ministack::get((run.port, &secret), "/_sftpctl/status").await;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// The run file, if the front that wrote it is still running.
fn running(dir: &Path) -> Result<Option<Run>, LocalError> {
    let run: Option<Run> = read_json(&Run::path(dir))?;
    Ok(run.filter(|run| run.front.is_alive() && run.front.has_arguments(&["serve".as_ref(), dir.as_os_str()])))
}

/// Ends a MiniStack whose front was killed. Returns whether one was running.
async fn end_orphan(dir: &Path) -> Result<bool, LocalError> {
    let path = Run::path(dir);
    let Some(run) = read_json::<Run>(&path)? else { return Ok(false) };
    // The file alone is not believed: what it names must be MiniStack, started from this folder.
    let launcher = ministack::launcher(dir);
    let alive = run.ministack.is_alive() && run.ministack.has_arguments(&[launcher.as_os_str()]);
    if alive {
        // This MiniStack is in the session, so its ID was not recycled, even though the front has ended.
        let session = run.ministack.session().filter(|session| *session == run.front.pid);
        run.ministack.terminate();
        if !run.ministack.wait_gone(STOP_DEADLINE).await {
            let seconds = STOP_DEADLINE.as_secs();
            return Err(LocalError::DidNotStop { what: "MiniStack", pid: run.ministack.pid, seconds });
        }
        if let Some(session) = session {
            end_session(session).await;
        }
    }
    std::fs::remove_file(&path).map_err(LocalError::file("removing", path))?;
    Ok(alive)
}

/// Locks the folder against another start or stop, until dropped.
fn lock(dir: &Path) -> Result<File, LocalError> {
    let path = dir.join("lock");
    let file = append(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LocalError::Busy { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(LocalError::file("locking", path)(error)),
    }
}
