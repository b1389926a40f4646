//! The parts of a file that is too large for one request, and the record of those that are on the disk. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::line;

const MIB: u64 = 1 << 20;

/// Files up to this size are fetched with one request.
pub const WHOLE: u64 = 8 * MIB;

/// The length of the parts of a file (AWS's guidance for S3: ranges of 8 to 16 MB).
pub fn part_size(size: u64) -> u64 {
    if size < 1024 * MIB { 8 * MIB } else { 16 * MIB }
}

/// The ranges of a file: start and length, in bytes.
pub fn ranges(size: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = part_size(size);
    (0..size.div_ceil(part)).map(move |number| (number * part, part.min(size - number * part)))
}

/// The first line of the record of an unfinished file: which content its parts are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    pub key: String,
    pub etag: String,
    /// Bytes of the whole file.
    pub size: u64,
}

/// A part that was written, and its checksum. It counts only if the disk still has it: the record may have reached the
/// disk before the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where the part begins, in bytes.
    pub start: u64,
    /// CRC-64/NVME.
    pub crc64: u64,
}

/// Reads the record of an unfinished file: what it is of, and the checksums of its parts by their beginnings. What is
/// damaged is left out; `None` if that is the first line.
pub fn read(text: &[u8]) -> Option<(Of, BTreeMap<u64, u64>)> {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| std::str::from_utf8(line).unwrap_or_default());
    let of = line::read(lines.next()?)?;
    let parts = lines.filter_map(line::read::<Written>).map(|part| (part.start, part.crc64));
    Some((of, parts.collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_cover_a_file_once(size in 1..200_u64 << 30) {
            let mut end = 0;
            for (start, length) in ranges(size) {
                prop_assert_eq!(start, end);
                prop_assert!((1..=16 * MIB).contains(&length));
                end += length;
            }
            prop_assert_eq!(end, size);
        }
    }

    #[test]
    fn a_record_is_read_as_far_as_it_is_whole() {
        let of = Of { key: "17578/a".into(), etag: "\"x\"".into(), size: 20 * MIB };
        let parts = [Written { start: 8 * MIB, crc64: u64::MAX }, Written { start: 0, crc64: 2 }];
        let mut text = line::written(&of).unwrap();
        text.extend(parts.iter().map(|part| line::written(part).unwrap()));
        let both = [(0, 2), (8 * MIB, u64::MAX)].into();
        assert_eq!(read(text.as_bytes()), Some((of.clone(), both)));
        let cut = &text.as_bytes()[..text.len() - 2];
        assert_eq!(read(cut), Some((of, [(8 * MIB, u64::MAX)].into())));
        assert_eq!(read(&text.as_bytes()[1..]), None);
        assert_eq!(read(b""), None);
    }
}
