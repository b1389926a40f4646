//! The programs that mount, their versions, and what is known of old ones. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sftpctl_core::spec::mounts::{Mount, MountKind};

/// A version, as `1.90` or `1.23.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "{major}.{minor}")?;
        if *patch > 0 { write!(f, ".{patch}") } else { Ok(()) }
    }
}

impl FromStr for Version {
    type Err = &'static str;

    /// Finds the version in what a program prints about itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let numbers = |word: &str| -> Option<Self> {
            let mut parts = word.split('.').map(|part| part.parse().ok());
            Some(Self(parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
        };
        words.into_iter().find_map(numbers).ok_or("no version")
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// An installed program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub program: PathBuf,
    pub version: Version,
}

/// The program of a kind, and the argument with which it prints its version.
pub fn program(kind: MountKind) -> (&'static str, &'static str) {
    match kind {
        MountKind::S3fs => ("s3fs", "--version"),
        MountKind::Mountpoint => ("mount-s3", "--version"),
        MountKind::Rclone => ("rclone", "version"),
        // The helper of `mount -t s3files`, of amazon-efs-utils.
        MountKind::S3files => ("mount.s3files", "--version"),
    }
}

/// Whether the program of a kind is that of the mount for as long as it is there. Otherwise it makes the mount and ends,
/// and the kernel does the rest.
pub fn stays(kind: MountKind) -> bool {
    kind != MountKind::S3files
}

/// The newest version that the options here were written for, assumed where none is installed.
pub fn newest(kind: MountKind) -> Version {
    match kind {
        MountKind::S3fs => Version(1, 97, 0),
        MountKind::Mountpoint => Version(1, 23, 0),
        MountKind::Rclone => Version(1, 75, 0),
        MountKind::S3files => Version(3, 2, 0),
    }
}

/// The first rclone that keeps part of the disk free.
pub const RCLONE_KEEPS_FREE: Version = Version(1, 64, 0);
/// The first s3fs that can be told to sign as S3 wants.
pub const S3FS_SIGV4: Version = Version(1, 88, 0);
/// The first s3fs whose option `endpoint` is called `region`.
pub const S3FS_REGION: Version = Version(1, 96, 0);

/// What to know about a mount with this version: one sentence each.
pub fn warnings(mount: &Mount, version: Version) -> Vec<String> {
    let mut all = Vec::new();
    let mut warn = |applies: bool, text: &str| all.extend(applies.then(|| text.to_owned()));
    match mount.kind {
        MountKind::S3fs => {
            let by_role = mount.credentials.is_none();
            warn(
                by_role && version < Version(1, 91, 0),
                "s3fs before 1.91 may fail to read the role of a machine with IMDSv2 (s3fs-fuse#1760): upgrade it",
            );
            warn(
                version < Version(1, 95, 0),
                "s3fs before 1.95 has races between its threads, a deadlock and uses of freed memory (fixed in 1.93 and \
                 1.95): upgrade it, or expect that `mounts heal` restarts it from time to time",
            );
        }
        MountKind::Rclone => {
            warn(version < RCLONE_KEEPS_FREE, "rclone before 1.64 cannot keep space free: its cache may fill the disk");
            warn(
                !mount.read_only,
                "rclone says a file is written before it is in S3; a full disk or a lost machine loses it",
            );
        }
        MountKind::Mountpoint => warn(
            !mount.read_only,
            "Mountpoint only writes new files from their beginning to their end; it cannot rename, append or change one",
        ),
        MountKind::S3files => {
            warn(
                version < Version(3, 0, 1),
                "the proxy of amazon-efs-utils 3.0.0 ends when S3 Files answers a read with an error (fixed in 3.0.1): \
                 upgrade it",
            );
            let writes_as_other = !mount.read_only && mount.uid.is_some_and(|uid| uid != 0);
            warn(
                writes_as_other,
                "what customers upload belongs to root: with this `uid` it can be read, but not changed, renamed or deleted, \
                 and nothing can be written into customers' folders",
            );
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            (
                "Amazon Simple Storage Service File System V1.90 (commit:unknown) with GnuTLS(gcrypt)\n",
                Version(1, 90, 0),
            ),
            ("mount-s3 1.23.0\n", Version(1, 23, 0)),
            ("rclone v1.75.1\n- os/version: debian 12.5 (64 bit)\n", Version(1, 75, 1)),
            ("/sbin/mount.s3files Version: 3.2.0\n", Version(3, 2, 0)),
        ] {
            assert_eq!(text.parse(), Ok(version), "{text}");
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert!("S3".parse::<Version>().is_err());
        assert!(Version(1, 9, 0) < Version(1, 90, 0) && Version(1, 90, 0) < Version(1, 90, 1));
    }

    #[test]
    fn old_versions_are_warned_about() {
        for (kind, version, role, expected) in [
            (MountKind::S3fs, "1.90", true, 2),
            (MountKind::S3fs, "1.90", false, 1),
            (MountKind::S3fs, "1.97", true, 0),
            (MountKind::Rclone, "1.60", true, 2),
            (MountKind::Rclone, "1.75", true, 1),
            (MountKind::S3files, "3.0.0", true, 1),
            (MountKind::S3files, "3.2.0", true, 0),
        ] {
            let mut record = record(kind, version);
            record.mount.credentials = (!role).then(|| "/etc/keys".to_owned());
            assert_eq!(warnings(&record.mount, record.tool.version).len(), expected, "{kind:?} {version}");
        }
        // As a user who does not own what customers upload.
        let mut other = record(MountKind::S3files, "3.2.0");
        (other.mount.uid, other.mount.gid) = (Some(48), Some(48));
        assert!(warnings(&other.mount, other.tool.version)[0].contains("belongs to root"));
        other.mount.read_only = true;
        assert_eq!(warnings(&other.mount, other.tool.version).len(), 0);
    }
}
