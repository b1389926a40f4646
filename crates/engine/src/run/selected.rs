//! A deployment of a part of the environment: what it plans, what it leaves out, and which servers are whole after it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::Actual;
use sftpctl_core::plan::graph::Edges;
use sftpctl_core::plan::model::{Plan, Step};

use super::Run;
use super::error::RunError;
use crate::observe::Observed;
use crate::resources::resource::Resource;

/// Names in an error, at most.
const MOST_NAMES: usize = 40;

/// What a deployment would do.
#[derive(Clone, Debug)]
pub struct Planned {
    pub plan: Plan,
    pub edges: Edges,
    /// The steps of the whole plan that are not selected.
    pub left_out: Vec<Step>,
}

impl Run {
    /// Checks that every pattern of the selection names something.
    pub(super) fn check_selection(&self) -> Result<(), RunError> {
        if self.selection.is_whole() {
            return Ok(());
        }
        let retired = self.retired();
        let all = || self.resources.iter().chain(&retired);
        let named = all().map(|resource| (resource.id(), resource.title()));
        match self.selection.unknown(named) {
            None => Ok(()),
            Some(pattern) => Err(RunError::UnknownName {
                environment: self.environment.name.clone(),
                pattern: pattern.to_owned(),
                known: known(all().map(|resource| resource.id())),
            }),
        }
    }

    /// Whether a resource of the environment is selected.
    pub(super) fn selects(&self, id: &NodeId) -> bool {
        let of_id = |resource: &&Arc<dyn Resource>| resource.id() == id;
        self.selection.is_whole()
            || self.resources.iter().find(of_id).is_some_and(|resource| self.selection.has(id, &resource.title()))
    }

    /// The resources that are selected, and everything that they need: what is wrong with others does not matter to
    /// this run.
    pub(super) fn concerned(&self) -> Vec<Arc<dyn Resource>> {
        if self.selection.is_whole() {
            return self.resources.clone();
        }
        let by_id: BTreeMap<&NodeId, &Arc<dyn Resource>> =
            self.resources.iter().map(|resource| (resource.id(), resource)).collect();
        let selected = self.resources.iter().filter(|one| self.selection.has(one.id(), &one.title()));
        let needs = |id: &NodeId| by_id.get(id).map(|resource| resource.needs()).unwrap_or_default();
        let concerned = with_needs(selected.map(|resource| resource.id().clone()), needs);
        self.resources.iter().filter(|resource| concerned.contains(resource.id())).cloned().collect()
    }

    /// What was read of the resources that this run is about.
    pub(super) fn concerning<'a>(&self, observed: &'a Observed) -> Cow<'a, Observed> {
        if self.selection.is_whole() {
            return Cow::Borrowed(observed);
        }
        let concerned: BTreeSet<NodeId> = self.concerned().iter().map(|resource| resource.id().clone()).collect();
        let mut seen = observed.clone();
        seen.actual.retain(|id, _| concerned.contains(id));
        seen.unreadable.retain(|id, _| concerned.contains(id));
        Cow::Owned(seen)
    }

    /// Resources that are not selected and differ from the environment file, or could not be read; in the order of
    /// their names.
    pub(super) fn left_out(&self, actual: &Actual) -> Vec<NodeId> {
        if self.selection.is_whole() {
            return Vec::new();
        }
        let is_left = |resource: &&Arc<dyn Resource>| !self.selection.has(resource.id(), &resource.title());
        let differs = |resource: &&Arc<dyn Resource>| match actual.get(resource.id()) {
            Some(live) => resource.diff(live.as_ref(), actual).is_some(),
            None => true,
        };
        let retired = self.retired();
        let exists = |resource: &&Arc<dyn Resource>| matches!(actual.get(resource.id()), Some(Some(_)));
        let changes = self.resources.iter().filter(is_left).filter(differs);
        let deletions = retired.iter().filter(is_left).filter(exists);
        let left: BTreeSet<NodeId> = changes.chain(deletions).map(|resource| resource.id().clone()).collect();
        left.into_iter().collect()
    }

    /// Regions of [`Run::served`] whose log-ins lack nothing of what was left out.
    pub fn whole_regions(&self, left_out: &[NodeId]) -> Vec<String> {
        let with_buckets: BTreeSet<&str> =
            self.environment.clusters.values().map(|cluster| cluster.region.as_str()).collect();
        self.served().into_iter().filter(|region| is_whole(region, &with_buckets, left_out)).collect()
    }
}

