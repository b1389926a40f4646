//! The time of modification that a local file gets. Pure.

use sftpctl_aws::Metadata;

use crate::homes::metadata;

/// Seconds since 1970 of the earliest and the latest time that file systems agree on: the years 1970 to 2106 (ext4 and XFS
/// without large timestamps have less, FAT more).
const LATEST: i64 = u32::MAX as i64;

/// Nanoseconds since 1970: what the uploader noted of the file, or when the object was written (`modified`, in seconds).
pub fn mtime(metadata: &Metadata, modified: i64) -> i64 {
    let is_usual = |time: &i64| (0..=LATEST).contains(&time.div_euclid(1_000_000_000));
    let noted = metadata::read(metadata).mtime.filter(is_usual);
    noted.unwrap_or_else(|| modified.clamp(0, LATEST) * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_the_uploaders_or_that_of_the_object() {
        let of = |pairs: &[(&str, &str)]| {
            let metadata = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            mtime(&metadata, 1_700_000_000)
        };
        let noted = ("file-mtime", "1500000000123456789ns");
        assert_eq!(of(&[noted, ("mtime", "1500000000")]), 1_500_000_000_123_456_789);
        assert_eq!(
            of(&[noted, ("mtime", "1600000000")]),
            1_600_000_000_000_000_000,
            "an application wrote by s3fs since"
        );
        assert_eq!(of(&[("mtime", "1500000000.5")]), 1_500_000_000_500_000_000);
        for hostile in ["", "ns", "-1ns", "99999999999999999999ns", "9223372036854775807ns", "now"] {
            assert_eq!(of(&[("file-mtime", hostile)]), 1_700_000_000_000_000_000, "{hostile}");
        }
    }
}
