//! Order: what comes first on the way up and on the way down, and that there is no circle. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use crate::kind::NodeId;
use crate::resources::resource::Resource;

/// What each resource waits for.
pub type Edges = BTreeMap<NodeId, BTreeSet<NodeId>>;

/// The resources cannot be put in an order.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// Two resources of one name.
    #[error("two resources are called {0}")]
    Twice(NodeId),
    /// Each waits for the other.
    #[error("{0} waits for itself through what it needs")]
    Circle(NodeId),
}

/// What each waits for when everything is made. Needs outside of the set (a limited run) count as met.
pub fn upwards(resources: &[Arc<dyn Resource>]) -> Result<Edges, GraphError> {
    let mut edges = names(resources)?;
    let all: BTreeSet<NodeId> = edges.keys().cloned().collect();
    for resource in resources {
        let needs = resource.needs().into_iter().filter(|id| all.contains(id)).collect();
        edges.insert(resource.id().clone(), needs);
    }
    checked(edges)
}

/// What each waits for when everything goes: whatever needs it, and what it says itself must be gone before.
pub fn downwards(resources: &[Arc<dyn Resource>]) -> Result<Edges, GraphError> {
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

fn names(resources: &[Arc<dyn Resource>]) -> Result<Edges, GraphError> {
    let mut edges = Edges::new();
    for resource in resources {
        if edges.insert(resource.id().clone(), BTreeSet::new()).is_some() {
            return Err(GraphError::Twice(resource.id().clone()));
        }
    }
    Ok(edges)
}

fn checked(edges: Edges) -> Result<Edges, GraphError> {
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
    for (id, waits) in &edges {
        graph.add_node(id.as_str());
        for wait in waits {
            graph.add_edge(wait.as_str(), id.as_str(), ());
        }
    }
    match toposort(&graph, None) {
        Ok(_) => Ok(edges),
        Err(circle) => {
            let id = edges.keys().find(|id| id.as_str() == circle.node_id()).cloned();
            Err(GraphError::Circle(id.unwrap_or_else(|| NodeId::new("global", crate::kind::Kind::Table))))
        }
    }
}
