//! `bench …` on a folder of this machine: what is measured, resumed, reported and compared.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hosts;
mod log_in;
mod paper;
pub(crate) mod sshd;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::{Running, shown, succeeded, text, tool, until};

pub(crate) fn sftpctl(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// The end of a run, as `--output json` says it.
pub(crate) fn end(output: &Output) -> Value {
    serde_json::from_str(text(&output.stdout).lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {}", shown(output)))
}

/// The samples in a file of results, without those before the first iteration.
pub(crate) fn samples(results: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(results).unwrap_or_default();
    // The last line may be half of one while a run writes.
    let lines = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "sample" && line["iteration"] != 0).collect()
}

const PLAN: &str = "\
version: 1
targets: { disk: { at: 'FOLDER' } }
sizes: { sizes: [1KB, 1500KB], content: [text, binary], repeat: 6 }
threads: { sizes: [100KB], threads: [1, 3], iterations: 6 }
";

/// A folder for results, and one that is measured.
fn folders() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(dir.path().join("plan.yaml"), PLAN.replace("FOLDER", target.to_str().unwrap())).unwrap();
    (dir, target)
}

#[test]
fn a_folder_is_measured_reported_compared_and_left_as_it_was() {
    let (dir, target) = folders();
    std::fs::write(target.join("order.csv"), "an order").unwrap();
    let run = ["bench", "run", "--plan", "plan.yaml", "--output", "json"];
    let output = sftpctl(dir.path(), &run).output().unwrap();
    succeeded("run", &output);
    let ended = end(&output);
    // Sizes: 2 sizes, 2 contents, 3 actions, 7 repetitions. Threads: 4 threads, 3 actions, 7 repetitions.
    assert_eq!((&ended["operations"], &ended["problems"]), (&(2 * 2 * 3 * 7 + 4 * 3 * 7).into(), &0.into()));
    let names: Vec<_> = std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["order.csv"], "only what was there before is there");
    let rows = ended["report"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 12 + 2 * 4, "both directions have rows of their own");
    for row in rows {
        let speed = &row["speed"];
        assert!(speed["median"].as_f64() > Some(0.0), "{row}");
        assert_eq!(speed["interval"].is_array(), speed["count"].as_u64() >= Some(6), "{row}");
        assert!(row["together"].as_f64() > Some(0.0), "{row}");
    }

    // Again: everything is there already.
    let again = sftpctl(dir.path(), &run).output().unwrap();
    succeeded("again", &again);
    assert_eq!(end(&again)["operations"], 0);
    // Another plan does not mix with it.
    let mut other = sftpctl(dir.path(), &["bench", "sizes", "/tmp", "--sizes", "1KB", "--repeat", "1"]);
    let other = other.output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(shown(&other).contains("bench.jsonl has the results of another plan"), "{}", shown(&other));

    let report = ["bench", "report", "bench.jsonl", "--html", "bench.html", "--csv", "bench.csv"];
    succeeded("report", &sftpctl(dir.path(), &report).output().unwrap());
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(read("bench.html").matches("<svg").count() >= 4);
    assert_eq!(read("bench.csv").lines().count(), rows.len() + 1);
    let compare = ["bench", "compare", "bench.jsonl", "bench.jsonl"];
    let same = succeeded("compare", &sftpctl(dir.path(), &compare).output().unwrap());
    // Puts and gets of one thread in both directions are three each.
    let verdicts = ["no difference shown", "no verdict: too few values"].map(|words| same.matches(words).count());
    assert_eq!(verdicts, [rows.len() - 2, 2], "{same}");
    let nothing = sftpctl(dir.path(), &["bench", "compare", "2019", "bench.jsonl"]).output().unwrap();
    assert!(shown(&nothing).contains("nothing in common"), "{}", shown(&nothing));
    let old = succeeded("2019", &sftpctl(dir.path(), &["bench", "report", "2019"]).output().unwrap());
    assert!(old.contains("5GB text get"), "{old}");
}

