//! Brings a mount back.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::Serialize;
use sftpctl_core::spec::mounts::MountKind;
use tokio::time::timeout;

use super::super::launch::{launch, uses_disk};
use super::super::mountinfo::{Entry, mounts_at};
use super::super::record::Record;
use super::super::state::{Action, State, cure};
use super::super::tool::stays;
use super::super::units::service;
use super::cache::{self, Refusal};
use super::install::protect;
use super::lock::{Held, open_plain, own_name, run_file};
use super::look::{Options, Seen, look};
use super::processes::{User, daemons, end, pause, users};
use super::programs::{connection, fail_requests, has_systemd, systemctl, unmount};

/// What healing has done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Healed {
    pub before: Seen,
    /// The processes that used it.
    pub users: Vec<User>,
    pub actions: Vec<Done>,
    /// Absent if nothing was to do, or if only a person can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Seen>,
    /// The last lines of the program of the mount, if it is not healthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// An action, and why it failed if it did. The next ones are done all the same.
#[derive(Debug, Serialize)]
pub struct Done {
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Healed {
    /// Whether the mount is healthy now.
    pub fn is_healthy(&self) -> bool {
        self.after.as_ref().unwrap_or(&self.before).state == State::Healthy
    }

    /// Whether only a person can help.
    pub fn is_refused(&self) -> bool {
        !self.is_healthy() && self.actions.is_empty()
    }
}

/// Where systemd's services find programs, such as `fusermount`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a program may take to end by itself, and to die.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited for a mount.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For its start.
    pub start: Duration,
    /// Once more for an answer, before it is aborted.
    pub confirm: Duration,
}

/// Looks at a mount and brings it back if it is not healthy. `record` is what was installed. `hung` is told of a mount that
/// does not answer before it is waited for once more.
///
/// # Errors
/// [`std::io::ErrorKind::WouldBlock`] if another heal is at work; others if the lock cannot be taken.
pub async fn heal(
    record: &Record,
    options: &Options,
    patience: Patience,
    hung: impl Fn(&Seen),
) -> std::io::Result<Healed> {
    let _lock = Held::of(&options.root, record, "heal")?;
    let mut before = look(record, options).await;
    if before.state == State::Hung && !patience.confirm.is_zero() {
        hung(&before);
        let until = Instant::now() + patience.confirm;
        while before.state == State::Hung && Instant::now() < until {
            // At once if the helper of the check before still waits in the kernel.
            pause().await;
            let deadline = until.saturating_duration_since(Instant::now());
            before = look(record, &Options { deadline, ..options.clone() }).await;
        }
    }
    let mut healed = Healed { users: Vec::new(), actions: Vec::new(), after: None, log: Vec::new(), before };
    let kind = record.mount.kind;
    let Some(actions) = cure(healed.before.state, kind).filter(|actions| !actions.is_empty()) else {
        return Ok(healed);
    };
    let device = healed.before.entries.last().map(|entry| entry.device);
    healed.users = users(record.at(), device);
    let ours: Vec<Entry> = healed.before.entries.iter().filter(|entry| entry.is_of(kind)).cloned().collect();
    for action in actions {
        let done = match action {
            Action::Terminate => ended(record, Signal::TERM).await,
            Action::Kill => ended(record, Signal::KILL).await,
            Action::Abort if kind == MountKind::S3files => {
                fail_requests(record.at()).await;
                Ok(())
            }
            Action::Abort => abort(&ours).await,
            Action::Unmount => unmount_ours(record).await,
            Action::Empty => empty(record, options),
            Action::Start => start(record, options, patience.start).await,
        };
        healed.actions.push(Done { action, error: done.err() });
    }
    let after = look(record, options).await;
    if after.state != State::Healthy {
        healed.log = last_lines(record, options);
    }
    healed.after = Some(after);
    Ok(healed)
}

async fn ended(record: &Record, signal: Signal) -> Result<(), String> {
    match end(&daemons(&record.tool.program, record.at()), signal, PATIENCE).await {
        true => Ok(()),
        false => Err(format!("it has not ended within {} s", PATIENCE.as_secs())),
    }
}

