//! CloudWatch log groups.

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

/// CloudWatch Logs of a region.
#[derive(Clone, Debug)]
pub struct Logs(pub(super) aws_sdk_cloudwatchlogs::Client);

/// A log group as it is.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// Its ARN, as its tags are asked for.
    pub arn: String,
    /// Days that lines are kept; `None`: for ever, as in a group that a late line has made.
    pub retention: Option<i32>,
}

impl Logs {
    /// Whether the group exists.
    pub async fn exists(&self, name: &str) -> Result<bool, AwsError> {
        Ok(self.group(name).await?.is_some())
    }

    /// Reads a group.
    pub async fn group(&self, name: &str) -> Result<Option<GroupFacts>, AwsError> {
        let answer = self
            .0
            .describe_log_groups()
            .log_group_name_prefix(name)
            .send()
            .await
            .call("logs:DescribeLogGroups", name)?;
        let group = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name));
        Ok(group.map(|group| GroupFacts {
            // Only the older of the two ARNs ends in `:*`, which the calls for tags do not take.
            arn: group.log_group_arn().or(group.arn()).unwrap_or_default().trim_end_matches(":*").to_owned(),
            retention: group.retention_in_days(),
        }))
    }

    /// Tags of a group; none where it has gone meanwhile.
    pub async fn tags(&self, arn: &str) -> Result<Tags, AwsError> {
        let call = self.0.list_tags_for_resource().resource_arn(arn).send().await;
        let answer = call.call("logs:ListTagsForResource", arn).or_missing(&["ResourceNotFound"])?;
        Ok(answer.and_then(|answer| answer.tags).unwrap_or_default().into_iter().collect())
    }

    /// Deletes the group; missing is fine.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.delete_log_group().log_group_name(name).send().await.call("logs:DeleteLogGroup", name);
        call.or_missing(&["ResourceNotFound"]).map(drop)
    }
}