/// Whether customers can log in at a region's server and reach their files without what was left out. `with_buckets`:
/// the regions with the buckets of clusters, which customers reach from every server.
fn is_whole(region: &str, with_buckets: &BTreeSet<&str>, left_out: &[NodeId]) -> bool {
    !left_out.iter().any(|id| {
        let for_all = match id.kind() {
            Some(Kind::Table | Kind::UserRole | Kind::UserPolicy) => true,
            Some(Kind::Stack | Kind::Bucket) => with_buckets.contains(id.place()),
            _ => false,
        };
        id.place() == region || for_all
    })
}

/// Nodes, with everything that they need.
fn with_needs(from: impl Iterator<Item = NodeId>, needs: impl Fn(&NodeId) -> Vec<NodeId>) -> BTreeSet<NodeId> {
    let mut all = BTreeSet::new();
    let mut open: Vec<NodeId> = from.collect();
    while let Some(id) = open.pop() {
        open.extend(needs(&id).into_iter().filter(|need| !all.contains(need)));
        all.insert(id);
    }
    all
}

/// What can be named, for an error.
fn known<'a>(ids: impl Iterator<Item = &'a NodeId>) -> Vec<String> {
    let ids: BTreeSet<&NodeId> = ids.collect();
    let joined = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(", ");
    let places = ids.iter().map(|id| id.place()).collect();
    let kinds = ids.iter().filter_map(|id| Some(id.kind()?.word())).collect();
    let names: Vec<&str> = ids.iter().take(MOST_NAMES).map(|id| id.as_str()).collect();
    let more = match ids.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    vec![
        format!("its regions are {}", joined(places)),
        format!("its kinds are {}", joined(kinds)),
        format!("its resources are {}{more}", names.join(", ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> NodeId {
        text.parse().unwrap()
    }

    #[test]
    fn a_region_is_whole_without_what_its_log_ins_need() {
        for (left, whole) in [
            (&[][..], true),
            (&["b/stack", "global/record/x", "b/replica"][..], true),
            (&["c/server", "c/trigger"], true),
            (&["c/stack"], false),
            (&["c/bucket/x"], false),
            (&["a/stack"], false),
            (&["b/table"], false),
            (&["global/user-role"], false),
            (&["global/user-policy"], false),
        ] {
            let left: Vec<NodeId> = left.iter().map(|text| id(text)).collect();
            assert_eq!(is_whole("a", &["c"].into(), &left), whole, "{left:?}");
        }
    }

    #[test]
    fn needs_are_followed_to_their_end() {
        let needs = |of: &NodeId| match of.as_str() {
            "a/server" => vec![id("a/stack")],
            "a/stack" => vec![id("global/user-role"), id("a/package")],
            _ => Vec::new(),
        };
        let all = with_needs([id("a/server")].into_iter(), needs);
        assert_eq!(all, [id("a/package"), id("a/server"), id("a/stack"), id("global/user-role")].into());
    }

    #[test]
    fn an_error_lists_what_there_is_and_not_a_thousand_names() {
        let many: Vec<NodeId> = (0..43).map(|n| NodeId::named("a", Kind::Bucket, &format!("b{n:02}"))).collect();
        let lines = known(many.iter().chain([&id("global/user-role")]));
        assert_eq!(lines[0], "its regions are a, global");
        assert_eq!(lines[1], "its kinds are bucket, user-role");
        assert!(lines[2].starts_with("its resources are a/bucket/b00, ") && lines[2].ends_with(", and 4 more"));
    }
}
