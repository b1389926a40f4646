//! Lines of authorized_keys (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). Pure. What is said of a line that is not a key
//! never repeats its text: a customer may have had the file made from another one.

use sftp_authorizer::public_key;
use sftpctl_accounts::import::row::Remark;

use super::ranges::Ranges;
use super::sshd::{is_read_only, is_sftp};
use crate::days;
use crate::notes::remark;

/// What begins a remark on a key that is left out, and on one that was read-only.
pub(super) const LEFT_OUT: &str = "this key is left out";
pub(super) const READ_ONLY: &str = "it was read-only";

/// A key that an account can have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Type and blob, without options and comment.
    pub(crate) text: String,
    pub(crate) from: Ranges,
    /// The end of its use, in seconds since 1970.
    pub(crate) expires: Option<i64>,
}

/// What sshd does beside the line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context {
    /// `ForceCommand`, which replaces a key's `command=`.
    pub(crate) has_command: bool,
    /// The day of the import, counted from 1970-01-01.
    pub(crate) today: i64,
}

/// The keys of a file that an account can have, and what is said of the others.
pub(crate) fn keys(file: &str, text: &str, context: Context) -> (Vec<Key>, Vec<Remark>) {
    let (mut found, mut remarks) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{file}, line {number}");
        match key(line, context) {
            Err(why) => remarks.push(remark("keys", &place, "", format!("{LEFT_OUT}: {why}"))),
            Ok((key, notes)) => {
                let shown = key.text.clone();
                remarks.extend(notes.into_iter().map(|why| remark("keys", &place, &shown, why)));
                found.push(key);
            }
        }
    }
    (found, remarks)
}

/// The type and the blob of a key, without the options before and the comment behind.
pub(crate) fn without_options(line: &str) -> String {
    let line = line.trim();
    let rest = if public_key::begins_with_type(line) { line } else { options(line).1 };
    let mut words = rest.split_whitespace();
    [words.next().unwrap_or_default(), words.next().unwrap_or_default()].join(" ")
}

fn key(line: &str, context: Context) -> Result<(Key, Vec<String>), String> {
    let options = if public_key::begins_with_type(line) { "" } else { options(line).0 };
    let mut key = Key { text: without_options(line), from: Ranges::Everywhere, expires: None };
    let mut notes = Vec::new();
    let mut seen = Vec::new();
    for option in split(options)? {
        let name = option.name.to_ascii_lowercase();
        if option.value.is_some() && matches!(name.as_str(), "from" | "command" | "expiry-time") {
            if seen.contains(&name) {
                return Err(format!("it has {name}= twice, so that sshd refuses it"));
            }
            seen.push(name.clone());
        }
        match (name.as_str(), option.value) {
            ("cert-authority", None) => {
                return Err("it is a certificate authority, and Transfer Family takes no certificates".to_owned());
            }
            ("from", Some(list)) => key.from = Ranges::of(&list),
            ("command", Some(_)) if context.has_command => {}
            ("command", Some(command)) if is_sftp(&command) => {
                if is_read_only(&command) {
                    notes.push(format!("{READ_ONLY}; the account may write"));
                }
            }
            ("command", Some(_)) => {
                return Err("it only runs another command, and the account would give it SFTP".to_owned());
            }
            ("expiry-time", Some(time)) => {
                let end = expiry(&time).ok_or("its expiry-time is not a time, so that sshd refuses it")?;
                let (seconds, is_local) = end;
                if seconds < context.today * 86_400 {
                    return Err(format!("it has expired ({})", days::instant(seconds).unwrap_or_default()));
                }
                if is_local {
                    notes.push("its expiry-time is in the old server's time zone, and is taken as UTC".to_owned());
                }
                key.expires = Some(seconds);
            }
            // They say what a shell or a tunnel may do, and SFTP is neither.
            ("environment" | "permitlisten" | "permitopen" | "tunnel", Some(_)) => {}
            ("principals", Some(_)) => {}
            (flag, None) if is_flag(flag.strip_prefix("no-").unwrap_or(flag)) => {}
            _ => return Err("it has an option that sshd does not know, so that sshd refuses it".to_owned()),
        }
    }
    match public_key::problem(&key.text) {
        Some(problem) => Err(problem.to_string()),
        None => Ok((key, notes)),
    }
}

fn is_flag(name: &str) -> bool {
    matches!(
        name,
        "agent-forwarding"
            | "port-forwarding"
            | "pty"
            | "restrict"
            | "touch-required"
            | "user-rc"
            | "verify-required"
            | "x11-forwarding"
    )
}

/// The options of a line, which end at the first white space outside quotes, and what follows (OpenSSH,
/// `sshkey_advance_past_options`).
fn options(line: &str) -> (&str, &str) {
    let mut is_quoted = false;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            // Both are skipped.
            '\\' if chars.as_str().starts_with('"') => _ = chars.next(),
            '"' => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => return line.split_at(at),
            _ => {}
        }
    }
    (line, "")
}

struct KeyOption {
    name: String,
    value: Option<String>,
}

/// The options between commas; quotes are around values (OpenSSH, `sshauthopt_parse`).
fn split(options: &str) -> Result<Vec<KeyOption>, String> {
    let mut found = Vec::new();
    let mut rest = options;
    while !rest.is_empty() {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            None => (None, after),
            Some(quoted) => {
                let (value, after) = dequoted(quoted).ok_or("a value of its options is not in quotes")?;
                (Some(value), after)
            }
        };
        found.push(KeyOption { name: name.to_owned(), value });
        rest = match after.strip_prefix(',') {
            Some("") => return Err("its options end in a comma".to_owned()),
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return Err("its options have text after a quote".to_owned()),
        };
    }
    Ok(found)
}

