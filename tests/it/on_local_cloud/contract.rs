//! The contract that every kind of resource keeps, tested on the local cloud with the real resources. The engine's
//! tests check the same contract with an AWS in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sftpctl_core::kind::Kind;
use sftpctl_core::model::RemovalOptions;
use sftpctl_core::plan::planner;
use sftpctl_engine::desired::{self, History};
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::observe::observe;

use crate::drive::{self, environment, resources};
use crate::site::Site;

fn word(outcome: &sftpctl_core::events::Outcome) -> String {
    serde_json::to_value(outcome).unwrap()["outcome"].as_str().unwrap().to_owned()
}

/// The number of calls of each mutating operation.
fn mutations(calls: &Value) -> Vec<String> {
    let reads = ["Describe", "Get", "List", "Head", "Lookup"];
    let mut found = Vec::new();
    for call in calls["calls"].as_object().unwrap().keys() {
        let (_, operation) = call.split_once('.').unwrap();
        if !reads.iter().any(|read| operation.starts_with(read)) {
            found.push(call.clone());
        }
    }
    found
}

/// Every kind is created once even if it is requested again, does not differ afterwards, is unchanged by an old plan,
/// and can be deleted again after its deletion.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_keeps_the_contract_on_the_local_cloud() {
    let site = Site::new();
    // Creates the hosted zone, which exists beforehand on AWS.
    site.planned();
    let aws = Arc::new(site.aws_of("111111111111").await);
    let environment = environment();
    let all = resources(&environment);
    let nothing = observe(&aws, &all, &BTreeMap::new()).await.actual;
    let old_plan = planner::deploy("99", "111111111111", &all, &[], &nothing).unwrap();
    let first = drive::run(&aws, &all, old_plan.clone(), nothing.clone(), Task::Apply).await;
    for (id, outcome) in &first.outcomes {
        assert!(["changed", "unchanged"].contains(&word(outcome).as_str()), "{id}: {outcome:?}");
    }
    for resource in &all {
        let live = resource.read(&aws, None).await.unwrap();
        assert!(live.is_some(), "{} exists", resource.id());
        assert_eq!(resource.diff(live.as_ref(), &first.actual), None, "{}", resource.id());
    }

    // The old plan again, by a run without state: everything is found as wanted.
    site.aws(&["post", "/_sftpctl/calls/reset"]);
    let again = drive::run(&aws, &all, old_plan, nothing, Task::Apply).await;
    for (id, outcome) in &again.outcomes {
        assert_eq!(word(outcome), "unchanged", "{id}");
    }
    let counted: Value = serde_json::from_str(&site.aws(&["fetch", "/_sftpctl/calls"])).unwrap();
    assert_eq!(mutations(&counted), Vec::<String>::new(), "nothing is written");

    let mut going = all.clone();
    going.extend(desired::leftovers(&environment, &History::default()));
    let kinds: BTreeSet<Kind> = going.iter().map(|resource| resource.kind()).collect();
    assert_eq!(kinds, Kind::ALL.iter().copied().collect(), "every kind is among them");
    let before = observe(&aws, &going, &BTreeMap::new()).await.actual;
    let ended = drive::teardown(&aws, &going).await;
    let table = "us-west-2/table";
    for (id, outcome) in &ended.outcomes {
        // AWS keeps a table for a day after it was the source of a replica.
        let wanted = if id.as_str() == table { "later" } else { "deleted" };
        assert_eq!(word(outcome), wanted, "{id}: {outcome:?}");
    }
    let ended = drive::teardown(&aws, &going).await;
    let outcome = ended.outcomes.iter().find(|(id, _)| id.as_str() == table).map(|(_, outcome)| word(outcome));
    assert_eq!(outcome.as_deref(), Some("deleted"));
    for resource in &going {
        let Some(Some(live)) = before.get(resource.id()) else { continue };
        let options = RemovalOptions { delete_data: true, release_addresses: true };
        let again = resource.delete(&aws, "contract", live, options).await;
        assert!(again.is_ok(), "{} is gone and can be deleted again: {:?}", resource.id(), again.err());
        let read = resource.read(&aws, None).await.unwrap();
        assert_eq!(read, None, "{} is gone", resource.id());
    }
    assert_eq!(site.aws(&["left"]), json!([]).to_string());
}
