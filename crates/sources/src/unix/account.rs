//! What a Unix account is as a customer's account. Pure.

use std::collections::BTreeSet;

use sftpctl_accounts::import::row::Remark;

use super::authorized_keys::Key;
use super::ranges::Ranges;
use super::shadow::Secret;
use super::sshd::{Login, is_read_only};
use crate::crypt::{Stored, stored};
use crate::days;
use crate::notes::{org_id, refused, remark};
use crate::passwd::Entry;
use crate::source::{Record, Value};

/// The names of the columns, in the order of [`Account::record`].
pub(crate) const COLUMNS: [&str; 14] = [
    "username",
    "uid",
    "gid",
    "groups",
    "gecos",
    "home",
    "shell",
    "password",
    "status",
    "expires",
    "keys",
    "allowed",
    "last_changed",
    "orgid",
];

/// All that is known of an account.
pub(crate) struct Account<'a> {
    pub(crate) entry: Entry,
    pub(crate) groups: &'a [&'a str],
    /// None if shadow does not have the name.
    pub(crate) secret: Option<Secret>,
    pub(crate) login: Login,
    pub(crate) keys: Vec<Key>,
    /// Days since 1970.
    pub(crate) today: i64,
}

/// What is found out about an account, step by step.
#[derive(Default)]
struct Findings {
    remarks: Vec<Remark>,
    /// The first reason for a refusal.
    refusal: Option<(&'static str, String)>,
    is_disabled: bool,
}

impl Findings {
    fn remark(&mut self, column: &str, before: &str, after: &str, why: impl Into<String>) {
        self.remarks.push(remark(column, before, after, why));
    }

    fn refuse(&mut self, column: &'static str, why: impl Into<String>) {
        if self.refusal.is_none() {
            self.refusal = Some((column, why.into()));
        }
    }

    fn disable(&mut self, column: &str, before: &str, why: impl Into<String>) {
        self.is_disabled = true;
        self.remark(column, before, "disabled", why);
    }
}

impl Account<'_> {
    /// The record of an account, at a place in passwd.
    pub(crate) fn record(mut self, place: String, notes: Vec<Remark>) -> Record {
        let mut found = Findings { remarks: self.entry.remarks(), ..Findings::default() };
        found.remarks.extend(notes);
        for column in ["username", "home"] {
            if self.entry.is_latin_1(column) {
                found.refuse(column, "it is not UTF-8, and would be another name in S3: rename it");
            }
        }
        let password = self.password(&mut found);
        self.access(&mut found);
        self.age(&mut found);
        let expires = self.expiry(password.is_some(), &mut found);
        let allowed = self.allowed(password.is_some()).unwrap_or_else(|why| {
            found.refuse("allowed", why);
            BTreeSet::new()
        });
        let Self { entry, groups, secret, login, keys, .. } = self;
        let home = login.folder(&entry);
        if home != entry.home {
            found.remark("home", &entry.home, &home, "by ChrootDirectory in sshd_config");
        }
        let changed = secret.and_then(|secret| secret.changed).filter(|day| *day > 0).and_then(days::date);
        let value = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        let refusal = found.refusal.map(|(column, why)| {
            let value = match column {
                "username" => entry.name.as_str(),
                "home" => home.as_str(),
                _ => "",
            };
            refused(column, value, why)
        });
        Record {
            place,
            remarks: found.remarks,
            refusal,
            is_exact: false,
            values: vec![
                Value::Text(entry.name.clone()),
                Value::Text(entry.uid.to_string()),
                Value::Text(entry.gid.to_string()),
                Value::Texts(groups.iter().map(|group| (*group).to_owned()).collect()),
                Value::Text(entry.gecos),
                Value::Text(home.clone()),
                Value::Text(entry.shell),
                value(password),
                Value::Text(if found.is_disabled { "disabled" } else { "active" }.to_owned()),
                value(expires.and_then(days::instant)),
                Value::Texts(keys.into_iter().map(|key| key.text).collect()),
                Value::Texts(allowed.into_iter().collect()),
                value(changed),
                org_id(&home, &entry.name),
            ],
        }
    }

