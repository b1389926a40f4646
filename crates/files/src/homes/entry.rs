//! An entry of a home directory: a file, a folder, or anything else that has a name. Pure.

use serde::{Deserialize, Serialize};

use super::name::{Alike, Raw};

/// Nanoseconds since 1970; negative before.
pub type Nanoseconds = i64;

/// The bits of a mode that say how the file is run: set-user-ID, set-group-ID.
const SET_ID: u32 = 0o6000;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    File,
    Folder,
    Link,
    Fifo,
    Socket,
    Device,
}

impl Kind {
    /// The kind in a mode (inode(7)).
    pub fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Folder,
            0o120_000 => Self::Link,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o100_000 => Self::File,
            _ => Self::Device,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "link",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
        }
    }
}

/// Where a symbolic link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To a file in the home.
    File,
    /// To a folder in the home that does not contain the link.
    Folder,
    /// To something else in the home.
    Special,
    /// Out of the home.
    Outside,
    /// To nothing.
    Nowhere,
    /// To itself, or a folder that contains it.
    Loop,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub target: Raw,
    pub leads: Leads,
}

/// What `stat` says of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// With the bits of the kind.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Bytes on the disk.
    pub occupied: u64,
    pub mtime: Nanoseconds,
    pub atime: Nanoseconds,
    pub ctime: Nanoseconds,
    pub device: u64,
    pub inode: u64,
    pub names: u64,
}

/// What identifies a state of a file: it is copied again when this changes. The time of change cannot be set, unlike
/// that of modification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub inode: u64,
    pub size: u64,
    pub mtime: Nanoseconds,
    pub ctime: Nanoseconds,
}

impl Facts {
    pub fn stamp(&self) -> Stamp {
        Stamp { inode: self.inode, size: self.size, mtime: self.mtime, ctime: self.ctime }
    }

    pub fn kind(&self) -> Kind {
        Kind::of_mode(self.mode)
    }

    pub fn is_set_id(&self) -> bool {
        self.kind() == Kind::File && self.mode & SET_ID != 0
    }

    /// Whether parts of a file are not on the disk. File systems that compress have such files, too.
    pub fn is_sparse(&self) -> bool {
        // A file system may keep the last block elsewhere, and a small file in its inode.
        self.kind() == Kind::File && self.occupied.saturating_add(4096) < self.size
    }
}

/// An entry of a home directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// From the home; empty for the home itself.
    pub path: Raw,
    pub facts: Facts,
    pub link: Option<Link>,
    /// Whether a folder has no entries.
    pub is_empty: bool,
    /// Whether another file system is mounted here.
    pub is_mount: bool,
    /// Why it could not be read.
    pub unreadable: Option<String>,
    /// Whether it has an ACL.
    pub has_acl: bool,
    /// Whether it has other extended attributes.
    pub has_attributes: bool,
    /// Processes that have it open.
    pub opened: Vec<Opened>,
    /// What it has in common with the name of another entry of its folder, the strongest.
    pub alike: Option<Alike>,
}

impl Entry {
    pub fn kind(&self) -> Kind {
        self.facts.kind()
    }
}

/// A process that has a file open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    pub pid: u32,
    /// Its command.
    pub command: String,
    /// Whether it may write.
    pub writes: bool,
}
