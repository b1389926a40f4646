//! Counts which clients customers use. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::policies::Policy;
use super::programs::{self, Client};
use super::{Offer, Part, Verdict};

/// Different failures, and addresses of one, that are remembered: anybody can connect.
const FAILURES: usize = 1_000;
const SOURCES: usize = 1_000;

/// A log-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogIn {
    /// Ascending with time: milliseconds since 1970, if `time` is empty.
    pub order: i64,
    /// As the log has it.
    pub time: String,
    pub user: String,
    /// The client's address.
    pub source: Option<String>,
    /// The identification string, with or without `SSH-2.0-`.
    pub client: Option<String>,
    pub kex: Option<String>,
    pub ciphers: Option<String>,
    /// What the client offered, if the log has it.
    pub offer: Option<Offer>,
}

/// A connection without a common algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    pub order: i64,
    pub time: String,
    pub source: Option<String>,
    pub client: Option<String>,
    /// What nothing was in common of; `None` if the log does not say it.
    pub part: Option<Part>,
    /// What the client offers for it.
    pub offered: Vec<String>,
}

/// When something was the last time: its order, and what the log has for it.
pub type Last = (i64, String);

/// The log-ins of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub users: BTreeSet<String>,
    pub log_ins: u64,
    pub last: Last,
    /// Key exchange and ciphers that were agreed on, with the number of log-ins.
    pub agreed: BTreeMap<(String, String), u64>,
    /// What it offered the last time, if the log has it.
    pub offer: Option<Offer>,
}

impl Seen {
    /// Whether a policy would shut it out: by what it offered, or else by the table.
    pub fn verdict(&self, client: &Client, policy: &Policy) -> Verdict {
        match self.offer.as_ref().map(|offer| offer.lacks(policy)) {
            Some(lacks) if lacks.is_empty() => Verdict::Fits,
            Some(lacks) => Verdict::ShutOut(lacks),
            None => programs::verdict(client, policy),
        }
    }
}

/// Failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    pub connections: u64,
    pub last: Last,
    /// At most [`SOURCES`].
    pub sources: BTreeSet<String>,
    /// Who logs in from one of these addresses with another client, or with this one at another time.
    pub users: BTreeSet<String>,
    pub clients: BTreeSet<Client>,
}

/// What the failures of one kind have in common.
pub type Mismatch = (Option<Part>, Vec<String>);

/// What the logs say.
#[derive(Debug, Default)]
pub struct Census {
    /// Only of this user.
    only: Option<String>,
    pub seen: BTreeMap<Client, Seen>,
    pub failed: BTreeMap<Mismatch, Failed>,
    /// Failures beyond those that are remembered.
    pub more_failures: u64,
    /// Log-ins whose client the log does not name, and their users.
    pub unnamed: (u64, BTreeSet<String>),
    users_of: HashMap<String, BTreeSet<String>>,
}

impl Census {
    /// Of one user, or of all.
    pub fn of(only: Option<String>) -> Self {
        Self { only, ..Self::default() }
    }

    pub fn log_in(&mut self, log_in: LogIn) {
        let LogIn { order, time, user, source, client, kex, ciphers, offer } = log_in;
        if self.only.as_ref().is_some_and(|only| *only != user) {
            return;
        }
        if let Some(source) = source {
            self.users_of.entry(source).or_default().insert(user.clone());
        }
        let Some(client) = client.filter(|client| !client.is_empty()) else {
            self.unnamed.0 += 1;
            self.unnamed.1.insert(user);
            return;
        };
        let seen = self.seen.entry(programs::client(&client)).or_default();
        seen.users.insert(user);
        seen.log_ins += 1;
        if kex.is_some() || ciphers.is_some() {
            *seen.agreed.entry((kex.unwrap_or_default(), ciphers.unwrap_or_default())).or_default() += 1;
        }
        if order >= seen.last.0 || seen.log_ins == 1 {
            seen.last = (order, time);
            seen.offer = offer.or(seen.offer.take());
        }
    }

    pub fn failure(&mut self, failure: Failure) {
        let Failure { order, time, source, client, part, offered } = failure;
        let key = (part, offered);
        if self.failed.len() >= FAILURES && !self.failed.contains_key(&key) {
            self.more_failures += 1;
            return;
        }
        let failed = self.failed.entry(key).or_default();
        failed.connections += 1;
        if order >= failed.last.0 || failed.connections == 1 {
            failed.last = (order, time);
        }
        if failed.sources.len() < SOURCES {
            failed.sources.extend(source);
        }
        if failed.clients.len() < SOURCES {
            failed.clients.extend(client.map(|client| programs::client(&client)));
        }
    }

    /// Adds to failures who logs in from their addresses; of one user, only those from its addresses are left.
    pub fn finish(&mut self) {
        for failed in self.failed.values_mut() {
            let users = failed.sources.iter().filter_map(|source| self.users_of.get(source)).flatten();
            failed.users = users.cloned().collect();
        }
        if self.only.is_some() {
            self.failed.retain(|_, failed| !failed.users.is_empty());
        }
    }

    /// What a policy would mean for the customers that were seen.
    pub fn effect(&self, policy: &Policy) -> Effect {
        let mut effect = Effect::default();
        for (client, seen) in &self.seen {
            let (clients, users) = match seen.verdict(client, policy) {
                Verdict::Fits => continue,
                Verdict::ShutOut(_) => (&mut effect.shut_out, &mut effect.users),
                Verdict::Depends | Verdict::Unknown => (&mut effect.unknown, &mut effect.unknown_users),
            };
            clients.push(client.clone());
            users.extend(seen.users.iter().cloned());
        }
        for ((part, offered), failed) in &self.failed {
            let accepted = part.is_some_and(|part| policy.offer.of(part).iter().any(|name| offered.contains(name)));
            if part.is_some() && !accepted {
                effect.refused += failed.connections;
                effect.users.extend(failed.users.iter().cloned());
            }
        }
        effect.unknown_users.extend(self.unnamed.1.iter().cloned());
        effect
    }
}

