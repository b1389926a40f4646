//! AWS's rules for servers that are not in the model: between members, and with other resources of the account.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::store::{Server, State};
use super::{Context, policies, text};

/// Whether a name has the form of the API's `UserName`: `^[\w][\w@.-]{2,99}$`.
pub(crate) fn is_user_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (3..=100).contains(&name.len()) && name.starts_with(word) && name.chars().all(|c| word(c) || "@.-".contains(c))
}

/// Checks the input of CreateServer, before defaults are added.
pub(super) fn create(input: &Map<String, Value>) -> Result<(), ApiError> {
    let kind = text(input, "IdentityProviderType");
    if input.contains_key("IdentityProviderDetails") && matches!(kind, "" | "SERVICE_MANAGED") {
        return Err(ApiError::invalid("Must specify IdentityProviderType with IdentityProviderDetails"));
    }
    Ok(())
}

/// Checks that the server's state allows the update.
pub(super) fn may_update(server: &Server, input: &Map<String, Value>) -> Result<(), ApiError> {
    let state = server.state();
    if matches!(state, State::Starting | State::Stopping) {
        let what = format!("Server cannot be updated while it is in state {}", state.as_str());
        return Err(ApiError::conflict(what));
    }
    let name = "IpAddressType";
    let differs = input.get(name).is_some_and(|value| server.text(name) != value.as_str().unwrap_or_default());
    if differs && state != State::Offline {
        return Err(ApiError::conflict(format!("{name} can only be changed while the server is OFFLINE")));
    }
    Ok(())
}

/// Checks the complete settings of a server.
pub(super) fn whole(settings: &Map<String, Value>) -> Result<(), ApiError> {
    policies::check(text(settings, "SecurityPolicyName"))?;
    identity_provider(settings)?;
    endpoint(settings)?;
    protocols(settings)
}

fn identity_provider(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let none = Map::new();
    let details = settings.get("IdentityProviderDetails").and_then(Value::as_object).unwrap_or(&none);
    let kind = text(settings, "IdentityProviderType");
    let (needed, allowed): (&[&str], &[&str]) = match kind {
        "API_GATEWAY" => (&["Url", "InvocationRole"], &["Url", "InvocationRole", "SftpAuthenticationMethods"]),
        "AWS_LAMBDA" => (&["Function"], &["Function", "SftpAuthenticationMethods"]),
        "AWS_DIRECTORY_SERVICE" => (&["DirectoryId"], &["DirectoryId"]),
        _ => (&[], &[]),
    };
    for name in needed {
        if text(details, name).is_empty() {
            return Err(ApiError::invalid(format!("{name} is required for IdentityProviderType {kind}")));
        }
    }
    if let Some(name) = details.keys().find(|name| !allowed.contains(&name.as_str())) {
        return Err(ApiError::invalid(format!("{name} is not supported for IdentityProviderType {kind}")));
    }
    if kind == "API_GATEWAY" && !text(details, "Url").starts_with("https://") {
        return Err(ApiError::invalid("Url must be the https:// address of an API Gateway stage"));
    }
    Ok(())
}

fn endpoint(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let details = settings.get("EndpointDetails").and_then(Value::as_object);
    let member = |name| details.is_some_and(|details| !text(details, name).is_empty());
    match (text(settings, "EndpointType"), details) {
        ("PUBLIC", Some(_)) => Err(ApiError::invalid("EndpointDetails are not supported for EndpointType PUBLIC")),
        ("VPC", _) if !member("VpcId") => Err(ApiError::invalid("VpcId is required for EndpointType VPC")),
        ("VPC_ENDPOINT", _) if !member("VpcEndpointId") => {
            Err(ApiError::invalid("VpcEndpointId is required for EndpointType VPC_ENDPOINT"))
        }
        _ => Ok(()),
    }
}

fn protocols(settings: &Map<String, Value>) -> Result<(), ApiError> {
    let protocols: Vec<&str> =
        settings.get("Protocols").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (index, protocol) in protocols.iter().enumerate() {
        if protocols[..index].contains(protocol) {
            return Err(ApiError::invalid(format!("Protocols names {protocol} twice")));
        }
    }
    if protocols.contains(&"FTPS") && text(settings, "Certificate").is_empty() {
        return Err(ApiError::invalid("Certificate is required for protocol FTPS"));
    }
    if protocols.contains(&"FTP") && text(settings, "EndpointType") == "PUBLIC" {
        return Err(ApiError::invalid("EndpointType must be VPC or VPC_ENDPOINT for protocol FTP"));
    }
    let managed = text(settings, "IdentityProviderType") == "SERVICE_MANAGED";
    if managed && protocols.iter().any(|protocol| matches!(*protocol, "FTP" | "FTPS")) {
        return Err(ApiError::invalid(
            "IdentityProviderType SERVICE_MANAGED is not supported for protocols FTP and FTPS",
        ));
    }
    Ok(())
}

/// Checks that the destinations of structured logs are existing log groups of the same region and account.
pub(super) async fn log_groups(context: &Context<'_>, settings: &Map<String, Value>) -> Result<(), ApiError> {
    let destinations = settings.get("StructuredLogDestinations").and_then(Value::as_array);
    for destination in destinations.into_iter().flatten().filter_map(Value::as_str) {
        let fields: Vec<&str> = destination.split(':').collect();
        let name = match fields.as_slice() {
            ["arn", _, "logs", region, account, "log-group", name, "*"]
                if *region == context.place.region && *account == context.place.account =>
            {
                *name
            }
            _ => {
                let what = format!(
                    "StructuredLogDestinations must be arn:aws:logs:{}:{}:log-group:<name>:*, not {destination}",
                    context.place.region, context.place.account
                );
                return Err(ApiError::invalid(what));
            }
        };
        match context.neighbors.log_group_exists(&context.place, name).await {
            Ok(true) => {}
            Ok(false) => return Err(ApiError::invalid(format!("The log group {name} does not exist"))),
            Err(what) => return Err(ApiError::internal(format!("looking up the log group {name}: {what}"))),
        }
    }
    Ok(())
}
