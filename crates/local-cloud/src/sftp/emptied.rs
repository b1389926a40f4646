//! Folders that have vanished with their last file.
//!
//! A folder without a marker (put by S3, an import) exists only as long as something is in it. A client that deletes a
//! tree removes the files first and then the folder, and would report a failure although everything is gone.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Folders remembered per endpoint program; a forgotten one is only answered with "no such file" again.
const MAX: usize = 10_000;

/// Folders in which clients deleted something, shared by all sessions: clients delete over several connections.
#[derive(Debug, Default)]
pub(super) struct Emptied(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    set: HashSet<(String, String)>,
    order: VecDeque<(String, String)>,
}

impl Emptied {
    /// Something in the folder of `key` was deleted. `key` has no slash at its end.
    pub(super) fn deleted(&self, bucket: &str, key: &str) {
        let Some((folder, _)) = key.rsplit_once('/') else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (bucket.to_owned(), folder.to_owned());
        if known.set.insert(name.clone()) {
            known.order.push_back(name);
        }
        if known.order.len() > MAX
            && let Some(oldest) = known.order.pop_front()
        {
            known.set.remove(&oldest);
        }
    }

    /// Whether the folder that does not exist (any more) has vanished with its last file. Forgets it.
    pub(super) fn take(&self, bucket: &str, folder: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (bucket.to_owned(), folder.to_owned());
        let was = known.set.remove(&name);
        if was {
            known.order.retain(|other| *other != name);
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_of_a_deleted_file_is_known_once() {
        let emptied = Emptied::default();
        emptied.deleted("b", "7/a/x");
        emptied.deleted("b", "7/a/y");
        assert!(!emptied.take("other", "7/a"));
        assert!(!emptied.take("b", "7/ab"));
        assert!(emptied.take("b", "7/a"));
        assert!(!emptied.take("b", "7/a"));
    }

    #[test]
    fn memory_is_bounded() {
        let emptied = Emptied::default();
        for number in 0..=MAX {
            emptied.deleted("b", &format!("{number}/x"));
        }
        assert!(!emptied.take("b", "0") && emptied.take("b", "1"));
    }
}
