//! The caller's identity, and sessions of roles.

use super::error::Call as _;
use super::{Aws, AwsError};
use aws_config::retry::RetryConfig;
use aws_sdk_sts::operation::get_caller_identity::{GetCallerIdentityError, GetCallerIdentityOutput};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;

#[derive(Clone, Debug)]
pub struct Caller {
    /// The 12-digit account.
    pub account: String,
    /// ARN of the user or role session.
    pub arn: String,
}

impl Aws {
    /// The caller's identity. This is the first call of a run: if no server answers, it fails after seconds, while
    /// other calls retry for a minute.
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        for _ in 0..2 {
            match self.caller_with(RetryConfig::standard().with_max_attempts(3)).await {
                Err(error) if error.is_transient() => {}
                settled => return settled,
            }
        }
        match self.caller_with(RetryConfig::standard()).await {
            Err(error) if error.is_transient() && error.status.is_some() => {
                self.caller_with(RetryConfig::standard().with_max_attempts(8)).await
            }
            settled => settled,
        }
    }

    /// As [`Self::caller`], for each region with a role of its own.
    pub async fn regional_callers(&self) -> Result<Vec<Caller>, AwsError> {
        let mut callers = Vec::new();
        for sts in self.regional_sts() {
            callers.push(identity(sts.get_caller_identity().send().await)?);
        }
        Ok(callers)
    }

    /// The owner of the credentials that roles are assumed with.
    pub async fn own_caller(&self) -> Result<Caller, AwsError> {
        identity(self.own_sts().get_caller_identity().send().await)
    }

    async fn caller_with(&self, retry: RetryConfig) -> Result<Caller, AwsError> {
        let call = self.sts().get_caller_identity().customize();
        let call = call.config_override(aws_sdk_sts::config::Builder::new().retry_config(retry));
        identity(call.send().await)
    }
}

fn identity(
    answer: Result<GetCallerIdentityOutput, SdkError<GetCallerIdentityError, Response>>,
) -> Result<Caller, AwsError> {
    let answer = answer.call("sts:GetCallerIdentity", "the caller")?;
    Ok(Caller {
        account: answer.account().unwrap_or_default().to_owned(),
        arn: answer.arn().unwrap_or_default().to_owned(),
    })
}

/// Credentials of a role session.
#[derive(Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCredentials {
    pub access_key: String,
    pub secret_key: String,
    pub token: String,
}

impl SessionCredentials {
    /// The keys of an account of the local cloud, which are no session's.
    pub fn of_account(account: &str, secret_key: &str) -> Self {
        Self { access_key: account.to_owned(), secret_key: secret_key.to_owned(), token: String::new() }
    }
}

impl std::fmt::Debug for SessionCredentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl Aws {
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
