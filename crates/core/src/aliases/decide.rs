//! What becomes of a name's record. A record that points to neither an expected old target nor the new one is foreign,
//! and is never changed.

use serde::Serialize;

use super::zone::{Cname, Found, Zone};

/// One record before and after. Both are sent to Route 53, as a deletion with the exact old value and a creation, in
/// one batch: if the record has changed since it was read, the batch is refused. UPSERT would replace whatever is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Cname>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Cname>,
}

/// A record that is not changed, because it is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Foreign {
    pub name: String,
    /// `points to other.example.com`.
    pub reason: String,
}

/// The TTL that a record gets, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    Keep,
    Set(i64),
    /// Lowered to this, never raised.
    AtMost(i64),
}

impl Ttl {
    fn of(self, ttl: i64) -> i64 {
        match self {
            Self::Keep => ttl,
            Self::Set(wanted) => wanted,
            Self::AtMost(limit) => ttl.min(limit),
        }
    }
}

/// What is to become of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Targets of records that may be changed, besides `target`.
    pub from: Vec<String>,
    /// Targets of records that stay as they are.
    pub settled: Vec<String>,
    /// The target that records get; `None` deletes them.
    pub target: Option<String>,
    pub ttl: Ttl,
    /// The TTL of a record that does not exist yet; `None` creates none.
    pub creates: Option<i64>,
}

/// What is done with a set of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// Names that are as wanted.
    pub same: Vec<String>,
    pub foreign: Vec<Foreign>,
}

/// The plan for names by their rules.
pub fn plan<'a>(zone: &Zone, names: impl Iterator<Item = (&'a str, &'a Rule)>) -> Plan {
    let mut plan = Plan::default();
    for (name, rule) in names {
        match decide(name, zone.get(name), rule) {
            Ok(Some(change)) => plan.changes.push(change),
            Ok(None) => plan.same.push(name.to_owned()),
            Err(reason) => plan.foreign.push(Foreign { name: name.to_owned(), reason }),
        }
    }
    plan
}

/// The change of a name's record; `None` if it is as wanted; the error says why it is not to be changed.
fn decide(name: &str, found: Option<&Found>, rule: &Rule) -> Result<Option<Change>, String> {
    let change = |old, new| Change { name: name.to_owned(), old, new };
    let old = match found {
        Some(Found::Cname(old)) => old,
        Some(Found::Other(what)) => return Err(what.clone()),
        None => {
            return match (&rule.target, rule.creates) {
                (None, _) => Ok(None),
                (Some(target), Some(ttl)) => Ok(Some(change(None, Some(Cname { value: target.clone(), ttl })))),
                (Some(_), None) => Err("does not exist".to_owned()),
            };
        }
    };
    let target = old.target();
    if rule.settled.contains(&target) {
        return Ok(None);
    }
    let is_there = rule.target.as_ref() == Some(&target);
    if !is_there && !rule.from.contains(&target) {
        return Err(format!("points to {target}"));
    }
    let new = rule.target.as_ref().map(|wanted| Cname {
        value: if is_there { old.value.clone() } else { wanted.clone() },
        ttl: rule.ttl.of(old.ttl),
    });
    Ok((new.as_ref() != Some(old)).then(|| change(Some(old.clone()), new)))
}

/// What has become of a change, by a later look at the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The record is as it was before.
    Open,
    /// Somebody else has changed it since.
    Overtaken,
}

impl Change {
    /// Whether an existing record gets another target.
    pub fn is_new_target(&self) -> bool {
        matches!((&self.old, &self.new), (Some(old), Some(new)) if old.target() != new.target())
    }

    /// Whether a record keeps its target, and gets another TTL.
    pub fn is_only_ttl(&self) -> bool {
        matches!((&self.old, &self.new), (Some(old), Some(new)) if old.target() == new.target())
    }

