//! Which step waits for which, spelled out: the order that AWS requires, and nothing beyond it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sftpctl_core::kind::Kind;
use sftpctl_core::plan::graph::{self, Edges};
use sftpctl_engine::desired;
use sftpctl_engine::resources::resource::Resource;

use crate::drive::{environment, resources};

fn by_id(edges: &Edges) -> BTreeMap<&str, BTreeSet<&str>> {
    edges.iter().map(|(id, waits)| (id.as_str(), waits.iter().map(|wait| wait.as_str()).collect())).collect()
}

/// Everything that `id` waits for, directly or indirectly.
fn prerequisites<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, id: &str) -> BTreeSet<&'a str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut pending: Vec<&str> = edges[id].iter().copied().collect();
    while let Some(next) = pending.pop() {
        if found.insert(next) {
            pending.extend(&edges[next]);
        }
    }
    found
}

#[test]
fn deploy_order() {
    let all = resources(&environment());
    let edges = graph::upwards(&all).unwrap();
    let edges = by_id(&edges);
    for (id, waits) in [
        ("us-west-2/table", vec![]),
        ("us-east-1/replica", vec!["us-west-2/table"]),
        // AWS adds one replica at a time.
        ("us-east-2/replica", vec!["us-east-1/replica"]),
        ("global/user-role", vec![]),
        ("global/user-policy", vec!["global/user-role"]),
        // S3 refuses a bucket policy that names a role which does not exist.
        ("us-west-2/stack", vec!["global/user-role", "us-west-2/api-account", "us-west-2/package"]),
        ("us-west-2/bucket/pl-pt99-5-uploads", vec!["us-west-2/stack"]),
        ("us-west-2/trigger", vec!["us-west-2/stack"]),
        ("us-west-2/server", vec!["us-west-2/stack"]),
        // An endpoint in a VPC needs its addresses and its group.
        ("us-east-2/server", vec!["us-east-2/address/1", "us-east-2/security-group", "us-east-2/stack"]),
        ("us-east-2/server-id", vec!["us-east-2/server", "us-east-2/stack"]),
        ("global/record/99-uploads-us-east-2.xx.net", vec!["us-east-2/server"]),
    ] {
        assert_eq!(edges[id], waits.into_iter().collect(), "{id}");
    }
    // A server never waits for another region.
    let before = prerequisites(&edges, "us-east-2/server");
    assert!(before.iter().all(|id| id.starts_with("us-east-2/") || id.starts_with("global/")), "{before:?}");
}

#[test]
fn teardown_order() {
    let environment = environment();
    let mut all = resources(&environment);
    all.extend(desired::leftovers(&environment, &desired::History::default()));
    let edges = graph::downwards(&all).unwrap();
    let edges = by_id(&edges);
    let stacks = ["us-east-1/stack", "us-east-2/stack", "us-west-2/stack"];
    // The bucket policies in the stacks name the role; its own policy is detached first.
    assert_eq!(edges["global/user-role"], ["global/user-policy"].into_iter().chain(stacks).collect());
    for (id, before) in [
        ("us-west-2/stack", "us-west-2/server"),
        ("us-west-2/server", "global/record/99-uploads-us-west-2.xx.net"),
        ("us-east-2/address/1", "us-east-2/server"),
        ("us-east-2/security-group", "us-east-2/server"),
        ("us-west-2/bucket/pl-pt99-5-uploads", "us-west-2/stack"),
        ("us-west-2/package", "us-west-2/stack"),
        ("us-west-2/api-account", "us-west-2/stack"),
        ("us-west-2/log-group/aws/vendedlogs/transfer/99-upload-us-west-2", "us-west-2/stack"),
        ("us-west-2/table", "us-east-1/replica"),
        ("us-east-1/replica", "us-east-2/replica"),
    ] {
        assert!(edges[id].contains(before), "{id} waits for {before}: {:?}", edges[id]);
    }
    // The account table is deleted without waiting for a region, and no region waits for another.
    assert!(prerequisites(&edges, "us-west-2/stack").iter().all(|id| !id.starts_with("us-east")));
}

#[test]
fn single_region_run_includes_its_dependencies() {
    let limited = |regions: &[&str]| -> BTreeSet<String> {
        let regions = regions.iter().map(|&region| region.to_owned()).collect();
        desired::limited(resources(&environment()), &regions).iter().map(|r| r.id().to_string()).collect()
    };
    let east = limited(&["us-east-2"]);
    for id in [
        "us-west-2/table",
        "us-east-2/replica",
        "us-east-2/stack",
        "us-east-2/server",
        "global/user-role",
        "global/user-policy",
        "global/record/99-uploads-us-east-2.xx.net",
    ] {
        assert!(east.contains(id), "{id}: {east:?}");
    }
    let others: Vec<&String> =
        east.iter().filter(|id| !id.starts_with("us-east-2/") && !id.starts_with("global/")).collect();
    assert_eq!(others, ["us-west-2/table"]);
    assert!(!east.contains("global/record/99-uploads-us-west-2.xx.net"));

    // Every dependency is included, except the other replica, which comes first only because AWS adds one at a time.
    let kept: Vec<Arc<dyn Resource>> =
        desired::limited(resources(&environment()), &BTreeSet::from(["us-east-2".to_owned()]));
    let missing: BTreeSet<String> =
        kept.iter().flat_map(|r| r.needs()).map(|need| need.to_string()).filter(|need| !east.contains(need)).collect();
    assert_eq!(missing, BTreeSet::from(["us-east-1/replica".to_owned()]));
}

/// A kind that no environment gets would pass every other test.
#[test]
fn every_kind_is_desired() {
    let environment = environment();
    let mut all = resources(&environment);
    all.extend(desired::leftovers(&environment, &desired::History::default()));
    let kinds: BTreeSet<Kind> = all.iter().map(|resource| resource.kind()).collect();
    assert_eq!(kinds, Kind::ALL.iter().copied().collect());
}
