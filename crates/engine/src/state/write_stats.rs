//! How often a run wrote its records and how long that took: what keeping a journal costs. It never writes, and decides
//! nothing.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The writes of one run so far.
#[derive(Debug, Default)]
pub(super) struct Meter {
    writes: AtomicU64,
    microseconds: AtomicU64,
}

impl Meter {
    /// Does a write and counts it, whatever comes of it.
    pub(super) async fn time<T>(&self, write: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let result = write.await;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(took, Ordering::Relaxed);
        result
    }

    /// How many, and how long all of them took.
    pub(super) fn sum(&self) -> (u64, Duration) {
        (self.writes.load(Ordering::Relaxed), Duration::from_micros(self.microseconds.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "what is tested takes its time")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn writes_that_fail_take_their_time_too() {
        let meter = Meter::default();
        for ok in [true, false] {
            let write = async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                if ok { Ok(()) } else { Err(()) }
            };
            assert_eq!(meter.time(write).await.is_ok(), ok);
        }
        assert_eq!(meter.sum(), (2, Duration::from_millis(60)));
    }
}
