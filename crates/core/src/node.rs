//! What planning needs to know of a resource. Pure.

use std::collections::BTreeMap;

use crate::kind::{Kind, NodeId};
use crate::model::{Action, Actual, Change, Live, Properties, compare};

/// The pure half of a resource: what it is called, what it waits for, what it should be. The comparison is written once,
/// here, for all kinds.
pub trait Node: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// Its name in plans and state.
    fn id(&self) -> &NodeId;

    /// What must be finished before it.
    fn needs(&self) -> Vec<NodeId>;

    /// What must be gone before it may go, besides everything that needs it. What is named here goes first even where this
    /// needs it.
    fn removed_after(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// A person's name for it: `stack 99-upload-us-west-2`.
    fn title(&self) -> String;

    /// What it should be. Pure.
    fn wanted(&self, actual: &Actual) -> Properties;

    /// What has to be done, `None` for nothing. Pure. Most kinds need no more than the comparison.
    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let Some(live) = live else {
            let properties = compare(&self.wanted(actual), &BTreeMap::new());
            return Some(Change { action: Action::Create, reason: None, properties });
        };
        let properties = compare(&self.wanted(actual), &live.properties);
        (!properties.is_empty()).then_some(Change { action: Action::Update, reason: None, properties })
    }

    /// Why no deployment may begin while it stands as it does, and what to do. Pure.
    fn refusal(&self, _live: &Live) -> Option<String> {
        None
    }

    /// Whether AWS has no client token for its creation and finds it by listing only: then what an earlier run may have
    /// made is looked for a while before it is made again.
    fn found_by_listing(&self) -> bool {
        false
    }
}
