//! The queue and the rules for the events of customers' files, for each cluster.

use serde_json::{Map, Value, json};

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
    let mut forwards_any = false;
    for (cluster, settings) in &environment.clusters {
        let is_own = settings.region == region;
        // Their topics are told by rules of their own.
        let is_told_elsewhere = !is_own && has_server && environment.arrivals.contains_key(cluster);
        if !(environment.files.events || is_told_elsewhere) || (!is_own && !has_server) {
            continue;
        }
        forwards_any |= !is_own;
        let one = Cluster { environment, cluster, region: &settings.region, stem: cluster_stem(environment, cluster) };
        for (id, prototype) in if is_own { &own } else { &forwards } {
            let mut resource = one.value(prototype);
            let name = one.name(id);
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

/// A cluster, in whose place the prototypes stand.
struct Cluster<'a> {
    environment: &'a Environment,
    cluster: &'a str,
    region: &'a str,
    stem: String,
}

impl Cluster<'_> {
    /// The logical ID of its resource.
    fn id(&self, prototype: &str) -> String {
        if prototype == ROLE { prototype.to_owned() } else { format!("{prototype}{}", self.stem) }
    }

    fn name(&self, prototype: &str) -> String {
        let queue = names::events_queue(self.environment, self.cluster);
        match prototype {
            "HistoryQueue" => names::history_queue(self.environment, self.cluster),
            "EventsDeadQueue" => names::events_dead_queue(self.environment, self.cluster),
            "UploadEvents" => format!("{queue}-uploads"),
            "RenameEvents" => format!("{queue}-renames"),
            "ObjectEvents" => format!("{queue}-objects"),
            "ForwardUploadEvents" => format!("{queue}-forward-uploads"),
            "ForwardRenameEvents" => format!("{queue}-forward-renames"),
            _ => queue,
        }
    }

    /// A prototype's value with the cluster's bucket, region and resources.
    fn value(&self, prototype: &Value) -> Value {
        let is_ours = |id: &str| OWN.contains(&id) || id == ROLE;
        match prototype {
            Value::String(text) => {
                let bucket = names::upload_bucket(self.environment, self.cluster);
                json!(text.replace("${UploadBucketName}", &bucket).replace("${EventsRegion}", self.region))
            }
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => match (fields.get("Ref"), fields.get("Fn::GetAtt")) {
                (Some(Value::String(id)), _) if is_ours(id) => json!({ "Ref": self.id(id) }),
                (_, Some(Value::Array(words))) if words[0].as_str().is_some_and(is_ours) => {
                    json!({ "Fn::GetAtt": [self.id(words[0].as_str().unwrap_or_default()), words[1]] })
                }
                _ => Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.value(value))).collect()),
            },
            other => other.clone(),
        }
    }
}
