//! An object and the folder of its name: whether they ever existed at once, and in which order what happened to them
//! within a second leaves one of them at a time. Pure.
//!
//! S3's times are whole seconds, and its order is that of one key. Where several orders are possible, the one is taken in
//! which the object was gone before the folder came, or the other way round, since a file system allows no other.

use std::collections::BTreeMap;

/// A change of a key: its time, and whether there is a file after it.
pub(super) type Event = (i64, bool);

/// When an object's changes of one second happened, compared with those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
    /// Before, up to the first deletion; and after.
    Around,
}

/// What is below an object in a second in which it changes.
#[derive(Clone, Copy, Debug, Default)]
struct Below {
    /// A file is there when the second begins; when it ends; at all.
    begins: bool,
    ends: bool,
    is_any: bool,
}

/// What is known of an object and the keys below it.
#[derive(Debug)]
pub(super) struct Folder {
    /// The object's own changes, the oldest first.
    own: Vec<Event>,
    below: BTreeMap<i64, Below>,
    /// The first time at which both exist although the object does not change.
    since: Option<i64>,
}

impl Folder {
    pub(super) fn of(own: Vec<Event>) -> Self {
        let below = own.iter().map(|(time, _)| (*time, Below::default())).collect();
        Self { own, below, since: None }
    }

    /// Takes the changes of a key below the object, the oldest first.
    pub(super) fn add(&mut self, events: &[Event]) {
        for (from, until) in existence(events) {
            for (second, below) in self.below.range_mut(from..=until) {
                below.is_any = true;
                below.begins |= *second > from;
                below.ends |= *second < until;
            }
            // In the seconds in which the object does not change.
            for (own_from, own_until) in existence(&self.own) {
                let first = from.max(own_from.saturating_add(1));
                let first = (first..).find(|second| !self.below.contains_key(second)).unwrap_or(first);
                if first <= until && first < own_until {
                    self.since = Some(self.since.map_or(first, |since| since.min(first)));
                }
            }
        }
    }

    /// The first time at which object and folder exist at once, if they ever do, and the order in the seconds in which
    /// both change.
    pub(super) fn settle(&self) -> (Option<i64>, BTreeMap<i64, Side>) {
        let (mut since, mut sides) = (self.since, BTreeMap::new());
        let is_there =
            |second: i64| existence(&self.own).iter().any(|(from, until)| (*from..=*until).contains(&second));
        for (second, below) in self.below.iter().filter(|(second, below)| below.is_any && is_there(**second)) {
            match self.side(*second, *below) {
                Some(side) => drop(sides.insert(*second, side)),
                None => since = Some(since.map_or(*second, |since| since.min(*second))),
            }
        }
        (since, sides)
    }

    fn side(&self, second: i64, below: Below) -> Option<Side> {
        let exists = |until: &dyn Fn(i64) -> bool| {
            self.own.iter().take_while(|(time, _)| until(*time)).last().is_some_and(|(_, exists)| *exists)
        };
        let (begins, ends) = (exists(&|time| time < second), exists(&|time| time <= second));
        let is_deleted = self.own.iter().any(|(time, exists)| *time == second && !exists);
        match (below.begins, below.ends) {
            (true, true) => None,
            (true, false) => (!begins).then_some(Side::After),
            (false, true) => (!ends).then_some(Side::Before),
            (false, false) if !ends => Some(Side::Before),
            (false, false) if !begins => Some(Side::After),
            (false, false) => is_deleted.then_some(Side::Around),
        }
    }
}

/// From when until when there was a file, in seconds that may be the same.
fn existence(events: &[Event]) -> Vec<(i64, i64)> {
    let (mut spans, mut since) = (Vec::new(), None);
    for (time, exists) in events {
        match (since, exists) {
            (None, true) => since = Some(*time),
            (Some(from), false) => {
                spans.push((from, *time));
                since = None;
            }
            _ => {}
        }
    }
    spans.extend(since.map(|from| (from, i64::MAX)));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(own: &[Event], below: &[&[Event]]) -> (Option<i64>, Vec<(i64, Side)>) {
        let mut folder = Folder::of(own.to_vec());
        below.iter().for_each(|events| folder.add(events));
        let (since, sides) = folder.settle();
        (since, sides.into_iter().collect())
    }

    #[test]
    fn one_follows_the_other_where_that_is_possible() {
        let (is, gone) = (true, false);
        // In other seconds, nothing has to be decided.
        assert_eq!(settled(&[(1, is), (2, gone)], &[&[(3, is)]]), (None, vec![]));
        assert_eq!(settled(&[(5, is)], &[&[(3, is), (4, gone)]]), (None, vec![]));
        // Both for a while.
        assert_eq!(settled(&[(1, is), (9, gone)], &[&[(3, is), (4, gone)]]), (Some(3), vec![]));
        assert_eq!(settled(&[(4, is)], &[&[(3, is)]]).0, Some(4));
        assert_eq!(settled(&[(1, is)], &[&[(1, is)]]).0, Some(1));
        // Within a second.
        assert_eq!(settled(&[(1, is), (2, gone)], &[&[(2, is)]]), (None, vec![(2, Side::Before)]));
        assert_eq!(settled(&[(4, is)], &[&[(3, is), (4, gone)]]), (None, vec![(4, Side::After)]));
        let all = [(2, is), (2, gone), (2, is)];
        assert_eq!(settled(&all, &[&[(2, is), (2, gone)]]), (None, vec![(2, Side::After)]));
        let again = [(1, is), (2, gone), (2, is)];
        assert_eq!(settled(&again, &[&[(2, is), (2, gone)]]), (None, vec![(2, Side::Around)]));
        assert_eq!(settled(&again, &[&[(2, is), (2, gone)], &[(2, is)]]).0, Some(2));
        assert_eq!(settled(&[(1, is), (2, is)], &[&[(2, is), (2, gone)]]).0, Some(2), "it is only replaced");
    }
}