/// The value in quotes that a text begins with, and the rest (OpenSSH, `opt_dequote`).
fn dequoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut rest = inside.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return Some((value, inside.get(at + 1..)?)),
            '\\' if inside.get(at + 1..)?.starts_with('"') => {
                value.push('"');
                rest.next();
            }
            c => value.push(c),
        }
    }
    None
}

/// The time `YYYYMMDD[HHMM[SS]][Z]` in seconds since 1970, and whether it is in the server's time zone (sshd(8)).
fn expiry(text: &str) -> Option<(i64, bool)> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let is_local = digits.len() == text.len();
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |part| part.parse::<i64>().ok());
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let day = days::day(part(0, 4)?, part(4, 6)?, part(6, 8)?)?;
    Some((day * 86_400 + hour * 3_600 + minute * 60 + second, is_local))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys made by ssh-keygen.
    pub(crate) const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMMbwWCOn+cADmvSe2y6J0HXiKmBuTQDeLleWW7wc7/D";

    fn one(options: &str) -> Result<(Key, Vec<String>), String> {
        key(&format!("{options} {ED25519} jan@home"), Context { has_command: false, today: 20_454 })
    }

    #[test]
    fn options_are_separated_by_commas_outside_quotes() {
        let (found, notes) =
            one(r#"from="192.0.2.0/24,198.51.100.7",NO-pty,environment="A=\"b, c\"",restrict"#).unwrap();
        assert_eq!(found.text, ED25519);
        assert_eq!(found.from, Ranges::of("192.0.2.0/24,198.51.100.7"));
        assert!(notes.is_empty());
        assert_eq!(key(ED25519, Context::default()).unwrap().0.from, Ranges::Everywhere);
    }

    #[test]
    fn keys_that_sshd_or_transfer_refuses_are_left_out() {
        for (options, why) in [
            ("cert-authority", "certificate authority"),
            ("command=\"rsync --server\"", "only runs another command"),
            ("expiry-time=\"20251231Z\"", "has expired (2025-12-31T00:00:00Z)"),
            ("expiry-time=\"20261301\"", "is not a time"),
            ("from=\"10.0.0.1\",from=\"10.0.0.2\"", "from= twice"),
            ("from=10.0.0.1", "not in quotes"),
            ("from=\"10.0.0.1\"x", "text after a quote"),
            ("no-pty,", "end in a comma"),
            ("no-such-option", "an option that sshd does not know"),
            ("from", "an option that sshd does not know"),
        ] {
            let error = one(options).unwrap_err();
            assert!(error.contains(why), "{options}: {error}");
        }
        let error = key("ssh-dss AAAAB3NzaC1kc3MAAAABAQAAAAEBAAAAAQEAAAABAQ== x", Context::default()).unwrap_err();
        assert!(error.contains("types RSA, ECDSA"), "{error}");
        for line in ["1024 35 1234567 jan", "ssh-ed25519", "\"", "from=\"", "x"] {
            assert!(key(line, Context::default()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_key_is_not_repeated() {
        for line in [
            "root:$6$s3cret:19000:0:99999:7:::",
            "s3cret=x y",
            "s3cret=\"x\" y",
            "command=\"s3cret\" y",
            &format!("command=\"s3cret\" {ED25519}"),
            "from=\"s3cret\" y",
            "expiry-time=\"s3cret\" y",
            "ssh-s3cret AAAA",
            "s3cret",
        ] {
            let (found, remarks) = keys("k", line, Context::default());
            assert!(found.is_empty() && remarks.len() == 1, "{line}");
            assert!(!format!("{remarks:?}").contains("s3cret"), "{remarks:?}");
        }
    }

    #[test]
    fn commands_of_keys_count_unless_sshd_forces_one() {
        assert_eq!(one("command=\"internal-sftp\"").unwrap().1, [""; 0]);
        assert!(one("command=\"/usr/lib/sftp-server -R\"").unwrap().1[0].contains("read-only"));
        let context = Context { has_command: true, today: 0 };
        assert!(key(&format!("command=\"x\" {ED25519}"), context).unwrap().1.is_empty());
    }

    #[test]
    fn times_are_those_of_the_manual() {
        assert_eq!(expiry("20300101"), Some((1_893_456_000, true)));
        assert_eq!(expiry("203001010203Z"), Some((1_893_463_380, false)));
        assert_eq!(expiry("20300101020304Z"), Some((1_893_463_384, false)));
        for odd in ["", "2030", "20300132", "2030010124000", "203001012400", "2030010１", "Z"] {
            assert_eq!(expiry(odd), None, "{odd}");
        }
        let (found, notes) = one("expiry-time=\"20300101\"").unwrap();
        assert_eq!((found.expires, notes.len()), (Some(1_893_456_000), 1));
    }

    #[test]
    fn lines_are_numbered() {
        let text = format!("# comment\n\n{ED25519}\nssh-ed25519 AAAA x\n");
        let (found, remarks) = keys("/home/17578/.ssh/authorized_keys", &text, Context::default());
        assert_eq!(found.len(), 1);
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].before, "/home/17578/.ssh/authorized_keys, line 4");
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "((from|command|expiry-time|ssh-rsa|no-pty|[=\",\\\\ é0-9]{0,4})){0,12}") {
            let _ = key(&line, Context::default());
        }
    }
}
