//! Drift of a session's resources.

use futures_util::future::join_all;
use serde_json::Value;

use super::Session;
use crate::drift::model::{Drifted, Property, Report, Unseen};
use crate::drift::stack::{self, Looked};
use crate::observe::Observed;
use crate::resources::resource::{Kind, Owner, PropertyChange};

impl Session {
    /// Compares everything with the file, and what is in the stacks with what the stacks put there; and what
    /// belongs to no resource of the file, in the regions `also` too.
    pub async fn drift(&self, observed: &Observed, also: &[String]) -> Report {
        let mut report = Report {
            environment: self.environment.name.clone(),
            account: self.environment.account.clone(),
            seen: 0,
            drifted: Vec::new(),
            unseen: Vec::new(),
            unused_ignores: Vec::new(),
        };
        for resource in &self.resources {
            let id = resource.id();
            if let Some(error) = observed.unreadable.get(id) {
                report.unseen.push(Unseen::failed(id.to_string(), error));
                continue;
            }
            report.seen += 1;
            let live = observed.world.get(id).and_then(Option::as_ref);
            let exists = |before: bool, after: Value| Property {
                name: "exists".into(),
                before: before.into(),
                after,
                ignored: None,
            };
            let (how, properties) = match live {
                // A bucket has no step of its own while it is missing: the stack makes it.
                None => ("missing", vec![exists(true, false.into())]),
                Some(live) => match (&live.owner, resource.diff(Some(live), &observed.world)) {
                    (Owner::Foreign(what), _) => ("foreign", vec![exists(true, what.clone().into())]),
                    (Owner::Ours, None) => continue,
                    (Owner::Ours, Some(change)) if change.properties.is_empty() => {
                        ("changed", vec![exists(true, change.reason.unwrap_or_default().into())])
                    }
                    (Owner::Ours, Some(change)) => {
                        // What should be here hangs on something that could not be read.
                        let unknown = |p: &PropertyChange| {
                            p.after_node.as_ref().is_some_and(|node| observed.unreadable.contains_key(node))
                        };
                        let known: Vec<_> = change.properties.into_iter().filter(|p| !unknown(p)).map(turned).collect();
                        if known.is_empty() {
                            let why = "it hangs on something that could not be read";
                            report.unseen.push(Unseen::failed(id.to_string(), why));
                            continue;
                        }
                        ("changed", known)
                    }
                },
            };
            report.drifted.push(Drifted { resource: id.to_string(), title: resource.title(), how, properties });
        }
        let stacks = self.resources.iter().filter(|resource| resource.kind() == Kind::Stack).filter_map(|resource| {
            let live = observed.world.get(resource.id())?.as_ref()?;
            Some((resource.id().clone(), live))
        });
        let looks = stacks.map(|(id, live)| async move {
            let template = match self.aws.cloudformation(id.place()).template(&live.identity).await {
                Ok(body) => body.and_then(|body| serde_json::from_str::<Value>(&body).ok()).unwrap_or_default(),
                Err(error) => return Err(Unseen::failed(id.to_string(), error)),
            };
            let stack = Looked { node: id.as_str(), region: id.place(), arn: &live.identity, template: &template };
            Ok(stack::look(&self.aws, &stack).await)
        });
        for found in join_all(looks).await {
            match found {
                Ok(found) => {
                    report.seen += found.seen;
                    report.drifted.extend(found.drifted);
                    report.unseen.extend(found.unseen);
                }
                Err(unseen) => report.unseen.push(unseen),
            }
        }
        let (orphans, unseen) = self.orphans(&observed.world, also).await;
        report.drifted.extend(orphans.iter().map(super::orphans::told));
        report.unseen.extend(unseen);
        report.ignore(&self.environment.drift);
        report
    }
}

/// A plan goes from what is to what is wanted, drift the other way.
fn turned(change: PropertyChange) -> Property {
    let wanted = change.after.or_else(|| change.after_node.map(|node| format!("(known after {node})").into()));
    Property {
        name: change.name,
        before: wanted.unwrap_or_default(),
        after: change.before.unwrap_or_default(),
        ignored: None,
    }
}
