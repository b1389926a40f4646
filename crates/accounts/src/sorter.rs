//! Sorts more records than memory should hold: sorted runs in a temporary file, which are then merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::spill::Spill;

/// Records of a run: some 10 MB.
const RUN: usize = 30_000;

/// Gathers the records. Up to a run of them stay in memory.
pub(crate) struct Sorter<T> {
    run: usize,
    waiting: Vec<T>,
    runs: Vec<Spill<T>>,
}

impl<T: Ord + Serialize + DeserializeOwned + 'static> Sorter<T> {
    pub(crate) fn new() -> Self {
        Self::with_runs_of(RUN)
    }

    pub(crate) fn with_runs_of(run: usize) -> Self {
        Self { run, waiting: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: T) -> io::Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= self.run {
            self.waiting.sort_unstable();
            let mut run = Spill::new()?;
            for record in self.waiting.drain(..) {
                run.push_to(0, &record)?;
            }
            self.runs.push(run);
        }
        Ok(())
    }

    /// Records that are in memory.
    #[cfg(test)]
    pub(crate) fn in_memory(&self) -> usize {
        self.waiting.len()
    }

    /// The records in their order.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.waiting.sort_unstable();
        let mut runs: Vec<Run<T>> = vec![Box::new(self.waiting.into_iter().map(Ok))];
        for mut run in self.runs {
            runs.push(Box::new(run.read(0)?));
        }
        let mut sorted = Sorted { runs, heads: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.refill(run)?;
        }
        Ok(sorted)
    }
}

type Run<T> = Box<dyn Iterator<Item = io::Result<T>>>;

/// Records in their order, of which one of each run is in memory.
pub(crate) struct Sorted<T> {
    runs: Vec<Run<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Ord> Sorted<T> {
    fn refill(&mut self, run: usize) -> io::Result<()> {
        if let Some(next) = self.runs.get_mut(run).and_then(Iterator::next) {
            self.heads.push(Reverse((next?, run)));
        }
        Ok(())
    }
}

impl<T: Ord> Iterator for Sorted<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((record, run)) = self.heads.pop()?;
        Some(self.refill(run).map(|()| record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_merged() {
        for run in [1, 7, 1_000] {
            let mut sorter = Sorter::with_runs_of(run);
            for number in 0..100_u64 {
                sorter.push((number * 37 % 100, number)).unwrap();
            }
            let sorted: Vec<(u64, u64)> = sorter.sorted().unwrap().collect::<io::Result<_>>().unwrap();
            assert!(sorted.is_sorted() && sorted.len() == 100, "{run}");
        }
    }
}
