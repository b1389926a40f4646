//! The operations on servers: create, describe, list, update, start, stop, delete.
//!
//! Defaults and answers follow the Transfer Family API reference, `CreateServer` and `DescribedServer`.

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::host_key;
use super::store::{Server, State};
use super::{Context, endpoint, page, rules, tags, text, workflows};
use crate::place::arn;

/// CreateServer has no client token: two calls create two servers, as on AWS.
pub(super) async fn create(context: &Context<'_>, mut input: Map<String, Value>) -> Result<Value, ApiError> {
    let tags = tags::parse(input.remove("Tags").as_ref())?;
    tags::check_new(&tags)?;
    let given = input.remove("HostKey").and_then(|key| key.as_str().map(str::to_owned)).filter(|key| !key.is_empty());
    rules::create(&input)?;
    endpoint::may_create(&input)?;
    let mut settings = with_defaults(input);
    rules::whole(&settings)?;
    rules::log_groups(context, &settings).await?;
    workflows::check(context, &settings).await?;
    let security_groups = endpoint::create(context, &mut settings).await?;

    let id = format!("s-{:017x}", fastrand::u128(..) & 0xf_ffff_ffff_ffff_ffff);
    let host_keys = host_key::first(context, &id, given.as_deref())?;
    let mut server = Server::starting(settings, tags, host_keys, context.start_time);
    server.security_groups = security_groups;
    context.store.add(&context.place, &id, server)?;
    Ok(json!({ "ServerId": id }))
}

fn with_defaults(mut settings: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in [
        ("Domain", json!("S3")),
        ("EndpointType", json!("PUBLIC")),
        ("IdentityProviderType", json!("SERVICE_MANAGED")),
        ("IpAddressType", json!("IPV4")),
        ("Protocols", json!(["SFTP"])),
        ("SecurityPolicyName", json!("TransferSecurityPolicy-2024-01")),
    ] {
        settings.entry(name).or_insert(value);
    }
    let details = json!({ "PassiveIp": "AUTO", "SetStatOption": "DEFAULT", "TlsSessionResumptionMode": "ENFORCED" });
    merge(&mut settings, "ProtocolDetails", &details, false);
    if text(&settings, "Domain") == "S3" {
        let options = json!({ "DirectoryListingOptimization": "DISABLED" });
        merge(&mut settings, "S3StorageOptions", &options, false);
    }
    if matches!(text(&settings, "IdentityProviderType"), "API_GATEWAY" | "AWS_LAMBDA") {
        let methods = json!({ "SftpAuthenticationMethods": "PUBLIC_KEY_OR_PASSWORD" });
        merge(&mut settings, "IdentityProviderDetails", &methods, false);
    }
    if let Some(details) = settings.get_mut("WorkflowDetails").and_then(Value::as_object_mut) {
        // An empty list takes the workflow away.
        details.retain(|_, list| !is_empty(list));
    }
    settings.retain(|_, value| !is_empty(value));
    settings
}

