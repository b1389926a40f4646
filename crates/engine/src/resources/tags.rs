//! Tags: which are ours, and whose a thing is. Pure.

use serde_json::Value;

use crate::resources::resource::ResourceError;
use sftpctl_aws::Tags;
use sftpctl_core::model::Owner;

/// The tag that says which environment a thing belongs to.
pub(crate) const ENVIRONMENT: &str = "sftpctl:environment";

/// The tag that says which operation of a journal made a thing that AWS has no client token for.
pub(crate) const OPERATION: &str = "sftpctl:operation";

/// The property that tags are.
pub(crate) const PROPERTY: &str = "tags";

/// The wanted tags as a property.
pub(super) fn wanted(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Of the tags that are there, those that we want to have a say in: others' tags are theirs.
pub(super) fn live(live: &Tags, wanted: &Tags) -> Value {
    let known = live.iter().filter(|(key, _)| wanted.contains_key(*key));
    known.map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect::<serde_json::Map<_, _>>().into()
}

/// Whose it is, by its tag. `what` names it in the sentence for a person.
pub(crate) fn owner(live: &Tags, wanted: &Tags, what: &str) -> Owner {
    match (live.get(ENVIRONMENT), wanted.get(ENVIRONMENT)) {
        (Some(have), Some(want)) if have == want => Owner::Ours,
        (Some(other), _) => Owner::Foreign(format!("{what} belongs to environment {other}")),
        (None, _) => Owner::Foreign(format!("{what} exists without the tag {ENVIRONMENT}, so it is not ours")),
    }
}

/// The same for a thing that state remembers under this very identity: it was ours, so that one whose tags somebody took
/// away is repaired. Another environment's tag is believed all the same.
pub(super) fn owner_known(live: &Tags, wanted: &Tags, what: &str, remembered: bool) -> Owner {
    if remembered && !live.contains_key(ENVIRONMENT) { Owner::Ours } else { owner(live, wanted, what) }
}

/// The tag that adopts a thing, unless it belongs to another environment. Only this one: what else the environment
/// file wants of tags is a difference like any other, and the plan shows it.
pub(super) fn adopting(live: &Tags, wanted: &Tags, what: &str) -> Result<Tags, ResourceError> {
    let Some(ours) = wanted.get(ENVIRONMENT) else { return Ok(Tags::new()) };
    match live.get(ENVIRONMENT) {
        Some(other) if other != ours => Err(ResourceError::Refused(format!(
            "{what} belongs to environment {other}; nothing is taken from another environment"
        ))),
        _ => Ok(Tags::from([(ENVIRONMENT.to_owned(), ours.clone())])),
    }
}
