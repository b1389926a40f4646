//! The commands for the lock and the state, and errors in their documents.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sftpctl_core::model::Action;
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::folder::Folder;
use sftpctl_engine::state::journal::{Header, Journal};
use sftpctl_engine::state::lease::Terms;
use sftpctl_engine::state::machine::ThisMachine;
use sftpctl_engine::state::store::{LockedStore, Store};
use tokio::runtime::Runtime;

use super::BUCKET;
use crate::on_local_cloud::terminal::Terminal;
use crate::site::{Running, Site, shown, succeeded, text, tool};
use sftpctl_testkit::promises::{ACCOUNT, server};

const REBUILD: [&str; 5] = ["state", "rebuild", "--env", "99", "--local"];
const BREAK: [&str; 5] = ["lock", "break", "--env", "99", "--local"];

/// The state documents of a site, opened by this process.
struct Records {
    runtime: Runtime,
    store: Store,
    folder: PathBuf,
}

impl Records {
    fn of(site: &Site) -> Self {
        let folder = site.dir.path().join(".sftpctl/local/state");
        let store = Store::new(Arc::new(Folder::new(&folder)), "99", ACCOUNT, Arc::new(ThisMachine));
        Self { runtime: Runtime::new().unwrap(), store, folder }
    }

    /// Takes the lock for a run in this process.
    fn begin(&self, seconds: u64) -> LockedStore {
        let terms = Terms { length: Duration::from_secs(seconds), patience: Duration::ZERO };
        self.runtime.block_on(self.store.begin("deploy", terms, &|_| {})).unwrap().0
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }
}

/// Runs the program on a terminal and types `answer` at the prompt.
fn at_prompt(site: &Site, answer: &str, arguments: &[&str]) -> Terminal {
    Terminal::run(&site.command(arguments), 200, &[("y/N]", answer)])
}

#[test]
fn ctrl_c_at_a_prompt_releases_the_lock() {
    let site = Site::new();
    let interrupted = at_prompt(&site, "^C", &["deploy", "--env", "99", "--local"]);
    assert_eq!(interrupted.code, Some(130), "{}", text(&interrupted.written));
    assert!(site.planned().contains(&"us-west-2/server".to_owned()), "nothing was begun");
    assert!(site.ok(&["lock", "show", "--env", "99", "--local"]).contains("Environment 99 is not locked"));
}

