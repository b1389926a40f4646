//! The guard's tables: who is banned or counted, and what an operator decides.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use sftp_authorizer::guard::by_hand::{self, ByHand, Entry, Verb};
use sftp_authorizer::guard::{KEY, Record, Subject};
use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::{Aws, AwsError, Write, Written};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use crate::rules::{self, RuleError};

/// Attempts to write what operators decide, each after another one was faster.
const ATTEMPTS: usize = 5;

/// The guard's tables of an environment.
pub struct Guards {
    aws: Arc<Aws>,
    table: String,
}

/// What a table has.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub by_hand: Vec<Entry>,
    pub counted: Vec<Counted>,
}

/// A subject that is banned or counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub subject: Subject,
    /// The address, or an IPv6 network; `None` for a user name that is banned everywhere.
    pub address: Option<IpNet>,
    pub username: Option<String>,
    pub record: Record,
}

/// Whom to forgive: what fits both, as far as they are given.
#[derive(Clone, Debug, Default)]
pub struct Forgiven {
    pub range: Option<IpNet>,
    pub username: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("cannot reach the guard's table")]
    Aws(#[from] AwsError),
    #[error("{0} entries are too many: every log-in reads them")]
    TooMany(usize),
    #[error("others change the entries at the same time")]
    Overtaken,
}

impl Guards {
    pub fn new(aws: Arc<Aws>, environment: &Environment) -> Self {
        Self { aws, table: names::guard_table(environment) }
    }

    /// Everything in a region's table that is not over at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(&self, region: &str, now: i64) -> Result<Listed, GuardError> {
        self.select(region, now, |Counted { record, .. }| now < record.window_end.max(record.banned_until)).await
    }

    /// Of a region's table what operators have decided, and those of the counted that are wanted.
    async fn select(&self, region: &str, now: i64, is_wanted: impl Fn(&Counted) -> bool) -> Result<Listed, GuardError> {
        let (dynamodb, mut from, mut listed) = (self.aws.dynamodb(region), None, Listed::default());
        loop {
            let (page, next) = dynamodb.page_of_items(&self.table, from).await?;
            for item in page {
                let Some(Attribute::Text(key)) = item.get(KEY) else { continue };
                if key == by_hand::KEY {
                    listed.by_hand = ByHand::from_item(&item).current(now).copied().collect();
                } else {
                    listed.counted.extend(counted(key, Record::from_item(&item)).filter(&is_wanted));
                }
            }
            from = next;
            if from.is_none() {
                return Ok(listed);
            }
        }
    }

    /// Changes what operators have decided in a region, and gives back what `change` does.
    async fn decide<T>(
        &self,
        region: &str,
        now: i64,
        mut change: impl FnMut(&mut ByHand) -> Option<T>,
    ) -> Result<(Option<T>, ByHand), GuardError> {
        let dynamodb = self.aws.dynamodb(region);
        let key = Item::from([(KEY.to_owned(), Attribute::Text(by_hand::KEY.to_owned()))]);
        for _ in 0..ATTEMPTS {
            let item = dynamodb.item(&self.table, &key).await?;
            let mut decided = item.as_ref().map(ByHand::from_item).unwrap_or_default();
            let Some(done) = change(&mut decided) else { return Ok((None, decided)) };
            let entries = decided.current(now).count();
            if entries > by_hand::MOST {
                return Err(GuardError::TooMany(entries));
            }
            let version = Attribute::Number(decided.version.to_string());
            let (condition, values) = match item {
                None => (format!("attribute_not_exists({KEY})"), Vec::new()),
                Some(_) => (format!("{} = :version", by_hand::VERSION), vec![(":version".to_owned(), version)]),
            };
            let put = Write::Put { item: decided.item(now), condition: Some(condition), values };
            if dynamodb.write_items(&self.table, &[put]).await? == Written::Done {
                return Ok((Some(done), decided));
            }
        }
        Err(GuardError::Overtaken)
    }

    /// Allows or bans a range in a region.
    ///
    /// # Errors
    /// The table cannot be read or written, or has no room.
    pub async fn set(&self, region: &str, entry: Entry, now: i64) -> Result<(), GuardError> {
        self.decide(region, now, |decided| {
            decided.set(entry);
            Some(())
        })
        .await
        .map(drop)
    }

    /// Ends bans in a region, and forgets their points. Returns how many there were, and an entry of an operator for a wider
    /// range that still bans.
    ///
    /// # Errors
    /// The table cannot be read or written.
    pub async fn forgive(&self, region: &str, who: &Forgiven, now: i64) -> Result<(u64, Option<Entry>), GuardError> {
        let (mut ended, mut wider) = (0, None);
        if let Some(range) = who.range.filter(|_| who.username.is_none()) {
            let (removed, decided) = self.decide(region, now, |decided| decided.remove(range).then_some(())).await?;
            ended += u64::from(removed.is_some());
            let bans = |entry: &&Entry| entry.verb == Verb::Ban && entry.range.contains(&range);
            wider = decided.current(now).find(bans).copied();
        }
        let dynamodb = self.aws.dynamodb(region);
        // Also of bans that are over, which make the next one longer.
        for counted in &self.select(region, now, |counted| who.fits(counted)).await?.counted {
            let key = Item::from([(KEY.to_owned(), Attribute::Text(counted.key()))]);
            let delete = Write::Delete { key, condition: None, values: Vec::new() };
            dynamodb.write_items(&self.table, &[delete]).await?;
            ended += 1;
        }
        Ok((ended, wider))
    }
}

