//! A client's conversation until its log-in: counts refused attempts, and detects requests that get no answer.
//!
//! The SSH library drops a second request for the service `ssh-userauth` without an answer. paramiko sends one before
//! each further attempt, and would wait for its timeout. The library has no hook for it, but the connection's stream
//! and the calls of the handler show it: bytes arrive, no attempt follows, and nothing is sent.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::Disconnect;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::places::NoPlace;

/// Maximum number of failed attempts per connection, as in OpenSSH. The initial `none` is not an attempt.
pub(super) const MAX_ATTEMPTS: usize = 6;

/// Time after which bytes of the client without an answer count as a dropped request. The library answers within
/// milliseconds, and waits at most 100 ms after a refusal.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Why a connection ends before its log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    TooManyAttempts,
    Unanswered,
    /// Other connections took its place ([`super::waiting`]).
    CrowdedOut,
    NoPlace(NoPlace),
}

impl Ending {
    /// The code and the text of the disconnect message.
    pub(super) fn message(self) -> (Disconnect, &'static str) {
        match self {
            Self::TooManyAttempts => (Disconnect::NoMoreAuthMethodsAvailable, "Too many authentication failures"),
            Self::Unanswered => (
                Disconnect::ProtocolError,
                "the service ssh-userauth can be requested once on a connection; reconnect for another attempt",
            ),
            Self::CrowdedOut => (Disconnect::TooManyConnections, "too many connections without a log-in"),
            Self::NoPlace(NoPlace::Full) => {
                (Disconnect::TooManyConnections, "too many clients are logged in; try again later")
            }
            Self::NoPlace(NoPlace::Share) => {
                (Disconnect::TooManyConnections, "too many clients are logged in to this account; close some")
            }
        }
    }
}

/// Time in which a client that has just connected says something; OpenSSH does at once.
const NEW: Duration = Duration::from_secs(1);

/// Shared by the handler, the stream, and the task that ends the connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversation(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    opened: Instant,
    /// Another user of the machine has connected.
    is_strange: bool,
    /// Bytes have come from the client.
    has_spoken: bool,
    /// The account of its last attempt.
    account: Option<Arc<str>>,
    crowded_out: bool,
    turned_away: Option<NoPlace>,
    /// Calls of the handler in progress.
    working: usize,
    failures: usize,
    /// Since when the client has been waiting for an answer.
    waiting: Option<Instant>,
    /// A keep-alive was sent; the next bytes answer it.
    asked: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            stage: Stage::default(),
            opened: Instant::now(),
            is_strange: false,
            has_spoken: false,
            account: None,
            crowded_out: false,
            turned_away: None,
            working: 0,
            failures: 0,
            waiting: None,
            asked: false,
        }
    }
}

/// What a client that has not logged in does.
///
/// Neither how far it has come counts, nor when it said something last: asking for the methods costs nothing, and single bytes
/// of a packet cost as little. Otherwise connections that are only held would keep their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It has not said anything yet.
    New,
    /// It has not said anything for a second.
    Silent,
    Talking,
    /// An attempt is looked at.
    Attempt,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    KeyExchange,
    Authentication,
    Over,
}

/// One call of the handler.
pub(super) struct Attempt(Conversation);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.working -= 1;
            state.waiting = Some(Instant::now());
        });
    }
}

impl Conversation {
    /// That of a connection of another user of the machine.
    pub(super) fn of_stranger() -> Self {
        let conversation = Self::default();
        conversation.state().is_strange = true;
        conversation
    }

    pub(super) fn is_strange(&self) -> bool {
        self.state().is_strange
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_one();
    }

