//! How the name that a customer types finds an account.

use std::borrow::Cow;

/// The environment's setting `accounts.usernames`, and the variable `USERNAMES` of the Lambda.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usernames {
    /// The name is the account's, letter by letter.
    #[default]
    Exact,
    /// Accounts are stored under names in lower case, and the typed name is compared in lower case. Only ASCII has
    /// letters in names of Transfer Family ([`super::question::is_user_name`]).
    CaseInsensitive,
}

impl Usernames {
    /// Reads `exact` or `case-insensitive`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "exact" => Some(Self::Exact),
            "case-insensitive" => Some(Self::CaseInsensitive),
            _ => None,
        }
    }

    /// The stored form of a name: the one under which an account is written, reserved and looked up.
    pub fn stored(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::CaseInsensitive if name.contains(|c: char| c.is_ascii_uppercase()) => {
                name.to_ascii_lowercase().into()
            }
            Self::Exact | Self::CaseInsensitive => name.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_setting_changes_names() {
        for (name, lower) in [("JAN", "jan"), ("jan", "jan"), ("Jan.Ñ@X.de", "jan.Ñ@x.de"), ("", "")] {
            assert_eq!(Usernames::Exact.stored(name), name);
            assert_eq!(Usernames::CaseInsensitive.stored(name), lower);
        }
        assert_eq!(Usernames::parse("exact"), Some(Usernames::default()));
        assert_eq!(Usernames::parse("case-insensitive"), Some(Usernames::CaseInsensitive));
        assert_eq!(Usernames::parse("Exact"), None);
    }
}
