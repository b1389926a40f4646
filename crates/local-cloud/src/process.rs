//! Processes identified by ID and start time, so that a recycled ID is not mistaken for the same process.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process, as found at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    /// Clock ticks from boot to the start of the process: field 22 of `/proc/<pid>/stat`, see proc(5).
    pub(crate) started: u64,
}

impl ProcessId {
    /// The process that has this ID now; `None` if there is none or it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        find(pid).map(|(process, _)| process)
    }

    /// The ID of the session that the process belongs to.
    pub(crate) fn session(self) -> Option<i32> {
        find(self.pid).filter(|(process, _)| *process == self).map(|(_, session)| session)
    }

    /// Whether this process is still running.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Whether the process was started with these arguments, among others.
    pub(crate) fn has_arguments(self, wanted: &[&std::ffi::OsStr]) -> bool {
        let path = Path::new("/proc").join(self.pid.to_string()).join("cmdline");
        let Ok(line) = std::fs::read(path) else { return false };
        let all: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        wanted.iter().all(|one| all.contains(&one.as_encoded_bytes()))
    }

    /// Sends SIGTERM. Does nothing if the process has ended, even if its ID is in use again.
    pub(crate) fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// As [`terminate`](Self::terminate), with SIGKILL.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Pid::from_raw(self.pid)
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(pid = self.pid, %error, "signal not delivered");
        }
    }

    /// Waits until the process has ended; `false` if it still runs after `deadline`.
    pub(crate) async fn wait_gone(self, deadline: Duration) -> bool {
        poll(deadline, async || if self.is_alive() { None } else { Some(()) }).await.is_some()
    }
}

/// The state of a process in `/proc/<pid>/stat`.
enum ProcessState {
    /// A living process and its session.
    Alive(ProcessId, i32),
    /// A zombie: it has ended, but its parent has not waited for it yet.
    Ended,
}

fn stat(pid: i32) -> std::io::Result<String> {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
}

fn parse(pid: i32, stat: &str) -> Option<ProcessState> {
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return Some(ProcessState::Ended);
    }
    let process = ProcessId { pid, started: fields.get(19)?.parse().ok()? };
    Some(ProcessState::Alive(process, fields.get(3)?.parse().ok()?))
}

/// A living process and its session.
fn find(pid: i32) -> Option<(ProcessId, i32)> {
    match parse(pid, &stat(pid).ok()?)? {
        ProcessState::Alive(process, session) => Some((process, session)),
        ProcessState::Ended => None,
    }
}

/// Ends the remaining processes of a session, except this one: first with SIGTERM, then with SIGKILL. Returns when they
/// have ended.
///
/// MiniStack leaves the processes of its functions behind, in the session of the front that started MiniStack.
pub(crate) async fn end_session(session: i32) {
    const GRACE: Duration = Duration::from_secs(1);
    const KILLED: Duration = Duration::from_secs(10);
    let me = std::process::id().cast_signed();
    let members = || -> Vec<ProcessId> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(find)
            .filter(|(process, its)| *its == session && process.pid != me)
            .map(|(process, _)| process)
            .collect()
    };
    members().into_iter().for_each(ProcessId::terminate);
    if poll(GRACE, async || members().is_empty().then_some(())).await.is_some() {
        return;
    }
    // Repeated, because a killed process takes a moment to end, and a process may have started since the list was read.
    let killed = poll(KILLED, async || {
        let left = members();
        left.iter().copied().for_each(ProcessId::kill);
        left.is_empty().then_some(())
    });
    if killed.await.is_none() {
        tracing::warn!(session, "processes of the local cloud are still running");
    }
}

/// Calls `probe` at short intervals until it returns a value or `deadline` is over.
pub(crate) async fn poll<T>(deadline: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    const PAUSE: Duration = Duration::from_millis(20);
    let end = tokio::time::Instant::now() + deadline;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if tokio::time::Instant::now() >= end {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_id_is_another_process() {
        let me = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { started: me.started + 1, ..me }.is_alive());
    }

    #[test]
    fn unused_id_has_no_process() {
        assert_eq!(ProcessId::of(i32::MAX), None);
    }
}
