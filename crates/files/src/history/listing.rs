//! The versions of a file or a folder, as S3 lists them and in the order of time.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io;

use serde::{Deserialize, Serialize};
use sftpctl_aws::{AwsError, VersionFacts, VersionMarker};

use super::selection::Selection;
use super::source::{Bucket, Source};
use crate::CANARY;
use sftpctl_sorter::{Sorted, Sorter};

/// A listing or the file that sorts it failed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("a temporary file failed; it is in the folder that TMPDIR names")]
    Io(#[from] io::Error),
}

/// The versions below a prefix, by key, and of one key the newest first. One page is in memory.
pub struct Versions<S> {
    source: S,
    prefix: String,
    page: VecDeque<VersionFacts>,
    /// `None` before the first page.
    from: Option<VersionMarker>,
    is_over: bool,
}

impl<S: Source> Versions<S> {
    pub fn of(source: S, prefix: String) -> Self {
        Self { source, prefix, page: VecDeque::new(), from: None, is_over: false }
    }

    /// The next version; `None` at the end.
    ///
    /// # Errors
    /// A page could not be read.
    pub async fn next(&mut self) -> Result<Option<VersionFacts>, AwsError> {
        while self.page.is_empty() && !self.is_over {
            let page = self.source.page(&self.prefix, self.from.as_ref()).await?;
            // Mounts are checked with files that are nobody's history.
            self.page = page.versions.into_iter().filter(|version| !version.key.starts_with(CANARY)).collect();
            self.is_over = page.next.is_none();
            self.from = page.next;
        }
        Ok(self.page.pop_front())
    }

    /// All versions of the next key, the newest first; `None` at the end.
    ///
    /// # Errors
    /// As for [`Self::next`].
    pub async fn next_key(&mut self) -> Result<Option<Vec<VersionFacts>>, AwsError> {
        let Some(first) = self.next().await? else { return Ok(None) };
        let mut all = vec![first];
        while let Some(next) = self.next().await? {
            if all.first().is_some_and(|first| first.key == next.key) {
                all.push(next);
            } else {
                self.page.push_front(next);
                break;
            }
        }
        Ok(Some(all))
    }
}

/// Versions of which time, in seconds since 1970. Both ends belong to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

impl Period {
    fn includes(self, time: i64) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }
}

/// A version in a list. It sorts by time, the newest first; of one second by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listed {
    time: Reverse<i64>,
    pub key: String,
    /// The place among the versions of its key in S3's answer: 0 is the newest.
    place: u64,
    /// `null` for an object that is older than its bucket's versioning.
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// Whether it marks a deletion.
    pub deleted: bool,
    /// Whether it is the current one.
    pub current: bool,
}

impl Listed {
    /// Seconds since 1970.
    pub fn time(&self) -> i64 {
        self.time.0
    }
}

/// Who owned a version's file where it was copied from: the user ID that copies of home directories, DataSync and Amazon S3
/// Files keep as metadata. `None` for an upload.
///
/// # Errors
/// The metadata could not be read.
pub async fn owner(bucket: &Bucket, version: &Listed) -> Result<Option<String>, AwsError> {
    if version.deleted {
        return Ok(None);
    }
    let head = bucket.s3.version_head(&bucket.name, &version.key, Some(&version.version)).await?;
    Ok(head.and_then(|head| head.metadata.get("file-owner").cloned()))
}

/// What [`list`] found.
pub struct Found {
    pub versions: Sorted<Listed>,
    pub count: u64,
}

/// The versions of a selection, the newest first.
///
/// # Errors
/// A page could not be read, or a temporary file not written.
pub async fn list(source: &impl Source, selection: &Selection, period: Period) -> Result<Found, ListError> {
    let mut versions = Versions::of(source.clone(), selection.prefix());
    let mut sorter = Sorter::new();
    let (mut count, mut place, mut last) = (0, 0, String::new());
    while let Some(facts) = versions.next().await? {
        place = if facts.key == last { place + 1 } else { 0 };
        last.clone_from(&facts.key);
        // A listing of `a.csv` goes on to `a.csv.old`; the keys after the file itself are of no interest.
        if !selection.is_folder() && facts.key != selection.prefix() {
            break;
        }
        if !period.includes(facts.modified) {
            continue;
        }
        count += 1;
        sorter.push(Listed {
            time: Reverse(facts.modified),
            key: facts.key,
            place,
            version: facts.id,
            size: facts.size,
            deleted: facts.deleted,
            current: facts.latest,
        })?;
    }
    Ok(Found { versions: sorter.sorted()?, count })
}
