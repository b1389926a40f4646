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
