//! From a key to a path below the target folder. Pure.
//!
//! Customers choose keys. A key becomes a path only if every part of it is an ordinary file name on Linux, so that no key
//! leads out of the folder, hides in the pull's own folders, or ends a line in somebody's script.

use std::fmt;

use sftpctl_core::text::harms_names;

/// The longest file name on Linux, in bytes (limits.h, `NAME_MAX`).
const NAME_MAX: usize = 255;

/// The beginning of the names of the pull's own files and folders.
pub const OWN: &str = ".sftpctl-";

/// A path below the target folder: at least one component, each an ordinary file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPath(String);

impl LocalPath {
    /// The path without its last component; empty for a file directly in the target folder.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key cannot be a local path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    #[error("the key has an empty component")]
    Empty,
    #[error("the key has a component `.` or `..`")]
    Dots,
    #[error("the key has a control character")]
    Control,
    #[error("the key has an invisible character, a mark of the writing direction or a line separator")]
    Invisible,
    #[error("a component of the key is longer than 255 bytes")]
    Long,
    #[error("a component of the key begins with `.sftpctl-`, as the pull's own files do")]
    Own,
    #[error("the key ends with a slash, but the object has content")]
    FolderWithContent,
    #[error("a folder of the key is itself an object")]
    BelowObject,
}

/// The path of a key.
///
/// # Errors
/// The key cannot be a local path.
pub fn local(key: &str) -> Result<LocalPath, Unsafe> {
    key.split('/').try_for_each(component)?;
    Ok(LocalPath(key.to_owned()))
}

fn component(name: &str) -> Result<(), Unsafe> {
    match name {
        "" => Err(Unsafe::Empty),
        "." | ".." => Err(Unsafe::Dots),
        _ if name.chars().any(char::is_control) => Err(Unsafe::Control),
        _ if name.chars().any(harms_names) => Err(Unsafe::Invisible),
        _ if name.len() > NAME_MAX => Err(Unsafe::Long),
        _ if name.starts_with(OWN) => Err(Unsafe::Own),
        _ => Ok(()),
    }
}

/// Finds keys below an object of the same listing: `a/b` besides `a`, which cannot be a file and a folder. A listing is
/// in the order of the keys' bytes, so all keys that begin with `a` follow it, and memory is bound by a key's length.
#[derive(Debug, Default)]
pub struct Nesting(Vec<String>);

impl Nesting {
    /// Whether a folder of this key was an object. Keys come in the order of a listing.
    pub fn is_below_object(&mut self, key: &str) -> bool {
        while self.0.last().is_some_and(|earlier| !key.starts_with(earlier.as_str())) {
            self.0.pop();
        }
        let is_folder = |object: &String| key.strip_prefix(object.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let is_below = self.0.iter().any(is_folder);
        self.0.push(key.to_owned());
        is_below
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_keys_are_refused() {
        for (key, why) in [
            ("", Unsafe::Empty),
            ("/etc/passwd", Unsafe::Empty),
            ("17578//b", Unsafe::Empty),
            ("17578/", Unsafe::Empty),
            ("../x", Unsafe::Dots),
            ("17578/./b", Unsafe::Dots),
            ("17578/..", Unsafe::Dots),
            ("17578/a\0b", Unsafe::Control),
            ("17578/a\nb", Unsafe::Control),
            ("17578/\u{1b}[31m", Unsafe::Control),
            ("17578/a\u{85}", Unsafe::Control),
            ("17578/invoice\u{202e}fdp.exe", Unsafe::Invisible),
            ("17578/a\u{200b}", Unsafe::Invisible),
            ("17578/a\u{2028}b", Unsafe::Invisible),
            ("17578/\u{2066}/b", Unsafe::Invisible),
            ("17578/\u{feff}a", Unsafe::Invisible),
            (".sftpctl-pull/ledger.jsonl", Unsafe::Own),
            ("17578/.sftpctl-x", Unsafe::Own),
        ] {
            assert_eq!(local(key), Err(why), "{key:?}");
        }
        assert_eq!(local(&format!("17578/{}", "ä".repeat(128))), Err(Unsafe::Long));
        for key in [
            "17578/order.csv",
            "a",
            "17578/ä b/…",
            "17578/-rf",
            "17578/...",
            "17578/.ssh/x",
            "17578/\\x",
            "1/👩\u{200d}💻",
        ] {
            assert_eq!(local(key).unwrap().as_str(), key);
        }
        let path = local("17578/in/order.csv").unwrap();
        assert_eq!((path.folder(), path.name()), ("17578/in", "order.csv"));
        assert_eq!((local("x").unwrap().folder(), local("x").unwrap().name()), ("", "x"));
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_the_folder(key in "[a./\\\\\u{0}-\u{20}ä]{0,12}") {
            if let Ok(path) = local(&key) {
                let path = Path::new(path.as_str());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                // Nothing is dropped or merged on the way: different keys are different files.
                let again: Vec<_> = path.components().map(|part| part.as_os_str().to_str().unwrap()).collect();
                prop_assert_eq!(again.join("/"), key);
            }
        }

        #[test]
        fn keys_below_an_object_are_found(keys in proptest::collection::btree_set("[a!/]{1,5}", 0..24)) {
            let keys: BTreeSet<String> = keys;
            let mut nesting = Nesting::default();
            for key in &keys {
                let expected = keys.iter().any(|other| key.starts_with(&format!("{other}/")));
                prop_assert_eq!(nesting.is_below_object(key), expected, "{} of {:?}", key, &keys);
            }
        }
    }
}
