//! Secrets Manager and Systems Manager's parameters: private host keys, and whether private PGP keys are there.

use secrecy::SecretString;

use super::error::{Call as _, OrMissing as _};
use super::{Aws, AwsError};

impl Aws {
    /// The text of a secret.
    pub async fn secret(&self, region: &str, name: &str) -> Result<Option<SecretString>, AwsError> {
        let call = self.secrets(region).get_secret_value().secret_id(name).send().await;
        let answer = call.call("secretsmanager:GetSecretValue", name).or_missing(&["ResourceNotFoundException"])?;
        Ok(answer.and_then(|answer| answer.secret_string).map(SecretString::from))
    }

    /// Whether a secret exists and is not about to be deleted. Its text is not read.
    pub async fn has_secret(&self, region: &str, name: &str) -> Result<bool, AwsError> {
        let call = self.secrets(region).describe_secret().secret_id(name).send().await;
        let answer = call.call("secretsmanager:DescribeSecret", name).or_missing(&["ResourceNotFoundException"])?;
        Ok(answer.is_some_and(|secret| secret.deleted_date.is_none()))
    }

    /// The text of a parameter, decrypted.
    pub async fn parameter(&self, region: &str, name: &str) -> Result<Option<SecretString>, AwsError> {
        let call = self.parameters(region).get_parameter().name(name).with_decryption(true).send().await;
        let answer = call.call("ssm:GetParameter", name).or_missing(&["ParameterNotFound"])?;
        Ok(answer.and_then(|answer| answer.parameter?.value).map(SecretString::from))
    }
}
