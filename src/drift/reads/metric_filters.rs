//! Metric filters: which log lines count, and as what. One call for each log group.

use super::{Answer, Wanted, distinct, told};
use crate::aws::Aws;

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = Vec::new();
    for group in distinct(wanted, "LogGroupName") {
        live.extend(aws.logs(region).metric_filters(group).await?);
    }
    let find = |wanted: &Wanted<'_>| {
        let group = wanted.text("LogGroupName");
        let found = live.iter().find(|f| f.filter_name == wanted.id && Some(f.log_group_name.as_str()) == group)?;
        let mut told = told(found);
        // The template may leave the name to CloudFormation; it is what this one was found by.
        if let Some(members) = told.as_object_mut() {
            members.remove("FilterName");
        }
        Some(told)
    };
    Ok(wanted.iter().map(find).collect())
}
