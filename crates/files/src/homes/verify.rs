//! Compares every object of a manifest with what S3 has: by the checksum that S3 stores, or by reading it back. And the
//! manifest with the home, whose entries may have changed since, so that nothing is signed off that is not the home.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use sftpctl_aws::{AwsError, HeadFacts, OwnedBucket, S3};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::copy::{CopyError, locked};
use super::entry::Kind;
use super::journal::Journal;
use super::name::Raw;
use super::objects::Packed;
use super::opened::OpenFiles;
use super::record::{Line, Manifest, Object, Verified};
use super::source::Source;
use super::watch::{Progress, Watch};
use crate::checksum;
use crate::checksum::Running;

/// Calls at once; each that reads content has a part of it in memory.
const AT_ONCE: usize = 64;
const DEEP_AT_ONCE: usize = 8;
/// Differences that are kept; the others are counted.
const KEPT: usize = 10_000;

/// What of an object is compared with the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What the listing shows, which takes a call for 1,000 objects: the ETag and the size that S3 answered when it took
    /// the content, with its checksum. Objects that have others are looked at as in [`Depth::Stored`].
    Listing {
        /// The account that owns the bucket.
        account: String,
    },
    /// The checksum that S3 keeps.
    Stored,
    /// The content, which is read back.
    Content,
}

/// How an object differs from the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    Missing,
    /// Another writer has stored something else there since.
    Replaced,
    /// The same version has another size or checksum.
    Damaged,
    /// S3 has no checksum of the whole object.
    Unproven,
}

impl Difference {
    /// What it is.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "missing in S3",
            Self::Replaced => "replaced by another writer since",
            Self::Damaged => "of another size or checksum",
            Self::Unproven => "without a checksum of the whole; --deep reads the content back",
        }
    }
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub objects: u64,
    pub bytes: u64,
    pub differences: BTreeMap<Difference, u64>,
    /// The first ones.
    pub samples: Vec<(Raw, Difference)>,
    /// Entries that the last copy left, and objects without an entry.
    pub left: u64,
    pub gone: u64,
    /// Entries of the home that are not as the manifest has them: changed, new or gone since the copy. The first ones, and
    /// the count of all. `None`: the home was not read, since a link is in its place.
    pub changed: Option<u64>,
    pub changed_samples: Vec<Raw>,
    /// Written to the manifest if there is no difference.
    pub signed: Option<Verified>,
    pub is_interrupted: bool,
}

impl Comparison {
    /// Whether every entry of the home is accounted for.
    pub fn is_complete(&self) -> bool {
        self.left == 0 && self.gone == 0 && self.changed.unwrap_or_default() == 0
    }
}

/// Compares all objects, and signs the manifest off if none differs and every entry of the home is accounted for.
///
/// # Errors
/// S3, the home or the manifest cannot be read.
pub async fn verify(
    journal: &Arc<Mutex<Journal>>,
    (s3, bucket): (&S3, &str),
    depth: &Depth,
    home: Option<Source>,
    watch: &dyn Watch,
) -> Result<Comparison, CopyError> {
    let changed = match home {
        Some(home) => {
            let journal = Arc::clone(journal);
            Some(tokio::task::spawn_blocking(move || changed(&home, &journal)).await??)
        }
        None => None,
    };
    let objects = locked(journal).manifest().objects.by_key();
    let of = objects.len() as u64;
    let mut result = Comparison::default();
    if let Some((count, samples)) = changed {
        (result.changed, result.changed_samples) = (Some(count), samples);
    }
    if let Some(pass) = &locked(journal).manifest().pass {
        (result.left, result.gone) = (pass.left, pass.gone);
    }
    let mut tasks: JoinSet<Result<(Object, Option<Difference>), AwsError>> = JoinSet::new();
    let deep = *depth == Depth::Content;
    let at_once = if deep { DEEP_AT_ONCE } else { AT_ONCE };
    let objects = match depth {
        Depth::Listing { account } => {
            let bucket = OwnedBucket { name: bucket.to_owned(), account: account.clone() };
            others(s3, &bucket, objects, &mut result, watch).await?
        }
        Depth::Stored | Depth::Content => objects,
    };
    let mut waiting = objects.into_iter();
    loop {
        while tasks.len() < at_once && !watch.is_stopping() {
            let Some(object) = waiting.next() else { break };
            let Some(object) = object.object() else { continue };
            let (s3, bucket) = (s3.clone(), bucket.to_owned());
            tasks.spawn(async move {
                let found = compare(&s3, &bucket, &object, deep).await?;
                Ok((object, found))
            });
        }
        let Some(ended) = tasks.join_next().await else { break };
        let (object, difference) = ended??;
        result.objects += 1;
        result.bytes += object.bytes;
        if let Some(difference) = difference {
            *result.differences.entry(difference).or_default() += 1;
            if result.samples.len() < KEPT {
                result.samples.push((object.path, difference));
            }
        }
        watch.progress(Progress::Verifying { done: result.objects, of });
    }
    result.samples.sort();
    result.is_interrupted = watch.is_stopping();
    if result.differences.is_empty() && !result.is_interrupted && result.is_complete() {
        let mut journal = locked(journal);
        let verified = Verified {
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            objects: result.objects,
            bytes: result.bytes,
            deep,
            listed: matches!(depth, Depth::Listing { .. }),
            digest: digest(journal.manifest()),
        };
        journal.append(Line::Verified(verified.clone()))?;
        journal.sync()?;
        result.signed = Some(verified);
    } else if !result.is_interrupted {
        let mut journal = locked(journal);
        if journal.manifest().verified.is_some() && !journal.manifest().is_newer_than_verified {
            let (objects, entries) = (result.differences.values().sum(), result.changed.unwrap_or_default());
            journal.append(Line::Differs { objects, entries })?;
            journal.sync()?;
        }
    }
    Ok(result)
}

