//! Connections that have not logged in, which anybody may open.
//!
//! Beyond the limit one of them ends: the oldest silent one, or else the oldest that talks, so that those that are only held
//! make room at once for a customer, who needs a second. A client that has just connected counts as one that talks, since it
//! is about to; one whose password or key is being looked at keeps its place. If there are many of either, they are a flood,
//! and the oldest of them ends; so it is if one account is tried on many, whatever they do. Other users of the machine make
//! room first. OpenSSH refuses new connections at random
//! (`MaxStartups`), which would shut out customers until the old ones reach their time limit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant};

use super::conversation::{Activity, Conversation};

/// Maximum number of such connections, of all endpoints together; twice that of OpenSSH (`MaxStartups 10:30:100`).
const MAX: usize = 200;
/// Places of connections that have not said anything yet.
const MAX_NEW: usize = MAX / 2;
/// Places of connections whose password or key is being looked at.
const MAX_ATTEMPTS: usize = MAX / 4 * 3;
/// Places of connections that try the same account.
const MAX_OF_ACCOUNT: usize = MAX / 8;
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
        inner.conversations.retain(|conversation| conversation.activity().is_some());
        if inner.conversations.len() < MAX {
            inner.conversations.push(conversation.clone());
            return;
        }
        if let Some(at) = least(&inner.conversations) {
            inner.conversations.remove(at).crowd_out();
            inner.ended += 1;
        }
        inner.conversations.push(conversation.clone());
        if inner.logged.is_none_or(|logged| logged.elapsed() >= LINE) {
            let ended = std::mem::take(&mut inner.ended);
            inner.logged = Some(Instant::now());
            tracing::warn!(ended, limit = MAX, "too many connections without a log-in; ended the oldest");
        }
    }
}

