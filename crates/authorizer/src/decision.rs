//! The decision on a log-in. [`screen`] refuses without a look-up; [`judge`] decides with the items that were found.

use super::account::{Account, Item};
use super::config::{Config, NO_SERVER};
use super::home::Home;
use super::password::{self, Verdict};
use super::question::Question;
use super::usernames::Usernames;

/// Why a log-in is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The event does not have the form that the mapping template produces.
    MalformedEvent,
    /// The call is from another server, or the authorizer has no server ID yet.
    OtherServer,
    /// The protocol is not SFTP.
    OtherProtocol,
    /// The name is on the block list of names that bots try.
    BlockedName,
    /// No account has this user name.
    UnknownUser,
    /// Several accounts have this user name, so it does not identify one.
    DuplicateUser,
    /// The item is not a valid account.
    MalformedItem,
    Disabled,
    /// The account's time is over.
    Expired,
    /// The account may not log in in this region.
    Region,
    /// The source address is outside the account's ranges.
    Source,
    WrongPassword,
    /// The stored password has an unknown form.
    UnknownScheme,
    /// A log-in by key to an account without keys, or by password to an account that has keys only.
    NoSuchMethod,
    /// The guard bans the address, whether the password is right or not.
    Banned,
    /// DynamoDB did not answer, or answered with an error.
    TableUnreachable,
}

impl Refusal {
    /// The reason as a number, for the log: 401 without a look-up, 404, 403 after one, 500 where the table is broken.
    ///
    /// The answer to the API has less of it ([`super::answer::body`]), and its HTTP status none.
    pub fn status(self) -> u16 {
        match self {
            Self::MalformedEvent | Self::OtherServer | Self::OtherProtocol | Self::BlockedName => 401,
            Self::UnknownUser => 404,
            Self::DuplicateUser
            | Self::MalformedItem
            | Self::Disabled
            | Self::Expired
            | Self::Region
            | Self::Source
            | Self::WrongPassword
            | Self::UnknownScheme
            | Self::NoSuchMethod
            | Self::Banned => 403,
            Self::TableUnreachable => 500,
        }
    }

    /// The reason as logs and metrics have it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::MalformedEvent => "malformed-event",
            Self::OtherServer => "other-server",
            Self::OtherProtocol => "other-protocol",
            Self::BlockedName => "blocked-name",
            Self::UnknownUser => "unknown-user",
            Self::DuplicateUser => "duplicate-user",
            Self::MalformedItem => "malformed-item",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Region => "region-not-allowed",
            Self::Source => "source-not-allowed",
            Self::WrongPassword => "wrong-password",
            Self::UnknownScheme => "unknown-scheme",
            Self::NoSuchMethod => "no-such-method",
            Self::Banned => "banned",
            Self::TableUnreachable => "table-unreachable",
        }
    }

    /// Whether the operator has to act: such a refusal is logged as an error and raises an alarm.
    pub fn needs_operator(self) -> bool {
        matches!(
            self,
            Self::MalformedEvent
                | Self::OtherServer
                | Self::DuplicateUser
                | Self::MalformedItem
                | Self::UnknownScheme
                | Self::TableUnreachable
        )
    }

    pub const ALL: [Self; 16] = [
        Self::MalformedEvent,
        Self::OtherServer,
        Self::OtherProtocol,
        Self::BlockedName,
        Self::UnknownUser,
        Self::DuplicateUser,
        Self::MalformedItem,
        Self::Disabled,
        Self::Expired,
        Self::Region,
        Self::Source,
        Self::WrongPassword,
        Self::UnknownScheme,
        Self::NoSuchMethod,
        Self::Banned,
        Self::TableUnreachable,
    ];
}

/// The access that a customer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub home: Home,
    /// The account's keys, for a log-in by key; Transfer Family compares them with the customer's.
    pub public_keys: Vec<String>,
}

