//! What a cut-over remembers: where each alias pointed before, for the way back, and when the caches of the world have
//! forgotten its old TTL.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::decide::Change;
use super::zone::Cname;

/// A TTL, in seconds, that needs no lowering before a cut-over.
pub const LOW_TTL: i64 = 300;
/// How long Route 53 may take until all its name servers have a change: usually less than 60 seconds (Route 53
/// developer guide, "Monitoring DNS changes"). Assumed of a run that was killed before it knew.
pub const PROPAGATION: i64 = 600;

/// The newest version of the document.
pub const VERSION: u32 = 1;

/// The memory of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    pub environment: String,
    pub account: String,
    /// By full name.
    aliases: BTreeMap<String, Earlier>,
}

/// An alias before its cut-over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Earlier {
    /// The target that it had.
    from: String,
    /// The time, in seconds since 1970, from which no cache has an answer with the TTL from before it was lowered. 0 if
    /// it was not lowered.
    until: i64,
}

/// Why a cut-over should wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The TTL of so many aliases is high; the highest.
    NotLowered { aliases: usize, ttl: i64 },
    /// Caches may have the answer of so many aliases with their earlier TTL until this time, in seconds since 1970.
    Cached { aliases: usize, until: i64 },
}

impl Memory {
    pub fn new(environment: &str, account: &str) -> Self {
        let (environment, account) = (environment.to_owned(), account.to_owned());
        Self { version: VERSION, environment, account, aliases: BTreeMap::new() }
    }

    /// The memory after TTLs were lowered by changes that all name servers have at this time, in seconds since 1970.
    #[must_use]
    pub fn lowered(&self, changes: &[Change], at: i64) -> Self {
        self.with(changes, |ttl| at.saturating_add(ttl))
    }

    /// The memory after records were changed to another target.
    #[must_use]
    pub fn moved(&self, changes: &[Change]) -> Self {
        // A change of the TTL alone is none: where it pointed before is still the way back.
        let moved: Vec<Change> = changes.iter().filter(|change| !change.is_only_ttl()).cloned().collect();
        self.with(&moved, |_| 0)
    }

    /// With the target of each record before its change, and the later of two times.
    fn with(&self, changes: &[Change], until: impl Fn(i64) -> i64) -> Self {
        let mut memory = self.clone();
        for change in changes {
            let Some(old) = &change.old else { continue };
            let (from, until) = (old.target(), until(old.ttl));
            let known = memory.aliases.get(&change.name).filter(|known| known.from == from);
            let until = known.map_or(until, |known| known.until.max(until));
            memory.aliases.insert(change.name.clone(), Earlier { from, until });
        }
        memory
    }

    /// The target that an alias had before.
    pub fn from(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(|earlier| earlier.from.as_str())
    }