#[test]
fn lock_is_waited_for_and_broken_on_request() {
    let (site, show) = (Site::new(), ["lock", "show", "--env", "99", "--local"]);
    let records = Records::of(&site);
    assert!(site.ok(&show).contains("Environment 99 is not locked"));
    let run = records.begin(2);
    let given_up = site.ends_with(5, &[&REBUILD[..], &["--lock-timeout", "1"]].concat());
    assert!(given_up.contains("waiting for the lock: deploy by"), "{given_up}");
    assert!(given_up.contains("another run holds the lock on this environment: deploy by"), "{given_up}");

    let mut waiting = site.command(&[&REBUILD[..], &["--lock-timeout", "60"]].concat());
    let mut waiting = Running(waiting.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(waiting.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.contains("waiting for the lock")).unwrap();
    records.runtime.block_on(run.end()).unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(waiting.0.wait().unwrap().success(), "{rest:?}");

    // A run that is stopped while it waits exits as any other, and does not affect the holder.
    let run = records.begin(2);
    let mut waiting = site.command(&[&REBUILD[..], &["--lock-timeout", "60"]].concat());
    let mut waiting = Running(waiting.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(waiting.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.contains("waiting for the lock")).unwrap();
    assert!(tool("kill", "procps").arg(waiting.0.id().to_string()).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(waiting.0.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("state rebuild was interrupted")), "{rest:?}");
    site.ends_with(5, &show);
    records.runtime.block_on(run.end()).unwrap();

    // This lock is not renewed, but its process is alive.
    drop(records.begin(600));
    let refused = site.ends_with(3, &BREAK);
    assert!(refused.contains("deploy by") && refused.contains("--yes"), "{refused}");
    let no = at_prompt(&site, "n", &BREAK);
    assert_eq!(no.code, Some(3), "{}", text(&no.written));
    site.ends_with(5, &show);
    let yes = at_prompt(&site, "y", &BREAK);
    let output = text(&yes.written);
    assert!(yes.code == Some(0) && output.contains("The lock is free"), "{output}");
    site.ok(&show);

    // Breaking the lock of a running run stops it.
    let run = records.begin(600);
    assert!(site.ok(&[&BREAK[..], &["--yes"]].concat()).contains("It was held by: deploy by"));
    site.ok(&REBUILD);
    let refused = records.runtime.block_on(run.journal().intend(&server(), Action::Update, "server")).unwrap_err();
    assert!(matches!(refused, StateError::Fenced { .. }), "{refused}");
    drop(run);
}

#[test]
fn unreadable_documents_are_refused_with_a_hint() {
    let site = Site::new();
    let records = Records::of(&site);
    let run = records.begin(600);
    records.runtime.block_on(run.journal().intend(&server(), Action::Update, "server")).unwrap();
    records.runtime.block_on(run.end()).unwrap();
    let whole = |name: &str| (name.to_owned(), records.read(name));
    let good = [whole("99.json"), whole("99.journal"), whole("99.lock")];
    let restore = || good.iter().for_each(|(name, text)| records.write(name, text));
    // As a run for another account would write it.
    let read = Journal::read("99.journal", good[1].1.as_bytes()).unwrap();
    let mut foreign = Journal::new(Header::new("99", "222222222222", &read.header().run));
    read.entries().iter().for_each(|entry| foreign.add(entry.clone()).unwrap());
    let foreign = String::from_utf8(foreign.write()).unwrap();
    for (name, bad, says, hint) in [
        (
            "99.journal",
            good[1].1.replacen("\"is\":\"intent\"", "\"is\":\"guess\"", 1),
            "line 2",
            "sftpctl state rebuild",
        ),
        ("99.journal", good[1].1[..20].to_owned(), "damaged", "sftpctl state rebuild"),
        ("99.journal", good[1].1.replacen("\"version\":1", "\"version\":9", 1), "format 9", "upgrade sftpctl"),
        // The edited line is valid by itself; only its sum is wrong.
        (
            "99.journal",
            good[1].1.replacen("us-west-2/server", "us-east-2/server", 1),
            "line 2",
            "sftpctl state rebuild",
        ),
        ("99.journal", foreign.clone(), "in account 222222222222", "name another place with --state"),
        ("99.lock", good[2].1[..20].to_owned(), "damaged", "sftpctl lock break"),
        ("99.lock", good[2].1.replace("\"serial\"", "\"cereal\""), "damaged", "sftpctl lock break"),
        ("99.lock", good[2].1.replace("\"version\": 1", "\"version\": 9"), "format 9", "upgrade sftpctl"),
        ("99.json", String::new(), "damaged", "sftpctl state rebuild"),
        ("99.json", good[0].1.replace("\"version\": 1", "\"version\": 9"), "format 9", "upgrade sftpctl"),
    ] {
        restore();
        records.write(name, &bad);
        let refused = site.ends_with(2, &["deploy", "--env", "99", "--local", "--yes"]);
        assert!(refused.contains(says) && refused.contains(hint), "{name}: {refused}");
        for (other, text) in &good {
            let expected = if other == name { &bad } else { text };
            // The lock is taken before the journal is read, and is released again.
            assert!(other == "99.lock" && name != "99.lock" || records.read(other) == *expected, "{name}: {other}");
        }
        // Only the command in the hint repairs it.
        let repaired = match hint {
            "sftpctl state rebuild" => site.run(&REBUILD),
            "sftpctl lock break" => {
                let refused = site.ends_with(3, &BREAK);
                assert!(refused.contains("--yes") && records.read(name) == bad, "{refused}");
                site.run(&[&BREAK[..], &["--yes"]].concat())
            }
            _ => {
                site.ends_with(2, &REBUILD);
                assert_eq!(records.read(name), bad, "{name}");
                continue;
            }
        };
        assert!(repaired.status.success(), "{name}: {}", shown(&repaired));
        site.ok(&REBUILD);
    }
    restore();
    let refused = site.ends_with(2, &[&REBUILD[..], &["--region", "us-west-2"]].concat());
    assert!(refused.contains("omit --region"), "{refused}");
    // A valid journal of another account is not put aside.
    records.write("99.json", "{");
    records.write("99.journal", &foreign);
    site.ends_with(2, &REBUILD);
    assert_eq!(records.read("99.json"), "{");
    // Only the state is damaged: the journal with the unfinished work of a killed run is kept.
    restore();
    records.write("99.json", "{");
    let put_aside = shown(&site.run(&REBUILD));
    assert!(put_aside.contains("99.json.aside-") && !put_aside.contains("99.journal.aside-"), "{put_aside}");
}

/// The arguments of `sftpctl state …` on the local cloud.
fn local<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["state", command, "--env", "99", "--local"], more].concat()
}