#[test]
fn a_killed_run_is_resumed_and_measures_nothing_twice() {
    let (dir, target) = folders();
    let results = dir.path().join("killed.jsonl");
    let at = target.to_str().unwrap();
    let arguments = ["bench", "threads", at, "--threads", "2,3", "--iterations", "200", "--sizes", "300KB"];
    let more = ["--operations", "put,both", "--results", "killed.jsonl", "--output", "json"];
    let arguments = [&arguments[..], &more].concat();
    // Twice: in the middle of the first cell, and later.
    for least in [20, 500] {
        let mut command = sftpctl(dir.path(), &arguments);
        let mut running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("some are measured", || (samples(&results).len() > least).then_some(()));
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 1, "the folder of the run");
    // One that is asked to stop deletes what it has put itself.
    let mut command = sftpctl(dir.path(), &arguments);
    let mut running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("more are measured", || (samples(&results).len() > 900).then_some(()));
    succeeded("kill", &tool("kill", "procps").arg(running.0.id().to_string()).output().unwrap());
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    let output = until("the workers of the killed run let go", || {
        let output = sftpctl(dir.path(), &arguments).output().unwrap();
        output.status.success().then_some(output)
    });
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0, "what the killed runs had put is deleted");
    let all = samples(&results);
    let names = |sample: &Value| {
        let number = |field: &str| sample[field].as_u64().unwrap();
        (sample["cell"].as_str().unwrap().to_owned(), number("thread"), number("iteration"))
    };
    let once: BTreeSet<_> = all.iter().map(names).collect();
    assert_eq!((all.len(), once.len()), (2 * 5 * 201, 2 * 5 * 201));
    assert!(all.iter().all(|sample| sample["outcome"] == "ok"));
    assert_eq!(end(&output)["report"]["skipped"].as_array().unwrap().len(), 0);
}

/// Of a plan, which may have other targets.
#[test]
fn a_folder_that_is_not_there_is_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    let plan = format!(
        "version: 1\ntargets: {{ disk: {{ at: {} }} }}\nsizes: {{ sizes: [1KB], repeat: 2 }}\n",
        gone.display()
    );
    std::fs::write(dir.path().join("plan.yaml"), plan).unwrap();
    let arguments = ["bench", "run", "--plan", "plan.yaml", "--output", "json"];
    let output = sftpctl(dir.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let ended = end(&output);
    let problem = ended["report"]["problems"][0]["text"].as_str().unwrap();
    assert!(problem.contains("No such file or directory, while creating the folder of the run"), "{problem}");
    assert_eq!(ended["skipped"], 2 * 3 * 3, "{ended}");
    // Once it is there, the same command measures what was skipped.
    std::fs::create_dir(&gone).unwrap();
    let output = sftpctl(dir.path(), &arguments).output().unwrap();
    succeeded("the same again", &output);
    assert_eq!(end(&output)["operations"], 2 * 3 * 3);
}

