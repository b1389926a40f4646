//! The guard: addresses that try passwords are banned, and customers are not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use sftpctl_testkit::programs::{installed, oracle};

use crate::site::{Login, Site, shown, succeeded, text, until, with_input};

const WEST: &str = "us-west-2";
const GUARD: &str = "guard: { address_threshold: 8, login_threshold: 3 }\n";

/// `tests/oracle/bots.py`, with the customer's log-in.
fn bots(port: u16, customer: &Login, arguments: &[&str]) -> String {
    let mut command = Command::new(installed("tools/bin/python"));
    command.arg(oracle("bots.py")).args([&port.to_string(), &customer.username]).args(arguments);
    let output = command.env("SFTP_PASSWORD", &customer.password).output().unwrap();
    succeeded(&format!("bots.py {arguments:?}"), &output).trim().to_owned()
}

/// Whether the customer is admitted from an address of this machine.
fn admits_from(site: &Site, address: &str, customer: &Login) -> bool {
    match bots(site.port(WEST), customer, &["try", address]).as_str() {
        "admitted" => true,
        "refused" => false,
        other => panic!("{other}"),
    }
}

/// Waits until the customer is refused from an address. The guard lets through what it cannot read in time, as on a busy
/// machine.
fn is_refused_from(site: &Site, address: &str, customer: &Login) {
    until(address, || (!admits_from(site, address, customer)).then_some(()));
}

