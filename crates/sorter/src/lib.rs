//! Sorts more records than memory should hold: sorted runs in temporary files, which are then merged.
//!
//! The files have no names: they are readable by this process alone, and gone with it. They lie in the folder for
//! temporary files, which `TMPDIR` sets.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Records of a run. Ten million records are 200 files.
const RUN: usize = 50_000;

/// Gathers the records. Up to a run of them stay in memory.
#[derive(Debug)]
pub struct Sorter<T> {
    run: usize,
    waiting: Vec<T>,
    runs: Vec<File>,
}

impl<T: Ord + Serialize + DeserializeOwned> Default for Sorter<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord + Serialize + DeserializeOwned> Sorter<T> {
    /// With runs of 50,000 records.
    pub fn new() -> Self {
        Self::with_runs_of(RUN)
    }

    /// With this number of records in memory at most.
    pub fn with_runs_of(run: usize) -> Self {
        Self { run, waiting: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// A run could not be written.
    pub fn push(&mut self, record: T) -> io::Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= self.run {
            self.waiting.sort_unstable();
            let mut file = BufWriter::new(tempfile::tempfile()?);
            for record in self.waiting.drain(..) {
                serde_json::to_writer(&mut file, &record)?;
                file.write_all(b"\n")?;
            }
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            self.runs.push(file);
        }
        Ok(())
    }

    /// Records that are in memory.
    pub fn in_memory(&self) -> usize {
        self.waiting.len()
    }

    /// The records in their order.
    ///
    /// # Errors
    /// A run could not be read.
    pub fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.waiting.sort_unstable();
        let memory = Run::Memory(self.waiting.into_iter());
        let files = self.runs.into_iter().map(|file| Run::File(BufReader::new(file), PhantomData));
        let mut sorted = Sorted { runs: files.chain([memory]).collect(), heads: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.refill(run)?;
        }
        Ok(sorted)
    }
}

#[derive(Debug)]
enum Run<T> {
    File(BufReader<File>, PhantomData<fn() -> T>),
    Memory(std::vec::IntoIter<T>),
}

impl<T: DeserializeOwned> Run<T> {
    fn next(&mut self) -> io::Result<Option<T>> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::File(file, _) => {
                let mut line = Vec::new();
                file.read_until(b'\n', &mut line)?;
                if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
            }
        }
    }
}

/// Records in their order. One record of each run is in memory.
#[derive(Debug)]
pub struct Sorted<T> {
    runs: Vec<Run<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Ord + DeserializeOwned> Sorted<T> {
    fn refill(&mut self, run: usize) -> io::Result<()> {
        if let Some(record) = self.runs.get_mut(run).map(Run::next).transpose()?.flatten() {
            self.heads.push(Reverse((record, run)));
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<Option<T>> {
        let Some(Reverse((record, run))) = self.heads.pop() else { return Ok(None) };
        self.refill(run)?;
        Ok(Some(record))
    }
}

impl<T: Ord + DeserializeOwned> Iterator for Sorted<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_disk_are_merged() {
        for (count, run) in [(0_u64, 4), (3, 4), (8, 4), (1_001, 50)] {
            let mut sorter = Sorter::with_runs_of(run);
            for number in 0..count {
                sorter.push((number * 7919 % count, format!("a\nb{number}"))).unwrap();
            }
            let sorted: Vec<u64> = sorter.sorted().unwrap().map(|record| record.unwrap().0).collect();
            let mut expected = sorted.clone();
            expected.sort_unstable();
            assert_eq!(sorted.len() as u64, count);
            assert_eq!(sorted, expected);
        }
    }
}
