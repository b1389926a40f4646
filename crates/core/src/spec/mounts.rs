//! `mounts`: which upload buckets are mounted on which servers, and how. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::s3_files;
use crate::yaml::Checker;

/// The program that mounts a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    S3fs,
    /// Mountpoint for Amazon S3.
    Mountpoint,
    Rclone,
    /// Amazon S3 Files: NFS.
    S3files,
}

impl MountKind {
    pub const ALL: [Self; 4] = [Self::S3fs, Self::Mountpoint, Self::Rclone, Self::S3files];

    /// The word for it in the environment file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3fs => "s3fs",
            Self::Mountpoint => "mountpoint",
            Self::Rclone => "rclone",
            Self::S3files => "s3files",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A mount of an upload bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    pub kind: MountKind,
    /// The cluster whose upload bucket is mounted.
    pub cluster: String,
    /// The mount point: an absolute path of plain components.
    pub at: String,
    /// The file with the keys; `None` uses the role of the machine.
    pub credentials: Option<String>,
    /// The folder for temporary data, of this mount alone.
    pub cache: String,
    /// Megabytes that stay free on the disk of `cache`.
    pub keep_free_mb: u32,
    /// Owner of the files, for all of them.
    pub uid: Option<u32>,
    /// Group of the files, for all of them.
    pub gid: Option<u32>,
    /// Rights that files and folders do not have.
    pub umask: Option<u32>,
    pub read_only: bool,
    /// Where S3 is, instead of the region's own endpoint.
    pub endpoint: Option<String>,
}

impl Mount {
    /// The mount point as one word, for the names of units and files.
    pub fn name(&self) -> String {
        name(&self.at)
    }

    /// What is wrong with its paths, as [`check`] finds it in the environment file: for a mount from elsewhere.
    pub fn fault(&self) -> Option<String> {
        let paths = [Some(&self.at), Some(&self.cache), self.credentials.as_ref()];
        if let Some(path) = paths.into_iter().flatten().find(|path| !is_path(path)) {
            return Some(format!("invalid path `{path}`"));
        }
        if let Some(endpoint) = self.endpoint.as_ref().filter(|endpoint| !matches(ENDPOINT, endpoint)) {
            return Some(format!("invalid endpoint `{endpoint}`"));
        }
        self.places().faults().into_iter().next().map(|(_, fault)| fault)
    }

    /// Why this mount and another one cannot both be on one server.
    pub fn conflict(&self, other: &Self) -> Option<String> {
        self.places().conflicts(&other.places()).into_iter().next().map(|(_, conflict)| conflict)
    }

    fn places(&self) -> Places<'_> {
        Places { at: &self.at, cache: self.cache.as_str().into(), keys: self.credentials.as_deref() }
    }
}

fn name(at: &str) -> String {
    at.trim_matches('/').replace('/', "-")
}

fn default_cache(at: &str) -> String {
    format!("/var/cache/sftpctl/{}", name(at))
}

/// The paths of a mount on its server. What is in `cache` is deleted, so nothing else may be there.
struct Places<'a> {
    at: &'a str,
    cache: Cow<'a, str>,
    keys: Option<&'a str>,
}

/// The setting that a fault is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    At,
    Cache,
    Keys,
}

/// The ends of the names of a mount's further units.
const UNITS: [&str; 2] = ["check", "canary"];
/// Where installations write.
const FOLDERS: [&str; 3] = ["/etc/sftpctl", "/etc/systemd", "/run"];

