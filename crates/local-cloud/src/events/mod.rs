//! The default event buses of EventBridge, for the events of services that the front answers itself. MiniStack has the
//! rules and queues; it does not take events of a service (`NotAuthorizedForSourceException`, as on AWS), so that they
//! are compared with the rules here, and delivered from here.

mod pattern;
mod transform;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::transform::Input;
use crate::front::{Upstream, uuid};
use crate::place::Place;

/// How long rules are remembered. On AWS, a change of a rule also takes effect after "a short period of time"
/// (EventBridge API reference, `PutRule`).
const REMEMBERED: Duration = Duration::from_secs(1);
/// Events that wait for their delivery. AWS promises none for the events of Transfer servers either.
const WAITING: usize = 10_000;
/// Buses that an event passes: from another region to the one of its rules.
const HOPS: usize = 2;

/// What a service tells.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) place: Place,
    /// `aws.transfer`.
    pub(crate) source: &'static str,
    /// `SFTP Server File Upload Completed`.
    pub(crate) detail_type: String,
    /// ARNs.
    pub(crate) resources: Vec<String>,
    pub(crate) detail: Value,
}

impl Event {
    /// The event as rules and targets see it.
    fn document(&self) -> Value {
        json!({
            "version": "0",
            "id": uuid(),
            "detail-type": self.detail_type,
            "source": self.source,
            "account": self.place.account,
            "time": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.place.region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

/// An enabled rule of a default bus.
#[derive(Clone)]
struct Rule {
    arn: String,
    pattern: Value,
    targets: Vec<Target>,
}

#[derive(Clone)]
struct Target {
    arn: String,
    has_role: bool,
    /// The form of the event that it asks for.
    input: Input,
}

/// Rules of buses, for a short time: anyone may name a bus that has none, and what is old makes room.
#[derive(Default)]
struct Remembered(HashMap<Place, (Instant, Vec<Rule>)>);

impl Remembered {
    fn get(&self, bus: &Place) -> Option<&[Rule]> {
        let (since, rules) = self.0.get(bus)?;
        (since.elapsed() < REMEMBERED).then_some(rules.as_slice())
    }

    fn insert(&mut self, bus: Place, rules: Vec<Rule>) {
        self.0.retain(|_, (since, _)| since.elapsed() < REMEMBERED);
        self.0.insert(bus, (Instant::now(), rules));
    }
}

pub(crate) struct Buses {
    upstream: Arc<Upstream>,
    sender: mpsc::Sender<Event>,
    receiver: Mutex<Option<mpsc::Receiver<Event>>>,
}

impl Buses {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { upstream, sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Puts an event on the default bus of its region. It is delivered after those before it.
    pub(crate) fn put(&self, event: Event) {
        if self.sender.try_send(event).is_err() {
            tracing::warn!("an event is lost: too many wait");
        }
    }

    /// Delivers events until this future is dropped.
    pub(crate) async fn deliver(&self) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut events) = receiver else { return std::future::pending().await };
        let mut remembered = Remembered::default();
        while let Some(event) = events.recv().await {
            let document = event.document();
            let mut buses = vec![event.place.clone()];
            for _ in 0..HOPS {
                let mut next = Vec::new();
                for bus in std::mem::take(&mut buses) {
                    if remembered.get(&bus).is_none() {
                        let rules = self.rules(&bus).await.unwrap_or_else(|error| {
                            tracing::warn!(error, "cannot read the rules of the event bus");
                            Vec::new()
                        });
                        remembered.insert(bus.clone(), rules);
                    }
                    let rules = remembered.get(&bus).unwrap_or_default();
                    next.extend(self.pass(&bus, rules, &document).await);
                }
                buses = next;
            }
        }
    }

    /// Gives an event to the targets of the rules that it fits. Returns the buses among them.
    async fn pass(&self, bus: &Place, rules: &[Rule], document: &Value) -> Vec<Place> {
        let mut buses = Vec::new();
        for rule in rules {
            match pattern::fits(&rule.pattern, document) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(rule = rule.arn, error, "cannot compare an event with the rule");
                    continue;
                }
            }
            for target in &rule.targets {
                match self.send(bus, rule, target, document).await {
                    Ok(Some(bus)) => buses.push(bus),
                    Ok(None) => tracing::info!(rule = rule.arn, target = target.arn, "event delivered"),
                    // On AWS only the metric FailedInvocations tells.
                    Err(error) => tracing::warn!(rule = rule.arn, target = target.arn, error, "event not delivered"),
                }
            }
        }
        buses
    }

    async fn send(&self, bus: &Place, rule: &Rule, target: &Target, document: &Value) -> Result<Option<Place>, String> {
        let words: Vec<&str> = target.arn.splitn(6, ':').collect();
        let [_, _, service, region, account, name] = words[..] else {
            return Err("the target is not an ARN".to_owned());
        };
        match service {
            "sqs" | "sns" if region != bus.region => Err("a target of another region".to_owned()),
            // It would need a role (user guide, "Sending events to an AWS service in another account").
            "sns" if account != bus.account => Err("a topic of another account".to_owned()),
            "sqs" => self.queue(bus, rule, name, &target.input.of(document)?).await.map(|()| None),
            "sns" => self.topic(bus, &target.arn, &target.input.of(document)?).await.map(|()| None),
            "events" if name == "event-bus/default" && account == bus.account => {
                // EventBridge assumes the role to put the event there (user guide, "Sending events between AWS
                // Regions").
                if !target.has_role {
                    return Err("a bus of another region needs a role".to_owned());
                }
                Ok(Some(Place { account: account.to_owned(), region: region.to_owned() }))
            }
            _ => Err("the local cloud delivers events to queues, topics and default buses only".to_owned()),
        }
    }

    async fn queue(&self, bus: &Place, rule: &Rule, name: &str, message: &str) -> Result<(), String> {
        let url = self.sqs(bus, "GetQueueUrl", &json!({ "QueueName": name })).await?["QueueUrl"].clone();
        let asked = json!({ "QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"] });
        let attributes = self.sqs(bus, "GetQueueAttributes", &asked).await?["Attributes"].clone();
        let queue = attributes["QueueArn"].as_str().unwrap_or_default();
        let by = [("aws:SourceArn", rule.arn.as_str()), ("aws:SourceAccount", bus.account.as_str())];
        permitted(attributes["Policy"].as_str(), ("sqs:SendMessage", queue), &bus.account, &by)?;
        let message = json!({ "QueueUrl": url, "MessageBody": message });
        self.sqs(bus, "SendMessage", &message).await.map(drop)
    }