    /// Records bytes from the client.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        state.has_spoken = true;
        if state.stage != Stage::Authentication || std::mem::take(&mut state.asked) || state.waiting.is_some() {
            return;
        }
        state.waiting = Some(Instant::now());
        drop(state);
        self.0.changed.notify_one();
    }

    /// Records bytes to the client.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if state.stage == Stage::Authentication {
            state.asked = state.waiting.take().is_none();
        }
    }

    /// An attempt of the client to log in to an account has begun.
    pub(super) fn begin_for(&self, account: &str) -> Attempt {
        self.change(|state| state.account = Some(account.into()));
        self.begin()
    }

    /// The account that the client has tried last.
    pub(super) fn account(&self) -> Option<Arc<str>> {
        self.state().account.clone()
    }

    /// An attempt of the client has begun.
    pub(super) fn begin(&self) -> Attempt {
        self.change(|state| {
            state.working += 1;
            if state.stage == Stage::KeyExchange {
                state.stage = Stage::Authentication;
            }
        });
        Attempt(self.clone())
    }

    /// An attempt has failed.
    pub(super) fn refused(&self) {
        self.change(|state| state.failures += 1);
    }

    /// Whether the client has used up its attempts.
    pub(super) fn is_exhausted(&self) -> bool {
        self.state().failures >= MAX_ATTEMPTS
    }

    /// The client has logged in.
    pub(super) fn admit(&self) {
        self.end();
    }

    /// The connection no longer waits for a log-in.
    pub(super) fn end(&self) {
        self.change(|state| state.stage = Stage::Over);
    }

    /// Ends the connection in favor of others.
    pub(super) fn crowd_out(&self) {
        self.change(|state| state.crowded_out = true);
    }

    /// Ends the connection of a client who could log in, but for whom there is no place.
    pub(super) fn turn_away(&self, why: NoPlace) {
        self.change(|state| state.turned_away = Some(why));
    }

    /// What the client does; `None` if it has logged in, or the connection has ended.
    pub(super) fn activity(&self) -> Option<Activity> {
        let state = self.state();
        if state.crowded_out || state.stage == Stage::Over {
            return None;
        }
        Some(match state.has_spoken {
            _ if state.working > 0 => Activity::Attempt,
            true => Activity::Talking,
            false if state.opened.elapsed() < NEW => Activity::New,
            false => Activity::Silent,
        })
    }

    /// Waits until the connection must end. Never returns once the client has logged in.
    pub(super) async fn over(&self) -> Ending {
        loop {
            let end = {
                let state = self.state();
                if let (Some(why), false, false) = (state.turned_away, state.crowded_out, state.stage == Stage::Over) {
                    return Ending::NoPlace(why);
                }
                match state.stage {
                    Stage::Over => None,
                    _ if state.crowded_out => return Ending::CrowdedOut,
                    _ if state.failures >= MAX_ATTEMPTS && state.working == 0 => return Ending::TooManyAttempts,
                    Stage::Authentication if state.working == 0 => state.waiting.map(|since| since + ANSWER_TIME),
                    _ => None,
                }
            };
            let expired = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                // An answer in the meantime wins.
                biased;
                () = self.0.changed.notified() => {}
                () = expired => {
                    let state = self.state();
                    let still = state.waiting.is_some_and(|since| since.elapsed() >= ANSWER_TIME);
                    if still && state.working == 0 && state.stage == Stage::Authentication {
                        return Ending::Unanswered;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(conversation: &Conversation) -> tokio::task::JoinHandle<Ending> {
        let conversation = conversation.clone();
        tokio::spawn(async move { conversation.over().await })
    }

    async fn later(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn request_without_an_answer_ends_the_connection() {
        let conversation = Conversation::default();
        let ending = watched(&conversation);
        // The key exchange may take its time.
        conversation.heard();
        later(60).await;
        conversation.heard();
        drop(conversation.begin());
        conversation.answered();
        // A person types a password.
        later(60).await;
        assert!(!ending.is_finished());
        conversation.heard();
        let begun = Instant::now();
        assert_eq!(ending.await.unwrap(), Ending::Unanswered);
        assert_eq!(begun.elapsed(), ANSWER_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_identity_provider_and_keep_alive_do_not_end_the_connection() {
        let conversation = Conversation::default();
        let ending = watched(&conversation);
        conversation.heard();
        let attempt = conversation.begin();
        later(60).await;
        drop(attempt);
        conversation.answered();
        // A keep-alive of the server, and the client's answer to it.
        conversation.answered();
        conversation.heard();
        later(60).await;
        assert!(!ending.is_finished());
        // After the log-in, silence is no longer looked at.
        conversation.heard();
        conversation.admit();
        later(60).await;
        assert!(!ending.is_finished());
        ending.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn sixth_failure_ends_the_connection() {
        let conversation = Conversation::default();
        let ending = watched(&conversation);
        for number in 1..=MAX_ATTEMPTS {
            assert!(!ending.is_finished() && !conversation.is_exhausted(), "{number}");
            conversation.heard();
            let attempt = conversation.begin();
            conversation.refused();
            drop(attempt);
            conversation.answered();
            later(1).await;
        }
        assert!(conversation.is_exhausted());
        assert_eq!(ending.await.unwrap(), Ending::TooManyAttempts);
    }
}
