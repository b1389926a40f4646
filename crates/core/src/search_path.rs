//! Where programs are searched for.

use std::ffi::{OsStr, OsString};

/// Where POSIX's utilities are.
const DEFAULT: &str = "/usr/bin:/bin";

/// The value of `PATH` without its empty and relative parts, which mean the current folder: a cloned repository may have a
/// `git` of its own. `None` if there are none.
pub fn without_current_folder(path: &OsStr) -> Option<OsString> {
    let parts: Vec<_> = std::env::split_paths(path).collect();
    let safe: Vec<_> = parts.iter().filter(|part| part.is_absolute()).collect();
    if safe.len() == parts.len() {
        return None;
    }
    if safe.is_empty() {
        // An empty one would mean the current folder again.
        return Some(DEFAULT.into());
    }
    // Fails for a part with a separator, which a split path does not have.
    std::env::join_paths(safe).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_parts_stay() {
        for (path, safe) in [
            ("/usr/bin:/bin", None),
            (":/usr/bin", Some("/usr/bin")),
            ("/usr/bin:", Some("/usr/bin")),
            ("/usr/bin::/bin", Some("/usr/bin:/bin")),
            (".:/usr/bin:bin2:../x", Some("/usr/bin")),
            (".", Some(DEFAULT)),
            ("", Some(DEFAULT)),
        ] {
            assert_eq!(without_current_folder(path.as_ref()), safe.map(OsString::from), "{path}");
        }
    }
}
