//! Whether the mail addresses of the stacks' topics are confirmed. SNS sends nothing to one that is not, and tells nobody.

use sftpctl_aws::{Aws, SubscriptionFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::template::{OwnTopic, own_topics};

use super::Probe;
use super::subject::{Subject, unread};

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let environment = &subject.environment;
    let regions = environment.regions.keys().map(|region| (region.as_str(), own_topics(environment, region)));
    let with_addresses = regions.filter(|(_, topics)| topics.iter().any(|topic| !topic.addresses.is_empty()));
    let probe = |(region, topics)| Probe::new(&Definition::SUBSCRIPTIONS, Some(region), examine(aws, region, topics));
    with_addresses.map(probe).collect()
}

async fn examine(aws: &Aws, region: &str, topics: Vec<OwnTopic>) -> Check {
    let of = &Definition::SUBSCRIPTIONS;
    let mut found = Vec::new();
    for topic in topics {
        match aws.topics(region).subscriptions(&topic.arn).await {
            // The next deployment creates it.
            Ok(None) => {}
            Ok(Some(subscriptions)) => found.push((topic, subscriptions)),
            Err(error) => return unread(of, Some(region), &error),
        }
    }
    judge(region, &found)
}

/// SNS deletes what is not confirmed within two days (SNS developer guide, "Deleting an Amazon SNS topic and subscription"), and
/// everybody who has a mail can unsubscribe by the link in it.
fn judge(region: &str, topics: &[(OwnTopic, Vec<SubscriptionFacts>)]) -> Check {
    let of = &Definition::SUBSCRIPTIONS;
    if topics.is_empty() {
        return Check::skipped(of, Some(region), "the topics are not deployed yet");
    }
    let (mut pending, mut gone, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for (topic, subscriptions) in topics {
        for address in &topic.addresses {
            let mut of_address = subscriptions.iter().filter(|one| one.protocol == "email" && one.endpoint == *address);
            let is_confirmed = of_address.clone().any(|one| one.is_confirmed);
            if is_confirmed {
                continue;
            }
            let list = if of_address.next().is_some() { &mut pending } else { &mut gone };
            list.push(address.as_str());
            commands.push(format!(
                "aws sns subscribe --region {region} --topic-arn {} --protocol email --notification-endpoint {}",
                topic.arn,
                shell_word(address)
            ));
        }
    }
    for list in [&mut pending, &mut gone] {
        list.sort_unstable();
        list.dedup();
    }
    let mut evidence = Vec::new();
    if !pending.is_empty() {
        evidence.push(format!("not confirmed, and told nothing: {}", pending.join(", ")));
    }
    if !gone.is_empty() {
        evidence.push(format!("no longer subscribed: {}", gone.join(", ")));
    }
    if evidence.is_empty() {
        return Check::ok(of, Some(region), "all are confirmed");
    }
    let hint = format!(
        "each has to click the link in the mail \"AWS Notification - Subscription Confirmation\" within two days; this sends it \
         again: {}",
        commands.join("; ")
    );
    Check::warning(of, Some(region), evidence.join("; ")).hint(hint)
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn an_address_counts_when_it_is_confirmed() {
        let topic = || OwnTopic {
            arn: "arn:aws:sns:us-west-2:111111111111:99-upload-us-west-2-alarms".to_owned(),
            addresses: ["a@example.com", "b@example.com", "c@example.com"].map(str::to_owned).into(),
        };
        let facts = |protocol: &str, endpoint: &str, is_confirmed| SubscriptionFacts {
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            is_confirmed,
        };
        let of = |subscriptions: Vec<SubscriptionFacts>| judge("us-west-2", &[(topic(), subscriptions)]);
        let confirmed = || facts("email", "a@example.com", true);
        let check = of(vec![confirmed(), facts("email", "b@example.com", false), facts("sqs", "c@example.com", true)]);
        assert_eq!(check.status, Status::Warning);
        let expected = "not confirmed, and told nothing: b@example.com; no longer subscribed: c@example.com";
        assert_eq!(check.evidence, expected);
        let hint = check.hint.unwrap();
        assert_eq!(hint.matches("aws sns subscribe --region us-west-2 --topic-arn arn:aws:sns:us-west-2:").count(), 2);
        let all = of(vec![confirmed(), facts("email", "b@example.com", true), facts("email", "c@example.com", true)]);
        assert_eq!((all.status, all.hint), (Status::Ok, None));
        // A second subscription beside one that has expired.
        let twice = vec![confirmed(), confirmed(), facts("email", "b@example.com", false)];
        assert!(of(twice).evidence.contains("b@example.com"));
        assert_eq!(judge("us-west-2", &[]).status, Status::Skipped);
    }
}
