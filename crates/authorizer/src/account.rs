//! An account, and its form as an item of the account table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::expiry::Expiry;
use super::home::Home;
use super::password::Scheme;
use super::public_key::{self, KeyProblem};
use super::usernames::Usernames;

/// A value of an attribute in DynamoDB, of the types that accounts use.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Attribute {
    /// `S`.
    Text(String),
    /// `N`, in DynamoDB's own digits.
    Number(String),
    /// `L` of `S`, or `SS`.
    Texts(Vec<String>),
    /// Any other type; accounts do not use it.
    Other,
}

/// An item of the table.
pub type Item = BTreeMap<String, Attribute>;

#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The partition key: a customer's number.
    pub org_id: i64,
    /// The log-in name.
    pub username: String,
    /// A stored form of the password ([`super::password`]); `None` for an account that has keys only.
    pub password: Option<String>,
    pub home: Home,
    /// Whether the account is turned off.
    pub disabled: bool,
    /// The time from which it is refused.
    pub expires: Option<Expiry>,
    /// Source addresses that may log in; empty allows all.
    pub allowed: Vec<IpNet>,
    /// AWS regions in which it may log in; empty allows all.
    pub regions: Vec<String>,
    /// Public keys as in `authorized_keys`, one each.
    pub public_keys: Vec<String>,
    /// Free text for operators; no decision depends on it.
    pub note: Option<String>,
    /// Time of creation, RFC 3339; accounts of the old server have none.
    pub created: Option<String>,
    pub updated: Option<String>,
}

/// An item that is not a valid account, with the attribute that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attribute {attribute} {problem}")]
pub struct MalformedItem {
    pub attribute: &'static str,
    /// The rest of the sentence: `is missing`.
    pub problem: &'static str,
}

/// What the names of canaries begin with, the accounts by which `sftpctl verify` tries log-ins.
pub const CANARY: &str = "sftpctl-canary-";

/// The folder of canaries, in any bucket.
pub const CANARY_FOLDER: &str = "sftpctl-canary";

/// Whether an item is a canary, and no customer's account: its number, its name and its folder are no customer's.
pub fn is_canary(item: &Item) -> bool {
    let text = |name: &str| match item.get(name) {
        Some(Attribute::Text(text) | Attribute::Number(text)) => text.as_str(),
        _ => "",
    };
    text(ORG_ID).parse::<i64>().is_ok_and(|id| id <= 0)
        && text(USERNAME).starts_with(CANARY)
        && Home::parse(text(HOME)).is_some_and(|home| home.folder == CANARY_FOLDER)
}

/// The partition key of the table.
pub const ORG_ID: &str = "orgid";
/// The partition key of the index, and the sort key of a table whose organisations have several accounts.
pub const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const HOME: &str = "HomeDirectory";
const STATUS: &str = "status";
/// When it ends.
pub const EXPIRES: &str = "expiresAt";
const ALLOWED: &str = "allowedSources";
/// The regions whose server admits it.
pub const REGIONS: &str = "regions";
const KEYS: &str = "publicKeys";
const NOTE: &str = "note";
const CREATED: &str = "createdAt";
const UPDATED: &str = "updatedAt";

