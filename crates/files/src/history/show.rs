//! One version of a file: which it is, and its content, compared with what S3 knows of it.

use std::io;

use md5::{Digest as _, Md5};
use sftpctl_aws::{AwsError, S3, VersionFacts, VersionHead};
use sftpctl_core::hex;

use super::listing::Versions;
use super::source::Bucket;
use crate::checksum::{self, Running};

/// Which version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By its ID.
    Version(String),
    /// The one that was current at this time, in seconds since 1970.
    At(i64),
}

impl Which {
    /// The version among those of a key, which are the newest first.
    pub(crate) fn of<'a>(&self, versions: &'a [VersionFacts]) -> Option<&'a VersionFacts> {
        versions.iter().find(|version| match self {
            Self::Version(id) => version.id == *id,
            Self::At(time) => version.modified <= *time,
        })
    }
}

/// How a content was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// With the checksum that S3 keeps of the whole object.
    Crc64Nvme,
    /// With the ETag, which is the MD5 digest of an object that was sent at once and is not encrypted with a key of KMS.
    Md5,
    /// S3 has no checksum of the whole object: only with its length.
    Length,
}

/// A version cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{key} has no version {version}")]
    NoVersion { key: String, version: String },
    #[error("there are no versions of {key}")]
    NoFile { key: String },
    #[error("{key} did not exist then: {why}")]
    NotThen { key: String, why: String },
    #[error("version {version} of {key} does not match its {checksum}: it was changed on its way, or in S3")]
    Changed { key: String, version: String, checksum: &'static str },
    #[error("the content could not be written")]
    Io(#[from] io::Error),
}

/// Finds a version of a file. `time` turns a time into text for errors.
///
/// # Errors
/// It does not exist, or marks a deletion.
pub async fn find(
    bucket: &Bucket,
    key: &str,
    which: &Which,
    time: impl Fn(i64) -> String,
) -> Result<VersionFacts, ShowError> {
    let mut versions = Versions::of(bucket.clone(), key.to_owned());
    let all = versions.next_key().await?.filter(|all| all.first().is_some_and(|first| first.key == key));
    let all = all.ok_or_else(|| ShowError::NoFile { key: key.to_owned() })?;
    let not_then = |why| ShowError::NotThen { key: key.to_owned(), why };
    match (which.of(&all), which) {
        (Some(found), _) if found.deleted => Err(not_then(format!("it was deleted at {}", time(found.modified)))),
        (Some(found), _) => Ok(found.clone()),
        (None, Which::Version(id)) => Err(ShowError::NoVersion { key: key.to_owned(), version: id.clone() }),
        (None, Which::At(_)) => {
            let first = all.last().map_or(0, |oldest| oldest.modified);
            Err(not_then(format!("its oldest version in the bucket is from {}", time(first))))
        }
    }
}

/// Reads the content of a version, piece by piece, and compares it.
///
/// # Errors
/// It differs from what S3 knows of it: what `take` has got is then worthless.
pub async fn content(
    s3: &S3,
    bucket: &str,
    facts: &VersionFacts,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Proof, ShowError> {
    let gone = || ShowError::NoVersion { key: facts.key.clone(), version: facts.id.clone() };
    let head = s3.version_head(bucket, &facts.key, Some(&facts.id)).await?.ok_or_else(gone)?;
    let mut download = s3.open_version(bucket, &facts.key, Some(&facts.id)).await?.ok_or_else(gone)?;
    let (mut crc, mut md5, mut length) = (Running::default(), Md5::new(), 0);
    while let Some(bytes) = download.next().await? {
        crc.update(&bytes);
        md5.update(&bytes);
        length += bytes.len() as u64;
        take(&bytes)?;
    }
    let crc = checksum::text(crc.value());
    let (proof, is_right) = compared(&head, (&crc, &hex::encode(&md5.finalize()), length));
    let checksum = match proof {
        Proof::Crc64Nvme => "CRC-64/NVME",
        Proof::Md5 => "MD5 digest",
        Proof::Length => "length",
    };
    let changed = || ShowError::Changed { key: facts.key.clone(), version: facts.id.clone(), checksum };
    if is_right { Ok(proof) } else { Err(changed()) }
}

/// What the content was compared with, and whether it is the same.
fn compared(head: &VersionHead, (crc, md5, length): (&str, &str, u64)) -> (Proof, bool) {
    let is_md5 = head.etag.len() == 32 && !head.is_sealed;
    match &head.crc64nvme {
        _ if head.size != length => (Proof::Length, false),
        Some(stored) => (Proof::Crc64Nvme, stored == crc),
        None if is_md5 => (Proof::Md5, head.etag == md5),
        None => (Proof::Length, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_with_the_best_that_there_is() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        let head = |size, etag: &str, crc: Option<&str>, is_sealed| VersionHead {
            size,
            etag: etag.into(),
            crc64nvme: crc.map(str::to_owned),
            is_sealed,
            ..VersionHead::default()
        };
        for (head, expected) in [
            (head(0, md5, Some("c"), false), (Proof::Crc64Nvme, true)),
            (head(0, md5, Some("other"), false), (Proof::Crc64Nvme, false)),
            (head(0, md5, None, false), (Proof::Md5, true)),
            (head(0, &md5.replace('d', "e"), None, false), (Proof::Md5, false)),
            (head(0, &md5.replace('d', "e"), None, true), (Proof::Length, true)),
            (head(0, "abc-2", None, false), (Proof::Length, true)),
            (head(1, "abc-2", None, false), (Proof::Length, false)),
        ] {
            assert_eq!(compared(&head, ("c", md5, 0)), expected, "{head:?}");
        }
    }
}
