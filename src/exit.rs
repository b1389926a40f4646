//! The exit codes, and the end of the process.

use std::io::{IsTerminal as _, Write as _};

use sftpctl_engine::run::Ending;

/// The exit codes, in the order of help and README.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Ok,
    /// A call to AWS or a customer's log-in failed.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
    /// A protection or the user refused.
    Refused,
    /// A command that only compares found differences: `plan --exit-code`, `drift`, `users sync` without `--apply`,
    /// `users audit`.
    Changes,
    /// Another run holds the lock.
    Locked,
    /// Some steps are done, others are not.
    Partly,
    /// The user asked the run to stop.
    Interrupted,
}

impl Exit {
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Refused,
        Self::Changes,
        Self::Locked,
        Self::Partly,
        Self::Interrupted,
    ];

    /// The number for the operating system.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Changes => 4,
            Self::Locked => 5,
            Self::Partly => 6,
            Self::Interrupted => 130,
        }
    }

    /// The meaning, in the words of help and README.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or nothing to do",
            Self::Failed => "a call to AWS failed, a log-in was refused, or a check found what stops a deployment",
            Self::Usage => "wrong usage or configuration",
            Self::Refused => "refused: not confirmed, the wrong AWS account, or a protection",
            Self::Changes => "differences were found: plan --exit-code, drift, users audit, users sync without --apply",
            Self::Locked => "another run holds the lock",
            Self::Partly => "partly done: rerun the same command to resume",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Exit codes with their meanings, one to a line, as help shows them.
pub fn list(exits: &[Exit]) -> String {
    let lines = exits.iter().map(|exit| format!("\n  {:<4} {}", exit.code(), exit.meaning()));
    format!("Exit codes:{}", lines.collect::<String>())
}

impl From<Ending> for Exit {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::Ok,
            Ending::Failed => Self::Failed,
            Ending::Partly => Self::Partly,
            Ending::Interrupted => Self::Interrupted,
        }
    }
}

/// Ends the process at once, the cursor restored: at the end of `main`, and at the second Ctrl-C.
#[expect(clippy::exit, reason = "dropping the runtime would wait for the thread of an unanswered prompt")]
pub fn leave(exit: Exit) -> ! {
    // A progress display hides the cursor.
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr().lock(), "\x1b[?25h");
    }
    std::process::exit(i32::from(exit.code()))
}
