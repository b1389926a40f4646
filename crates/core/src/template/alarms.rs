//! The alarms that the environment file asks for, and the runbook in the text of every alarm.

use serde_json::{Map, Value, json};

use super::topics::subscription_id;
use super::{TemplateError, cluster_stem, logical_stem};
use crate::spec::model::Environment;
use crate::spec::names;

/// Parameters that no rendered template has: each alarm has its own values.
pub(super) const PARAMETERS: [&str; 5] =
    ["AlarmEmail", "NoCanaryPeriods", "NoLogInPeriods", "ReceivingRegion", "ReplicationThresholdMs"];
/// The topic that the stack of a region has, if the region is given none.
pub(super) const TOPIC: &str = "AlarmTopic";
pub(super) const TOPIC_POLICY: &str = "AlarmTopicPolicy";
const SUBSCRIPTION: &str = "AlarmSubscription";
/// Minutes of a period of the alarms on log-ins and canaries.
pub(crate) const PERIOD_MINUTES: u32 = 5;
/// Ends of the names of the alarms that every region has.
const OF_EVERY_REGION: [&str; 5] =
    ["authorizer-errors", "authorizer-throttles", "authorizer-duration", "faults", "api-5xx"];

/// Replaces the prototypes by the alarms that the region has, and puts the runbook into every alarm's text.
pub(super) fn repeat(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    let mut take = |id: &'static str| resources.remove(id).ok_or(TemplateError::Lacks(id));
    let (metric, mut no_log_ins) = (take("LogInsMetric")?, take("NoLogInsAlarm")?);
    let mut no_canary = take("NoCanaryAlarm")?;
    let (replication, dead_letters) = (take("ReplicationAlarm")?, take("DeadLettersAlarm")?);
    let (topic, topic_policy, subscription) = (take(TOPIC)?, take(TOPIC_POLICY)?, take(SUBSCRIPTION)?);
    if let Some(minutes) = no_log_in_minutes(environment, region) {
        no_log_ins["Properties"]["EvaluationPeriods"] = json!(minutes / PERIOD_MINUTES);
        resources.insert("LogInsMetric".to_owned(), metric);
        resources.insert("NoLogInsAlarm".to_owned(), no_log_ins);
    }
    if let Some(minutes) = no_canary_in_minutes(environment, region) {
        no_canary["Properties"]["EvaluationPeriods"] = json!(minutes / PERIOD_MINUTES);
        resources.insert("NoCanaryAlarm".to_owned(), no_canary);
    }
    for (receiving, threshold) in replicas(environment, region) {
        let mut alarm = replication.clone();
        let properties = &mut alarm["Properties"];
        properties["AlarmName"] = json!(name(environment, region, &format!("replication-{receiving}")));
        properties["AlarmDescription"] = json!(format!("Accounts reach {receiving} late"));
        properties["Dimensions"][1]["Value"] = json!(receiving);
        properties["Threshold"] = json!(threshold);
        resources.insert(format!("ReplicationAlarm{}", logical_stem(receiving)), alarm);
    }
    for cluster in queues(environment, region) {
        let mut alarm = dead_letters.clone();
        let properties = &mut alarm["Properties"];
        properties["AlarmName"] = json!(name(environment, region, &dead_letters_end(environment, cluster)));
        properties["Dimensions"][0]["Value"] = json!(names::events_dead_queue(environment, cluster));
        resources.insert(format!("DeadLettersAlarm{}", cluster_stem(environment, cluster)), alarm);
    }
    if let Some(addresses) = own_topic(environment, region) {
        for alarm in resources.values_mut().filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm") {
            alarm["Properties"]["AlarmActions"] = json!([{ "Ref": TOPIC }]);
        }
        resources.insert(TOPIC.to_owned(), topic);
        resources.insert(TOPIC_POLICY.to_owned(), topic_policy);
        for address in addresses {
            let mut one = subscription.clone();
            one["Properties"]["Endpoint"] = json!(address);
            resources.insert(subscription_id(SUBSCRIPTION, address), one);
        }
    }
    if let Some(runbook) = &environment.alarms.runbook {
        for alarm in resources.values_mut().filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm") {
            let text = alarm["Properties"]["AlarmDescription"].as_str().unwrap_or_default();
            alarm["Properties"]["AlarmDescription"] = json!(format!("{text}. What to do: {runbook}"));
        }
    }
    Ok(())
}

/// The mail addresses of the topic that the region's stack has for its alarms; `None` if it has none.
pub(super) fn own_topic<'a>(environment: &'a Environment, region: &str) -> Option<&'a [String]> {
    let alarms = &environment.alarms;
    alarms.email.as_deref().filter(|_| !alarms.topics.contains_key(region))
}