    /// "You can't use Condition blocks in Amazon SNS topic policies for EventBridge" (EventBridge user guide, "Using
    /// resource-based policies for Amazon EventBridge"): the request has no keys, and conditions that want one are not
    /// met.
    async fn topic(&self, bus: &Place, topic: &str, message: &str) -> Result<(), String> {
        let attributes = self.sns(bus, &[("Action", "GetTopicAttributes"), ("TopicArn", topic)]).await?;
        let attribute = |name: &str| {
            let rest = attributes.split_once(&format!("<key>{name}</key><value>"))?.1;
            Some(transform::unescaped(rest.split_once("</value>")?.0))
        };
        // Its policy admits no service, and nobody can change it (SNS developer guide, "Enabling compatibility between
        // event sources from AWS services and encrypted topics").
        if attribute("KmsMasterKeyId").is_some_and(|key| key.ends_with("alias/aws/sns")) {
            return Err("the topic is encrypted with the key of SNS, which EventBridge may not use".to_owned());
        }
        let policy = attribute("Policy");
        permitted(policy.as_deref(), ("sns:Publish", topic), &bus.account, &[])?;
        self.sns(bus, &[("Action", "Publish"), ("TopicArn", topic), ("Message", message)]).await.map(drop)
    }

    async fn sns(&self, bus: &Place, form: &[(&str, &str)]) -> Result<String, String> {
        let pairs = form.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        let body = format!("{}&Version=2010-03-31", pairs.collect::<Vec<_>>().join("&"));
        let kind = "application/x-www-form-urlencoded";
        self.upstream.ask(&bus.account, &bus.region, "sns", None, kind, &body).await
    }

