//! What works on which kind of mount. Pure.
//!
//! Sources: README and man page of s3fs-fuse, with s3fs 1.90 tried; SEMANTICS.md of Mountpoint 1.23; `rclone mount` in
//! rclone's documentation; the user guide of Amazon S3 Files (synchronization, quotas, POSIX permissions).

use sftpctl_core::spec::mounts::MountKind;

/// What an application may want, and how each kind answers.
#[derive(Debug)]
pub struct Row {
    pub what: &'static str,
    s3fs: &'static str,
    mountpoint: &'static str,
    rclone: &'static str,
    s3files: &'static str,
}

impl Row {
    pub fn of(&self, kind: MountKind) -> &'static str {
        match kind {
            MountKind::S3fs => self.s3fs,
            MountKind::Mountpoint => self.mountpoint,
            MountKind::Rclone => self.rclone,
            MountKind::S3files => self.s3files,
        }
    }
}

const fn row(what: &'static str, answers: [&'static str; 4]) -> Row {
    let [s3fs, mountpoint, rclone, s3files] = answers;
    Row { what, s3fs, mountpoint, rclone, s3files }
}

/// The table, in the order of [`MountKind::ALL`].
pub const ALL: [Row; 16] = [
    row("read files", ["yes", "yes", "yes", "yes"]),
    row("write new files from beginning to end", ["yes", "yes", "yes", "yes"]),
    row("change a part of a file, append", ["yes", "no", "yes", "yes"]),
    row("rename a file", ["copies it; not atomic", "no", "copies it; not atomic", "yes; in S3 a copy and a deletion"]),
    row("rename a folder", ["copies every file", "no", "copies every file", "yes; both in S3 until all is copied"]),
    row("symbolic links", ["yes", "no", "no", "yes"]),
    row("hard links", ["no", "no", "no", "no"]),
    row("owner, rights and times of each file", ["yes; keys of its own", "no", "times only", "yes; `file-*`"]),
    row("empty folders", ["yes", "until the program ends", "until the program ends", "yes"]),
    row("read a file that is being written", ["yes", "no", "yes", "yes"]),
    row("git, unzip, write to a temporary name and rename", ["yes; slow", "no", "yes", "yes"]),
    row("customers' uploads appear after", ["10 s", "10 s", "10 s", "about 30 s"]),
    row(
        "what is written is in S3",
        ["when `close` returns", "when `close` returns", "seconds after `close`", "60 s after the last write"],
    ),
    row(
        "two servers write one file",
        ["the last one wins", "the last one wins", "the last one wins", "S3 wins; the other is in lost+found"],
    ),
    row(
        "watch customers' uploads with inotify",
        ["no; use `pull`", "no; use `pull`", "no; use `pull`", "no; use `pull`"],
    ),
    row("where", ["Linux with FUSE", "Linux with FUSE", "Linux with FUSE", "EC2, ECS, EKS and Lambda in the VPC"]),
];

/// What a kind is for.
pub fn advice(kind: MountKind) -> &'static str {
    match kind {
        MountKind::S3fs => "an application that writes, on any Linux, also outside of AWS",
        MountKind::Mountpoint => "agents that read, and write new files only",
        MountKind::Rclone => "an application that writes much and can bear to lose what is not in S3 yet",
        MountKind::S3files => "an application that writes, on AWS, in the region of the bucket",
    }
}

/// The table in Markdown.
pub fn markdown() -> String {
    let kinds = MountKind::ALL.map(|kind| format!("`{}`", kind.as_str()));
    let mut out = format!("| | {} |\n|---|---|---|---|---|\n", kinds.join(" | "));
    for row in &ALL {
        out.push_str(&format!("| {} | {} |\n", row.what, MountKind::ALL.map(|kind| row.of(kind)).join(" | ")));
    }
    out.push_str(&format!("| made for | {} |\n", MountKind::ALL.map(advice).join(" | ")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_has_the_table() {
        let docs = include_str!("../../../../docs/mounts.md");
        assert!(docs.contains(&markdown()), "docs/mounts.md lacks the table, which is now:\n{}", markdown());
    }
}
