//! What a column seems to be, by its name and by its values. Pure.

use crate::mapping::plain_name;
use crate::options::Kind;
use crate::values::not_whole;

/// Names of columns, without what people vary, for each attribute; the likeliest attribute first.
const NAMES: [(&str, &[&str]); 11] = [
    (
        "password",
        &[
            "password",
            "passwd",
            "pass",
            "pwd",
            "pw",
            "secret",
            "hash",
            "passwordhash",
            "pwhash",
            "crypt",
            "kennwort",
            "passwort",
        ],
    ),
    (
        "username",
        &[
            "username",
            "user",
            "login",
            "loginname",
            "userid",
            "account",
            "accountname",
            "uname",
            "benutzer",
            "benutzername",
            "name",
        ],
    ),
    (
        "orgid",
        &[
            "orgid",
            "org",
            "organisation",
            "organisationid",
            "organization",
            "organizationid",
            "customer",
            "customerid",
            "customerno",
            "customernumber",
            "custid",
            "nr",
            "no",
            "number",
            "id",
            "kundennummer",
            "kunde",
        ],
    ),
    ("home", &["home", "homedir", "homedirectory", "homefolder", "folder", "directory", "dir", "path"]),
    ("cluster", &["cluster", "clustername", "bucket"]),
    ("status", &["status", "state", "active", "enabled", "isactive", "disabled", "locked", "loginenabled"]),
    (
        "allowed",
        &["allowed", "allowedips", "ip", "ips", "ipaddresses", "allowedip", "source", "sourceips", "cidr", "cidrs"],
    ),
    ("keys", &["keys", "key", "publickey", "publickeys", "sshkey", "sshkeys", "authorizedkeys"]),
    ("expires", &["expires", "expiry", "expiration", "expirationdate", "expiresat", "validuntil", "accountexpires"]),
    ("note", &["note", "notes", "comment", "comments", "description", "remark", "remarks"]),
    ("regions", &["regions", "awsregions"]),
];

/// Parts of names whose values are not shown, whatever they are.
const SECRET: [&str; 13] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "hash",
    "salt",
    "crypt",
    "kennw",
    "pin",
    "otp",
    "credential",
    "private",
    "apikey",
];

/// Values that say whether an account is in use.
const STATUS: [&str; 19] = [
    "0", "1", "y", "n", "yes", "no", "true", "false", "t", "f", "active", "inactive", "disabled", "enabled", "locked",
    "on", "off", "open", "closed",
];

/// How many values have a form.
#[derive(Debug, Default)]
pub(super) struct Content {
    values: u64,
    digits: u64,
    /// Numbers that a spreadsheet has rounded, or turned into decimal ones.
    changed: u64,
    folders: u64,
    /// Such as the shells of Unix users.
    programs: u64,
    mails: u64,
    status: u64,
    keys: u64,
    dates: u64,
    addresses: u64,
}

impl Content {
    pub(super) fn add(&mut self, text: &str) {
        let mut count = |counter: fn(&mut Self) -> &mut u64, is_it: bool| *counter(self) += u64::from(is_it);
        count(|c| &mut c.values, true);
        count(|c| &mut c.digits, text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()));
        count(|c| &mut c.changed, not_whole(text).is_some());
        count(|c| &mut c.folders, text.starts_with('/') && text.len() > 1 && !is_program(text));
        count(|c| &mut c.programs, is_program(text));
        count(|c| &mut c.mails, is_mail(text));
        count(|c| &mut c.status, STATUS.iter().any(|word| text.eq_ignore_ascii_case(word)));
        count(|c| &mut c.keys, text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-"));
        count(|c| &mut c.dates, is_date(text));
        count(|c| &mut c.addresses, text.split([',', ';', ' ']).filter(|part| !part.is_empty()).all(is_address));
    }

    /// Values that are numbers, or were.
    fn numbers(&self) -> u64 {
        self.digits + self.changed
    }

