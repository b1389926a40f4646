//! Lets stacks and tables take as long as on AWS, by rewriting the answer that shows their state.
//!
//! MiniStack itself finishes at once. Only the answers that callers poll are rewritten: `StackStatus` in
//! DescribeStacks, `TableStatus` and `ReplicaStatus` in DescribeTable. With no delay set, nothing is rewritten.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::place::Place;

/// Operations that are still reported as in progress.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By account, region and stack name.
    stacks: Mutex<HashMap<(String, String, String), Stack>>,
    /// By account, region and table name.
    tables: Mutex<HashMap<(String, String, String), Instant>>,
    /// Stack by the ARN of its change set, for an ExecuteChangeSet that names only that.
    change_sets: Mutex<HashMap<String, String>>,
}

#[derive(Debug, Clone)]
struct Stack {
    until: Instant,
    /// The last answer that included a stack being deleted.
    last_seen: Option<String>,
}

/// `my-stack`, from itself or from `arn:aws:cloudformation:…:stack/my-stack/…`.
pub(super) fn stack_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":stack/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => name_or_arn,
    }
}

impl Pending {
    /// Records that a stack operation has begun.
    pub(super) fn stack_began(&self, place: &Place, stack: &str, takes: Duration, last_seen: Option<String>) {
        let stack_state = Stack { until: Instant::now() + takes, last_seen };
        lock(&self.stacks).insert(key(place, stack_name(stack)), stack_state);
    }

    /// Records which stack a change set is for.
    pub(super) fn record_change_set(&self, answer: &str) {
        if let (Some(id), Some(stack)) = (between(answer, "<Id>", "</Id>"), between(answer, "<StackId>", "</StackId>"))
        {
            lock(&self.change_sets).insert(id.to_owned(), stack.to_owned());
        }
    }

    /// The stack that a change set is for.
    pub(super) fn stack_of_change_set(&self, arn: &str) -> Option<String> {
        lock(&self.change_sets).get(arn).cloned()
    }

    /// Whether an answer of DescribeStacks may have to be changed.
    pub(super) fn any_stack(&self) -> bool {
        prune(&mut lock(&self.stacks), |stack| stack.until)
    }

    /// Whether an answer of DescribeTable may have to be changed.
    pub(super) fn any_table(&self) -> bool {
        prune(&mut lock(&self.tables), |until| *until)
    }

    /// The last answer that included a stack which is being deleted, with its status changed to DELETE_IN_PROGRESS.
    pub(super) fn deleting(&self, place: &Place, stack: &str) -> Option<String> {
        let stacks = lock(&self.stacks);
        let stack = stacks.get(&key(place, stack_name(stack))).filter(|stack| stack.until > Instant::now())?;
        let last_seen = stack.last_seen.clone()?;
        Some(rewrite_statuses(&last_seen, |_| Some("DELETE_IN_PROGRESS".to_owned())))
    }

    /// Rewrites DescribeStacks' answer so that each pending stack is in progress.
    pub(super) fn show_stacks(&self, place: &Place, xml: &str) -> String {
        let stacks = lock(&self.stacks);
        rewrite_statuses(xml, |name| {
            let under_way = stacks.get(&key(place, name)).is_some_and(|stack| stack.until > Instant::now());
            under_way.then(String::new)
        })
    }

    /// Records that the creation of a table, or of its replica in another region, has begun.
    pub(super) fn table_began(&self, place: &Place, table: &str, takes: Duration) {
        lock(&self.tables).insert(key(place, table), Instant::now() + takes);
    }

