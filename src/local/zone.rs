//! The DNS zone that an environment expects to find in its account: on AWS it is there before any deployment, so the
//! local cloud has it too.

use super::LocalError;
use crate::aws::{Aws, ConnectOptions};

/// Makes sure that the account of the local cloud has a public hosted zone of this name.
///
/// # Errors
/// The local cloud refuses.
pub async fn ensure(endpoint: &str, account: &str, zone: &str) -> Result<(), LocalError> {
    let aws = Aws::connect(ConnectOptions {
        profile: None,
        endpoint_url: Some(endpoint.to_owned()),
        local_account: Some(account.to_owned()),
        home_region: "us-east-1".to_owned(),
    })
    .await;
    let route53 = aws.route53();
    if route53.zones(zone).await?.is_empty() {
        route53.create_zone(zone).await?;
    }
    Ok(())
}
