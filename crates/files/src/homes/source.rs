//! Where a home is read: on this machine, or on another one over SFTP.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry::{Entry, Facts, Kind};
use super::name::{Alike, Raw};
use super::opened::OpenFiles;
use super::sftp::remote::{Remote, RemoteFile};
use super::walk::{Home, facts};

/// A home directory that is open.
#[derive(Debug)]
pub enum Source {
    Here(Home),
    There(Remote),
}

/// A file of a home that is open to be read.
#[derive(Debug)]
pub enum Content {
    Here(File),
    There(RemoteFile),
}

impl Source {
    /// The same home, which has these rights when they are not taken: a freeze takes them on its own machine.
    #[must_use]
    pub fn with_rights(self, rights: Option<u32>) -> Self {
        match self {
            Self::Here(home) => Self::Here(home.with_rights(rights)),
            Self::There(remote) => Self::There(remote),
        }
    }

    /// Its path, or its address.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Here(home) => home.path().to_owned(),
            Self::There(remote) => remote.path(),
        }
    }

    /// Why the connection to the other machine is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        match self {
            Self::Here(_) => None,
            Self::There(remote) => remote.lost(),
        }
    }

    /// How many entries were gone before they could be looked at.
    pub fn vanished(&self) -> u64 {
        match self {
            Self::Here(home) => home.vanished(),
            Self::There(remote) => remote.vanished(),
        }
    }

    /// The files of the home that processes have open, as far as they are known.
    pub fn opened(&self) -> OpenFiles {
        match self {
            Self::Here(home) => OpenFiles::below(home.path()),
            Self::There(_) => OpenFiles::default(),
        }
    }

    /// Calls `each` with every entry, a folder before what is in it, the home itself first.
    ///
    /// # Errors
    /// The home cannot be read, or `each` fails.
    pub fn walk(&self, opened: &OpenFiles, each: &mut dyn FnMut(Entry) -> io::Result<()>) -> io::Result<()> {
        let mut below = Below::default();
        let each = &mut |entry: Entry| each(below.take(entry));
        match self {
            Self::Here(home) => home.walk(opened, each),
            Self::There(remote) => remote.walk(each),
        }
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// It cannot be opened, or is not a regular file any more.
    pub fn file(&self, path: &Raw) -> io::Result<(Content, Facts)> {
        match self {
            Self::Here(home) => home.file(path).map(|(file, facts)| (Content::Here(file), facts)),
            Self::There(remote) => remote.file(path).map(|(file, facts)| (Content::There(file), facts)),
        }
    }

    /// Opens the file in the home to which a link leads.
    ///
    /// # Errors
    /// As [`Self::file`]; or it leads out of the home.
    pub fn target(&self, path: &Raw) -> io::Result<(Content, Facts)> {
        match self {
            Self::Here(home) => home.target(path).map(|(file, facts)| (Content::Here(file), facts)),
            Self::There(remote) => remote.target(path).map(|(file, facts)| (Content::There(file), facts)),
        }
    }

    /// [`Self::file`], or [`Self::target`] of a link, in a task: waiting for another machine keeps nobody else waiting.
    ///
    /// # Errors
    /// As those.
    pub(super) async fn open(self: &Arc<Self>, path: &Raw, is_link: bool) -> io::Result<(Content, Facts)> {
        let open = move |source: &Self, path: &Raw| if is_link { source.target(path) } else { source.file(path) };
        match &**self {
            Self::Here(_) => open(self, path),
            Self::There(_) => {
                let (source, path) = (Arc::clone(self), path.clone());
                tokio::task::spawn_blocking(move || open(&source, &path)).await.map_err(io::Error::other)?
            }
        }
    }
}

/// What is below folders that have one key: two such folders would be one in S3.
#[derive(Default)]
struct Below {
    folders: HashSet<Raw>,
}

impl Below {
    /// The entry, which has the same key as another if a folder above it has. Folders come before what is in them.
    fn take(&mut self, mut entry: Entry) -> Entry {
        if !self.folders.is_empty() && self.is_below(&entry.path) {
            entry.alike = Some(Alike::Key);
        } else if entry.alike == Some(Alike::Key) && entry.kind() == Kind::Folder {
            self.folders.insert(entry.path.clone());
        }
        entry
    }

    fn is_below(&self, path: &Raw) -> bool {
        let mut above = Raw(path.parent().to_vec());
        while !above.0.is_empty() {
            if self.folders.contains(&above) {
                return true;
            }
            above = Raw(above.parent().to_vec());
        }
        false
    }
}

impl Content {
    /// Reads some bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read_at(&self, into: &mut [u8], start: u64) -> io::Result<usize> {
        match self {
            Self::Here(file) => file.read_at(into, start),
            Self::There(file) => file.read_at(into, start),
        }
    }

    /// What is known of the open file now.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(super) async fn facts(self: &Arc<Self>) -> io::Result<Facts> {
        match &**self {
            Self::Here(file) => Ok(facts(&rustix::fs::fstat(file)?)),
            Self::There(_) => {
                let content = Arc::clone(self);
                let ask = move || match &*content {
                    Self::Here(file) => Ok(facts(&rustix::fs::fstat(file)?)),
                    Self::There(file) => file.facts(),
                };
                tokio::task::spawn_blocking(ask).await.map_err(io::Error::other)?
            }
        }
    }
}
