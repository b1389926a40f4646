//! What is mounted where, as `/proc/self/mountinfo` says (proc_pid_mountinfo(5)), which never waits for a file system. Pure.

use std::path::{Path, PathBuf};

use sftpctl_core::spec::mounts::MountKind;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Major and minor number; the minor one is the name of a FUSE connection in `/sys/fs/fuse/connections`.
    pub device: (u32, u32),
    pub at: PathBuf,
    pub file_system: String,
    pub source: String,
}

impl Entry {
    /// Whether a program of this kind makes such mounts.
    pub fn is_of(&self, kind: MountKind) -> bool {
        match kind {
            MountKind::S3fs => self.file_system == "fuse.s3fs",
            MountKind::Rclone => self.file_system == "fuse.rclone",
            MountKind::Mountpoint => self.file_system == "fuse" && self.source == "mountpoint-s3",
            // Through a proxy of its own on this machine.
            MountKind::S3files => self.file_system == "nfs4" && self.source.starts_with("127.0.0.1:/"),
        }
    }

    /// The number of the FUSE connection; `None` for other file systems.
    pub fn connection(&self) -> Option<u32> {
        let is_fuse = self.file_system == "fuse" || self.file_system.starts_with("fuse.");
        is_fuse.then_some(self.device.1)
    }
}

/// The mounts at a path, the visible one last.
pub fn mounts_at(mountinfo: &str, at: &Path) -> Vec<Entry> {
    mountinfo.lines().filter_map(entry).filter(|entry| entry.at == at).collect()
}

/// The mounts at a path and below it.
pub fn mounts_in(mountinfo: &str, folder: &Path) -> Vec<Entry> {
    mountinfo.lines().filter_map(entry).filter(|entry| entry.at.starts_with(folder)).collect()
}

/// Whether a device is mounted in this table.
pub fn has_device(mountinfo: &str, device: (u32, u32)) -> bool {
    mountinfo.lines().filter_map(entry).any(|entry| entry.device == device)
}

fn entry(line: &str) -> Option<Entry> {
    let (before, after) = line.split_once(" - ")?;
    let fields: Vec<&str> = before.split(' ').collect();
    let (major, minor) = fields.get(2)?.split_once(':')?;
    let mut after = after.split(' ');
    Some(Entry {
        device: (major.parse().ok()?, minor.parse().ok()?),
        at: unescaped(fields.get(4)?).into(),
        file_system: after.next()?.to_owned(),
        source: unescaped(after.next()?),
    })
}

/// Spaces, tabs, line ends and backslashes are three octal digits after a backslash.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(&part[3..]);
            }
            None => out.push_str(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
43 27 0:40 / /sftp rw,nosuid,nodev,relatime - fuse.s3fs s3fs rw,user_id=0,group_id=0,allow_other
44 27 0:41 / /srv/a\\040b rw shared:5 master:1 - fuse mountpoint-s3 rw
45 43 0:42 / /sftp rw - tmpfs tmpfs rw
46 27 0:43 / /sftp2 rw - fuse.rclone :s3:b rw
47 27 0:44 / /files rw,relatime shared:9 - nfs4 127.0.0.1:/ rw,vers=4.2,hard,proto=tcp,port=20049
48 27 0:45 / /home rw,relatime - nfs4 nas.example.com:/home rw,vers=4.2
";

    #[test]
    fn mounts_are_found_with_their_connection() {
        let at_sftp = mounts_at(TABLE, Path::new("/sftp"));
        let kinds: Vec<&str> = at_sftp.iter().map(|entry| entry.file_system.as_str()).collect();
        assert_eq!(kinds, ["fuse.s3fs", "tmpfs"]);
        assert!(at_sftp[0].is_of(MountKind::S3fs) && !at_sftp[0].is_of(MountKind::Rclone));
        assert_eq!((at_sftp[0].connection(), at_sftp[1].connection()), (Some(40), None));
        let below: Vec<_> = mounts_in(TABLE, Path::new("/srv")).into_iter().map(|entry| entry.at).collect();
        assert_eq!(below, [Path::new("/srv/a b")]);
        assert_eq!(mounts_in(TABLE, Path::new("/sftp")).len(), 2);
        let spaced = mounts_at(TABLE, Path::new("/srv/a b"));
        assert!(spaced[0].is_of(MountKind::Mountpoint) && spaced[0].connection() == Some(41));
        assert!(mounts_at(TABLE, Path::new("/sftp2"))[0].is_of(MountKind::Rclone));
        assert!(has_device(TABLE, (0, 41)) && !has_device(TABLE, (0, 46)));
        let files = |at: &str| mounts_at(TABLE, Path::new(at))[0].is_of(MountKind::S3files);
        assert!(files("/files") && !files("/home"));
        assert_eq!(mounts_at(TABLE, Path::new("/files"))[0].connection(), None);
    }
}
