//! The pipeline stage as a CI system runs it: the commands of `action.yml` itself, no terminal, a job that is stopped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::{Running, Site, shown, tool, until};

/// The command of a step, from the action.
fn step(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions/sftpctl/action.yml");
    let action: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let steps = action["runs"]["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}"));
    assert_eq!(found["shell"], "bash");
    found["run"].as_str().unwrap().to_owned()
}

/// A step as GitHub runs it: a script file, `bash --noprofile --norc -eo pipefail`.
fn job(site: &Site, name: &str) -> Command {
    let script: PathBuf = site.dir.path().join(format!("{name}.sh"));
    std::fs::write(&script, step(name)).unwrap();
    let mut bash = tool("bash", "bash");
    let program = Path::new(env!("CARGO_BIN_EXE_sftpctl")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let sample = site.command(&[]);
    for (key, value) in sample.get_envs().filter_map(|(key, value)| Some((key, value?))) {
        bash.env(key, value);
    }
    bash.args(["--noprofile", "--norc", "-eo", "pipefail"])
        .arg(script)
        .current_dir(site.dir.path())
        .env("PATH", path)
        .env("GITHUB_STEP_SUMMARY", site.dir.path().join("summary.md"))
        .env("SFTPCTL_ENVIRONMENT", "99")
        .env("SFTPCTL_PLAN", "plan.json")
        .env("SFTPCTL_ARGUMENTS", "--local")
        .env("SFTPCTL_VERIFY_ARGUMENTS", "--local")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    bash
}

fn run(site: &Site, name: &str) -> Output {
    job(site, name).output().unwrap()
}

fn passes(site: &Site, name: &str) -> String {
    let output = run(site, name);
    assert!(output.status.success(), "{name}: {}", shown(&output));
    shown(&output)
}

/// Stops a deploy with `signal` once a step is under way, and gives its exit code.
fn stopped(site: &Site, signal: &str) -> i32 {
    let log = site.dir.path().join(format!("deploy-{signal}.log"));
    let file = std::fs::File::create(&log).unwrap();
    let mut deploy = job(site, "Deploy");
    let mut running = Running(deploy.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    let read = || std::fs::read_to_string(&log).unwrap();
    until("a stack is under way", || read().contains("_IN_PROGRESS").then_some(()));
    let pid = running.0.id().to_string();
    assert!(tool("kill", "procps").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    let status = until("the end", || running.0.try_wait().unwrap());
    status.code().unwrap_or_else(|| panic!("killed by {signal}: {}", read()))
}

#[test]
fn a_job_that_is_stopped_is_finished_by_the_next() {
    for signal in ["TERM", "INT"] {
        let site = Site::with_times(&["--server-start-time", "1s", "--stack-time", "4s"]);
        passes(&site, "Validate");
        passes(&site, "Plan");
        let summary = std::fs::read_to_string(site.dir.path().join("summary.md")).unwrap();
        assert!(summary.contains("| create | us-west-2 | Transfer server |"), "{summary}");
        let code = stopped(&site, signal);
        assert!([130, 6].contains(&code), "{signal}: {code}");

        // The second job: a new plan, because the world has moved.
        passes(&site, "Plan");
        passes(&site, "Deploy");
        passes(&site, "Verify");
        passes(&site, "Drift");
        assert_eq!(site.planned(), Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn faults_are_marked_in_the_file() {
    let site = Site::new();
    site.edit(|file| file.replace("99-5: us-west-2", "99-5: us-west-9"));
    let output = run(&site, "Validate");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("::error file=environments/99.yaml,line=19,col="), "{}", shown(&output));
}
