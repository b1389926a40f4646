//! `dns alias`: customers' host names in a zone that refuses what Route 53 refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::Value;
use sftpctl_aws::{RecordChange, RecordFacts, Route53};

use super::faults::front;
use crate::site::{Running, Site, shown, until};

const WEST: &str = "99-uploads-us-west-2.xx.net";
const OLD: &str = "old.example.com";
const CHANGE: &str = "route53.ChangeResourceRecordSets";

/// `sftpctl dns alias …` for environment 99.
fn alias<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["dns", "alias"], arguments, &["--env", "99", "--local"]].concat()
}

/// `sftpctl dns alias move … --from old.example.com`.
fn cut_over<'a>(more: &[&'a str]) -> Vec<&'a str> {
    alias(&[&["move", "--from", OLD, "--region", "us-west-2", "--yes"], more].concat())
}

/// The last line of a command's JSON.
fn json(output: &str) -> Value {
    serde_json::from_str(output.lines().rev().find(|line| line.starts_with('{')).unwrap()).unwrap()
}

/// A site with the hosted zone, which the first command creates, and its ID.
fn site() -> (Site, String) {
    let site = Site::new();
    site.ok(&alias(&["list"]));
    let id = in_route53(&site, async |route53| route53.zones("xx.net").await.unwrap().remove(0));
    (site, id)
}

fn in_route53<T>(site: &Site, work: impl AsyncFnOnce(Route53) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(site.aws_of("111111111111").await.route53()).await })
}

/// Creates aliases to the old host with a TTL of a day, and returns their names.
fn bring(site: &Site, zone: &str, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("site-files-{}.xx.net", 10_000 + number)).collect();
    let create = |name: &String| RecordChange::Create { name: name.clone(), value: format!("{OLD}."), ttl: 86_400 };
    for batch in names.chunks(1_000) {
        let changes: Vec<RecordChange> = batch.iter().map(create).collect();
        in_route53(site, async |route53| route53.change_records(zone, &changes).await.unwrap());
    }
    names
}

fn foreign(site: &Site, zone: &str, name: &str, kind: &str, target: &str) {
    let record = RecordFacts {
        name: name.into(),
        kind: kind.into(),
        targets: vec![target.into()],
        alias: None,
        ttl: Some(300),
        latency: None,
    };
    in_route53(site, async |route53| route53.upsert(zone, &record).await.unwrap());
}

/// Target and TTL of every record under the pattern.
fn zone(site: &Site, id: &str) -> BTreeMap<String, (String, i64)> {
    in_route53(site, async |route53| {
        let (mut all, mut from) = (BTreeMap::new(), None);
        loop {
            let (page, next) = route53.page_of_records(id, from).await.unwrap();
            let of_customers = page.into_iter().filter(|record| record.name.starts_with("site-files-"));
            all.extend(of_customers.map(|record| {
                let name = record.name.trim_end_matches('.').to_owned();
                (name, (record.values[0].trim_end_matches('.').to_owned(), record.ttl.unwrap()))
            }));
            from = next;
            if from.is_none() {
                return all;
            }
        }
    })
}

/// How many records have this target and TTL.
fn count(site: &Site, id: &str, target: &str, ttl: i64) -> usize {
    zone(site, id).values().filter(|record| **record == (target.to_owned(), ttl)).count()
}

fn hold(site: &Site, rule: &[&str]) {
    site.ok(&[&["local", "faults", "add", CHANGE], rule].concat());
}

fn wait_for_hold(site: &Site) {
    until("the call is held", || (!front(site, "GET", "faults")["holds"].as_array()?.is_empty()).then_some(()));
}

