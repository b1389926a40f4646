//! Lines of group(5), and the range of customers' numbers in login.defs(5). Pure.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::lines::{Faults, text};
use crate::passwd::Entry;

/// The groups of a system.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    names: Vec<Box<str>>,
    ids: Vec<u32>,
    by_id: HashMap<u32, usize>,
    of_user: HashMap<Box<str>, Vec<usize>>,
}

impl Groups {
    /// Reads a file; `faults` gets the lines that are not groups.
    pub(crate) fn parse(shown: &str, file: &[u8], faults: &mut Faults) -> Self {
        let mut groups = Self::default();
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if matches!(line.trim_ascii_start().first(), None | Some(b'#' | b'+' | b'-')) {
                continue;
            }
            let line = text(line).0;
            let fields: Vec<&str> = line.split(':').collect();
            match fields[..] {
                [name, _, id, members] if !name.is_empty() => match id.parse() {
                    Ok(id) => groups.add(name, id, members),
                    Err(_) => faults.add(shown, number, "its gid is not a number from 0 to 4294967295"),
                },
                _ => faults.add(shown, number, &format!("it has {} fields between colons, not 4", fields.len())),
            }
        }
        groups
    }

    fn add(&mut self, name: &str, id: u32, members: &str) {
        let index = self.names.len();
        self.names.push(name.into());
        self.ids.push(id);
        // The first name of a number is the one that getgrgid(3) finds.
        self.by_id.entry(id).or_insert(index);
        for member in members.split(',').filter(|member| !member.is_empty()) {
            self.of_user.entry(member.into()).or_default().push(index);
        }
    }

    /// The names of a user's groups, the primary one first.
    pub(crate) fn of(&self, entry: &Entry) -> Vec<&str> {
        let primary = self.by_id.get(&entry.gid).copied();
        let others = self.of_user.get(entry.name.as_str()).into_iter().flatten().copied();
        let mut found: Vec<usize> = Vec::new();
        for index in primary.into_iter().chain(others) {
            if !found.contains(&index) {
                found.push(index);
            }
        }
        found.into_iter().filter_map(|index| self.names.get(index)).map(AsRef::as_ref).collect()
    }

    /// The numbers of a user's groups, the primary one first.
    pub(crate) fn ids_of(&self, entry: &Entry) -> Vec<u32> {
        let others = self.of_user.get(entry.name.as_str()).into_iter().flatten();
        std::iter::once(entry.gid).chain(others.filter_map(|index| self.ids.get(*index)).copied()).collect()
    }
}

/// The numbers of people's accounts: `UID_MIN` to `UID_MAX`, otherwise 1000 to 60000 (login.defs(5)).
pub(crate) fn uids(login_defs: &str) -> RangeInclusive<u32> {
    let value = |name: &str, default| {
        let of_line = |line: &str| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.next()?.parse().ok()).flatten()
        };
        login_defs.lines().filter_map(of_line).next_back().unwrap_or(default)
    };
    value("UID_MIN", 1_000)..=value("UID_MAX", 60_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_primary_group_is_first() {
        let mut faults = Faults::default();
        let file = b"# all\nstaff:x:50:jan,piet\nsftp:x:100:\nusers:x:100:jan,,jan\nbad:x:y:\nshort:x\n+:::\n";
        let groups = Groups::parse("group", file, &mut faults);
        let of = |name: &str, gid| {
            let entry = Entry { name: name.to_owned(), gid, ..Entry::default() };
            groups.of(&entry).join(" ")
        };
        assert_eq!(of("jan", 100), "sftp staff users");
        let jan = Entry { name: "jan".to_owned(), gid: 7, ..Entry::default() };
        assert_eq!(groups.ids_of(&jan), [7, 50, 100, 100]);
        assert_eq!(of("piet", 50), "staff");
        assert_eq!(of("kees", 7), "");
        let message = faults.check().unwrap_err().message;
        assert_eq!(
            message,
            "group, line 5: its gid is not a number from 0 to 4294967295\n\
             group, line 6: it has 2 fields between colons, not 4"
        );
    }

    #[test]
    fn people_have_the_numbers_of_login_defs() {
        assert_eq!(uids(""), 1_000..=60_000);
        assert_eq!(uids("#UID_MIN 1\nUID_MIN\t\t  500\nSYS_UID_MIN 100\nUID_MAX x\n"), 500..=60_000);
    }

    proptest! {
        #[test]
        fn any_file_is_read(file in proptest::collection::vec(prop_oneof![Just(b':'), Just(b'\n'), any::<u8>()], 0..80)) {
            let _ = Groups::parse("group", &file, &mut Faults::default());
        }
    }
}