/// Entries of a home that are not as its manifest has them.
fn changed(home: &Source, journal: &Mutex<Journal>) -> Result<(u64, Vec<Raw>), CopyError> {
    let (mut count, mut samples, mut known) = (0, Vec::new(), 0);
    let walked = home.walk(&OpenFiles::default(), &mut |entry| {
        let journal = locked(journal);
        let Manifest { objects, skipped, .. } = journal.manifest();
        let object = objects.get(&entry.path);
        known += u64::from(object.is_some());
        let is_as_stored = object.is_some_and(|object| {
            // A link may have been stored with the content of its target.
            let is_target = entry.kind() == Kind::Link && Kind::of_mode(object.mode) != Kind::Link;
            let target = || home.target(&entry.path).map(|(_, facts)| facts).ok();
            let facts = if is_target { target() } else { Some(entry.facts) };
            facts.is_some_and(|facts| object.is_of(&facts, &object.key))
        });
        if !is_as_stored && !skipped.contains(&entry.path) {
            count += 1;
            if samples.len() < KEPT {
                samples.push(entry.path);
            }
        }
        Ok(())
    });
    walked.map_err(|source| CopyError::of(home, source))?;
    if home.lost().is_some() {
        return Err(CopyError::of(home, io::ErrorKind::ConnectionAborted.into()));
    }
    let gone = (locked(journal).manifest().objects.len() as u64).saturating_sub(known);
    Ok((count + gone, samples))
}

/// Counts the objects that the listing shows as they were stored, and returns the others. Both are in the order of keys.
async fn others(
    s3: &S3,
    bucket: &OwnedBucket,
    objects: Vec<Packed>,
    result: &mut Comparison,
    watch: &dyn Watch,
) -> Result<Vec<Packed>, AwsError> {
    let of = objects.len() as u64;
    let key = |of: Option<&Packed>| of.and_then(Packed::object).map(|object| object.key);
    let (Some(first), Some(last)) = (key(objects.first()), key(objects.last())) else { return Ok(Vec::new()) };
    let prefix = common(&first, &last).to_owned();
    let unpacked = objects.into_iter().filter_map(|packed| packed.object().map(|object| (packed, object)));
    let (mut objects, mut others) = (unpacked.peekable(), Vec::new());
    let mut from = None;
    loop {
        let page = s3.listed(bucket, &prefix, from.as_deref()).await?;
        for found in &page.objects {
            while let Some((packed, object)) = objects.next_if(|(_, object)| object.key <= found.key) {
                let is_same = object.key == found.key
                    && object.bytes == found.size
                    && object.etag.trim_matches('"') == found.etag.trim_matches('"');
                if is_same {
                    result.objects += 1;
                    result.bytes += object.bytes;
                } else {
                    others.push(packed);
                }
            }
        }
        watch.progress(Progress::Verifying { done: result.objects, of });
        from = page.next;
        if from.is_none() || watch.is_stopping() {
            break;
        }
    }
    others.extend(objects.map(|(packed, _)| packed));
    Ok(others)
}

