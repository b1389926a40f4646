//! `bench hosts --start`: two machines, which are two sshds on this one, and others that fail.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::sshd::{Sshd, free_port};
use super::{end, samples, sftpctl};
use crate::site::{Running, shown, succeeded, tool, until};

/// The machines `one` and `two`, `gone` without a server, `denied` with one that does not let in, `silent` with one
/// that never says anything, and `stuck`, where every command hangs.
struct Machines {
    dir: tempfile::TempDir,
    target: PathBuf,
    one: Sshd,
    two: Sshd,
    _stuck: Sshd,
    _silent: TcpListener,
}

impl Machines {
    fn new(tests: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let target = at("target");
        std::fs::create_dir(&target).unwrap();
        let [one, two] = ["one", "two"].map(|name| Sshd::start(&at(name), ""));
        let stuck = Sshd::start(&at("stuck"), "ForceCommand exec cat > /dev/null");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let known = at("known");
        std::fs::write(&known, [&one, &two, &stuck].map(|server| server.known("host.pub")).concat()).unwrap();
        let port_of = |name: &str, port: u16| format!("Host {name}\nHostName 127.0.0.1\nPort {port}\n");
        let config = [
            one.alias("one", &known),
            two.alias("two", &known),
            stuck.alias("stuck", &known),
            one.alias("denied", &known).replace(one.folder.to_str().unwrap(), two.folder.to_str().unwrap()),
            port_of("gone", free_port()),
            port_of("silent", silent.local_addr().unwrap().port()),
        ];
        std::fs::write(at("ssh_config"), config.concat()).unwrap();
        let machines = Self { dir, target, one, two, _stuck: stuck, _silent: silent };
        machines.plan(tests);
        machines
    }

    /// Writes the plan file.
    fn plan(&self, tests: &str) {
        let plan = format!("version: 1\ntargets: {{ disk: {{ at: '{}' }} }}\n{tests}\n", self.target.display());
        std::fs::write(self.path("plan.yaml"), plan).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command that starts these machines in so many seconds.
    fn command(&self, hosts: &[&str], seconds: i64, more: &[&str]) -> std::process::Command {
        self.command_at(hosts, &at(seconds), more)
    }

    /// The same at a time.
    fn command_at(&self, hosts: &[&str], begins: &str, more: &[&str]) -> std::process::Command {
        let program = sftpctl_testkit::programs::sftpctl();
        let mut arguments = vec!["bench", "hosts", "--plan", "plan.yaml", "--start", "-F", "ssh_config"];
        arguments.extend(["--program", program.to_str().unwrap(), "--start-at", begins]);
        hosts.iter().for_each(|host| arguments.extend(["--host", host]));
        arguments.extend(more);
        sftpctl(self.dir.path(), &arguments)
    }

    fn left(&self) -> usize {
        std::fs::read_dir(&self.target).unwrap().count()
    }
}

/// The time in so many seconds.
fn at(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}

/// The times at which the runs in a file of results began.
fn began(results: &Path) -> Vec<f64> {
    let lines = std::fs::read_to_string(results).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["type"] == "run").map(|line| line["began"].as_f64().unwrap()).collect()
}

