//! Tags of servers. The ARN of any other resource is unknown here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::{Context, page, text};
use crate::place;

/// Maximum number of tags per resource.
const MAX_TAGS: usize = 50;
/// The tags with the prefix `aws:` that TagResource accepts from a user (user guide, "Working with custom hostnames").
const AWS_TAGS: [&str; 2] = ["aws:transfer:customHostname", "aws:transfer:route53HostedZoneId"];

/// Parses the tags of a request. A duplicate key is refused.
pub(super) fn parse(tags: Option<&Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut parsed = BTreeMap::new();
    for tag in tags.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let key = text(tag, "Key");
        if key.is_empty() {
            return Err(ApiError::invalid("A tag key must have at least one character"));
        }
        if key.starts_with("aws:") && !AWS_TAGS.contains(&key) {
            return Err(ApiError::invalid(format!("Tag key {key}: the prefix aws: is reserved")));
        }
        if parsed.insert(key.to_owned(), text(tag, "Value").to_owned()).is_some() {
            return Err(ApiError::invalid(format!("Duplicate tag key {key}")));
        }
    }
    Ok(parsed)
}

/// Refuses more tags than a resource can have.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MAX_TAGS {
        return Err(ApiError::invalid(format!("A resource can have at most {MAX_TAGS} tags")));
    }
    Ok(())
}

/// Refuses reserved keys: CreateServer is not documented to take those that TagResource takes.
pub(super) fn check_new(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    match tags.keys().find(|key| key.starts_with("aws:")) {
        Some(key) => Err(ApiError::invalid(format!("Tag key {key}: the prefix aws: is reserved"))),
        None => check(tags),
    }
}

/// The tags in the form of the API.
pub(super) fn to_json(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// Adds tags, and replaces the values of existing ones.
pub(super) fn tag(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    let tags = parse(input.get("Tags"))?;
    context.store.update(&context.place, &server(context, input)?, |server| {
        let mut all = server.tags.clone();
        all.extend(tags);
        check(&all)?;
        server.tags = all;
        Ok(())
    })
}

/// Removes tags. A key that the server does not have is not an error.
pub(super) fn untag(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    context.store.update(&context.place, &server(context, input)?, |server| {
        for key in input.get("TagKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            server.tags.remove(key);
        }
        Ok(())
    })
}

/// Lists tags. An unknown ARN is an invalid request, because the API reference lists no ResourceNotFoundException for
/// this operation.
pub(super) fn list(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let arn = text(input, "Arn");
    let found = server(context, input).and_then(|id| context.store.get(&context.place, &id));
    let server = found.map_err(|_| ApiError::invalid(format!("Unknown resource {arn}")))?;
    let (tags, next) = page(input, server.tags.into_iter().map(|(key, value)| (key.clone(), (key, value))))?;
    let mut answer = json!({ "Arn": arn });
    if !tags.is_empty() {
        answer["Tags"] = to_json(&tags.into_iter().collect());
    }
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// The ID of the server in the request's ARN.
fn server(context: &Context<'_>, input: &Map<String, Value>) -> Result<String, ApiError> {
    let arn = text(input, "Arn");
    let id = arn.rsplit('/').next().unwrap_or_default();
    if place::arn(&context.place, id) == arn { Ok(id.to_owned()) } else { Err(ApiError::unknown("Server", arn)) }
}