#[test]
fn state_moves_from_a_folder_to_s3() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    let place = format!("s3://{BUCKET}/moved");
    let in_words = ["--state", ".sftpctl/local/../local/state/"];
    let refused =
        site.ends_with(2, &local("move", &[&["--to", ".sftpctl/local/state", "--yes"][..], &in_words].concat()));
    assert!(refused.contains("already"), "{refused}");
    let records = Records::of(&site);
    let run = records.begin(600);
    records.runtime.block_on(run.journal().intend(&server(), Action::Update, "server")).unwrap();
    records.runtime.block_on(run.end()).unwrap();
    let show = |place: &[&str]| -> Value {
        serde_json::from_str(&site.ok(&local("show", &[&["--output", "json"], place].concat()))).unwrap()
    };
    let before = show(&[]);
    let refused = site.ends_with(3, &local("move", &["--to", &place]));
    assert!(refused.contains("--yes"), "{refused}");
    let moved = site.run(&local("move", &["--to", &place, "--yes"]));
    assert!(succeeded("move", &moved).contains(&format!("place: \"{place}/\"")), "{}", shown(&moved));
    let moved_state = show(&["--state", &place]);
    assert_eq!(moved_state["unfinished"], before["unfinished"]);
    assert_eq!(moved_state["unfinished"].as_array().unwrap().len(), 1);
    assert_eq!(site.ok(&local("list", &["--state", &place])).trim(), "99");
    let listed: Value =
        serde_json::from_str(&site.ok(&local("list", &["--state", &place, "--output", "json"]))).unwrap();
    assert_eq!(listed["environments"], serde_json::json!(["99"]));
    let left = site.ends_with(2, &local("show", &[]));
    assert!(left.contains("has moved to") && left.contains(&format!("--state {place}")), "{left}");
}

/// Counts the calls for the state in S3, by the local cloud's own log. The bucket is in a region that nothing else uses,
/// which distinguishes its calls.
#[test]
fn state_writes_of_a_deployment_are_bounded() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET, "eu-central-1"]);
    let state = format!("s3://{BUCKET}/counted?region=eu-central-1");
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", &state];
    let log = || -> Vec<Value> { serde_json::from_str(&site.aws(&["fetch", "/_sftpctl/calls/log"])).unwrap() };
    let before = log().len();
    let start = std::time::Instant::now();
    site.ok(&arguments);
    let quarters = usize::try_from(start.elapsed().as_secs() / 5 + 1).unwrap();
    let calls = log().split_off(before);
    let of_state = |call: &&Value| call["region"] == "eu-central-1";
    let count = |operation: &str| calls.iter().filter(of_state).filter(|call| call["operation"] == operation).count();
    let changes = calls.iter().filter(|call| !of_state(call) && call["mutating"] == true).count();
    let (writes, reads) = (count("PutObject"), count("GetObject"));
    assert!(changes > 30 && writes > 10, "{changes} changes, {writes} writes");
    assert!(writes <= changes + 2 * quarters + 10, "{writes} writes for {changes} changes in {quarters} quarters");
    // What a write that takes too long has done is read.
    assert!(reads <= 6 + quarters, "{reads} reads in {quarters} quarters");
    assert_eq!(calls.iter().filter(of_state).count(), writes + reads + count("GetBucketVersioning"));
}
