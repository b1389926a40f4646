//! The lines of a home's manifest, which is its journal as well: what was stored, what was begun, and which steps were
//! done. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sftpctl_aws::{HeadFacts, UploadedPart};
use sftpctl_core::spec::sftp_address::SftpAddress;

use super::entry::{Facts, Stamp};
use super::name::Raw;
use super::objects::{Objects, Packed};
use super::sshd::Denial;

/// The version of the format.
pub const VERSION: u32 = 1;

/// A line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Line {
    /// The first line.
    Home { version: u32, environment: String, org_id: i64, path: String, bucket: String, prefix: String },
    /// An entry is going to be stored. If no [`Line::Object`] follows, S3 may have it, and the run was killed.
    Sending(Sending),
    /// An entry is stored.
    Object(Object),
    /// An entry stays behind, as an option says.
    Skipped { path: Raw },
    /// A path is not in the home any more, and its object was deleted or left as the option says.
    Gone { path: Raw, deleted: bool },
    /// An upload in parts has begun.
    Upload { path: Raw, key: String, upload: String, stamp: Stamp },
    /// A part of it is stored.
    Part { upload: String, number: i32, etag: String, crc64nvme: String },
    /// An upload is over, completed or aborted.
    UploadEnded { upload: String },
    /// A pass over the whole home has ended.
    Pass(Pass),
    /// Every object was compared with what S3 has.
    Verified(Verified),
    /// A comparison has found objects in S3 that differ, or entries of the home that have changed since they were copied.
    Differs { objects: u64, entries: u64 },
    /// A step of a cut-over or of a roll-back was done.
    Step {
        step: Step,
        at: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
}

impl Line {
    /// Whether the manifest of this first line is that of a home: one that was read over SFTP goes on by path on the machine
    /// of the home.
    pub fn is_home(&self, home: &Self) -> bool {
        let Self::Home { path: before, .. } = self else { return false };
        let Self::Home { version, environment, org_id, path, bucket, prefix } = home.clone() else { return false };
        let path = if SftpAddress::path_of(before).as_ref() == Some(&path) { before.clone() } else { path };
        *self == Self::Home { version, environment, org_id, path, bucket, prefix }
    }
}

/// What is sent to S3, by which a later run recognizes it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sending {
    pub path: Raw,
    pub key: String,
    /// The state of the entry.
    pub stamp: Stamp,
    pub bytes: u64,
    /// CRC-64/NVME in base64; `None` at the begin of an upload in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
    /// Seconds since 1970.
    pub at: i64,
}

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    pub path: Raw,
    pub key: String,
    /// The state of the entry that was stored.
    pub stamp: Stamp,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes of the object.
    pub bytes: u64,
    /// CRC-64/NVME of the object in base64.
    pub crc64nvme: String,
    pub etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether S3 has no checksum of the whole, and this one is of the content that was read with this ETag.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_read: bool,
}

impl Object {
    /// Whether the object stands for this state of the entry. A link is another name of a file, which changes the time
    /// of change of that as well: it is then read again, and not sent again.
    pub fn is_of(&self, facts: &Facts, key: &str) -> bool {
        self.stamp == facts.stamp() && self.has_rights_of(facts) && self.key == key
    }

    /// Whether it is the version that S3 has, as far as versions are known.
    pub fn is_of_version(&self, found: &HeadFacts) -> bool {
        // Without versioning, another object may have that version.
        let version = self.version.as_ref().filter(|version| *version != "null");
        self.etag == found.etag && version.is_some() && version == found.version.as_ref()
    }

    pub fn has_rights_of(&self, facts: &Facts) -> bool {
        (self.mode, self.uid, self.gid) == (facts.mode, facts.uid, facts.gid)
    }
}

/// The sums of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Seconds since 1970.
    pub began: i64,
    pub ended: i64,
    /// Entries of the home.
    pub entries: u64,
    /// Of these: stored by this pass, and before it.
    pub stored: u64,
    pub unchanged: u64,
    /// Stay behind as an option says, and without a decision.
    pub skipped: u64,
    pub left: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Objects whose entries are not in the home any more, and are kept without a decision.
    pub gone: u64,
}

impl Pass {
    /// Whether every entry is accounted for.
    pub fn is_complete(&self) -> bool {
        self.left == 0 && self.gone == 0 && self.stored + self.unchanged + self.skipped == self.entries
    }
}

