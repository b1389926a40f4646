//! The guard: an address that is refused again and again is banned for a time. Pure.
//!
//! [`Rules`] are the settings, [`Asker`] is who asks, [`Record`] what the guard's table has of one [`Subject`], and
//! [`Change`] what is written there. The shell is `src/bin/sftp-authorizer/guard.rs`: it reads once before a decision, and
//! writes only after a refusal.
//!
//! Points, as in SFTPGo's defender: each refusal gives the address some, and the address together with the user name as
//! many. A subject that reaches its threshold within a window is banned, each time twice as long as the last time. The
//! threshold of an address is at least twice that of an address with a name, so that one client with an old password bans
//! itself and never the others behind its address (`one_client_never_bans_its_address`).
//!
//! An unknown user and a wrong password are counted alike by default, and both under the typed name: otherwise whoever has
//! an account would learn from the bans of his address which other accounts exist.

pub mod by_hand;
mod change;
mod rules;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::account::{Attribute, Item};
use super::config::ConfigError;
use super::decision::Refusal;
use by_hand::ByHand;

pub use ipnet::IpNet;

pub use change::{Change, ban, is_first, next};
pub use rules::{Points, Rules};

/// The table's partition key, a text: [`Asker::key`], or [`by_hand::KEY`].
pub const KEY: &str = "subject";
/// Points of the window.
pub const POINTS: &str = "points";
/// When the window ends, in seconds since 1970.
pub const WINDOW_END: &str = "windowEnd";
/// Until when the subject is banned, in seconds since 1970.
pub const BANNED_UNTIL: &str = "bannedUntil";
/// Bans so far.
pub const BANS: &str = "bans";
/// When DynamoDB may delete the item, in seconds since 1970: the table's time to live.
pub const EXPIRES: &str = "expires";

/// What the canary of a deployment and `test-login` say that they come from, and no customer does. Whoever may call
/// TestIdentityProvider could name any address, and so gains nothing by this one.
pub const TEST_LOGINS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Bits of an IPv6 address that stand for one customer: the rest is free to whoever has the network.
const V6_BITS: u8 = 64;

/// The guard of this region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `GUARD_TABLE`: the guard's table, in the Lambda's own region.
    pub table: String,
    /// `GUARD_RULES`, as JSON.
    pub rules: Rules,
}

impl Settings {
    /// Reads the variables through `get`. There is no guard if one of them is empty or not set, as in a function of an
    /// earlier version.
    ///
    /// # Errors
    /// The rules are not those of this version. That must not stop the function: log-ins go on without a guard.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ConfigError> {
        let variable = |name| get(name).unwrap_or_default();
        let (table, rules) = (variable("GUARD_TABLE"), variable("GUARD_RULES"));
        if table.is_empty() || rules.is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(&rules) {
            Ok(rules) => Ok(Some(Self { table, rules })),
            Err(_) => {
                Err(ConfigError::Invalid { name: "GUARD_RULES", value: rules, allowed: "the rules of this version" })
            }
        }
    }
}

/// The address that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(IpAddr);

impl Address {
    /// Of the text that Transfer Family hands on; `None` if it is not an address, which is not guarded.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<IpAddr>().ok().map(|address| Self(address.to_canonical()))
    }

    /// Whether it is in one of these ranges.
    fn is_in<'a>(self, mut ranges: impl Iterator<Item = &'a IpNet>) -> bool {
        ranges.any(|range| range.contains(&self.0))
    }
}

impl std::fmt::Display for Address {
    /// What is counted and banned: an IPv4 address, or the network of an IPv6 address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> (128 - V6_BITS) << (128 - V6_BITS);
                write!(f, "{}/{V6_BITS}", Ipv6Addr::from(network))
            }
        }
    }
}

/// What is counted and banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An address, whatever the user name.
    Address,
    /// An address with one user name.
    Login,
    /// A user name, wherever it comes from; only with [`Rules::lock_users`].
    User,
}

impl Subject {
    pub const ALL: [Self; 3] = [Self::Address, Self::Login, Self::User];

    /// The beginning of its keys.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Address => "address#",
            Self::Login => "login#",
            Self::User => "user#",
        }
    }

    /// The subject of a key, and the key without its beginning.
    pub fn of_key(key: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|subject| Some((subject, key.strip_prefix(subject.prefix())?)))
    }
}

/// Who asks: an address, with the name that is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    pub address: Address,
    /// [`super::Question::name_to_look_up`]: a text that is not a user name is never written down.
    pub name: String,
}

impl Asker {
    pub fn key(&self, subject: Subject) -> String {
        let (prefix, Self { address, name }) = (subject.prefix(), self);
        match subject {
            Subject::Address => format!("{prefix}{address}"),
            Subject::Login => format!("{prefix}{address}#{name}"),
            Subject::User => format!("{prefix}{name}"),
        }
    }
}

