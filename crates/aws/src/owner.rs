//! Whose a file or a socket of this machine is, by the ID of its owner.
//!
//! In a user namespace, all users who have no ID there share one, `nobody`'s; and so does a process whose own user has
//! none, as in `unshare -U` (user_namespaces(7)). That ID says nothing there.

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

#[cfg(test)]
mod tests {
    use super::*;

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
