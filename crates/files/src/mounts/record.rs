//! What an installation notes about a mount, so that checks need neither the environment file nor AWS. Pure.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::mounts::Mount;
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
        }
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
        let name = tool::program(self.mount.kind).map(|(name, _)| name);
        let program = &self.tool.program;
        let is_known = program.file_name().and_then(OsStr::to_str) == name && name.is_some();
        if !is_known || !program.is_absolute() || program.components().any(|part| part == Component::ParentDir) {
            return Some(format!("`{}` is not a program for it", program.display()));
        }
        if !consists_of(&self.bucket, ".-") || !consists_of(&self.region, "-") {
            return Some("invalid bucket or region".to_owned());
        }
        self.mount.fault()
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
    use sftpctl_core::spec::mounts::MountKind;

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
