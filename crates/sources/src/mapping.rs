//! Which column of a source is which attribute of an account.

use std::collections::BTreeMap;

use sftpctl_accounts::import::row::Field;

/// A rule for each attribute of an account; one without a rule is not imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pub org_id: Option<Rule>,
    pub username: Option<Rule>,
    pub password: Option<Rule>,
    /// Whether the password column holds passwords, not hashes.
    pub plain_passwords: bool,
    pub cluster: Option<Rule>,
    pub home: Option<Rule>,
    pub status: Option<Rule>,
    pub allowed: Option<Rule>,
    pub keys: Option<Rule>,
    pub expires: Option<Rule>,
    pub note: Option<Rule>,
}

impl Mapping {
    /// The rule for a field.
    pub fn rule(&self, field: Field) -> Option<&Rule> {
        match field {
            Field::OrgId => self.org_id.as_ref(),
            Field::Username => self.username.as_ref(),
            Field::Password => self.password.as_ref(),
            Field::Cluster => self.cluster.as_ref(),
            Field::Home => self.home.as_ref(),
            Field::Status => self.status.as_ref(),
            Field::Allowed => self.allowed.as_ref(),
            Field::Keys => self.keys.as_ref(),
            Field::Expires => self.expires.as_ref(),
            Field::Note => self.note.as_ref(),
        }
    }

    /// The rules that are there, each with its field.
    pub fn rules(&self) -> impl Iterator<Item = (Field, &Rule)> {
        Field::ALL.into_iter().filter_map(|field| Some((field, self.rule(field)?)))
    }
}

/// How the value of an attribute is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The column it comes from; without one it is `default` for every row.
    pub column: Option<String>,
    /// A regular expression whose first group, or whole match, is the value.
    pub pattern: Option<String>,
    /// Replacements of whole values: `"1": active`. A value that is not among them is refused.
    pub values: BTreeMap<String, String>,
    /// The text between several values in one column.
    pub split: Option<String>,
    /// The value where the source has none.
    pub default: Option<String>,
}

impl Rule {
    /// The value of a column, as it is.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: Some(name.into()), ..Self::default() }
    }
}
