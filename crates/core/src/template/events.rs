//! The queue and the rules for the events of customers' files, for each cluster.

use serde_json::{Map, Value, json};

use super::prototype::Fitting;
use super::{TemplateError, cluster_stem};
use crate::spec::model::Environment;
use crate::spec::names;

/// The prototypes of a cluster in its own region.
const OWN: [&str; 8] = [
    "EventsQueue",
    "EventsDeadQueue",
    "EventsQueuePolicy",
    "HistoryQueue",
    "HistoryQueuePolicy",
    "UploadEvents",
    "RenameEvents",
    "ObjectEvents",
];
/// Those of them for `files.history_events` alone, and the ID of the rules' target.
const HISTORY: [&str; 2] = ["HistoryQueue", "HistoryQueuePolicy"];
const HISTORY_TARGET: &str = "history";
/// The prototypes of a cluster in another region.
const FORWARDS: [&str; 2] = ["ForwardUploadEvents", "ForwardRenameEvents"];
/// One for all clusters of other regions.
const ROLE: &str = "ForwardEventsRole";

/// Replaces the prototypes: by the queue and the rules of each cluster of the region, and, where the region has a server,
/// by rules that send its events to the regions of the other clusters. Without `files.events`
/// by nothing but such rules for the clusters of `files.notify`.
pub(super) fn repeat(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    let mut take = |id: &'static str| resources.remove(id).ok_or(TemplateError::Lacks(id)).map(|found| (id, found));
    let own: Vec<_> = OWN.into_iter().map(&mut take).collect::<Result<_, _>>()?;
    let forwards: Vec<_> = FORWARDS.into_iter().map(&mut take).collect::<Result<_, _>>()?;
    let (role_id, role) = take(ROLE)?;
    let has_server = environment.regions.get(region).is_some_and(|region| region.server);
    let ids = [&OWN[..], &FORWARDS].concat();
    let mut forwards_any = false;
    for (cluster, settings) in &environment.clusters {
        let is_own = settings.region == region;
        // Their topics are told by rules of their own.
        let is_told_elsewhere = !is_own && has_server && environment.arrivals.contains_key(cluster);
        if !(environment.files.events || is_told_elsewhere) || (!is_own && !has_server) {
            continue;
        }
        forwards_any |= !is_own;
        let bucket = names::upload_bucket(environment, cluster);
        let one = Fitting {
            texts: &[("${UploadBucketName}", &bucket), ("${EventsRegion}", &settings.region)],
            refs: &[],
            ids: &ids,
            stem: &cluster_stem(environment, cluster),
        };
        for (id, prototype) in if is_own { &own } else { &forwards } {
            let mut resource = one.value(prototype);
            let name = name(environment, cluster, id);
            if !environment.files.history_events {
                if HISTORY.contains(id) {
                    continue;
                }
                if let Some(targets) = resource["Properties"]["Targets"].as_array_mut() {
                    targets.retain(|target| target["Id"] != HISTORY_TARGET);
                }
            }
            match prototype["Type"].as_str() {
                Some("AWS::SQS::Queue") => resource["Properties"]["QueueName"] = json!(name),
                Some("AWS::Events::Rule") => resource["Properties"]["Name"] = json!(name),
                _ => {}
            }
            resources.insert(one.id(id), resource);
        }
    }
    if forwards_any {
        resources.insert(role_id.to_owned(), role);
    }
    Ok(())
}

/// The name of the resource of a cluster for which a prototype stands, if it has one.
fn name(environment: &Environment, cluster: &str, prototype: &str) -> String {
    let queue = names::events_queue(environment, cluster);
    match prototype {
        "HistoryQueue" => names::history_queue(environment, cluster),
        "EventsDeadQueue" => names::events_dead_queue(environment, cluster),
        "UploadEvents" => format!("{queue}-uploads"),
        "RenameEvents" => format!("{queue}-renames"),
        "ObjectEvents" => format!("{queue}-objects"),
        "ForwardUploadEvents" => format!("{queue}-forward-uploads"),
        "ForwardRenameEvents" => format!("{queue}-forward-renames"),
        _ => queue,
    }
}
