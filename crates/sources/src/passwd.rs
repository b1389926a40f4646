//! Lines of a passwd file: passwd(5), and ProFTPD's AuthUserFile. Pure.

use sftpctl_accounts::import::row::Remark;

use crate::lines::text;
use crate::notes::remark;

/// An account.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// A hash, or a mark such as `x`. Secret.
    pub(crate) password: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gecos: String,
    pub(crate) home: String,
    pub(crate) shell: String,
    /// The fields that are not UTF-8, and were read as Latin-1.
    pub(crate) latin_1: Vec<&'static str>,
}

/// What a line is.
pub(crate) enum Line {
    Entry(Entry),
    /// A comment, or empty.
    Nothing,
    /// `+` or `-`: accounts of NIS.
    Nis,
}

const FIELDS: [&str; 7] = ["username", "password", "uid", "gid", "gecos", "home", "shell"];

/// Reads a line.
///
/// # Errors
/// What is wrong with it, without the values of its fields: any of them may be a hash.
pub(crate) fn parse(line: &[u8]) -> Result<Line, String> {
    match line.trim_ascii_start().first() {
        None | Some(b'#') => return Ok(Line::Nothing),
        Some(b'+' | b'-') => return Ok(Line::Nis),
        Some(_) => {}
    }
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let Ok([name, password, uid, gid, gecos, home, shell]) = <[&[u8]; 7]>::try_from(fields.as_slice()) else {
        return Err(format!("it has {} fields between colons, not 7", fields.len()));
    };
    if name.is_empty() {
        return Err("it has no user name".to_owned());
    }
    let latin_1 = FIELDS.iter().zip(&fields).filter(|(_, field)| text(field).1).map(|(name, _)| *name).collect();
    let string = |field| text(field).0.into_owned();
    Ok(Line::Entry(Entry {
        name: string(name),
        password: string(password),
        uid: number(uid, "uid")?,
        gid: number(gid, "gid")?,
        gecos: string(gecos),
        home: string(home),
        shell: string(shell),
        latin_1,
    }))
}

fn number(field: &[u8], what: &str) -> Result<u32, String> {
    let parsed = std::str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| format!("its {what} is not a number from 0 to 4294967295"))
}

impl Entry {
    /// What was read in another encoding.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        let value = |column| match column {
            "username" => &self.name,
            "gecos" => &self.gecos,
            "home" => &self.home,
            "shell" => &self.shell,
            _ => "",
        };
        self.latin_1.iter().map(|column| remark(column, "", value(column), "not UTF-8: read as Latin-1")).collect()
    }

    /// Whether a field could not be read as UTF-8.
    pub(crate) fn is_latin_1(&self, column: &str) -> bool {
        self.latin_1.contains(&column)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(line: &[u8]) -> Entry {
        match parse(line) {
            Ok(Line::Entry(entry)) => entry,
            _ => panic!("{}", String::from_utf8_lossy(line)),
        }
    }

    #[test]
    fn fields_are_in_their_order() {
        let found = entry(b"jan:x:1001:100:J\xfcrgen,,,:/home/17578:/bin/false");
        assert_eq!((found.uid, found.gid, found.gecos.as_str()), (1001, 100, "Jürgen,,,"));
        assert_eq!((found.home.as_str(), found.shell.as_str()), ("/home/17578", "/bin/false"));
        assert_eq!(found.remarks(), [remark("gecos", "", "Jürgen,,,", "not UTF-8: read as Latin-1")]);
        assert!(found.is_latin_1("gecos") && !found.is_latin_1("home"));
        assert_eq!(entry(b"jan::0:4294967295:::").gid, u32::MAX);
    }

    #[test]
    fn other_lines_are_told_apart() {
        for nothing in [&b""[..], b"  ", b"# jan:x:1:1:::", b"\t#"] {
            assert!(matches!(parse(nothing), Ok(Line::Nothing)));
        }
        for nis in [&b"+::::::"[..], b"+@staff::::::", b"-jan", b"+"] {
            assert!(matches!(parse(nis), Ok(Line::Nis)));
        }
    }

    #[test]
    fn faults_are_said_without_values() {
        for (line, why) in [
            (&b"jan:$6$secret:1:1::/home"[..], "it has 6 fields between colons, not 7"),
            (b"jan:$6$secret:1:1::/home:/bin/sh:", "it has 8 fields between colons, not 7"),
            (b":x:1:1::/home:/bin/sh", "it has no user name"),
            (b"jan:x:$6$secret:1::/home:/bin/sh", "its uid is not a number from 0 to 4294967295"),
            (b"jan:x:1:4294967296::/home:/bin/sh", "its gid is not a number from 0 to 4294967295"),
        ] {
            assert_eq!(parse(line).err().as_deref(), Some(why));
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in proptest::collection::vec(prop_oneof![Just(b':'), Just(b'1'), any::<u8>()], 0..80)) {
            let _ = parse(&line);
        }
    }
}
