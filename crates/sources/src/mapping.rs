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
    /// What is done with values such as `Ã¼`.
    pub double_encoded: DoubleEncoded,
    pub cluster: Option<Rule>,
    pub home: Option<Rule>,
    pub status: Option<Rule>,
    pub allowed: Option<Rule>,
    pub keys: Option<Rule>,
    pub expires: Option<Rule>,
    pub note: Option<Rule>,
    pub regions: Option<Rule>,
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
            ("regions", &self.regions),
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
    /// The text before each value of the column: `{MD5}` before bare digests.
    pub prefix: Option<String>,
    /// The text between several values in one column.
    pub split: Option<String>,
    /// The value where the source has none.
    pub default: Option<String>,
}

/// What is done with a value that may have been encoded twice: `Ã¼`, which was `ü`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoubleEncoded {
    /// Its row is refused, until the operator has chosen.
    #[default]
    Ask,
    /// The value as it was before.
    Repair,
    /// The value as it is.
    Keep,
}

impl DoubleEncoded {
    /// Every choice, by its name in a mapping file.
    pub const NAMES: [(&str, Self); 3] = [("ask", Self::Ask), ("repair", Self::Repair), ("keep", Self::Keep)];

    /// The choice of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, choice)| choice)
    }
}

/// The attributes of an account, in the order of [`Mapping::rules`].
pub const ATTRIBUTES: [&str; 11] =
    ["orgid", "username", "password", "cluster", "home", "status", "allowed", "keys", "expires", "note", "regions"];

/// Whether an attribute has several values.
pub(crate) fn is_list(attribute: &str) -> bool {
    matches!(attribute, "allowed" | "keys" | "regions")
}

impl Mapping {
    /// The mapping of columns that are named after the attributes: letters' case, spaces, `_` and `-` do not matter.
    /// `None` if `orgid` or `username` is not among them, or a name is there twice. Address ranges and regions are
    /// separated by commas, keys by line ends.
    pub fn by_names(columns: &[String]) -> Option<Self> {
        let mut mapping = Self::default();
        for column in columns {
            let Some(slot) = mapping.rule_mut(&plain_name(column)) else { continue };
            if slot.is_some() {
                return None;
            }
            *slot = Some(Rule::column(column));
        }
        for (rule, between) in [(&mut mapping.allowed, ","), (&mut mapping.keys, "\n"), (&mut mapping.regions, ",")] {
            if let Some(rule) = rule {
                rule.split = Some(between.to_owned());
            }
        }
        (mapping.org_id.is_some() && mapping.username.is_some()).then_some(mapping)
    }

    /// The rule of an attribute; `None` if there is no such attribute.
    pub fn rule_mut(&mut self, attribute: &str) -> Option<&mut Option<Rule>> {
        Some(match attribute {
            "orgid" => &mut self.org_id,
            "username" => &mut self.username,
            "password" => &mut self.password,
            "cluster" => &mut self.cluster,
            "home" => &mut self.home,
            "status" => &mut self.status,
            "allowed" => &mut self.allowed,
            "keys" => &mut self.keys,
            "expires" => &mut self.expires,
            "note" => &mut self.note,
            "regions" => &mut self.regions,
            _ => return None,
        })
    }
}

/// A column's name without what people vary: `Org_ID ` is `orgid`.
pub(crate) fn plain_name(column: &str) -> String {
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Rule {
    /// The value of a column, as it is.
    pub fn column(name: impl Into<String>) -> Self {
        Self { column: Some(name.into()), ..Self::default() }
    }
}
