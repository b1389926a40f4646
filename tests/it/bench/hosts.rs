//! `bench hosts --start`: two machines, which are two names of an sshd on this one, and others that fail.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::sshd::{Sshd, free_port};
use super::{end, samples, sftpctl};
use crate::site::{Running, shown, succeeded, tool, until};

/// The machines `one` and `two`, `gone` without a server, `silent` with one that never says anything, and `stuck`,
/// where every command hangs.
struct Machines {
    dir: tempfile::TempDir,
    target: PathBuf,
    /// That of `one` and `two`.
    server: Sshd,
    _stuck: Sshd,
    _silent: TcpListener,
}

impl Machines {
    fn new(tests: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let target = at("target");
        std::fs::create_dir(&target).unwrap();
        let plan = format!("version: 1\ntargets: {{ disk: {{ at: '{}' }} }}\n{tests}\n", target.display());
        std::fs::write(at("plan.yaml"), plan).unwrap();
        let server = Sshd::start(&at("server"), "");
        let stuck = Sshd::start(&at("stuck"), "ForceCommand exec cat > /dev/null");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let known = at("known");
        std::fs::write(&known, format!("{}{}", server.known("host.pub"), stuck.known("host.pub"))).unwrap();
        let port_of = |name: &str, port: u16| format!("Host {name}\nHostName 127.0.0.1\nPort {port}\n");
        let config = [
            server.alias("one two", &known),
            stuck.alias("stuck", &known),
            port_of("gone", free_port()),
            port_of("silent", silent.local_addr().unwrap().port()),
        ];
        std::fs::write(at("ssh_config"), config.concat()).unwrap();
        Self { dir, target, server, _stuck: stuck, _silent: silent }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command that starts these machines in so many seconds.
    fn command(&self, hosts: &[&str], seconds: i64, more: &[&str]) -> std::process::Command {
        let begins = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
        let program = sftpctl_testkit::programs::sftpctl();
        let mut arguments = vec!["bench", "hosts", "--plan", "plan.yaml", "--start", "-F", "ssh_config"];
        arguments.extend(["--program", program.to_str().unwrap(), "--start-at", &begins]);
        hosts.iter().for_each(|host| arguments.extend(["--host", host]));
        arguments.extend(more);
        sftpctl(self.dir.path(), &arguments)
    }

    fn left(&self) -> usize {
        std::fs::read_dir(&self.target).unwrap().count()
    }
}

/// The times at which the runs in a file of results began.
fn began(results: &Path) -> Vec<f64> {
    let lines = std::fs::read_to_string(results).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["type"] == "run").map(|line| line["began"].as_f64().unwrap()).collect()
}

