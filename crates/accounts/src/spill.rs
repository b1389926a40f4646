//! Records on disk, in parts by their keys, so that what belongs together is found together: a part is usually small enough
//! to be held in memory.
//!
//! The file has no name: it is readable by this process alone, and gone with it. It lies in the folder for temporary
//! files, which `TMPDIR` sets.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bulk::spread::part_of;

/// Parts of a spill: a million rows are some 8,000 to a part.
pub(crate) const PARTS: usize = 128;
/// Bytes that a part gathers before they are written.
const BLOCK: usize = 8 << 10;

/// Records in parts; what belongs together is in one part.
pub(crate) struct Spill<T> {
    file: Arc<File>,
    /// The end of the file.
    length: u64,
    parts: Vec<Part>,
    count: u64,
    of: PhantomData<fn(T) -> T>,
}

/// A part: where its blocks are in the file, and what is not written yet.
#[derive(Default)]
struct Part {
    blocks: Vec<(u64, usize)>,
    waiting: Vec<u8>,
}

impl<T: Serialize + DeserializeOwned> Spill<T> {
    /// An empty spill.
    pub(crate) fn new() -> io::Result<Self> {
        let parts = std::iter::repeat_with(Part::default).take(PARTS).collect();
        Ok(Self { file: Arc::new(tempfile::tempfile()?), length: 0, parts, count: 0, of: PhantomData })
    }

    /// Adds a record to the part of its key.
    pub(crate) fn push(&mut self, key: &[u8], record: &T) -> io::Result<()> {
        self.push_to(part_of(key, PARTS), record)
    }

    /// Adds a record to a part; to the last if there is no such part.
    pub(crate) fn push_to(&mut self, part: usize, record: &T) -> io::Result<()> {
        let Some(part) = self.parts.get_mut(part.min(PARTS - 1)) else { return Ok(()) };
        serde_json::to_writer(&mut part.waiting, record)?;
        part.waiting.push(b'\n');
        self.count += 1;
        if part.waiting.len() >= BLOCK {
            self.file.write_all_at(&part.waiting, self.length)?;
            part.blocks.push((self.length, part.waiting.len()));
            self.length += part.waiting.len() as u64;
            part.waiting.clear();
        }
        Ok(())
    }

    /// The number of records.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The records of a part, in the order in which they were added, with a block of them in memory.
    pub(crate) fn read(&mut self, part: usize) -> io::Result<impl Iterator<Item = io::Result<T>> + use<T>> {
        let (blocks, waiting) = match self.parts.get(part) {
            Some(part) => (part.blocks.clone(), part.waiting.clone()),
            None => (Vec::new(), Vec::new()),
        };
        let (file, blocks) = (Arc::clone(&self.file), blocks.into_iter());
        Ok(Records { file, blocks, waiting: Some(waiting), bytes: Vec::new(), at: 0, of: PhantomData })
    }

    /// All records, part by part.
    pub(crate) fn all(&mut self) -> Reader<'_, T> {
        Reader { spill: self, part: 0, waiting: Vec::new().into_iter() }
    }
}

struct Records<T> {
    file: Arc<File>,
    blocks: std::vec::IntoIter<(u64, usize)>,
    /// What is not in the file, and is read last.
    waiting: Option<Vec<u8>>,
    /// A block: whole records.
    bytes: Vec<u8>,
    at: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at >= self.bytes.len() {
            self.at = 0;
            let Some((start, length)) = self.blocks.next() else {
                self.bytes = self.waiting.take()?;
                continue;
            };
            self.bytes.resize(length, 0);
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, start) {
                return Some(Err(error));
            }
        }
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
        self.at += line.len() + 1;
        Some(serde_json::from_slice(line).map_err(io::Error::from))
    }
}

/// Reads a spill to its end, with one part in memory.
pub(crate) struct Reader<'a, T> {
    spill: &'a mut Spill<T>,
    part: usize,
    waiting: std::vec::IntoIter<T>,
}

impl<T: Serialize + DeserializeOwned> Reader<'_, T> {
    /// The next records, `most` unless it is the end; none at the end.
    pub(crate) fn take(&mut self, most: usize) -> io::Result<Vec<T>> {
        let mut some = Vec::new();
        loop {
            some.extend(self.waiting.by_ref().take(most - some.len()));
            if some.len() == most || self.part == PARTS {
                return Ok(some);
            }
            self.waiting = self.spill.read(self.part)?.collect::<io::Result<Vec<T>>>()?.into_iter();
            self.part += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_one_key_is_in_one_part_in_its_order() {
        let mut spill = Spill::new().unwrap();
        for number in 0..10_000_u32 {
            spill.push(&(number % 500).to_be_bytes(), &(number % 500, number)).unwrap();
        }
        assert_eq!(spill.count(), 10_000);
        let mut seen = std::collections::BTreeMap::<u32, (usize, Vec<u32>)>::new();
        let mut sizes = Vec::new();
        for part in 0..PARTS {
            let records: Vec<(u32, u32)> = spill.read(part).unwrap().collect::<io::Result<_>>().unwrap();
            sizes.push(records.len());
            for (key, number) in records {
                let (of, numbers) = seen.entry(key).or_insert((part, Vec::new()));
                assert_eq!(*of, part, "one part for a key");
                numbers.push(number);
            }
        }
        assert!(seen.values().all(|(_, numbers)| numbers.len() == 20 && numbers.is_sorted()));
        assert!(sizes.iter().all(|size| *size < 300), "spread evenly: {sizes:?}");
        let mut reader = spill.all();
        let mut count = 0;
        loop {
            let some = reader.take(7).unwrap();
            assert!(some.len() == 7 || count + some.len() == 10_000, "full, although the parts end in between");
            if some.is_empty() {
                break;
            }
            count += some.len();
        }
        assert_eq!(count, 10_000);
    }
}
