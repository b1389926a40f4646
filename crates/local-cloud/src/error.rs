//! What can go wrong with the local cloud, and what to do about it.

use std::path::PathBuf;

/// A failure to install, start, serve or stop the local cloud. [`hint`](LocalError::hint) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No `python3` on the path.
    #[error("cannot create the local cloud's Python environment: there is no `{program}`")]
    PythonMissing {
        /// The interpreter looked for.
        program: String,
    },
    /// `python3` is there, but cannot make virtual environments.
    #[error("`{program}` cannot create a virtual environment: {output}")]
    VenvMissing {
        /// The interpreter tried.
        program: String,
        /// The last lines it printed.
        output: String,
    },
    /// The interpreter is too old for MiniStack.
    #[error("`{program}` is Python {found}; the local cloud needs 3.10 or newer")]
    PythonTooOld {
        /// The interpreter tried.
        program: String,
        /// Its version.
        found: String,
    },
    /// `pip install` did not succeed.
    #[error("installing {package} failed:\n{output}")]
    InstallFailed {
        /// What was installed, with its version.
        package: String,
        /// The last lines of pip's output.
        output: String,
    },
    /// What is to be changed does not run.
    #[error("no local cloud answers in {}", dir.display())]
    NotRunning {
        /// The folder looked into.
        dir: PathBuf,
    },
    /// The front does not take what it was given.
    #[error("the local cloud refuses that: {words}")]
    Refused {
        /// Its words.
        words: String,
    },
    /// A call to the local cloud failed.
    #[error("the local cloud does not do what it should")]
    Call(#[from] sftpctl_aws::AwsError),
    /// Something else listens on the port.
    #[error("port {port} on 127.0.0.1 is taken by another program")]
    PortTaken {
        /// The port asked for.
        port: u16,
    },
    /// It runs already, with another port than the one asked for.
    #[error("the local cloud already runs on port {running}, not on {asked}")]
    RunsElsewhere {
        /// The port it listens on.
        running: u16,
        /// The port asked for.
        asked: u16,
    },
    /// A background process ended or stayed silent during start.
    #[error("{what} did not come up: {reason}\n{log}")]
    NotReady {
        /// Which of the two processes.
        what: &'static str,
        /// Ended, or ran out of time.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// MiniStack ended while the front was serving.
    #[error("MiniStack ended unexpectedly ({status}); its log is {}", log.display())]
    MinistackEnded {
        /// Exit status as the system words it.
        status: String,
        /// Where its output went.
        log: PathBuf,
    },
    /// A process that was told to end did not.
    #[error("process {pid} ({what}) did not end within {seconds} s")]
    DidNotStop {
        /// Which of the two processes.
        what: &'static str,
        /// Its id.
        pid: i32,
        /// How long it was given.
        seconds: u64,
    },
    /// Another start or stop in the same folder is under way.
    #[error("another `local start` or `local stop` is at work in {}", dir.display())]
    Busy {
        /// The local cloud's folder.
        dir: PathBuf,
    },
    /// A file of the local cloud could not be read, written or understood.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A child process could not be started or asked.
    #[error("starting {program}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Listening on, or talking to, a local port failed.
    #[error("{action} on 127.0.0.1:{port}")]
    Network {
        /// What was tried.
        action: &'static str,
        /// The port.
        port: u16,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl LocalError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Call(error) => return error.hint(),
            Self::PythonMissing { .. } | Self::VenvMissing { .. } => {
                "install it, on Debian and Ubuntu with: apt-get install python3 python3-venv".to_owned()
            }
            Self::PythonTooOld { .. } => {
                "put a newer `python3` first on the PATH, or name one in SFTPCTL_PYTHON".to_owned()
            }
            Self::InstallFailed { .. } => {
                "pip follows the usual settings (PIP_INDEX_URL, PIP_PROXY, pip.conf); then run the command again"
                    .to_owned()
            }
            Self::PortTaken { port } => {
                format!(
                    "end that program, or choose another port: sftpctl local start --port {}",
                    port.saturating_add(1)
                )
            }
            Self::RunsElsewhere { .. } => "stop it first: sftpctl local stop".to_owned(),
            Self::NotReady { .. } | Self::MinistackEnded { .. } => "the whole log: sftpctl local logs".to_owned(),
            Self::DidNotStop { .. } | Self::Busy { .. } => "wait a little and run the command again".to_owned(),
            Self::NotRunning { .. } => "start it: sftpctl local start".to_owned(),
            Self::Refused { .. } => "examples: sftpctl local faults add --help".to_owned(),
            Self::File { .. } | Self::Spawn { .. } | Self::Network { .. } => return None,
        })
    }

    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
