//! Who we are.

use super::error::Call as _;
use super::{Aws, AwsError};

/// The caller's identity.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The 12-digit account.
    pub account: String,
    /// ARN of the user or role session.
    pub arn: String,
}

impl Aws {
    /// `sts:GetCallerIdentity`.
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        let answer = self.sts().get_caller_identity().send().await.call("sts:GetCallerIdentity", "the caller")?;
        Ok(Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }
}

/// Credentials of a role session.
#[derive(Clone)]
pub struct SessionCredentials {
    /// The access key's id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token.
    pub token: String,
}

impl Aws {
    /// `sts:AssumeRole`.
    pub async fn assume_role(&self, role_arn: &str, session: &str) -> Result<SessionCredentials, AwsError> {
        let call = self.sts().assume_role().role_arn(role_arn).role_session_name(session).send().await;
        let answer = call.call("sts:AssumeRole", role_arn)?;
        let credentials = answer.credentials();
        Ok(SessionCredentials {
            access_key: credentials.map(|c| c.access_key_id().to_owned()).unwrap_or_default(),
            secret_key: credentials.map(|c| c.secret_access_key().to_owned()).unwrap_or_default(),
            token: credentials.map(|c| c.session_token().to_owned()).unwrap_or_default(),
        })
    }
}
