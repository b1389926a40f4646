//! What a session has received and not handled yet. The SSH library opens the window again as soon as bytes arrive, so
//! that a client that sends requests and reads no answers would fill the memory.
//!
//! Waiting for room would not do: the library takes in the answers of the sessions, and opens the client's window for
//! them, in the same task as it takes in requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::intake::Intake;

/// The window of a channel, in bytes.
pub(super) const WINDOW: u32 = 4 << 20;
/// The smallest window that the library opens again: with it, a client goes on once its requests are handled.
const LEAST_WINDOW: u32 = 2;
/// Bytes of a backlog from which the window is the smallest.
const MUCH: i64 = 8 << 20;
/// Bytes of a backlog that only a client sends that ignores the window: that of before and the next.
const TOO_MUCH: i64 = MUCH + 3 * WINDOW as i64;

/// The backlog of a session. It may be below zero for a moment: the library gives bytes to the session before it tells
/// of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: AtomicI64,
    /// Counts the backlogs of all sessions of the connection.
    intake: Intake,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.intake.count(-*self.bytes.get_mut());
    }
}

impl Backlog {
    /// That of a session of a connection.
    pub(super) fn new(intake: Intake) -> Self {
        Self(Arc::new(Inner { bytes: AtomicI64::default(), intake }))
    }

    /// Bytes have arrived. `false` if the client sends more than it may.
    pub(super) fn received(&self, bytes: usize) -> bool {
        self.0.intake.count(signed(bytes));
        self.0.bytes.fetch_add(signed(bytes), Ordering::Relaxed).saturating_add(signed(bytes)) <= TOO_MUCH
    }

    /// Bytes have been handled.
    pub(super) fn handled(&self, bytes: usize) {
        self.0.bytes.fetch_sub(signed(bytes), Ordering::Relaxed);
        self.0.intake.count(-signed(bytes));
    }

    /// The window that the client gets next.
    pub(super) fn window(&self) -> u32 {
        if self.0.bytes.load(Ordering::Relaxed) < MUCH { WINDOW } else { LEAST_WINDOW }
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_closes_until_requests_are_handled() {
        let backlog = Backlog::default();
        let (much, three_windows) = (8 << 20, 3 * (4 << 20));
        backlog.handled(100);
        assert!(backlog.received(much - 1 + 100));
        assert_eq!(backlog.window(), WINDOW);
        assert!(backlog.received(1 + three_windows));
        assert_eq!(backlog.window(), LEAST_WINDOW);
        assert!(!backlog.received(1), "whatever the window is");
        backlog.handled(much + three_windows);
        assert_eq!(backlog.window(), WINDOW);
    }
}
