//! CloudWatch log groups.

use super::AwsError;
use super::error::{Call as _, OrMissing as _};

/// CloudWatch Logs of a region.
#[derive(Clone, Debug)]
pub struct Logs(pub(super) aws_sdk_cloudwatchlogs::Client);

impl Logs {
    /// Whether the group exists.
    pub async fn exists(&self, name: &str) -> Result<bool, AwsError> {
        let answer = self
            .0
            .describe_log_groups()
            .log_group_name_prefix(name)
            .send()
            .await
            .call("logs:DescribeLogGroups", name)?;
        Ok(answer.log_groups().iter().any(|group| group.log_group_name() == Some(name)))
    }

    /// Deletes the group; missing is fine.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.delete_log_group().log_group_name(name).send().await.call("logs:DeleteLogGroup", name);
        call.or_missing(&["ResourceNotFound"]).map(drop)
    }
}
