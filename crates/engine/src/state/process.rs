//! The processes of this machine, identified by ID *and* start time, since IDs are reused.

use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessId {
    pub(super) pid: i32,
    /// Clock ticks from boot to the start of the process: field 22 of `/proc/<pid>/stat`, see proc(5).
    pub(super) started: u64,
}

impl ProcessId {
    /// The process that has this ID now; `None` if no process has it, or the process has ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        match parse(pid, &stat(pid).ok()?)? {
            ProcessState::Alive(process) => Some(process),
            ProcessState::Ended => None,
        }
    }

    /// Whether this process has certainly ended. A process that /proc does not show may still run: /proc can hide other
    /// users' processes (`hidepid`, proc(5)).
    pub(super) fn has_ended(self) -> bool {
        let missing = || Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
        self.has_ended_by(stat(self.pid).ok().as_deref(), missing)
    }

    /// As [`ProcessId::has_ended`], given the ID's line in /proc, and `missing`, which asks the kernel whether the ID is
    /// unused.
    fn has_ended_by(self, stat: Option<&str>, missing: impl FnOnce() -> bool) -> bool {
        match stat.map(|stat| parse(self.pid, stat)) {
            Some(Some(ProcessState::Alive(process))) => process != self,
            Some(Some(ProcessState::Ended)) => true,
            Some(None) | None => missing(),
        }
    }
}

/// A process's state by `/proc/<pid>/stat`.
enum ProcessState {
    Alive(ProcessId),
    /// A zombie: its parent has not waited for it yet.
    Ended,
}

fn stat(pid: i32) -> std::io::Result<String> {
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
}

fn parse(pid: i32, stat: &str) -> Option<ProcessState> {
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return Some(ProcessState::Ended);
    }
    Some(ProcessState::Alive(ProcessId { pid, started: fields.nth(18)?.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_id_has_no_process() {
        assert_eq!(ProcessId::of(i32::MAX), None);
    }

    #[test]
    fn hidden_process_has_not_ended() {
        let process = ProcessId { pid: 812, started: 5000 };
        let line = |state: &str, started: u64| {
            format!("812 (a (b) c) {state} 1 812 812 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0")
        };
        for (what, stat, missing, ended) in [
            ("it runs", Some(line("S", 5000)), false, false),
            ("its ID was reused", Some(line("S", 5001)), false, true),
            ("a zombie", Some(line("Z", 5000)), false, true),
            ("hidden, but known to the kernel", None, false, false),
            ("no process has its ID", None, true, true),
            ("not the form that Linux uses", Some("812".to_owned()), false, false),
        ] {
            assert_eq!(process.has_ended_by(stat.as_deref(), || missing), ended, "{what}");
        }
    }
}
