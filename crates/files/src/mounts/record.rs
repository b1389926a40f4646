//! What an installation notes about a mount, so that checks need neither the environment file nor AWS. Pure.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::mounts::{Mount, MountKind};
use sftpctl_core::spec::names;

use super::tool::{self, Tool};

/// The folder of all records.
pub const FOLDER: &str = "/etc/sftpctl/mounts";

/// A mount of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub environment: String,
    /// The role of the machine in the environment file.
    pub host: String,
    pub bucket: String,
    pub region: String,
    pub mount: Mount,
    pub tool: Tool,
    /// What is mounted, if it is a file system of Amazon S3 Files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<FileSystem>,
}

/// A file system of Amazon S3 Files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSystem {
    pub id: String,
    /// Through which it is mounted, for the mount's user and group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_point: Option<String>,
}

impl FileSystem {
    /// Whether both are IDs as AWS makes them: they become options.
    fn is_valid(&self) -> bool {
        let is_id = |text: &str, prefix: &str| {
            let digits = text.strip_prefix(prefix).unwrap_or_default();
            let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            (17..=40).contains(&digits.len()) && digits.chars().all(is_hex)
        };
        is_id(&self.id, "fs-") && self.access_point.as_ref().is_none_or(|point| is_id(point, "fsap-"))
    }
}

impl Record {
    /// The record of a mount of the environment, whose program is this one.
    pub fn new(environment: &Environment, host: &str, mount: &Mount, tool: Tool) -> Self {
        let region = environment.clusters.get(&mount.cluster).map(|cluster| cluster.region.clone());
        Self {
            environment: environment.name.clone(),
            host: host.to_owned(),
            bucket: names::upload_bucket(environment, &mount.cluster),
            region: region.unwrap_or_default(),
            mount: mount.clone(),
            tool,
            file_system: None,
        }
    }

    /// The same mount, of this file system.
    #[must_use]
    pub fn of(mut self, file_system: Option<FileSystem>) -> Self {
        self.file_system = file_system;
        self
    }

    /// The same mount of a system whose root folder is `root`.
    #[must_use]
    pub fn below(mut self, root: &Path) -> Self {
        let moved = |path: &str| below(root, path).to_string_lossy().into_owned();
        self.mount.at = moved(&self.mount.at);
        self.mount.cache = moved(&self.mount.cache);
        self.mount.credentials = self.mount.credentials.as_deref().map(moved);
        self
    }

    /// What is wrong with a record that was read: its fields become options, paths that are emptied, and a program that
    /// root runs, so they are what an installation writes, whoever has written it.
    pub fn fault(&self) -> Option<String> {
        let consists_of = |text: &str, more: &str| {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
            !text.is_empty() && text.chars().all(is_plain)
        };
        let (name, _) = tool::program(self.mount.kind);
        let program = &self.tool.program;
        let is_known = program.file_name().and_then(OsStr::to_str) == Some(name);
        if !is_known || !program.is_absolute() || program.components().any(|part| part == Component::ParentDir) {
            return Some(format!("`{}` is not a program for it", program.display()));
        }
        if !consists_of(&self.bucket, ".-") || !consists_of(&self.region, "-") {
            return Some("invalid bucket or region".to_owned());
        }
        let is_of_s3_files = self.mount.kind == MountKind::S3files;
        if self.file_system.as_ref().map(FileSystem::is_valid) != is_of_s3_files.then_some(true) {
            return Some("invalid file system".to_owned());
        }
        self.mount.fault()
    }

    /// Whether a check may write a canary: into a mount that is written, by a user who may write at its top. That is root's
    /// in a file system of Amazon S3 Files.
    pub fn takes_canary(&self) -> bool {
        let Mount { kind, uid, read_only, .. } = &self.mount;
        !read_only && (*kind != MountKind::S3files || uid.is_none_or(|uid| uid == 0))
    }

    pub fn at(&self) -> &Path {
        Path::new(&self.mount.at)
    }
}

/// An absolute path of a system whose root folder is `root`.
pub fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A mount of a kind, with the version of its program.
    pub(crate) fn record(kind: MountKind, version: &str) -> Record {
        let mount = Mount {
            kind,
            cluster: "99-5".into(),
            at: "/sftp".into(),
            credentials: None,
            cache: "/var/cache/sftpctl/sftp".into(),
            keep_free_mb: 1024,
            uid: None,
            gid: None,
            umask: None,
            read_only: false,
            endpoint: None,
        };
        Record {
            environment: "99".into(),
            host: "main".into(),
            bucket: "pl-pt99-5-uploads".into(),
            region: "us-west-2".into(),
            mount,
            tool: Tool { program: "/usr/bin/tool".into(), version: version.parse().unwrap() },
            file_system: (kind == MountKind::S3files)
                .then(|| FileSystem { id: "fs-0123456789abcdef0".into(), access_point: None }),
        }
    }

    #[test]
    fn a_record_that_no_installation_writes_is_found() {
        let mut good = record(MountKind::S3fs, "1.90");
        good.tool.program = "/usr/bin/s3fs".into();
        good.mount.endpoint = Some("http://127.0.0.1:9000".into());
        assert_eq!(good.fault(), None);
        let changes: [fn(&mut Record); 11] = [
            |record| record.tool.program = "/usr/bin/sh".into(),
            |record| record.tool.program = "s3fs".into(),
            |record| record.tool.program = "/usr/../tmp/s3fs".into(),
            |record| record.mount.kind = MountKind::S3files,
            |record| record.mount.at = "/sftp/../etc".into(),
            |record| record.mount.at = "sftp".into(),
            |record| record.mount.cache = "/sftp".into(),
            |record| record.mount.cache = "/c,allow_root".into(),
            |record| record.mount.credentials = Some("../keys".into()),
            |record| record.bucket = "b,use_cache=/".into(),
            |record| record.mount.endpoint = Some("http://h,use_cache=/".into()),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(bad.fault().is_some(), "{index}");
        }
        let mut of_s3_files = record(MountKind::S3files, "3.2.0");
        of_s3_files.tool.program = "/sbin/mount.s3files".into();
        assert_eq!(of_s3_files.fault(), None);
        for (id, point) in [("fs-0123", None), ("fs-0123456789abcdef0", Some("fsap-0,rw")), ("-o", None)] {
            let access_point = point.map(str::to_owned);
            of_s3_files.file_system = Some(FileSystem { id: id.into(), access_point });
            assert_eq!(of_s3_files.fault().as_deref(), Some("invalid file system"), "{id}");
        }
        of_s3_files.file_system = None;
        assert_eq!(of_s3_files.fault().as_deref(), Some("invalid file system"));
        assert!(good.takes_canary() && of_s3_files.takes_canary());
        of_s3_files.mount.uid = Some(48);
        good.mount.read_only = true;
        assert!(!good.takes_canary() && !of_s3_files.takes_canary());
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_moves_below_a_root() {
        let mut of_s3fs = record(MountKind::S3fs, "1.90");
        of_s3fs.mount.credentials = Some("/etc/keys".into());
        let written = serde_json::to_string(&of_s3fs).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&written).unwrap(), of_s3fs);
        let moved = of_s3fs.clone().below(Path::new("/image"));
        assert_eq!(
            (moved.mount.at.as_str(), moved.mount.credentials.as_deref()),
            ("/image/sftp", Some("/image/etc/keys"))
        );
        assert_eq!(of_s3fs.clone().below(Path::new("/")), of_s3fs);
    }
}
