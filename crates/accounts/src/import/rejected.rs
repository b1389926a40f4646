//! Rows that are not imported, with the reason, and what is told about the others.

use serde::{Deserialize, Serialize};

/// A reason against a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The number of the row in the source, from 1.
    pub row: u64,
    /// Where it is, as a person finds it: `line 5`.
    pub place: String,
    /// The attribute, or the source's column.
    pub column: String,
    /// The value; empty where it is secret or missing.
    pub value: String,
    /// What is wrong, and what to do.
    pub reason: String,
    pub kind: Reason,
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
}

impl Reason {
    /// The plural for a count: `3 unknown clusters`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Source => "refused by the source",
            Self::OrgId => "invalid organisation IDs",
            Self::UserName => "invalid user names",
            Self::BlockedName => "names on the block list",
            Self::Password => "missing or invalid passwords",
            Self::Method => "accounts without what the servers ask for",
            Self::UnverifiedHash => "hashes that the authorizer cannot verify",
            Self::Cluster => "unknown clusters",
            Self::Home => "invalid home folders",
            Self::SharedHome => "folders that meet another organisation's",
            Self::Status => "unknown statuses",
            Self::AddressRange => "invalid address ranges",
            Self::PublicKey => "unusable public keys",
            Self::Expiry => "invalid expiry times",
            Self::Note => "invalid notes",
            Self::Region => "unknown regions",
            Self::DuplicateName => "user names claimed by several rows",
            Self::DuplicateOrg => "organisations claimed by several rows",
            Self::NameTaken => "user names of other organisations",
            Self::Conflict => "accounts changed in the table",
        }
    }
}