#[test]
fn aliases_are_added_once_listed_and_removed() {
    let (site, id) = site();
    let add = |more: &[&str]| alias(&[&["add", "--region", "us-west-2"], more].concat()).join(" ");
    let run = |line: &str| site.run(&line.split(' ').collect::<Vec<_>>());
    let ok = |line: &str| site.ok(&line.split(' ').collect::<Vec<_>>());
    std::fs::write(site.dir.path().join("names.csv"), "orgid,username\n17578,jan\n17579,piet\n").unwrap();

    let tried = json(&ok(&add(&["--file", "names.csv", "--dry-run", "--output", "json"])));
    assert_eq!((tried["changes"].as_array().unwrap().len(), tried.get("sent")), (2, None));
    assert!(zone(&site, &id).is_empty(), "a dry run changes nothing");

    let added = json(&ok(&add(&["--file", "names.csv", "--name", "Acme", "--output", "json"])));
    assert_eq!((&added["sent"]["changed"], &added["sent"]["inSync"]), (&3.into(), &true.into()), "{added}");
    assert_eq!(count(&site, &id, WEST, 300), 3);
    let again = json(&ok(&add(&["--file", "names.csv", "--name", "acme", "--output", "json"])));
    assert_eq!((again["same"].as_array().unwrap().len(), again.get("sent")), (3, None));

    // What points elsewhere, or is no CNAME, is named, and nothing is changed.
    foreign(&site, &id, "site-files-1.xx.net", "CNAME", "other.example.com");
    foreign(&site, &id, "site-files-2.xx.net", "A", "192.0.2.1");
    let mixed = ["--name", "1", "--name", "2", "--name", "3"];
    let refused = run(&add(&mixed));
    assert_eq!(refused.status.code(), Some(3), "{}", shown(&refused));
    for line in ["site-files-1.xx.net points to other.example.com", "site-files-2.xx.net has a record of type A"] {
        assert!(shown(&refused).contains(line), "{line}: {}", shown(&refused));
    }
    assert!(!zone(&site, &id).contains_key("site-files-3.xx.net"));
    ok(&add(&[&mixed[..], &["--skip-foreign"]].concat()));
    let now = zone(&site, &id);
    assert_eq!(now["site-files-3.xx.net"], (WEST.to_owned(), 300));
    assert_eq!(now["site-files-1.xx.net"].0, "other.example.com");

    // Another TTL only if it is asked for.
    ok(&add(&["--name", "acme", "--ttl", "900"]));
    assert_eq!(zone(&site, &id)["site-files-acme.xx.net"].1, 900);
    let listed = site.ok(&alias(&["list"]));
    assert!(listed.contains("site-files-acme.xx.net  99-uploads-us-west-2.xx.net  TTL 900\n"), "{listed}");
    assert!(listed.contains("site-files-1.xx.net  other.example.com  TTL 300  (not a host of"), "{listed}");

    for wrong in [&["--name", "a b"][..], &["--name", "99-uploads.xx.net"], &[]] {
        assert_eq!(run(&add(wrong)).status.code(), Some(2), "{wrong:?}");
    }
    let several = site.ends_with(2, &alias(&["add", "--name", "4"]));
    assert!(several.contains("choose one with --region: us-east-2, us-west-2"), "{several}");

    // Only our own are removed.
    let remove = |more: &[&'static str]| alias(&[&["remove", "--yes", "--name", "acme", "--name", "1"], more].concat());
    site.ends_with(3, &remove(&[]));
    assert!(zone(&site, &id).contains_key("site-files-acme.xx.net"));
    site.ok(&remove(&["--skip-foreign"]));
    let now = zone(&site, &id);
    assert!(!now.contains_key("site-files-acme.xx.net") && now.contains_key("site-files-1.xx.net"));
    site.ok(&alias(&["remove", "--name", "acme"]));
}

/// 700 aliases are two batches: 500 changes are 1,000 records.
#[test]
fn a_cut_over_that_is_killed_is_resumed_and_goes_back() {
    let (site, id) = site();
    let names = bring(&site, &id, 700);
    foreign(&site, &id, "site-files-9.xx.net", "CNAME", "other.example.com");

    foreign(&site, &id, "site-files-8.xx.net", "A", "192.0.2.1");

    let early = site.ends_with(3, &cut_over(&[]));
    let left = "1 alias is not a plain CNAME, and is left as it is: site-files-8.xx.net has a record of type A";
    assert!(early.contains(left), "{early}");
    assert!(early.contains("700 aliases have a TTL of up to 24 h") && early.contains("--lower-ttl 60"), "{early}");

    hold(&site, &["hold-before", "--skip", "1", "--count", "1"]);
    let lower = cut_over(&["--lower-ttl", "60"]);
    let mut run = Running(site.command(&lower).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for_hold(&site);
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear"]);
    assert_eq!((count(&site, &id, OLD, 60), count(&site, &id, OLD, 86_400)), (500, 200));

    // What the killed run has lowered must wait, too.
    let mixed = site.ends_with(3, &cut_over(&["--name", "10000"]));
    assert!(mixed.contains("caches may have 1 alias with an earlier TTL until 2"), "{mixed}");

    let lowered = site.ok(&lower);
    assert!(lowered.contains("200 aliases changed; all name servers"), "{lowered}");
    assert!(lowered.contains("the old TTL has run out at 2") && lowered.contains("in 24 h"), "{lowered}");
    assert_eq!(count(&site, &id, OLD, 60), 700);
    let waits = site.ends_with(3, &cut_over(&[]));
    assert!(waits.contains("caches may have 700 aliases"), "{waits}");

    // A day later.
    let memory = site.cloud().join("state/99.aliases");
    let mut remembered: Value = serde_json::from_slice(&std::fs::read(&memory).unwrap()).unwrap();
    for alias in remembered["aliases"].as_object_mut().unwrap().values_mut() {
        alias["until"] = 1.into();
    }
    std::fs::write(&memory, remembered.to_string()).unwrap();
    // Route 53 is still busy with the last batch at the first attempt.
    hold(&site, &["hold-after", "--skip", "1", "--count", "1"]);
    let mut run = Running(site.command(&cut_over(&[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for_hold(&site);
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear"]);
    let moved = site.ok(&cut_over(&[]));
    assert!(moved.contains("200 aliases changed") && moved.contains("for another 60 s"), "{moved}");
    assert_eq!(count(&site, &id, WEST, 60), 700);

    // Back, all but one that somebody has pointed elsewhere.
    foreign(&site, &id, &names[3], "CNAME", "third.example.com");
    let back = alias(&["move", "--back", "--yes"]);
    let refused = site.ends_with(3, &back);
    assert!(refused.contains("site-files-10003.xx.net points to third.example.com"), "{refused}");
    site.ok(&[&back[..], &["--skip-foreign"]].concat());
    assert_eq!((count(&site, &id, OLD, 60), count(&site, &id, WEST, 60)), (699, 0));
    let now = zone(&site, &id);
    assert_eq!(
        (now[&names[3]].0.as_str(), now["site-files-9.xx.net"].0.as_str()),
        ("third.example.com", "other.example.com")
    );

    // Forward once more, with a TTL for good.
    site.ok(&cut_over(&["--ttl", "300"]));
    assert_eq!(count(&site, &id, WEST, 300), 699);
    // And back again: where they pointed is still known.
    site.ok(&alias(&["move", "--back", "--yes", "--skip-foreign"]));
    assert_eq!(count(&site, &id, OLD, 300), 699);
}

#[test]
fn a_move_before_the_old_ttl_is_over_says_when_it_is() {
    let (site, id) = site();
    bring(&site, &id, 2);
    site.ok(&cut_over(&["--lower-ttl", "60"]));
    let moved = site.ok(&cut_over(&["--now"]));
    assert!(moved.contains("caches may answer as before until 2") && !moved.contains("another 60 s"), "{moved}");
    // The way back leads to the host that these caches have.
    let back = site.ok(&alias(&["move", "--back", "--yes"]));
    assert!(back.contains("caches may answer as before for another 60 s"), "{back}");
}

#[test]
fn a_record_that_changes_under_the_run_is_left_alone() {
    let (site, id) = site();
    let names = bring(&site, &id, 3);
    hold(&site, &["hold-before", "--count", "1"]);
    let arguments = cut_over(&["--now", "--output", "json"]);
    let run = site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_hold(&site);
    // One is pointed elsewhere, and one exactly as this run would.
    let moved = RecordChange::Create { name: names[1].clone(), value: WEST.into(), ttl: 86_400 };
    let old = RecordChange::Delete { name: names[1].clone(), value: format!("{OLD}."), ttl: 86_400 };
    foreign(&site, &id, &names[0], "CNAME", "third.example.com");
    in_route53(&site, async |route53| route53.change_records(&id, &[old, moved]).await.unwrap());
    site.ok(&["local", "faults", "clear"]);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let result = json(&shown(&output));
    assert_eq!((&result["sent"]["changed"], &result["sent"]["inSync"]), (&2.into(), &false.into()), "{result}");
    assert_eq!(result["sent"]["overtaken"][0]["name"], names[0].as_str(), "{result}");
    let now = zone(&site, &id);
    let targets: Vec<&str> = names.iter().map(|name| now[name].0.as_str()).collect();
    assert_eq!(targets, ["third.example.com", WEST, WEST]);
}