/// A comparison of every object with S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    pub at: String,
    pub objects: u64,
    pub bytes: u64,
    /// Whether the content was read back.
    pub deep: bool,
    /// Whether the listing of S3 was enough for most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
    /// SHA-256 over key, size and checksum of every object, by key.
    pub digest: String,
}

/// What the step [`Step::Frozen`] says of a home whose rights were taken, with the rights in octal.
pub const RIGHTS: &str = "rights ";

/// The steps of a cut-over and of a roll-back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Frozen,
    /// sshd denies the users of the home new sessions; noted before it is told to. The detail is a
    /// [`Denial`](super::sshd::Denial).
    Denied,
    Copied,
    Verified,
    Exchanged,
    /// What was written into the old folder at the last moment is stored as well.
    Late,
    Enabled,
    /// A roll-back is going to disable the account, which was enabled.
    Disabled,
    /// The freeze of a cut-over that did not come to the exchange was undone.
    Thawed,
    RolledBack,
    BroughtBack,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Denied => "denied",
            Self::Copied => "copied",
            Self::Verified => "verified",
            Self::Exchanged => "exchanged",
            Self::Late => "late",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Thawed => "thawed",
            Self::RolledBack => "rolled-back",
            Self::BroughtBack => "brought-back",
        }
    }

    /// What it means for the home.
    pub fn words(self) -> &'static str {
        match self {
            Self::Frozen => "the freeze began: nobody should write to the home",
            Self::Denied => "sshd denies the users of the home new sessions",
            Self::Copied => "the last copy is complete",
            Self::Verified => "the last copy is verified",
            Self::Exchanged => "a link is in the place of the home, and what was written last is not brought over yet",
            Self::Late => "cut over, also what was written last; the account is not enabled by it",
            Self::Enabled => "cut over, and the account is enabled",
            Self::Disabled => "a roll-back began: the account is disabled",
            Self::Thawed => "it was not cut over, and is thawed",
            Self::RolledBack => "rolled back: customers go on at the old server",
            Self::BroughtBack => "what was stored in S3 is in the folder, which is not in its place yet",
        }
    }
}

/// An upload in parts that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub upload: String,
    pub key: String,
    pub stamp: Stamp,
    pub parts: BTreeMap<i32, UploadedPart>,
}

/// What the lines of a manifest come to.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// By path.
    pub objects: Objects,
    /// What was sent since the last line of its path: one for each attempt.
    pub sending: HashMap<Raw, Vec<Sending>>,
    /// What stays behind as an option says.
    pub skipped: HashSet<Raw>,
    /// By path.
    pub begun: HashMap<Raw, Begun>,
    /// The last ones.
    pub pass: Option<Pass>,
    pub verified: Option<Verified>,
    /// Since the last cut-over began, with their times.
    pub steps: Vec<(Step, String, String)>,
    /// What sshd was told to deny, unless that was rolled back: also by a cut-over that was killed before the last began.
    denied: Option<String>,
    /// Whether a roll-back has disabled the account, and no cut-over has enabled it since.
    pub is_disabled: bool,
    /// Whether an object was sent, dropped or left out after the last comparison, or a pass left something.
    pub is_newer_than_verified: bool,
    /// Of the uploads that have not ended, the path.
    paths: HashMap<String, Raw>,
}

