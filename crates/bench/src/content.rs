//! What is in the files: the same bytes for the same seed, so that a worker can check what another one has put. Nothing
//! is kept on a disk. Pure.

use serde::{Deserialize, Serialize};
use sftpctl_files::checksum;

use crate::memory::{Pages, page_before};
use crate::size::Size;

/// The kind of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Words of a dictionary in lines, so that a compression shows.
    Text,
    /// Random bytes, which nothing compresses.
    Binary,
}

impl Content {
    pub const ALL: [Self; 2] = [Self::Text, Self::Binary];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// Bytes of the pool that a file is cut from. Longer than the window of any common compression.
const POOL: usize = 4 << 20;
/// Bytes that are written and read at once.
pub const PIECE: usize = 1 << 20;

/// The bytes of files of one kind and seed.
pub struct Source {
    pool: Pages,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// The bytes for this seed.
    pub fn new(content: Content, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut pages = Pages::new(POOL);
        match content {
            Content::Binary => random.fill(pages.bytes_mut()),
            Content::Text => {
                let mut pool = Vec::with_capacity(POOL + 16);
                let mut column = 0;
                while pool.len() < POOL {
                    let word = WORDS.get(random.usize(..WORDS.len())).copied().unwrap_or_default();
                    pool.extend_from_slice(word.as_bytes());
                    column += word.len() + 1;
                    pool.push(if column > 72 { b'\n' } else { b' ' });
                    if column > 72 {
                        column = 0;
                    }
                }
                pool.truncate(POOL);
                pages.bytes_mut().copy_from_slice(&pool);
            }
        }
        Self { pool: pages }
    }

    /// The pieces of a file of this size, in order; each at most [`PIECE`] bytes. A piece begins at another place of
    /// the pool than the one before, so that pieces in the wrong order do not look right.
    pub fn pieces(&self, size: Size) -> impl Iterator<Item = &[u8]> {
        let count = size.0.div_ceil(PIECE as u64);
        (0..count).map(move |number| {
            let rest = size.0 - number * PIECE as u64;
            let length = usize::try_from(rest).unwrap_or(PIECE).min(PIECE);
            let room = (POOL - PIECE + 1) as u64;
            let start = page_before(usize::try_from(number.wrapping_mul(1_000_003) % room).unwrap_or_default());
            self.pool.bytes().get(start..start + length).unwrap_or_default()
        })
    }

    /// The checksum of a file of this size.
    pub fn checksum(&self, size: Size) -> u64 {
        let mut running = checksum::Running::default();
        self.pieces(size).for_each(|piece| running.update(piece));
        running.value()
    }
}

/// Common words of English, chosen for this program.
const WORDS: [&str; 128] = [
    "able", "about", "account", "across", "address", "after", "again", "agree", "allow", "almost", "amount", "answer",
    "apple", "arrive", "autumn", "balance", "basket", "because", "before", "begin", "behind", "better", "between",
    "bottle", "branch", "bridge", "bright", "build", "butter", "candle", "carry", "center", "change", "choose",
    "circle", "clean", "clear", "climb", "cloud", "coffee", "color", "common", "copper", "corner", "cotton", "cover",
    "cross", "daily", "danger", "decide", "deliver", "desk", "differ", "dinner", "direct", "distance", "double",
    "early", "east", "engine", "enough", "evening", "every", "example", "family", "farmer", "field", "figure",
    "finger", "finish", "flower", "follow", "forest", "forward", "friend", "garden", "gather", "general", "ground",
    "happen", "harbor", "heavy", "history", "honest", "hundred", "income", "invoice", "island", "january", "kitchen",
    "ladder", "language", "letter", "market", "measure", "member", "message", "minute", "morning", "mountain",
    "number", "office", "order", "paper", "payment", "people", "picture", "planet", "pocket", "quarter", "question",
    "ready", "record", "report", "river", "second", "service", "silver", "simple", "station", "summer", "table",
    "ticket", "travel", "upload", "value", "window", "yellow",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_the_same_for_the_same_seed_and_another_for_another() {
        for content in Content::ALL {
            let (one, same, other) = (Source::new(content, 7), Source::new(content, 7), Source::new(content, 8));
            let size = Size(3_500_000);
            assert_eq!(one.checksum(size), same.checksum(size));
            assert_ne!(one.checksum(size), other.checksum(size));
            let pieces: Vec<&[u8]> = one.pieces(size).collect();
            assert_eq!(pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(), size.0);
            assert_ne!(pieces[0], pieces[1]);
            assert_eq!(one.checksum(size), checksum::of(&pieces.concat()));
        }
        let text = Source::new(Content::Text, 1);
        let bytes: Vec<u8> = text.pieces(Size(2000)).flatten().copied().collect();
        assert!(bytes.iter().all(|byte| byte.is_ascii_lowercase() || b" \n".contains(byte)));
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() < 90));
    }

    #[test]
    fn the_sizes_of_2019_need_no_memory_of_their_own() {
        let source = Source::new(Content::Binary, 1);
        assert_eq!(source.pieces(Size(5_000_000_000)).map(|piece| piece.len() as u64).sum::<u64>(), 5_000_000_000);
        assert_eq!(source.pieces(Size(1)).count(), 1);
    }
}