    async fn rules(&self, bus: &Place) -> Result<Vec<Rule>, String> {
        let mut rules = Vec::new();
        let listed = self.events(bus, "ListRules", &json!({ "EventBusName": "default" })).await?;
        for rule in listed["Rules"].as_array().into_iter().flatten() {
            // A schedule has no pattern.
            let (Some(name), Some(arn), Some(pattern), "ENABLED") = (
                rule["Name"].as_str(),
                rule["Arn"].as_str(),
                rule["EventPattern"].as_str(),
                rule["State"].as_str().unwrap_or_default(),
            ) else {
                continue;
            };
            let pattern = serde_json::from_str(pattern).map_err(|error| format!("{arn}: {error}"))?;
            let targets = self.events(bus, "ListTargetsByRule", &json!({ "Rule": name })).await?;
            let targets = targets["Targets"].as_array().into_iter().flatten().map(|target| Target {
                arn: target["Arn"].as_str().unwrap_or_default().to_owned(),
                has_role: target["RoleArn"].is_string(),
                input: Input::read(target),
            });
            rules.push(Rule { arn: arn.to_owned(), pattern, targets: targets.collect() });
        }
        Ok(rules)
    }

    async fn events(&self, bus: &Place, operation: &str, body: &Value) -> Result<Value, String> {
        self.ask(bus, "events", &format!("AWSEvents.{operation}"), "application/x-amz-json-1.1", body).await
    }

    async fn sqs(&self, bus: &Place, operation: &str, body: &Value) -> Result<Value, String> {
        self.ask(bus, "sqs", &format!("AmazonSQS.{operation}"), "application/x-amz-json-1.0", body).await
    }

    async fn ask(
        &self,
        place: &Place,
        service: &str,
        target: &str,
        kind: &'static str,
        body: &Value,
    ) -> Result<Value, String> {
        let body = body.to_string();
        let answer = self.upstream.ask(&place.account, &place.region, service, Some(target), kind, &body).await?;
        // SendMessage and others may answer with nothing.
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }
}

/// Whether the target's policy lets EventBridge do this, with these keys of the request: without it, AWS drops the
/// event.
fn permitted(
    policy: Option<&str>,
    (action, target): (&str, &str),
    account: &str,
    by: &[(&str, &str)],
) -> Result<(), String> {
    let policy = policy.ok_or("the target has no policy, so EventBridge may not send to it")?;
    let refused = |error: &dyn std::fmt::Display| format!("the target's policy does not let EventBridge send: {error}");
    let policy = Policy::parse(policy).map_err(|error| refused(&error))?.named("the target's policy");
    let caller = Caller::service("events.amazonaws.com").map_err(|error| refused(&error))?;
    let request = Request {
        caller: &caller,
        action,
        resource: target,
        resource_account: Some(account),
        context: by
            .iter()
            .chain(&[("aws:SecureTransport", "true")])
            .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
            .collect::<BTreeMap<_, _>>(),
    };
    match evaluate(&request, &[], None, Some(&policy)).map_err(|error| refused(&error))? {
        Decision::Allow { .. } => Ok(()),
        Decision::ImplicitDeny { by } | Decision::ExplicitDeny { by } => Err(refused(&by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rules_are_forgotten_and_take_no_room() {
        let bus = |number: u64| Place { account: "111111111111".to_owned(), region: format!("us-west-{number}") };
        let mut remembered = Remembered::default();
        for number in 0..1000 {
            remembered.insert(bus(number), Vec::new());
            tokio::time::advance(REMEMBERED / 10).await;
        }
        assert!(remembered.get(&bus(999)).is_some() && remembered.get(&bus(989)).is_none());
        assert!(remembered.0.len() <= 10, "{}", remembered.0.len());
    }

    #[test]
    fn a_queue_takes_what_its_policy_allows() {
        let (queue, rule) = ("arn:aws:sqs:us-west-2:111111111111:q", "arn:aws:events:us-west-2:111111111111:rule/r");
        let policy = |source: &str| {
            let policy = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": { "ArnEquals": { "aws:SourceArn": source } },
            }] });
            policy.to_string()
        };
        let takes = |policy: Option<&str>| {
            permitted(policy, ("sqs:SendMessage", queue), "111111111111", &[("aws:SourceArn", rule)])
        };
        assert_eq!(takes(Some(&policy(rule))), Ok(()));
        assert!(takes(Some(&policy(&format!("{rule}2")))).is_err());
        assert!(takes(None).is_err());
    }
}
