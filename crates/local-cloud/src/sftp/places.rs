//! The places of clients that are logged in, of which no account can take all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Clients logged in at once, on all endpoints together: a limit of our own, for their memory. Each may hold 64 MiB of
/// files that it reads ([`super::budget`]), while the parts of what they write share one room ([`super::part`]).
/// Transfer Family admits 10,000 to a server ("Transfer Family quotas" in AWS's general reference).
pub(super) const MAX_CLIENTS: usize = 100;

/// Counts the clients of each account: a server's ID, and a user name.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<(String, String), usize>>);

/// A client's place, which is free when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    places: Arc<Places>,
    account: (String, String),
}

/// Why a client gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// All are taken.
    Full,
    /// The account has as many as are free.
    Share,
}

impl Places {
    /// Takes a place. An account that has as many places as are left gets no more, so that there is one for others.
    pub(super) fn take(self: &Arc<Self>, server: &str, user: &str) -> Result<Seat, NoPlace> {
        let account = (server.to_owned(), user.to_owned());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = MAX_CLIENTS.saturating_sub(taken.values().sum());
        let own = taken.get(&account).copied().unwrap_or_default();
        if free == 0 {
            return Err(NoPlace::Full);
        }
        if own >= free {
            return Err(NoPlace::Share);
        }
        *taken.entry(account.clone()).or_default() += 1;
        drop(taken);
        Ok(Seat { places: Arc::clone(self), account })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_places_for_others() {
        let places = Arc::new(Places::default());
        let mut greedy: Vec<Seat> = std::iter::from_fn(|| places.take("s-1", "greedy").ok()).collect();
        assert_eq!(greedy.len(), MAX_CLIENTS / 2);
        assert_eq!(places.take("s-1", "greedy").unwrap_err(), NoPlace::Share);
        let second: Vec<Seat> = std::iter::from_fn(|| places.take("s-1", "second").ok()).collect();
        assert_eq!(second.len(), MAX_CLIENTS / 4);
        // The same name at another server is another account.
        let others = ["s-2"].map(|server| places.take(server, "greedy").unwrap());
        greedy.pop();
        drop(others);
        assert_eq!(places.take("s-1", "greedy").unwrap_err(), NoPlace::Share, "there are fewer than it has");
        drop((greedy, second));
        assert!(places.0.lock().unwrap().is_empty());
    }

    #[test]
    fn all_places_may_be_taken() {
        let places = Arc::new(Places::default());
        let mut seats: Vec<Seat> =
            (0..MAX_CLIENTS).map(|user| places.take("s-1", &user.to_string()).unwrap()).collect();
        assert_eq!(places.take("s-1", "one more").unwrap_err(), NoPlace::Full);
        seats.pop();
        places.take("s-1", "one more").unwrap();
    }
}
