//! Drift of a run's resources.

use futures_util::future::join_all;
use serde_json::Value;
use sftpctl_aws::AwsError;
use sftpctl_core::kind::Kind;
use sftpctl_core::model::{Owner, PropertyChange};

use super::Run;
use crate::drift::model::{Drifted, Property, Report, Unseen};
use crate::drift::stack::{self, StackToCheck};
use crate::observe::Observed;

impl Run {
    /// Compares every resource with the environment file, compares the resources in the stacks with the stacks'
    /// templates, and searches for orphans, also in the regions `also`.
    pub async fn drift(&self, observed: &Observed, also: &[String]) -> Report {
        let mut report = Report {
            environment: self.environment.name.clone(),
            account: self.environment.account.clone(),
            seen: 0,
            drifted: Vec::new(),
            unseen: Vec::new(),
            unused_ignores: Vec::new(),
        };
        let unmanaged = self.unmanaged(observed).await;
        for (resource, unmanaged) in self.resources.iter().zip(unmanaged) {
            let id = resource.id();
            if let Some(error) = observed.unreadable.get(id) {
                report.unseen.push(Unseen::failed(id.to_string(), error));
                continue;
            }
            report.seen += 1;
            let live = observed.actual.get(id).and_then(Option::as_ref);
            let more = unmanaged.unwrap_or_else(|error| {
                report.unseen.push(Unseen::failed(id.to_string(), error));
                Vec::new()
            });
            let (how, mut properties) = match live {
                // A missing bucket has no step of its own: the stack creates it.
                None => ("missing", vec![Property::exists(true, false)]),
                Some(live) => match (&live.owner, resource.diff(Some(live), &observed.actual)) {
                    (Owner::Foreign(what), _) => ("foreign", vec![Property::exists(true, what.clone())]),
                    (Owner::Ours, None) if more.is_empty() => continue,
                    (Owner::Ours, None) => ("changed", Vec::new()),
                    (Owner::Ours, Some(change)) if change.properties.is_empty() => {
                        ("changed", vec![Property::exists(true, change.reason.unwrap_or_default())])
                    }
                    (Owner::Ours, Some(change)) => {
                        // The wanted value depends on a resource that could not be read.
                        let unknown = |p: &PropertyChange| {
                            p.after_node.as_ref().is_some_and(|node| observed.unreadable.contains_key(node))
                        };
                        let known: Vec<_> =
                            change.properties.into_iter().filter(|p| !unknown(p)).map(reversed).collect();
                        if known.is_empty() && more.is_empty() {
                            let why = "it depends on a resource that could not be read";
                            report.unseen.push(Unseen::failed(id.to_string(), why));
                            continue;
                        }
                        ("changed", known)
                    }
                },
            };
            properties.extend(more.into_iter().map(reversed));
            report.drifted.push(Drifted { resource: id.to_string(), title: resource.title(), how, properties });
        }
        let stacks = self.resources.iter().filter(|resource| resource.kind() == Kind::Stack).filter_map(|resource| {
            let live = observed.actual.get(resource.id())?.as_ref()?;
            Some((resource.id().clone(), live))
        });
        let comparisons = stacks.map(|(id, live)| async move {
            let body = self.aws.cloudformation(id.place()).template(&live.identity).await;
            let body = body.map_err(|error| Unseen::failed(id.to_string(), error))?.unwrap_or_default();
            let template: Value = serde_json::from_str(&body).map_err(|_| {
                Unseen::failed(id.to_string(), "its template was not written by sftpctl; `sftpctl deploy` restores it")
            })?;
            let (node, region, arn) = (id.as_str(), id.place(), live.identity.as_str());
            let stack = StackToCheck { node, region, arn, template: &template };
            Ok(stack::find_drift(&self.aws, &stack).await)
        });
        for found in join_all(comparisons).await {
            match found {
                Ok(found) => {
                    report.seen += found.seen;
                    report.drifted.extend(found.drifted);
                    report.unseen.extend(found.unseen);
                }
                Err(unseen) => report.unseen.push(unseen),
            }
        }
        let (orphans, unseen) = self.orphans(&observed.actual, also).await;
        report.drifted.extend(orphans.iter().map(super::strays::as_drift));
        report.unseen.extend(unseen);
        report.ignore(&self.environment.drift);
        report
    }

    /// Differences in properties that no run changes, for each resource.
    async fn unmanaged(&self, observed: &Observed) -> Vec<Result<Vec<PropertyChange>, AwsError>> {
        let reads = self.resources.iter().map(async |resource| {
            match observed.actual.get(resource.id()).and_then(Option::as_ref) {
                Some(live) if live.owner == Owner::Ours => resource.unmanaged(&self.aws, live).await,
                _ => Ok(Vec::new()),
            }
        });
        join_all(reads).await
    }
}

/// Swaps before and after: a plan changes AWS to match the environment file, and drift reports how AWS was changed.
fn reversed(change: PropertyChange) -> Property {
    let wanted = change.after.or_else(|| change.after_node.map(|node| format!("(known after {node})").into()));
    Property::new(change.name, wanted.unwrap_or_default(), change.before.unwrap_or_default())
}
