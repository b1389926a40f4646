//! Stops reading from a connection while one of its sessions waits for S3 and enough of its requests has arrived.
//!
//! The window of a channel alone lets a client send megabytes ahead of a slow S3, and where it closes, two bytes at a
//! time keep client and server busy. Not reading leaves the bytes where they are, in the socket. It is no answer to
//! every backlog: the answers of a session need the client's window, which is opened by what is read here. So it is
//! only for the time of a write, which waits for S3 and never for the client.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

/// Bytes of requests that a connection takes in while one of its writes waits.
const ENOUGH: i64 = 256 << 10;
/// After so long something is read nevertheless: the answer to a keep-alive is among it, however long S3 takes.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Shared by the stream of a connection and its sessions.
#[derive(Debug, Clone, Default)]
pub(super) struct Intake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: AtomicI64,
    writes: AtomicUsize,
    /// The task that reads from the connection, while it does not.
    reading: Mutex<Option<Waker>>,
}

/// A write that may wait for S3.
pub(super) struct Write(Intake);

impl Drop for Write {
    fn drop(&mut self) {
        self.0.0.writes.fetch_sub(1, Ordering::SeqCst);
        self.0.resume();
    }
}

impl Intake {
    /// Counts bytes of requests that have arrived, or that have been handled if it is negative.
    pub(super) fn count(&self, bytes: i64) {
        self.0.held.fetch_add(bytes, Ordering::SeqCst);
        if bytes < 0 {
            self.resume();
        }
    }

    /// A write begins.
    pub(super) fn write(&self) -> Write {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        Write(self.clone())
    }

    /// Whether nothing more should be read now. If so, the task is woken when that changes.
    pub(super) fn is_full(&self, context: &Context<'_>) -> bool {
        if !self.is_enough() {
            return false;
        }
        *self.0.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        // It may have changed before there was a waker.
        self.is_enough()
    }

    fn is_enough(&self) -> bool {
        self.0.writes.load(Ordering::SeqCst) > 0 && self.0.held.load(Ordering::SeqCst) >= ENOUGH
    }

    fn resume(&self) {
        if self.is_enough() {
            return;
        }
        let waker = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    async fn is_full(intake: &Intake) -> bool {
        poll_fn(|context| Poll::Ready(intake.is_full(context))).await
    }

    #[tokio::test]
    async fn only_a_write_that_waits_stops_the_reading() {
        let intake = Intake::default();
        // As many requests as a client likes to have in flight for a download: its windows come among them.
        intake.count(100 * ENOUGH);
        assert!(!is_full(&intake).await);
        let write = intake.write();
        assert!(is_full(&intake).await);
        intake.count(-99 * ENOUGH - 1);
        assert!(!is_full(&intake).await);
        intake.count(1);
        assert!(is_full(&intake).await);
        drop(write);
        assert!(!is_full(&intake).await);
    }

    #[tokio::test]
    async fn reading_goes_on_when_the_write_is_done() {
        let intake = Intake::default();
        intake.count(ENOUGH);
        let write = intake.write();
        let waiting = intake.clone();
        let reading = tokio::spawn(poll_fn(move |context| match waiting.is_full(context) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }));
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        drop(write);
        reading.await.unwrap();
    }
}
