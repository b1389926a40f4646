//! How many batches of writes are in flight, and how many writes a second may begin.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

/// Batches at once to begin with, and at most.
const FIRST_AT_ONCE: f64 = 4.0;
const MOST_AT_ONCE: f64 = 64.0;

/// What a batch of writes came to.
pub(crate) trait Ended {
    /// How many of its writes had to be sent again.
    fn sent_again(&self) -> u64;
}

/// The batches in flight, and how many there may be: one more for each round in which none was sent again, half as
/// many after one with such, as TCP does.
pub(crate) struct Pace<R> {
    tasks: JoinSet<(u64, R)>,
    limit: f64,
    /// The number of batches that were begun, and of those before the last halving: what they met is known.
    begun: u64,
    slowed: u64,
}

impl<R: Ended + Send + 'static> Pace<R> {
    pub(crate) fn new() -> Self {
        Self { tasks: JoinSet::new(), limit: FIRST_AT_ONCE, begun: 0, slowed: 0 }
    }

    /// Whether another batch may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.tasks.len() < self.at_once()
    }

    /// Whether no batch is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The number of batches that may be in flight.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and MOST_AT_ONCE")]
    pub(crate) fn at_once(&self) -> usize {
        self.limit as usize
    }

    /// Begins a batch.
    pub(crate) fn spawn(&mut self, batch: impl Future<Output = R> + Send + 'static) {
        self.begun += 1;
        let number = self.begun;
        self.tasks.spawn(async move { (number, batch.await) });
    }

    /// Waits for a batch; `None` if there is none. May be dropped while it waits.
    ///
    /// # Errors
    /// A batch panicked.
    pub(crate) async fn next(&mut self) -> io::Result<Option<R>> {
        let Some(ended) = self.tasks.join_next().await else { return Ok(None) };
        let (number, ended) = ended.map_err(io::Error::other)?;
        if ended.sent_again() == 0 {
            self.limit = (self.limit + 1.0 / self.limit).min(MOST_AT_ONCE);
        } else if number > self.slowed {
            self.limit = (self.limit / 2.0).max(1.0);
            self.slowed = self.begun;
        }
        Ok(Some(ended))
    }
}

/// Whether nothing can be written, so that the rest need not be tried: of `of` writes, `failed` failed and `done` were
/// done.
pub(crate) fn is_hopeless(failed: usize, done: u64, of: u64) -> bool {
    failed as u64 >= 1000.min(of.max(1)) && done == 0
}

/// At most so many writes a second, if there is a limit.
pub(crate) struct Limit {
    per_second: Option<NonZeroU32>,
    /// When the next write may begin.
    free: Instant,
}

impl Limit {
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self { per_second, free: Instant::now() }
    }

    /// The most writes of a batch, so that no wait is longer than a second.
    pub(crate) fn most(&self, batch: usize) -> usize {
        self.per_second.map_or(batch, |per_second| batch.min(per_second.get() as usize))
    }

    /// Whether a write may begin.
    pub(crate) fn is_free(&self) -> bool {
        self.per_second.is_none() || Instant::now() >= self.free
    }

    /// Notes that so many begin.
    pub(crate) fn take(&mut self, writes: usize) {
        if let Some(per_second) = self.per_second {
            let each = Duration::from_secs(1) / per_second.get();
            self.free = self.free.max(Instant::now()) + each * u32::try_from(writes).unwrap_or(u32::MAX);
        }
    }

    /// Waits until a write may begin.
    pub(crate) async fn until_free(&self) {
        tokio::time::sleep_until(self.free).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Ended for u64 {
        fn sent_again(&self) -> u64 {
            *self
        }
    }

    #[tokio::test]
    async fn throttling_halves_the_batches_once_a_round() {
        let mut pace = Pace::<u64>::new();
        for _ in 0..4 {
            pace.spawn(async { 3 });
        }
        assert!(!pace.has_room() && !pace.is_idle());
        for _ in 0..4 {
            pace.next().await.unwrap();
        }
        assert_eq!((pace.at_once(), pace.is_idle()), (2, true), "four batches of one round");
        for _ in 0..3 {
            pace.spawn(async { 0 });
            pace.next().await.unwrap();
        }
        assert_eq!(pace.at_once(), 3);
        assert!(pace.next().await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn writes_begin_at_most_so_often() {
        let (mut limit, begin) = (Limit::new(NonZeroU32::new(10)), Instant::now());
        let mut writes = 0;
        while begin.elapsed() < Duration::from_secs(3) {
            let some = limit.most(25);
            assert!(limit.is_free());
            limit.take(some);
            writes += some;
            limit.until_free().await;
        }
        assert_eq!(writes, 30);
        let unlimited = Limit::new(None);
        assert!(unlimited.is_free() && unlimited.most(25) == 25);
    }

    #[test]
    fn only_failures_are_hopeless() {
        assert!(is_hopeless(3, 0, 3) && is_hopeless(1000, 0, 1_000_000));
        assert!(!is_hopeless(2, 0, 3) && !is_hopeless(1000, 1, 1_000_000) && !is_hopeless(0, 0, 0));
    }
}
