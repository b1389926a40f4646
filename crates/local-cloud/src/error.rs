//! Errors of the local cloud, with hints.

use std::path::{Path, PathBuf};

use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::visible;

/// A failure to install, start, serve or stop the local cloud. [`hint`](LocalError::hint) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No `python3` on the path.
    #[error("cannot create the local cloud's Python environment: there is no `{program}`")]
    PythonMissing { program: String },
    /// `python3` exists, but cannot create virtual environments.
    #[error("`{program}` cannot create a virtual environment: {output}")]
    VenvMissing {
        program: String,
        /// The last lines that the program printed.
        output: String,
    },
    /// The interpreter is too old for MiniStack.
    #[error("`{program}` is Python {found}; the local cloud needs 3.10 or newer")]
    PythonTooOld { program: String, found: String },
    /// `pip install` did not succeed.
    #[error("installing {package} failed:\n{output}")]
    InstallFailed {
        package: String,
        /// The last lines of pip's output.
        output: String,
    },
    /// A package is not one of the files whose hashes are pinned. Nothing was installed.
    #[error("{package} was refused: its SHA-256 is {found}, which is not pinned for this version")]
    WrongHash {
        /// In pip's words, with the address of its source.
        package: String,
        found: String,
    },
    /// No local cloud is running in the folder.
    #[error("no local cloud is running in {}", shown(dir))]
    NotRunning { dir: PathBuf },
    /// The front's process lives, but does not answer.
    #[error("the local cloud in {} runs (process {pid}), but does not answer", shown(dir))]
    NoAnswer { dir: PathBuf, pid: i32 },
    /// The front refused a request.
    #[error("the local cloud refused the request: {words}")]
    Refused { words: String },
    /// A call to the local cloud failed.
    #[error("a call to the local cloud failed")]
    Call(#[from] sftpctl_aws::AwsError),
    /// Another program listens on the port.
    #[error("port {port} on 127.0.0.1 is taken by another program")]
    PortTaken { port: u16 },
    /// The local cloud already runs, on another port than the requested one.
    #[error("the local cloud is already running on port {running}, not on {requested}")]
    RunsElsewhere { running: u16, requested: u16 },
    /// A background process exited or did not answer during the start.
    #[error("{what} did not start: {reason}\n{log}")]
    NotReady {
        /// Which of the two processes.
        what: &'static str,
        /// For example `it exited (exit status: 1)`, or `no answer within 60 s`.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// MiniStack ended while the front was serving.
    #[error("MiniStack ended unexpectedly ({status}); its log is {}", shown(log))]
    MinistackEnded {
        /// The exit status in the system's words.
        status: String,
        log: PathBuf,
    },
    /// A process did not exit after SIGTERM.
    #[error("process {pid} ({what}) did not exit within {seconds} s")]
    DidNotStop {
        /// Which of the two processes.
        what: &'static str,
        pid: i32,
        seconds: u64,
    },
    /// Another start or stop in the same folder is in progress.
    #[error("another `local start` or `local stop` is in progress in {}", shown(dir))]
    Busy { dir: PathBuf },
    /// The folder could contain programs of somebody else.
    #[error("{} is not trusted: {why}", shown(dir))]
    Untrusted { dir: PathBuf, why: String },
    /// Others could put another folder in the place of the local cloud's.
    #[error("{} is not safe: {}", shown(dir), exposure(above, why))]
    Exposed { dir: PathBuf, above: Vec<PathBuf>, why: &'static str },
    /// Neither `HOME` nor the XDG variables are set.
    #[error("HOME is not set, so there is no place to note which local clouds are this user's own")]
    NoHome,
    /// There is no manner of this name.
    #[error("{0}")]
    UnknownManner(String),
    /// A file of the local cloud could not be read, written or parsed.
    #[error("{action} {}", shown(path))]
    File {
        /// A participle, for example `reading`.
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A child process could not be started or queried.
    #[error("starting {program}")]
    Spawn {
        program: String,
        #[source]
        source: std::io::Error,
    },
    /// Listening on, or talking to, a local port failed.
    #[error("{action} on 127.0.0.1:{port}")]
    Network {
        action: &'static str,
        port: u16,
        #[source]
        source: std::io::Error,
    },
}

/// A path in a message: whoever names a folder cannot begin a line there.
fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

/// What is wrong with folders above.
fn exposure(above: &[PathBuf], why: &str) -> String {
    let (last, others) = match above {
        [others @ .., last] => (shown(last), others),
        [] => return why.to_owned(),
    };
    if others.is_empty() {
        return format!("{last} {why}");
    }
    let others: Vec<String> = others.iter().map(|folder| shown(folder)).collect();
    format!("{} and {last} {}", others.join(", "), why.replacen("is ", "are ", 1))
}

/// A path in a command that users copy.
fn word(path: &Path) -> String {
    visible(&shell_word(&path.display().to_string())).into_owned()
}

/// Why a folder above a local cloud's is not safe, and could be made so.
pub(crate) const OTHERS_REPLACE: &str = "is writable for others (its group, or everybody)";
/// Why a file or a folder is nobody's, where the system does not say whose it is.
pub(crate) const NO_OWNER: &str = "belongs to a user without an ID in this user namespace, who may be anybody";
pub(crate) const IT_HAS_NO_OWNER: &str =
    "it belongs to a user without an ID in this user namespace, who may be anybody";
/// Why a folder of the user's own is not trusted.
pub(crate) const OTHERS_WRITE: &str = "others may write to it";

/// What to do in a user namespace in which even root is somebody without an ID.
const OUTSIDE: &str = "rerun the command outside of the namespace, without `unshare`, or in a container with a file \
                       system of its own";

impl LocalError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Call(error) => return error.hint(),
            Self::PythonMissing { .. } | Self::VenvMissing { .. } => {
                "install Python 3; on Debian and Ubuntu: apt-get install python3 python3-venv".to_owned()
            }
            Self::PythonTooOld { .. } => {
                "put a newer `python3` first on the PATH, or name one in SFTPCTL_PYTHON".to_owned()
            }
            Self::InstallFailed { .. } => {
                "check pip's settings (PIP_INDEX_URL, PIP_PROXY, pip.conf), then rerun the command".to_owned()
            }
            Self::WrongHash { .. } => {
                "nothing was installed; rerun the command in case the download was damaged. If it is refused again, the \
                 package index or a proxy serves a changed file: use another (PIP_INDEX_URL), and report it"
                    .to_owned()
            }
            Self::PortTaken { port } => {
                format!(
                    "stop that program, or choose another port: sftpctl local start --port {}",
                    port.saturating_add(1)
                )
            }
            Self::RunsElsewhere { .. } => "stop it first: sftpctl local stop".to_owned(),
            Self::NotReady { .. } | Self::MinistackEnded { .. } => "see the full log: sftpctl local logs".to_owned(),
            Self::DidNotStop { .. } | Self::Busy { .. } => "wait a moment, then rerun the command".to_owned(),
            Self::Untrusted { dir, why } if why == OTHERS_WRITE => {
                format!("look at what is in it, then close it: chmod -R go-w {}", word(dir))
            }
            Self::Untrusted { why, .. } if why == IT_HAS_NO_OWNER => OUTSIDE.to_owned(),
            Self::Untrusted { dir, .. } => {
                format!("start one elsewhere (--dir), or delete it: rm -r {}", word(dir))
            }
            Self::Exposed { above, why: OTHERS_REPLACE, .. } => {
                let folders: Vec<String> = above.iter().map(|folder| word(folder)).collect();
                let object = if folders.len() == 1 { "it" } else { "them" };
                format!(
                    "close {object}: chmod go-w {}; or start a local cloud elsewhere (--dir)",
                    folders.join(" ")
                )
            }
            Self::Exposed { why: NO_OWNER, .. } => OUTSIDE.to_owned(),
            Self::Exposed { .. } => "start a local cloud in a folder of your own, or elsewhere (--dir); its notes and programs are below \
                                     XDG_STATE_HOME and XDG_CACHE_HOME"
                .to_owned(),
            Self::NoHome => "set HOME".to_owned(),
            Self::NotRunning { .. } => "start it: sftpctl local start".to_owned(),
            Self::NoAnswer { .. } => "wait a moment; if it stays so, see the log: sftpctl local logs".to_owned(),
            Self::Refused { .. } => "see the examples: sftpctl local faults add --help".to_owned(),
            Self::UnknownManner(_) => "list their names: sftpctl local manners".to_owned(),
            Self::File { .. } | Self::Spawn { .. } | Self::Network { .. } => return None,
        })
    }

    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_cannot_add_words_or_lines() {
        let untrusted =
            |why: &str| LocalError::Untrusted { dir: "/tmp/a b; reboot\nerror: x".into(), why: why.to_owned() };
        for (why, command) in [(OTHERS_WRITE, "chmod -R go-w"), ("it is a link or a file", "rm -r")] {
            let error = untrusted(why);
            assert_eq!(error.to_string(), format!(r"/tmp/a b; reboot\u{{a}}error: x is not trusted: {why}"));
            let hint = error.hint().unwrap();
            assert!(hint.ends_with(&format!(r"{command} $'/tmp/a b; reboot\nerror: x'")), "{hint}");
        }
        let plain = LocalError::Untrusted { dir: "/tmp/a".into(), why: String::new() };
        assert!(plain.hint().unwrap().ends_with("rm -r /tmp/a"));
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        for error in [
            LocalError::NotRunning { dir: "/a\nb".into() },
            LocalError::NoAnswer { dir: "/a\nb".into(), pid: 1 },
            LocalError::Busy { dir: "/a\nb".into() },
            LocalError::MinistackEnded { status: "exit status: 1".into(), log: "/a\nb".into() },
            LocalError::File { action: "reading", path: "/a\nb".into(), source: missing },
        ] {
            assert!(error.to_string().contains(r"/a\u{a}b"), "{error}");
        }
    }
}
