//! Saved queries of CloudWatch Logs Insights. One call for each folder, which is the first part of their names.

use std::collections::BTreeSet;

use super::{Answer, Wanted, to_template_names};
use sftpctl_aws::Aws;

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    // Without a folder, all are read.
    let folder = |wanted: &Wanted<'_>| Some(wanted.text("Name")?.split_once('/')?.0.to_owned());
    let folders: BTreeSet<Option<String>> = wanted.iter().map(folder).collect();
    let mut live = Vec::new();
    for folder in folders {
        live.extend(aws.logs(region).saved_queries(folder.map(|name| format!("{name}/")).as_deref()).await?);
    }
    let find = |wanted: &Wanted<'_>| live.iter().find(|query| query.id == wanted.id).map(to_template_names);
    Ok(wanted.iter().map(find).collect())
}
