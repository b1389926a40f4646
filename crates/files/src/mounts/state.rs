//! What a mount's state is, from what was observed, and what brings it back. Pure.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sftpctl_core::spec::mounts::MountKind;

/// A step of the helper process that uses a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// `statx` of the root, past the kernel's cache.
    Root,
    /// A look at a name that cannot exist, which S3 is asked about.
    Absent,
    /// The canary: written and synchronised,
    Write,
    /// read again and compared,
    Read,
    /// and deleted.
    Delete,
}

/// How the helper process fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    Answered,
    Failed {
        step: Step,
        errno: i32,
    },
    /// A name that cannot exist was found. s3fs takes a refusal (403) of S3 for a file without rights.
    FoundAbsent,
    /// The canary was not read as it was written.
    Differs,
    /// No answer in time; the helper was killed.
    Silent {
        step: Option<Step>,
    },
    /// A helper of an earlier check still cannot be killed, so none was started.
    Stuck,
    /// The helper itself did not work.
    Lost,
}

/// What is at the mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Bare,
    /// A mount that the program of this kind made.
    Ours,
    Foreign,
}

/// The state of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Healthy,
    NotMounted,
    /// Something else is mounted there.
    Foreign,
    /// Its program has ended.
    Dead,
    /// Its program is stopped (SIGSTOP, a debugger).
    Stopped,
    /// It does not answer in time.
    Hung,
    /// S3 refuses: credentials or permissions.
    Denied,
    /// The disk for temporary data is full.
    Full,
    /// It can no longer be written.
    ReadOnly,
    /// What was written is not what is read.
    Differs,
    /// Another error.
    Failing,
    /// The check itself failed.
    Unknown,
}

impl State {
    pub const ALL: [Self; 12] = [
        Self::Healthy,
        Self::NotMounted,
        Self::Foreign,
        Self::Dead,
        Self::Stopped,
        Self::Hung,
        Self::Denied,
        Self::Full,
        Self::ReadOnly,
        Self::Differs,
        Self::Failing,
        Self::Unknown,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::NotMounted => "not-mounted",
            Self::Foreign => "foreign",
            Self::Dead => "dead",
            Self::Stopped => "stopped",
            Self::Hung => "hung",
            Self::Denied => "denied",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Differs => "differs",
            Self::Failing => "failing",
            Self::Unknown => "unknown",
        }
    }

    /// What it means.
    pub fn words(self) -> &'static str {
        match self {
            Self::Healthy => "it answers",
            Self::NotMounted => "nothing is mounted at the mount point",
            Self::Foreign => "something else is mounted there",
            Self::Dead => "its program has ended",
            Self::Stopped => "its program is stopped by a signal or a debugger",
            Self::Hung => "it does not answer in time: S3, the network or its program hangs",
            Self::Denied => "S3 refuses it: the credentials or their permissions",
            Self::Full => "the disk for its temporary data is full",
            Self::ReadOnly => "it cannot be written, although it should",
            Self::Differs => "a canary was not read as it was written",
            Self::Failing => "it answers with errors",
            Self::Unknown => "the check itself failed",
        }
    }

    /// What `mounts heal` does about it.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Healthy => "nothing",
            Self::NotMounted => "starts it",
            Self::Foreign => "refuses (exit code 3)",
            Self::Dead => "unmounts and starts it",
            Self::Stopped | Self::Hung => "aborts the connection, kills the program, unmounts and starts it",
            Self::Denied => "restarts it, which reads the credentials again",
            Self::Full => {
                "empties its folder for temporary data; refuses (3) for rclone, whose folder has uploads, and for s3files"
            }
            Self::ReadOnly | Self::Differs | Self::Failing => "restarts it",
            Self::Unknown => "nothing",
        }
    }
}

/// The state of a mount. `is_stopped` says whether its program is, `is_full` whether its disk is.
pub fn state(place: Place, outcome: &Outcome, is_stopped: bool, is_full: bool) -> State {
    match (place, outcome) {
        (Place::Bare, _) => State::NotMounted,
        (Place::Foreign, _) => State::Foreign,
        (Place::Ours, Outcome::Silent { .. } | Outcome::Stuck) if is_stopped => State::Stopped,
        (Place::Ours, Outcome::Silent { .. } | Outcome::Stuck) => State::Hung,
        (Place::Ours, Outcome::FoundAbsent) => State::Denied,
        (Place::Ours, Outcome::Differs) => State::Differs,
        (Place::Ours, Outcome::Lost) => State::Unknown,
        // Without a canary, the disk itself says so.
        (Place::Ours, Outcome::Answered) if is_full => State::Full,
        (Place::Ours, Outcome::Answered) => State::Healthy,
        (Place::Ours, Outcome::Failed { errno, .. }) => match Errno::from_raw_os_error(*errno) {
            // A connection that is aborted says the second once, and then the first.
            Errno::NOTCONN | Errno::CONNABORTED => State::Dead,
            Errno::ACCESS | Errno::PERM => State::Denied,
            Errno::NOSPC | Errno::DQUOT => State::Full,
            Errno::ROFS => State::ReadOnly,
            _ => State::Failing,
        },
    }
}

