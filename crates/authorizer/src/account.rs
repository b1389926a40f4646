//! An account, and its form as an item of the account table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::home::Home;

/// A value of an attribute in DynamoDB, of the types that accounts use.
#[derive(Clone, Debug, PartialEq)]
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
    /// Source addresses that may log in; empty allows all.
    pub allowed: Vec<IpNet>,
    /// Public keys as in `authorized_keys`, one each.
    pub public_keys: Vec<String>,
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

const ORG_ID: &str = "orgid";
const USERNAME: &str = "username";
const PASSWORD: &str = "password";
const HOME: &str = "HomeDirectory";
const STATUS: &str = "status";
const ALLOWED: &str = "allowedSources";
const KEYS: &str = "publicKeys";
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
            Some(Attribute::Number(digits)) => digits.parse().map_err(|_| wrong(ORG_ID, "is not a whole number"))?,
            Some(_) => return Err(wrong(ORG_ID, "is not a number")),
            None => return Err(wrong(ORG_ID, "is missing")),
        };
        let username = text(USERNAME)?.filter(|name| !name.is_empty()).ok_or(wrong(USERNAME, "is missing"))?;
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
        // An empty list is more likely a mistake than a wish to allow every address.
        if allowed.is_empty() && item.contains_key(ALLOWED) {
            return Err(wrong(ALLOWED, "is empty"));
        }
        let password = text(PASSWORD)?.filter(|stored| !stored.is_empty());
        let public_keys = texts(KEYS)?;
        if password.is_none() && public_keys.is_empty() {
            return Err(wrong(PASSWORD, "is missing, and there are no public keys"));
        }
        let (created, updated) = (text(CREATED)?, text(UPDATED)?);
        Ok(Self { org_id, username, password, home, disabled, allowed, public_keys, created, updated })
    }

    /// The account as an item of the table.
    pub fn to_item(&self) -> Item {
        let mut item = Item::new();
        let mut put = |name: &str, value| item.insert(name.to_owned(), value);
        put(ORG_ID, Attribute::Number(self.org_id.to_string()));
        put(USERNAME, Attribute::Text(self.username.clone()));
        put(HOME, Attribute::Text(self.home.path()));
        put(STATUS, Attribute::Text(if self.disabled { "disabled" } else { "active" }.to_owned()));
        for (name, value) in [(PASSWORD, &self.password), (CREATED, &self.created), (UPDATED, &self.updated)] {
            if let Some(value) = value {
                put(name, Attribute::Text(value.clone()));
            }
        }
        if !self.allowed.is_empty() {
            put(ALLOWED, Attribute::Texts(self.allowed.iter().map(IpNet::to_string).collect()));
        }
        if !self.public_keys.is_empty() {
            put(KEYS, Attribute::Texts(self.public_keys.clone()));
        }
        item
    }

    /// Whether the account allows log-ins from this address. If it has ranges, an address that cannot be parsed is
    /// refused.
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

/// Parses an address range, `192.0.2.0/24` or `2001:db8::/32`; a single address is a range of one.
pub fn parse_range(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().map(|net| net.trunc()).or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
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
        }
    }

    #[test]
    fn a_malformed_item_names_its_attribute() {
        let cases: [(&str, Option<Attribute>); 13] = [
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
    fn source_ranges_cover_both_address_families() {
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
