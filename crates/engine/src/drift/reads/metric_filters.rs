//! Metric filters. One call for each log group.

use super::{Answer, Wanted, distinct, to_template_names};
use sftpctl_aws::Aws;

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = Vec::new();
    for group in distinct(wanted, "LogGroupName") {
        live.extend(aws.logs(region).metric_filters(group).await?);
    }
    let find = |wanted: &Wanted<'_>| {
        let group = wanted.text("LogGroupName");
        live.iter()
            .find(|f| f.filter_name == wanted.id && Some(f.log_group_name.as_str()) == group)
            .map(to_template_names)
    };
    Ok(wanted.iter().map(find).collect())
}
