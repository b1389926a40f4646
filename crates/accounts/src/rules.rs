//! What a new account may be. Pure.

use sftpctl_core::text;
use sha2::{Digest as _, Sha256};

/// The longest password: what `TestIdentityProvider` takes (API reference of Transfer Family, `UserPassword`).
const MOST_PASSWORD: usize = 1024;

/// Why an account cannot be made like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Transfer takes no such name.
    #[error(
        "invalid user name `{0}` for Transfer Family: use 3 to 100 letters, digits, `_`, `@`, `.` or `-`, beginning with a \
         letter, a digit or `_`"
    )]
    Username(String),
    /// The authorizer refuses it before any look-up.
    #[error("`{0}` is on the block list: the authorizer refuses this name before any look-up")]
    Blocked(String),
    /// A customer's number.
    #[error("invalid organisation ID {0}: use a whole number from 1 on")]
    OrgId(i64),
    /// Nothing.
    #[error("the password is empty")]
    EmptyPassword,
    /// Longer than Transfer takes.
    #[error("the password is longer than {MOST_PASSWORD} characters")]
    LongPassword,
    /// SSH would cut it.
    #[error("the password contains a control character")]
    ControlPassword,
    /// Nobody could type it.
    #[error("the password contains the character {}, which cannot be seen or typed", text::describe(*.0))]
    InvisiblePassword(char),
    /// No key.
    #[error("{0} does not contain a public key in OpenSSH's format")]
    PublicKey(String),
}

/// A name for a log-in (API reference of Transfer Family, `UserName`).
///
/// # Errors
/// It is none, or blocked.
pub fn username(name: &str, block_list: &[String]) -> Result<(), RuleError> {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let goes_on = characters.all(|c| c.is_ascii_alphanumeric() || "_@.-".contains(c));
    if !begins || !goes_on || !(3..=100).contains(&name.len()) {
        return Err(RuleError::Username(name.to_owned()));
    }
    if block_list.iter().any(|blocked| blocked.eq_ignore_ascii_case(name)) {
        return Err(RuleError::Blocked(name.to_owned()));
    }
    Ok(())
}

/// A customer's number.
///
/// # Errors
/// It is none.
pub fn org_id(id: i64) -> Result<(), RuleError> {
    if id > 0 { Ok(()) } else { Err(RuleError::OrgId(id)) }
}

/// A new password.
///
/// # Errors
/// It cannot be typed, or is none.
pub fn password(password: &str) -> Result<(), RuleError> {
    match password {
        "" => Err(RuleError::EmptyPassword),
        long if long.chars().count() > MOST_PASSWORD => Err(RuleError::LongPassword),
        odd if odd.contains(char::is_control) => Err(RuleError::ControlPassword),
        _ => match password.chars().find(|c| text::is_invisible(*c)) {
            Some(invisible) => Err(RuleError::InvisiblePassword(invisible)),
            None => Ok(()),
        },
    }
}

/// Public keys, one a line, as in an `.pub` or `authorized_keys` file; empty lines and comments are left out.
///
/// # Errors
/// A line that is no key, or none at all.
pub fn public_keys(file: &str, text: &str) -> Result<Vec<String>, RuleError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines
        .map(|line| {
            let key = ssh_key::PublicKey::from_openssh(line).ok()?;
            key.to_openssh().ok()
        })
        .collect::<Option<_>>()
        .ok_or_else(|| RuleError::PublicKey(file.to_owned()))?;
    if keys.is_empty() { Err(RuleError::PublicKey(file.to_owned())) } else { Ok(keys) }
}

/// Where a user name is reserved: a key of the table that no customer has.
///
/// The index on user names is neither unique nor up to date, and DynamoDB can only demand of a primary key that it be
/// free. So every name has an item of its own, whose key is made of the name: 62 bits of its SHA-256, below all others.
pub fn reservation(name: &str) -> i64 {
    let digest = Sha256::digest(name.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let hash = u64::from_be_bytes(first) >> 2;
    -(1 << 62) - i64::try_from(hash).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_transfers_and_not_blocked() {
        let block = vec!["root".to_owned()];
        for name in ["my1sftp", "a@b.c", "_x-", "123", &"a".repeat(100)] {
            assert_eq!(username(name, &block), Ok(()), "{name}");
        }
        for name in ["", "ab", "-abc", ".abc", "a b", "ñandu", "a/b", &"a".repeat(101)] {
            assert_eq!(username(name, &block), Err(RuleError::Username(name.to_owned())), "{name}");
        }
        assert_eq!(username("Root", &block), Err(RuleError::Blocked("Root".into())));
    }

    #[test]
    fn odd_passwords_are_fine_and_impossible_ones_are_not() {
        for good in [" leading", "it's \"$x\" \\", "😀", "a", &"😀".repeat(1024)] {
            assert_eq!(password(good), Ok(()), "{good}");
        }
        assert_eq!(password(""), Err(RuleError::EmptyPassword));
        assert_eq!(password("a\nb"), Err(RuleError::ControlPassword));
        for invisible in ['\u{feff}', '\u{200b}', '\u{202e}', '\u{ad}'] {
            let error = password(&format!("{invisible}Harbour-7"));
            assert_eq!(error, Err(RuleError::InvisiblePassword(invisible)));
        }
        let error = RuleError::InvisiblePassword('\u{feff}').to_string();
        assert!(error.contains("U+FEFF (byte order mark)"), "{error}");
        assert_eq!(password(&"x".repeat(1025)), Err(RuleError::LongPassword));
    }

    #[test]
    fn reservations_are_below_every_account() {
        let keys: std::collections::BTreeSet<i64> = ["a", "b", "my1sftp", ""].map(reservation).into();
        assert_eq!(keys.len(), 4);
        assert!(keys.iter().all(|key| *key < -(1 << 61)));
    }

    #[test]
    fn only_public_keys_are_taken() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me@here";
        assert_eq!(public_keys("f", &format!("# mine\n{key}\n\n")).unwrap().len(), 1);
        for none in ["", "# only", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(public_keys("f", none), Err(RuleError::PublicKey("f".into())), "{none}");
        }
    }
}
