//! Alarms: all their settings.

use super::{Answer, Wanted, to_template_names};
use sftpctl_aws::Aws;

/// The most that one `DescribeAlarms` call takes.
const AT_ONCE: usize = 100;

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        let names: Vec<&str> = some.iter().map(|alarm| alarm.id).collect();
        live.extend(aws.cloudwatch(region).alarms(&names).await?);
    }
    let find = |name: &str| live.iter().find(|alarm| alarm.alarm_name == name).map(to_template_names);
    Ok(wanted.iter().map(|alarm| find(alarm.id)).collect())
}
