//! The DNS zone that an environment expects in its account: on AWS it exists before any deployment, so the local cloud
//! creates it.

use std::path::Path;

use super::LocalError;
use super::control::{secret_key, status};
use sftpctl_aws::{Aws, ConnectOptions, SessionCredentials};

/// Creates the public hosted zone in this account of the local cloud in `dir`, unless it exists.
///
/// # Errors
/// The local cloud is not running, or refuses the call.
pub async fn ensure(dir: &Path, account: &str, zone: &str) -> Result<(), LocalError> {
    let status = status(dir).await?;
    let endpoint = status.endpoint.ok_or_else(|| LocalError::NotRunning { dir: status.dir.clone() })?;
    let aws = Aws::connect(ConnectOptions {
        profile: None,
        endpoint_url: Some(endpoint),
        local_account: Some(account.to_owned()),
        home_region: "us-east-1".to_owned(),
    })
    .await;
    let aws = aws.with_credentials(SessionCredentials::of_account(account, &secret_key(dir)?));
    let route53 = aws.route53();
    if route53.zones(zone).await?.is_empty() {
        route53.create_zone(zone).await?;
    }
    Ok(())
}