async fn abort(ours: &[Entry]) -> Result<(), String> {
    for number in ours.iter().filter_map(Entry::connection) {
        let switch = connection(number).await.join("abort");
        // A connection that is gone needs no abortion.
        if switch.exists() {
            fs::write(&switch, "1").map_err(|error| format!("{}: {error}", switch.display()))?;
        }
    }
    Ok(())
}

/// Unmounts every layer that a program of this kind has left, and nothing else.
async fn unmount_ours(record: &Record) -> Result<(), String> {
    const LAYERS: usize = 64;
    for _ in 0..LAYERS {
        let table = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        match mounts_at(&table, record.at()).last() {
            Some(top) if top.is_of(record.mount.kind) => unmount(record.at(), true).await?,
            _ => return Ok(()),
        }
    }
    Err("it is mounted again and again".to_owned())
}

/// Deletes what is in the folder for temporary data, except for what a process has open.
fn empty(record: &Record, options: &Options) -> Result<(), String> {
    let folder = Path::new(&record.mount.cache);
    let used = users(folder, None);
    let is_used = |name: &std::ffi::OsStr| used.iter().any(|user| Path::new(&user.path).starts_with(name));
    cache::empty(folder, &own_name(&options.root, record), is_used).map_err(explained)
}

fn explained(refusal: Refusal) -> String {
    match refusal {
        Refusal::Io { path, source } => format!("{path}: {source}"),
        refusal => refusal.to_string(),
    }
}

/// Starts the program of a mount, and waits until it answers.
async fn start(record: &Record, options: &Options, wait: Duration) -> Result<(), String> {
    let limit = Instant::now() + wait;
    let mut child = None;
    if has_systemd(&options.root) {
        match timeout(wait, systemctl(&["restart", &service(record)])).await {
            Ok(result) => result?,
            Err(_) => return Err(format!("systemd has not started it within {} s", wait.as_secs())),
        }
    } else {
        // Whatever may have happened to it since the installation.
        protect(record.at()).map_err(|error| format!("{}: {error}", record.mount.at))?;
        child = Some(spawn(record, options)?);
    }
    // The canary is for the last look.
    let options = Options { with_canary: false, ..options.clone() };
    loop {
        // One that makes the mount and ends has made it by then.
        let has_ended = child.as_mut().is_some_and(|child| match child.try_wait() {
            Ok(Some(status)) => stays(record.mount.kind) || !status.success(),
            ended => ended.is_err(),
        });
        let seen = look(record, &options).await;
        match seen.state {
            State::Healthy | State::Full => return Ok(()),
            _ if has_ended => return Err("the program of the mount has ended".to_owned()),
            _ if Instant::now() >= limit => return Err(format!("it does not answer within {} s", wait.as_secs())),
            _ => pause().await,
        }
    }
}

/// Starts it as a process of its own, which outlives this one.
fn spawn(record: &Record, options: &Options) -> Result<Child, String> {
    let launch = launch(record).ok_or("it has no program")?;
    let (program, arguments) = launch.arguments.split_first().ok_or("it has no program")?;
    let log = run_file(&options.root, record, "log").map_err(|error| error.to_string())?;
    let new = open_plain(&log, File::options().write(true).create(true).truncate(true));
    let log = new.map_err(|error| format!("{}: {error}", log.display()))?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    // As systemd starts it: with nobody's own keys, proxies or certificates. Heal by hand and by cron are the same.
    command.env_clear().env("PATH", PATH).envs(launch.environment);
    command.args(arguments).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    if uses_disk(record.mount.kind) {
        cache::prepare(Path::new(&record.mount.cache), &own_name(&options.root, record)).map_err(explained)?;
    }
    let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    // As the unit does; not every machine lets it.
    let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), "-500");
    Ok(child)
}

/// What its program wrote last, without systemd, whose journal has it.
fn last_lines(record: &Record, options: &Options) -> Vec<String> {
    const LINES: usize = 5;
    const BYTES: u64 = 1 << 16;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut log = open_plain(&run_file(&options.root, record, "log")?, File::options().read(true))?;
        log.seek(SeekFrom::Start(log.metadata()?.len().saturating_sub(BYTES)))?;
        let mut end = Vec::new();
        log.take(BYTES).read_to_end(&mut end)?;
        Ok(end)
    };
    let log = read().unwrap_or_default();
    let lines: Vec<String> = String::from_utf8_lossy(&log).lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}
