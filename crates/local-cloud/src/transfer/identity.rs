//! TestIdentityProvider: runs the log-in chain without an SFTP client.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::{Context, User, text};

pub(super) async fn test(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let id = text(input, "ServerId");
    let server = context.store.get(&context.place, id)?;
    if server.text("IdentityProviderType") == "SERVICE_MANAGED" {
        return Err(ApiError::invalid(
            "TestIdentityProvider is not supported for IdentityProviderType SERVICE_MANAGED",
        ));
    }
    let protocol = match text(input, "ServerProtocol") {
        "" => "SFTP",
        protocol => protocol,
    };
    let user = User {
        name: text(input, "UserName"),
        password: text(input, "UserPassword"),
        protocol,
        source_ip: match text(input, "SourceIp") {
            "" => "127.0.0.1",
            address => address,
        },
    };
    Ok(context.neighbors.test_identity_provider((&context.place, id, &server), &user).await)
}
