//! CRC-64/NVME, the checksum of whole objects. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest, checksum_combine};

/// The checksum of bytes.
pub fn of(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// A checksum that is computed piece by piece.
pub struct Running(Digest);

impl Default for Running {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.0.finalize()).finish()
    }
}

impl Running {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The checksum of two pieces after each other, the second of which has this length.
pub fn joined(first: u64, second: u64, length: u64) -> u64 {
    checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, length)
}

/// As S3 writes it: base64 of the bytes, the highest first (S3 API reference, `ChecksumCRC64NVME`).
pub fn text(checksum: u64) -> String {
    STANDARD.encode(checksum.to_be_bytes())
}

/// The checksum of a text; `None` if it is not one.
pub fn parse(text: &str) -> Option<u64> {
    STANDARD.decode(text).ok()?.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_pieces_are_that_of_the_whole() {
        // The catalogue's check value (reveng.sourceforge.io, CRC-64/NVME).
        assert_eq!(of(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(text(of(b"123456789")), "rosUhgp5mIg=");
        assert_eq!(joined(of(b"1234"), of(b"56789"), 5), of(b"123456789"));
        assert_eq!(joined(of(b""), of(b"1"), 1), of(b"1"));
        let mut running = Running::default();
        running.update(b"1234");
        running.update(b"56789");
        assert_eq!(running.value(), of(b"123456789"));
        assert_eq!((parse("rosUhgp5mIg="), parse("rosUhgp5mIg=-2"), parse("")), (Some(of(b"123456789")), None, None));
    }
}