#[test]
fn what_cannot_be_measured_is_refused_before_it_begins() {
    let (dir, _) = folders();
    let ends = |code, arguments: &[&str]| {
        let output = sftpctl(dir.path(), &[&["bench"], arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        shown(&output)
    };
    let broken = PLAN.replace("100KB", "100KiB").replace("repeat", "repeats");
    std::fs::write(dir.path().join("broken.yaml"), broken).unwrap();
    let said = ends(2, &["run", "--plan", "broken.yaml"]);
    assert!(said.contains("broken.yaml:3") && said.contains("did you mean `repeat`?"), "{said}");
    assert!(ends(2, &["sizes", "sftp"]).contains("write the folder from the root"));
    assert!(ends(2, &["sizes", "/sftp", "--sizes", "1TB"]).contains("such as 5MB"));
    assert!(ends(2, &["sizes", "s3://uploads/x"]).contains("pass --region REGION"));
    assert!(ends(2, &["logins", "/"]).contains("/ has no log-in"));
    assert!(ends(2, &["sizes"]).contains("--env"));
    std::fs::write(dir.path().join("password"), "Harbour-7\n").unwrap();
    let readable = ends(3, &["logins", "sftp://jan@127.0.0.1", "--password-file", "password"]);
    assert!(readable.contains("chmod 600 password") && !readable.contains("Harbour-7"), "{readable}");
    std::fs::write(dir.path().join("bench.jsonl"), "my notes\n").unwrap();
    assert!(ends(2, &["sizes", "/tmp", "--sizes", "1KB"]).contains("is not a file of results"));
    assert_eq!(std::fs::read_to_string(dir.path().join("bench.jsonl")).unwrap(), "my notes\n");
    let hosts = ["hosts", "--plan", "plan.yaml", "--host", "a", "--host", "b", "--start-at", "2027-01-15T02:00:00Z"];
    let said = ends(0, &hosts);
    let run = ["run", "--over-ssh"];
    assert!(ends(2, &run).contains("no plan came over standard input"));
    let command = "sftpctl bench run --plan plan.yaml --host-name b --results b.jsonl --start-at 2027-01-15T02:00:00Z";
    assert!(said.contains(command) && said.contains("bench merge a.jsonl b.jsonl"), "{said}");
}

#[test]
fn machines_with_one_plan_are_merged() {
    let (dir, _) = folders();
    for host in ["a", "b"] {
        let results = format!("{host}.jsonl");
        // A time that is over is no reason to wait.
        let late = "2020-01-15T02:00:00Z";
        let more = ["--host-name", host, "--results", &results, "--start-at", late];
        let arguments = [&["bench", "run", "--plan", "plan.yaml"][..], &more].concat();
        let output = sftpctl(dir.path(), &arguments).output().unwrap();
        succeeded(host, &output);
        assert!(shown(&output).contains("has passed; the other machines began"), "{}", shown(&output));
    }
    let merge = ["bench", "merge", "a.jsonl", "b.jsonl", "--into", "all.jsonl"];
    let said = succeeded("merge", &sftpctl(dir.path(), &merge).output().unwrap());
    assert!(said.contains("2 runs"), "{said}");
    let report = ["bench", "report", "all.jsonl", "--output", "json"];
    let report = end(&sftpctl(dir.path(), &report).output().unwrap());
    for row in report["rows"].as_array().unwrap() {
        let count = 2 * 6 * row["threads"].as_u64().unwrap();
        let is_half = row["direction"].as_str().unwrap().ends_with("of-both");
        assert_eq!(
            (row["hosts"].as_u64(), row["seconds"]["count"].as_u64()),
            (Some(2), Some(if is_half { count / 2 } else { count })),
            "{row}"
        );
    }
}

/// It is what `ssh` runs to learn a password; nothing else is said.
#[test]
fn the_program_answers_ssh_with_the_password_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sftpctl(dir.path(), &["jan@127.0.0.1's password: "]);
    let output = command.env("SFTPCTL_ASKPASS_PASSWORD", "Harbour-7 ").output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("Harbour-7 \n", ""));
}

/// A report goes over a page or a table of its own, and over nothing else.
#[test]
fn reports_replace_only_reports() {
    let dir = tempfile::tempdir().unwrap();
    let results = "2019";
    let said = |arguments: &[&str], code: i32| {
        let output = sftpctl(dir.path(), &[&["bench"], arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
        shown(&output)
    };
    for _ in 0..2 {
        said(&["report", results, "--html", "page.html", "--csv", "table.csv"], 0);
    }
    std::fs::write(dir.path().join("plan.yaml"), "version: 1\n").unwrap();
    for arguments in [
        ["report", results, "--html", "plan.yaml"],
        ["report", results, "--csv", "plan.yaml"],
        ["report", results, "--html", "table.csv"],
        ["merge", results, "--into", "plan.yaml"],
    ] {
        assert!(said(&arguments, 2).contains("it was not overwritten"), "{arguments:?}");
    }
    said(&["report", results, "--html", "both", "--csv", "both"], 2);
    assert_eq!(std::fs::read_to_string(dir.path().join("plan.yaml")).unwrap(), "version: 1\n");
}

/// Before there is a file of results, which a corrected command would have to replace.
#[test]
fn a_folder_that_is_not_there_is_a_mistake_of_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for (name, words) in [("nowhere", "does not exist"), ("file", "is not a folder")] {
        let at = dir.path().join(name);
        let output = sftpctl(dir.path(), &["bench", "sizes", at.to_str().unwrap(), "--sizes", "1KB"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(shown(&output).contains(words), "{}", shown(&output));
    }
    assert!(!dir.path().join("bench.jsonl").exists());
    // A device has no end.
    let at = dir.path().to_str().unwrap();
    let arguments = ["bench", "sizes", at, "--sizes", "1KB", "--results", "/dev/full"];
    let output = sftpctl(dir.path(), &arguments).output().unwrap();
    assert!(shown(&output).contains("it is not a regular file"), "{}", shown(&output));
}