impl Account {
    /// Reads an item. Unknown attributes are ignored.
    ///
    /// # Errors
    /// An attribute is missing, of another type, or invalid. The authorizer refuses log-ins to such an account.
    pub fn from_item(item: &Item) -> Result<Self, MalformedItem> {
        let wrong = |attribute, problem| MalformedItem { attribute, problem };
        let text = |attribute| match item.get(attribute) {
            None => Ok(None),
            Some(Attribute::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(attribute, "is not a string")),
        };
        let texts = |attribute| match item.get(attribute) {
            None => Ok(Vec::new()),
            Some(Attribute::Texts(texts)) => Ok(texts.clone()),
            Some(_) => Err(wrong(attribute, "is not a list of strings")),
        };
        let org_id = match item.get(ORG_ID) {
            Some(Attribute::Number(digits)) => {
                digits.parse::<i64>().map_err(|_| wrong(ORG_ID, "is not a whole number from 1 on"))?
            }
            Some(_) => return Err(wrong(ORG_ID, "is not a number")),
            None => return Err(wrong(ORG_ID, "is missing")),
        };
        let username = text(USERNAME)?.filter(|name| !name.is_empty()).ok_or(wrong(USERNAME, "is missing"))?;
        if org_id <= 0 && !is_canary(item) {
            return Err(wrong(ORG_ID, "is not a whole number from 1 on"));
        }
        let home = text(HOME)?.ok_or(wrong(HOME, "is missing"))?;
        let home = Home::parse(&home).ok_or(wrong(HOME, "is not /<bucket>/<folder>"))?;
        let disabled = match text(STATUS)?.as_deref() {
            None | Some("active") => false,
            Some("disabled") => true,
            Some(_) => return Err(wrong(STATUS, "is neither active nor disabled")),
        };
        let allowed: Vec<IpNet> = texts(ALLOWED)?
            .iter()
            .map(|range| parse_range(range).ok_or(wrong(ALLOWED, "contains an invalid address range")))
            .collect::<Result<_, _>>()?;
        let regions = texts(REGIONS)?;
        // An empty list is more likely a mistake than a wish to allow everything.
        for (attribute, is_empty) in [(ALLOWED, allowed.is_empty()), (REGIONS, regions.is_empty())] {
            if is_empty && item.contains_key(attribute) {
                return Err(wrong(attribute, "is empty"));
            }
        }
        let expires =
            text(EXPIRES)?.map(|time| Expiry::parse(&time).ok_or(wrong(EXPIRES, "is not a time in RFC 3339")));
        let expires = expires.transpose()?;
        let password = text(PASSWORD)?.filter(|stored| !stored.is_empty());
        let public_keys = texts(KEYS)?;
        if password.is_none() && public_keys.is_empty() {
            return Err(wrong(PASSWORD, "is missing, and there are no public keys"));
        }
        let (created, updated) = (text(CREATED)?, text(UPDATED)?);
        // A note of another type locks nobody out.
        let note = text(NOTE).ok().flatten();
        Ok(Self {
            org_id,
            username,
            password,
            home,
            disabled,
            expires,
            allowed,
            regions,
            public_keys,
            note,
            created,
            updated,
        })
    }

    /// The account as an item of the table.
    pub fn to_item(&self) -> Item {
        let mut item = Item::new();
        let mut put = |name: &str, value| item.insert(name.to_owned(), value);
        put(ORG_ID, Attribute::Number(self.org_id.to_string()));
        put(USERNAME, Attribute::Text(self.username.clone()));
        put(HOME, Attribute::Text(self.home.path()));
        put(STATUS, Attribute::Text(if self.disabled { "disabled" } else { "active" }.to_owned()));
        for (name, value) in [
            (PASSWORD, self.password.as_deref()),
            (EXPIRES, self.expires.as_ref().map(Expiry::as_str)),
            (NOTE, self.note.as_deref()),
            (CREATED, self.created.as_deref()),
            (UPDATED, self.updated.as_deref()),
        ] {
            if let Some(value) = value {
                put(name, Attribute::Text(value.to_owned()));
            }
        }
        let allowed = self.allowed.iter().map(IpNet::to_string).collect();
        for (name, list) in [(ALLOWED, allowed), (REGIONS, self.regions.clone()), (KEYS, self.public_keys.clone())] {
            if !list.is_empty() {
                put(name, Attribute::Texts(list));
            }
        }
        item
    }

    /// Attributes that can admit nobody, although the item is an account: `users passwd` may repair them. Values are not
    /// named, as one may be a password.
    pub fn faults(&self) -> Vec<MalformedItem> {
        let stored = self.password.as_deref().and_then(password_problem);
        let key = self.public_keys.iter().find_map(|line| public_key::problem(line));
        let key = key.map(KeyProblem::of_attribute);
        let named = |attribute| move |problem| MalformedItem { attribute, problem };
        stored.map(named(PASSWORD)).into_iter().chain(key.map(named(KEYS))).collect()
    }

    /// The keys that can admit somebody: Transfer Family is not asked to accept others.
    pub fn admissible_keys(&self) -> Vec<String> {
        self.public_keys.iter().filter(|line| public_key::problem(line).is_none()).cloned().collect()
    }

