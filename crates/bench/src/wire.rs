//! What a worker and its supervisor say to each other, a line of JSON each. Pure.

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::size::Size;
use crate::target::Access;

/// The first line for a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub access: Access,
    /// The folder of the run, which is created and deleted.
    pub folder: String,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub size: Size,
    pub content: Content,
    pub seed: u64,
}

/// What a worker is to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Creates the run's folder, and says how many bytes are free.
    Prepare,
    Put(File),
    /// Reads the file past the caches of this machine.
    Get(File),
    /// Reads the file from where it is.
    GetCached(File),
    /// Connects anew, and logs in.
    Login,
    Delete(String),
    /// Deletes the run's folder, which is empty then.
    Finish,
}

/// What a worker is at, so that what hangs has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Start,
    Connect,
    Folder,
    Open,
    Write,
    Sync,
    Close,
    Check,
    Read,
    Delete,
}

impl Step {
    /// As the end of "stuck while …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Start => "starting",
            Self::Connect => "connecting",
            Self::Folder => "creating the folder of the run",
            Self::Open => "opening the file",
            Self::Write => "writing",
            Self::Sync => "waiting for written data to be stored",
            Self::Close => "closing the file",
            Self::Check => "checking what was stored",
            Self::Read => "reading",
            Self::Delete => "deleting",
        }
    }
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// It begins with a step, after this many bytes.
    At {
        step: Step,
        bytes: u64,
    },
    Done(Done),
    Failed(Failure),
}

/// An order that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub seconds: f64,
    pub bytes: u64,
    /// Bytes that are free on the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Processor seconds of the worker.
    #[serde(default)]
    pub cpu: f64,
}

/// An order that was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub step: Step,
    /// Bytes before it.
    pub bytes: u64,
    /// The number of the operating system's error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// In the words of the operating system, of AWS, or of `ssh`.
    pub message: String,
    /// Whether what came back is not what was put.
    #[serde(default)]
    pub differs: bool,
}
