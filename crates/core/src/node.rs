//! The part of a resource that planning needs. Pure.

use std::collections::BTreeMap;

use crate::kind::{Kind, NodeId};
use crate::model::{Action, Actual, Change, Live, Properties, compare};

/// The change from the live to the wanted properties.
pub fn difference(wanted: &Properties, live: Option<&Live>) -> Option<Change> {
    let Some(live) = live else {
        let properties = compare(wanted, &BTreeMap::new());
        return Some(Change { action: Action::Create, reason: None, properties });
    };
    let properties = compare(wanted, &live.properties);
    (!properties.is_empty()).then_some(Change { action: Action::Update, reason: None, properties })
}

/// The pure half of a resource: its name, its dependencies and its wanted state. The comparison is the same for all
/// kinds.
pub trait Node: Send + Sync {
    fn kind(&self) -> Kind;

    fn id(&self) -> &NodeId;

    /// Nodes that must be finished before it.
    fn needs(&self) -> Vec<NodeId>;

    /// Nodes that must be removed before it, besides everything that needs it. They are removed first even if this node
    /// needs them.
    fn removed_after(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// The name in messages: `stack 99-upload-us-west-2`.
    fn title(&self) -> String;

    /// The wanted state. Pure.
    fn wanted(&self, actual: &Actual) -> Properties;

    /// The change that it needs, if any. Pure. The default, a comparison of properties, fits most kinds.
    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        difference(&self.wanted(actual), live)
    }

    /// The reason, if no deployment may begin while it is in this state, and what to do. Pure.
    fn refusal(&self, _live: &Live) -> Option<String> {
        None
    }

    /// Whether `import` may take over what exists under its name and is not ours. Pure.
    fn may_be_imported(&self, _live: &Live) -> bool {
        false
    }

    /// Whether its creation has no client token in AWS, so that it can only be found by listing. If an earlier run may
    /// have created it, it is then searched for a while before it is created again.
    fn found_by_listing(&self) -> bool {
        false
    }
}
