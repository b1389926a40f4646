//! Alarms: the whole setting.

use super::{Answer, Wanted, told};
use sftpctl_aws::Aws;

/// As many as one call takes.
const AT_ONCE: usize = 100;

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        let names: Vec<&str> = some.iter().map(|alarm| alarm.id).collect();
        live.extend(aws.cloudwatch(region).alarms(&names).await?);
    }
    let find = |name: &str| live.iter().find(|alarm| alarm.alarm_name == name).map(told);
    Ok(wanted.iter().map(|alarm| find(alarm.id)).collect())
}
