//! State, journal and lock: the contract of a store in the local cloud's S3, then the program with a folder and with
//! S3.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod commands;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{Site, shown, until};

const BUCKET: &str = "sftpctl-state-of-tests";

/// A deployment in the background.
fn spawn(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// How often this operation was called on the local cloud.
fn counted(site: &Site, operation: &str) -> u64 {
    let calls: Value = serde_json::from_str(&site.aws(&["fetch", "/_sftpctl/calls"])).unwrap();
    calls["calls"][operation].as_u64().unwrap_or_default()
}

#[test]
fn concurrent_deployments_deploy_once() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    let state = format!("s3://{BUCKET}/pipelines");
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", &state];
    let patient = [&arguments[..], &["--lock-timeout", "600"]].concat();
    let runs: Vec<(bool, Child)> =
        (0..20).map(|n| (n % 2 == 0, spawn(&site, if n % 2 == 0 { &patient } else { &arguments }))).collect();
    let mut refused = 0;
    for (waits, run) in runs {
        let output = run.wait_with_output().unwrap();
        match output.status.code().unwrap() {
            0 => {}
            5 if !waits => {
                let printed = shown(&output);
                assert!(printed.contains("another run holds the lock on this environment: deploy"), "{printed}");
                refused += 1;
            }
            _ => panic!("{}", shown(&output)),
        }
    }
    assert!(refused > 0, "no run found the lock taken");
    assert_eq!(counted(&site, "transfer.CreateServer"), 2);
    site.aws(&["properties"]);
    let again = site.ok(&["plan", "--env", "99", "--local", "--state", &state]);
    assert!(again.contains("Nothing to do"), "{again}");
    // The state moves into a folder, and the old location points to the new one.
    site.ok(&["state", "move", "--env", "99", "--local", "--state", &state, "--to", "here", "--yes"]);
    let moved = site.ends_with(2, &["plan", "--env", "99", "--local", "--state", &state]);
    assert!(moved.contains("has moved to here"), "{moved}");
    assert!(site.ok(&["state", "show", "--env", "99", "--local", "--state", "here"]).contains("us-west-2/server"));
}

/// Pauses a run at a moment when it does not hold the guard file of its state folder, which would block every other
/// run.
fn stop_between_writes(site: &Site, run: &std::process::Child) {
    let guard = site.dir.path().join(".sftpctl/local/state/.guard");
    loop {
        signal(run, "STOP");
        match std::fs::File::open(&guard) {
            Ok(file) if file.try_lock().is_err() => signal(run, "CONT"),
            _ => break,
        }
    }
}

/// Pauses a deployment beyond its lease, and lets another one take over.
fn replace_a_paused_holder(site: &Site, state: &[&str]) {
    let file = site.dir.path().join("environments/99.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\nstate: {{ lease_seconds: 2 }}\n")).unwrap();
    let arguments = [&["deploy", "--env", "99", "--local", "--yes", "--no-verify"], state].concat();
    let first = spawn(site, &arguments);
    // Both servers exist and are starting: no CreateServer is in flight, which nothing could undo.
    until("two servers are starting", || (site.status()["servers"].as_array()?.len() == 2).then_some(()));
    stop_between_writes(site, &first);
    // The holder is on the same machine and its process is alive: the lock is free only when the lease has expired.
    let second = site.run(&arguments);
    assert!(second.status.success(), "{}", shown(&second));
    signal(&first, "CONT");
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(6), "{}", shown(&first));
    assert!(shown(&first).contains("lost its lock"), "{}", shown(&first));
    site.aws(&["properties"]);
}

/// The intent is in the journal, and the first attempt was throttled: the SDK's retry must not be sent.
#[test]
fn call_started_before_a_pause_is_not_sent_after_it() {
    let site = Site::new();
    site.edit(|file| format!("{file}\nstate: {{ lease_seconds: 2 }}\n"));
    let triggers = || counted(&site, "lambda.AddPermission");
    site.ok(&["local", "faults", "add", "lambda.AddPermission", "error=429:TooManyRequestsException:not now"]);
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];
    let first = spawn(&site, &arguments);
    until("a call is throttled", || (triggers() > 0).then_some(()));
    stop_between_writes(&site, &first);
    site.ok(&["local", "faults", "clear"]);
    let second = site.run(&arguments);
    assert!(second.status.success(), "{}", shown(&second));
    site.oracle("handmade.py", &["meddle", "trigger"]);
    let before = triggers();
    signal(&first, "CONT");
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(6), "{}", shown(&first));
    assert_eq!(triggers(), before);
    assert_eq!(site.planned(), ["us-west-2/trigger"]);
}