impl Forgiven {
    fn fits(&self, counted: &Counted) -> bool {
        let in_range =
            |range: &IpNet| counted.address.is_some_and(|address| range.contains(&address) || address.contains(range));
        self.range.as_ref().is_none_or(in_range)
            && self.username.as_ref().is_none_or(|name| counted.username.as_ref() == Some(name))
    }
}

impl Counted {
    fn key(&self) -> String {
        let prefix = self.subject.prefix();
        let address = self.address.map(shown).unwrap_or_default();
        let username = self.username.as_deref().unwrap_or_default();
        match self.subject {
            Subject::Address => format!("{prefix}{address}"),
            Subject::Login => format!("{prefix}{address}#{username}"),
            Subject::User => format!("{prefix}{username}"),
        }
    }
}

/// A range as people write it: one address without its prefix.
pub fn shown(range: IpNet) -> String {
    if range.prefix_len() == range.max_prefix_len() { range.addr().to_string() } else { range.to_string() }
}

/// Reads an address or a range, without bits after the prefix. An address of IPv4 is one in IPv6's form, too.
///
/// # Errors
/// It is neither, or has such bits.
pub fn range(text: &str) -> Result<IpNet, RuleError> {
    let range = rules::range(text)?;
    let IpAddr::V6(address) = range.addr() else { return Ok(range) };
    match address.to_ipv4_mapped() {
        None => Ok(range),
        Some(address) if range.prefix_len() == range.max_prefix_len() => Ok(IpNet::from(IpAddr::V4(address))),
        Some(_) => Err(RuleError::InvalidRange(text.to_owned())),
    }
}

/// The key of an item in parts.
fn counted(key: &str, record: Record) -> Option<Counted> {
    let (subject, rest) = Subject::of_key(key)?;
    let (address, username) = match subject {
        Subject::Address => (Some(range(rest).ok()?), None),
        Subject::Login => {
            let (address, name) = rest.split_once('#')?;
            (Some(range(address).ok()?), Some(name.to_owned()))
        }
        Subject::User => (None, Some(rest.to_owned())),
    };
    Some(Counted { subject, address, username, record })
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::guard::{Address, Asker, Rules};

    use super::*;

    #[test]
    fn keys_are_read_as_the_authorizer_writes_them() {
        for (address, name) in [("192.0.2.1", "jan"), ("2001:db8:1:2:3::1", "eva@example.com")] {
            let asker = Asker { address: Address::parse(address).unwrap(), name: name.to_owned() };
            for subject in Subject::ALL {
                let counted = counted(&asker.key(subject), Record::default()).unwrap();
                assert_eq!((counted.key(), counted.subject), (asker.key(subject), subject));
                let address: IpAddr = address.parse().unwrap();
                assert_eq!(counted.address.is_some_and(|range| range.contains(&address)), subject != Subject::User);
                assert_eq!(counted.username.is_some(), subject != Subject::Address);
            }
        }
        for key in ["by-hand", "address#x", "login#192.0.2.1", "other#192.0.2.1"] {
            assert_eq!(counted(key, Record::default()), None, "{key}");
        }
    }

    /// What the environment file may say is what the function reads.
    #[test]
    fn rules_of_an_environment_are_the_functions() {
        let file = include_str!("../../../environments/99.yaml");
        let rules = |more: &str| {
            let environment = sftpctl_core::spec::load(&format!("{file}{more}"), "99.yaml").ok()?;
            serde_json::from_value::<Rules>(environment.guard?.rules()).ok()
        };
        let all = rules("\nguard: { lock_users: true, allow: [203.0.113.0/24, 2001:db8::/32, 0.0.0.0/0] }\n").unwrap();
        assert_eq!((all.allow.len(), all.lock_users, all.window, all.address_threshold), (3, true, 1800, 20));
        for wrong in ["203.0.113.0/024", "::ffff:203.0.113.0/120", "203.0.113.1/24", "203.0.113.0"] {
            assert_eq!(rules(&format!("\nguard: {{ allow: [\"{wrong}\"] }}\n")), None, "{wrong}");
        }
    }

    #[test]
    fn forgiving_fits_addresses_names_or_both() {
        let login = counted("login#192.0.2.1#jan", Record::default()).unwrap();
        let network = counted("address#2001:db8::/64", Record::default()).unwrap();
        let user = counted("user#jan", Record::default()).unwrap();
        let who = |range_of: &str, name: &str| Forgiven {
            range: range(range_of).ok(),
            username: (!name.is_empty()).then(|| name.to_owned()),
        };
        for (forgiven, fits) in [
            (who("192.0.2.1", ""), [true, false, false]),
            (who("192.0.2.0/24", ""), [true, false, false]),
            (who("192.0.2.2", ""), [false, false, false]),
            (who("192.0.2.1", "jan"), [true, false, false]),
            (who("192.0.2.1", "eva"), [false, false, false]),
            (who("", "jan"), [true, false, true]),
            (who("2001:db8::7", ""), [false, true, false]),
            (who("2001:db8::/32", ""), [false, true, false]),
        ] {
            assert_eq!([&login, &network, &user].map(|counted| forgiven.fits(counted)), fits, "{forgiven:?}");
        }
    }

    #[test]
    fn ranges_have_no_bits_after_the_prefix() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("192.0.2.1/24", None),
            ("::ffff:192.0.2.0/120", None),
            ("office", None),
        ] {
            assert_eq!(range(text).ok().map(shown).as_deref(), expected, "{text}");
        }
    }
}