    /// The hash, as far as sshd admits passwords. Says so if neither a password nor a key is left.
    fn password(&mut self, found: &mut Findings) -> Option<String> {
        if !self.login.keys && !self.keys.is_empty() {
            self.keys.clear();
            found.remark("keys", "", "", "left out: sshd_config admits no keys of this user");
        }
        if let Some(methods) = &self.login.several_methods {
            found.refuse(
                "password",
                format!("AuthenticationMethods asks for several steps ({methods}), and an account has one"),
            );
        }
        // As pam_unix(8) decides: passwd itself counts unless it refers to shadow.
        let field = match &self.secret {
            Some(secret) if self.entry.password == "x" => secret.password.as_str(),
            None if self.entry.password == "x" => "*",
            _ => self.entry.password.as_str(),
        };
        let hash = match stored(field) {
            Stored::Hash(hash) => Some(hash),
            Stored::Locked(hash) => {
                let why = "the password is locked (`passwd -l` or `usermod -L`); its hash is kept for when the account \
                           is enabled";
                found.disable("password", "", why);
                Some(hash)
            }
            Stored::Impossible { is_locked } => {
                if is_locked && !self.login.pam && !self.keys.is_empty() {
                    found.disable("password", "", "locked with `!`, and sshd without PAM refuses its keys, too");
                }
                None
            }
            Stored::Empty => {
                found.refuse("password", "the field is empty: no password is needed. Set one, or lock it: `passwd -l`");
                None
            }
        };
        let hash = if hash.is_some() && !self.login.passwords {
            found.remark("password", "", "", "left out: sshd_config admits no passwords of this user");
            None
        } else {
            hash
        };
        if hash.is_none() && self.keys.is_empty() {
            found.refuse("password", "nobody can log in: it has no password and no key that can be used");
        }
        hash
    }

    /// What sshd_config says of the user.
    fn access(&self, found: &mut Findings) {
        if let Some(line) = &self.login.denied {
            found.disable("username", &self.entry.name, format!("sshd_config refuses this user by {line}"));
        }
        if self.login.force_command.as_deref().is_some_and(is_read_only) {
            found.remark("status", "read-only", "", "ForceCommand has -R; the account may write");
        }
    }

    /// The age of the password (shadow(5)).
    fn age(&self, found: &mut Findings) {
        let Some(Secret { changed: Some(changed), longest, grace, .. }) = self.secret else { return };
        let since = days::date(changed).unwrap_or_default();
        if changed == 0 {
            let why =
                "the password has to be changed at the next log-in, which SFTP cannot ask for; it is taken as it is";
            found.remark("last_changed", "0", "", why);
        } else if let Some(longest) = longest.filter(|longest| self.today - changed > *longest) {
            match grace {
                Some(grace) if self.today - changed > longest + grace => {
                    found.disable("last_changed", &since, "the password is too old, and the time to change it is over");
                }
                _ => found.remark("last_changed", &since, "", "the password is too old; it is taken as it is"),
            }
        }
    }

    /// The end of the account in seconds since 1970.
    fn expiry(&self, has_password: bool, found: &mut Findings) -> Option<i64> {
        let day = self.secret.as_ref().and_then(|secret| secret.expires);
        if let Some(day) = day.filter(|day| *day <= self.today) {
            found.disable("expires", &days::date(day).unwrap_or_default(), "the account has expired");
        }
        let account = day.map(|day| day * 86_400);
        let of_keys: Vec<i64> = self.keys.iter().filter_map(|key| key.expires).collect();
        let last = of_keys.iter().max().copied();
        let ends_with_keys = !has_password && of_keys.len() == self.keys.len();
        let end = if ends_with_keys { account.into_iter().chain(last).min() } else { account };
        for key in &self.keys {
            if let Some(expires) = key.expires.filter(|expires| end.is_none_or(|end| *expires < end)) {
                let before = days::instant(expires).unwrap_or_default();
                let why = "the key has an expiry-time, and the account is longer open with it";
                found.remark("expires", &before, &end.and_then(days::instant).unwrap_or_default(), why);
            }
        }
        end
    }

