//! UTF-16, which Excel calls Unicode text, read as UTF-8.

use std::io::{self, BufReader, Read};

/// The order of the two bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// The order that the mark at the beginning shows.
    pub(crate) fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [0xff, 0xfe, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] => Some(Self::Big),
            _ => None,
        }
    }
}

/// A reader of UTF-8 over one of UTF-16. What is not UTF-16 becomes a byte that is not UTF-8, so that it is found in
/// its line.
pub(crate) struct Utf16<R> {
    inner: BufReader<R>,
    order: Order,
    /// The first half of a pair.
    high: Option<u16>,
    is_begun: bool,
    out: Vec<u8>,
    /// Bytes of `out` that have been read.
    taken: usize,
}

const INVALID: u8 = 0xff;

impl<R: Read> Utf16<R> {
    pub(crate) fn new(inner: R, order: Order) -> Self {
        Self { inner: BufReader::new(inner), order, high: None, is_begun: false, out: Vec::new(), taken: 0 }
    }

    fn unit(&mut self) -> io::Result<Option<u16>> {
        let mut pair = [0; 2];
        let mut length = 0;
        while let Some(rest) = pair.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(match (length, self.order) {
            (0, _) => None,
            // Half a unit: no character is 0xDFFF alone.
            (1, _) => Some(0xdfff),
            (_, Order::Little) => Some(u16::from_le_bytes(pair)),
            (_, Order::Big) => Some(u16::from_be_bytes(pair)),
        })
    }

    fn push(&mut self, c: char) {
        self.out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.taken = 0;
        while self.out.len() < 8 * 1024 {
            let Some(unit) = self.unit()? else {
                if self.high.take().is_some() {
                    self.out.push(INVALID);
                }
                break;
            };
            if !std::mem::replace(&mut self.is_begun, true) && unit == 0xfeff {
                continue;
            }
            self.decode(unit);
        }
        Ok(())
    }

    fn decode(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(c)) = char::decode_utf16([high, unit]).next() {
                return self.push(c);
            }
            self.out.push(INVALID);
        }
        match char::from_u32(u32::from(unit)) {
            Some(c) => self.push(c),
            None if unit < 0xdc00 => self.high = Some(unit),
            None => self.out.push(INVALID),
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.out.len() {
            self.fill()?;
        }
        let mut rest = self.out.get(self.taken..).unwrap_or_default();
        let length = rest.read(into)?;
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(units: &[u16]) -> Vec<u8> {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let mut out = Vec::new();
        Utf16::new(&*bytes, Order::Little).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn halves_of_pairs_are_not_characters() {
        assert_eq!(read(&[0xfeff, 0x61, 0xd83d, 0xde00]), "a😀".as_bytes());
        assert_eq!(read(&[0xd83d, 0xd83d, 0xde00]), [&[INVALID], "😀".as_bytes()].concat());
        assert_eq!(read(&[0xde00, 0x61]), [INVALID, b'a']);
        assert_eq!(read(&[0xd83d, 0x61]), [INVALID, b'a']);
        assert_eq!(read(&[0x61, 0xd83d]), [b'a', INVALID]);
        let mut out = Vec::new();
        Utf16::new(&b"a\0b"[..], Order::Little).read_to_end(&mut out).unwrap();
        assert_eq!(out, [b'a', INVALID]);
    }
}