impl Places<'_> {
    /// What is wrong with them on their own.
    fn faults(&self) -> Vec<(Part, String)> {
        let Self { at, cache, keys } = self;
        let mut found = Vec::new();
        if is_inside(cache, at) {
            found.push((Part::Cache, format!("the folder {cache} is in the mount itself")));
        } else if is_inside(at, cache) {
            found
                .push((Part::Cache, format!("the mount point {at} is in the folder {cache}, whose files are deleted")));
        }
        if let Some(folder) = FOLDERS.into_iter().find(|folder| overlap(cache, folder)) {
            found.push((Part::Cache, format!("the folder {cache} overlaps with {folder}")));
        } else if let Some(keys) = keys.filter(|keys| is_inside(keys, cache)) {
            found.push((Part::Keys, format!("the file {keys} is in the folder {cache}, whose files are deleted")));
        }
        found
    }

    /// Why these and the `other` ones cannot be on one server.
    fn conflicts(&self, other: &Self) -> Vec<(Part, String)> {
        let (at, taken) = (self.at, other.at);
        let mut found = Vec::new();
        let (own, others) = (name(at), name(taken));
        let has_unit_of = |long: &str, short: &str| {
            let end = long.strip_prefix(short).and_then(|end| end.strip_prefix('-'));
            end.is_some_and(|end| UNITS.contains(&end))
        };
        if overlap(at, taken) {
            found.push((Part::At, format!("{at} and {taken} overlap")));
        } else if own == others || has_unit_of(&own, &others) || has_unit_of(&others, &own) {
            found.push((Part::At, format!("{at} and {taken} would have units of one name")));
        }
        if self.cache == other.cache {
            // Otherwise, both are the default, and their names are the fault.
            if own != others {
                found.push((Part::Cache, format!("two mounts have the folder {}", self.cache)));
            }
        } else if overlap(&self.cache, &other.cache) {
            found.push((Part::Cache, format!("the folders {} and {} of two mounts overlap", self.cache, other.cache)));
        }
        for (part, cache, at) in [(Part::Cache, &self.cache, taken), (Part::At, &other.cache, at)] {
            if overlap(cache, at) {
                found.push((part, format!("the folder {cache}, whose files are deleted, and the mount {at} overlap")));
            }
        }
        for (part, keys, cache) in [(Part::Keys, self.keys, &other.cache), (Part::Cache, other.keys, &self.cache)] {
            if let Some(keys) = keys.filter(|keys| is_inside(keys, cache)) {
                found.push((part, format!("the file {keys} is in the folder {cache}, whose files are deleted")));
            }
        }
        found
    }
}

/// A mount as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mount")]
pub(super) struct Setting {
    /// `s3fs`, `mountpoint` (Mountpoint for Amazon S3), `rclone` or `s3files` (Amazon S3 Files). `sftpctl mounts plan` and
    /// docs/mounts.md say what works on which.
    #[schemars(with = "String", regex(pattern = "^(s3fs|mountpoint|rclone|s3files)$"))]
    pub(super) kind: Spanned<String>,
    /// The cluster whose upload bucket is mounted.
    #[schemars(with = "String")]
    pub(super) cluster: Spanned<String>,
    /// The mount point, as `/sftp`.
    #[schemars(with = "String")]
    at: Spanned<String>,
    /// `role`, or `file:PATH` with the keys, which only root may read. Default `role`: that of the machine.
    #[schemars(with = "Option<String>")]
    credentials: Option<Spanned<String>>,
    /// Folder for temporary data, of this mount alone. Default `/var/cache/sftpctl/NAME`.
    #[schemars(with = "Option<String>")]
    cache: Option<Spanned<String>>,
    /// Megabytes that stay free on the disk of `cache`, 10 to 1000000. Default 1024.
    #[schemars(with = "Option<u32>", range(min = 10, max = 1_000_000))]
    keep_free_mb: Option<Spanned<u32>>,
    /// Owner of all files, as a number. Default: as each object says, and root for those that customers uploaded.
    pub(super) uid: Option<u32>,
    /// Group of all files, as a number.
    pub(super) gid: Option<u32>,
    /// Rights that files and folders do not have, in octal and quotes, as `"0027"`.
    #[schemars(with = "Option<String>", regex(pattern = "^0?[0-7]{3}$"))]
    umask: Option<Spanned<String>>,
    /// Whether nothing can be written. Default false.
    #[serde(default)]
    read_only: bool,
    /// URL of S3, for a VPC endpoint or another S3. Default: that of the cluster's region.
    #[schemars(with = "Option<String>")]
    endpoint: Option<Spanned<String>>,
}

/// The mounts of each host role.
pub(super) type Settings = BTreeMap<String, Spanned<Vec<Setting>>>;

impl Setting {
    /// Its paths with their defaults, unless one is invalid.
    fn places(&self) -> Option<Places<'_>> {
        let at = self.at.value.as_str();
        let cache = match &self.cache {
            Some(cache) => Cow::from(&cache.value),
            None => default_cache(at).into(),
        };
        let keys = self.credentials.as_ref().and_then(|place| place.value.strip_prefix("file:"));
        (is_path(at) && is_path(&cache) && keys.is_none_or(is_path)).then_some(Places { at, cache, keys })
    }

    fn setting(&self, part: Part) -> &Spanned<String> {
        let setting = match part {
            Part::At => None,
            Part::Cache => self.cache.as_ref(),
            Part::Keys => self.credentials.as_ref(),
        };
        setting.unwrap_or(&self.at)
    }

    fn fill(self) -> Option<Mount> {
        let value = |setting: Option<Spanned<String>>| setting.map(|setting| setting.value);
        let cache = value(self.cache).unwrap_or_else(|| default_cache(&self.at.value));
        Some(Mount {
            kind: MountKind::parse(&self.kind.value)?,
            cluster: self.cluster.value,
            at: self.at.value,
            credentials: value(self.credentials).and_then(|place| place.strip_prefix("file:").map(str::to_owned)),
            cache,
            keep_free_mb: self.keep_free_mb.map_or(1024, |mb| mb.value),
            uid: self.uid,
            gid: self.gid,
            umask: value(self.umask).and_then(|umask| u32::from_str_radix(&umask, 8).ok()),
            read_only: self.read_only,
            endpoint: value(self.endpoint),
        })
    }
}

