//! Computes the steps of a run from the wanted state and the live state. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::graph::{self, Edges, GraphError};
use super::model::{Plan, Step, VERSION};
use crate::kind::NodeId;
use crate::model::{Action, Actual, Change, Live, Owner, Removal};
use crate::node::Node;

/// Plans a deployment. Resources that could not be read have a step too, which reads again and reports the error.
/// `retired` lists the resources to delete because they are no longer in the environment file.
pub fn deploy<N: Node + ?Sized>(
    environment: &str,
    account: &str,
    resources: &[Arc<N>],
    retired: &[Arc<N>],
    actual: &Actual,
) -> Result<(Plan, Edges), GraphError> {
    let mut edges = graph::upwards(resources)?;
    edges.extend(graph::downwards(retired)?);
    let all: Vec<_> = resources.iter().chain(retired).cloned().collect();
    let is_retired = |id: &NodeId| retired.iter().any(|resource| resource.id() == id);
    let change = |resource: &Arc<N>| match actual.get(resource.id()) {
        live if is_retired(resource.id()) => live
            .and_then(Option::as_ref)
            .map(|_| Change::new(Action::Delete, "it is no longer in the environment file")),
        Some(live) => resource.diff(live.as_ref(), actual),
        None => Some(Change::new(Action::Update, "it could not be read; the step reads it again")),
    };
    Ok((steps(environment, account, &all, &edges, change), edges))
}

/// Plans a teardown from the decision about each resource. Only existing resources have a step.
pub fn teardown<N: Node + ?Sized>(
    environment: &str,
    account: &str,
    resources: &[Arc<N>],
    removals: &[(NodeId, Removal)],
) -> Result<(Plan, Edges), GraphError> {
    let edges = graph::downwards(resources)?;
    let change = |resource: &Arc<N>| {
        let removal = removals.iter().find(|(id, _)| id == resource.id()).map(|(_, removal)| removal);
        match removal? {
            Removal::Delete => Some(Change { action: Action::Delete, reason: None, properties: Vec::new() }),
            Removal::Keep(reason) | Removal::Refuse(reason) => Some(Change::new(Action::Keep, reason.clone())),
            Removal::Leave => None,
        }
    };
    Ok((steps(environment, account, resources, &edges, change), edges))
}

fn steps<N: Node + ?Sized>(
    environment: &str,
    account: &str,
    resources: &[Arc<N>],
    edges: &Edges,
    change: impl Fn(&Arc<N>) -> Option<Change>,
) -> Plan {
    let by_id: BTreeMap<&NodeId, &Arc<N>> = resources.iter().map(|r| (r.id(), r)).collect();
    let mut steps: Vec<Step> = Vec::new();
    for id in graph::order(edges) {
        let Some(resource) = by_id.get(&id) else { continue };
        if let Some(change) = change(resource) {
            steps.push(Step {
                kind: resource.kind(),
                title: resource.title(),
                change,
                needs: edges.get(&id).into_iter().flatten().cloned().collect(),
                id,
            });
        }
    }
    let planned: BTreeSet<NodeId> = steps.iter().map(|step| step.id.clone()).collect();
    for step in &mut steps {
        step.needs.retain(|id| planned.contains(id));
    }
    Plan { version: VERSION, environment: environment.to_owned(), account: account.to_owned(), steps }
}

/// Foreign resources with our names, one sentence each. A deployment must not begin while there are any.
pub fn foreign(actual: &Actual) -> Vec<String> {
    actual
        .values()
        .flatten()
        .filter_map(|live: &Live| match &live.owner {
            Owner::Ours => None,
            Owner::Foreign(what) => Some(what.clone()),
        })
        .collect()
}