    /// All aliases, with the target that they had.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases.iter().map(|(name, earlier)| (name.as_str(), earlier.from.as_str()))
    }

    /// The time from which no cache has an earlier TTL of these aliases; `None` if none was lowered.
    pub fn until<'a>(&self, names: impl Iterator<Item = &'a str>) -> Option<i64> {
        names.filter_map(|name| self.aliases.get(name)).map(|earlier| earlier.until).max().filter(|until| *until > 0)
    }

    /// The time from which no cache has the old target of records that are changed now: that of their TTL, and of an
    /// earlier one, also of other aliases that have just left the same target.
    pub fn forgotten(&self, changes: &[Change], now: i64) -> Option<i64> {
        let moved = || changes.iter().filter(|change| change.is_new_target()).filter_map(|change| change.old.as_ref());
        let targets: BTreeSet<String> = moved().map(Cname::target).collect();
        let earlier = self.aliases.values().filter(|earlier| targets.contains(&earlier.from));
        let earlier = earlier.map(|earlier| earlier.until);
        moved().map(|old| now.saturating_add(old.ttl)).max().map(|end| earlier.fold(end, i64::max))
    }

    /// Why the changes of a cut-over at this time should wait; `None` if caches forget the old target within
    /// [`LOW_TTL`].
    pub fn wait(&self, changes: &[Change], now: i64) -> Option<Wait> {
        let high = |change: &Change| change.old.as_ref().map(|old| old.ttl).filter(|ttl| *ttl > LOW_TTL);
        let ttls: Vec<i64> = changes.iter().filter_map(high).collect();
        if let Some(ttl) = ttls.iter().max() {
            return Some(Wait::NotLowered { aliases: ttls.len(), ttl: *ttl });
        }
        let times = changes.iter().filter_map(|change| self.aliases.get(&change.name)).map(|earlier| earlier.until);
        let late: Vec<i64> = times.filter(|until| *until > now).collect();
        late.iter().max().map(|until| Wait::Cached { aliases: late.len(), until: *until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, from: &str, ttl: i64) -> Change {
        Change { name: name.into(), old: Some(Cname { value: format!("{from}."), ttl }), new: None }
    }

    #[test]
    fn a_cut_over_waits_for_the_old_ttl() {
        let memory = Memory::new("99", "111111111111");
        let high = [change("a", "old", 86_400), change("b", "old", 300)];
        assert_eq!(memory.wait(&high, 1_000), Some(Wait::NotLowered { aliases: 1, ttl: 86_400 }));
        let memory = memory.lowered(&high, 1_000);
        let low = [change("a", "old", 60), change("b", "old", 60)];
        assert_eq!(memory.wait(&low, 1_100), Some(Wait::Cached { aliases: 2, until: 87_400 }));
        assert_eq!(memory.wait(&low, 2_000), Some(Wait::Cached { aliases: 1, until: 87_400 }));
        assert_eq!(memory.wait(&low, 87_400), None);
        // Lowered once more, or moved: the first TTL still counts.
        assert_eq!(memory.until(["a", "b", "c"].into_iter()), Some(87_400));
        let again = memory.lowered(&low, 2_000).moved(&low);
        assert_eq!(again.wait(&low, 2_500), Some(Wait::Cached { aliases: 1, until: 87_400 }));
        assert_eq!(again.from("a"), Some("old"));
    }

    #[test]
    fn caches_forget_the_old_target_when_the_longest_ttl_is_over() {
        let memory = Memory::new("99", "111111111111");
        let to_new =
            |name, from, ttl| Change { new: Some(Cname { value: "new.".into(), ttl }), ..change(name, from, ttl) };
        let high = [change("a", "old", 86_400)];
        let moved = [to_new("a", "old", 60), to_new("b", "old", 30)];
        assert_eq!(memory.forgotten(&moved, 1_000), Some(1_060), "it was never lowered");
        let lowered = memory.lowered(&high, 1_000);
        assert_eq!(lowered.forgotten(&moved, 1_010), Some(87_400), "it was lowered just before");
        assert_eq!(lowered.forgotten(&moved, 100_000), Some(100_060), "a day later");
        // The rest of a move that was killed: those before it count as well.
        assert_eq!(lowered.moved(&moved[..1]).forgotten(&moved[1..], 1_020), Some(87_400));
        assert_eq!(lowered.forgotten(&[to_new("c", "another", 60)], 1_020), Some(1_080));
        assert_eq!(lowered.forgotten(&high, 1_020), None, "nothing is moved");
    }

    #[test]
    fn change_of_the_ttl_alone_keeps_the_way_back() {
        let memory = Memory::new("99", "111111111111").moved(&[change("a", "old", 60)]);
        let new = Some(Cname { value: "new".into(), ttl: 300 });
        let raised = Change { new, ..change("a", "new", 60) };
        assert_eq!(memory.moved(&[raised]).from("a"), Some("old"));
    }

    #[test]
    fn another_old_target_is_another_story() {
        let memory = Memory::new("99", "111111111111").lowered(&[change("a", "old", 86_400)], 0);
        let memory = memory.moved(&[change("a", "other", 60)]);
        assert_eq!(memory.iter().collect::<Vec<_>>(), [("a", "other")]);
        assert_eq!(memory.wait(&[change("a", "other", 60)], 1), None);
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
    }
}