/// A step of healing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Ask the program to end, and wait for that: uploads in progress come to their end.
    Terminate,
    /// Abort the FUSE connection, which frees everybody who waits for it.
    Abort,
    Kill,
    /// Lazily: processes that use it keep their files, which answer with errors.
    Unmount,
    /// Empty the folder for temporary data.
    Empty,
    Start,
}

/// What brings a mount back, in order; `None` if only a person can.
pub fn cure(state: State, kind: MountKind) -> Option<Vec<Action>> {
    use Action::{Abort, Empty, Kill, Start, Terminate, Unmount};
    Some(match state {
        State::Healthy => vec![],
        State::Foreign | State::Unknown => return None,
        // Two of rclone's on one cache damage it. An s3fs without a mount still ends its uploads.
        State::NotMounted if kind == MountKind::Rclone => vec![Terminate, Kill, Start],
        State::NotMounted => vec![Start],
        State::Dead | State::Stopped | State::Hung => vec![Abort, Kill, Unmount, Start],
        // Without a restart: it still answers readers, and s3fs does not start on a full disk. What is in use of the folder
        // has no name there; uploads wait in rclone's; S3 Files has none.
        State::Full if matches!(kind, MountKind::Rclone | MountKind::S3files) => return None,
        State::Full => vec![Empty],
        State::Denied | State::ReadOnly | State::Differs | State::Failing => {
            vec![Terminate, Abort, Kill, Unmount, Start]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_follows_from_what_was_observed() {
        let failed = |step, errno: Errno| Outcome::Failed { step, errno: errno.raw_os_error() };
        let silent = Outcome::Silent { step: Some(Step::Absent) };
        for (outcome, is_stopped, expected) in [
            (Outcome::Answered, false, State::Healthy),
            (failed(Step::Root, Errno::NOTCONN), false, State::Dead),
            (failed(Step::Absent, Errno::CONNABORTED), false, State::Dead),
            (silent.clone(), true, State::Stopped),
            (silent.clone(), false, State::Hung),
            (Outcome::Stuck, false, State::Hung),
            (Outcome::FoundAbsent, false, State::Denied),
            (failed(Step::Write, Errno::PERM), false, State::Denied),
            (failed(Step::Write, Errno::NOSPC), false, State::Full),
            (failed(Step::Write, Errno::ROFS), false, State::ReadOnly),
            (failed(Step::Absent, Errno::IO), false, State::Failing),
            (Outcome::Differs, false, State::Differs),
            (Outcome::Lost, false, State::Unknown),
        ] {
            assert_eq!(state(Place::Ours, &outcome, is_stopped, false), expected, "{outcome:?}");
            assert_eq!(state(Place::Bare, &outcome, is_stopped, false), State::NotMounted);
            assert_eq!(state(Place::Foreign, &outcome, is_stopped, true), State::Foreign);
        }
        assert_eq!(state(Place::Ours, &Outcome::Answered, false, true), State::Full);
        assert_eq!(state(Place::Ours, &silent, false, true), State::Hung);
    }

    #[test]
    fn nothing_that_waits_for_an_upload_is_deleted() {
        for state in State::ALL {
            for kind in [MountKind::Rclone, MountKind::S3files] {
                let actions = cure(state, kind);
                assert!(actions.is_none_or(|actions| !actions.contains(&Action::Empty)), "{kind:?} {state:?}");
            }
            if let Some(actions) = cure(state, MountKind::S3fs).filter(|actions| actions.contains(&Action::Unmount)) {
                assert_eq!(actions.last(), Some(&Action::Start), "{state:?}");
            }
        }
    }

    #[test]
    fn documentation_has_every_state() {
        let docs = include_str!("../../../../docs/mounts.md");
        for state in State::ALL {
            let code = if state == State::Healthy { 0 } else { 1 };
            let row = format!("| `{}` | {code} | {} | {} |", state.as_str(), state.words(), state.cure());
            assert!(docs.contains(&row), "docs/mounts.md lacks {row}");
        }
    }
}
