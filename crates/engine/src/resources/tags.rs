//! Our tags, and the owner of a resource according to its tags. Pure.

use serde_json::Value;
use sftpctl_aws::Tags;
use sftpctl_core::model::Owner;

use crate::resources::resource::ResourceError;

/// The tag with the environment that a resource belongs to.
pub(crate) const ENVIRONMENT: &str = "sftpctl:environment";

/// The tag with the journal's operation that created a resource, where AWS takes no client token.
pub(crate) const OPERATION: &str = "sftpctl:operation";

/// Name of the property that holds the tags.
pub(crate) const PROPERTY: &str = "tags";

/// The wanted tags as a property.
pub(super) fn wanted(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The live tags whose keys are wanted; other tags are not managed.
pub(super) fn live(live: &Tags, wanted: &Tags) -> Value {
    let known = live.iter().filter(|(key, _)| wanted.contains_key(*key));
    known.map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect::<serde_json::Map<_, _>>().into()
}

/// The owner according to the tags. `what` is the resource in the message.
pub(crate) fn owner(live: &Tags, wanted: &Tags, what: &str) -> Owner {
    match (live.get(ENVIRONMENT), wanted.get(ENVIRONMENT)) {
        (Some(have), Some(want)) if have == want => Owner::Ours,
        (Some(other), _) => Owner::Foreign(format!("{what} belongs to environment {other}")),
        (None, _) => Owner::Foreign(format!(
            "{what} exists without the tag {ENVIRONMENT}, so it does not belong to this environment"
        )),
    }
}

/// The tag that adopts a resource, unless it belongs to another environment. The other tags of the environment file are
/// not set here: the plan shows them like any other difference.
pub(super) fn adopting(live: &Tags, wanted: &Tags, what: &str) -> Result<Tags, ResourceError> {
    let Some(ours) = wanted.get(ENVIRONMENT) else { return Ok(Tags::new()) };
    match live.get(ENVIRONMENT) {
        Some(other) if other != ours => Err(ResourceError::Refused(format!(
            "{what} belongs to environment {other}; a resource of another environment is never adopted"
        ))),
        _ => Ok(Tags::from([(ENVIRONMENT.to_owned(), ours.clone())])),
    }
}