#[test]
fn paused_holder_loses_its_lock_on_s3() {
    let site = Site::with_times(&["--server-start-time", "3s"]);
    site.aws(&["state-bucket", BUCKET]);
    replace_a_paused_holder(&site, &["--state", &format!("s3://{BUCKET}/paused")]);
}

#[test]
fn paused_deployment_on_s3_continues_if_no_other_run_took_over() {
    let site = Site::with_times(&["--server-start-time", "3s"]);
    site.aws(&["state-bucket", BUCKET]);
    site.edit(|file| format!("{file}\nstate: {{ lease_seconds: 2 }}\n"));
    let state = format!("s3://{BUCKET}/stalled");
    let run = spawn(&site, &["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", &state]);
    until("two servers are starting", || (site.status()["servers"].as_array()?.len() == 2).then_some(()));
    signal(&run, "STOP");
    let stopped = Instant::now();
    until("more than a lease", || (stopped.elapsed() > Duration::from_secs(4)).then_some(()));
    signal(&run, "CONT");
    let run = run.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", shown(&run));
    site.aws(&["properties"]);
}

#[test]
fn paused_holder_loses_its_lock_and_a_killed_holder_is_replaced_at_once() {
    let site = Site::with_times(&["--server-start-time", "3s"]);
    replace_a_paused_holder(&site, &[]);
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];
    let journal = site.dir.path().join(".sftpctl/local/state/99.journal");
    let creating = |journal: &Path| {
        std::fs::read_to_string(journal).is_ok_and(|text| text.lines().any(|l| l.contains("us-east-2/server\"")))
    };

    site.teardown_with_data(&[]);
    // The call never returns, so its intent gets no outcome.
    site.ok(&["local", "faults", "add", "transfer.CreateServer", "hold-before", "--region", "us-east-2"]);
    let third = spawn(&site, &arguments);
    until("the intent to create a server is in the journal", || creating(&journal).then_some(()));
    let locked = site.ends_with(5, &["lock", "show", "--env", "99", "--local"]);
    assert!(locked.contains("deploy by"), "{locked}");
    signal(&third, "KILL");
    third.wait_with_output().unwrap();
    site.ok(&["local", "faults", "clear"]);
    let left: Value =
        serde_json::from_str(&site.ok(&["state", "show", "--env", "99", "--local", "--output", "json"])).unwrap();
    assert!(!left["unfinished"].as_array().unwrap().is_empty(), "{left}");
    site.deploy();
    site.aws(&["properties"]);
    let left: Value =
        serde_json::from_str(&site.ok(&["state", "show", "--env", "99", "--local", "--output", "json"])).unwrap();
    assert_eq!(left["unfinished"], serde_json::json!([]));
}

#[test]
fn damaged_state_is_refused_and_can_be_rebuilt_from_aws() {
    let site = Site::new();
    site.deploy();
    let path = site.dir.path().join(".sftpctl/local/state/99.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("us-west-2/server\"", "us-west-2/saver\"")).unwrap();
    let refused = site.ends_with(2, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("changed by hand") && refused.contains("sftpctl state rebuild"), "{refused}");
    let rebuilt = site.run(&["state", "rebuild", "--env", "99", "--local", "-vv"]);
    assert!(rebuilt.status.success() && shown(&rebuilt).contains("put aside"), "{}", shown(&rebuilt));
    assert!(shown(&rebuilt).contains("journaled"), "what the journal cost: {}", shown(&rebuilt));
    assert_eq!(site.planned(), Vec::<String>::new());
    let identities = |text: &str| serde_json::from_str::<Value>(text).unwrap()["identities"].clone();
    assert_eq!(identities(&std::fs::read_to_string(&path).unwrap()), identities(&text));
}
