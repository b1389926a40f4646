//! An object's own metadata: owner, group, rights and times of a file. Pure.
//!
//! `file-*` are those of AWS's own family (FSx for Lustre user guide, "POSIX metadata support for data repositories";
//! Amazon S3 Files and DataSync read and write the same): the mode in octal with the kind, times in nanoseconds.
//! s3fs-fuse has others, with the mode in decimal and times in seconds (s3fs-fuse, `metaheader.cpp`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sftpctl_aws::Metadata;

use super::entry::{Facts, Nanoseconds};
use super::name::{self, Raw};

/// The bytes of a name that was decoded, in base64.
pub const RAW_NAME: &str = "file-name-raw";

/// The metadata of an entry.
pub fn of(path: &Raw, facts: &Facts, with_s3fs: bool) -> Metadata {
    let nanoseconds = |time: Nanoseconds| format!("{time}ns");
    let mut all = vec![
        ("file-owner", facts.uid.to_string()),
        ("file-group", facts.gid.to_string()),
        ("file-permissions", format!("{:07o}", facts.mode)),
        ("file-mtime", nanoseconds(facts.mtime)),
        ("file-atime", nanoseconds(facts.atime)),
    ];
    if with_s3fs {
        let seconds = |time: Nanoseconds| time.div_euclid(1_000_000_000).to_string();
        all.extend([
            ("uid", facts.uid.to_string()),
            ("gid", facts.gid.to_string()),
            ("mode", facts.mode.to_string()),
            ("mtime", seconds(facts.mtime)),
            ("atime", seconds(facts.atime)),
            ("ctime", seconds(facts.ctime)),
        ]);
    }
    if name::is_decoded(path) {
        all.push((RAW_NAME, STANDARD.encode(path.name())));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Owner, group, mode and time of modification that an object's metadata has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mode: Option<u32>,
    pub mtime: Option<Nanoseconds>,
}

/// Reads the metadata of an object, in AWS's dialect or that of s3fs. Of two that differ, the one of s3fs is newer: s3fs
/// writes its own keys and leaves `file-*` as they were, and a copy writes both alike.
pub fn read(metadata: &Metadata) -> Owned {
    read_since(metadata, None)
}

/// As [`read`], of an object that was copied with `before`: what differs from that is newer than what does not, whoever
/// wrote it.
pub fn read_since(metadata: &Metadata, before: Option<&Owned>) -> Owned {
    let get = |name: &str| metadata.get(name).map(String::as_str);
    let number = |name: &str| get(name).and_then(|text| text.parse::<u32>().ok());
    let octal = get("file-permissions").and_then(|text| u32::from_str_radix(text, 8).ok());
    let aws_time = get("file-mtime").and_then(|text| text.strip_suffix("ns").unwrap_or(text).parse().ok());
    let of = |field: fn(&Owned) -> Option<u32>| before.and_then(field);
    Owned {
        uid: newer((number("file-owner"), number("uid")), of(|before| before.uid)),
        gid: newer((number("file-group"), number("gid")), of(|before| before.gid)),
        mode: newer((octal, number("mode")), of(|before| before.mode)),
        mtime: newer_time(aws_time, get("mtime").and_then(s3fs_time), before.and_then(|before| before.mtime)),
    }
}

/// Of a value of AWS's dialect and one of s3fs, the newer.
fn newer((aws, s3fs): (Option<u32>, Option<u32>), before: Option<u32>) -> Option<u32> {
    if s3fs.is_some() && s3fs == before { aws.or(s3fs) } else { s3fs.or(aws) }
}

/// As [`newer`]. The same second is the same time, of which AWS's dialect has more.
fn newer_time(aws: Option<Nanoseconds>, s3fs: Option<S3fsTime>, before: Option<Nanoseconds>) -> Option<Nanoseconds> {
    let (Some(aws), Some(s3fs)) = (aws, s3fs) else { return aws.or(s3fs.map(|s3fs| s3fs.time)) };
    let is_old = s3fs.is(aws) || before.is_some_and(|before| s3fs.is(before));
    Some(if is_old { aws } else { s3fs.time })
}

/// A time as s3fs writes it.
#[derive(Clone, Copy)]
struct S3fsTime {
    time: Nanoseconds,
    /// Whether it has no part of a second.
    is_whole: bool,
}

impl S3fsTime {
    fn is(self, time: Nanoseconds) -> bool {
        let time = if self.is_whole { time.div_euclid(1_000_000_000).saturating_mul(1_000_000_000) } else { time };
        time == self.time
    }
}

/// Seconds, since s3fs 1.90 with a dot and nanoseconds if there are any (s3fs-fuse, `string_util.cpp`).
fn s3fs_time(text: &str) -> Option<S3fsTime> {
    let (seconds, part) = text.split_once('.').map_or((text, None), |(seconds, part)| (seconds, Some(part)));
    let seconds = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    let digits = part.unwrap_or_default();
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || digits.len() > 9 {
        return None;
    }
    let nanoseconds: i64 = format!("{digits:0<9}").parse().ok()?;
    Some(S3fsTime { time: seconds.checked_add(nanoseconds)?, is_whole: part.is_none() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of all metadata: S3 takes 2,048.
    fn bytes(metadata: &Metadata) -> usize {
        metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    #[test]
    fn metadata_is_that_of_both_families_and_fits() {
        let facts =
            Facts { mode: 0o100_644, uid: 1001, gid: 1002, mtime: -1, atime: 1_500_000_001, ..Facts::default() };
        let of_path = |path: &[u8], s3fs| of(&Raw(path.to_vec()), &facts, s3fs);
        let own = of_path(b"a", false);
        let expected = [
            ("file-atime", "1500000001ns"),
            ("file-group", "1002"),
            ("file-mtime", "-1ns"),
            ("file-owner", "1001"),
            ("file-permissions", "0100644"),
        ];
        assert_eq!(own.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
        let both = of_path(b"a", true);
        assert_eq!((both["mode"].as_str(), both["mtime"].as_str(), both["atime"].as_str()), ("33188", "-1", "1"));
        let owned = Owned { uid: Some(1001), gid: Some(1002), mode: Some(0o100_644), mtime: Some(-1) };
        assert_eq!((read(&own), read(&both)), (owned, owned));
        let (both_again, mut s3fs) = (both.clone(), both);
        s3fs.retain(|name, _| !name.starts_with("file-"));
        assert_eq!(read(&s3fs), Owned { mtime: Some(-1_000_000_000), ..owned });
        // s3fs changes its own keys, and leaves the others; the same second is no change.
        let mut changed = both_again.clone();
        changed.extend(
            [("mode", "33188"), ("uid", "7"), ("mtime", "1500000000.000000005")].map(|(k, v)| (k.into(), v.into())),
        );
        let newer = Owned { uid: Some(7), mtime: Some(1_500_000_000_000_000_005), ..owned };
        assert_eq!((read(&changed), read_since(&changed, Some(&owned))), (newer, newer));
        // Another program of AWS's family changes the others, and leaves those of s3fs.
        let mut changed = both_again;
        changed.extend([("file-owner", "7"), ("file-mtime", "5000000000ns")].map(|(k, v)| (k.into(), v.into())));
        assert_eq!(read_since(&changed, Some(&owned)), Owned { uid: Some(7), mtime: Some(5_000_000_000), ..owned });
        for wrong in ["", ".5", "1.x", "1.0000000001", "99999999999"] {
            assert_eq!(read(&Metadata::from([("mtime".to_owned(), wrong.to_owned())])).mtime, None, "{wrong}");
        }
        let folder = Facts { mode: 0o040_755, ..facts };
        assert_eq!(of(&Raw(b"d".to_vec()), &folder, false)["file-permissions"], "0040755");
        let longest =
            Facts { uid: u32::MAX, gid: u32::MAX, mtime: i64::MIN, atime: i64::MIN, ctime: i64::MIN, ..facts };
        assert!(bytes(&of(&Raw(vec![0xe4; 255]), &longest, true)) <= 2048);
    }

    #[test]
    fn bytes_of_a_decoded_name_are_kept() {
        let metadata = of(&Raw(b"a/\xe4.txt".to_vec()), &Facts::default(), false);
        assert_eq!(STANDARD.decode(&metadata[RAW_NAME]).unwrap(), b"\xe4.txt");
    }
}
