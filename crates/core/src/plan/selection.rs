//! A run on a part of a plan: `--only` and `--skip`. Pure.
//!
//! A step that needs another one which is left out is refused, not carried along: whoever names a part means no more,
//! and nothing is changed that they have not read.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{Plan, Step};
use crate::kind::NodeId;
use crate::text::fits;

/// What a run is limited to. Each pattern is a region (or `global`), a kind, a name of a resource in its long form or
/// its short one, or the words by which the plan shows it; `*` stands for any characters, and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only what one of these matches; empty for everything.
    pub only: Vec<String>,
    /// Nothing that one of these matches.
    pub skip: Vec<String>,
}

impl Selection {
    /// Whether it leaves nothing out.
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }

    /// Whether a resource is selected. `title` is its name in messages.
    pub fn has(&self, id: &NodeId, title: &str) -> bool {
        let matched = |patterns: &[String]| patterns.iter().any(|pattern| is_named(pattern, id, title));
        (self.only.is_empty() || matched(&self.only)) && !matched(&self.skip)
    }

    /// The first pattern that matches none of these resources.
    pub fn unknown<'a>(&self, resources: impl Iterator<Item = (&'a NodeId, String)>) -> Option<&str> {
        let mut open: Vec<&String> = self.only.iter().chain(&self.skip).collect();
        for (id, title) in resources {
            open.retain(|pattern| !is_named(pattern, id, &title));
        }
        open.first().map(|pattern| pattern.as_str())
    }

    /// Divides a plan into the steps that are selected and those that are left out.
    ///
    /// # Errors
    /// A selected step needs one that is left out.
    pub fn divide(&self, plan: Plan) -> Result<(Plan, Vec<Step>), Severed> {
        let (chosen, left): (Vec<Step>, Vec<Step>) =
            plan.steps.into_iter().partition(|step| self.has(&step.id, &step.title));
        let needs = |step: &Step| {
            let missing = step.needs.iter().filter(|need| left.iter().any(|other| other.id == **need));
            missing.map(|need| (step.id.clone(), need.clone())).collect::<Vec<_>>()
        };
        let mut pairs: Vec<(NodeId, NodeId)> = chosen.iter().flat_map(needs).collect();
        if pairs.is_empty() {
            return Ok((Plan { steps: chosen, ..plan }, left));
        }
        // What these need in turn, so that one correction is enough.
        let mut known: BTreeSet<NodeId> = BTreeSet::new();
        let mut next = 0;
        while let Some((_, need)) = pairs.get(next).cloned() {
            if known.insert(need.clone()) {
                pairs.extend(left.iter().filter(|step| step.id == need).flat_map(needs));
            }
            next += 1;
        }
        Err(Severed { pairs, skip: self.skip.clone() })
    }
}

/// Selected steps that need others, which are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Severed {
    /// A step, and one that it needs.
    pub pairs: Vec<(NodeId, NodeId)>,
    /// What was to be skipped, which `--only` does not bring back.
    pub skip: Vec<String>,
}

impl Severed {
    /// The steps that are needed and left out.
    pub fn missing(&self) -> BTreeSet<&NodeId> {
        self.pairs.iter().map(|(_, need)| need).collect()
    }
}

impl fmt::Display for Severed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: Vec<&str> = self.missing().into_iter().map(NodeId::as_str).collect();
        write!(f, "what is selected needs {}, which would be left out", missing.join(", "))
    }
}

