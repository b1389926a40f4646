//! The number of a run's writes and the time that they took: the cost of keeping a journal. Only logged.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The writes of one run.
#[derive(Debug, Default)]
pub(super) struct WriteStats {
    writes: AtomicU64,
    microseconds: AtomicU64,
}

impl WriteStats {
    /// Awaits a write and counts it, whether or not it succeeds.
    pub(super) async fn time<T>(&self, write: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let result = write.await;
        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(took, Ordering::Relaxed);
        result
    }

    /// The number of writes, and their total time.
    pub(super) fn sum(&self) -> (u64, Duration) {
        (self.writes.load(Ordering::Relaxed), Duration::from_micros(self.microseconds.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the writes under test take time")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failed_writes_are_counted() {
        let write_stats = WriteStats::default();
        for ok in [true, false] {
            let write = async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                if ok { Ok(()) } else { Err(()) }
            };
            assert_eq!(write_stats.time(write).await.is_ok(), ok);
        }
        assert_eq!(write_stats.sum(), (2, Duration::from_millis(60)));
    }
}
