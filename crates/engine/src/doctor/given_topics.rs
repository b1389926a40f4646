//! Whether EventBridge may publish to the existing topics that the stacks' rules name: of arriving files, and of files
//! with malware. Where it may not, nothing fails, and subscribers get no messages.

use std::collections::BTreeSet;

use sftpctl_aws::{Aws, TopicFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::template::given_topics;
use sftpctl_core::topic_policy::{Publishing, by_event_bridge};

use super::Probe;
use super::subject::{Subject, unread};

/// The key of SNS's own, whose policy no customer can change (SNS developer guide, "Managing Amazon SNS encryption keys
/// and costs").
const KEY_OF_SNS: &str = "alias/aws/sns";

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let environment = &subject.environment;
    let regions = environment.regions.keys().map(|region| (region.as_str(), given_topics(environment, region)));
    let with_topics = regions.filter(|(_, topics)| !topics.is_empty());
    let probe = |(region, topics)| Probe::new(&Definition::GIVEN_TOPICS, Some(region), examine(aws, region, topics));
    with_topics.map(probe).collect()
}

async fn examine(aws: &Aws, region: &str, topics: BTreeSet<&str>) -> Check {
    let mut found = Vec::new();
    for topic in topics {
        match aws.topics(region).topic(topic).await {
            Ok(facts) => found.push((topic, facts)),
            Err(error) => return unread(&Definition::GIVEN_TOPICS, Some(region), &error),
        }
    }
    judge(region, &found)
}

/// The worst of the topics decides.
fn judge(region: &str, topics: &[(&str, Option<TopicFacts>)]) -> Check {
    let of = &Definition::GIVEN_TOPICS;
    let refused = "so subscribers get no messages of files, and only the metric FailedInvocations of the rules says so";
    let mut unclear = None;
    for (topic, facts) in topics {
        let Some(facts) = facts else {
            let create = topic.rsplit(':').next().unwrap_or_default();
            return Check::warning(of, Some(region), format!("there is no topic {topic}, {refused}"))
                .hint(format!("aws sns create-topic --region {region} --name {}", shell_word(create)));
        };
        // By its name, or by its ARN.
        if facts.key.rsplit(':').next() == Some(KEY_OF_SNS) {
            let why = "is encrypted with SNS's own key, which EventBridge may not use";
            return Check::warning(of, Some(region), format!("{topic} {why}, {refused}")).hint(format!(
                "use a key of yours, whose policy allows events.amazonaws.com kms:Decrypt and kms:GenerateDataKey* \
                 (docs/pull.md), or none: aws sns set-topic-attributes --region {region} --topic-arn {topic} \
                 --attribute-name KmsMasterKeyId --attribute-value ''"
            ));
        }
        match by_event_bridge(&facts.policy, topic) {
            Publishing::Allowed => {}
            Publishing::Unclear => unclear = Some(topic),
            Publishing::Refused => {
                let why = "does not let EventBridge publish";
                return Check::warning(of, Some(region), format!("the policy of {topic} {why}, {refused}"))
                    .hint(statement(region, topic));
            }
        }
    }
    let Some(topic) = unclear else { return Check::ok(of, Some(region), "EventBridge may publish to them") };
    let why = "lets EventBridge publish under conditions that it may not meet";
    Check::unknown(of, Some(region), format!("the policy of {topic} {why}")).hint(format!(
        "upload a file, and see whether the topic's subscribers are told; otherwise leave out the conditions. {}",
        statement(region, topic)
    ))
}

/// What the policy lacks. `AddPermission` would do for accounts, but not for services.
fn statement(region: &str, topic: &str) -> String {
    format!(
        "add to the statements of its policy, without conditions, {{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\
         \"events.amazonaws.com\"}},\"Action\":\"sns:Publish\",\"Resource\":\"{topic}\"}}; the policy is: aws sns \
         get-topic-attributes --region {region} --topic-arn {topic} --query Attributes.Policy --output text"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sftpctl_core::check::Status;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-west-2:111111111111:arrivals";

    fn of(policy: Value, key: &str) -> Check {
        let facts = TopicFacts { policy, key: key.to_owned() };
        judge("us-west-2", &[(TOPIC, Some(facts))])
    }

    #[test]
    fn a_topic_that_is_told_nothing_is_named() {
        let allowing = |condition: Value| {
            json!({ "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sns:Publish",
                "Resource": TOPIC,
                "Condition": condition,
            }] })
        };
        assert_eq!(of(allowing(json!({})), "").status, Status::Ok);
        // Of a key of the customer's nothing is known.
        assert_eq!(of(allowing(json!({})), "alias/ours").status, Status::Ok);
        let conditional = of(allowing(json!({ "ArnLikeIfExists": { "aws:SourceArn": "arn:aws:events:*" } })), "");
        assert_eq!(conditional.status, Status::Unknown, "{conditional:?}");
        let of_account = allowing(json!({ "StringEquals": { "aws:SourceAccount": "111111111111" } }));
        let by_arn = format!("arn:aws:kms:us-west-2:111111111111:{KEY_OF_SNS}");
        for (check, words, hint) in [
            (of(json!({ "Statement": [] }), ""), "does not let EventBridge publish", "\"events.amazonaws.com\""),
            (of(of_account, ""), "does not let EventBridge publish", "without conditions"),
            (of(allowing(json!({})), KEY_OF_SNS), "encrypted with SNS's own key", "set-topic-attributes"),
            (of(allowing(json!({})), &by_arn), "encrypted with SNS's own key", "set-topic-attributes"),
            (judge("us-west-2", &[(TOPIC, None)]), "there is no topic", "create-topic"),
        ] {
            assert_eq!(check.status, Status::Warning);
            assert!(check.evidence.contains(words) && check.evidence.contains(TOPIC), "{}", check.evidence);
            assert!(check.hint.as_deref().is_some_and(|text| text.contains(hint)), "{:?}", check.hint);
        }
    }
}