    /// How many organisation IDs a spreadsheet has changed into other numbers.
    pub(super) fn changed(&self) -> u64 {
        self.changed
    }

    /// Nearly all values have the form.
    fn is_mostly(&self, count: u64) -> bool {
        count > 0 && count * 10 >= self.values * 9
    }
}

fn is_program(text: &str) -> bool {
    let places = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"];
    places.iter().any(|place| text.starts_with(place))
}

fn is_mail(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !domain.contains('@'))
}

/// A date begins as RFC 3339's does.
fn is_date(text: &str) -> bool {
    let pattern = text.bytes().take(10).map(|byte| if byte.is_ascii_digit() { b'9' } else { byte });
    pattern.eq(*b"9999-99-99")
}

fn is_address(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    address.parse::<std::net::IpAddr>().is_ok() && address.contains(['.', ':'])
}

/// The attribute that a column seems to be. Hashes are passwords whatever the name is.
pub(super) fn attribute(name: &str, content: &Content, is_hashed: bool, is_unique: bool) -> Option<&'static str> {
    if is_hashed {
        return Some("password");
    }
    let named = named(name);
    // A name such as `id` or `user` is believed only if the values fit.
    let fits = match named {
        Some("orgid") => {
            content.values == 0 || content.is_mostly(content.numbers()) && !content.is_mostly(content.addresses)
        }
        Some("username") => !content.is_mostly(content.numbers()) || !["id", "userid"].contains(&&*plain_name(name)),
        Some("keys") => content.is_mostly(content.keys) || content.values == 0,
        Some("home") => content.is_mostly(content.folders) || content.values == 0,
        Some("allowed") => content.is_mostly(content.addresses) || content.values == 0,
        named => named.is_some(),
    };
    if fits {
        return named;
    }
    if is_secret(name) {
        return None;
    }
    let by_content = [
        (content.folders, "home"),
        (content.keys, "keys"),
        (content.mails, "username"),
        (content.addresses, "allowed"),
    ];
    let found = by_content.into_iter().find(|(count, _)| content.is_mostly(*count)).map(|(_, attribute)| attribute);
    let is_status = content.is_mostly(content.status) && !is_unique;
    let numbers = if named.is_some() { content.numbers() } else { content.digits };
    let is_id = content.is_mostly(numbers) && is_unique;
    found.or(is_status.then_some("status")).or(is_id.then_some("orgid"))
}

/// The attribute that has this name; for a name of several words, the one of its last: `customer_login`.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    let of = |plain: &str| NAMES.iter().find(|(_, names)| names.contains(&plain)).map(|(attribute, _)| *attribute);
    let words: Vec<String> = name.split(['_', '-', ' ', '.']).map(plain_name).collect();
    // `last_login` is a time.
    let last = words.last().filter(|_| words[0] != "last");
    of(&plain_name(name)).or_else(|| last.and_then(|word| of(word)))
}

/// Whether a name speaks of organisations or customers, and not of any number, such as `id`.
pub(super) fn is_of_organisations(name: &str) -> bool {
    let words = name.split(['_', '-', ' ', '.']).map(plain_name);
    words.chain([plain_name(name)]).any(|word| ["org", "cust", "kunde"].iter().any(|start| word.starts_with(start)))
}

/// Whether a column has the system's numbers of Unix users, which mean nothing to their organisations.
pub(super) fn is_system_number(name: &str, kind: Kind) -> bool {
    matches!(kind, Kind::Shadow | Kind::Proftpd) && ["uid", "gid", "last_changed"].contains(&name)
}

fn is_secret(name: &str) -> bool {
    let plain = plain_name(name);
    SECRET.iter().any(|part| plain.contains(part))
}