/// What two keys begin with.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let length = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    a.get(..length.unwrap_or(a.len().min(b.len()))).unwrap_or_default()
}

async fn compare(s3: &S3, bucket: &str, object: &Object, deep: bool) -> Result<Option<Difference>, AwsError> {
    let Some(found) = s3.facts(bucket, &object.key).await? else { return Ok(Some(Difference::Missing)) };
    let stored = compare_stored(object, &found);
    if !deep || !matches!(stored, None | Some(Difference::Unproven)) {
        return Ok(stored);
    }
    let read = read_back(s3, bucket, &object.key, &found).await?;
    Ok((read.as_ref() != Some(&object.crc64nvme)).then_some(Difference::Damaged))
}

/// Compares an object with what S3 knows of it.
fn compare_stored(object: &Object, found: &HeadFacts) -> Option<Difference> {
    let is_same = found.size == object.bytes && found.crc64nvme.as_ref() == Some(&object.crc64nvme);
    if found.etag != object.etag && !is_same {
        return Some(Difference::Replaced);
    }
    match &found.crc64nvme {
        _ if found.size != object.bytes => Some(Difference::Damaged),
        Some(crc) if *crc != object.crc64nvme => Some(Difference::Damaged),
        // The content with this ETag was read; or there is none, and some servers have no checksum of markers of folders.
        None if object.bytes > 0 && !object.is_read => Some(Difference::Unproven),
        _ => None,
    }
}

/// The checksum of an object's content, which is read; `None` if it is gone, or has another length than S3 says.
pub(super) async fn read_back(s3: &S3, bucket: &str, key: &str, found: &HeadFacts) -> Result<Option<String>, AwsError> {
    let (mut sum, mut size) = (Running::default(), 0);
    // S3 refuses a range of an object without content.
    if found.size > 0 {
        let Some(mut download) = s3.open(bucket, key, 0, Some(&found.etag)).await? else { return Ok(None) };
        while let Some(bytes) = download.next().await? {
            sum.update(&bytes);
            size += bytes.len() as u64;
        }
    }
    Ok((size == found.size).then(|| checksum::text(sum.value())))
}

/// SHA-256 over a line for each object, by key: key, size and checksum, with tabs between them.
pub fn digest(manifest: &Manifest) -> String {
    let mut sum = Sha256::new();
    for Object { key, bytes, crc64nvme, .. } in manifest.objects.by_key().iter().filter_map(Packed::object) {
        sum.update(format!("{key}\t{bytes}\t{crc64nvme}\n"));
    }
    sftpctl_core::hex::encode(&sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::entry::Stamp;
    use super::*;

    #[test]
    fn only_content_needs_a_checksum() {
        let object = |bytes: u64| Object {
            path: Raw::default(),
            key: "7/".into(),
            stamp: Stamp::default(),
            mode: 0,
            uid: 0,
            gid: 0,
            bytes,
            crc64nvme: "sum".into(),
            etag: "a".into(),
            version: None,
            is_read: false,
        };
        let found = |size: u64, sum: Option<&str>| HeadFacts {
            size,
            etag: "a".into(),
            crc64nvme: sum.map(str::to_owned),
            ..HeadFacts::default()
        };
        for (bytes, size, sum, expected) in [
            (3, 3, Some("sum"), None),
            (3, 3, None, Some(Difference::Unproven)),
            (0, 0, None, None),
            (0, 0, Some("else"), Some(Difference::Damaged)),
            (3, 0, None, Some(Difference::Damaged)),
            (0, 3, None, Some(Difference::Damaged)),
        ] {
            assert_eq!(compare_stored(&object(bytes), &found(size, sum)), expected, "{bytes} {size} {sum:?}");
        }
        let read = Object { is_read: true, ..object(3) };
        assert_eq!(compare_stored(&read, &found(3, None)), None);
        assert_eq!(compare_stored(&read, &found(3, Some("else"))), Some(Difference::Damaged));
        let other = HeadFacts { etag: "b".into(), ..found(0, None) };
        assert_eq!(compare_stored(&object(0), &other), Some(Difference::Replaced));
    }

    #[test]
    fn listing_is_of_what_all_keys_begin_with() {
        for (a, b, expected) in
            [("7/a", "7/b", "7/"), ("7/a", "7/a/b", "7/a"), ("7/ä", "7/å", "7/"), ("a", "b", ""), ("7/a", "7/a", "7/a")]
        {
            assert_eq!(common(a, b), expected, "{a} {b}");
        }
    }
}
