//! Rules for the values of a new account. Pure.

use ipnet::IpNet;
use sftp_authorizer::account::parse_address;
use sftp_authorizer::expiry::Expiry;
use sftp_authorizer::public_key::{self, KeyProblem};
use sftp_authorizer::question::is_user_name;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text;
use sha2::{Digest as _, Sha256};

/// Maximum length of a password in characters (Transfer Family API reference, TestIdentityProvider, `UserPassword`).
const MAX_PASSWORD: usize = 1024;

/// Maximum length of a note in characters.
const MAX_NOTE: usize = 500;

/// A rule that a new or changed account breaks.
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
    #[error("the account would have neither a password nor a public key")]
    NoCredential,
    /// An address range cannot be parsed.
    #[error("invalid address range `{0}`")]
    InvalidRange(String),
    /// It has bits after its prefix, which are ignored: `10.1.2.3/0` admits every address.
    #[error("the address range `{range}` has bits that are not part of its network")]
    HostBits {
        range: String,
        /// The range without those bits, and the address alone.
        meant: [String; 2],
    },
    #[error("environment {environment} has no region `{region}`")]
    UnknownRegion {
        region: String,
        environment: String,
        /// All regions of the environment.
        regions: Vec<String>,
    },
    #[error("the note is longer than {MAX_NOTE} characters")]
    LongNote,
    #[error("invalid time `{0}`")]
    InvalidTime(String),
}

impl RuleError {
    /// A hint, if the message is not enough.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidRange(_) => Some("a range has the form 192.0.2.0/24 or 2001:db8::/32".to_owned()),
            Self::HostBits { meant: [network, address], .. } => {
                Some(format!("write {network} for the whole network, or {address} for the one address"))
            }
            Self::UnknownRegion { regions, .. } => Some(format!("its regions are {}", regions.join(", "))),
            Self::InvalidTime(_) => Some(
                "write 2026-12-31 for the end of that day in UTC, or a time of RFC 3339 such as 2026-12-31T18:00:00Z"
                    .to_owned(),
            ),
            Self::NoCredential => Some("set a password before the keys are removed".to_owned()),
            _ => None,
        }
    }
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

/// Reads an address range without bits after its prefix.
///
/// # Errors
/// It is not a range, or has such bits.
pub fn range(text: &str) -> Result<IpNet, RuleError> {
    let net = parse_address(text).ok_or_else(|| RuleError::InvalidRange(text.to_owned()))?;
    if net == net.trunc() {
        return Ok(net);
    }
    let meant = [net.trunc().to_string(), net.addr().to_string()];
    Err(RuleError::HostBits { range: text.trim().to_owned(), meant })
}

/// Checks the regions in which an account may log in.
///
/// # Errors
/// The environment has not all of them.
pub fn regions(environment: &Environment, regions: &[String]) -> Result<(), RuleError> {
    match regions.iter().find(|region| !environment.regions.contains_key(*region)) {
        None => Ok(()),
        Some(region) => Err(RuleError::UnknownRegion {
            region: region.clone(),
            environment: environment.name.clone(),
            regions: environment.regions.keys().cloned().collect(),
        }),
    }
}

/// Reads the time from which an account is refused.
///
/// # Errors
/// It is neither a date nor an instant of RFC 3339.
pub fn expiry(text: &str) -> Result<Expiry, RuleError> {
    Expiry::parse(text).ok_or_else(|| RuleError::InvalidTime(text.to_owned()))
}

/// Checks a note; `None` for an empty one.
///
/// # Errors
/// It is too long.
pub fn note(text: &str) -> Result<Option<String>, RuleError> {
    match text.chars().count() {
        0 => Ok(None),
        1..=MAX_NOTE => Ok(Some(text.to_owned())),
        _ => Err(RuleError::LongNote),
    }
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
    fn ranges_have_no_bits_after_their_prefix() {
        for (text, hint) in [
            ("10.1.2.3/0", "write 0.0.0.0/0 for the whole network, or 10.1.2.3 for the one address"),
            ("192.0.2.7/24", "write 192.0.2.0/24 for the whole network, or 192.0.2.7 for the one address"),
            ("2001:db8::1/32", "write 2001:db8::/32 for the whole network, or 2001:db8::1 for the one address"),
        ] {
            assert_eq!(range(text).unwrap_err().hint().as_deref(), Some(hint));
        }
        for text in ["10.1.2.3", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::1"] {
            assert!(range(text).is_ok(), "{text}");
        }
        assert_eq!(range("192.0.2.0/33"), Err(RuleError::InvalidRange("192.0.2.0/33".into())));
    }

    #[test]
    fn notes_are_short_and_an_empty_one_is_none() {
        assert_eq!(note(""), Ok(None));
        assert_eq!(note(&"ñ".repeat(500)), Ok(Some("ñ".repeat(500))));
        assert_eq!(note(&"x".repeat(501)), Err(RuleError::LongNote));
    }

    #[test]
    fn times_that_do_not_exist_are_refused_with_the_forms_that_do() {
        assert!(expiry("2026-12-31").is_ok() && expiry("2026-12-31T18:00:00Z").is_ok());
        let error = expiry("2026-12-32").unwrap_err();
        assert_eq!(error, RuleError::InvalidTime("2026-12-32".into()));
        assert!(error.hint().is_some_and(|hint| expiry("2026-12-31").is_ok() && hint.contains("2026-12-31T18:00:00Z")));
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
