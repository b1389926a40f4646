//! Rules for the values of a new account. Pure.

use sftp_authorizer::public_key::{self, KeyProblem};
use sftp_authorizer::question::is_user_name;
use sftpctl_core::text;
use sha2::{Digest as _, Sha256};

/// Maximum length of a password in characters (Transfer Family API reference, TestIdentityProvider, `UserPassword`).
const MAX_PASSWORD: usize = 1024;

/// A rule that a new account breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error(
        "invalid user name `{0}` for Transfer Family: use 3 to 100 letters, digits, `_`, `@`, `.` or `-`, beginning \
         with a letter, a digit or `_`"
    )]
    Username(String),
    #[error("`{0}` is on the block list: the authorizer refuses this name before any look-up")]
    Blocked(String),
    #[error("invalid organisation ID {0}: use a whole number from 1 on")]
    OrgId(i64),
    #[error("the password is empty")]
    EmptyPassword,
    #[error("the password is longer than {MAX_PASSWORD} characters")]
    LongPassword,
    /// SSH would truncate it there.
    #[error("the password contains a control character")]
    ControlPassword,
    /// A customer who types the password would type another, or none.
    #[error("the password contains the character {}, which {}", text::describe(*.0), untyped(*.0).unwrap_or_default())]
    InvisiblePassword(char),
    #[error("{0} does not contain a public key in OpenSSH's format")]
    PublicKey(String),
    #[error("the key in line {line} of {file} cannot be used: {problem}")]
    UnusableKey {
        file: String,
        /// From 1.
        line: usize,
        problem: KeyProblem,
    },
}

/// Checks a user name (Transfer Family API reference, `UserName`).
///
/// # Errors
/// It is invalid, or on the block list.
pub fn username(name: &str, block_list: &[String]) -> Result<(), RuleError> {
    if !is_user_name(name) {
        return Err(RuleError::Username(name.to_owned()));
    }
    if block_list.iter().any(|blocked| blocked.eq_ignore_ascii_case(name)) {
        return Err(RuleError::Blocked(name.to_owned()));
    }
    Ok(())
}

/// Checks an organisation ID.
///
/// # Errors
/// It is not positive.
pub fn org_id(id: i64) -> Result<(), RuleError> {
    if id > 0 { Ok(()) } else { Err(RuleError::OrgId(id)) }
}

/// Checks a new password.
///
/// # Errors
/// It is empty, too long, or contains a control character, or one that a customer cannot type reliably.
pub fn password(password: &str) -> Result<(), RuleError> {
    match password {
        "" => Err(RuleError::EmptyPassword),
        long if long.chars().count() > MAX_PASSWORD => Err(RuleError::LongPassword),
        odd if odd.contains(char::is_control) => Err(RuleError::ControlPassword),
        _ => match password.chars().find(|c| untyped(*c).is_some()) {
            Some(odd) => Err(RuleError::InvisiblePassword(odd)),
            None => Ok(()),
        },
    }
}

/// Why a customer would not type a character of a password, and what to do.
fn untyped(c: char) -> Option<&'static str> {
    if text::is_variation_selector(c) {
        Some("cannot be seen, and which only some keyboards add to an emoji: leave it out, or the emoji too")
    } else if text::is_invisible(c) {
        Some("cannot be seen or typed: type the password instead of pasting it")
    } else if text::is_odd_space(c) {
        Some("cannot be told from an ordinary space: type the password instead of pasting it")
    } else {
        None
    }
}

/// Reads public keys, one per line, as in a `.pub` or `authorized_keys` file. Empty lines and comments are skipped, those
/// of the keys too.
///
/// # Errors
/// A line is not a public key, or one that Transfer Family does not take, or there are no keys.
pub fn public_keys(file: &str, text: &str) -> Result<Vec<String>, RuleError> {
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(|(number, line)| public_key(file, number, line)).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(RuleError::PublicKey(file.to_owned())) } else { Ok(keys) }
}

fn public_key(file: &str, line: usize, text: &str) -> Result<String, RuleError> {
    let unusable = |problem| RuleError::UnusableKey { file: file.to_owned(), line, problem };
    let key = match (public_key::problem(text), ssh_key::PublicKey::from_openssh(text)) {
        (Some(problem), _) if problem != KeyProblem::Format => return Err(unusable(problem)),
        (None, Ok(mut key)) => {
            // Somebody else's words, which no log-in needs.
            key.set_comment("");
            key.to_openssh().ok()
        }
        _ => None,
    };
    key.ok_or_else(|| RuleError::PublicKey(file.to_owned()))
}

/// The key of the item that reserves a user name; it is outside the range of organisation IDs.
///
/// The index on user names is neither unique nor strongly consistent, and DynamoDB can enforce uniqueness only for
/// primary keys. Therefore every name has an item of its own. Its key is derived from 62 bits of the name's SHA-256,
/// and is lower than all other keys.
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
        for good in [" leading", "❤ a", "it's \"$x\" \\", "😀", "a", &"😀".repeat(1024)] {
            assert_eq!(password(good), Ok(()), "{good}");
        }
        assert_eq!(password(""), Err(RuleError::EmptyPassword));
        assert_eq!(password("a\nb"), Err(RuleError::ControlPassword));
        for (odd, words) in [
            ('\u{feff}', "U+FEFF (byte order mark), which cannot be seen or typed: type"),
            ('\u{200b}', "U+200B (zero-width space), which cannot be seen"),
            ('\u{202e}', "U+202E (mark of the writing direction), which cannot be seen"),
            ('\u{ad}', "U+00AD (soft hyphen), which cannot be seen"),
            ('\u{fff1}', "U+FFF1 (invisible character), which cannot be seen"),
            ('\u{a0}', "U+00A0 (no-break space), which cannot be told from an ordinary space: type"),
            ('\u{2028}', "U+2028 (special space), which cannot be told"),
            ('\u{2029}', "U+2029 (special space), which cannot be told"),
            ('\u{2800}', "U+2800 (special space), which cannot be told"),
            ('\u{3000}', "U+3000 (special space), which cannot be told"),
            ('\u{fe0f}', "U+FE0F (variation selector), which cannot be seen, and which only some keyboards add"),
            ('\u{fe00}', "U+FE00 (variation selector)"),
            ('\u{180b}', "U+180B (variation selector)"),
            ('\u{e0100}', "U+E0100"),
        ] {
            for text in [format!("{odd}Harbour-7"), format!("Harbour{odd}-7"), format!("Harbour-7❤{odd}")] {
                let error = password(&text).unwrap_err();
                assert_eq!(error, RuleError::InvisiblePassword(odd));
                assert!(error.to_string().contains(words), "{error}");
            }
        }
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
        let bare = key.strip_suffix(" me@here").unwrap().to_owned();
        assert_eq!(public_keys("f", &format!("# mine\n{key}\n\n")), Ok(vec![bare]));
        for none in ["", "# only", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(public_keys("f", none), Err(RuleError::PublicKey("f".into())), "{none}");
        }
        let sk = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIHVpfQzMHtR5cGcAiQUyOaWFgCLTSsvCCYi\
                  YpTZpJ9KFAAAABHNzaDo=";
        let small = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (unusable, problem) in [(sk, KeyProblem::Kind), (small, KeyProblem::SmallOrder)] {
            let expected = RuleError::UnusableKey { file: "f".into(), line: 2, problem };
            assert_eq!(public_keys("f", &format!("{key}\n{unusable}")), Err(expected), "{unusable}");
        }
    }
}
