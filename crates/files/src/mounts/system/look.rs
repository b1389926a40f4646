//! The observation of a mount: never by this process, and never for longer than its deadline.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::statvfs;
use serde::Serialize;
use sftpctl_core::spec::mounts::MountKind;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::super::launch::uses_disk;
use super::super::mountinfo::{Entry, mounts_at};
use super::super::record::Record;
use super::super::state::{Outcome, Place, State, Step, state};
use super::install::has_flag;
use super::keys;
use super::lock::Held;
use super::probe::Line;
use super::processes::{Daemon, daemons, has_stuck_helper};
use super::programs::connection;

/// How a mount is looked at.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root folder of the system.
    pub root: PathBuf,
    /// This program, which is also the helper.
    pub sftpctl: PathBuf,
    pub deadline: Duration,
    /// Whether a canary is written, read and deleted.
    pub with_canary: bool,
}

/// What was seen of a mount.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub at: String,
    pub bucket: String,
    pub kind: MountKind,
    pub state: State,
    /// What failed, in the words of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Requests that the program of the mount has not answered; absent if that cannot be read. An upload that takes long is
    /// one, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Bytes that are free on the disk for temporary data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    pub daemons: Vec<Daemon>,
    /// Whether nobody can write into the mount point; known only while nothing is mounted, and only to root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_protected: Option<bool>,
    /// Whether a canary came back as it was written.
    pub canary: bool,
    #[serde(skip)]
    pub entries: Vec<Entry>,
}

/// Less than this is a full disk.
const FULL: u64 = 1 << 20;

/// The bytes that the program of a mount leaves on the disk: s3fs writes nothing with less (`ensure_diskfree`).
fn least(record: &Record) -> u64 {
    match record.mount.kind {
        MountKind::S3fs => u64::from(record.mount.keep_free_mb) << 20,
        _ => FULL,
    }
}

/// Looks at a mount; the record is that of the system below `root`.
pub async fn look(record: &Record, options: &Options) -> Seen {
    let (at, kind) = (record.at(), record.mount.kind);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let entries = mounts_at(&table, at);
    let place = match entries.last() {
        None => Place::Bare,
        Some(top) if top.is_of(kind) => Place::Ours,
        Some(_) => Place::Foreign,
    };
    let daemons = daemons(&record.tool.program, at);
    let disk_free = uses_disk(kind).then(|| free(Path::new(&record.mount.cache))).flatten();
    // Two canaries of one machine would overwrite each other. Who holds the lock shows the same.
    let canary = (options.with_canary && record.takes_canary()).then(|| Held::of(&options.root, record, "canary").ok());
    let with_canary = canary.flatten();
    let outcome = match place {
        Place::Ours if has_stuck_helper(at) => Outcome::Stuck,
        Place::Ours => ask(at, with_canary.is_some(), options).await,
        // Nothing to ask.
        Place::Bare | Place::Foreign => Outcome::Answered,
    };
    let waiting = match entries.last().and_then(Entry::connection) {
        Some(number) => fs::read_to_string(connection(number).await.join("waiting")).ok(),
        None => None,
    };
    let is_stopped = daemons.iter().any(|daemon| daemon.is_stopped);
    let state = state(place, &outcome, is_stopped, disk_free.is_some_and(|free| free < least(record)));
    Seen {
        at: record.mount.at.clone(),
        bucket: record.bucket.clone(),
        kind,
        state,
        detail: with_credentials(
            record,
            state,
            match (state, &outcome, disk_free) {
                (State::Full, Outcome::Answered, Some(free)) => Some(format!(
                    "{}: {} MB are free, and {} MB are to stay free",
                    record.mount.cache,
                    free >> 20,
                    least(record) >> 20
                )),
                _ => detail(&outcome, options.deadline),
            },
        ),
        waiting: waiting.and_then(|count| count.trim().parse().ok()),
        disk_free,
        daemons,
        is_protected: (place == Place::Bare).then(|| has_flag(at)).flatten(),
        canary: with_canary.is_some() && state == State::Healthy,
        entries,
    }
}

/// The detail with what is wrong with the credentials, of a mount whose program may lack them: it ends without, is refused by
/// S3, or answers with errors.
fn with_credentials(record: &Record, state: State, detail: Option<String>) -> Option<String> {
    use State::{Dead, Denied, Failing, NotMounted};
    let may_lack_them = matches!(state, Dead | Denied | Failing | NotMounted);
    let fault =
        record.mount.credentials.as_ref().filter(|_| may_lack_them).and_then(|path| keys::fault(Path::new(path)));
    match (detail, fault) {
        (Some(detail), Some(fault)) => Some(format!("{detail}; {fault}")),
        (detail, fault) => detail.or(fault),
    }
}

fn free(folder: &Path) -> Option<u64> {
    let facts = statvfs(folder).ok()?;
    Some(facts.f_bavail * facts.f_frsize)
}

fn detail(outcome: &Outcome, deadline: Duration) -> Option<String> {
    let step = |step: Step| match step {
        Step::Root => "reading the mount point",
        Step::Absent => "looking for a name in S3",
        Step::Write => "writing a canary",
        Step::Read => "reading a canary",
        Step::Delete => "deleting a canary",
    };
    Some(match outcome {
        Outcome::Failed { step: failed, errno } => {
            format!("{}: {}", step(*failed), std::io::Error::from_raw_os_error(*errno))
        }
        Outcome::Silent { step: silent } => {
            format!("{}: no answer within {} s", silent.map_or("starting", step), deadline.as_secs())
        }
        Outcome::Stuck => "the helper of an earlier check still waits and cannot be killed".to_owned(),
        Outcome::FoundAbsent => "a name that does not exist was found, as s3fs answers when S3 refuses".to_owned(),
        Outcome::Answered | Outcome::Differs | Outcome::Lost => return None,
    })
}

/// Starts a helper that uses the mount, and kills it if it does not answer in time. A helper that waits for an answer of
/// the mount's program ends only when the connection is aborted, so nobody waits for it here.
async fn ask(at: &Path, with_canary: bool, options: &Options) -> Outcome {
    let mut command = Command::new(&options.sftpctl);
    command.args(["mounts", "probe", "--at"]).arg(at).args(with_canary.then_some("--canary"));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Outcome::Lost };
    let Some(output) = child.stdout.take() else { return Outcome::Lost };
    let mut lines = BufReader::new(output).lines();
    let mut step = None;
    let answer = async {
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(Line::Begins(next)) => step = Some(next),
                Ok(Line::Ends(outcome)) => return outcome,
                Err(_) => break,
            }
        }
        Outcome::Lost
    };
    match timeout(options.deadline, answer).await {
        Ok(outcome) => {
            let _ = timeout(Duration::from_secs(1), child.wait()).await;
            outcome
        }
        Err(_) => {
            let _ = child.start_kill();
            let _ = timeout(Duration::from_millis(200), child.wait()).await;
            Outcome::Silent { step }
        }
    }
}
