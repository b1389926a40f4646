//! Whose a file or a socket of this machine is, by the ID of its owner.
//!
//! In a user namespace, all users who have no ID there share one, `nobody`'s; and so does a process whose own user has
//! none, as in `unshare -U` (user_namespaces(7)). That ID says nothing there.

use std::path::Path;
use std::sync::OnceLock;

/// IDs that there are; the last is none.
const ALL: u64 = u32::MAX as u64;
/// The shared ID, if the system does not say.
const NOBODY: u32 = 65_534;

/// Whether an owner is the user of this process.
pub fn is_own(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw() && !is_anybody(owner)
}

/// Whether an owner may be anybody: one of the users who have no ID of their own in this user namespace.
pub fn is_anybody(owner: u32) -> bool {
    static SHARED: OnceLock<Option<u32>> = OnceLock::new();
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    *SHARED.get_or_init(|| shared(&read("/proc/self/uid_map"), &read("/proc/sys/kernel/overflowuid"))) == Some(owner)
}

/// The ID that several users share, by the map of this user namespace; `None` if every user has one.
fn shared(map: &str, overflow: &str) -> Option<u32> {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    let mapped: u64 = map.lines().filter_map(count).sum();
    (mapped < ALL).then(|| overflow.trim().parse().unwrap_or(NOBODY))
}

/// Whether a group is a user's alone, as distributions make one with each user (login.defs(5), `USERGROUPS_ENAB`). With it
/// comes the umask 002, so that every checkout of such a user is writable for the group.
///
/// What gshadow(5) adds, members and a password for newgrp(1), only root can read: who administers the machine so that
/// others can act as this group has given them the user's files (docs/security-model.md, R21).
pub fn is_private_group(group: u32, user: u32) -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    user != 0 && is_private(&read("/etc/passwd"), &read("/etc/group"), group, user)
}

/// The same by the two files: the group has the user's name and no members, and is no other user's.
fn is_private(users: &str, groups: &str, group: u32, user: u32) -> bool {
    let row = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let is = |row: &[String], at: usize, number: u32| row.get(at).is_some_and(|text| *text == number.to_string());
    let users: Vec<_> = users.lines().map(row).collect();
    let Some(own) = users.iter().find(|row| is(row, 2, user)) else { return false };
    let is_of_others = users.iter().any(|row| is(row, 3, group) && !is(row, 2, user));
    let groups: Vec<_> = groups.lines().map(row).filter(|row| is(row, 2, group)).collect();
    let [only] = groups.as_slice() else { return false };
    let members = only.get(3).map_or("", String::as_str);
    !is_of_others
        && only.first() == own.first()
        && (members.is_empty() || Some(members) == own.first().map(String::as_str))
}

/// Whether a path has a list of users and groups of its own (acl(5)): the group's bits then stand for all who are in it.
pub fn has_list(path: &Path) -> bool {
    let list = rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]);
    !matches!(list, Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_private_if_nobody_else_is_in_it() {
        let users =
            "root:x:0:0::/root:/bin/sh\njan:x:1001:1001::/home/jan:/bin/sh\neva:x:1002:100::/home/eva:/bin/sh\n";
        let groups = "root:x:0:\nusers:x:100:\njan:x:1001:\n";
        assert!(is_private(users, groups, 1001, 1001));
        for (users, groups, group, user) in [
            (users.to_owned(), groups.replace("1001:", "1001:www-data"), 1001, 1001),
            (users.replace("1002:100:", "1002:1001:"), groups.to_owned(), 1001, 1001),
            (users.to_owned(), groups.to_owned(), 100, 1002),
            (users.to_owned(), groups.to_owned(), 1001, 1003),
            (users.to_owned(), String::new(), 1001, 1001),
        ] {
            assert!(!is_private(&users, &groups, group, user), "{users} {groups}");
        }
        assert!(!is_private_group(0, 0));
    }

    #[test]
    fn shared_id_is_nobodys() {
        for (map, overflow, expected) in [
            ("         0          0 4294967295\n", "65534\n", None),
            // `unshare -Ur`, a container of an ordinary user, and `unshare -U`.
            ("         0       1000          1\n", "65534\n", Some(65_534)),
            ("         0       1000          1\n         1     100000      65536\n", "65534\n", Some(65_534)),
            ("", "7\n", Some(7)),
            ("", "", Some(NOBODY)),
        ] {
            assert_eq!(shared(map, overflow), expected, "{map}");
        }
    }
}
