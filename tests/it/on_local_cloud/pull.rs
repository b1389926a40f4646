//! `sftpctl pull`: what customers uploaded arrives whole and once, whatever happens meanwhile. Every run has the permissions
//! of `sftpctl policy agent` alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sftpctl_aws::S3;

use super::faults::front;
use crate::site::{Running, Site, shown, succeeded, text, until};

const BUCKET: &str = "pl-pt99-5-uploads";
const CLUSTER: [&str; 6] = ["pull", "--env", "99", "--local", "--cluster", "99-5"];

/// A folder to pull into.
struct Agent<'a> {
    site: &'a Site,
    to: PathBuf,
}

impl<'a> Agent<'a> {
    fn new(site: &'a Site, name: &str) -> Self {
        let to = site.dir.path().join(name);
        std::fs::create_dir(&to).unwrap();
        Self { site, to }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = self.site.command(&CLUSTER);
        command.arg("--to").arg(&self.to).args(["--output", "json"]).args(more);
        command
    }

    /// The events of a run that ends with this code, and its summary.
    fn pull(&self, code: i32, more: &[&str]) -> (Vec<Value>, Value) {
        events(code, &self.command(more).output().unwrap())
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.to.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Every file, but for the pull's own, by its path.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.to, "", &mut files);
        files.sort();
        files
    }
}

fn collect(folder: &Path, path: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name == ".sftpctl-pull" {
            continue;
        }
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        if entry.path().is_dir() { collect(&entry.path(), &path, files) } else { files.push(path) }
    }
}

/// The events of files, and the summary that ends the output.
fn events(code: i32, output: &Output) -> (Vec<Value>, Value) {
    assert_eq!(output.status.code(), Some(code), "{}", shown(output));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |schema: &str| -> Vec<Value> { lines.iter().filter(|line| line["schema"] == schema).cloned().collect() };
    let summary = of("sftpctl/pull/1").pop().unwrap_or_else(|| panic!("{}", shown(output)));
    (of("sftpctl/pull-file/1"), summary)
}

