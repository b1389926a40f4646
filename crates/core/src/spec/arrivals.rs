//! `files.notify`: who is told of each arriving file, by cluster. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::topics;
use crate::yaml::Checker;

/// Who is told of the files that arrive in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// The ARN of a topic that is there; `None`: the stack has one.
    pub topic: Option<String>,
    /// Mail addresses of the stack's topic.
    pub email: Vec<String>,
}

/// By cluster.
pub(super) type Settings = BTreeMap<String, Spanned<Setting>>;

/// Who is told of the files that arrive in a cluster: `{}` makes a topic without subscribers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arrivals")]
pub(super) struct Setting {
    /// Mail addresses that get a mail for each file. Each must confirm it once.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    email: Vec<Spanned<String>>,
    /// ARN of an SNS topic in the cluster's region and the environment's account, in place of one in the stack. Its policy must let events.amazonaws.com
    /// publish.
    #[schemars(with = "Option<String>")]
    topic: Option<Spanned<String>>,
}

pub(super) fn check(
    checker: &mut Checker<'_>,
    settings: &Settings,
    (clusters, account): (&BTreeMap<String, Spanned<String>>, &str),
) {
    for (cluster, setting) in settings {
        let Some(region) = clusters.get(cluster) else {
            checker.key_fault(cluster, setting, format!("`{cluster}` is not among `clusters`"));
            continue;
        };
        let Setting { email, topic } = &setting.value;
        topics::emails(checker, email);
        if let Some(topic) = topic {
            topics::arn(checker, topic, &region.value);
            // EventBridge user guide, "Sending events to an AWS service in another account".
            if topic.value.split(':').nth(4).is_some_and(|other| other != account) {
                let message =
                    "EventBridge reaches a topic of another account only by a role, which sftpctl does not create";
                checker.fault(topic, message).hint =
                    Some(format!("name a topic of account {account}, and forward its messages"));
            }
            if let Some(address) = email.first() {
                checker
                    .fault(address, "addresses are subscribed to a topic of the stack, and `topic` names another")
                    .hint = Some(format!("subscribe them yourself to {}, or leave out `topic`", topic.value));
            }
        }
    }
}

/// Resources of a stack for a cluster of its region, at most, and whether it has rules elsewhere, too.
pub(super) fn resources(settings: &Settings, cluster: &str) -> (usize, bool) {
    let of = |setting: &Spanned<Setting>| match setting.value.topic {
        Some(_) => 2,
        None => 4 + setting.value.email.len(),
    };
    settings.get(cluster).map_or((0, false), |setting| (of(setting), true))
}

pub(super) fn fill(settings: Settings) -> BTreeMap<String, Arrivals> {
    let filled = |setting: Setting| Arrivals {
        topic: setting.topic.map(|topic| topic.value),
        email: topics::fill(setting.email),
    };
    settings.into_iter().map(|(cluster, setting)| (cluster, filled(setting.value))).collect()
}