/// Sets members of a structure. Existing members are kept unless `replace` is set.
fn merge(settings: &mut Map<String, Value>, name: &str, members: &Value, replace: bool) {
    let structure = settings.entry(name).or_insert_with(|| json!({}));
    if let (Some(structure), Some(members)) = (structure.as_object_mut(), members.as_object()) {
        for (name, value) in members {
            if replace || !structure.contains_key(name) {
                structure.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whether a value is an empty string, list or structure. AWS omits such members from its answers.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

pub(super) fn describe(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let id = text(input, "ServerId");
    let server = context.store.get(&context.place, id)?;
    let mut answer = server.settings.clone();
    answer.insert("Arn".to_owned(), json!(arn(&context.place, id)));
    answer.insert("ServerId".to_owned(), json!(id));
    answer.insert("State".to_owned(), json!(server.state().as_str()));
    answer.insert(
        "HostKeyFingerprint".to_owned(),
        json!(server.host_keys.first().map(|key| key.fingerprint.as_str()).unwrap_or_default()),
    );
    answer.insert("UserCount".to_owned(), json!(0));
    if !server.tags.is_empty() {
        answer.insert("Tags".to_owned(), tags::to_json(&server.tags));
    }
    Ok(json!({ "Server": answer }))
}

/// Lists servers in the order of their IDs.
pub(super) fn list(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let servers = context.store.list(&context.place);
    let (shown, next) = page(input, servers.into_iter().map(|(id, server)| (id.clone(), (id, server))))?;
    let servers: Vec<Value> = shown
        .into_iter()
        .map(|(id, server)| {
            let mut entry = Map::new();
            for name in ["Domain", "EndpointType", "IdentityProviderType", "LoggingRole"] {
                if let Some(value) = server.settings.get(name) {
                    entry.insert(name.to_owned(), value.clone());
                }
            }
            entry.insert("Arn".to_owned(), json!(arn(&context.place, &id)));
            entry.insert("State".to_owned(), json!(server.state().as_str()));
            entry.insert("UserCount".to_owned(), json!(0));
            entry.insert("ServerId".to_owned(), json!(id));
            Value::Object(entry)
        })
        .collect();
    let mut answer = json!({ "Servers": servers });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// Changes the settings in the input; the others are kept.
pub(super) async fn update(context: &Context<'_>, mut input: Map<String, Value>) -> Result<Value, ApiError> {
    let id = text(&input, "ServerId").to_owned();
    input.remove("ServerId");
    let given = input.remove("HostKey").and_then(|key| key.as_str().map(str::to_owned)).filter(|key| !key.is_empty());
    // Checked first, so that an unknown server is reported before a missing log group.
    context.store.get(&context.place, &id)?;
    rules::log_groups(context, &input).await?;
    workflows::check(context, &input).await?;
    let security_groups = endpoint::groups(context, &id, &mut input).await?;
    // Before the store is locked.
    let mut others = context.store.list(&context.place);
    others.remove(&id);
    context.store.update(&context.place, &id, |server| {
        rules::may_update(server, &input)?;
        endpoint::may_update(context, server, &others, &input)?;
        let mut settings = server.settings.clone();
        let other_provider =
            input.get("IdentityProviderType").is_some_and(|kind| settings.get("IdentityProviderType") != Some(kind));
        if other_provider {
            settings.remove("IdentityProviderDetails");
        }
        for (name, value) in &input {
            match name.as_str() {
                "ProtocolDetails"
                | "IdentityProviderDetails"
                | "EndpointDetails"
                | "S3StorageOptions"
                | "WorkflowDetails" => {
                    merge(&mut settings, name, value, true);
                }
                _ => {
                    settings.insert(name.clone(), value.clone());
                }
            }
        }
        if text(&settings, "EndpointType") == "PUBLIC" && !input.contains_key("EndpointDetails") {
            settings.remove("EndpointDetails");
        }
        let mut settings = with_defaults(settings);
        rules::whole(&settings)?;
        if endpoint::settle(&mut settings) {
            server.begin_endpoint(context.start_time);
            server.security_groups.clone_from(&security_groups);
        }
        if text(&settings, "EndpointType") == "PUBLIC" {
            server.security_groups.clear();
        }
        server.settings = settings;
        if let Some(given) = &given {
            server.host_keys = host_key::first(context, &id, Some(given))?;
        }
        Ok(())
    })?;
    Ok(json!({ "ServerId": id }))
}

/// Has no effect on a server that is ONLINE or STARTING.
pub(super) fn start(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    turn(context, input, State::Offline, State::Starting, State::Stopping)
}

/// Has no effect on a server that is OFFLINE or STOPPING.
pub(super) fn stop(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    turn(context, input, State::Online, State::Stopping, State::Starting)
}

fn turn(
    context: &Context<'_>,
    input: &Map<String, Value>,
    from: State,
    to: State,
    refused: State,
) -> Result<(), ApiError> {
    context.store.update(&context.place, text(input, "ServerId"), |server| {
        let state = server.state();
        if state == refused {
            // The API reference lists no ConflictException for these two operations.
            return Err(ApiError::invalid(format!("Server is in an invalid state: {}", state.as_str())));
        }
        if state == from {
            server.begin(to, context.start_time);
        }
        Ok(())
    })
}

/// Deletes a server in any state.
pub(super) fn delete(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    let id = text(input, "ServerId");
    context.store.remove(&context.place, id)?;
    context.keys.forget_all(id);
    Ok(())
}
