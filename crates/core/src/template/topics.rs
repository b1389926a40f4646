//! The topics of SNS that a region's stack has.

use sha2::{Digest as _, Sha256};

use super::{alarms, arrivals};
use crate::hex;
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

/// The ARNs of the topics that `files.notify` names for the region's clusters.
pub fn given_topics(environment: &Environment, region: &str) -> Vec<String> {
    let mut all: Vec<String> =
        arrivals::of_region(environment, region).filter_map(|(_, arrivals)| arrivals.topic.clone()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The logical ID of a subscription, by which a plan shows whose it is. The digest distinguishes addresses that differ only in
/// characters that an ID cannot contain.
pub(super) fn subscription_id(prototype: &str, address: &str) -> String {
    let digest = hex::encode(&Sha256::digest(address.as_bytes()));
    let readable: String = address.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{prototype}{readable}{}", &digest[..6])
}
