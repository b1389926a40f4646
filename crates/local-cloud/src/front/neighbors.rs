//! Gives the Transfer API access to the rest of the local cloud: log-ins and log groups.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Front;
use crate::login::{self, LoginAttempt};
use crate::place::Place;
use crate::transfer::{Neighbors, Server, User};

#[async_trait]
impl Neighbors for Front {
    async fn test_identity_provider(&self, (place, id, server): (&Place, &str, &Server), user: &User<'_>) -> Value {
        let User { name: username, password, protocol, source_ip } = *user;
        let attempt = LoginAttempt { username, password, protocol, source_ip };
        let identity = login::ask(&self.cloud, place, id, server, &attempt).await;
        json!({
            "Response": identity.response,
            "StatusCode": identity.status,
            "Message": identity.message,
            "Url": identity.url,
        })
    }

    async fn log_group_exists(&self, place: &Place, name: &str) -> Result<bool, String> {
        self.upstream.log_group_exists(place, name).await
    }
}
