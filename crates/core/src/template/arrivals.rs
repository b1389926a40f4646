//! The topic and the rules that tell of each arriving file, for each cluster of `files.notify`.

use serde_json::{Map, Value, json};

use super::prototype::Fitting;
use super::topics::subscription_id;
use super::{TemplateError, cluster_stem};
use crate::spec::arrivals::Arrivals;
use crate::spec::model::Environment;
use crate::spec::names;

const TOPIC: &str = "ArrivalsTopic";
const POLICY: &str = "ArrivalsTopicPolicy";
/// The logical IDs of subscriptions by mail begin so.
pub const SUBSCRIPTION: &str = "ArrivalsSubscription";
/// The logical IDs of the rules for uploads begin so.
pub const UPLOADS: &str = "ArrivedUploads";
const RENAMES: &str = "ArrivedRenames";

/// Replaces the prototypes by those of each cluster of the region that has the setting.
pub(super) fn repeat(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    let mut take = |id: &'static str| resources.remove(id).ok_or(TemplateError::Lacks(id));
    let (topic, policy, subscription) = (take(TOPIC)?, take(POLICY)?, take(SUBSCRIPTION)?);
    let rules = [(UPLOADS, take(UPLOADS)?, "uploads"), (RENAMES, take(RENAMES)?, "renames")];
    for (cluster, arrivals) in of_region(environment, region) {
        let stem = cluster_stem(environment, cluster);
        let own = format!("{TOPIC}{stem}");
        let to = match &arrivals.topic {
            Some(given) => json!(given),
            None => json!({ "Ref": own }),
        };
        let bucket = names::upload_bucket(environment, cluster);
        let one = Fitting { texts: &[("${UploadBucketName}", &bucket)], refs: &[(TOPIC, &to)], ids: &[], stem: &stem };
        let fitted = |prototype: &Value| one.value(prototype);
        for (id, rule, end) in &rules {
            let mut rule = fitted(rule);
            rule["Properties"]["Name"] = json!(names::arrival_rule(environment, cluster, end));
            resources.insert(format!("{id}{stem}"), rule);
        }
        if arrivals.topic.is_some() {
            continue;
        }
        let mut own_topic = topic.clone();
        own_topic["Properties"]["TopicName"] = json!(names::arrivals_topic(environment, cluster));
        resources.insert(own, own_topic);
        resources.insert(format!("{POLICY}{stem}"), fitted(&policy));
        for address in &arrivals.email {
            let mut one = fitted(&subscription);
            one["Properties"]["Endpoint"] = json!(address);
            resources.insert(subscription_id(&format!("{SUBSCRIPTION}{stem}"), address), one);
        }
    }
    Ok(())
}

/// The clusters of the region that have the setting.
pub(super) fn of_region<'a>(
    environment: &'a Environment,
    region: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Arrivals)> {
    environment.arrivals.iter().filter(move |(cluster, _)| environment.is_in(cluster, region))
}

#[cfg(test)]
mod tests {
    use super::super::{Code, own_topics, render};
    use super::*;
    use crate::spec;

    #[test]
    fn each_cluster_has_rules_and_a_topic_of_its_own_or_a_given_one() {
        let file = include_str!("../../../../environments/99.yaml");
        let more = "files: { notify: { 99-5: { email: [a@example.com] }, 99-4: { topic: \"arn:aws:sns:us-west-2:111111111111:x\" } } }";
        let environment = spec::load(&format!("{file}\n{more}\n"), "99.yaml").unwrap();
        let code = Code { bucket: "b".into(), key: "k".into() };
        let of = |region: &str| render(&environment, region, &code).unwrap().template;
        let west = of("us-west-2");
        let all = west["Resources"].as_object().unwrap();
        let topics: Vec<_> = all.iter().filter(|(_, one)| one["Type"] == "AWS::SNS::Topic").map(|(id, _)| id).collect();
        assert_eq!(topics, ["ArrivalsTopic99x2d5"]);
        assert_eq!(all["ArrivalsTopic99x2d5"]["Properties"]["TopicName"], "99-upload-99-5-arrivals");
        let arn = |id: &str| &all[id]["Properties"]["Targets"][0]["Arn"];
        assert_eq!(arn("ArrivedUploads99x2d5"), &json!({ "Ref": "ArrivalsTopic99x2d5" }));
        assert_eq!(arn("ArrivedRenames99x2d4"), "arn:aws:sns:us-west-2:111111111111:x");
        let rule = &all["ArrivedUploads99x2d5"]["Properties"];
        assert_eq!(rule["Name"], "99-upload-99-5-events-arrived-uploads");
        let prefix = &rule["EventPattern"]["detail"]["file-path"][0]["prefix"];
        assert_eq!(prefix["Fn::Sub"], "/pl-pt99-5-uploads/");
        let subscription =
            all.iter().find(|(id, _)| id.starts_with("ArrivalsSubscription99x2d5aexamplecom")).unwrap().1;
        assert_eq!(subscription["Properties"]["TopicArn"], json!({ "Ref": "ArrivalsTopic99x2d5" }));
        assert!(!west.to_string().contains("AWS::SQS"), "no queue is needed");
        // A server elsewhere tells the bucket's region, of these clusters alone.
        let east = of("us-east-2");
        let ids: Vec<_> =
            east["Resources"].as_object().unwrap().keys().filter(|id| id.starts_with("Forward")).collect();
        let expected = [
            "ForwardEventsRole",
            "ForwardRenameEvents99x2d4",
            "ForwardRenameEvents99x2d5",
            "ForwardUploadEvents99x2d4",
            "ForwardUploadEvents99x2d5",
        ];
        assert_eq!(ids, expected);
        let own = own_topics(&environment, "us-west-2");
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].arn, "arn:aws:sns:us-west-2:111111111111:99-upload-99-5-arrivals");
        assert_eq!(
            (&own[0].addresses[..], own_topics(&environment, "us-east-2").len()),
            (&["a@example.com".to_owned()][..], 0)
        );
    }
}