    /// Rewrites DescribeTable's answer so that the pending table, and its pending replicas, are being created.
    pub(super) fn show_table(&self, place: &Place, mut answer: Value) -> Value {
        let tables = lock(&self.tables);
        let under_way = |key| tables.get(&key).is_some_and(|until| *until > Instant::now());
        let table = &mut answer["Table"];
        let Some(name) = table["TableName"].as_str().map(str::to_owned) else {
            return answer;
        };
        if under_way(key(place, &name)) && table["TableStatus"] == "ACTIVE" {
            table["TableStatus"] = json!("CREATING");
        }
        let mut updating = false;
        for replica in table["Replicas"].as_array_mut().into_iter().flatten() {
            let region = replica["RegionName"].as_str().unwrap_or_default().to_owned();
            let there = Place { region, account: place.account.clone() };
            if there.region != place.region && under_way(key(&there, &name)) {
                replica["ReplicaStatus"] = json!("CREATING");
                updating = true;
            }
        }
        if updating && table["TableStatus"] == "ACTIVE" {
            table["TableStatus"] = json!("UPDATING");
        }
        answer
    }
}

fn key(place: &Place, name: &str) -> (String, String, String) {
    (place.account.clone(), place.region.clone(), name.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes finished entries. Returns whether any are left.
fn prune<K, V>(map: &mut HashMap<K, V>, until: impl Fn(&V) -> Instant) -> bool {
    let now = Instant::now();
    map.retain(|_, value| until(value) > now);
    !map.is_empty()
}

/// The text between `open` and `close`.
pub(super) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close)?.0)
}

/// Replaces the status of each stack for which `status` returns a text. An empty text stands for the current status,
/// but in progress.
fn rewrite_statuses(xml: &str, status: impl Fn(&str) -> Option<String>) -> String {
    let (open, close) = ("<StackStatus>", "</StackStatus>");
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    let mut name = None;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((now, after)) = after.split_once(close) else { break };
        // The name precedes the status, or else it is between this status and the next.
        let ahead = after.split(open).next().unwrap_or_default();
        name = last_between(before).or_else(|| between(ahead, "<StackName>", "</StackName>")).or(name);
        let shown = name.and_then(&status).map(|text| if text.is_empty() { in_progress(now) } else { text });
        out.push_str(before);
        out.push_str(open);
        out.push_str(shown.as_deref().unwrap_or(now));
        out.push_str(close);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn last_between(text: &str) -> Option<&str> {
    let (_, rest) = text.rsplit_once("<StackName>")?;
    Some(rest.split_once("</StackName>")?.0)
}

fn in_progress(status: &str) -> String {
    let stem = status.strip_suffix("_COMPLETE").or_else(|| status.strip_suffix("_FAILED"));
    stem.map_or_else(|| status.to_owned(), |stem| format!("{stem}_IN_PROGRESS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { account: "000000000000".to_owned(), region: "us-west-2".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn stack_is_in_progress_until_its_time() {
        let pending = Pending::default();
        let xml = "<member><StackName>a</StackName><StackStatus>CREATE_COMPLETE</StackStatus></member>\
                   <member><StackName>b</StackName><StackStatus>UPDATE_COMPLETE</StackStatus></member>";
        pending.stack_began(&place(), "arn:aws:cloudformation:us-west-2:1:stack/b/uuid", Duration::from_secs(5), None);
        assert!(pending.any_stack());
        assert_eq!(pending.show_stacks(&place(), xml), xml.replace("UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(pending.show_stacks(&place(), xml), xml);
        assert!(!pending.any_stack());
    }

    #[tokio::test(start_paused = true)]
    async fn pending_replica_sets_its_table_to_updating() {
        let pending = Pending::default();
        let there = Place { region: "us-east-1".to_owned(), ..place() };
        pending.table_began(&there, "t", Duration::from_secs(5));
        let answer = json!({ "Table": { "TableName": "t", "TableStatus": "ACTIVE", "Replicas": [
            { "RegionName": "us-east-1", "ReplicaStatus": "ACTIVE" },
            { "RegionName": "us-west-2", "ReplicaStatus": "ACTIVE" },
        ]}});
        let shown = pending.show_table(&place(), answer.clone());
        assert_eq!(shown["Table"]["TableStatus"], "UPDATING");
        assert_eq!(shown["Table"]["Replicas"][0]["ReplicaStatus"], "CREATING");
        assert_eq!(shown["Table"]["Replicas"][1]["ReplicaStatus"], "ACTIVE");
        assert_eq!(pending.show_table(&there, answer)["Table"]["TableStatus"], "CREATING");
    }
}
