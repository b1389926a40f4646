//! The topics of SNS that a region's stack has.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::{alarms, arrivals};
use crate::hex;
use crate::spec::malware::{self, Topic};
use crate::spec::model::Environment;
use crate::spec::names;

/// A topic of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTopic {
    pub arn: String,
    /// The mail addresses that are subscribed to it.
    pub addresses: Vec<String>,
}

/// The topics that the region's stack has.
pub fn own_topics(environment: &Environment, region: &str) -> Vec<OwnTopic> {
    let alarms = alarms::own_topic(environment, region);
    let arn = names::alarm_topic_arn(environment, region);
    let alarms = alarms.map(|addresses| OwnTopic { arn, addresses: addresses.to_vec() });
    let arrivals = arrivals::of_region(environment, region).filter(|(_, arrivals)| arrivals.topic.is_none());
    let arrivals = arrivals.map(|(cluster, arrivals)| OwnTopic {
        arn: names::arrivals_topic_arn(environment, region, cluster),
        addresses: arrivals.email.clone(),
    });
    alarms.into_iter().chain(arrivals).collect()
}

/// The ARNs of the existing topics that EventBridge publishes to, by the rules of the region's stack: those that
/// `files.notify` names for its clusters, and that of its alarms, which is told of files with malware.
pub fn given_topics<'a>(environment: &'a Environment, region: &'a str) -> BTreeSet<&'a str> {
    let arrivals = arrivals::of_region(environment, region).filter_map(|(_, arrivals)| arrivals.topic.as_deref());
    let scans = environment.malware_scan.keys().any(|cluster| environment.is_in(cluster, region));
    let threats = malware::topic(environment, region).filter(|_| scans).and_then(|topic| match topic {
        Topic::Given(arn) => Some(arn),
        Topic::Own => None,
    });
    arrivals.chain(threats).collect()
}

/// The logical ID of a subscription, by which a plan shows whose it is. The digest distinguishes addresses that differ
/// only in characters that an ID cannot contain.
pub(super) fn subscription_id(prototype: &str, address: &str) -> String {
    let digest = hex::encode(&Sha256::digest(address.as_bytes()));
    let readable: String = address.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{prototype}{readable}{}", &digest[..6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    #[test]
    fn topics_of_others_are_those_that_rules_tell() {
        let of = |more: &str, region: &str| {
            let file = include_str!("../../../../environments/99.yaml");
            let environment = spec::load(&format!("{file}\n{more}\n"), "99.yaml").unwrap();
            given_topics(&environment, region).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let arn = |account: &str, name: &str| format!("arn:aws:sns:us-west-2:{account}:{name}");
        let (ops, orders) = (arn("111111111111", "ops"), arn("111111111111", "orders"));
        let alarms = format!("alarms: {{ topics: {{ us-west-2: \"{ops}\" }} }}");
        let notify = |topic: &str| format!("notify: {{ 99-5: {{ topic: \"{topic}\" }} }}");
        let scan = "malware_scan: { clusters: [99-4] }";
        let files = |settings: &[&str]| format!("files: {{ {} }}\n{alarms}", settings.join(", "));
        assert_eq!(of(&files(&[&notify(&orders), scan]), "us-west-2"), [ops.clone(), orders.clone()]);
        assert_eq!(of(&files(&[&notify(&ops), scan]), "us-west-2"), [ops]);
        // CloudWatch tells it alone.
        assert_eq!(of(&files(&[&notify(&orders)]), "us-west-2"), [orders]);
        assert_eq!(of(&files(&[scan]), "us-east-2"), Vec::<String>::new());
        let other = format!("alarms: {{ topics: {{ us-west-2: \"{}\" }} }}", arn("222222222222", "ops"));
        assert_eq!(of(&format!("files: {{ {scan} }}\n{other}"), "us-west-2"), Vec::<String>::new());
        let own = format!("files: {{ {scan} }}\nalarms: {{ email: [a@example.com] }}");
        assert_eq!(of(&own, "us-west-2"), Vec::<String>::new());
    }
}
