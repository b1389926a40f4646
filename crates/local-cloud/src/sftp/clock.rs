//! Time limits of a client: for the log-in, for being idle, and for not answering.
//!
//! The SSH library's own inactivity timer cannot detect idleness, because the answer to its keep-alive counts as
//! activity.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::settings::SftpLimits as Limits;

/// The activity of one connection.
#[derive(Debug, Clone)]
pub(super) struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    begun: Instant,
    activity: Mutex<Activity>,
    admitted: Notify,
}

#[derive(Debug)]
struct Activity {
    last: Instant,
    user: Option<String>,
}

impl Clock {
    /// Starts the clock of a connection that begins now.
    pub(super) fn new(limits: Limits) -> Self {
        let begun = Instant::now();
        let activity = Mutex::new(Activity { last: begun, user: None });
        Self(Arc::new(Inner { limits, begun, activity, admitted: Notify::new() }))
    }

    fn activity(&self) -> std::sync::MutexGuard<'_, Activity> {
        self.0.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records activity of the client.
    pub(super) fn touch(&self) {
        self.activity().last = Instant::now();
    }

    pub(super) fn admit(&self, user: &str) {
        *self.activity() = Activity { last: Instant::now(), user: Some(user.to_owned()) };
        self.0.admitted.notify_one();
    }

    /// The user who has logged in.
    pub(super) fn user(&self) -> Option<String> {
        self.activity().user.clone()
    }

    /// Waits until a limit is reached, and returns its name.
    pub(super) async fn over(&self) -> &'static str {
        loop {
            let (end, why) = {
                let activity = self.activity();
                match activity.user {
                    None => (self.0.begun + self.0.limits.log_in(), "no log-in"),
                    Some(_) => (activity.last + self.0.limits.idle(), "idle"),
                }
            };
            if Instant::now() >= end {
                return why;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                () = self.0.admitted.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_and_log_in_limits_are_reached() {
        let limits = Limits::default();
        let clock = Clock::new(limits);
        let begun = Instant::now();
        assert_eq!(clock.over().await, "no log-in");
        assert_eq!(begun.elapsed().as_secs(), 120);

        let clock = Clock::new(limits);
        let (begun, waiting) = (
            Instant::now(),
            tokio::spawn({
                let clock = clock.clone();
                async move { clock.over().await }
            }),
        );
        clock.admit("me");
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            clock.touch();
        }
        assert_eq!(waiting.await.unwrap(), "idle");
        assert_eq!(begun.elapsed().as_secs(), 5000 + 1800);
    }
}