    /// What works, but probably not as it was meant; or does not, because of how user names are compared.
    pub fn remarks(&self, usernames: Usernames) -> Vec<MalformedItem> {
        let literal = "contains `${`, which belongs to the folder's name: no variable is replaced";
        let unreachable = "has upper-case letters, but names are looked up in lower case: nobody can log in";
        let remarks = [
            (self.home.path().contains("${"), HOME, literal),
            (usernames.stored(&self.username) != self.username, USERNAME, unreachable),
        ];
        let remarks = remarks.into_iter().filter(|(applies, ..)| *applies);
        remarks.map(|(_, attribute, problem)| MalformedItem { attribute, problem }).collect()
    }

    /// Whether a customer may come from this address. Where ranges are set, an address that cannot be read is none.
    pub fn admits(&self, source: &str) -> bool {
        if self.allowed.is_empty() {
            return true;
        }
        let Ok(address) = source.parse::<IpAddr>() else { return false };
        // A dual-stack server may report an IPv4 customer as ::ffff:192.0.2.1.
        let address = address.to_canonical();
        self.allowed.iter().any(|range| range.contains(&address))
    }
}

/// What is wrong with a stored password whose form is unknown.
fn password_problem(stored: &str) -> Option<&'static str> {
    if Scheme::of(stored).is_some() {
        return None;
    }
    Some(match Scheme::of(stored.trim()) {
        None => "is not a hash in a known form",
        Some(_) if stored.starts_with(char::is_whitespace) => "has white space before the hash",
        Some(_) if stored.ends_with(['\n', '\r']) => "has a line end after the hash",
        Some(_) => "has white space after the hash",
    })
}

/// An address range, `192.0.2.0/24` or `2001:db8::/32`; one address is a range of its own. Bits after the prefix are
/// ignored.
pub fn parse_range(text: &str) -> Option<IpNet> {
    parse_address(text).map(|net| net.trunc())
}

