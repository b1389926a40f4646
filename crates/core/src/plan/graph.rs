//! Order: what comes first on the way up and on the way down, and that there is no circle. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kind::NodeId;
use crate::node::Node;

/// What each resource waits for.
pub type Edges = BTreeMap<NodeId, BTreeSet<NodeId>>;

/// The resources cannot be put in an order.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// Two resources of one name.
    #[error("two resources are called {0}")]
    Twice(NodeId),
    /// A resource that waits, through others, for itself.
    #[error("{0} depends on itself")]
    Cycle(NodeId),
}

/// What each waits for when everything is made. Needs outside of the set (a limited run) count as met.
pub fn upwards<N: Node + ?Sized>(resources: &[Arc<N>]) -> Result<Edges, GraphError> {
    let mut edges = names(resources)?;
    let all: BTreeSet<NodeId> = edges.keys().cloned().collect();
    for resource in resources {
        let needs = resource.needs().into_iter().filter(|id| all.contains(id)).collect();
        edges.insert(resource.id().clone(), needs);
    }
    checked(edges)
}

/// What each waits for when everything goes: whatever needs it, and what it says itself must be gone before.
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
        let there: Vec<_> = own.into_iter().filter(|other| edges.contains_key(other)).collect();
        edges.entry(id.clone()).or_default().extend(there);
    }
    checked(edges)
}

/// The resources in an order that respects the edges; among equals by place and name.
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

/// The edges, where [`order`] finds a place for every resource.
fn checked(edges: Edges) -> Result<Edges, GraphError> {
    let placed: BTreeSet<NodeId> = order(&edges).into_iter().collect();
    match edges.keys().find(|id| !placed.contains(*id)) {
        None => Ok(edges),
        Some(waiting) => Err(GraphError::Cycle(on_cycle(&edges, &placed, waiting).clone())),
    }
}

/// A resource on the cycle that `waiting` waits for: whatever has no place waits for something that has none, so that
/// following these leads into the cycle, and as many steps as there are resources lead once around.
fn on_cycle<'a>(edges: &'a Edges, placed: &BTreeSet<NodeId>, waiting: &'a NodeId) -> &'a NodeId {
    let next = |id: &NodeId| edges.get(id).and_then(|waits| waits.iter().find(|wait| !placed.contains(*wait)));
    (0..edges.len()).fold(waiting, |id, _| next(id).unwrap_or(id))
}