#[test]
fn two_machines_measure_at_once_and_three_that_fail_are_named() {
    let machines = Machines::new("threads: { sizes: [100KB], threads: [2], iterations: 6 }");
    let names = ["one", "two", "gone", "silent", "stuck"];
    let more = ["--silence", "4", "--output", "json"];
    let output = machines.command(&names, 4, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let ended = end(&output);
    let host = |at: usize| &ended["hosts"][at];
    for at in [0, 1] {
        // Both directions at once, too; the warm-up is in it.
        let expected =
            serde_json::json!({ "host": names[at], "operations": 2 * 3 * 7, "exitCode": 0, "failure": null });
        assert_eq!(host(at), &expected, "{}", shown(&output));
    }
    for (at, reason) in [(2, "Connection refused"), (3, "timed out"), (4, "it has said nothing for 8 s")] {
        let failure = host(at)["failure"].as_str().unwrap_or_default();
        assert!(failure.contains(reason) && host(at)["operations"] == 0, "{}", shown(&output));
    }
    let rows = ended["report"]["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["hosts"] == 2), "{ended}");
    assert_eq!(samples(&machines.path("all.jsonl")).len(), 2 * 2 * 3 * 7);
    assert_eq!(machines.left(), 0);
    let files = std::fs::read_dir(machines.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let files: Vec<_> = files.filter(|name| name.to_str().unwrap().starts_with("all.")).collect();
    assert_eq!(files, ["all.jsonl"], "the files of the machines are merged");

    // It is not written over, and it is a file of results as any other.
    let again = machines.command(&["one"], 60, &[]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "{}", shown(&again));
    assert!(shown(&again).contains("all.jsonl exists already"), "{}", shown(&again));
    let report = sftpctl(machines.dir.path(), &["bench", "report", "all.jsonl"]).output().unwrap();
    let said = succeeded("report", &report);
    assert!(said.contains("× 2 hosts") && said.contains(" on two by sftpctl "), "{said}");
}

/// A start time is waited for, and one that has passed is refused before any machine is reached.
#[test]
fn machines_begin_at_the_time_and_not_before() {
    let machines = Machines::new("sizes: { sizes: [1KB], content: [text], repeat: 1, warmup: 0, cached: false }");
    let past = machines.command(&["one"], -1, &[]).output().unwrap();
    assert_eq!(past.status.code(), Some(2), "{}", shown(&past));
    assert!(shown(&past).contains("has passed") && !machines.path("all.jsonl.one").exists(), "{}", shown(&past));
    let now = jiff::Timestamp::now();
    let output = machines.command(&["one", "two"], 3, &[]).output().unwrap();
    let said = succeeded("start", &output);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let least = now.as_second() as f64 + 3.0;
    let began = began(&machines.path("all.jsonl"));
    assert!(began.len() == 2 && began.iter().all(|began| *began >= least), "{least} {began:?}");
    assert!(said.contains("one: 2 operations\ntwo: 2 operations\n"), "{said}");
    assert!(shown(&output).contains("one: waiting for "), "what a machine says is passed on: {}", shown(&output));
}

#[test]
fn a_stop_or_the_end_of_the_connection_ends_the_runs_which_delete_what_they_put() {
    let machines = Machines::new("threads: { sizes: [100KB], threads: [2], iterations: 100000, operations: [put] }");
    let start = |into: &str| {
        let mut command = machines.command(&["one", "two"], 1, &["--into", into]);
        let running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        for host in ["one", "two"] {
            let results = machines.path(&format!("{into}.{host}"));
            until("some are measured", || (samples(&results).len() > 9).then_some(()));
        }
        assert_eq!(machines.left(), 2, "a folder for each run");
        running
    };
    // Ctrl-C: all end, and what they have measured is merged.
    let mut running = start("stopped.jsonl");
    succeeded("kill", &tool("kill", "procps").args(["-INT", &running.0.id().to_string()]).output().unwrap());
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    assert_eq!(machines.left(), 0);
    assert_eq!(began(&machines.path("stopped.jsonl")).len(), 2);

    // The connections are lost: both machines are named, and what came of them is kept.
    let mut running = start("lost.jsonl");
    machines.server.cut();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    until("the machines have deleted what they had put", || (machines.left() == 0).then_some(()));
    assert!(samples(&machines.path("lost.jsonl")).len() > 2 * 9);

    // It is killed: the connections end, and so do the runs.
    let mut running = start("killed.jsonl");
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    until("the machines have deleted what they had put", || (machines.left() == 0).then_some(()));
    // What had come is there, and is not lost by the same command again.
    let again = machines.command(&["one", "two"], 60, &["--into", "killed.jsonl"]).output().unwrap();
    let said = shown(&again);
    assert!(said.contains("killed.jsonl.one is left from an earlier run"), "{said}");
    let merge = "sftpctl bench merge killed.jsonl.one killed.jsonl.two --into killed.jsonl";
    assert!(said.contains(merge), "{said}");
    let merge = ["bench", "merge", "killed.jsonl.one", "killed.jsonl.two", "--into", "killed.jsonl"];
    let said = succeeded("merge", &sftpctl(machines.dir.path(), &merge).output().unwrap());
    assert!(said.contains("2 runs"), "{said}");
}

#[test]
fn names_that_ssh_would_take_for_options_are_refused() {
    let machines = Machines::new("sizes: { sizes: [1KB] }");
    let host = ["--host=-oProxyCommand=touch${IFS}harm"];
    let output = machines.command(&[], 60, &host).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("is not a machine for ssh"), "{}", shown(&output));
}