/// The names of a region's alarms.
pub fn alarms(environment: &Environment, region: &str) -> Vec<String> {
    let mut ends: Vec<String> = OF_EVERY_REGION.map(str::to_owned).into();
    ends.extend(no_log_in_minutes(environment, region).map(|_| "no-log-ins".to_owned()));
    ends.extend(no_canary_in_minutes(environment, region).map(|_| "no-canary".to_owned()));
    ends.extend(replicas(environment, region).map(|(receiving, _)| format!("replication-{receiving}")));
    ends.extend(queues(environment, region).map(|cluster| dead_letters_end(environment, cluster)));
    ends.iter().map(|end| name(environment, region, end)).collect()
}

/// The end of the name of the alarm for a cluster's dead letters.
fn dead_letters_end(environment: &Environment, cluster: &str) -> String {
    format!("dead-letters-{}", environment.origin(cluster))
}

fn name(environment: &Environment, region: &str, end: &str) -> String {
    format!("{}-{end}", names::resource_stem(environment, region))
}

/// Minutes without a log-in, where there is a server.
fn no_log_in_minutes(environment: &Environment, region: &str) -> Option<u32> {
    environment.alarms.no_log_in_minutes.filter(|_| has_server(environment, region))
}

/// Minutes without an admitted canary, where there is a server.
fn no_canary_in_minutes(environment: &Environment, region: &str) -> Option<u32> {
    environment.alarms.no_canary_in_minutes.filter(|_| has_server(environment, region))
}

fn has_server(environment: &Environment, region: &str) -> bool {
    environment.regions.get(region).is_some_and(|region| region.server)
}

/// The regions that the home region sends accounts to, with the milliseconds that they may take.
fn replicas<'a>(environment: &'a Environment, region: &str) -> impl Iterator<Item = (&'a String, u32)> {
    let threshold = environment.alarms.replication_ms.filter(|_| region == environment.home_region);
    let others = environment.table.regions.iter().filter(|other| **other != environment.home_region);
    threshold.into_iter().flat_map(move |threshold| others.clone().map(move |other| (other, threshold)))
}

