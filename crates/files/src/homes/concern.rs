//! What S3 cannot keep as it is, or what makes an entry special. Pure.

use std::str::FromStr;

use serde::Serialize;

/// Something about an entry that a person should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    // What cannot be copied without a decision.
    NotUtf8,
    Control,
    TooLong,
    SameKey,
    LinkToFile,
    LinkToFolder,
    LinkOutside,
    LinkToNothing,
    LinkLoop,
    Fifo,
    Socket,
    Device,
    MountPoint,
    Unreadable,
    // What a copy may meet.
    OpenForWriting,
    Changing,
    Conflict,
    Failed,
    // What is copied, and loses something or is worth knowing.
    Decoded,
    Unseen,
    Composition,
    Case,
    HardLink,
    Sparse,
    SetId,
    Acl,
    Attributes,
    EmptyFolder,
    Open,
    LargerThanPut,
}

impl Concern {
    pub const ALL: [Self; 30] = [
        Self::NotUtf8,
        Self::Control,
        Self::TooLong,
        Self::SameKey,
        Self::LinkToFile,
        Self::LinkToFolder,
        Self::LinkOutside,
        Self::LinkToNothing,
        Self::LinkLoop,
        Self::Fifo,
        Self::Socket,
        Self::Device,
        Self::MountPoint,
        Self::Unreadable,
        Self::OpenForWriting,
        Self::Changing,
        Self::Conflict,
        Self::Failed,
        Self::Decoded,
        Self::Unseen,
        Self::Composition,
        Self::Case,
        Self::HardLink,
        Self::Sparse,
        Self::SetId,
        Self::Acl,
        Self::Attributes,
        Self::EmptyFolder,
        Self::Open,
        Self::LargerThanPut,
    ];

    /// The word for it, as in `--skip`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf8",
            Self::Control => "control",
            Self::TooLong => "too-long",
            Self::SameKey => "same-key",
            Self::LinkToFile => "link-to-file",
            Self::LinkToFolder => "link-to-folder",
            Self::LinkOutside => "link-outside",
            Self::LinkToNothing => "link-to-nothing",
            Self::LinkLoop => "link-loop",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
            Self::MountPoint => "mount-point",
            Self::Unreadable => "unreadable",
            Self::OpenForWriting => "open-for-writing",
            Self::Changing => "changing",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Decoded => "decoded",
            Self::Unseen => "unseen",
            Self::Composition => "composition",
            Self::Case => "case",
            Self::HardLink => "hard-link",
            Self::Sparse => "sparse",
            Self::SetId => "set-id",
            Self::Acl => "acl",
            Self::Attributes => "attributes",
            Self::EmptyFolder => "empty-folder",
            Self::Open => "open",
            Self::LargerThanPut => "larger-than-put",
        }
    }

    /// What it is, and what it means on S3.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotUtf8 => "the name is not UTF-8; --name-charset cp1252 decodes it",
            Self::Control => {
                "the name has control characters, which SFTP clients and mounts of S3 cannot use: rename it, or pass --skip control"
            }
            Self::TooLong => "the key would have more than 1,024 bytes: rename it, or pass --skip too-long",
            Self::SameKey => {
                "another name of the folder has the same key once both are decoded: rename one, or pass --skip same-key"
            }
            Self::LinkToFile => "a link to a file of the home; --links says what becomes of it",
            Self::LinkToFolder => "a link to a folder of the home; --links marker keeps it as a link for mounts",
            Self::LinkOutside => {
                "a link that leads out of the home, and is never followed: --links marker keeps it, --links skip leaves it"
            }
            Self::LinkToNothing => "a link to nothing: --links says what becomes of it",
            Self::LinkLoop => {
                "a link to itself, or to a folder that contains it: --links marker keeps it, --links skip leaves it"
            }
            Self::Fifo => "a named pipe, which S3 does not have: remove it, or pass --skip fifo",
            Self::Socket => "a socket, which S3 does not have: end its program, or pass --skip socket",
            Self::Device => "a device, which S3 does not have: remove it, or pass --skip device",
            Self::MountPoint => {
                "another file system is mounted here, and is not counted: copy it on its own, and pass --skip mount-point"
            }
            Self::Unreadable => {
                "it cannot be read with the permissions of this user: run as root, or pass --skip unreadable"
            }
            Self::OpenForWriting => "a process has it open for writing: it is copied again later",
            Self::Changing => "it changed while it was read, each time: it is copied again later",
            Self::Conflict => "the object was written by someone else since, and is kept",
            Self::Failed => "S3 did not take it",
            Self::Decoded => "the name was decoded; its bytes are kept in the metadata file-name-raw",
            Self::Unseen => {
                "the name has characters that are not seen, or turn the writing direction; it is copied as it is"
            }
            Self::Composition => "another name of the folder has the same letters, composed in another way",
            Self::Case => "another name of the folder differs only by case, which Windows clients do not tell apart",
            Self::HardLink => "a file with several names: each becomes an object of its own, uploaded once",
            Self::Sparse => "the file has holes, which become zeros: it takes its full size on S3",
            Self::SetId => "the bits set-user-ID or set-group-ID are kept in the metadata alone",
            Self::Acl => "the ACL is lost: S3 has no rights for single users of the old server",
            Self::Attributes => "extended attributes are lost",
            Self::EmptyFolder => "an empty folder becomes an object with a slash at its end",
            Self::Open => "a process has it open for reading, or works in it",
            Self::LargerThanPut => "a file over 5 GB, which is uploaded in parts",
        }
    }

    /// Whether an entry with it stays behind unless an option says what to do.
    pub fn needs_decision(self) -> bool {
        self <= Self::Failed
    }

    /// Whether `--skip` may name it: a file that could not be copied this time is never skipped for good.
    pub fn may_be_skipped(self) -> bool {
        self <= Self::Unreadable || self == Self::Conflict
    }
}

impl FromStr for Concern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.into_iter().filter(|concern| concern.may_be_skipped());
        known().find(|concern| concern.as_str() == text).ok_or_else(|| {
            let words: Vec<&str> = known().map(Self::as_str).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads that something stays behind also reads what to do.
    #[test]
    fn what_needs_a_decision_says_which() {
        for concern in Concern::ALL.into_iter().filter(|concern| *concern <= Concern::Unreadable) {
            let (words, skip) = (concern.words(), format!("--skip {}", concern.as_str()));
            let names_option = ["--links", "--name-charset", &skip].iter().any(|option| words.contains(option));
            assert!(names_option, "{concern:?}: {words}");
        }
    }

    #[test]
    fn words_are_those_of_the_reports() {
        for concern in Concern::ALL {
            assert_eq!(serde_json::to_value(concern).unwrap(), concern.as_str());
            assert_eq!(concern.as_str().parse().ok(), concern.may_be_skipped().then_some(concern));
        }
        assert!(Concern::ALL.is_sorted());
    }
}