/// What the table has of a subject. A missing or malformed attribute is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub points: u32,
    pub window_end: i64,
    pub banned_until: i64,
    pub bans: u32,
}

impl Record {
    pub fn from_item(item: &Item) -> Self {
        let number = |name: &str| match item.get(name) {
            Some(Attribute::Number(digits)) => digits.parse::<i64>().unwrap_or_default(),
            _ => 0,
        };
        let count = |name: &str| u32::try_from(number(name)).unwrap_or_default();
        Self {
            points: count(POINTS),
            window_end: number(WINDOW_END),
            banned_until: number(BANNED_UNTIL),
            bans: count(BANS),
        }
    }

    pub fn is_banned(&self, now: i64) -> bool {
        now < self.banned_until
    }
}

/// What the table has of an asker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub by_hand: ByHand,
    /// One for each subject that was read and found.
    pub records: Vec<(Subject, Record)>,
}

impl Seen {
    /// Of the items that were found under the keys of [`Rules::keys`].
    pub fn from_items(asker: &Asker, items: &[Item]) -> Self {
        let mut seen = Self::default();
        for item in items {
            let Some(Attribute::Text(key)) = item.get(KEY) else { continue };
            if key == by_hand::KEY {
                seen.by_hand = ByHand::from_item(item);
            } else if let Some(subject) = Subject::ALL.into_iter().find(|subject| asker.key(*subject) == *key) {
                seen.records.push((subject, Record::from_item(item)));
            }
        }
        seen
    }

    pub fn record(&self, subject: Subject) -> Option<&Record> {
        self.records.iter().find(|(of, _)| *of == subject).map(|(_, record)| record)
    }
}

/// How an asker is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On an allow list: neither banned nor counted.
    Exempt,
    /// Refused until this time, in seconds since 1970.
    Banned { until: i64 },
    /// Let through, and counted if refused.
    Watched,
}

impl Rules {
    /// Whether nothing is read or written for an address: it is on the allow list of the environment file, or
    /// [`TEST_LOGINS`].
    pub fn allows(&self, address: Address) -> bool {
        address.0 == IpAddr::V4(TEST_LOGINS) || address.is_in(self.allow.iter())
    }

    /// What is counted.
    pub fn subjects(&self) -> &'static [Subject] {
        if self.lock_users { &Subject::ALL } else { &Subject::ALL[..2] }
    }

    /// The keys of what a decision needs.
    pub fn keys(&self, asker: &Asker) -> Vec<String> {
        let subjects = self.subjects().iter().map(|subject| asker.key(*subject));
        subjects.chain([by_hand::KEY.to_owned()]).collect()
    }

    /// An entry of an operator counts more than what was counted, and one that allows more than one that bans.
    pub fn standing(&self, asker: &Asker, seen: &Seen, now: i64) -> Standing {
        if self.allows(asker.address) {
            return Standing::Exempt;
        }
        match seen.by_hand.of(asker.address, now) {
            Some((by_hand::Verb::Allow, _)) => return Standing::Exempt,
            Some((by_hand::Verb::Ban, until)) => return Standing::Banned { until },
            None => {}
        }
        let counted = self.subjects().iter().filter_map(|subject| seen.record(*subject));
        match counted.filter(|record| record.is_banned(now)).map(|record| record.banned_until).max() {
            Some(until) => Standing::Banned { until },
            None => Standing::Watched,
        }
    }

    /// The points that a refusal gives to each of these subjects.
    ///
    /// None for a log-in without a password: Transfer Family asks for a customer's keys before it asks with the password,
    /// and a key that does not fit is not known to the authorizer. None for a fault of ours. None while banned, which
    /// would make a ban endless for a client that does not stop.
    pub fn scores(&self, refusal: Refusal, has_password: bool) -> (u32, &'static [Subject]) {
        if !has_password {
            return (0, &[]);
        }
        match refusal {
            // No account has the name: nothing to count beside the address.
            Refusal::BlockedName => (self.points.blocked_name, &Subject::ALL[..1]),
            Refusal::UnknownUser => (self.points.unknown_user, self.subjects()),
            Refusal::WrongPassword
            | Refusal::Disabled
            | Refusal::Expired
            | Refusal::Region
            | Refusal::Source
            | Refusal::NoSuchMethod => (self.points.wrong_password, self.subjects()),
            Refusal::Banned
            | Refusal::MalformedEvent
            | Refusal::OtherServer
            | Refusal::OtherProtocol
            | Refusal::DuplicateUser
            | Refusal::MalformedItem
            | Refusal::UnknownScheme
            | Refusal::TableUnreachable => (0, &[]),
        }
    }
}

#[cfg(test)]
mod tests;
