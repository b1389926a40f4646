//! Bytes of an upload that came ahead of their turn.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Memory that a piece takes besides its bytes, at most.
const PIECE: usize = 128;

/// Pieces by their offset. They do not overlap: as in a file, later bytes replace earlier ones.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pieces: BTreeMap<u64, Bytes>,
    held: usize,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of memory that the pieces take.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The end of the last piece.
    pub(super) fn end(&self) -> Option<u64> {
        self.pieces.last_key_value().map(|(start, piece)| start + piece.len() as u64)
    }

    /// Adds bytes at `offset`, over what is there. Their end is a valid offset.
    pub(super) fn put(&mut self, offset: u64, data: Bytes) {
        let end = offset + data.len() as u64;
        let over = self.pieces.range(..end).rev().map(|(start, piece)| (*start, start + piece.len() as u64));
        let over: Vec<_> = over.take_while(|(_, after)| *after > offset).collect();
        for (start, after) in over {
            let Some(piece) = self.take(start) else { continue };
            // Copies, because a slice would keep the whole piece in memory.
            if start < offset {
                self.insert(start, Bytes::copy_from_slice(&piece[..length(offset - start)]));
            }
            if after > end {
                self.insert(end, Bytes::copy_from_slice(&piece[length(end - start)..]));
            }
        }
        self.insert(offset, data);
    }

    fn insert(&mut self, offset: u64, piece: Bytes) {
        self.held += piece.len() + PIECE;
        self.pieces.insert(offset, piece);
    }

    /// Removes the piece that begins at `offset`.
    pub(super) fn take(&mut self, offset: u64) -> Option<Bytes> {
        let piece = self.pieces.remove(&offset)?;
        self.held -= piece.len() + PIECE;
        Some(piece)
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_bytes_replace_earlier_ones() {
        let mut ahead = Ahead::default();
        for (offset, data) in [(10, "aaaa"), (16, "bbbb"), (12, "cccccc"), (13, "d"), (30, "e")] {
            ahead.put(offset, data.into());
        }
        let pieces: Vec<_> = ahead.pieces.iter().map(|(start, piece)| (*start, piece.clone())).collect();
        let expected = [(10, "aa"), (12, "c"), (13, "d"), (14, "cccc"), (18, "bb"), (30, "e")];
        assert_eq!(pieces, expected.map(|(start, piece)| (start, piece.into())));
        assert_eq!((ahead.held(), ahead.end()), (11 + 6 * PIECE, Some(31)));
        assert_eq!(ahead.take(30), Some("e".into()));
        assert_eq!((ahead.held(), ahead.end()), (10 + 5 * PIECE, Some(20)));
    }
}
