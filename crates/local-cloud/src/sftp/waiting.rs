//! Connections that have not logged in, which anybody may open.
//!
//! Beyond the limit the connection that has come least far ends, the oldest of them first, so that silent connections
//! make room for a customer at once. OpenSSH refuses new ones at random (`MaxStartups`), which would shut out customers
//! until the old ones reach their time limit.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

use super::conversation::Conversation;

/// Maximum number of such connections, of all endpoints together, as in OpenSSH (`MaxStartups 10:30:100`).
const MAX: usize = 100;
/// A flood gets one line in the log in this time.
const LINE: Duration = Duration::from_secs(1);

/// The connections without a log-in.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// In the order of their arrival.
    conversations: Vec<Conversation>,
    /// Connections ended since the last line in the log, and its time.
    ended: usize,
    logged: Option<Instant>,
}

impl Waiting {
    /// Adds a connection, and ends another one if there are too many.
    pub(super) fn add(&self, conversation: &Conversation) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.conversations.retain(|conversation| conversation.progress().is_some());
        if inner.conversations.len() < MAX {
            inner.conversations.push(conversation.clone());
            return;
        }
        // The first of those that have come equally far is the oldest.
        let progress = inner.conversations.iter().enumerate().filter_map(|(at, one)| Some((one.progress()?, at)));
        if let Some((_, at)) = progress.min() {
            inner.conversations.remove(at).crowd_out();
            inner.ended += 1;
        }
        inner.conversations.push(conversation.clone());
        if inner.logged.is_none_or(|logged| logged.elapsed() >= LINE) {
            let ended = std::mem::take(&mut inner.ended);
            inner.logged = Some(Instant::now());
            tracing::warn!(ended, limit = MAX, "too many connections without a log-in; ended those least advanced");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(waiting: &Waiting) -> Conversation {
        let conversation = Conversation::default();
        waiting.add(&conversation);
        conversation
    }

    #[test]
    fn flood_ends_silent_connections_first() {
        let waiting = Waiting::default();
        let first = added(&waiting);
        let spoken = added(&waiting);
        spoken.heard();
        let authenticating = added(&waiting);
        authenticating.heard();
        drop(authenticating.begin());
        let admitted = added(&waiting);
        admitted.admit();
        let flood: Vec<_> = std::iter::repeat_with(|| added(&waiting)).take(10 * MAX).collect();
        // The oldest silent ones have ended; the newest, and those that have spoken, have not.
        assert_eq!((first.progress(), flood[0].progress()), (None, None));
        assert!(flood.iter().rev().take(MAX - 3).all(|one| one.progress().is_some()));
        assert_eq!(flood.iter().filter(|one| one.progress().is_some()).count(), MAX - 2);
        assert!(spoken.progress().is_some() && authenticating.progress().is_some());
        // Talkative ones drive out those that have not begun to authenticate.
        for _ in 0..10 * MAX {
            added(&waiting).heard();
        }
        assert!(spoken.progress().is_none() && authenticating.progress().is_some());
    }

    #[test]
    fn ended_connections_make_room() {
        let waiting = Waiting::default();
        let patient = added(&waiting);
        for _ in 0..10 * MAX {
            added(&waiting).end();
        }
        assert!(patient.progress().is_some());
    }
}