/// The keys of the events of one kind, in order.
fn keys(events: &[Value], kind: &str) -> Vec<String> {
    let of_kind = events.iter().filter(|event| event["event"] == kind);
    let mut keys: Vec<String> = of_kind.map(|event| event["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = size as u64 | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// S3 as somebody who may do everything.
async fn s3(site: &Site) -> S3 {
    site.aws_of("111111111111").await.s3("us-west-2")
}

async fn put(s3: &S3, key: &str, content: &[u8]) {
    s3.put(BUCKET, key, content.to_vec().into(), false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_arrive_whole_and_once() {
    let site = Site::deployed("");
    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    let port = site.port("us-west-2");
    let upload = |name: &str, content: &[u8]| {
        std::fs::write(site.dir.path().join("content"), content).unwrap();
        succeeded(name, &site.sftp(port, &login, &format!("put content {name}\n")));
    };
    let large = noise(21 << 20);
    upload("order.csv", b"an order\n");
    upload("large.bin", &large);
    upload("empty", b"");
    upload("late.csv.filepart", b"half");
    succeeded("mkdir", &site.sftp(port, &login, "mkdir in\nput content in/deep.csv\nmkdir nothing\n"));
    let s3 = s3(&site).await;
    put(&s3, "17579/single.bin", &large).await;
    site.oracle("door.py", &["put", BUCKET, "17579/summed.txt", "123456789", "rosUhgp5mIg="]);

    // A look beforehand changes nothing.
    let agent = Agent::new(&site, "incoming");
    let (seen, summary) = agent.pull(0, &["--orgid", "17578", "--dry-run"]);
    let own = ["17578/empty", "17578/in/deep.csv", "17578/large.bin", "17578/order.csv"];
    assert_eq!(
        (keys(&seen, "wanted"), &summary["wanted"], &summary["unfinished"]),
        (own.map(str::to_owned).into(), &4.into(), &1.into())
    );
    assert_eq!(std::fs::read_dir(&agent.to).unwrap().count(), 0);

    // One organisation, then all.
    let (fetched, summary) = agent.pull(0, &["--orgid", "17578"]);
    assert_eq!((keys(&fetched, "fetched"), &summary["left"]), (own.map(str::to_owned).into(), &0.into()));
    assert_eq!(agent.files(), own);
    assert!(agent.read("17578/large.bin") == large && agent.read("17578/empty").is_empty());
    assert_eq!(agent.read("17578/order.csv"), b"an order\n");
    let (fetched, summary) = agent.pull(0, &[]);
    assert_eq!(keys(&fetched, "fetched"), ["17579/single.bin", "17579/summed.txt"]);
    assert_eq!(summary["known"], 4, "{summary}");
    assert!(agent.read("17579/single.bin") == large);
    let compared: BTreeMap<&str, &str> =
        fetched.iter().map(|event| (event["key"].as_str().unwrap(), event["compared"].as_str().unwrap())).collect();
    assert_eq!(compared, [("17579/single.bin", "crc32"), ("17579/summed.txt", "crc64nvme")].into());
    let summed = fetched.iter().find(|event| event["key"] == "17579/summed.txt").unwrap();
    assert_eq!(summed["crc64nvme"], "rosUhgp5mIg=");
    assert!(summed["version"].as_str().is_some_and(|version| !version.is_empty()), "{summed}");

    // Nothing twice, also if the application has taken a file away; a new upload replaces ours, and is new even with the
    // same content (times of S3 have a resolution of a second).
    std::fs::rename(agent.to.join("17578/in/deep.csv"), site.dir.path().join("taken")).unwrap();
    upload("order.csv", b"another order\n");
    succeeded("rename", &site.sftp(port, &login, "rename late.csv.filepart late.csv\n"));
    let (fetched, _) = agent.pull(0, &[]);
    assert_eq!(keys(&fetched, "fetched"), ["17578/late.csv", "17578/order.csv"]);
    assert_eq!(agent.read("17578/order.csv"), b"another order\n");
    assert!(!agent.files().contains(&"17578/in/deep.csv".to_owned()));
    let (fetched, summary) = agent.pull(0, &[]);
    assert_eq!((fetched.len(), &summary["known"]), (0, &7.into()));

    // What the application has changed is not replaced, unless that is asked for.
    std::fs::write(agent.to.join("17578/order.csv"), "edited").unwrap();
    upload("order.csv", b"the third order\n");
    let (left, _) = agent.pull(6, &[]);
    assert!(left[0]["why"].as_str().unwrap().contains("changed since"), "{left:?}");
    assert_eq!(agent.read("17578/order.csv"), b"edited");
    agent.pull(0, &["--overwrite"]);
    assert_eq!(agent.read("17578/order.csv"), b"the third order\n");

    // Times of modification are those that the uploader noted, and else those of the objects.
    let modified = std::fs::metadata(agent.to.join("17579/summed.txt")).unwrap().modified().unwrap();
    let seconds = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
    assert_eq!(summed["modified"], time.to_string());

    // Patterns, and other clusters.
    let agent = Agent::new(&site, "only-csv");
    upload("again.filepart", b"half");
    let (fetched, _) =
        agent.pull(0, &["--include", "*.csv", "--include", "*.filepart", "--exclude", "17578/late*", "--all-names"]);
    assert_eq!(keys(&fetched, "fetched"), ["17578/again.filepart", "17578/in/deep.csv", "17578/order.csv"]);
    let output = site.run(&["pull", "--env", "99", "--local", "--cluster", "99-4", "--to", "only-csv"]);
    assert_eq!(output.status.code(), Some(2), "the ledger is of another bucket: {}", shown(&output));
    let output = site.run(&["pull", "--env", "99", "--local", "--cluster", "98-1", "--to", "only-csv"]);
    assert!(output.status.code() == Some(2) && shown(&output).contains("its clusters are 99-0"), "{}", shown(&output));
    let output = site.run(&["pull", "--env", "99", "--local", "--cluster", "99-5", "--to", "missing"]);
    assert!(output.status.code() == Some(2) && shown(&output).contains("it is not created"), "{}", shown(&output));

    hostile_keys_are_left(&site, &s3).await;
    failed_hooks_lead_into_quarantine(&site);
}

async fn hostile_keys_are_left(site: &Site, s3: &S3) {
    let hostile =
        ["17580/../x", "17580/a//b", "17580/\u{1b}[31mred", "17580/line\nend", "17580/./y", "17580/a.txt/below"];
    for key in hostile {
        put(s3, key, b"hostile").await;
    }
    put(s3, "17580/a.txt", b"good").await;
    put(s3, &format!("17580/{}", "n".repeat(256)), b"long").await;
    let agent = Agent::new(site, "hostile");
    let foreign = agent.to.join("17580/link");
    std::fs::create_dir(agent.to.join("17580")).unwrap();
    std::os::unix::fs::symlink(site.dir.path(), &foreign).unwrap();
    put(s3, "17580/link/planted", b"planted").await;
    for _ in 0..2 {
        let (events, summary) = agent.pull(6, &["--orgid", "17580"]);
        let left = keys(&events, "left");
        assert_eq!((left.len(), &summary["left"]), (8, &8.into()), "{left:?}");
        assert!(hostile.iter().all(|key| left.iter().any(|left| left == key)), "{left:?}");
        assert_eq!(agent.read("17580/a.txt"), b"good");
    }
    assert!(!site.dir.path().join("planted").exists() && !site.dir.path().join("x").exists());
    // People see them, and a terminal is not harmed.
    let output = site.run(&[&CLUSTER[..], &["--to", "hostile", "--orgid", "17580"]].concat());
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(6) && said.contains("left: 17580/../x: the key has a component"), "{said}");
    assert!(!said.contains('\u{1b}') && text(&output.stdout).contains("8 left or in quarantine"), "{}", shown(&output));
    for key in hostile {
        s3.delete_object(BUCKET, key).await.unwrap();
    }
}

fn failed_hooks_lead_into_quarantine(site: &Site) {
    let agent = Agent::new(site, "hooked");
    let (log, hook) = (site.dir.path().join("hook.log"), site.dir.path().join("hook.sh"));
    // Takes orders and nothing else, as a loader does.
    std::fs::write(&hook, format!("printf '%s %s\\n' \"$SFTPCTL_KEY\" \"$(wc -c < \"$1\")\" >> '{}'; case $1 in *order.csv) ;; *) exit 3 ;; esac", log.display())).unwrap();
    let command = format!("sh {} {{}}", hook.display());
    let hook_is = |command: &str| {
        ["--orgid", "17578", "--include", "*.csv", "--hook", command, "--hook-attempts", "1"].map(str::to_owned)
    };
    let run = |code, command: &str, more: &[&str]| {
        let arguments = hook_is(command);
        let all: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        agent.pull(code, &all)
    };
    let (events, summary) = run(6, &command, &[]);
    assert_eq!(
        (keys(&events, "hooked"), keys(&events, "quarantined")),
        (vec!["17578/order.csv".to_owned()], vec!["17578/in/deep.csv".to_owned(), "17578/late.csv".to_owned()])
    );
    assert_eq!(
        (&summary["fetched"], &summary["hooked"], &summary["quarantined"], &summary["left"]),
        (&3.into(), &1.into(), &2.into(), &2.into())
    );
    assert_eq!(
        agent.files(),
        [".sftpctl-quarantine/17578/in/deep.csv", ".sftpctl-quarantine/17578/late.csv", "17578/order.csv"]
    );
    let logged = |count: usize| {
        let log = std::fs::read_to_string(&log).unwrap();
        assert_eq!(log.lines().count(), count, "{log}");
        log
    };
    assert!(logged(3).contains("17578/order.csv 16\n"));
    // They stay there, and keep being told, until somebody settles it.
    let (events, _) = run(6, &command, &[]);
    assert_eq!(keys(&events, "left"), ["17578/in/deep.csv", "17578/late.csv"]);
    logged(3);
    let (events, _) = run(6, "false", &["--retry-quarantined"]);
    assert_eq!(
        keys(&events, "quarantined"),
        ["17578/in/deep.csv", "17578/late.csv"],
        "brought back, and refused again"
    );
    // What a hook prints cannot command a terminal or a pipeline, whatever the customer has put into it.
    let print = site.dir.path().join("print.sh");
    let hostile = "printf 'tool\\033]0;owned\\007\\342\\200\\256\\n::add-mask::x\\n\\t##vso[task.setvariable]\\n'";
    std::fs::write(&print, format!("{hostile}; {hostile} >&2; exit 1")).unwrap();
    let command_of_print = hook_is(&format!("sh {} {{}}", print.display()));
    let arguments: Vec<&str> = command_of_print.iter().map(String::as_str).chain(["--retry-quarantined"]).collect();
    for output in [
        agent.command(&arguments).output(),
        site.command(&[&CLUSTER[..], &["--to", "hooked"], &arguments].concat()).output(),
    ] {
        let said = text(&output.unwrap().stderr);
        for line in [r"tool\u{1b}]0;owned\u{7}\u{202e}", r"\u{3a}:add-mask::x", r"    #\u{23}vso[task.setvariable]"] {
            assert_eq!(said.lines().filter(|said| *said == line).count(), 4, "{line}: {said:?}");
        }
    }
    // Back in its place, as by a run that was killed before it could note that; and taken away.
    let quarantine = agent.to.join(".sftpctl-quarantine/17578");
    std::fs::rename(quarantine.join("in/deep.csv"), agent.to.join("17578/in/deep.csv")).unwrap();
    std::fs::remove_file(quarantine.join("late.csv")).unwrap();
    let (events, _) = run(0, "true {}", &[]);
    assert_eq!(keys(&events, "hooked"), ["17578/in/deep.csv"]);
    assert_eq!(agent.files(), ["17578/in/deep.csv", "17578/order.csv"]);
    let (events, _) = run(0, &command, &[]);
    assert_eq!(events.len(), 0, "{events:?}");
}

fn faults(site: &Site, rules: &[&[&str]]) {
    site.ok(&["local", "faults", "clear"]);
    for rule in rules {
        site.ok(&[&["local", "faults", "add"], *rule].concat());
    }
}

/// How often the first fault has struck.
fn struck(site: &Site) -> u64 {
    front(site, "GET", "faults")["rules"][0]["applied"].as_u64().unwrap()
}

fn gets(site: &Site) -> u64 {
    front(site, "GET", "calls")["calls"]["s3.GetObject"].as_u64().unwrap_or_default()
}

fn spawn(agent: &Agent<'_>, more: &[&str]) -> Running {
    Running(agent.command(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_meanwhile_files_are_whole() {
    let site = Site::deployed("");
    let s3 = s3(&site).await;

    // Replaced while it is downloaded: small ones and large ones begin again.
    for (key, before, after) in [
        ("1/small", noise(1000), noise(2000)),
        ("1/large", noise(20 << 20), noise(25 << 20)),
        ("1/shrinks", noise(9 << 20), noise(7)),
    ] {
        put(&s3, key, &before).await;
        let agent = Agent::new(&site, &key.replace('/', "-"));
        faults(&site, &[&["s3.GetObject", "delay=3s", "--count", "1"]]);
        let mut running = spawn(&agent, &["--connections", "1", "--include", key]);
        until("the download has begun", || (struck(&site) > 0).then_some(()));
        put(&s3, key, &after).await;
        assert!(running.0.wait().unwrap().success());
        assert!(agent.read(key) == after, "{key}");
        s3.delete_object(BUCKET, key).await.unwrap();
    }

    // S3 throttles, fails and loses answers.
    let content = noise(30 << 20);
    put(&s3, "2/large", &content).await;
    let agent = Agent::new(&site, "faulty");
    faults(
        &site,
        &[
            &["s3.GetObject", "throttle", "--count", "2"],
            &["s3.GetObject", "reset-after", "--count", "2"],
            &["s3.HeadObject", "error500", "--count", "1"],
            &["s3.ListObjectsV2", "throttle", "--count", "1"],
        ],
    );
    agent.pull(0, &[]);
    assert!(agent.read("2/large") == content);

    // Asked to stop.
    let agent = Agent::new(&site, "stopped");
    faults(&site, &[&["s3.GetObject", "delay=400ms"]]);
    let running = agent.command(&["--connections", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the download has begun", || (struck(&site) > 0).then_some(()));
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let (_, summary) = events(130, &running.wait_with_output().unwrap());
    assert_eq!((&summary["interrupted"], agent.files()), (&true.into(), vec![]));

    // Killed in the middle of a large file: what is on the disk is not fetched again.
    let agent = Agent::new(&site, "killed");
    faults(&site, &[&["s3.GetObject", "delay=400ms"]]);
    let mut running = spawn(&agent, &["--connections", "1"]);
    let partial = agent.to.join(".sftpctl-pull/partial");
    let written = || {
        let files = std::fs::read_dir(&partial).into_iter().flatten().map(|entry| entry.unwrap().path());
        let record = files.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "parts"))?;
        // The first line says what the file is.
        (std::fs::read_to_string(record).unwrap().lines().count() > 2).then_some(())
    };
    until("two parts are written", written);
    // Another pull into the folder is refused meanwhile.
    let second = agent.command(&[]).output().unwrap();
    assert_eq!(second.status.code(), Some(5), "{}", shown(&second));
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    assert_eq!(agent.files(), Vec::<String>::new(), "nothing is there before it is whole");
    faults(&site, &[]);
    let before = gets(&site);
    let (fetched, _) = agent.pull(0, &[]);
    assert_eq!(keys(&fetched, "fetched"), ["2/large"]);
    assert!(agent.read("2/large") == content);
    assert!(gets(&site) - before <= 2, "four parts, of which two were there");
    assert_eq!(std::fs::read_dir(&partial).unwrap().count(), 0);

    killed_runs_hand_over_everything(&site, &s3).await;
    put(&s3, "4/large", &content).await;
    put(&s3, "4/small", b"small").await;
    what_does_not_fit_the_disk_keeps_nobody_waiting(&site, &content);
    what_the_disk_loses_gets_no_name(&site, &s3).await;
}

/// Kills runs after their first, fifth, … file: in the end each file is there, and the hook ran once for each, but for those
/// whose hook ran when the run was killed.
async fn killed_runs_hand_over_everything(site: &Site, s3: &S3) {
    let names: Vec<String> = (0..40).map(|number| format!("3/file-{number:02}")).collect();
    for name in &names {
        put(s3, name, name.as_bytes()).await;
    }
    let agent = Agent::new(site, "killed-often");
    let log = site.dir.path().join("often.log");
    let hook = site.dir.path().join("often.sh");
    std::fs::write(&hook, format!("echo \"$SFTPCTL_KEY\" >> '{}'", log.display())).unwrap();
    let hook = format!("sh {}", hook.display());
    let more = ["--orgid", "3", "--connections", "16", "--hook", &hook];
    let kills = [1, 5, 2, 9];
    for after in kills {
        let mut running = spawn(&agent, &more);
        let lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let files = lines.filter(|line| line.contains("\"fetched\"") || line.contains("\"hooked\""));
        assert!(files.take(after).count() > 0 || after > 1);
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    agent.pull(0, &more);
    assert_eq!(agent.files(), names);
    assert!(names.iter().all(|name| agent.read(name) == name.as_bytes()));
    // The hooks of killed runs may still be running.
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        *counts.entry(line.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), names);
    assert!(counts.values().sum::<usize>() <= names.len() + kills.len(), "{counts:?}");
    let (events, _) = agent.pull(0, &more);
    assert_eq!(events.len(), 0, "{events:?}");
}

/// A small file system in namespaces of its own, where this machine permits them.
fn what_does_not_fit_the_disk_keeps_nobody_waiting(site: &Site, content: &[u8]) {
    let small = |size: &str, script: &str| {
        let agent = format!("mount -t tmpfs -o size={size} tmpfs full && {script}");
        let mut command = site.command(&[]);
        let program = command.get_program().to_owned();
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user", "--mount", "sh", "-c", &agent, "sh"]).arg(program);
        command = with_environment(inside, &command);
        command.output().unwrap()
    };
    std::fs::create_dir(site.dir.path().join("full")).unwrap();
    if !small("1m", "true").status.success() {
        // Containers often forbid them; a ledger that cannot be written is a disk that cannot be written, too.
        let agent = Agent::new(site, "unwritable");
        let output = agent.command(&["--ledger", "/proc/ledger"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        return;
    }
    let pull = "pull() { \"$1\" pull --env 99 --local --cluster 99-5 --to full --orgid 4; }; pull \"$1\"; code=$?; \
                cat full/4/small; ls full/4; mount -o remount,size=100m full; pull \"$1\"; \
                echo $code $? $(wc -c < full/4/large)";
    let output = small("10m", pull);
    let said = shown(&output);
    assert!(said.contains(&format!("4/large: it needs {} bytes, and the disk has", content.len())), "{said}");
    let out = text(&output.stdout);
    assert!(out.contains("smallsmall\n") && out.contains(&format!("6 0 {}", content.len())), "{said}");
    // Where nothing can be written, nothing else is tried.
    let pull = "mkdir -p full/.sftpctl-pull/partial; chmod -R 700 full/.sftpctl-pull; \
                head -c 2m /dev/zero > full/filler; \"$1\" pull --env 99 --local --cluster 99-5 --to full --orgid 4; echo $?";
    let output = small("1m", pull);
    let said = shown(&output);
    assert!(said.contains("No space left") && text(&output.stdout).ends_with("1\n"), "{said}");
}

/// A disk that takes every file and then cannot keep it: what has a name, and what the ledger says, is on it after a new
/// mount. Needs root and loop devices.
async fn what_the_disk_loses_gets_no_name(site: &Site, s3: &S3) {
    let content = noise(100_000);
    for number in 0..60 {
        put(s3, &format!("5/file-{number:02}"), &content).await;
    }
    for folder in ["back", "lossy", "kept"] {
        std::fs::create_dir(site.dir.path().join(folder)).unwrap();
    }
    // The answers come together, so that the files become durable together.
    faults(site, &[&["s3.GetObject", "delay=400ms"]]);
    // Inodes that have been used have their place on the disk. A loop device takes a request that was written in part for
    // written (`lo_complete_rq` in Linux's loop.c), which nobody could see, so that each is of one page here.
    let script = "mount -t tmpfs -o size=4m tmpfs back && truncate -s 64m back/disk && \
                  mkfs.ext4 -q -b 4096 -O ^has_journal back/disk && disk=$(losetup -f --show back/disk) || exit 42; \
                  echo 4 > /sys/block/${disk#/dev/}/queue/max_sectors_kb && mount $disk lossy || \
                  { losetup -d $disk; exit 42; }; \
                  touch $(seq -f lossy/%g 300); sync -f lossy; rm $(seq -f lossy/%g 300); \
                  \"$1\" pull --env 99 --local --cluster 99-5 --to lossy --orgid 5 --ledger kept.jsonl; code=$?; \
                  umount lossy && mount $disk lossy && cp -r lossy/5 kept; umount lossy; losetup -d $disk; exit $code";
    let command = site.command(&[]);
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "sh", "-c", script, "sh"]).arg(command.get_program());
    let output = with_environment(inside, &command).output().unwrap();
    faults(site, &[]);
    let said = shown(&output);
    if output.status.code() == Some(42) || said.contains("unshare failed") {
        return;
    }
    assert!(
        matches!(output.status.code(), Some(1 | 6)) && said.contains("the target folder cannot be written"),
        "{said}"
    );
    let ledger = std::fs::read_to_string(site.dir.path().join("kept.jsonl")).unwrap();
    let placed: Vec<&str> = ledger.lines().filter(|line| line.contains("\"placed\"")).collect();
    assert!(placed.len() < 60, "the disk has room for fewer than 40 files");
    let mut files = Vec::new();
    collect(&site.dir.path().join("kept"), "", &mut files);
    for file in &files {
        assert!(
            std::fs::read(site.dir.path().join("kept").join(file)).unwrap() == content,
            "{file} is not whole: {said}"
        );
    }
    for line in placed {
        assert!(files.iter().any(|file| line.contains(&format!("\"{file}\""))), "{line} is lost: {said}");
    }
}

/// The command with the folder and the environment of another one.
fn with_environment(mut command: Command, other: &Command) -> Command {
    for (name, value) in other.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(other.get_current_dir().unwrap());
    command
}