    /// What has become of it.
    pub fn outcome(&self, zone: &Zone) -> Outcome {
        let found = zone.get(&self.name);
        let is = |cname: &Option<Cname>| match (found, cname) {
            (None, None) => true,
            (Some(Found::Cname(found)), Some(cname)) => found == cname,
            _ => false,
        };
        if is(&self.new) {
            Outcome::Done
        } else if is(&self.old) {
            Outcome::Open
        } else {
            Outcome::Overtaken
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cname(value: &str, ttl: i64) -> Cname {
        Cname { value: value.into(), ttl }
    }

    fn zone(records: &[(&str, &str, i64)]) -> Zone {
        let mut zone = Zone::default();
        for (name, value, ttl) in records {
            let found = match *ttl {
                -1 => Found::Other((*value).to_owned()),
                ttl => Found::Cname(cname(value, ttl)),
            };
            zone.insert(name, found);
        }
        zone
    }

    fn rule(from: &[&str], target: Option<&str>, ttl: Ttl) -> Rule {
        Rule {
            from: from.iter().map(|host| (*host).to_owned()).collect(),
            settled: Vec::new(),
            target: target.map(str::to_owned),
            ttl,
            creates: None,
        }
    }

    fn planned(zone: &Zone, rule: &Rule) -> Plan {
        plan(zone, ["a", "b", "c", "d"].into_iter().map(|name| (name, rule)))
    }

    #[test]
    fn only_records_that_are_missing_are_added() {
        let zone = zone(&[("a", "Host.", 900), ("b", "elsewhere", 300), ("c", "has records of type A", -1)]);
        let mut add = Rule { creates: Some(300), ..rule(&[], Some("host"), Ttl::Keep) };
        let made = planned(&zone, &add);
        assert_eq!(made.changes, [Change { name: "d".into(), old: None, new: Some(cname("host", 300)) }]);
        assert_eq!(made.same, ["a"]);
        let reasons: Vec<&str> = made.foreign.iter().map(|foreign| foreign.reason.as_str()).collect();
        assert_eq!(reasons, ["points to elsewhere", "has records of type A"]);
        // A TTL that is asked for changes our own record, and keeps its value's spelling.
        add.ttl = Ttl::Set(60);
        let change = Change { name: "a".into(), old: Some(cname("Host.", 900)), new: Some(cname("Host.", 60)) };
        assert_eq!(planned(&zone, &add).changes.first(), Some(&change));
    }

    #[test]
    fn only_our_records_are_removed() {
        let zone = zone(&[("a", "host.", 900), ("b", "elsewhere", 300), ("c", "x", -1)]);
        let removed = planned(&zone, &rule(&["host"], None, Ttl::Keep));
        assert_eq!(removed.changes, [Change { name: "a".into(), old: Some(cname("host.", 900)), new: None }]);
        assert_eq!((removed.same, removed.foreign.len()), (vec!["d".to_owned()], 2));
    }

    #[test]
    fn a_cut_over_takes_what_points_to_the_old_host() {
        let zone = zone(&[("a", "OLD.", 60), ("b", "host", 60), ("c", "elsewhere", 60)]);
        let moved = planned(&zone, &rule(&["old"], Some("host"), Ttl::Keep));
        assert_eq!(
            moved.changes,
            [Change { name: "a".into(), old: Some(cname("OLD.", 60)), new: Some(cname("host", 60)) }]
        );
        assert_eq!(moved.same, ["b"]);
        let reasons: Vec<&str> = moved.foreign.iter().map(|foreign| foreign.reason.as_str()).collect();
        assert_eq!(reasons, ["points to elsewhere", "does not exist"]);
    }

    #[test]
    fn a_ttl_is_lowered_and_never_raised() {
        let zone = zone(&[("a", "old", 86_400), ("b", "old", 30), ("c", "host", 300)]);
        let lower = Rule { settled: vec!["host".into()], ..rule(&[], Some("old"), Ttl::AtMost(60)) };
        let lowered = planned(&zone, &lower);
        assert_eq!(
            lowered.changes,
            [Change { name: "a".into(), old: Some(cname("old", 86_400)), new: Some(cname("old", 60)) }]
        );
        assert_eq!(lowered.same, ["b", "c"]);
    }

    #[test]
    fn a_later_look_tells_what_became_of_a_change() {
        let change = Change { name: "a".into(), old: Some(cname("old", 60)), new: Some(cname("host", 60)) };
        for (record, outcome) in [
            (Some(("host", 60)), Outcome::Done),
            (Some(("old", 60)), Outcome::Open),
            (Some(("old", 300)), Outcome::Overtaken),
            (None, Outcome::Overtaken),
        ] {
            let records: Vec<_> = record.iter().map(|(value, ttl)| ("a", *value, *ttl)).collect();
            assert_eq!(change.outcome(&zone(&records)), outcome, "{record:?}");
        }
        let created = Change { old: None, ..change };
        assert_eq!(created.outcome(&Zone::default()), Outcome::Open);
    }
}
