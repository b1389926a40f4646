//! The paths that a pass has come by. Of each only 128 bits of a keyed hash are kept: two paths of a million have the same
//! with a probability of 1 to 10^26.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::name::Raw;

#[derive(Default)]
pub(super) struct Seen {
    keys: [RandomState; 2],
    paths: HashSet<u128>,
}

impl Seen {
    fn hash(&self, path: &[u8]) -> u128 {
        let [high, low] = self.keys.each_ref().map(|key| u128::from(key.hash_one(path)));
        (high << 64) | low
    }

    /// Whether it is new.
    pub(super) fn insert(&mut self, path: &Raw) -> bool {
        self.paths.insert(self.hash(&path.0))
    }

    pub(super) fn remove(&mut self, path: &Raw) {
        self.paths.remove(&self.hash(&path.0));
    }

    pub(super) fn contains(&self, path: &[u8]) -> bool {
        self.paths.contains(&self.hash(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_new_once() {
        let (mut seen, a, b) = (Seen::default(), Raw(b"a".to_vec()), Raw(b"b".to_vec()));
        assert!(seen.insert(&a) && !seen.insert(&a) && seen.insert(&b));
        seen.remove(&a);
        assert!(!seen.contains(b"a") && seen.contains(b"b") && seen.insert(&a));
    }
}