impl Manifest {
    /// Takes in a line.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Home { .. } => {}
            Line::Sending(sending) => {
                self.is_newer_than_verified = true;
                self.sending.entry(sending.path.clone()).or_default().push(sending);
            }
            Line::Object(object) => {
                self.is_newer_than_verified = true;
                self.sending.remove(&object.path);
                self.skipped.remove(&object.path);
                self.objects.insert(&object);
            }
            Line::Skipped { path } => {
                self.is_newer_than_verified = true;
                self.skipped.insert(path);
            }
            Line::Gone { path, .. } => {
                self.is_newer_than_verified = true;
                self.sending.remove(&path);
                self.skipped.remove(&path);
                self.objects.remove(&path);
            }
            Line::Upload { path, key, upload, stamp } => {
                self.paths.insert(upload.clone(), path.clone());
                self.begun.insert(path, Begun { upload, key, stamp, parts: BTreeMap::new() });
            }
            Line::Part { upload, number, etag, crc64nvme } => {
                let begun = self.paths.get(&upload).and_then(|path| self.begun.get_mut(path));
                if let Some(begun) = begun.filter(|begun| begun.upload == upload) {
                    begun.parts.insert(number, UploadedPart { number, etag, crc64nvme });
                }
            }
            Line::UploadEnded { upload } => {
                if let Some(path) = self.paths.remove(&upload) {
                    self.begun.remove(&path);
                }
            }
            Line::Pass(pass) => {
                self.is_newer_than_verified |= !pass.is_complete();
                self.pass = Some(pass);
            }
            Line::Verified(verified) => {
                self.is_newer_than_verified = false;
                self.verified = Some(verified);
            }
            Line::Differs { .. } => self.is_newer_than_verified = true,
            Line::Step { step, at, detail } => {
                match step {
                    Step::Frozen => self.steps.clear(),
                    Step::Denied => self.denied = Some(detail.clone()),
                    Step::Disabled => self.is_disabled = true,
                    Step::Enabled => self.is_disabled = false,
                    Step::RolledBack | Step::Thawed => self.denied = None,
                    _ => {}
                }
                self.steps.push((step, at, detail));
            }
        }
    }

    /// Whether a step has been done since the last cut-over began, and was not undone.
    pub fn has(&self, step: Step) -> bool {
        let since = self.steps.iter().rposition(|(step, ..)| *step == Step::RolledBack).map_or(0, |at| at + 1);
        match step {
            Step::RolledBack | Step::BroughtBack => self.steps.iter().any(|(done, ..)| *done == step),
            _ => self.steps.iter().skip(since).any(|(done, ..)| *done == step),
        }
    }

    /// Whether a cut-over has frozen the home, or began to, and ended before the exchange without thawing it.
    pub fn is_frozen(&self) -> bool {
        self.has(Step::Frozen) && !self.has(Step::Exchanged) && !self.has(Step::Thawed)
    }

    /// The rights that a home had before it was frozen by its mode, if it was and is still.
    pub fn rights_before_freeze(&self) -> Option<u32> {
        if self.has(Step::RolledBack) || self.has(Step::Thawed) {
            return None;
        }
        let frozen = self.steps.iter().rev().find(|(step, ..)| *step == Step::Frozen)?;
        u32::from_str_radix(frozen.2.strip_prefix(RIGHTS)?, 8).ok()
    }

    /// What sshd was told to deny for a cut-over, unless that was rolled back. Its file is one that a cut-over writes.
    pub fn denial(&self) -> Option<Denial> {
        serde_json::from_str(self.denied.as_deref()?).ok().filter(Denial::has_its_own_file)
    }

    /// Bytes of all objects.
    pub fn bytes(&self) -> u64 {
        self.objects.all().filter_map(Packed::object).map(|object| object.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sshd::Sshd;
    use super::*;

    fn object(path: &str) -> Object {
        Object {
            path: Raw(path.into()),
            key: format!("7/{path}"),
            stamp: Stamp::default(),
            mode: 0,
            uid: 0,
            gid: 0,
            bytes: 3,
            crc64nvme: "x".to_owned(),
            etag: "e".to_owned(),
            version: None,
            is_read: false,
        }
    }

    #[test]
    fn a_manifest_goes_on_by_path_on_the_machine_of_the_home() {
        let line = |path: &str, org_id| Line::Home {
            version: VERSION,
            environment: "99".to_owned(),
            org_id,
            path: path.to_owned(),
            bucket: "b".to_owned(),
            prefix: "7/".to_owned(),
        };
        let (far, near) = (line("sftp://root@old:22/home/7", 7), line("/home/7", 7));
        assert!(far.is_home(&near) && far.is_home(&far) && near.is_home(&near));
        // Times of change are not forgotten for the sake of those that SFTP does not know.
        assert!(!near.is_home(&far) && !far.is_home(&line("/home/8", 7)) && !far.is_home(&line("/home/7", 8)));
    }

    #[test]
    fn lines_add_up_to_a_manifest() {
        let upload = |path: &str, upload: &str| Line::Upload {
            path: Raw(path.into()),
            key: String::new(),
            upload: upload.to_owned(),
            stamp: Stamp::default(),
        };
        let part = |upload: &str| Line::Part {
            upload: upload.to_owned(),
            number: 1,
            etag: String::new(),
            crc64nvme: String::new(),
        };
        let step = |step| Line::Step { step, at: String::new(), detail: String::new() };
        let mut manifest = Manifest::default();
        for line in [
            Line::Object(object("a")),
            Line::Object(object("b")),
            Line::Verified(Verified::default()),
            upload("c", "1"),
            part("1"),
            upload("c", "2"),
            part("1"),
            upload("d", "3"),
            Line::UploadEnded { upload: "3".to_owned() },
            step(Step::Frozen),
            step(Step::Exchanged),
        ] {
            let text = serde_json::to_string(&line).unwrap();
            manifest.add(serde_json::from_str(&text).unwrap());
        }
        assert_eq!((manifest.objects.len(), manifest.bytes(), manifest.begun.len()), (2, 6, 1));
        assert_eq!(manifest.begun[&Raw(b"c".to_vec())].parts.len(), 0, "the part of an upload that was begun anew");
        assert!(!manifest.is_newer_than_verified && manifest.has(Step::Exchanged));
        manifest.add(Line::Gone { path: Raw(b"a".to_vec()), deleted: true });
        assert!(manifest.is_newer_than_verified && manifest.objects.len() == 1);
        // Sent twice, and then stored.
        let sending = |path: &str| {
            let (path, key, stamp) = (Raw(path.into()), String::new(), Stamp::default());
            Line::Sending(Sending { path, key, stamp, bytes: 3, crc64nvme: None, at: 0 })
        };
        manifest.add(sending("e"));
        manifest.add(sending("e"));
        assert_eq!(manifest.sending[&Raw(b"e".to_vec())].len(), 2);
        manifest.add(Line::Object(object("e")));
        assert!(manifest.sending.is_empty());
        // Each of these ends a sign-off.
        let left = Line::Pass(Pass { entries: 2, stored: 1, left: 1, ..Pass::default() });
        let complete = Line::Pass(Pass { entries: 2, stored: 2, ..Pass::default() });
        let skipped = Line::Skipped { path: Raw(b"f".to_vec()) };
        let differs = Line::Differs { objects: 0, entries: 1 };
        for (line, ends) in [(left, true), (complete, false), (skipped, true), (sending("g"), true), (differs, true)] {
            manifest.add(Line::Verified(Verified::default()));
            manifest.add(line.clone());
            assert_eq!(manifest.is_newer_than_verified, ends, "{line:?}");
        }
        manifest.add(step(Step::RolledBack));
        assert!(!manifest.has(Step::Exchanged) && manifest.has(Step::RolledBack));
        manifest.add(step(Step::Frozen));
        assert!(!manifest.has(Step::RolledBack), "another cut-over begins");
        assert_eq!(manifest.rights_before_freeze(), None);
        let detail = format!("{RIGHTS}2755");
        manifest.add(Line::Step { step: Step::Frozen, at: String::new(), detail });
        assert_eq!(manifest.rights_before_freeze(), Some(0o2755));
        manifest.add(step(Step::RolledBack));
        assert_eq!(manifest.rights_before_freeze(), None, "they were given back");
        let sshd = Sshd { config: "/etc/ssh/sshd_config".into(), pid_file: "/run/sshd.pid".into() };
        let denial = Denial {
            sshd,
            file: "/etc/ssh/sshd_config.d/00-sftpctl-moved-7.conf".into(),
            users: ["jan".to_owned()].into(),
        };
        for file in ["/etc/passwd", "/etc/ssh/sshd_config.d/00-sftpctl-moved-x.conf", "/etc/ssh/sshd_config.d/../a"] {
            assert!(!Denial { file: file.into(), ..denial.clone() }.has_its_own_file(), "{file}");
        }
        let detail = serde_json::to_string(&denial).unwrap();
        manifest.add(Line::Step { step: Step::Denied, at: String::new(), detail });
        manifest.add(step(Step::Frozen));
        assert_eq!(manifest.denial(), Some(denial), "by the run before");
        assert!(manifest.is_frozen());
        manifest.add(step(Step::Thawed));
        assert_eq!((manifest.denial(), manifest.is_frozen()), (None, false));
        manifest.add(step(Step::Frozen));
        assert!(manifest.is_frozen(), "again");
        manifest.add(step(Step::Exchanged));
        assert!(!manifest.is_frozen(), "it was cut over");
        manifest.add(step(Step::RolledBack));
        assert_eq!((manifest.denial(), manifest.is_frozen()), (None, false));
    }
}