/// As [`parse_range`], with the bits after the prefix as they are: where there are any, a person may have meant another
/// range.
pub fn parse_address(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An account like those of the old server.
    pub(crate) fn old() -> Item {
        Item::from([
            (ORG_ID.to_owned(), Attribute::Number("175781".into())),
            (USERNAME.to_owned(), Attribute::Text("my1sftp".into())),
            (PASSWORD.to_owned(), Attribute::Text(super::super::password::legacy("secret"))),
            (HOME.to_owned(), Attribute::Text("/pl-pt99-5-uploads/175781".into())),
        ])
    }

    #[test]
    fn accounts_survive_a_round_trip_through_an_item() {
        let mut account = Account::from_item(&old()).unwrap();
        for _ in 0..2 {
            assert_eq!(Account::from_item(&account.to_item()), Ok(account.clone()));
            account.disabled = true;
            account.password = None;
            account.allowed = vec![parse_range("10.1.2.3/8").unwrap(), parse_range("2001:db8::1").unwrap()];
            account.public_keys = vec!["ssh-ed25519 AAAA".into()];
            account.created = Some("2026-01-01T00:00:00Z".into());
            account.expires = Expiry::parse("2026-12-31");
            account.regions = vec!["us-west-2".into(), "us-east-2".into()];
            account.note = Some("pays late".into());
        }
    }

    #[test]
    fn a_malformed_item_names_its_attribute() {
        let cases: [(&str, Option<Attribute>); 18] = [
            (ORG_ID, None),
            (ORG_ID, Some(Attribute::Text("175781".into()))),
            (ORG_ID, Some(Attribute::Number("1.5".into()))),
            (USERNAME, None),
            (USERNAME, Some(Attribute::Text(String::new()))),
            (PASSWORD, None),
            (PASSWORD, Some(Attribute::Number("1".into()))),
            (HOME, None),
            (HOME, Some(Attribute::Text("/bucket".into()))),
            (STATUS, Some(Attribute::Text("on".into()))),
            (ALLOWED, Some(Attribute::Texts(vec!["10.0.0.0/33".into()]))),
            (ALLOWED, Some(Attribute::Texts(Vec::new()))),
            (KEYS, Some(Attribute::Other)),
            (EXPIRES, Some(Attribute::Text("31.12.2026".into()))),
            (EXPIRES, Some(Attribute::Text(String::new()))),
            (EXPIRES, Some(Attribute::Number("1795948567".into()))),
            (REGIONS, Some(Attribute::Texts(Vec::new()))),
            (REGIONS, Some(Attribute::Text("us-west-2".into()))),
        ];
        for (attribute, value) in cases {
            let mut item = old();
            match &value {
                None => item.remove(attribute),
                Some(value) => item.insert(attribute.to_owned(), value.clone()),
            };
            assert_eq!(Account::from_item(&item).unwrap_err().attribute, attribute, "{value:?}");
        }
    }

    #[test]
    fn a_password_that_opens_nothing_is_a_fault_and_its_value_is_not_named() {
        let hash = super::super::password::legacy("secret");
        for (stored, problem) in [
            (hash.clone(), None),
            (format!("{hash}\n"), Some("has a line end after the hash")),
            (format!("{hash}\r\n"), Some("has a line end after the hash")),
            (format!("{hash} "), Some("has white space after the hash")),
            (format!(" {hash}\n"), Some("has white space before the hash")),
            ("ac0df36b52!".to_owned(), Some("is not a hash in a known form")),
            (" ".to_owned(), Some("is not a hash in a known form")),
        ] {
            let account = Account { password: Some(stored), ..Account::from_item(&old()).unwrap() };
            let expected = problem.map(|problem| MalformedItem { attribute: PASSWORD, problem });
            assert_eq!(account.faults(), expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_that_is_not_a_key_is_a_fault() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        for (line, good) in [
            (key.to_owned(), true),
            (format!("{key} me@here"), true),
            (format!("from=\"10.0.0.1\" {key}"), false),
            (key[..key.len() - 8].to_owned(), false),
            (key.replace("ssh-ed25519", "ssh-rsa"), false),
            ("ssh-ed25519 AAAA".to_owned(), false),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".to_owned(), false),
            ("ssh-ed25519".to_owned(), false),
            (String::new(), false),
        ] {
            let account = Account { public_keys: vec![key.into(), line], ..Account::from_item(&old()).unwrap() };
            let attributes: Vec<_> = account.faults().iter().map(|fault| fault.attribute).collect();
            assert_eq!(attributes, if good { vec![] } else { vec![KEYS] });
            assert_eq!(account.admissible_keys().len(), if good { 2 } else { 1 });
        }
    }

    #[test]
    fn a_note_of_another_type_locks_nobody_out() {
        let mut item = old();
        item.insert(NOTE.to_owned(), Attribute::Other);
        assert_eq!(Account::from_item(&item).unwrap().note, None);
    }

    #[test]
    fn a_name_that_is_never_looked_up_is_remarked_on() {
        let account = Account { username: "Jan".into(), ..Account::from_item(&old()).unwrap() };
        assert_eq!(account.remarks(Usernames::Exact), []);
        let remarks = account.remarks(Usernames::CaseInsensitive);
        assert_eq!(remarks.first().map(|remark| remark.attribute), Some(USERNAME));
        let account = Account { username: "jan".into(), ..account };
        assert_eq!(account.remarks(Usernames::CaseInsensitive), []);
    }

    #[test]
    fn a_variable_in_a_home_is_remarked_on() {
        let mut item = old();
        assert_eq!(Account::from_item(&item).unwrap().remarks(Usernames::Exact), []);
        item.insert(HOME.to_owned(), Attribute::Text("/bucket/${transfer:UserName}".into()));
        let account = Account::from_item(&item).unwrap();
        assert_eq!(account.remarks(Usernames::Exact).first().map(|remark| remark.attribute), Some(HOME));
        assert!(account.faults().is_empty(), "it admits the customer");
    }

    #[test]
    fn source_ranges_are_of_both_families() {
        let mut account = Account::from_item(&old()).unwrap();
        assert!(account.admits("198.51.100.7") && account.admits(""));
        account.allowed = ["192.0.2.0/24", "2001:db8::/32"].iter().filter_map(|range| parse_range(range)).collect();
        for inside in ["192.0.2.1", "192.0.2.255", "2001:db8:1::5", "::ffff:192.0.2.9"] {
            assert!(account.admits(inside), "{inside}");
        }
        for outside in ["192.0.3.1", "2001:db9::1", "", "nonsense", "192.0.2.1 "] {
            assert!(!account.admits(outside), "{outside}");
        }
    }
}
