//! What there is in a home, and how long and how dear it is to move: sums over any number of entries. Pure.

use std::collections::BTreeMap;

use super::concern::Concern;
use super::entry::{Entry, Kind};
use super::name::Raw;
use super::plan::{Fate, Planned};
use super::quota::Quota;

/// Examples that are kept of each concern.
const SAMPLES: usize = 3;
/// Bytes of a file from which it is uploaded in parts.
pub const SINGLE: u64 = 16 << 20;
/// Bytes of a part at least, and parts at most (S3 user guide, "Amazon S3 multipart upload limits").
const PART: u64 = 8 << 20;
const PARTS: u64 = 10_000;

/// S3 Standard in us-west-2, list price; in USD for 1,000 PUT, COPY or LIST requests, and for a GB a month.
pub const PER_1000_REQUESTS: f64 = 0.005;
pub const PER_GB_MONTH: f64 = 0.023;
/// Where the prices are from.
pub const PRICES: &str = "S3 Standard in us-west-2, list prices noted in November 2026: 0.005 USD per 1,000 requests, 0.023 \
                          USD per GB and month; https://aws.amazon.com/s3/pricing/";

/// Bytes of each part of a file, the last one excepted.
pub fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(PARTS))
}

/// The number of requests that store a file.
fn requests(size: u64) -> u64 {
    // Beginning and completing are requests, too.
    if size <= SINGLE { 1 } else { size.div_ceil(part_size(size)) + 2 }
}

/// What is not known of a home that is read over SFTP.
pub const NOT_OVER_SFTP: [&str; 8] =
    ["hard-link", "sparse", "acl", "attributes", "open", "open-for-writing", "mount-point", "unreadable"];

/// Counts of a concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub entries: u64,
    pub bytes: u64,
    /// Of these, how many stay behind as an option says, and without a decision.
    pub skipped: u64,
    pub left: u64,
    /// The first few.
    pub samples: Vec<Raw>,
}

/// Sums over the entries of one or more homes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub homes: u64,
    pub entries: u64,
    pub by_kind: BTreeMap<Kind, u64>,
    /// Bytes of all files. A file with several names counts with each, as on S3.
    pub bytes: u64,
    /// What becomes an object, and its bytes.
    pub objects: u64,
    pub object_bytes: u64,
    /// Bytes that have to be read and sent: a file with several names once.
    pub sent_bytes: u64,
    pub requests: u64,
    pub skipped: u64,
    pub left: u64,
    pub concerns: BTreeMap<Concern, Count>,
    pub largest: u64,
    /// Whether processes of other users could not be looked into, so that more files may be open.
    pub is_partly_open: bool,
    /// Quotas of the homes' owners that have any, by user ID.
    pub quotas: BTreeMap<u32, Vec<Quota>>,
    /// Whether there is no program that knows quotas.
    pub quotas_are_unknown: bool,
    /// Whether homes were read over SFTP, which does not know all of this.
    pub is_remote: bool,
}

impl Totals {
    /// Counts an entry. `is_again`: another name of the file has been counted.
    pub fn add(&mut self, entry: &Entry, planned: &Planned, is_again: bool) {
        self.entries += 1;
        *self.by_kind.entry(entry.kind()).or_default() += 1;
        let size = if entry.kind() == Kind::File { entry.facts.size } else { 0 };
        self.bytes += size;
        self.largest = self.largest.max(size);
        let (mut skipped, mut left) = (0, 0);
        match planned.fate {
            Fate::Skipped(_) => skipped = 1,
            Fate::Left(_) => left = 1,
            _ => {
                self.objects += 1;
                self.object_bytes += size;
                self.sent_bytes += if is_again { 0 } else { size };
                self.requests += if is_again { 1 } else { requests(size) };
            }
        }
        self.skipped += skipped;
        self.left += left;
        for concern in &planned.concerns {
            let count = self.concerns.entry(*concern).or_default();
            count.entries += 1;
            count.bytes += size;
            let stays = match planned.fate {
                Fate::Skipped(why) | Fate::Left(why) => why == *concern,
                _ => false,
            };
            count.skipped += if stays { skipped } else { 0 };
            count.left += if stays { left } else { 0 };
            if count.samples.len() < SAMPLES {
                count.samples.push(entry.path.clone());
            }
        }
    }

    /// Seconds that the upload takes with a rate in bytes a second, and so many requests a second.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn seconds(&self, bytes_per_second: f64, requests_per_second: f64) -> f64 {
        (self.sent_bytes as f64 / bytes_per_second).max(self.requests as f64 / requests_per_second)
    }

    /// USD for the requests, once.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn price_of_requests(&self) -> f64 {
        self.requests as f64 / 1000.0 * PER_1000_REQUESTS
    }

    /// USD for the storage in a month.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn price_of_month(&self) -> f64 {
        self.object_bytes as f64 / f64::from(1 << 30) * PER_GB_MONTH
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Facts;
    use super::super::plan::{Options, plan};
    use super::*;

    #[test]
    fn parts_are_within_the_limits_of_s3() {
        for size in [SINGLE + 1, 5 << 30, 48 << 40] {
            let part = part_size(size);
            assert!((5 << 20..=5 << 30).contains(&part) && size.div_ceil(part) <= 10_000, "{size}");
        }
        assert_eq!((requests(0), requests(SINGLE), requests(SINGLE + 1)), (1, 1, 5));
    }

    #[test]
    fn a_file_with_two_names_is_sent_once_and_stored_twice() {
        let mut totals = Totals::default();
        let options = Options { prefix: "7/".to_owned(), ..Options::default() };
        for (path, is_again) in [("a", false), ("b", true)] {
            let facts = Facts { mode: 0o100_644, size: 1 << 30, occupied: 1 << 30, names: 2, ..Facts::default() };
            let entry = Entry { path: Raw(path.into()), facts, ..Entry::default() };
            totals.add(&entry, &plan(&entry, &options), is_again);
        }
        let fifo = Entry {
            path: Raw(b"f".to_vec()),
            facts: Facts { mode: 0o010_644, ..Facts::default() },
            ..Entry::default()
        };
        totals.add(&fifo, &plan(&fifo, &options), false);
        assert_eq!((totals.objects, totals.object_bytes, totals.sent_bytes), (2, 2 << 30, 1 << 30));
        assert_eq!((totals.entries, totals.left, totals.requests), (3, 1, 128 + 2 + 1));
        assert_eq!((totals.concerns[&Concern::Fifo].left, totals.concerns[&Concern::HardLink].left), (1, 0));
        assert!((totals.price_of_month() - 0.046).abs() < 1e-9);
        assert!((totals.seconds(1e8, 1e9) - 10.737_418_24).abs() < 1e-6);
    }
}
