//! Credentials of a role that is assumed before AWS is called. The SDK keeps them, and asks for new ones before they
//! expire.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use super::error::Call as _;

/// A role, and how it is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleToAssume {
    pub arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
    /// Without it AWS's default applies, one hour.
    pub duration: Option<Duration>,
}

/// The roles of an environment's calls.
#[derive(Clone, Debug, Default)]
pub struct RolesToAssume {
    /// For every call that [`Self::regions`] has no other role for, the global services' among them.
    pub role: Option<RoleToAssume>,
    /// By region, for the regional services' calls.
    pub regions: BTreeMap<String, RoleToAssume>,
}

/// Assumes a role with the caller's own credentials. The errors are of the type [`super::AwsError`].
#[derive(Debug)]
pub(super) struct AssumeRole {
    /// A client with the caller's own credentials.
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) role: RoleToAssume,
}

impl AssumeRole {
    async fn assumed(&self) -> Result<Credentials, CredentialsError> {
        let RoleToAssume { arn, external_id, session_name, duration } = &self.role;
        let seconds = duration.and_then(|duration| i32::try_from(duration.as_secs()).ok());
        let call = self.sts.assume_role().role_arn(arn).role_session_name(session_name);
        let call = call.set_external_id(external_id.clone()).set_duration_seconds(seconds).send().await;
        let answer = call.call("sts:AssumeRole", arn).map_err(CredentialsError::provider_error)?;
        let keys = answer.credentials().ok_or_else(|| CredentialsError::unhandled("AssumeRole returned no keys"))?;
        let expiry = SystemTime::try_from(*keys.expiration()).map_err(CredentialsError::unhandled)?;
        let (token, expiry) = (Some(keys.session_token().to_owned()), Some(expiry));
        Ok(Credentials::new(keys.access_key_id(), keys.secret_access_key(), token, expiry, "assume_role"))
    }
}

impl ProvideCredentials for AssumeRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assumed())
    }
}