/// The mounts with their defaults.
pub(super) fn fill(settings: Settings) -> BTreeMap<String, Vec<Mount>> {
    let filled = |mounts: Spanned<Vec<Setting>>| mounts.value.into_iter().filter_map(Setting::fill).collect();
    settings.into_iter().map(|(host, mounts)| (host, filled(mounts))).collect()
}

/// Paths become words of units, of option lists and of names of units, which each quote in another way; so they have only
/// characters that none of them quotes.
const PATH: &str = "^(/[A-Za-z0-9_.-]+)+$";
const PATH_HINT: &str = "an absolute path of letters, digits and `_.-`, as /sftp";

const ENDPOINT: &str = r"^https?://[A-Za-z0-9._:\[\]-]+$";

fn matches(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn is_path(path: &str) -> bool {
    let is_dots = |part: &str| matches!(part, "." | "..");
    matches(PATH, path) && !path.split('/').any(is_dots)
}

fn path(checker: &mut Checker<'_>, value: &Spanned<String>, path: &str, what: &str) {
    if !is_path(path) {
        checker.fault(value, format!("invalid {what} `{path}`")).hint = Some(PATH_HINT.into());
    }
}

/// Finds the faults of all mounts.
pub(super) fn check(
    checker: &mut Checker<'_>,
    settings: &Settings,
    clusters: &BTreeMap<String, Spanned<String>>,
    file_systems: &s3_files::Settings,
) {
    for (host, mounts) in settings {
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
            checker.key_fault(host, mounts, format!("invalid role of a host `{host}`")).hint =
                Some("letters, digits and `_.-`, as `main` or `agent`".into());
        }
        for (index, mount) in mounts.value.iter().enumerate() {
            one(checker, mount, clusters);
            if mount.kind.value == MountKind::S3files.as_str() {
                of_s3_files(checker, mount, file_systems);
            }
            siblings(checker, mount, &mounts.value[..index], host);
        }
    }
}

fn one(checker: &mut Checker<'_>, mount: &Setting, clusters: &BTreeMap<String, Spanned<String>>) {
    checker.one_of(&mount.kind, "kind of mount", &MountKind::ALL.map(MountKind::as_str));
    if !clusters.contains_key(&mount.cluster.value) {
        let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
        checker.one_of(&mount.cluster, "cluster", &known);
    }
    path(checker, &mount.at, &mount.at.value, "mount point");
    if let Some(cache) = &mount.cache {
        path(checker, cache, &cache.value, "folder");
    }
    for (part, fault) in mount.places().map(|places| places.faults()).unwrap_or_default() {
        checker.fault(mount.setting(part), fault);
    }
    if let Some(credentials) = &mount.credentials {
        match credentials.value.strip_prefix("file:") {
            Some(file) => path(checker, credentials, file, "file"),
            None if credentials.value == "role" => {}
            None => {
                // Somebody may have written the keys themselves here.
                let fault = checker.fault(credentials, "invalid place of credentials");
                fault.is_secret = true;
                fault.hint = Some("`role`, or `file:/etc/sftpctl/keys`; never the keys themselves".into());
            }
        }
    }
    if let Some(mb) = mount.keep_free_mb.as_ref().filter(|mb| !(10..=1_000_000).contains(&mb.value)) {
        checker.fault(mb, format!("cannot keep {} MB free: expected 10 to 1000000", mb.value));
    }
    if let Some(umask) = &mount.umask {
        checker.matches(
            umask,
            "^0?[0-7]{3}$",
            format!("invalid umask `{}`", umask.value),
            "three octal digits: \"0027\"",
        );
    }
    if let Some(endpoint) = &mount.endpoint {
        let message = format!("invalid endpoint `{}`", endpoint.value);
        checker.matches(endpoint, ENDPOINT, message, "a URL without a path: https://HOST");
    }
}

