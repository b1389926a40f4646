//! Which column of a source is which attribute of an account.

use std::collections::BTreeMap;

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
    /// The rules that are there, each with its attribute's name.
    pub fn rules(&self) -> impl Iterator<Item = (&'static str, &Rule)> {
        let all = [
            ("orgid", &self.org_id),
            ("username", &self.username),
            ("password", &self.password),
            ("cluster", &self.cluster),
            ("home", &self.home),
            ("status", &self.status),
            ("allowed", &self.allowed),
            ("keys", &self.keys),
            ("expires", &self.expires),
            ("note", &self.note),
        ];
        all.into_iter().filter_map(|(name, rule)| Some((name, rule.as_ref()?)))
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