/// What a policy would mean for the customers that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Clients that it would shut out, and their customers.
    pub shut_out: Vec<Client>,
    pub users: BTreeSet<String>,
    /// Clients of which nothing, or only of some versions, is known, and their customers.
    pub unknown: Vec<Client>,
    pub unknown_users: BTreeSet<String>,
    /// Connections that failed and would fail with it.
    pub refused: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{algorithms, policies};

    fn log_in(order: i64, user: &str, source: &str, client: &str) -> LogIn {
        LogIn {
            order,
            time: format!("t{order}"),
            user: user.to_owned(),
            source: Some(source.to_owned()),
            client: (!client.is_empty()).then(|| client.to_owned()),
            kex: Some("curve25519-sha256".to_owned()),
            ciphers: Some("aes128-ctr,aes128-ctr".to_owned()),
            offer: None,
        }
    }

    fn failure(order: i64, source: &str, offered: &str) -> Failure {
        let (part, offered) = (Some(Part::Mac), algorithms(offered));
        Failure { order, time: format!("t{order}"), source: Some(source.to_owned()), client: None, part, offered }
    }

    fn client(name: &str, version: &str) -> Client {
        Client { name: name.to_owned(), version: Some(version.to_owned()) }
    }

    #[test]
    fn clients_are_counted_with_their_customers() {
        let mut census = Census::default();
        for one in [
            log_in(5, "jan", "192.0.2.1", "SSH-2.0-OpenSSH_9.2p1 Debian"),
            // Regions are read one after the other.
            log_in(3, "jan", "192.0.2.1", "SSH-2.0-OpenSSH_9.2p1 Ubuntu"),
            log_in(4, "els", "192.0.2.2", "SSH-2.0-OpenSSH_9.2p1"),
            log_in(6, "els", "192.0.2.2", "SSH-2.0-libssh2_1.10.0"),
            log_in(7, "piet", "192.0.2.3", "SSH-2.0-Unheard_1"),
            log_in(8, "kees", "192.0.2.4", ""),
        ] {
            census.log_in(one);
        }
        census.failure(failure(9, "192.0.2.2", "hmac-md5"));
        census.failure(failure(2, "203.0.113.9", "hmac-md5"));
        census.finish();
        let ssh = &census.seen[&client("OpenSSH", "9.2p1")];
        assert_eq!((ssh.log_ins, ssh.users.len(), &ssh.last), (3, 2, &(5, "t5".to_owned())));
        assert_eq!(ssh.agreed.values().copied().collect::<Vec<_>>(), [3]);
        assert_eq!((census.unnamed.0, census.unnamed.1.len()), (1, 1));
        let failed = census.failed.values().next().unwrap();
        assert_eq!((failed.connections, failed.sources.len(), failed.last.0), (2, 2, 9));
        assert_eq!(failed.users, BTreeSet::from(["els".to_owned()]));

        let strict = census.effect(policies::policy("TransferSecurityPolicy-2025-03").unwrap());
        assert_eq!(strict.shut_out, [client("libssh2", "1.10.0")]);
        assert_eq!((strict.users.len(), strict.refused), (1, 2));
        assert_eq!(strict.unknown, [client("Unheard", "1")]);
        assert_eq!(strict.unknown_users, BTreeSet::from(["kees".to_owned(), "piet".to_owned()]));
        let lax = census.effect(policies::policy("TransferSecurityPolicy-2018-11").unwrap());
        assert!(lax.shut_out.is_empty() && lax.refused == 2, "{lax:?}");
    }

    #[test]
    fn offers_of_the_log_go_before_the_table() {
        let policy = policies::policy("TransferSecurityPolicy-2025-03").unwrap();
        let mut census = Census::default();
        let mut configured = log_in(1, "jan", "192.0.2.1", "SSH-2.0-libssh2_1.10.0");
        configured.offer = Some(policy.offer.clone());
        census.log_in(configured);
        // A line without an offer does not take it away.
        census.log_in(log_in(2, "jan", "192.0.2.1", "SSH-2.0-libssh2_1.10.0"));
        assert_eq!(census.effect(policy), Effect::default());
        let mut restricted = log_in(3, "jan", "192.0.2.1", "SSH-2.0-libssh2_1.10.0");
        restricted.offer = Some(Offer { kex: Vec::new(), ..policy.offer.clone() });
        census.log_in(restricted);
        let seen = &census.seen[&client("libssh2", "1.10.0")];
        let verdict = seen.verdict(&client("libssh2", "1.10.0"), policy);
        assert_eq!(verdict, Verdict::ShutOut(vec![Part::KeyExchange]));
    }

    #[test]
    fn memory_is_bounded_whatever_strangers_send() {
        let mut census = Census::of(Some("jan".to_owned()));
        for number in 0..FAILURES + 5 {
            census.failure(failure(1, &number.to_string(), &format!("mac{number}")));
            census.failure(failure(1, &number.to_string(), "mac0"));
        }
        assert_eq!((census.failed.len(), census.more_failures), (FAILURES, 5));
        assert!(census.failed.values().all(|failed| failed.sources.len() <= SOURCES));
        // Of one user: only what comes from where that user logs in from.
        census.log_in(log_in(1, "els", "7", "SSH-2.0-Go"));
        census.log_in(log_in(1, "jan", "8", "SSH-2.0-Go"));
        census.finish();
        assert_eq!((census.failed.len(), census.seen.values().next().unwrap().log_ins), (2, 1));
    }
}