/// What a mount of Amazon S3 Files needs, and what it does not have.
fn of_s3_files(checker: &mut Checker<'_>, mount: &Setting, file_systems: &s3_files::Settings) {
    let cluster = &mount.cluster.value;
    if !file_systems.contains_key(cluster) {
        checker.fault(&mount.cluster, format!("cluster {cluster} has no file system of Amazon S3 Files")).hint =
            Some(format!("add it: `s3_files: {{ {cluster}: {{ subnets: [...], security_groups: [...] }} }}`"));
    }
    if let Some(credentials) = mount.credentials.as_ref().filter(|credentials| credentials.value != "role") {
        checker.fault(credentials, "Amazon S3 Files takes the role of the machine only");
    }
    if mount.uid.is_some() != mount.gid.is_some() {
        checker.fault(&mount.kind, "a mount of Amazon S3 Files has both `uid` and `gid`, or none of them").hint =
            Some("with both, everything is done as that user and group".into());
    }
    let ours = [("cache", &mount.cache), ("umask", &mount.umask), ("endpoint", &mount.endpoint)];
    for (name, value) in ours.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        checker.fault(value, format!("Amazon S3 Files has no `{name}`")).hint = Some("leave it out".into());
    }
    if let Some(mb) = &mount.keep_free_mb {
        checker.fault(mb, "Amazon S3 Files has no `keep_free_mb`").hint = Some("leave it out".into());
    }
}

/// Two mounts of a host have different places, units and caches.
fn siblings(checker: &mut Checker<'_>, mount: &Setting, earlier: &[Setting], host: &str) {
    let Some(places) = mount.places() else { return };
    for (part, conflict) in earlier.iter().filter_map(Setting::places).flat_map(|other| places.conflicts(&other)) {
        checker.fault(mount.setting(part), format!("{conflict} (on `{host}`)")).hint =
            (part == Part::Cache).then(|| "each mount has a folder of its own, and nothing else is in it".into());
    }
}

fn overlap(one: &str, other: &str) -> bool {
    is_inside(one, other) || is_inside(other, one)
}

fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn load(mounts: &str) -> Result<spec::model::Environment, spec::Faults> {
        let file = format!(
            "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions:\n  us-west-2: {{ server: true }}\nclusters: {{ 9-5: us-west-2 }}\nmounts:\n  main:\n{mounts}\
             s3_files: {{ 9-5: {{ subnets: [subnet-01234567], security_groups: [sg-01234567] }} }}\n"
        );
        spec::load(&file, "9.yaml")
    }

    #[test]
    fn defaults_are_filled_in() {
        let plain = load("    - { kind: s3fs, cluster: 9-5, at: /srv/sftp }\n").unwrap();
        let mount = &plain.mounts["main"][0];
        assert_eq!((mount.kind, mount.name().as_str()), (MountKind::S3fs, "srv-sftp"));
        assert_eq!((mount.cache.as_str(), mount.keep_free_mb), ("/var/cache/sftpctl/srv-sftp", 1024));
        assert_eq!((&mount.credentials, mount.umask, mount.read_only), (&None, None, false));
        let full = load(
            "    - { kind: rclone, cluster: 9-5, at: /sftp, credentials: \"file:/etc/keys\", umask: \"027\", uid: 48 }\n",
        );
        let mount = &full.unwrap().mounts["main"][0];
        assert_eq!((mount.credentials.as_deref(), mount.umask, mount.uid), (Some("/etc/keys"), Some(0o27), Some(48)));
    }

    #[test]
    fn every_fault_of_a_mount_is_found_in_its_place() {
        let first = "    - { kind: s3fs, cluster: 9-5, at: /sftp, cache: /c }\n";
        for (setting, line, expected) in [
            ("kind: s3sf, cluster: 9-5, at: /a", 11, "invalid kind of mount `s3sf` (did you mean `s3fs`?)"),
            ("kind: s3fs, cluster: 9-6, at: /a", 11, "invalid cluster `9-6` (did you mean `9-5`?)"),
            ("kind: s3fs, cluster: 9-5, at: a", 11, "invalid mount point `a`"),
            ("kind: s3fs, cluster: 9-5, at: /a/../b", 11, "invalid mount point `/a/../b`"),
            ("kind: s3fs, cluster: 9-5, at: \"/a b\"", 11, "invalid mount point `/a b`"),
            ("kind: s3fs, cluster: 9-5, at: /a, cache: /a/c", 11, "is in the mount itself"),
            ("kind: s3fs, cluster: 9-5, at: /a, cache: /c", 11, "two mounts have the folder /c (on `main`)"),
            ("kind: s3fs, cluster: 9-5, at: /sftp/b", 11, "/sftp/b and /sftp overlap (on `main`)"),
            ("kind: s3fs, cluster: 9-5, at: /a, credentials: AKIA1", 11, "invalid place of credentials"),
            ("kind: s3files, cluster: 9-5, at: /a, credentials: \"file:/k\"", 11, "the role of the machine only"),
            ("kind: s3fs, cluster: 9-5, at: /a, keep_free_mb: 1", 11, "cannot keep 1 MB free"),
            ("kind: s3fs, cluster: 9-5, at: /a, umask: \"999\"", 11, "invalid umask `999`"),
            ("kind: s3fs, cluster: 9-5, at: /a, endpoint: \"s3://x\"", 11, "invalid endpoint `s3://x`"),
            ("kind: s3fs, cluster: 9-5, at: /a, mode: 1", 11, "unknown setting `mode`"),
        ] {
            let faults = load(&format!("{first}    - {{ {setting} }}\n")).err().unwrap_or_else(|| panic!("{setting}"));
            let [fault] = faults.list() else { panic!("{setting}: {faults:?}") };
            let shown = format!("{} ({})", fault.message, fault.hint.as_deref().unwrap_or_default());
            assert!(fault.line == line && shown.contains(expected), "{setting}: {}: {shown}", fault.line);
            assert!(!faults.render(false).contains("AKIA"), "a key is shown");
        }
        // Nothing of value is in a folder whose files are deleted: with the defaults, in both directions, of any mount.
        let default = "/var/cache/sftpctl";
        for (other, setting) in [
            ("at: /m", "at: /a, cache: /m/c".to_owned()),
            ("at: /m/n", "at: /a, cache: /m".to_owned()),
            ("at: /m", "at: /a, cache: /m".to_owned()),
            ("at: /m, cache: /c", "at: /c/a".to_owned()),
            ("at: /m, cache: /c/a", "at: /c".to_owned()),
            ("at: /m", format!("at: {default}/m/a")),
            ("at: /m", format!("at: {default}, cache: /c")),
            ("at: /m, cache: /c", "at: /a, cache: /c/d".to_owned()),
            ("at: /m, cache: /c/d", "at: /a, cache: /c".to_owned()),
            ("at: /m", format!("at: /a, cache: {default}/m")),
            ("at: /m", format!("at: /a, cache: {default}")),
            ("at: /m, cache: /c", "at: /a, credentials: \"file:/c/keys\"".to_owned()),
            ("at: /m, credentials: \"file:/c/keys\"", "at: /a, cache: /c".to_owned()),
            ("at: /m", "at: /c/a, cache: /c".to_owned()),
            ("at: /m", "at: /a, cache: /c, credentials: \"file:/c/keys\"".to_owned()),
            ("at: /m", "at: /var".to_owned()),
            ("at: /m", "at: /a, cache: /etc".to_owned()),
            ("at: /m", "at: /a, cache: /run/sftpctl/mounts".to_owned()),
            // Their units would be of one name.
            ("at: /m", "at: /m-check".to_owned()),
            ("at: /m/n-canary", "at: /m-n".to_owned()),
        ] {
            let [other, setting] =
                [other, &setting].map(|places| format!("    - {{ kind: s3fs, cluster: 9-5, {places} }}\n"));
            let faults = load(&format!("{other}{setting}")).err().unwrap_or_else(|| panic!("{other}{setting}"));
            assert!(faults.list().iter().all(|fault| fault.line == 11), "{setting}: {faults:?}");
        }
        let apart = "    - { kind: s3fs, cluster: 9-5, at: /m, cache: /c/m, credentials: \"file:/c/keys\" }\n    \
                     - { kind: s3fs, cluster: 9-5, at: /m2, cache: /c/m2 }\n    \
                     - { kind: s3fs, cluster: 9-5, at: /m-checks }\n";
        let apart = load(apart).unwrap();
        let mut strange = apart.mounts["main"][0].clone();
        assert_eq!((strange.fault(), strange.conflict(&apart.mounts["main"][1])), (None, None));
        strange.cache = "/c/../etc".into();
        assert!(strange.fault().is_some());
        let same = load("    - { kind: s3fs, cluster: 9-5, at: /a-b }\n    - { kind: s3fs, cluster: 9-5, at: /a/b }\n");
        assert!(same.err().is_some_and(|faults| faults.list()[0].message.contains("units of one name")));
    }
}