/// Whether a pattern names a resource.
fn is_named(pattern: &str, id: &NodeId, title: &str) -> bool {
    let kind = id.kind().map(|kind| kind.word());
    let of_place = kind.map(|kind| format!("{}/{kind}", id.place()));
    let names = [Some(id.place()), kind, of_place.as_deref(), Some(id.as_str()), id.name(), Some(title)];
    names.into_iter().flatten().any(|name| fits(name, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::model::{Action, Change};
    use crate::plan::model::VERSION;

    fn selection(only: &[&str], skip: &[&str]) -> Selection {
        let own = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
        Selection { only: own(only), skip: own(skip) }
    }

    fn bucket() -> NodeId {
        NodeId::named("us-west-2", Kind::Bucket, "pl-pt99-5-uploads")
    }

    #[test]
    fn resources_are_named_by_region_kind_name_and_title() {
        let title = "policy of bucket pl-pt99-5-uploads";
        for (pattern, matched) in [
            ("us-west-2", true),
            ("bucket", true),
            ("us-west-2/bucket", true),
            ("us-west-2/bucket/pl-pt99-5-uploads", true),
            ("pl-pt99-5-uploads", true),
            ("policy of bucket pl-pt99-5-uploads", true),
            ("us-west-*", true),
            ("*/bucket", true),
            ("pl-pt99-*", true),
            ("*", true),
            ("us-west-?", true),
            ("us-west", false),
            ("us-east-2", false),
            ("us-east-2/*", false),
            ("buck", false),
            ("stack", false),
            ("pl-pt99", false),
            ("pl-*-x", false),
            ("", false),
        ] {
            assert_eq!(selection(&[pattern], &[]).has(&bucket(), title), matched, "--only {pattern}");
            assert_eq!(selection(&[], &[pattern]).has(&bucket(), title), !matched, "--skip {pattern}");
        }
        assert!(Selection::default().has(&bucket(), title) && Selection::default().is_whole());
        assert!(!selection(&["us-west-2"], &["bucket"]).has(&bucket(), title), "what is skipped is never selected");
    }

    #[test]
    fn patterns_of_nothing_are_found() {
        let all = || [(bucket(), "bucket".to_owned())];
        let unknown = |selection: &Selection| {
            let all = all();
            let all = all.iter().map(|(id, title)| (id, title.clone()));
            selection.unknown(all).map(str::to_owned)
        };
        assert_eq!(unknown(&selection(&["us-west-2"], &["bucket"])), None);
        assert_eq!(unknown(&selection(&["us-west-2"], &["sever"])).as_deref(), Some("sever"));
    }

    fn plan() -> Plan {
        let step = |place: &str, kind: Kind, needs: &[NodeId]| Step {
            id: NodeId::new(place, kind),
            kind,
            title: kind.to_string(),
            change: Change::new(Action::Create, "new"),
            needs: needs.to_vec(),
        };
        let (role, stack) = (NodeId::new("global", Kind::UserRole), NodeId::new("a", Kind::Stack));
        let steps = vec![
            step("global", Kind::UserRole, &[]),
            step("a", Kind::Stack, std::slice::from_ref(&role)),
            step("a", Kind::Server, &[stack]),
            step("b", Kind::Stack, &[role]),
        ];
        Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps }
    }

    fn ids(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.id.as_str()).collect()
    }

    #[test]
    fn a_plan_is_divided_where_nothing_is_severed() {
        for (only, skip, chosen, left) in [
            (&[][..], &[][..], &["global/user-role", "a/stack", "a/server", "b/stack"][..], &[][..]),
            (&[], &["b"], &["global/user-role", "a/stack", "a/server"], &["b/stack"]),
            (&["global"], &[], &["global/user-role"], &["a/stack", "a/server", "b/stack"]),
            (&[], &["server"], &["global/user-role", "a/stack", "b/stack"], &["a/server"]),
            (&["x"], &[], &[], &["global/user-role", "a/stack", "a/server", "b/stack"]),
        ] {
            let (divided, rest) = selection(only, skip).divide(plan()).unwrap();
            assert_eq!((ids(&divided.steps), ids(&rest)), (chosen.to_vec(), left.to_vec()), "{only:?} {skip:?}");
        }
    }

    #[test]
    fn a_step_without_what_it_needs_is_refused_with_all_that_is_missing() {
        let severed = selection(&["a/server"], &[]).divide(plan()).unwrap_err();
        let missing: Vec<&str> = severed.missing().into_iter().map(NodeId::as_str).collect();
        assert_eq!(missing, ["a/stack", "global/user-role"]);
        let says = "what is selected needs a/stack, global/user-role, which would be left out";
        assert_eq!(severed.to_string(), says);
        assert!(selection(&[], &["user-role"]).divide(plan()).is_err());
        assert!(selection(&["a", "user-role"], &[]).divide(plan()).is_ok(), "with what is missing");
    }
}
