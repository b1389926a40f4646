//! Lines of shadow(5). Pure, except that [`Shadow`] reads the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};

use crate::lines::{Lines, text};

/// What shadow says of an account.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    /// A hash, or a mark such as `!`. Secret.
    pub(crate) password: String,
    /// Days since 1970; 0 means that the password must be changed.
    pub(crate) changed: Option<i64>,
    /// Days after which the password must be changed.
    pub(crate) longest: Option<i64>,
    /// Days after that, in which it still can be.
    pub(crate) grace: Option<i64>,
    /// The day since 1970 from which on the account is closed.
    pub(crate) expires: Option<i64>,
}

/// Reads a line: the user name, and the rest; none in an empty line, a comment, or a line for NIS.
///
/// # Errors
/// What is wrong with it, without its values.
pub(crate) fn parse(line: &[u8]) -> Result<Option<(String, Secret)>, String> {
    if matches!(line.trim_ascii_start().first(), None | Some(b'#' | b'+' | b'-')) {
        return Ok(None);
    }
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let Ok([name, password, changed, _shortest, longest, _warning, grace, expires, _reserved]) =
        <[&[u8]; 9]>::try_from(fields.as_slice())
    else {
        return Err(format!("it has {} fields between colons, not 9", fields.len()));
    };
    if name.is_empty() {
        return Err("it has no user name".to_owned());
    }
    let secret = Secret {
        password: text(password).0.into_owned(),
        changed: days(changed, "day of the last change")?,
        longest: days(longest, "maximum age")?,
        grace: days(grace, "time of inactivity")?,
        expires: days(expires, "expiry")?,
    };
    Ok(Some((text(name).0.into_owned(), secret)))
}

/// A number of days; empty and -1 mean none.
fn days(field: &[u8], what: &str) -> Result<Option<i64>, String> {
    if field.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(field).ok().and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(-1) => Ok(None),
        Some(days) if (0..=i64::from(i32::MAX)).contains(&days) => Ok(Some(days)),
        _ => Err(format!("its {what} is not a number of days")),
    }
}

/// The lines of a shadow file in the order in which they are asked for. Usually that is the order of passwd, and one
/// line is in memory; lines that come before the one that is asked for are kept.
pub(crate) struct Shadow {
    lines: Option<Lines<BufReader<File>>>,
    kept: HashMap<Box<str>, Secret>,
}

impl Shadow {
    pub(crate) fn new(file: File) -> Self {
        Self { lines: Some(Lines::new(BufReader::new(file))), kept: HashMap::new() }
    }

    /// What shadow says of a name; the first line counts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn take(&mut self, name: &str) -> io::Result<Option<Secret>> {
        if let Some(secret) = self.kept.remove(name) {
            return Ok(Some(secret));
        }
        while let Some(lines) = &mut self.lines {
            let Some((_, line)) = lines.next()? else {
                self.lines = None;
                break;
            };
            // The caller has checked every line.
            match parse(line).ok().flatten() {
                Some((found, secret)) if found == name => return Ok(Some(secret)),
                Some((found, secret)) => _ = self.kept.entry(found.into()).or_insert(secret),
                None => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn secret(line: &str) -> Secret {
        parse(line.as_bytes()).unwrap().unwrap().1
    }

    #[test]
    fn fields_are_in_their_order() {
        let found = secret("jan:$6$s$h:19000:1:90:7:30:20000:");
        assert_eq!((found.changed, found.longest), (Some(19_000), Some(90)));
        assert_eq!((found.grace, found.expires), (Some(30), Some(20_000)));
        let found = secret("jan:!::::::-1:");
        assert_eq!((found.changed, found.expires), (None, None));
        for nothing in ["", "# x", "+", "+@a::::::::"] {
            assert!(parse(nothing.as_bytes()).unwrap().is_none());
        }
    }

    #[test]
    fn faults_are_said_without_values() {
        for (line, why) in [
            ("jan:$6$secret:1:::::::", "it has 10 fields between colons, not 9"),
            ("jan:$6$secret", "it has 2 fields between colons, not 9"),
            (":x:::::::", "it has no user name"),
            ("jan:x:$6$secret::::::", "its day of the last change is not a number of days"),
            ("jan:x::::::99999999999:", "its expiry is not a number of days"),
        ] {
            assert_eq!(parse(line.as_bytes()).err().as_deref(), Some(why));
        }
    }

    #[test]
    fn the_order_of_the_file_does_not_matter() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a:1:::::::\nb:2:::::::\na:3:::::::\nc:4:::::::\n").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut shadow = Shadow::new(file);
        let mut take = |name| shadow.take(name).unwrap().map(|secret| secret.password);
        assert_eq!(take("c").as_deref(), Some("4"));
        assert_eq!(take("a").as_deref(), Some("1"));
        assert_eq!(take("none"), None);
        assert_eq!(take("b").as_deref(), Some("2"));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in proptest::collection::vec(prop_oneof![Just(b':'), Just(b'1'), any::<u8>()], 0..60)) {
            let _ = parse(&line);
        }
    }
}