/// The clusters of the region whose queue of dead letters is watched.
fn queues<'a>(environment: &'a Environment, region: &'a str) -> impl Iterator<Item = &'a String> {
    let is_watched = environment.files.events && environment.alarms.dead_letters;
    let of_region = environment.clusters.iter().filter(move |(_, cluster)| is_watched && cluster.region == region);
    of_region.map(|(cluster, _)| cluster)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Code, render};
    use super::*;
    use crate::spec;

    const ASKED: &str = "files: { events: true }\nalarms: { no_log_in_minutes: 60, \
                         no_canary_in_minutes: 90, replication_ms: 30000, dead_letters: true, \
                         runbook: \"https://wiki.example.com/sftp\" }\n";

    fn environment(more: &str) -> Environment {
        let file = format!("{}{more}", include_str!("../../../../environments/99.yaml"));
        spec::load(&file, "99.yaml").unwrap()
    }

    fn rendered(environment: &Environment, region: &str) -> Value {
        let code = Code { bucket: "b".into(), key: "k".into() };
        render(environment, region, &code).unwrap().template
    }

    /// The alarms of a rendered template, by name.
    fn of_template(environment: &Environment, region: &str) -> Vec<(String, Value)> {
        let template = rendered(environment, region);
        let resources = template["Resources"].as_object().unwrap().values();
        let alarms = resources.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm");
        let stem = names::resource_stem(environment, region);
        let name = |alarm: &Value| match &alarm["Properties"]["AlarmName"] {
            Value::String(name) => name.clone(),
            other => other["Fn::Sub"].as_str().unwrap().replace("${ResourceStem}", &stem),
        };
        alarms.map(|alarm| (name(alarm), alarm["Properties"].clone())).collect()
    }

    #[test]
    fn each_region_has_the_alarms_that_are_asked_for() {
        let (plain, asked) = (environment(""), environment(ASKED));
        for environment in [&plain, &asked] {
            for region in environment.regions.keys() {
                let have: BTreeSet<String> =
                    of_template(environment, region).into_iter().map(|(name, _)| name).collect();
                assert_eq!(have, alarms(environment, region).into_iter().collect(), "{region}");
            }
        }
        let ends = |region: &str| {
            let own: BTreeSet<String> = alarms(&plain, region).into_iter().collect();
            let stem = format!("99-upload-{region}-");
            let more = alarms(&asked, region).into_iter().filter(|name| !own.contains(name));
            more.map(|name| name.strip_prefix(&stem).unwrap().to_owned()).collect::<Vec<_>>()
        };
        let home = ends("us-west-2");
        assert_eq!(home[..4], ["no-log-ins", "no-canary", "replication-us-east-1", "replication-us-east-2"]);
        assert_eq!(
            home[4..].iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "dead-letters-99-0",
                "dead-letters-99-1",
                "dead-letters-99-2",
                "dead-letters-99-3",
                "dead-letters-99-4",
                "dead-letters-99-5"
            ]
        );
        assert_eq!(ends("us-east-2"), ["no-log-ins", "no-canary"]);
        assert_eq!(ends("us-east-1"), Vec::<String>::new(), "a region without a server has no log-ins");
    }

    #[test]
    fn a_region_without_a_topic_gets_one_with_its_subscribers() {
        let asked = environment(
            "alarms: { email: [b.c@example.com, bc@example.com], no_log_in_minutes: 60, \
             topics: { us-east-2: \"arn:aws:sns:us-east-2:111111111111:given\" } }\n",
        );
        let of_type = |template: &Value, kind: &str| {
            let resources = template["Resources"].as_object().unwrap().iter();
            let all = resources.filter(|(_, resource)| resource["Type"] == kind);
            all.map(|(id, resource)| (id.clone(), resource["Properties"].clone())).collect::<Vec<_>>()
        };
        let west = rendered(&asked, "us-west-2");
        let subscriptions = of_type(&west, "AWS::SNS::Subscription");
        let mut endpoints: Vec<_> = subscriptions.iter().map(|(_, one)| one["Endpoint"].as_str().unwrap()).collect();
        endpoints.sort_unstable();
        assert_eq!(endpoints, ["b.c@example.com", "bc@example.com"], "both, though their IDs begin alike");
        assert!(
            subscriptions.iter().all(|(id, _)| id.starts_with("AlarmSubscriptionbcexamplecom")),
            "{subscriptions:?}"
        );
        assert!(subscriptions.iter().all(|(_, one)| one["TopicArn"] == json!({ "Ref": TOPIC })));
        let alarms = of_type(&west, "AWS::CloudWatch::Alarm");
        assert_eq!(alarms.len(), 6);
        assert!(alarms.iter().all(|(_, alarm)| alarm["AlarmActions"] == json!([{ "Ref": TOPIC }])), "{alarms:?}");
        let (_, topic) = &of_type(&west, "AWS::SNS::Topic")[0];
        assert!(topic["Tags"].is_array(), "{topic}");
        let (_, policy) = &of_type(&west, "AWS::SNS::TopicPolicy")[0];
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        assert!(statements.iter().all(|statement| statement["Action"] == "sns:Publish"), "{statements:?}");
        assert_eq!(statements[1]["Condition"]["StringEquals"]["aws:SourceAccount"], json!({ "Ref": "AWS::AccountId" }));

        let given = rendered(&asked, "us-east-2");
        assert!(!given.to_string().contains("AWS::SNS"), "a given topic is enough");
        let alarms = of_type(&given, "AWS::CloudWatch::Alarm");
        assert!(alarms.iter().all(|(_, alarm)| alarm["AlarmActions"]["Fn::If"][0] == "HasAlarmTopic"));
        assert!(!rendered(&environment(""), "us-west-2").to_string().contains("AWS::SNS"), "nothing is asked for");
        let alone = rendered(&environment("alarms: { email: [] }\n"), "us-west-2");
        let counts =
            ["Topic", "TopicPolicy", "Subscription"].map(|kind| of_type(&alone, &format!("AWS::SNS::{kind}")).len());
        assert_eq!(counts, [1, 1, 0]);
    }

    #[test]
    fn thresholds_and_the_runbook_are_those_of_the_file() {
        let all = of_template(&environment(ASKED), "us-west-2");
        for (name, alarm) in &all {
            let text = alarm["AlarmDescription"].as_str().unwrap();
            assert!(text.ends_with(". What to do: https://wiki.example.com/sftp"), "{name}: {text}");
        }
        let find = |end: &str| &all.iter().find(|(name, _)| name.ends_with(end)).unwrap().1;
        assert_eq!(find("no-log-ins")["EvaluationPeriods"], 12);
        assert_eq!(find("no-canary")["EvaluationPeriods"], 18);
        assert_eq!(find("no-canary")["MetricName"], names::CANARY_METRIC);
        let namespace = find("no-canary")["Namespace"]["Fn::Sub"].as_str().unwrap();
        let of_region = names::metric_namespace(&environment(ASKED), "us-west-2");
        assert_eq!(namespace.replace("${ResourceStem}", "99-upload-us-west-2"), of_region);
        let replication = find("replication-us-east-1");
        assert_eq!(
            (&replication["Threshold"], &replication["Dimensions"][1]["Value"]),
            (&json!(30_000), &json!("us-east-1"))
        );
        let queue = find("dead-letters-99-5")["Dimensions"][0]["Value"].clone();
        assert_eq!(queue, "99-upload-99-5-events-dead");
        let template = rendered(&environment(ASKED), "us-west-2");
        for name in PARAMETERS {
            assert!(template["Parameters"].get(name).is_none(), "{name}");
        }
    }
}