/// Refuses log-ins without a look-up: wrong server, wrong protocol, blocked name, no password where the server takes
/// nothing else.
pub fn screen(config: &Config, question: &Question) -> Result<(), Refusal> {
    if question.server_id != config.server_id || config.server_id == NO_SERVER {
        return Err(Refusal::OtherServer);
    }
    if !question.protocol.eq_ignore_ascii_case("SFTP") {
        return Err(Refusal::OtherProtocol);
    }
    if config.block_list.contains(&question.username.to_lowercase()) {
        return Err(Refusal::BlockedName);
    }
    // Without a password the answer has the account's role and keys.
    if question.password.is_empty() && !config.takes_keys {
        return Err(Refusal::NoSuchMethod);
    }
    Ok(())
}

/// What a decision depends on besides the request and the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances<'a> {
    /// How user names are compared.
    pub usernames: Usernames,
    /// The region of the log-in.
    pub region: &'a str,
    /// The time of the log-in, in seconds since 1970.
    pub now: i64,
}

/// Decides, given every item with the user name.
///
/// Every refusal of a log-in by password costs one Argon2id hash, so that an unknown user, a wrong password and a
/// disabled account cannot be distinguished by time.
pub fn judge(question: &Question, here: &Circumstances<'_>, found: &[Item]) -> Result<Grant, Refusal> {
    let by_key = question.password.is_empty();
    let refuse = |refusal| {
        if !by_key {
            password::waste(&question.password);
        }
        Err(refusal)
    };
    let item = match found {
        [] => return refuse(Refusal::UnknownUser),
        [item] => item,
        [_, _, ..] => return refuse(Refusal::DuplicateUser),
    };
    let Ok(account) = Account::from_item(item) else { return refuse(Refusal::MalformedItem) };
    // The index was queried for exactly this name; an item with another name does not count.
    if account.username != here.usernames.stored(&question.username) {
        return refuse(Refusal::UnknownUser);
    }
    if account.disabled {
        return refuse(Refusal::Disabled);
    }
    if account.expires.as_ref().is_some_and(|expiry| expiry.is_over(here.now)) {
        return refuse(Refusal::Expired);
    }
    if !account.regions.is_empty() && !account.regions.iter().any(|region| region == here.region) {
        return refuse(Refusal::Region);
    }
    if !account.admits(&question.source_ip) {
        return refuse(Refusal::Source);
    }
    if by_key {
        let public_keys = account.admissible_keys();
        if public_keys.is_empty() {
            return Err(Refusal::NoSuchMethod);
        }
        return Ok(Grant { home: account.home, public_keys });
    }
    let Some(stored) = &account.password else { return refuse(Refusal::NoSuchMethod) };
    if question.password.len() > password::MAX_BYTES {
        return refuse(Refusal::WrongPassword);
    }
    // `verify` costs what `refuse` does.
    match password::verify(&question.password, stored) {
        Verdict::Right => Ok(Grant { home: account.home, public_keys: Vec::new() }),
        Verdict::Wrong => Err(Refusal::WrongPassword),
        Verdict::UnknownScheme => Err(Refusal::UnknownScheme),
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::old;
    use super::super::config::HomeType;
    use super::*;
    use crate::Attribute;

    /// 2026-11-29T10:36:07Z.
    const NOW: i64 = 1_795_948_567;
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn config() -> Config {
        Config {
            server_id: "s-1".into(),
            table: "t".into(),
            index: "i".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            block_list: ["root".to_owned()].into(),
            home_type: HomeType::Path,
            usernames: Usernames::Exact,
            region: "us-west-2".into(),
            takes_keys: true,
        }
    }

    fn question() -> Question {
        Question {
            username: "my1sftp".into(),
            password: "secret".into(),
            protocol: "SFTP".into(),
            server_id: "s-1".into(),
            source_ip: "192.0.2.1".into(),
        }
    }

    /// Decides as the Lambda does: screens first, then judges.
    fn decide(config: &Config, question: &Question, found: &[Item]) -> Result<Grant, Refusal> {
        screen(config, question)?;
        judge(question, &config.at(NOW), found)
    }

    #[test]
    fn the_right_password_opens_the_home() {
        let grant = decide(&config(), &question(), &[old()]).unwrap();
        assert_eq!(grant.home.path(), "/pl-pt99-5-uploads/175781");
        assert!(grant.public_keys.is_empty());
    }

    #[test]
    fn everything_else_is_refused() {
        type Change = fn(&mut Config, &mut Question, &mut Vec<Item>);
        let cases: [(Refusal, u16, Change); 22] = [
            (Refusal::OtherServer, 401, |_, q, _| q.server_id = "s-2".into()),
            (Refusal::OtherServer, 401, |_, q, _| q.server_id = String::new()),
            (Refusal::OtherServer, 401, |c, q, _| {
                c.server_id = NO_SERVER.into();
                q.server_id = NO_SERVER.into();
            }),
            (Refusal::OtherProtocol, 401, |_, q, _| q.protocol = "FTP".into()),
            (Refusal::BlockedName, 401, |_, q, _| q.username = "ROOT".into()),
            (Refusal::UnknownUser, 404, |_, q, _| q.username = String::new()),
            (Refusal::UnknownUser, 404, |_, _, found| found.clear()),
            (Refusal::UnknownUser, 404, |_, q, _| q.username = "My1sftp".into()),
            (Refusal::DuplicateUser, 403, |_, _, found| found.push(found[0].clone())),
            (Refusal::MalformedItem, 403, |_, _, found| drop(found[0].remove("HomeDirectory"))),
            (Refusal::Disabled, 403, |_, _, found| {
                found[0].insert("status".into(), Attribute::Text("disabled".into()));
            }),
            (Refusal::Expired, 403, |_, _, found| {
                found[0].insert("expiresAt".into(), Attribute::Text("2026-11-29T10:36:07Z".into()));
            }),
            (Refusal::Expired, 403, |_, _, found| {
                found[0].insert("expiresAt".into(), Attribute::Text("2026-11-28".into()));
            }),
            (Refusal::MalformedItem, 403, |_, _, found| {
                found[0].insert("expiresAt".into(), Attribute::Text("tomorrow".into()));
            }),
            (Refusal::Region, 403, |_, _, found| {
                found[0].insert("regions".into(), Attribute::Texts(vec!["us-east-1".into(), "us-west-1".into()]));
            }),
            (Refusal::Source, 403, |_, _, found| {
                found[0].insert("allowedSources".into(), Attribute::Texts(vec!["10.0.0.0/8".into()]));
            }),
            (Refusal::WrongPassword, 403, |_, q, _| q.password = "Secret".into()),
            (Refusal::WrongPassword, 403, |_, q, _| q.password = "x".repeat(5000)),
            (Refusal::WrongPassword, 403, |_, q, found| {
                // The stored hash is not a password.
                if let Some(Attribute::Text(stored)) = found[0].get("password") {
                    q.password = stored.clone();
                }
            }),
            (Refusal::UnknownScheme, 403, |_, _, found| {
                found[0].insert("password".into(), Attribute::Text("secret".into()));
            }),
            (Refusal::NoSuchMethod, 403, |_, q, _| q.password = String::new()),
            (Refusal::NoSuchMethod, 403, |_, _, found| {
                found[0].remove("password");
                found[0].insert("publicKeys".into(), Attribute::Texts(vec![KEY.into()]));
            }),
        ];
        for (index, (refusal, status, change)) in cases.into_iter().enumerate() {
            let (mut config, mut question, mut found) = (config(), question(), vec![old()]);
            change(&mut config, &mut question, &mut found);
            assert_eq!(decide(&config, &question, &found), Err(refusal), "case {index}");
            assert_eq!(refusal.status(), status);
        }
    }

    #[test]
    fn an_account_is_admitted_within_its_limits() {
        let mut item = old();
        for (attribute, value) in [
            ("expiresAt", Attribute::Text("2026-11-29T10:36:08Z".into())),
            ("expiresAt", Attribute::Text("2026-11-29".into())),
            ("regions", Attribute::Texts(vec!["us-east-2".into(), "us-west-2".into()])),
            ("note", Attribute::Text("disabled, expired, us-east-1 only".into())),
        ] {
            item.insert(attribute.to_owned(), value);
            assert!(decide(&config(), &question(), &[item.clone()]).is_ok(), "{item:?}");
        }
    }

    #[test]
    fn a_name_in_another_case_opens_the_same_home_if_the_setting_says_so() {
        let insensitive = Config { usernames: Usernames::CaseInsensitive, ..config() };
        let expected = decide(&config(), &question(), &[old()]).unwrap();
        for typed in ["my1sftp", "MY1SFTP", "My1Sftp"] {
            let question = Question { username: typed.into(), ..question() };
            // The whole answer is that of the stored name: no part of it contains what was typed.
            assert_eq!(decide(&insensitive, &question, &[old()]).as_ref(), Ok(&expected), "{typed}");
        }
        // An item whose name is not in lower case is not found by the index, and counts as little if it is.
        let mut upper = old();
        upper.insert("username".into(), Attribute::Text("MY1SFTP".into()));
        for typed in ["my1sftp", "MY1SFTP"] {
            let question = Question { username: typed.into(), ..question() };
            assert_eq!(decide(&insensitive, &question, &[upper.clone()]), Err(Refusal::UnknownUser), "{typed}");
        }
    }

    #[test]
    fn a_log_in_by_key_gets_the_keys() {
        let mut item = old();
        let rsa_1024 = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCy";
        item.insert("publicKeys".into(), Attribute::Texts(vec![rsa_1024.into(), KEY.into()]));
        let question = Question { password: String::new(), ..question() };
        assert_eq!(decide(&config(), &question, &[item.clone()]).unwrap().public_keys, [KEY]);
        // An empty password, where the server takes passwords only.
        let passwords_only = Config { takes_keys: false, ..config() };
        assert_eq!(decide(&passwords_only, &question, &[item.clone()]), Err(Refusal::NoSuchMethod));
        item.insert("publicKeys".into(), Attribute::Texts(vec![rsa_1024.into()]));
        assert_eq!(decide(&config(), &question, &[item]), Err(Refusal::NoSuchMethod));
    }

    #[test]
    fn every_refusal_costs_the_same() {
        let salt = [7; password::SALT_BYTES];
        let hash = password::hash("another", &salt).unwrap();
        let costs = |stored: &str, change: &dyn Fn(&mut Question, &mut Vec<Item>)| {
            let (mut question, mut found) = (question(), vec![old()]);
            found[0].insert("password".into(), Attribute::Text(stored.to_owned()));
            change(&mut question, &mut found);
            let before = password::tests::spent();
            judge(&question, &config().at(NOW), &found).unwrap_err();
            password::tests::spent() - before
        };
        let unknown = costs(&hash, &|_, found| found.clear());
        assert!(unknown > 0);
        for stored in [
            &password::legacy("another"),
            &hash,
            &format!("{{sha224}}{}", password::hash(password::legacy("another"), &salt).unwrap()),
            "not a hash",
            &password::hash_random("another", &salt).unwrap(),
            "$argon2id$v=19$m=99999999,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAA",
            // Of another program, at a lower cost.
            "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=9216,t=4,p=1$BwcHBwcHBwcHBwcHBwcHBw$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            let wrong = costs(stored, &|_, _| {});
            assert!(wrong.abs_diff(unknown) <= unknown / 50, "{stored}: {wrong}, an unknown user {unknown}");
        }
        for (name, change) in [
            (
                "disabled",
                &(|_: &mut Question, found: &mut Vec<Item>| {
                    found[0].insert("status".into(), Attribute::Text("disabled".into()));
                }) as &dyn Fn(&mut Question, &mut Vec<Item>),
            ),
            ("expired", &|_, found| {
                found[0].insert("expiresAt".into(), Attribute::Text("2026-01-01".into()));
            }),
            ("region", &|_, found| {
                found[0].insert("regions".into(), Attribute::Texts(vec!["us-east-1".into()]));
            }),
            ("source", &|question, found| {
                found[0].insert("allowedSources".into(), Attribute::Texts(vec!["10.0.0.0/8".into()]));
                question.source_ip = "192.0.2.1".into();
            }),
            ("duplicate", &|_, found| found.push(found[0].clone())),
            ("malformed", &|_, found| drop(found[0].remove("HomeDirectory"))),
            ("long", &|question, _| question.password = "x".repeat(5000)),
            ("odd name", &|question, _| question.username = "root ".into()),
        ] {
            assert_eq!(costs(&hash, change), unknown, "{name}");
        }
    }
}
