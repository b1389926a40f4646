//! Rows that are not imported, with the reason, and what is told about the others.

use serde::{Deserialize, Serialize};
use sftp_authorizer::password::Scheme;
use sftpctl_core::secret::{HIDDEN, is_digest, places};
use sftpctl_core::shown::visible;
use sftpctl_core::text::either;

use super::row::Row;

/// Whether a value has the form of a stored password, as another column's has where those of a row are shifted, or where
/// the mapping names the wrong one.
fn is_stored_password(value: &str) -> bool {
    Scheme::of(value.trim()).is_some() || is_digest(value.trim()) || !places(value).is_empty()
}

/// A value as it may be told.
pub(crate) fn shown(value: &str) -> String {
    if is_stored_password(value) { HIDDEN.to_owned() } else { visible(value).into_owned() }
}

/// What is wrong with a value, without the value if that may not be told.
pub(super) fn told(reason: String, value: &str) -> String {
    if is_stored_password(value) { reason.replace(value.trim(), HIDDEN) } else { reason }
}

/// Whom a line of the report is about, as far as the row says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whose {
    /// The organisation's ID; empty if the row has none.
    pub org_id: String,
    /// The user name; empty if the row has none.
    pub username: String,
}

impl Whose {
    pub(super) fn new(org_id: Option<i64>, username: Option<&str>) -> Self {
        let org_id = org_id.map_or_else(String::new, |id| id.to_string());
        Self { org_id, username: shown(username.unwrap_or_default()) }
    }

    /// As a row has them, of which nothing is checked.
    pub(super) fn of_row(row: &Row) -> Self {
        let of = |text: &Option<String>| shown(text.as_deref().unwrap_or_default());
        Self { org_id: of(&row.org_id), username: of(&row.username) }
    }
}

/// A reason against a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The number of the row in the source, from 1.
    pub row: u64,
    /// Where it is, as a person finds it: `line 5`.
    pub place: String,
    pub whose: Whose,
    /// The attribute, or the source's column.
    pub column: String,
    /// The value; empty where it is secret or missing.
    pub value: String,
    /// What is wrong, and what to do.
    pub reason: String,
    pub kind: Reason,
}

impl Rejected {
    /// `line 5: username `a b`: invalid user name …`.
    pub(super) fn words(&self) -> String {
        let Self { place, column, value, reason, .. } = self;
        let value =
            if value.is_empty() || reason.contains(value.as_str()) { String::new() } else { format!(" `{value}`") };
        format!("{place}: {column}{value}: {reason}")
    }
}

/// The kinds of reasons, by which rejected rows are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The source itself refuses the row: a locked Unix account, for example.
    Source,
    OrgId,
    UserName,
    BlockedName,
    Password,
    /// The servers ask for a password or a key that the account does not have (`server.authentication`).
    Method,
    /// A hash that the authorizer does not verify.
    UnverifiedHash,
    Cluster,
    Home,
    /// Another organisation has the folder, or one inside it or around it.
    SharedHome,
    Status,
    AddressRange,
    PublicKey,
    Expiry,
    Note,
    Region,
    /// Two rows of the source claim one user name.
    DuplicateName,
    /// Two rows of the source claim one organisation.
    DuplicateOrg,
    /// The table has the name for another organisation.
    NameTaken,
    /// The row and the item have both changed, or the item was not imported.
    Conflict,
    /// Nobody can log in with the item that the table has.
    MalformedItem,
}

impl Reason {
    /// The words for a count: `1 unknown cluster`, `3 unknown clusters`.
    pub fn words(self, count: u64) -> &'static str {
        let [one, many] = match self {
            Self::Source => ["refused by the source"; 2],
            Self::OrgId => ["invalid organisation ID", "invalid organisation IDs"],
            Self::UserName => ["invalid user name", "invalid user names"],
            Self::BlockedName => ["name on the block list", "names on the block list"],
            Self::Password => ["missing or invalid password", "missing or invalid passwords"],
            Self::Method => ["account without what the servers ask for", "accounts without what the servers ask for"],
            Self::UnverifiedHash => {
                ["hash that the authorizer cannot verify", "hashes that the authorizer cannot verify"]
            }
            Self::Cluster => ["unknown cluster", "unknown clusters"],
            Self::Home => ["invalid home folder", "invalid home folders"],
            Self::SharedHome => {
                ["folder that meets another organisation's", "folders that meet another organisation's"]
            }
            Self::Status => ["unknown status", "unknown statuses"],
            Self::AddressRange => ["invalid address range", "invalid address ranges"],
            Self::PublicKey => ["unusable public key", "unusable public keys"],
            Self::Expiry => ["invalid expiry time", "invalid expiry times"],
            Self::Note => ["invalid note", "invalid notes"],
            Self::Region => ["unknown region", "unknown regions"],
            Self::DuplicateName => ["user name claimed by several rows", "user names claimed by several rows"],
            Self::DuplicateOrg => ["organisation claimed by several rows", "organisations claimed by several rows"],
            Self::NameTaken => ["user name of another organisation", "user names of other organisations"],
            Self::Conflict => {
                ["account that others have changed or brought", "accounts that others have changed or brought"]
            }
            Self::MalformedItem => ["malformed item in the table", "malformed items in the table"],
        };
        either(count, one, many)
    }
}
