//! A row of a source, in the terms of an account, before it is checked.

use async_trait::async_trait;

/// A row as a mapping of its source's columns made it: text, of which nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Where it is in the source, as a person finds it: `line 5`, `nr = 17578`, `jan`.
    pub place: String,
    /// The organisation's ID, in digits.
    pub org_id: Option<String>,
    pub username: Option<String>,
    pub password: Password,
    /// The name of a cluster; the bucket of the home folder.
    pub cluster: Option<String>,
    /// `/<bucket>/<folder>`, or a folder of the old server such as `/home/17578`; `s3://<bucket>/<folder>` where the source
    /// knows that it is a bucket.
    pub home: Option<String>,
    /// `active` or `disabled`; absent means active.
    pub status: Option<String>,
    /// Address ranges to admit; none admits every address.
    pub allowed: Vec<String>,
    /// Public keys as in `authorized_keys`, without options.
    pub keys: Vec<String>,
    /// The end of the account: an instant of RFC 3339, or a date.
    pub expires: Option<String>,
    /// Free text for the operators.
    pub note: Option<String>,
    /// AWS regions whose server admits the customer; none admits to every region.
    pub regions: Vec<String>,
    /// What the source found worth telling about this row, although it is imported.
    pub remarks: Vec<Remark>,
    /// Why the source itself says that this row is not a customer who can be moved, such as a locked Unix account.
    pub refusal: Option<Refused>,
}

/// The password of a row.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Password {
    /// The source has none.
    #[default]
    None,
    /// A hash, as the source stores it.
    Hash(String),
    /// The password itself; it is hashed before it is kept anywhere.
    Plain(String),
}

/// Never shows the value.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Hash(_) => "Hash(…)",
            Self::Plain(_) => "Plain(…)",
        })
    }
}

/// A note on a value that is taken in another form than the source has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Remark {
    /// The column of the source.
    pub column: String,
    /// The value before, made printable; empty where it is secret.
    pub before: String,
    /// The value as it is taken.
    pub after: String,
    /// The reason, such as `leading zeros`.
    pub why: String,
}

/// Why a source refuses one of its own rows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// The column, or what stands for it.
    pub column: String,
    /// The value, made printable; empty where it is secret.
    pub value: String,
    /// What is wrong, and what to do.
    pub why: String,
}

/// An attribute of an account that a source may decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    OrgId,
    Username,
    Password,
    /// The name of a cluster, which stands for the home folder.
    Cluster,
    Home,
    Status,
    Allowed,
    Keys,
    Expires,
    Note,
    Regions,
}

impl Field {
    /// Every field, in the order of a mapping.
    pub const ALL: [Self; 11] = [
        Self::OrgId,
        Self::Username,
        Self::Password,
        Self::Cluster,
        Self::Home,
        Self::Status,
        Self::Allowed,
        Self::Keys,
        Self::Expires,
        Self::Note,
        Self::Regions,
    ];

    /// The name in mapping files and in the header of a CSV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrgId => "orgid",
            Self::Username => "username",
            Self::Password => "password",
            Self::Cluster => "cluster",
            Self::Home => "home",
            Self::Status => "status",
            Self::Allowed => "allowed",
            Self::Keys => "keys",
            Self::Expires => "expires",
            Self::Note => "note",
            Self::Regions => "regions",
        }
    }

    /// The attribute of the item that it becomes.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::OrgId => "orgid",
            Self::Username => "username",
            Self::Password => "password",
            Self::Cluster | Self::Home => "HomeDirectory",
            Self::Status => "status",
            Self::Allowed => "allowedSources",
            Self::Keys => "publicKeys",
            Self::Expires => "expiresAt",
            Self::Note => "note",
            Self::Regions => "regions",
        }
    }
}

/// Rows, batch by batch.
#[async_trait]
pub trait Rows: Send {
    /// The next rows; none at the end. A batch has at most some ten thousand rows.
    ///
    /// # Errors
    /// The source could not be read to its end. Nothing may be concluded from the rows so far.
    async fn next(&mut self) -> Result<Vec<Row>, RowsError>;

    /// The attributes of an account that the source decides on; it says nothing about others, which an import keeps.
    fn attributes(&self) -> Vec<Field>;

    /// About how many rows there are, if that is known, for the display of progress.
    fn expected(&self) -> Option<u64> {
        None
    }

    /// What the operator should know about the source as a whole, complete after the last row: that rows may have
    /// changed while they were read, for example.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A source that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RowsError {
    /// What is wrong; several lines, if several places are.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether the source, or how it was named, is at fault, rather than a connection.
    pub is_usage: bool,
}
