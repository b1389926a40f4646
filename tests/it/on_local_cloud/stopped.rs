//! A deployment of a saved plan that is stopped while AWS works: it ends at once, and the same command resumes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::site::{Running, Site, text, tool};

const DEPLOY: [&str; 9] =
    ["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--plan", "saved.json", "--lock-timeout=30"];

fn stopped_by(signal: &str) {
    let site = Site::with_times(&["--server-start-time", "5s"]);
    site.ok(&["plan", "--env", "99", "--local", "--out", "saved.json"]);
    let mut deploy = site.command(&DEPLOY);
    let deploy = deploy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut deploy = Running(deploy.spawn().unwrap());
    let mut lines = BufReader::new(deploy.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let before: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Transfer server: STARTING")).collect();
    let sent = tool("kill", "procps").args(["-s", signal, &deploy.0.id().to_string()]).status().unwrap();
    assert!(sent.success(), "{before:?}");
    let rest: Vec<String> = lines.collect();
    assert_eq!(deploy.0.wait().unwrap().code(), Some(130), "{before:?} {rest:?}");
    let says = |what: &str| rest.iter().any(|line| line.contains(what));
    assert!(says("stopped while Transfer server was STARTING; AWS continues by itself"), "{rest:?}");

    // The lock is free at once; the same command resumes the plan, and nothing is created twice.
    site.ok(&["lock", "show", "--env", "99", "--local"]);
    let edited = "server: { security_policy: TransferSecurityPolicy-2018-11 }";
    site.edit(|file| format!("{file}\n{edited}\n"));
    let another = site.ends_with(3, &DEPLOY);
    assert!(another.contains("us-west-2/server: the change is a different one now"), "{another}");
    site.edit(|file| file.replace(edited, ""));
    site.ok(&DEPLOY);
    site.ok(&["verify", "--env", "99", "--local"]);
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);

    // A rerun job finds its plan done, even after another deployment; later changes are not part of the plan.
    assert!(text(&site.run(&DEPLOY).stderr).contains("the last run finished saved.json"));
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--no-verify"]);
    site.ok(&DEPLOY);
    site.edit(|file| format!("{file}\n{edited}\n"));
    let done = site.ends_with(3, &DEPLOY);
    assert!(done.contains("us-west-2/server: the change is a different one now"), "{done}");
}

#[test]
fn sigterm_stops_at_once_and_the_same_command_resumes() {
    stopped_by("TERM");
}

#[test]
fn sigint_stops_at_once_and_the_same_command_resumes() {
    stopped_by("INT");
}
