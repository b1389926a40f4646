//! The Lambda's configuration, which it reads from environment variables.

use std::collections::BTreeSet;

use super::decision::Circumstances;
use super::usernames::Usernames;

/// The value of `SERVER_ID` while the server does not exist yet.
pub const NO_SERVER: &str = "unset";

/// How a customer sees the home folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeType {
    /// Under its real path, `/bucket/folder`.
    Path,
    /// As `/`, without the bucket's name.
    Logical,
}

/// The Lambda's settings, one per environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `SERVER_ID`: the only server that may call the authorizer; `unset` until it exists.
    pub server_id: String,
    /// `TABLE_NAME`: the account table, in the Lambda's own region.
    pub table: String,
    /// `INDEX_NAME`: its index on user names.
    pub index: String,
    /// `USER_ROLE_ARN`: the role that Transfer assumes for a customer.
    pub role_arn: String,
    /// `BLOCK_LIST`: names refused before any look-up, in lower case.
    pub block_list: BTreeSet<String>,
    /// `HOME_TYPE`: `path` or `logical`.
    pub home_type: HomeType,
    /// `USERNAMES`: how user names are compared; `exact` if it is not set, as in a function of an earlier version.
    pub usernames: Usernames,
    /// `AWS_REGION`: the Lambda's own region.
    pub region: String,
    /// `TAKES_KEYS`: whether the server takes public keys; without, a log-in without a password is refused.
    pub takes_keys: bool,
}

/// A variable is missing or invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not set, or is empty and must not be.
    #[error("the environment variable {0} is missing")]
    Missing(&'static str),
    #[error("the environment variable {name} is {value:?}, but must be {allowed}")]
    Invalid {
        name: &'static str,
        value: String,
        /// The values that it may have.
        allowed: &'static str,
    },
}

impl Config {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// The first variable that is missing or invalid. `BLOCK_LIST` may be empty but must be set.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variable = |name| get(name).ok_or(ConfigError::Missing(name));
        let filled = |name| variable(name)?.trim().to_owned().into_filled().ok_or(ConfigError::Missing(name));
        let invalid = |name, value, allowed| ConfigError::Invalid { name, value, allowed };
        let home_type = filled("HOME_TYPE")?;
        let takes_keys = filled("TAKES_KEYS")?;
        let usernames = get("USERNAMES").unwrap_or_else(|| "exact".to_owned());
        Ok(Self {
            server_id: filled("SERVER_ID")?,
            table: filled("TABLE_NAME")?,
            index: filled("INDEX_NAME")?,
            role_arn: filled("USER_ROLE_ARN")?,
            block_list: variable("BLOCK_LIST")?
                .split(',')
                .map(|name| name.trim().to_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
            home_type: match home_type.as_str() {
                "path" => HomeType::Path,
                "logical" => HomeType::Logical,
                _ => return Err(invalid("HOME_TYPE", home_type, "path or logical")),
            },
            usernames: Usernames::parse(&usernames)
                .ok_or_else(|| invalid("USERNAMES", usernames, "exact or case-insensitive"))?,
            region: filled("AWS_REGION")?,
            takes_keys: takes_keys.parse().map_err(|_| invalid("TAKES_KEYS", takes_keys, "true or false"))?,
        })
    }

    /// The circumstances of a log-in at this time, in seconds since 1970.
    pub fn at(&self, now: i64) -> Circumstances<'_> {
        Circumstances { usernames: self.usernames, region: &self.region, now }
    }
}

trait Filled: Sized {
    fn into_filled(self) -> Option<Self>;
}

impl Filled for String {
    fn into_filled(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 8] = [
        ("AWS_REGION", "us-west-2"),
        ("TAKES_KEYS", "true"),
        ("HOME_TYPE", "path"),
        ("SERVER_ID", "s-1"),
        ("TABLE_NAME", "t"),
        ("INDEX_NAME", "i"),
        ("USER_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
        ("BLOCK_LIST", "Root, admin,,"),
    ];

    fn without(missing: &str) -> Result<Config, ConfigError> {
        Config::read(|name| {
            ALL.iter().find(|(key, _)| *key == name && name != missing).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_missing_variable_is_named() {
        for (name, _) in ALL {
            assert_eq!(without(name), Err(ConfigError::Missing(name)));
        }
    }

    #[test]
    fn names_are_exact_unless_the_variable_says_otherwise() {
        assert_eq!(without("").unwrap().usernames, Usernames::Exact);
        let read = |word: &str| {
            Config::read(|name| match name {
                "USERNAMES" => Some(word.to_owned()),
                _ => ALL.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
            })
        };
        assert_eq!(read("case-insensitive").map(|config| config.usernames), Ok(Usernames::CaseInsensitive));
        assert!(matches!(read("any"), Err(ConfigError::Invalid { name: "USERNAMES", .. })));
    }

    #[test]
    fn the_block_list_is_lower_case() {
        let list = without("").unwrap().block_list;
        assert_eq!(list.into_iter().collect::<Vec<_>>(), ["admin", "root"]);
    }
}
