//! `history`: what customers did over SFTP, listed, shown, restored, and exported to git.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sftpctl_files::history::restore::run as restore;
use sftpctl_files::history::selection::Selection;
use sftpctl_files::history::show::Which;
use sftpctl_files::history::source::Bucket;

use super::faults::front;
use super::users_import::{faults, spawned};
use crate::site::{Login, Running, Site, shown, succeeded, until};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";
/// A time after all sessions have ended.
const END: [&str; 2] = ["--until", "2100-01-01"];

struct Customer {
    site: Site,
    login: Login,
    port: u16,
}

impl Customer {
    fn new() -> Self {
        Self::with("")
    }

    fn with(settings: &str) -> Self {
        let site = Site::deployed(settings);
        let login = site.add(17578, "me@example.com", "Fake-Password-1");
        let port = site.port(WEST);
        Self { site, login, port }
    }

    /// Runs commands of OpenSSH's `sftp`.
    fn sftp(&self, batch: &str) {
        succeeded(batch, &self.site.sftp(self.port, &self.login, batch));
    }

    /// Uploads a file with this content.
    fn put(&self, name: &str, content: &str) {
        std::fs::write(self.site.dir.path().join("local"), content).unwrap();
        self.sftp(&format!("put local \"{name}\"\n"));
    }

    /// What the customer has under a name; `None`: nothing.
    fn get(&self, name: &str) -> Option<String> {
        let output = self.site.sftp(self.port, &self.login, &format!("get \"{name}\" downloaded\n"));
        output.status.success().then(|| std::fs::read_to_string(self.site.dir.path().join("downloaded")).unwrap())
    }

    fn arguments<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["history", verb, "--env", "99", "--local", "--orgid", "17578", "--output", "json"], more].concat()
    }

    /// The lines of a `history` command that succeeds.
    fn history(&self, verb: &str, more: &[&str]) -> Vec<Value> {
        let output = self.site.ok(&Self::arguments(verb, more));
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn export(&self, repository: &str, more: &[&str]) -> Value {
        self.history("export", &[&["--git", repository], more].concat()).pop().unwrap()
    }

    fn git(&self, repository: &str, arguments: &[&str]) -> String {
        git(&self.site.dir.path().join(repository), arguments)
    }

    /// Puts two files, one after the other has become a commit of the repository.
    fn puts_what_is_exported(&self, repository: &str) {
        let dir = self.site.dir.path().join(repository);
        let newest = || {
            let mut git = Command::new("git");
            let output = git.arg("--git-dir").arg(&dir).args(["log", "-1", "--format=%s", "main"]).output();
            String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
        };
        for name in ["a.csv", "b.csv"] {
            self.put(name, "content\n");
            until(name, || (newest() == format!("write {name}")).then_some(()));
        }
    }

    /// Waits until S3's clock shows another second than before.
    fn next_second(&self) -> String {
        let now = jiff::Timestamp::now();
        let later = now.as_second() + 1;
        until("the next second", || (jiff::Timestamp::now().as_second() > later).then_some(()));
        jiff::Timestamp::from_second(now.as_second()).unwrap().to_string()
    }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("--git-dir").arg(dir).args(arguments).output().unwrap();
    succeeded(&format!("git {arguments:?}"), &output)
}

fn texts<'a>(lines: &'a [Value], name: &str) -> Vec<&'a str> {
    lines.iter().map(|line| line[name].as_str().unwrap()).collect()
}

