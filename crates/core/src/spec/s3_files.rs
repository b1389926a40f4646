//! `s3_files`: the upload buckets that have a file system of Amazon S3 Files, for mounts of the kind `s3files`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::endpoint;
use super::model::Environment;
use super::mounts::{self, MountKind};
use crate::yaml::Checker;

/// A file system over a cluster's upload bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// A mount target in each, through which the servers of its availability zone reach the file system.
    pub subnets: Vec<String>,
    /// Those of the mount targets: port 2049, from the servers.
    pub security_groups: Vec<String>,
}

/// A file system as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileSystem")]
pub(super) struct Setting {
    /// Subnets of the servers that mount it, one for each availability zone.
    #[schemars(with = "Vec<String>", length(min = 1))]
    subnets: Spanned<Vec<Spanned<String>>>,
    /// Security groups of its mount targets, 1 to 5. They admit the servers to port 2049 (TCP).
    #[schemars(with = "Vec<String>", length(min = 1, max = 5))]
    security_groups: Spanned<Vec<Spanned<String>>>,
}

/// The file systems by cluster.
pub(super) type Settings = BTreeMap<String, Spanned<Setting>>;

/// Availability zones of a region, at most: each has one mount target.
const SUBNETS: usize = 6;
/// Security groups of a network interface (VPC user guide, "Amazon VPC quotas").
const SECURITY_GROUPS: usize = 5;

/// The file systems with plain values.
pub(super) fn fill(settings: Settings) -> BTreeMap<String, FileSystem> {
    let values = |list: Spanned<Vec<Spanned<String>>>| list.value.into_iter().map(|one| one.value).collect();
    let fill = |setting: Setting| FileSystem {
        subnets: values(setting.subnets),
        security_groups: values(setting.security_groups),
    };
    settings.into_iter().map(|(cluster, setting)| (cluster, fill(setting.value))).collect()
}

/// Resources in the stack of the cluster's region: its role, the file system, its mount targets and access points.
pub(super) fn resources(settings: &Settings, mounts: &mounts::Settings, cluster: &str) -> usize {
    let Some(setting) = settings.get(cluster) else { return 0 };
    let mounts = mounts.values().flat_map(|mounts| &mounts.value);
    let of_cluster =
        mounts.filter(|mount| mount.kind.value == MountKind::S3files.as_str() && mount.cluster.value == cluster);
    let users: BTreeSet<_> = of_cluster.filter_map(|mount| Some((mount.uid?, mount.gid?))).collect();
    2 + setting.value.subnets.value.len() + users.len()
}

/// Finds the faults of all file systems.
pub(super) fn check(checker: &mut Checker<'_>, settings: &Settings, clusters: &BTreeMap<String, Spanned<String>>) {
    for (cluster, setting) in settings {
        if !clusters.contains_key(cluster) {
            let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
            checker.key_fault(cluster, setting, format!("unknown cluster `{cluster}`")).hint =
                Some(format!("one of {}", known.join(", ")));
        }
        let Setting { subnets, security_groups } = &setting.value;
        endpoint::ids(checker, subnets, ("subnet", "subnet"), SUBNETS);
        endpoint::ids(checker, security_groups, ("security group", "sg"), SECURITY_GROUPS);
    }
}

/// The user and group of an access point: everything that is done through it is done as these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PosixUser {
    pub uid: u32,
    pub gid: u32,
}

/// The access points of a cluster's file system: one for each user as whom a host role mounts it.
pub fn access_points(environment: &Environment, cluster: &str) -> BTreeSet<PosixUser> {
    let mounts = environment.mounts.values().flatten();
    let of_cluster = mounts.filter(|mount| mount.kind == MountKind::S3files && mount.cluster == cluster);
    of_cluster.filter_map(|mount| Some(PosixUser { uid: mount.uid?, gid: mount.gid? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;
    use crate::spec::Faults;

    fn load(more: &str) -> Result<Environment, Faults> {
        let source = "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                      regions: { us-west-2: { server: true } }\nclusters: { 9-5: us-west-2, 9-6: us-west-2 }\n";
        spec::load(&format!("{source}{more}\n"), "x.yaml")
    }

    const SYSTEM: &str = "{ subnets: [subnet-0123456789abcdef0], security_groups: [sg-0123456789abcdef0] }";

    #[test]
    fn access_points_are_those_of_the_mounts() {
        let mounts = "mounts:\n  main:\n    - { kind: s3files, cluster: 9-5, at: /a, uid: 48, gid: 48 }\n    \
                      - { kind: s3files, cluster: 9-5, at: /b }\n    - { kind: s3fs, cluster: 9-5, at: /c, uid: 1, gid: 1 }\n  \
                      other:\n    - { kind: s3files, cluster: 9-5, at: /a, uid: 48, gid: 48 }\n    \
                      - { kind: s3files, cluster: 9-5, at: /b, uid: 0, gid: 48 }\n    \
                      - { kind: s3files, cluster: 9-6, at: /c, uid: 7, gid: 7 }";
        let environment = load(&format!("s3_files: {{ 9-5: {SYSTEM}, 9-6: {SYSTEM} }}\n{mounts}")).unwrap();
        let users = [PosixUser { uid: 0, gid: 48 }, PosixUser { uid: 48, gid: 48 }];
        assert_eq!(access_points(&environment, "9-5"), BTreeSet::from(users));
        assert_eq!(access_points(&environment, "9-6").len(), 1);
        assert_eq!(environment.s3_files["9-5"].subnets, ["subnet-0123456789abcdef0"]);
    }

    #[test]
    fn faults_name_the_value() {
        for (setting, message) in [
            ("{ 9-7: { subnets: [subnet-01234567], security_groups: [sg-01234567] } }", "unknown cluster `9-7`"),
            ("{ 9-5: { subnets: [], security_groups: [sg-01234567] } }", "expected 1 to 6 subnets, got 0"),
            ("{ 9-5: { subnets: [subnet-X], security_groups: [sg-01234567] } }", "invalid subnet `subnet-X`"),
            (
                "{ 9-5: { subnets: [subnet-01234567, subnet-01234567], security_groups: [sg-01234567] } }",
                "subnet-01234567 is listed twice",
            ),
            ("{ 9-5: { subnets: [subnet-01234567], security_groups: [default] } }", "invalid security group `default`"),
        ] {
            let faults = load(&format!("s3_files: {setting}")).unwrap_err();
            assert!(faults.list().iter().any(|fault| fault.message.contains(message)), "{setting}: {faults:?}");
        }
    }

    #[test]
    fn a_mount_needs_the_file_system_and_a_whole_user() {
        for (mount, message) in [
            ("{ kind: s3files, cluster: 9-6, at: /a }", "cluster 9-6 has no file system"),
            ("{ kind: s3files, cluster: 9-5, at: /a, uid: 48 }", "`uid` and `gid`"),
            ("{ kind: s3files, cluster: 9-5, at: /a, umask: \"0027\" }", "`umask`"),
            ("{ kind: s3files, cluster: 9-5, at: /a, endpoint: \"https://s3.local\" }", "`endpoint`"),
            ("{ kind: s3files, cluster: 9-5, at: /a, cache: /c }", "`cache`"),
        ] {
            let faults = load(&format!("s3_files: {{ 9-5: {SYSTEM} }}\nmounts: {{ main: [ {mount} ] }}")).unwrap_err();
            assert!(faults.list().iter().any(|fault| fault.message.contains(message)), "{mount}: {faults:?}");
        }
    }
}
