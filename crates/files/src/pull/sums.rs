//! Checksums of whole files, from the checksums of their parts, as S3 computes them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest, checksum_combine};
use serde::{Deserialize, Serialize};
use sftpctl_aws::StoredChecksum;

use crate::checksum::{self, Running};

/// What a downloaded file was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    Crc64Nvme,
    Crc32c,
    Crc32,
    /// S3 has no checksum of the whole content: the number of bytes, each from the content with the ETag.
    Size,
}

impl Compared {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Crc32 => "crc32",
            Self::Size => "size",
        }
    }

    fn algorithm(self) -> Option<CrcAlgorithm> {
        match self {
            // Every file has this one anyway.
            Self::Crc64Nvme | Self::Size => None,
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        }
    }
}

/// The checksum that a file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub kind: Compared,
    value: u64,
}

impl Expected {
    /// From what S3 keeps. A checksum that cannot be read is none.
    pub fn of(stored: Option<&StoredChecksum>) -> Self {
        let read = |kind, value: Option<u64>| value.map(|value| Self { kind, value });
        let expected = match stored {
            Some(StoredChecksum::Crc64Nvme(text)) => read(Compared::Crc64Nvme, checksum::parse(text)),
            Some(StoredChecksum::Crc32c(text)) => read(Compared::Crc32c, parse32(text)),
            Some(StoredChecksum::Crc32(text)) => read(Compared::Crc32, parse32(text)),
            None => None,
        };
        expected.unwrap_or(Self { kind: Compared::Size, value: 0 })
    }

    /// Whether these are the checksums of the content.
    pub fn fits(self, sums: Sums) -> bool {
        match self.kind {
            Compared::Size => true,
            Compared::Crc64Nvme => sums.crc64 == self.value,
            Compared::Crc32c | Compared::Crc32 => sums.other == Some(self.value),
        }
    }
}

/// Base64 of the bytes, the highest first (S3 API reference, `ChecksumCRC32`).
fn parse32(text: &str) -> Option<u64> {
    STANDARD.decode(text).ok()?.try_into().ok().map(|bytes| u64::from(u32::from_be_bytes(bytes)))
}

/// The checksums of some bytes: CRC-64/NVME, and the one that S3 has in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    pub crc64: u64,
    pub other: Option<u64>,
}

/// Computes [`Sums`] piece by piece.
pub struct Summing {
    crc64: Running,
    other: Option<Digest>,
}

impl Summing {
    /// For a file that is compared in this way.
    pub fn new(kind: Compared) -> Self {
        Self { crc64: Running::default(), other: kind.algorithm().map(Digest::new) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.crc64.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
    }

    pub fn value(&self) -> Sums {
        Sums { crc64: self.crc64.value(), other: self.other.as_ref().map(Digest::finalize) }
    }
}

/// The checksums of pieces that follow each other, each with its length in bytes.
pub fn joined(kind: Compared, pieces: impl IntoIterator<Item = (Sums, u64)>) -> Sums {
    pieces.into_iter().fold(Summing::new(kind).value(), |all, (piece, length)| Sums {
        crc64: checksum::joined(all.crc64, piece.crc64, length),
        other: kind.algorithm().and_then(|of| Some(checksum_combine(of, all.other?, piece.other?, length))),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Compared; 4] = [Compared::Crc64Nvme, Compared::Crc32c, Compared::Crc32, Compared::Size];

    fn of(kind: Compared, bytes: &[u8]) -> Sums {
        let mut summing = Summing::new(kind);
        summing.update(bytes);
        summing.value()
    }

    /// The catalogue's check values (reveng.sourceforge.io).
    #[test]
    fn checksums_are_those_of_the_catalogue() {
        let base64 = |value: u32| STANDARD.encode(value.to_be_bytes());
        for (stored, kind) in [
            (StoredChecksum::Crc64Nvme("rosUhgp5mIg=".into()), Compared::Crc64Nvme),
            (StoredChecksum::Crc32c(base64(0xe306_9283)), Compared::Crc32c),
            (StoredChecksum::Crc32(base64(0xcbf4_3926)), Compared::Crc32),
        ] {
            let expected = Expected::of(Some(&stored));
            assert_eq!(expected.kind, kind);
            assert!(expected.fits(of(kind, b"123456789")) && !expected.fits(of(kind, b"123456780")), "{kind:?}");
        }
    }

    #[test]
    fn without_a_readable_checksum_the_size_counts() {
        for stored in [None, Some(StoredChecksum::Crc32("?".into())), Some(StoredChecksum::Crc64Nvme("YQ==".into()))] {
            assert_eq!(Expected::of(stored.as_ref()).kind, Compared::Size);
        }
    }

    proptest! {
        #[test]
        fn checksums_of_pieces_are_that_of_the_whole(pieces: Vec<Vec<u8>>) {
            for kind in KINDS {
                let all = joined(kind, pieces.iter().map(|piece| (of(kind, piece), piece.len() as u64)));
                prop_assert_eq!(all, of(kind, &pieces.concat()));
            }
        }
    }
}