#[test]
fn versions_are_listed_shown_and_restored() {
    let me = Customer::new();
    me.put("orders.csv", "one\n");
    me.put("orders.csv", "two\n");
    me.sftp("rm orders.csv\n");
    let versions = me.history("list", &["--path", "orders.csv"]);
    assert_eq!(versions.iter().map(|version| &version["deleted"]).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(versions.iter().map(|version| &version["current"]).collect::<Vec<_>>(), [true, false, false]);
    let ids = texts(&versions, "version");
    let human = me.site.ok(&["history", "list", "--env", "99", "--local", "--username", "me@example.com"]);
    assert!(human.contains("deleted") && human.contains("4 B") && human.contains(ids[2]), "{human}");
    let cluster = ["history", "list", "--env", "99", "--local", "--cluster", "99-5", "--path", "17578/orders.csv"];
    assert_eq!(me.site.ok(&cluster).lines().count(), 3);
    assert_eq!(me.history("list", &["--limit", "1"]).len(), 1);
    assert_eq!(me.history("list", &["--until", "2000-01-01"]).len(), 0);

    // To a pipe as it is, to a file only once.
    let show = ["history", "show", "orders.csv", "--env", "99", "--local", "--orgid", "17578", "--version"];
    let output = me.site.run(&[&show[..], &[ids[2]]].concat());
    assert_eq!(output.stdout, b"one\n", "{}", shown(&output));
    assert!(shown(&output).contains("compared: "), "{}", shown(&output));
    // A reader that has enough ends it quietly.
    let mut command = me.site.command(&[&show[..], &[ids[2]]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", shown(&output));
    let saved = [&show[..], &[ids[1], "--to", "saved.csv"]].concat();
    me.site.ok(&saved);
    assert_eq!(std::fs::read_to_string(me.site.dir.path().join("saved.csv")).unwrap(), "two\n");
    assert!(me.site.ends_with(3, &saved).contains("saved.csv exists"));
    let marker = me.site.ends_with(2, &[&show[..], &[ids[0]]].concat());
    assert!(marker.contains("it was deleted at"), "{marker}");
    let none = me.site.ends_with(2, &[&show[..], &["00000000000000000000000000000000"]].concat());
    assert!(none.contains("has no version") && none.contains("sftpctl history list"), "{none}");

    // One version, without a question only with --yes; once is enough.
    let restore = ["orders.csv", "--version", ids[2]];
    let refused = me.site.ends_with(3, &Customer::arguments("restore", &restore));
    assert!(refused.contains("--yes"), "{refused}");
    assert_eq!(me.get("orders.csv"), None);
    let dry = me.history("restore", &[&restore[..], &["--dry-run"]].concat());
    assert_eq!((&dry[0]["toCopy"], &dry[0]["dryRun"]), (&1.into(), &true.into()), "{dry:?}");
    let done = me.history("restore", &[&restore[..], &["--yes"]].concat());
    assert_eq!(done[0]["restored"]["copied"], 1, "{done:?}");
    assert_eq!(me.get("orders.csv").as_deref(), Some("one\n"));
    let again = me.history("restore", &[&restore[..], &["--yes"]].concat());
    assert_eq!((&again[0]["toCopy"], &again[0]["same"]), (&0.into(), &1.into()), "{again:?}");
    // A name that was never there is no success.
    let mistyped = ["oders.csv", "--at", "2026-01-01T00:00:00Z", "--yes"];
    let nothing = me.site.ends_with(2, &Customer::arguments("restore", &mistyped));
    assert!(nothing.contains("nothing has ever been stored") && nothing.contains("history list"), "{nothing}");
}

/// By the servers' logs, which know nothing of what is written without them.
#[test]
fn versions_have_authors_where_the_logs_know_them() {
    let me = Customer::new();
    me.site.aws(&["put-object", BUCKET, "17578/other.csv", "by the application"]);
    me.put("upload.tmp", "one\n");
    me.sftp("rename upload.tmp orders.csv\n");
    me.sftp("rm orders.csv\n");
    let versions = until("the line of the deletion", || {
        let versions = me.history("list", &["--path", "orders.csv", "--who"]);
        versions[0]["who"].is_object().then_some(versions)
    });
    let of = |name: &str| versions.iter().map(|version| version["who"][name].clone()).collect::<Vec<_>>();
    let (user, address) = (Value::from("me@example.com"), Value::from("127.0.0.1"));
    assert_eq!(of("user"), [user.clone(), user], "{versions:?}");
    assert_eq!(of("source"), [address.clone(), address]);
    assert_eq!(of("region"), [WEST, WEST]);
    let other = me.history("list", &["--path", "other.csv", "--who"]);
    assert!(other.len() == 1 && other[0].get("who") == Some(&Value::Null), "{other:?}");
    assert!(me.history("list", &[]).iter().all(|version| version.get("who").is_none()));
    let id = texts(&versions, "version")[1];
    let saved = me.history("show", &["orders.csv", "--version", id, "--to", "saved.csv", "--who"]);
    assert_eq!(saved[0]["who"]["user"], "me@example.com", "{saved:?}");
    let list = ["history", "list", "--env", "99", "--local", "--orgid", "17578", "--who"];
    let human = me.site.ok(&list);
    assert!(human.contains("by me@example.com from 127.0.0.1") && human.contains("by unknown"), "{human}");
    // A region without its log is named; the versions are shown.
    me.site.oracle("logs.py", &["remove", WEST, &format!("/aws/vendedlogs/transfer/99-upload-{WEST}")]);
    let said = me.site.ends_with(6, &list);
    assert!(said.contains("not read: us-west-2: the log group") && said.contains("by unknown"), "{said}");
}

/// What was exported of the version `null` stays, and what replaces it is exported.
#[test]
fn versions_of_a_bucket_with_suspended_versioning_are_exported() {
    let me = Customer::new();
    me.put("a.csv", "kept\n");
    me.export("r", &END);
    me.site.aws(&["versioning", BUCKET, "Suspended"]);
    for content in ["one\n", "two\n"] {
        me.next_second();
        me.put("a.csv", content);
        me.export("r", &END);
    }
    me.next_second();
    me.sftp("rm a.csv\n");
    me.export("r", &END);
    let again = me.export("r", &END);
    assert_eq!(again["commits"], 0, "{again}");
    let log = me.git("r", &["log", "--reverse", "--format=%s", "main"]);
    assert_eq!(log.lines().collect::<Vec<_>>(), ["write a.csv", "write a.csv", "write a.csv", "delete a.csv"]);
    let shown = |before: usize| me.git("r", &["show", &format!("main~{before}:a.csv")]);
    assert_eq!([3, 2, 1].map(shown), ["kept\n", "one\n", "two\n"]);
}

/// While versioning is suspended, a copy or a deletion replaces the version `null`.
#[test]
fn nothing_is_restored_in_a_bucket_that_keeps_no_versions() {
    let me = Customer::new();
    me.put("kept.csv", "one\n");
    let then = me.next_second();
    let list = ["history", "list", "--env", "99", "--local", "--orgid", "17578"];
    let is_gap_told = || shown(&me.site.run(&list)).contains("those that it replaced are not in S3");
    assert!(!is_gap_told());
    let versioning = |status: &str| me.site.aws(&["versioning", BUCKET, status]);
    versioning("Suspended");
    me.put("kept.csv", "two\n");
    assert!(is_gap_told());
    for more in [&["--dry-run"][..], &["--yes"], &["--yes", "--exact"]] {
        let restore = [&["kept.csv", "--at", &then][..], more].concat();
        let said = me.site.ends_with(3, &Customer::arguments("restore", &restore));
        assert!(said.contains("does not keep versions now") && said.contains("Status=Enabled"), "{said}");
        assert_eq!(me.get("kept.csv").as_deref(), Some("two\n"));
    }
    versioning("Enabled");
    let done = me.history("restore", &["kept.csv", "--at", &then, "--yes"]);
    assert_eq!(done[0]["restored"]["copied"], 1, "{done:?}");
    assert_eq!(me.get("kept.csv").as_deref(), Some("one\n"));
    me.site.ok(&Customer::arguments("show", &["kept.csv", "--version", "null", "--to", "saved.csv"]));
    assert_eq!(std::fs::read_to_string(me.site.dir.path().join("saved.csv")).unwrap(), "two\n");
}

#[test]
fn folder_is_restored_as_of_a_time() {
    let me = Customer::new();
    me.sftp("mkdir in\nmkdir out\n");
    me.put("in/kept", "kept\n");
    me.put("in/changed", "before\n");
    me.put("in/removed", "back again\n");
    me.put("out/other", "before\n");
    let then = me.next_second();
    me.put("in/changed", "after\n");
    me.put("in/new", "new\n");
    me.put("out/other", "after\n");
    me.sftp("rm in/removed\n");

    let at = ["in/", "--at", &then, "--yes"];
    let done = me.history("restore", &at);
    assert_eq!((&done[0]["restored"]["copied"], &done[0]["kept"]), (&2.into(), &1.into()), "{done:?}");
    let content = |name: &str| me.get(name);
    assert_eq!(content("in/changed").as_deref(), Some("before\n"));
    assert_eq!(content("in/removed").as_deref(), Some("back again\n"));
    assert_eq!(content("in/new").as_deref(), Some("new\n"), "what did not exist then is kept");
    assert_eq!(content("out/other").as_deref(), Some("after\n"), "another folder is left alone");

    // A run that was killed after its first call is resumed.
    me.put("in/changed", "after\n");
    me.put("in/kept", "after\n");
    faults(&me.site, &[&["s3.CopyObject", "hold-after", "--count", "1"]]);
    let mut killed = spawned(&me.site, &Customer::arguments("restore", &[&at[..], &["--exact"]].concat()));
    until("a copy", || (front(&me.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    me.site.ok(&["local", "faults", "clear"]);
    let done = me.history("restore", &[&at[..], &["--exact"]].concat());
    assert!(done[0]["same"].as_u64().unwrap() >= 1, "{done:?}");
    assert_eq!(content("in/changed").as_deref(), Some("before\n"));
    assert_eq!(content("in/kept").as_deref(), Some("kept\n"));
    assert_eq!(content("in/new"), None, "--exact");
    // Of a file that is removed already nothing is left to do.
    me.put("in/new", "new\n");
    for removed in [1, 0] {
        let done = me.history("restore", &["in/new", "--at", &then, "--exact", "--yes"]);
        assert_eq!(done[0]["toRemove"], removed, "{done:?}");
    }

    // A customer writes after the plan: the upload stays.
    me.put("in/changed", "after\n");
    faults(&me.site, &[&["s3.CopyObject", "hold-before", "--count", "1", "--object", "17578/in/changed"]]);
    let restore = Customer::arguments("restore", &at);
    let command = me.site.command(&restore).stdout(Stdio::piped()).spawn().unwrap();
    until("the copy", || (front(&me.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(()));
    me.put("in/changed", "newer\n");
    front(&me.site, "POST", "faults/release");
    let output = command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["restored"]["overtaken"][0], "17578/in/changed", "{line}");
    assert_eq!(content("in/changed").as_deref(), Some("newer\n"));
}

#[test]
fn history_becomes_a_git_repository() {
    let me = Customer::new();
    me.put("a.csv", "one\n");
    me.put("a.csv", "two\n");
    me.sftp("rename a.csv b.csv\n");
    me.put("c.csv", "three\n");
    me.sftp("rm c.csv\n");
    let first = me.export("repository", &END);
    assert_eq!((&first["commits"], &first["openChanges"]), (&3.into(), &0.into()), "{first}");
    let log = me.git("repository", &["log", "--reverse", "--format=%an <%ae>|%s", "main"]);
    let expected = [
        "17578 <17578@pl-pt99-5-uploads>|write a.csv",
        "17578 <17578@pl-pt99-5-uploads>|3 files: 2 written, 1 deleted",
        "17578 <17578@pl-pt99-5-uploads>|delete c.csv",
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    assert_eq!(me.git("repository", &["cat-file", "-p", "main:b.csv"]), "two\n");
    assert_eq!(me.git("repository", &["cat-file", "-p", "main~1:c.csv"]), "three\n");
    assert_eq!(me.git("repository", &["cat-file", "-p", "main~2:a.csv"]), "one\n");
    // Git's date is S3's.
    let versions = me.history("list", &["--path", "c.csv"]);
    let date = me.git("repository", &["log", "-1", "--format=%cI", "main"]);
    let date: jiff::Timestamp = date.trim().parse().unwrap();
    assert_eq!(date.to_string(), versions[0]["time"].as_str().unwrap());

    // Sessions are over for certain, so that later runs add to what this one exports.
    let sure = [&END[..], &["--quiet", "0"]].concat();
    me.next_second();
    me.export("twice", &sure);

    // Names that would be git's own, written by another program.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let s3 = me.site.aws_of("111111111111").await.s3(WEST);
        for key in [".git/config", "x/.GIT/hooks/post-checkout", "git~1", "d", "d/e", ".gitmodules", "Müller \"x\".txt"]
        {
            s3.put(BUCKET, &format!("17578/{key}"), "hostile\n".into(), true).await.unwrap();
        }
        s3.put(BUCKET, "175781/other", "of another customer\n".into(), true).await.unwrap();
    });
    me.put("large", "more than ten bytes\n");
    let second = me.export("repository", &END);
    assert_eq!(second["escaped"], 4, "{second}");
    let files = me.git("repository", &["-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", "main"]);
    let expected = [
        "%2Egit/config",
        "%2Egitmodules",
        "%67it%7E1",
        "Müller \"x\".txt",
        "b.csv",
        "d%2F",
        "d/e",
        "large",
        "x/%2EGIT/hooks/post-checkout",
    ];
    assert_eq!(files.split_terminator('\0').collect::<Vec<_>>(), expected);
    me.git("repository", &["fsck", "--strict"]);
    assert_eq!(me.export("repository", &END)["commits"], 0);

    // In one go: the same commits.
    let (once, twice) = (me.export("once", &sure), me.export("twice", &sure));
    assert!(twice["commits"].as_u64() > Some(0) && twice["commits"].as_u64() < once["commits"].as_u64(), "{twice}");
    assert_eq!(once["commit"], twice["commit"], "{once}");
    // Sessions that may go on wait.
    let early = me.export("early", &[]);
    assert!(early["commits"] == 0 && early["commit"].is_null(), "{early}");

    // Large files are pointers, and the options of a repository stay.
    me.export("pointers", &[&END[..], &["--max-blob", "10"]].concat());
    let pointer = me.git("pointers", &["cat-file", "-p", "main:large"]);
    let version = me.history("list", &["--path", "large"])[0]["version"].as_str().unwrap().to_owned();
    assert!(pointer.contains("\nsize 20\n") && pointer.contains(&format!("x-s3-version-id {version}\n")), "{pointer}");
    let other = me.site.ends_with(2, &Customer::arguments("export", &["--git", "pointers"]));
    assert!(other.contains("other settings"), "{other}");
    std::fs::create_dir(me.site.dir.path().join("mine")).unwrap();
    std::fs::write(me.site.dir.path().join("mine/file"), "x").unwrap();
    let foreign = me.site.ends_with(2, &Customer::arguments("export", &["--git", "mine"]));
    assert!(foreign.contains("not a repository of an export"), "{foreign}");

    // The whole cluster: a path begins with the customer's folder, who is the author.
    me.site.ok(&[
        "history",
        "export",
        "--git",
        "cluster",
        "--env",
        "99",
        "--local",
        "--cluster",
        "99-5",
        END[0],
        END[1],
    ]);
    let authors = me.git("cluster", &["log", "--format=%an", "main", "--", "175781"]);
    assert_eq!(authors.trim(), "175781");
    assert_eq!(me.git("cluster", &["cat-file", "-p", "main:17578/b.csv"]), "two\n");
}

#[test]
fn export_that_was_killed_is_resumed() {
    let me = Customer::new();
    for number in 0..6 {
        me.put("a.csv", &format!("{number}\n"));
    }
    faults(&me.site, &[&["s3.GetObject", "hold-before", "--skip", "4", "--count", "1"]]);
    let arguments = Customer::arguments("export", &[&["--git", "killed"], &END[..]].concat());
    let mut killed = spawned(&me.site, &arguments);
    until("a download", || (front(&me.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    me.site.ok(&["local", "faults", "clear"]);
    // Git ends with its input.
    let resumed = until("the repository", || {
        let output = me.site.run(&arguments);
        (output.status.code() != Some(5)).then_some(output)
    });
    assert!(resumed.status.success(), "{}", shown(&resumed));
    let resumed: Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!(resumed["commit"], me.export("whole", &END)["commit"]);
    assert_eq!(me.git("killed", &["rev-list", "--count", "main"]).trim(), "6");
}

/// It outlasts faults, exports what comes, and ends when it is asked to.
#[test]
fn watch_exports_what_comes_until_it_is_stopped() {
    let me = Customer::new();
    let often = ["--git", "watched", "--interval", "1", "--delay", "0", "--quiet", "0"];
    // One that the SDK does not retry itself.
    faults(&me.site, &[&["s3.ListObjectVersions", "error=400:Throttled:not now", "--count", "2"]]);
    let mut command = me.site.command(&Customer::arguments("watch", &often));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    me.puts_what_is_exported("watched");
    assert!(child.try_wait().unwrap().is_none());
    succeeded("SIGINT", &Command::new("kill").args(["-INT", &child.id().to_string()]).output().unwrap());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(shown(&output).contains("s3:ListBucketVersions"), "the fault is told: {}", shown(&output));
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["commits"] == 1), "{lines:?}");
    let whole = me.export("whole", &["--until", "2100-01-01", "--quiet", "0"]);
    assert_eq!(me.git("watched", &["rev-parse", "main"]).trim(), whole["commit"].as_str().unwrap());
    // Only a fault that passes is outlasted.
    me.git("watched", &["update-ref", "refs/heads/main", "main~1"]);
    let refused = me.site.ends_with(3, &Customer::arguments("watch", &often));
    assert!(refused.contains("has been changed"), "{refused}");
}

/// With messages, what comes is exported long before the next interval; and one that is not there says so.
#[test]
fn watch_takes_the_messages_of_the_queue() {
    let settings = "files: { events: true, history_events: true }\n";
    let me = Customer::with(settings);
    let rarely = ["--git", "watched", "--interval", "86400", "--delay", "0", "--quiet", "0", "--events"];
    let mut command = me.site.command(&Customer::arguments("watch", &rarely));
    let child = Running(command.stdout(Stdio::null()).spawn().unwrap());
    me.puts_what_is_exported("watched");
    drop(child);
    // A pull gets the same messages from its own queue.
    let waiting = until("the messages of the other queue", || {
        let said = me.site.aws(&["waiting", WEST, "99-upload-99-5-events"]);
        said.parse::<u64>().ok().filter(|count| *count >= 2)
    });
    assert!(waiting >= 2);
    for (without, words) in [("files: { events: true }\n", "messages of `pull --watch`"), ("", "does not have")] {
        me.site.edit(|file| file.replace(settings, without).replace("files: { events: true }\n", without));
        let refused = me.site.ends_with(2, &Customer::arguments("watch", &rarely));
        assert!(refused.contains(words), "{refused}");
        assert!(refused.contains("files: { events: true, history_events: true }"), "{refused}");
    }
}

/// Of a time before the versions that are kept, nobody knows which files existed: none of them is removed.
#[test]
fn restoration_removes_nothing_that_a_rule_may_have_forgotten() {
    let site = Site::deployed("files: { keep_old_versions_days: 30 }\n");
    let login = site.add(17578, "me@example.com", "Fake-Password-1");
    let port = site.port(WEST);
    let me = Customer { site, login, port };
    me.put("a.csv", "one\n");
    let long_ago = ["/", "--at", "2020-01-01", "--yes"];
    let refused = me.site.ends_with(3, &Customer::arguments("restore", &[&long_ago[..], &["--exact"]].concat()));
    assert!(refused.contains("30 days") && refused.contains("would remove them"), "{refused}");
    let kept = me.history("restore", &long_ago);
    assert!(kept[0]["toRemove"] == 0 && kept[0]["kept"].as_u64() >= Some(1), "{kept:?}");
    let today = jiff::Timestamp::now().to_string();
    me.history("restore", &["/", "--at", &today, "--exact", "--dry-run"]);
}

/// More versions than S3 lists at once, and a version that is copied in parts.
#[test]
fn long_histories_and_large_files_are_restored() {
    let me = Customer::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let key = "17578/many";
    let bucket = runtime.block_on(async {
        let s3 = me.site.aws_of("111111111111").await.s3(WEST);
        for number in 0..1_010 {
            s3.put(BUCKET, key, number.to_string().into(), false).await.unwrap();
        }
        // One name with a control character does not make the others unreadable.
        s3.put(BUCKET, "17578/odd \u{1} + %&", "odd".into(), false).await.unwrap();
        Bucket { s3, name: BUCKET.to_owned() }
    });
    let versions = me.history("list", &["--path", "many"]);
    assert_eq!(versions.len(), 1_010);
    let first = versions.last().unwrap()["version"].as_str().unwrap();
    me.history("restore", &["many", "--version", first, "--yes"]);
    assert_eq!(me.get("many").as_deref(), Some("0"));
    let all = me.export("repository", &[&END[..], &["--quiet", "0"]].concat());
    assert_eq!(all["changes"], 1_012, "{all}");
    // The last two of the uploads above may be of one second, and so of one commit.
    assert!([1_011, 1_012].map(Value::from).contains(&all["commits"]), "{all}");
    let contents = me.git("repository", &["log", "--format=%s", "main"]);
    assert_eq!(contents.lines().count() as u64, all["commits"].as_u64().unwrap());
    assert_eq!(me.git("repository", &["show", "main:odd %01 + %&"]), "odd");

    // 12 MB in parts of 5 MiB, which S3 allows only above 5 GiB.
    let large: Vec<u8> = (0..12_000_000_u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
    let copied = runtime.block_on(async {
        bucket.s3.put(BUCKET, "17578/large", large.clone().into(), true).await.unwrap();
        let then = bucket.s3.version_head(BUCKET, "17578/large", None).await.unwrap().unwrap();
        bucket.s3.put(BUCKET, "17578/large", "small".into(), false).await.unwrap();
        let (region, home, path) = (WEST.to_owned(), "17578/".to_owned(), "large".to_owned());
        let selection = Selection { bucket: BUCKET.to_owned(), region, home, path };
        let plan = restore::plan(&bucket, &selection, &Which::Version(then.id), false).await.unwrap();
        restore::run(&bucket, plan, 5 << 20, &|| false).await.unwrap()
    });
    assert!(copied.copied == 1 && copied.failed.is_empty(), "{copied:?}");
    me.sftp("get large downloaded\n");
    assert_eq!(std::fs::read(me.site.dir.path().join("downloaded")).unwrap(), large);
}