/// Whether values of a column may be shown. A word can be a password and a number a PIN, so such columns are shown only
/// if their names say that they are something else.
pub(super) fn may_show(name: &str, guess: Option<&str>, content: &Content) -> bool {
    let by_name = named(name);
    let is_plain = [content.folders, content.programs, content.mails, content.status, content.dates, content.addresses];
    let is_known =
        matches!(by_name, Some("orgid" | "username" | "home" | "cluster" | "status" | "expires" | "allowed"));
    !is_secret(name)
        && guess != Some("password")
        && (is_known || is_plain.into_iter().any(|count| content.is_mostly(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(values: &[&str]) -> Content {
        let mut content = Content::default();
        values.iter().for_each(|value| content.add(value));
        content
    }

    #[test]
    fn columns_are_recognised_by_name_and_by_content() {
        for (name, values, expected) in [
            ("Kunden-Nr", &["17578", "17579"][..], Some("orgid")),
            ("id", &["a", "b"], None),
            ("orgid", &["0017578", "1.7579E+04", "17580", "17581"], Some("orgid")),
            ("orgid", &["1,75E+11", "1,75E+11"], Some("orgid")),
            ("customer_id", &["17578.0", "17,579"], Some("orgid")),
            ("customer_id", &["17 578", "17\u{202f}579", "17'580"], Some("orgid")),
            ("customer_id", &["18446744073709551615", "9223372036854775808"], Some("orgid")),
            ("contact", &["17 578", "17 579"], None),
            ("orgid", &["E+04", "1e", "e5", "v1.2"], None),
            ("userid", &["17578", "1.7579E+04"], Some("orgid")),
            ("id", &["10.0.0.1", "192.0.2.1"], Some("allowed")),
            ("price", &["1.50", "2.25"], None),
            ("login", &["jan", "acme"], Some("username")),
            ("customer_login", &["jan", "acme"], Some("username")),
            ("3", &["/home/1", "/home/2"], Some("home")),
            ("last_login", &[], None),
            ("shell", &["/bin/bash", "/usr/sbin/nologin", "/bin/false"], None),
            ("6", &["/bin/sh"], None),
            ("2", &["jan@example.com", "a@b.org"], Some("username")),
            ("1", &["17578", "17579"], Some("orgid")),
            ("active", &["1", "0", "1"], Some("status")),
            ("x", &["ssh-ed25519 AAAA", "ssh-rsa AAAA"], Some("keys")),
            ("x", &["10.0.0.0/8, 192.0.2.1", "2001:db8::/32"], Some("allowed")),
            ("x", &["summer", "winter"], None),
            ("passwd", &["summer", "winter"], Some("password")),
        ] {
            let content = content(values);
            let is_unique = values.iter().collect::<std::collections::BTreeSet<_>>().len() == values.len();
            assert_eq!(attribute(name, &content, false, is_unique), expected, "{name} {values:?}");
        }
        assert_eq!(attribute("login", &content(&[]), true, true), Some("password"));
    }

    #[test]
    fn a_name_that_speaks_of_organisations_is_told_from_a_number() {
        for name in ["org", "OrgID", "organisation_id", "parent-org", "customer_id", "Kunden-Nr", "cust_no"] {
            assert!(is_of_organisations(name), "{name}");
        }
        for name in ["id", "row_id", "nr", "number", "userid"] {
            assert!(!is_of_organisations(name), "{name}");
        }
    }

    #[test]
    fn only_what_cannot_be_a_password_is_shown() {
        for (name, values, expected) in [
            ("login", &["jan", "acme"][..], true),
            ("2", &["jan", "acme"], false),
            ("2", &["1234", "4711"], false),
            ("pin", &["1234", "4711"], false),
            ("user_password", &["a@b.org", "a@c.org"], false),
            ("password", &["1", "0"], false),
            ("3", &["/home/1"], true),
            ("shell", &["/bin/bash"], true),
            ("created", &["2024-01-01 10:00:00", "2025-02-03"], true),
            ("note", &["the password is summer"], false),
        ] {
            let content = content(values);
            let guess = attribute(name, &content, false, true);
            assert_eq!(may_show(name, guess, &content), expected, "{name} {values:?}");
        }
    }
}