/// The connection that is worth the least. These are in the order of their arrival.
fn least(conversations: &[Conversation]) -> Option<usize> {
    let has_strangers = conversations.iter().any(Conversation::is_strange);
    let activities: Vec<_> =
        conversations.iter().map(|one| one.activity().filter(|_| one.is_strange() || !has_strangers)).collect();
    let oldest = |activity| activities.iter().position(|one| *one == Some(activity));
    let flood = |activity, most| {
        let count = activities.iter().filter(|one| **one == Some(activity)).count();
        if count > most { oldest(activity) } else { None }
    };
    let greedy = || {
        let mut held: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (at, one) in conversations.iter().enumerate().filter(|(at, _)| activities[*at].is_some()) {
            if let Some(account) = one.account() {
                held.entry(account).or_default().push(at);
            }
        }
        let most = held.into_values().max_by_key(Vec::len).filter(|all| all.len() > MAX_OF_ACCOUNT)?;
        most.first().copied()
    };
    oldest(Activity::Silent)
        .or_else(|| flood(Activity::New, MAX_NEW))
        .or_else(greedy)
        .or_else(|| flood(Activity::Attempt, MAX_ATTEMPTS))
        .or_else(|| oldest(Activity::Talking))
        .or_else(|| oldest(Activity::New))
        .or_else(|| oldest(Activity::Attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(waiting: &Waiting) -> Conversation {
        let conversation = Conversation::default();
        waiting.add(&conversation);
        conversation
    }

    #[tokio::test(start_paused = true)]
    async fn flood_ends_the_oldest_first() {
        let waiting = Waiting::default();
        let first = added(&waiting);
        let spoken = added(&waiting);
        spoken.heard();
        let authenticating = added(&waiting);
        authenticating.heard();
        let attempt = authenticating.begin();
        let admitted = added(&waiting);
        admitted.admit();
        let flood: Vec<_> = std::iter::repeat_with(|| added(&waiting)).take(10 * MAX).collect();
        // The oldest silent ones have ended; the newest, and those that have spoken, have not.
        assert_eq!((first.activity(), flood[0].activity()), (None, None));
        assert!(flood.iter().rev().take(MAX - 3).all(|one| one.activity().is_some()));
        assert_eq!(flood.iter().filter(|one| one.activity().is_some()).count(), MAX - 2);
        assert!(spoken.activity().is_some() && authenticating.activity().is_some());
        // Talkative ones drive out those that are quiet, unless an attempt of theirs is looked at.
        for _ in 0..10 * MAX {
            added(&waiting).heard();
        }
        assert!(spoken.activity().is_none() && authenticating.activity().is_some());
        drop(attempt);
    }

    /// Those that have asked for the methods, and then wait, keep nobody out who goes on.
    #[tokio::test(start_paused = true)]
    async fn held_connections_make_room_for_a_key_exchange() {
        let waiting = Waiting::default();
        let held: Vec<_> = std::iter::repeat_with(|| added(&waiting)).take(MAX).collect();
        for one in &held {
            one.heard();
            drop(one.begin());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let customer = added(&waiting);
        customer.heard();
        let mut newer = Vec::new();
        for _ in 1..MAX {
            newer.push(added(&waiting));
            // Byte by byte.
            held.iter().chain(&newer).for_each(Conversation::heard);
        }
        assert!(customer.activity().is_some() && held.iter().all(|one| one.activity().is_none()));
        // An attempt keeps its place.
        let attempt = customer.begin();
        let _newest: Vec<_> = std::iter::repeat_with(|| added(&waiting)).take(10 * MAX).collect();
        assert!(customer.activity().is_some());
        drop(attempt);
    }

    /// A client that has connected, and is about to say something, is not the first to go.
    #[tokio::test(start_paused = true)]
    async fn newcomer_has_a_second_to_speak() {
        let waiting = Waiting::default();
        let talker = || {
            let one = added(&waiting);
            one.heard();
            one
        };
        let old: Vec<_> = std::iter::repeat_with(talker).take(MAX).collect();
        let customer = added(&waiting);
        let newer: Vec<_> = std::iter::repeat_with(talker).take(MAX - 1).collect();
        assert!(customer.activity().is_some() && old.iter().all(|one| one.activity().is_none()));
        tokio::time::advance(Duration::from_secs(2)).await;
        let _newest = talker();
        assert!(customer.activity().is_none() && newer.iter().all(|one| one.activity().is_some()));
    }

    /// Wrong passwords, one after the other on many connections, leave places for a key exchange.
    #[tokio::test(start_paused = true)]
    async fn attempts_have_a_part_of_the_places() {
        let waiting = Waiting::default();
        let attempts: Vec<_> =
            std::iter::repeat_with(|| added(&waiting)).take(MAX).map(|one| (one.begin(), one)).collect();
        let customer = added(&waiting);
        customer.heard();
        let newer: Vec<_> =
            std::iter::repeat_with(|| added(&waiting)).take(MAX_ATTEMPTS - 1).map(|one| (one.begin(), one)).collect();
        assert!(customer.activity().is_some() && attempts[0].1.activity().is_none());
        assert!(newer.iter().all(|(_, one)| one.activity().is_some()));
    }

    /// Wrong passwords for one account on ever new connections end neither a log-in to another account nor the key exchange
    /// before it.
    #[tokio::test(start_paused = true)]
    async fn attempts_at_one_account_leave_places_for_others() {
        let waiting = Waiting::default();
        let attempt_at = |account: &str| {
            let one = added(&waiting);
            one.heard();
            (one.begin_for(account), one)
        };
        let mut flood: Vec<_> = std::iter::repeat_with(|| attempt_at("greedy")).take(MAX).collect();
        let (customer, other) = (added(&waiting), attempt_at("other"));
        customer.heard();
        flood.extend(std::iter::repeat_with(|| attempt_at("greedy")).take(10 * MAX));
        assert!(customer.activity().is_some(), "its key exchange");
        let attempt = customer.begin_for("customer");
        flood.extend(std::iter::repeat_with(|| attempt_at("greedy")).take(10 * MAX));
        assert!([&customer, &other.1].into_iter().all(|one| one.activity() == Some(Activity::Attempt)));
        assert_eq!(flood.iter().filter(|(_, one)| one.activity().is_some()).count(), MAX - 2);
        drop((attempt, flood));
        // The account itself is not shut out: the newest stay.
        assert!(attempt_at("greedy").1.activity().is_some());
    }

    #[tokio::test]
    async fn other_users_make_room_first() {
        let waiting = Waiting::default();
        let ours = added(&waiting);
        ours.heard();
        let strangers: Vec<_> = std::iter::repeat_with(Conversation::of_stranger).take(3 * MAX).collect();
        for stranger in &strangers {
            waiting.add(stranger);
            stranger.heard();
        }
        let customer = added(&waiting);
        assert!([&ours, &customer].into_iter().all(|one| one.activity().is_some()));
        assert_eq!(strangers.iter().filter(|one| one.activity().is_some()).count(), MAX - 2);
    }

    #[tokio::test]
    async fn ended_connections_make_room() {
        let waiting = Waiting::default();
        let patient = added(&waiting);
        for _ in 0..10 * MAX {
            added(&waiting).end();
        }
        assert!(patient.activity().is_some());
    }
}