fn guard(arguments: &[&str]) -> Vec<String> {
    let all = [&["guard"], arguments, &["--env", "99", "--local"]].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// `sftpctl guard …`, with this exit code.
fn run(site: &Site, code: i32, arguments: &[&str]) -> String {
    let all = guard(arguments);
    site.ends_with(code, &all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What `guard list` has of a region.
fn listed(site: &Site, region: &str) -> Vec<Value> {
    let all = guard(&["list", "--region", region, "--top", "1000", "--output", "json"]);
    let lines = site.ok(&all.iter().map(String::as_str).collect::<Vec<_>>());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The addresses that are banned in a region: for all names, or for one.
fn banned(site: &Site, region: &str, for_all_names: bool) -> BTreeSet<String> {
    let all = listed(site, region).into_iter();
    all.filter(|one| one["state"] == "banned" && one["username"].is_null() == for_all_names)
        .map(|one| one["address"].as_str().unwrap().to_owned())
        .collect()
}

fn log(site: &Site) -> String {
    site.oracle("door.py", &["log", WEST])
}

/// The reasons of log-ins from an address, by the authorizer's log, in no order: each instance of the function has its own.
fn reasons(site: &Site, address: &str) -> Vec<String> {
    let lines = log(site);
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_address = lines.filter(|line| line["outcome"].is_string() && line["source"] == address);
    let mut reasons: Vec<String> = of_address.map(|line| line["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    reasons
}

#[test]
fn bots_are_banned_while_customers_log_in() {
    let site = Site::deployed(GUARD);
    let jan = site.add(17578, "jan", "correct horse");
    let report: Value = serde_json::from_str(&bots(site.port(WEST), &jan, &["flood", "200", "6"])).unwrap();
    assert_eq!((&report["admitted"], &report["faults"]), (&0.into(), &Value::Array(vec![])), "{report}");
    assert_eq!(report["tried"], 1200, "{report}");
    assert_eq!((&report["before"]["refused"], &report["meanwhile"]["refused"]), (&0.into(), &0.into()), "{report}");
    assert!(report["meanwhile"]["logIns"].as_u64().unwrap() > 0, "{report}");

    // The guard lets through what it cannot read in time: on a busy machine some have tries left.
    let (addresses, logins) = (banned(&site, WEST, true), banned(&site, WEST, false));
    assert!(addresses.len() >= 20 && logins.len() >= 80, "{} and {} are banned", addresses.len(), logins.len());
    assert!(banned(&site, "us-east-2", true).is_empty(), "each region has its own");
    let refused = log(&site).matches(r#""reason":"banned""#).count();
    assert!(refused >= 80, "{refused} refusals of banned addresses");
    assert!(log(&site).contains("the guard has begun a ban"));

    // From a banned address the right password does not help. A ban for one name is not a ban of its neighbours.
    let address = addresses.first().unwrap();
    is_refused_from(&site, address, &jan);
    assert!(reasons(&site, address).contains(&"banned".to_owned()));
    let neighbour = logins.iter().find(|address| reasons(&site, address).contains(&"banned".to_owned())).unwrap();
    assert_eq!(reasons(&site, neighbour).len(), 6);
    assert!(admits_from(&site, neighbour, &jan));
    // Until somebody forgives it.
    let ended = run(&site, 0, &["unban", address, "--region", WEST]);
    assert!(ended.contains("us-west-2    ended 1 ban or score") && !ended.contains("us-east"), "{ended}");
    assert!(admits_from(&site, address, &jan));
    assert!(!banned(&site, WEST, true).contains(address));
    let nothing = run(&site, 0, &["unban", address]);
    assert_eq!(nothing.matches("nothing to end").count(), 3, "{nothing}");
    let by_name = run(&site, 0, &["unban", "--username", "bot1"]);
    assert!(by_name.contains("us-west-2    ended 1 ban or score"), "{by_name}");

    // A wrong password of a known name counts as that of an unknown one.
    let wrong = Login::new("jan", "wrong");
    until("the address is banned for the name", || {
        assert!(!admits_from(&site, "127.8.0.1", &wrong));
        reasons(&site, "127.8.0.1").contains(&"banned".to_owned()).then_some(())
    });
    let counted = reasons(&site, "127.8.0.1").iter().filter(|reason| *reason == "wrong-password").count();
    assert!(counted >= 3, "{counted}");
    is_refused_from(&site, "127.8.0.1", &jan);
    assert!(admits_from(&site, "127.8.0.2", &jan));
}

#[test]
fn operators_ban_and_allow_for_a_time() {
    let site = Site::deployed(&format!("{GUARD}accounts: {{ usernames: case-insensitive }}\n"));
    let jan = site.add(17578, "jan", "correct horse");
    let banned = run(&site, 0, &["ban", "127.8.0.0/16", "--for", "30m"]);
    assert_eq!(banned.matches(" banned 127.8.0.0/16 until ").count(), 3, "every region: {banned}");
    is_refused_from(&site, "127.8.0.1", &jan);
    assert!(admits_from(&site, "127.9.0.1", &jan));
    assert!(reasons(&site, "127.8.0.1").contains(&"banned".to_owned()));
    until("test-login names the guard", || {
        let mut test = site.command(&["test-login", "--env", "99", "--local", "--username", "jan", "--password-stdin"]);
        let output = with_input(test.args(["--source-ip", "127.8.0.1"]), jan.password.as_bytes());
        text(&output.stdout).contains("the guard bans 127.8.0.1").then_some(())
    });
    run(&site, 0, &["allow", "127.8.0.1", "--for", "7d", "--region", WEST]);
    until("it is allowed", || admits_from(&site, "127.8.0.1", &jan).then_some(()));
    is_refused_from(&site, "127.8.0.2", &jan);
    // Not banned, whatever is tried. That nothing is counted, the function's own tests show: what it does not read in time is.
    for _ in 0..4 {
        assert!(!admits_from(&site, "127.8.0.1", &Login::new("JAN", "wrong")));
    }
    until("it is still allowed", || admits_from(&site, "127.8.0.1", &jan).then_some(()));
    let by_hand: Vec<Value> = listed(&site, WEST).into_iter().filter(|one| one["by"] == "hand").collect();
    let states: Vec<&str> = by_hand.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["banned", "allowed"]);

    let remains = run(&site, 1, &["unban", "127.8.0.1", "--region", WEST]);
    assert!(remains.contains("127.8.0.0/16 is still banned by hand until"), "{remains}");
    is_refused_from(&site, "127.8.0.1", &jan);
    run(&site, 0, &["unban", "127.8.0.0/16"]);
    assert!(admits_from(&site, "127.8.0.1", &jan));
    assert!(listed(&site, "us-east-1").is_empty());
    // What `test-login` and the canary say that they come from is never banned.
    run(&site, 0, &["ban", "127.0.0.0/8"]);
    assert!(site.admits(site.port(WEST), &jan));
    let (good, output) = site.test_login(&jan);
    assert!(good, "{output}");

    for (arguments, says) in [
        (&["ban", "10.0.0.0/7"][..], "would shut customers out"),
        (&["ban", "10.1.2.3/8"], "write 10.0.0.0/8 for the whole network, or 10.1.2.3 for the one address"),
        (&["ban", "10.0.0.0/8", "--for", "1y"], "expected a time such as 30m"),
        (&["list", "--region", "eu-west-1"], "environment 99 has no region eu-west-1"),
        (&["unban"], "required"),
    ] {
        let refused = run(&site, 2, arguments);
        assert!(refused.contains(says), "{arguments:?}: {refused}");
    }
    // An operator's entries are read by every log-in, so there is an end to them.
    let table = site.oracle("guard.py", &["fill"]);
    assert_eq!(table, "", "{table}");
    let refused = run(&site, 3, &["ban", "10.255.0.1", "--region", WEST]);
    assert!(refused.contains("101 entries are too many"), "{refused}");
    let partly = run(&site, 6, &["ban", "10.255.0.1"]);
    assert!(partly.contains("us-east-1    banned 10.255.0.1") && partly.contains("in us-west-2"), "{partly}");
}

#[test]
fn guard_comes_and_goes_with_its_setting_and_its_faults_harm_nobody() {
    let site = Site::deployed("");
    let jan = site.add(17578, "jan", "correct horse");
    let none = run(&site, 2, &["list"]);
    assert!(none.contains("environment 99 has no guard") && none.contains("sftpctl deploy --env 99"), "{none}");
    site.oracle("guard.py", &["left"]);
    let without = std::fs::read_to_string(site.dir.path().join("environments/99.yaml")).unwrap();
    site.edit(|file| format!("{file}\n{GUARD}"));
    let refused = run(&site, 1, &["list"]);
    assert!(refused.contains("deploy the environment first"), "{refused}");
    let stacks = ["us-east-1/stack", "us-east-2/stack", "us-west-2/stack"];
    let planned = site.planned();
    assert!(stacks.iter().all(|stack| planned.iter().any(|step| step == stack)), "{planned:?}");
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    site.oracle("guard.py", &["deployed"]);
    let drift = |code: i32| site.ends_with(code, &["drift", "--env", "99", "--local"]);
    drift(0);
    site.oracle("guard.py", &["meddle"]);
    let drifted = drift(4);
    assert!(drifted.contains("GuardTable") && drifted.contains("DeletionProtectionEnabled"), "{drifted}");
    site.oracle("guard.py", &["mend"]);

    // The table is throttled, or silent, for reads and for writes; then it is gone.
    let wrong = Login::new("jan", "wrong");
    for fault in ["throttle", "hold-before"] {
        for call in ["dynamodb.BatchGetItem", "dynamodb.UpdateItem"] {
            site.ok(&["local", "faults", "add", call, fault, "--region", WEST]);
            assert!(admits_from(&site, "127.9.0.1", &jan), "{call}: {fault}");
            assert!(!admits_from(&site, "127.9.0.1", &wrong), "{call}: {fault}");
            assert!(!reasons(&site, "127.9.0.1").contains(&"banned".to_owned()), "{call}: {fault}");
            site.ok(&["local", "faults", "clear"]);
        }
    }
    let warnings = log(&site);
    assert!(warnings.contains("the guard's table did not answer: nobody is banned"), "{warnings}");
    assert!(warnings.contains("the guard could not count a refusal"), "{warnings}");
    site.oracle("guard.py", &["delete-table"]);
    assert!(admits_from(&site, "127.9.0.1", &jan));
    let gone = run(&site, 1, &["list", "--region", WEST]);
    assert!(gone.contains("deploy the environment first"), "{gone}");

    // Without the setting the other tables go, with what they have.
    run(&site, 0, &["ban", "127.8.0.1", "--region", "us-east-2"]);
    site.edit(|_| without);
    site.deploy();
    site.oracle("guard.py", &["left"]);
    assert!(admits_from(&site, "127.9.0.1", &jan));
    let output = site.run(&["teardown", "--env", "99", "--local", "--yes"]);
    assert!(output.status.success() || output.status.code() == Some(6), "{}", shown(&output));
    assert!(!text(&output.stdout).contains("GuardTable"), "{}", shown(&output));
}