#[test]
fn two_machines_measure_at_once_and_four_that_fail_are_named() {
    let machines = Machines::new("threads: { sizes: [100KB], threads: [2], iterations: 6 }");
    let names = ["one", "two", "gone", "silent", "stuck", "denied"];
    let more = ["--silence", "4", "--output", "json"];
    let output = machines.command(&names, 4, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let ended = end(&output);
    let host = |at: usize| &ended["hosts"][at];
    for at in [0, 1] {
        // Both directions at once, too; the warm-up is in it.
        let expected =
            serde_json::json!({ "host": names[at], "operations": 42, "earlier": 0, "exitCode": 0, "failure": null });
        assert_eq!(host(at), &expected, "{}", shown(&output));
    }
    let reasons = ["Connection refused", "timed out", "it has said nothing for 8 s", "Permission denied (publickey"];
    for (at, reason) in (2..).zip(reasons) {
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

    // It is not written over by what has not all of it, and it is a file of results as any other.
    for (hosts, tests, message) in [
        (&["one"][..], None, "all.jsonl has results of two, which is not among the machines"),
        (&["one", "two"], Some("sizes: { sizes: [1KB] }"), "all.jsonl has the results of another plan"),
    ] {
        tests.into_iter().for_each(|tests| machines.plan(tests));
        let again = machines.command(hosts, 60, &[]).output().unwrap();
        assert_eq!(again.status.code(), Some(2), "{}", shown(&again));
        assert!(shown(&again).contains(message), "{}", shown(&again));
    }
    let report = sftpctl(machines.dir.path(), &["bench", "report", "all.jsonl"]).output().unwrap();
    let said = succeeded("report", &report);
    assert!(said.contains("× 2 hosts") && said.contains(" on two by sftpctl "), "{said}");
}

/// What `ssh` says of a machine that it does not reach is shown once, with what to do.
#[test]
fn a_machine_that_is_not_reached_is_named_once_with_what_to_do() {
    let machines = Machines::new("sizes: { sizes: [1KB] }");
    let output = machines.command(&["gone"], 60, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(shown(&output).matches("Connection refused").count(), 1, "{}", shown(&output));
    assert!(shown(&output).contains("no SSH server listens there"), "{}", shown(&output));
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
    machines.one.cut();
    machines.two.cut();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    until("the machines have deleted what they had put", || (machines.left() == 0).then_some(()));
    assert!(samples(&machines.path("lost.jsonl")).len() > 2 * 9);

    // It is killed: the connections end, and so do the runs.
    let mut running = start("killed.jsonl");
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    until("the machines have deleted what they had put", || (machines.left() == 0).then_some(()));
    // What had come is there.
    let merge = ["bench", "merge", "killed.jsonl.one", "killed.jsonl.two", "--into", "killed.jsonl"];
    let said = succeeded("merge", &sftpctl(machines.dir.path(), &merge).output().unwrap());
    assert!(said.contains("2 runs"), "{said}");
}

/// Ctrl-C while they wait for their time is no failure of theirs.
#[test]
fn machines_that_are_stopped_before_their_time_have_not_failed() {
    let machines = Machines::new("sizes: { sizes: [1KB] }");
    let mut command = machines.command(&["one", "two"], 3600, &[]);
    let messages = machines.path("messages");
    let result = machines.path("result");
    let file = |path: &Path| std::fs::File::create(path).unwrap();
    let mut running = Running(command.stdout(file(&result)).stderr(file(&messages)).spawn().unwrap());
    let said = || std::fs::read_to_string(&messages).unwrap();
    for host in ["one", "two"] {
        until("it waits", || said().contains(&format!("{host}: waiting for ")).then_some(()));
    }
    succeeded("kill", &tool("kill", "procps").args(["-INT", &running.0.id().to_string()]).output().unwrap());
    assert_eq!(running.0.wait().unwrap().code(), Some(130), "{}", said());
    let ended = std::fs::read_to_string(&result).unwrap();
    assert_eq!(ended, "one: stopped after 0 operations\ntwo: stopped after 0 operations\n");
    assert!(!machines.path("all.jsonl").exists());
    assert!(!machines.path("all.jsonl.one").exists(), "an empty file does not help");
}

/// This command is killed, then the connection to one machine is lost; the same command goes on each time, though its
/// time has passed.
#[test]
fn a_start_that_was_interrupted_is_resumed_and_measures_nothing_twice() {
    const OF_EACH: usize = 2 * 400;
    let machines = Machines::new("threads: { sizes: [20KB], threads: [2], iterations: 400, operations: [put] }");
    let begins = at(2);
    let command = || machines.command_at(&["one", "two"], &begins, &["--output", "json"]);
    let count = |host: &str| samples(&machines.path(&format!("all.jsonl.{host}"))).iter().filter(is_measured).count();
    let start = || {
        let mut command = command();
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let measured = |host: &str, least: usize| until("some are measured", || (count(host) > least).then_some(()));

    let mut running = start();
    ["one", "two"].iter().for_each(|host| measured(host, 20));
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    let before = ["one", "two"].map(count);
    assert!(before.iter().all(|before| *before < OF_EACH), "{before:?}");

    // At once: the machines may not have noticed yet.
    let mut running = start();
    measured("two", before[1] + 20);
    machines.two.cut();
    assert_eq!(running.0.wait().unwrap().code(), Some(6), "the other one has ended");
    let counts = |results: &Path| {
        let measured: Vec<_> = samples(results).into_iter().filter(|sample| is_measured(&sample)).collect();
        let name = |sample: &serde_json::Value| ["run", "thread", "iteration"].map(|of| sample[of].to_string());
        let names: std::collections::BTreeSet<_> = measured.iter().map(name).collect();
        assert_eq!(measured.len(), names.len(), "none is measured twice");
        measured.len()
    };
    let results = machines.path("all.jsonl");
    let so_far = counts(&results);
    assert!((OF_EACH + before[1]..2 * OF_EACH).contains(&so_far), "{so_far} {before:?}");

    // Only the machine that was cut off is reached.
    let log_ins = |server: &Sshd| {
        let log = std::fs::read_to_string(server.folder.join("log")).unwrap();
        log.matches("Accepted publickey").count()
    };
    let before = [&machines.one, &machines.two].map(log_ins);
    let output = command().output().unwrap();
    succeeded("resume", &output);
    let host = |at: usize| end(&output)["hosts"][at].clone();
    assert_eq!((&host(0)["earlier"], &host(0)["exitCode"]), (&host(0)["operations"], &serde_json::Value::Null));
    assert!(host(1)["earlier"].as_u64() < host(1)["operations"].as_u64(), "{}", shown(&output));
    assert_eq!((counts(&results), began(&results).len()), (2 * OF_EACH, 2), "each machine has one run");
    assert_eq!([&machines.one, &machines.two].map(log_ins), [before[0], before[1] + 1]);
    assert_eq!(machines.left(), 0);
    let again = command().output().unwrap();
    assert_eq!(end(&again)["hosts"][1]["exitCode"], serde_json::Value::Null, "{}", shown(&again));
}

fn is_measured(sample: &&serde_json::Value) -> bool {
    sample["warmup"] != true
}

/// Which machines there are, and how each is reached, is said by the plan file; the command line has the last word.
#[test]
fn a_plan_file_names_the_machines() {
    let machines = Machines::new("");
    let program = sftpctl_testkit::programs::sftpctl();
    let config = machines.path("ssh_config");
    let host = |name: &str, program: &Path| {
        format!("  {name}: {{ ssh_config: '{}', program: '{}', silence: 20 }}\n", config.display(), program.display())
    };
    let hosts = [host("one", &program), host("two", Path::new("/nowhere/sftpctl"))].concat();
    machines.plan(&format!("sizes: {{ sizes: [1KB], content: [text], repeat: 1, warmup: 0 }}\nhosts:\n{hosts}"));
    let run = |more: &[&str]| {
        let start = ["bench", "hosts", "--plan", "plan.yaml", "--output", "json"];
        sftpctl(machines.dir.path(), &[&start[..], more].concat()).output().unwrap()
    };
    let output = run(&["--start", "--start-at", &at(3)]);
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let ended = end(&output);
    let operations = [0, 1].map(|at| ended["hosts"][at]["operations"].as_u64().unwrap());
    let failure = ended["hosts"][1]["failure"].as_str().unwrap_or_default();
    assert!(operations == [3, 0] && failure.contains("/nowhere/sftpctl"), "{}", shown(&output));
    // As for all machines of the command line; the one that has measured is not asked again.
    let begins = at(3);
    let more = ["--start", "--start-at", &begins, "--host", "two", "--host", "one"];
    let output = run(&[&more[..], &["--program", program.to_str().unwrap()]].concat());
    succeeded("with another program", &output);
    let names = [0, 1].map(|at| end(&output)["hosts"][at]["host"].as_str().unwrap().to_owned());
    assert_eq!((names, end(&output)["report"]["runs"].as_array().unwrap().len()), (["two".into(), "one".into()], 2));

    // By hand, too.
    let shown_at = ["--start-at", "2027-01-15T02:00:00Z"];
    let by_hand = end(&run(&shown_at));
    let of_two = "/nowhere/sftpctl bench run --plan plan.yaml --host-name two --results two.jsonl --start-at 2027-01-15T02:00:00Z";
    assert_eq!(by_hand["commands"][1]["command"], of_two, "{by_hand}");
    machines.plan("sizes: {}");
    let none = run(&shown_at);
    assert_eq!(none.status.code(), Some(2));
    assert!(shown(&none).contains("plan.yaml names no machines"), "{}", shown(&none));
}

#[test]
fn names_that_ssh_would_take_for_options_are_refused() {
    let machines = Machines::new("sizes: { sizes: [1KB] }");
    let host = ["--host=-oProxyCommand=touch${IFS}harm"];
    let output = machines.command(&[], 60, &host).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("is not a machine for ssh"), "{}", shown(&output));
}
