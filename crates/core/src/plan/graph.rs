//! The order of a deployment and of a teardown, and the check for cycles. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kind::NodeId;
use crate::node::Node;

/// The nodes that each node waits for.
pub type Edges = BTreeMap<NodeId, BTreeSet<NodeId>>;

/// The resources have no order.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    #[error("two resources have the name {0}")]
    Twice(NodeId),
    /// A resource depends on itself, directly or through others.
    #[error("{0} depends on itself")]
    Cycle(NodeId),
}

/// Dependencies of a deployment. Dependencies outside of the set (of a limited run) count as met.
pub fn upwards<N: Node + ?Sized>(resources: &[Arc<N>]) -> Result<Edges, GraphError> {
    let mut edges = names(resources)?;
    let all: BTreeSet<NodeId> = edges.keys().cloned().collect();
    for resource in resources {
        let needs = resource.needs().into_iter().filter(|id| all.contains(id)).collect();
        edges.insert(resource.id().clone(), needs);
    }
    checked(edges)
}

/// Dependencies of a teardown: each node waits for the nodes that need it, and for its own `removed_after`.
pub fn downwards<N: Node + ?Sized>(resources: &[Arc<N>]) -> Result<Edges, GraphError> {
    let mut edges = names(resources)?;
    for resource in resources {
        let id = resource.id();
        let own = resource.removed_after();
        for need in resource.needs().iter().filter(|need| !own.contains(need)) {
            if let Some(waits) = edges.get_mut(need) {
                waits.insert(id.clone());
            }
        }
        let present: Vec<_> = own.into_iter().filter(|other| edges.contains_key(other)).collect();
        edges.entry(id.clone()).or_default().extend(present);
    }
    checked(edges)
}

/// The resources in an order that respects the edges; resources that are ready together are sorted by place and name.
pub fn order(edges: &Edges) -> Vec<NodeId> {
    let mut done: BTreeSet<&NodeId> = BTreeSet::new();
    let mut order = Vec::new();
    while order.len() < edges.len() {
        let ready: Vec<&NodeId> = edges
            .iter()
            .filter(|(id, waits)| !done.contains(id) && waits.iter().all(|wait| done.contains(wait)))
            .map(|(id, _)| id)
            .collect();
        if ready.is_empty() {
            break;
        }
        done.extend(ready.iter().copied());
        order.extend(ready.into_iter().cloned());
    }
    order
}

fn names<N: Node + ?Sized>(resources: &[Arc<N>]) -> Result<Edges, GraphError> {
    let mut edges = Edges::new();
    for resource in resources {
        if edges.insert(resource.id().clone(), BTreeSet::new()).is_some() {
            return Err(GraphError::Twice(resource.id().clone()));
        }
    }
    Ok(edges)
}

/// Returns the edges if [`order`] places every resource.
fn checked(edges: Edges) -> Result<Edges, GraphError> {
    let placed: BTreeSet<NodeId> = order(&edges).into_iter().collect();
    match edges.keys().find(|id| !placed.contains(*id)) {
        None => Ok(edges),
        Some(waiting) => Err(GraphError::Cycle(on_cycle(&edges, &placed, waiting).clone())),
    }
}

/// A resource on the cycle that `waiting` waits for: each resource without a place waits for another one without a
/// place, so following them leads into the cycle within as many steps as there are resources.
fn on_cycle<'a>(edges: &'a Edges, placed: &BTreeSet<NodeId>, waiting: &'a NodeId) -> &'a NodeId {
    let next = |id: &NodeId| edges.get(id).and_then(|waits| waits.iter().find(|wait| !placed.contains(*wait)));
    (0..edges.len()).fold(waiting, |id, _| next(id).unwrap_or(id))
}
