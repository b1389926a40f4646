//! CloudWatch dashboards, which belong to no region.

use aws_sdk_cloudwatch::types::Tag;

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, CloudWatch, Tags};

/// The error of a dashboard that is not there: its code in the query protocol, and the name of its shape.
const MISSING: [&str; 2] = ["ResourceNotFound", "DashboardNotFoundError"];

#[derive(Clone, Debug)]
pub struct DashboardFacts {
    pub arn: String,
    /// JSON.
    pub body: String,
    pub tags: Tags,
}

impl CloudWatch {
    /// A dashboard by its name.
    ///
    /// # Errors
    /// AWS's.
    pub async fn dashboard(&self, name: &str) -> Result<Option<DashboardFacts>, AwsError> {
        let answer = self.0.get_dashboard().dashboard_name(name).send().await;
        let Some(answer) = answer.call("cloudwatch:GetDashboard", name).or_missing(&MISSING)? else { return Ok(None) };
        let arn = answer.dashboard_arn.unwrap_or_default();
        let tags = self.0.list_tags_for_resource().resource_arn(&arn).send().await;
        let Some(tags) = tags.call("cloudwatch:ListTagsForResource", name).or_missing(&MISSING)? else {
            return Ok(None);
        };
        let tags = tags.tags.unwrap_or_default().into_iter();
        let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
        Ok(Some(DashboardFacts { arn, body: answer.dashboard_body.unwrap_or_default(), tags }))
    }

    /// Creates a dashboard, or replaces its body. CloudWatch takes the tags only when it creates one.
    ///
    /// # Errors
    /// AWS's; CloudWatch names each fault of a body.
    pub async fn put_dashboard(&self, name: &str, body: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = self.0.put_dashboard().dashboard_name(name).dashboard_body(body).set_tags(Some(list(tags)));
        call.send().await.call("cloudwatch:PutDashboard", name)?;
        Ok(())
    }

    /// Adds tags to a dashboard.
    ///
    /// # Errors
    /// AWS's.
    pub async fn tag_dashboard(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = self.0.tag_resource().resource_arn(arn).set_tags(Some(list(tags)));
        call.send().await.call("cloudwatch:TagResource", arn)?;
        Ok(())
    }

    /// Deletes a dashboard, if it is there.
    ///
    /// # Errors
    /// AWS's.
    pub async fn delete_dashboard(&self, name: &str) -> Result<(), AwsError> {
        let answer = self.0.delete_dashboards().dashboard_names(name).send().await;
        answer.call("cloudwatch:DeleteDashboards", name).or_missing(&MISSING)?;
        Ok(())
    }
}

fn list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