    /// The ranges that hold for the account: it has one list, for its password and all keys. A restriction is neither
    /// dropped nor laid on what did not have it; the first would open a door, the second close one.
    fn allowed(&self, has_password: bool) -> Result<BTreeSet<String>, String> {
        let advice = "give all keys the same from=, or none, in a copy";
        let mut of_keys: Option<&Ranges> = None;
        for key in &self.keys {
            if let Ranges::Unknown(why) = &key.from {
                return Err(format!("a key has from=, whose {why}; {advice}"));
            }
            if of_keys.is_some_and(|ranges| *ranges != key.from) {
                return Err(format!("its keys have different from=, and an account has one list for all; {advice}"));
            }
            of_keys = Some(&key.from);
        }
        let (of_keys, of_user) = (of_keys.unwrap_or(&Ranges::Everywhere), &self.login.allowed);
        match (of_keys, of_user) {
            (_, Ranges::Unknown(why)) => Err(format!("sshd_config limits the user's addresses: {why}")),
            (Ranges::Only(_), _) if has_password => {
                Err(format!("its keys have from= and its password has no such limit; {advice}"))
            }
            (Ranges::Only(keys), Ranges::Only(user)) if keys != user => {
                Err(format!("its keys have from=, and AllowUsers has other addresses; {advice}"))
            }
            (Ranges::Only(ranges), _) | (_, Ranges::Only(ranges)) => Ok(ranges.clone()),
            _ => Ok(BTreeSet::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sshd_config::SshdConfig;
    use super::*;

    const HASH: &str = "$6$saltsalt$hash";
    const TODAY: i64 = 20_454;

    struct Case {
        config: &'static str,
        shadow: String,
        keys: Vec<Key>,
    }

    impl Case {
        fn new(password: &str) -> Self {
            Self { config: "UsePAM yes", shadow: format!("jan:{password}:20000::99999::::"), keys: Vec::new() }
        }

        fn key(mut self, from: &str) -> Self {
            let from = if from.is_empty() { Ranges::Everywhere } else { Ranges::of(from) };
            self.keys.push(Key { text: format!("key{}", self.keys.len()), from, expires: None });
            self
        }

        fn config(mut self, config: &'static str) -> Self {
            self.config = config;
            self
        }

        fn record(self) -> Record {
            let config = SshdConfig::parse(("c".into(), self.config.into()), &mut |_| Ok(Vec::new())).unwrap();
            let entry = Entry {
                name: "jan".into(),
                password: "x".into(),
                uid: 1001,
                gid: 100,
                home: "/home/17578".into(),
                ..Entry::default()
            };
            let login = Login::of(&config, &entry, &["users"]);
            let secret = super::super::shadow::parse(self.shadow.as_bytes()).unwrap().map(|(_, secret)| secret);
            let account = Account { entry, groups: &["users"], secret, login, keys: self.keys, today: TODAY };
            account.record("passwd, line 1".into(), Vec::new())
        }
    }

    fn of<'r>(record: &'r Record, column: &str) -> &'r Value {
        &record.values[COLUMNS.iter().position(|name| *name == column).unwrap()]
    }

    fn text(record: &Record, column: &str) -> String {
        match of(record, column) {
            Value::Null => String::new(),
            Value::Text(text) | Value::Missing(text) => text.clone(),
            Value::Texts(texts) => texts.join(" "),
        }
    }

    fn why(record: &Record) -> &str {
        record.refusal.as_ref().map_or("", |refused| &refused.why)
    }

    #[test]
    fn an_ordinary_account_is_taken_as_it_is() {
        let record = Case::new(HASH).record();
        assert_eq!((record.refusal.as_ref(), record.remarks.len()), (None, 0));
        let expected = ["jan", "1001", "100", "users", "", "/home/17578", "", HASH, "active", "", "", "", "2024-10-04"];
        for (column, expected) in COLUMNS.iter().zip(expected) {
            assert_eq!(text(&record, column), expected, "{column}");
        }
        assert_eq!(text(&record, "orgid"), "17578");
    }

    #[test]
    fn locked_passwords_disable_and_missing_ones_need_a_key() {
        let record = Case::new(&format!("!{HASH}")).record();
        assert_eq!((text(&record, "password").as_str(), text(&record, "status").as_str()), (HASH, "disabled"));
        assert!(record.remarks[0].why.contains("passwd -l"));
        assert_eq!(record.remarks[0].before, "");
        for none in ["!", "!!", "*"] {
            assert!(why(&Case::new(none).record()).contains("no password and no key"), "{none}");
            let record = Case::new(none).key("").record();
            assert_eq!((record.refusal.as_ref(), of(&record, "password")), (None, &Value::Null), "{none}");
            assert_eq!(text(&record, "status"), "active", "{none}");
        }
        let without_pam = |password| text(&Case::new(password).key("").config("").record(), "status");
        assert_eq!((without_pam("!"), without_pam("*")), ("disabled".into(), "active".into()));
        assert!(why(&Case::new("").key("").record()).contains("no password is needed"));
    }

    #[test]
    fn closed_accounts_stay_closed() {
        let with = |rest: &str| Case { shadow: format!("jan:{HASH}:{rest}:"), ..Case::new(HASH) }.record();
        let record = with("20000::99999:::20819");
        assert_eq!(
            (text(&record, "expires").as_str(), text(&record, "status").as_str()),
            ("2027-01-01T00:00:00Z", "active")
        );
        for (rest, status, remarks) in [
            ("20000::99999:::20454", "disabled", 1),
            ("20000::99999:::20455", "active", 0),
            ("20000::99999:::0", "disabled", 1),
            ("0::99999:::", "active", 1),
            ("20364::90:::", "active", 0),
            ("20363::90:::", "active", 1),
            ("20363::90::0:", "disabled", 1),
            ("20334::90::30:", "active", 1),
            ("20333::90::30:", "disabled", 1),
        ] {
            let record = with(rest);
            assert_eq!((text(&record, "status").as_str(), record.remarks.len()), (status, remarks), "{rest}");
        }
    }

    #[test]
    fn one_list_of_addresses_holds_for_all() {
        let none = || Case::new("*");
        let a = "192.0.2.0/24";
        assert_eq!(text(&none().key(a).key(a).record(), "allowed"), a);
        for (case, reason) in [
            (none().key(a).key("198.51.100.1"), "different from="),
            (none().key(a).key(""), "different from="),
            (none().key("*.example.com"), "not an address"),
            (Case::new(HASH).key(a), "its password has no such limit"),
            (none().key(a).config("AllowUsers jan@10.0.0.0/8"), "AllowUsers has other addresses"),
            (none().key(a).config("DenyUsers jan@10.0.0.0/8"), "sshd_config limits"),
        ] {
            let record = case.record();
            assert!(why(&record).contains(reason), "{reason}: {}", why(&record));
        }
        assert_eq!(text(&none().key(a).config("AllowUsers jan@192.0.2.*").record(), "allowed"), a);
        assert_eq!(
            text(&Case::new(HASH).key("").config("AllowUsers jan@10.0.0.0/8").record(), "allowed"),
            "10.0.0.0/8"
        );
        // The password is left out, so that only the keys are left.
        let keys_only = Case::new(HASH).key(a).config("PasswordAuthentication no").record();
        assert_eq!((text(&keys_only, "allowed").as_str(), of(&keys_only, "password")), (a, &Value::Null));
    }

    #[test]
    fn sshd_config_is_followed() {
        let record = Case::new(HASH).config("DenyUsers jan").record();
        assert_eq!(text(&record, "status"), "disabled");
        let record = Case::new(HASH).config("ForceCommand internal-sftp -R\nChrootDirectory /sftp/%u").record();
        assert_eq!(
            (text(&record, "home").as_str(), text(&record, "orgid").as_str()),
            (
                "/sftp/jan",
                "the source has no organisation ID: the home /sftp/jan does not end in a number, and the user name jan \
                 does not contain just one; map another column to `orgid`, or rename them in a copy"
            )
        );
        assert_eq!(record.remarks.len(), 2);
        let record = Case::new(HASH).key("").config("AuthenticationMethods publickey,password").record();
        assert!(why(&record).contains("several steps"));
        let record = Case::new(HASH).key("").config("PubkeyAuthentication no").record();
        assert_eq!(of(&record, "keys"), &Value::Texts(Vec::new()));
    }

    #[test]
    fn an_account_of_keys_ends_with_the_last_key() {
        let with = |password: &str, ends: [Option<i64>; 2]| {
            let mut case = Case::new(password).key("").key("");
            for (key, end) in case.keys.iter_mut().zip(ends) {
                key.expires = end;
            }
            let record = case.record();
            (text(&record, "expires"), record.remarks.len())
        };
        assert_eq!(with("*", [Some(1_893_456_000), Some(1_893_456_001)]), ("2030-01-01T00:00:01Z".into(), 1));
        assert_eq!(with("*", [Some(1_893_456_000), None]), (String::new(), 1));
        assert_eq!(with(HASH, [Some(1_893_456_000); 2]), (String::new(), 2));
    }
}
