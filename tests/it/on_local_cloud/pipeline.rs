//! The pipelines as GitHub and GitLab run them: the stages of `action.yml`, with its own conditions, and the jobs of
//! `gitlab.yml`, without a terminal, also when they are stopped or rerun.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::{Running, Site, shown, tool, until, with_input};

const ACTION: &str = ".github/actions/sftpctl/action.yml";

pub(crate) type Inputs = BTreeMap<String, String>;

/// A step of the action that GitHub would run.
pub(crate) struct Step {
    name: String,
    script: String,
    env: Vec<(String, String)>,
}

/// A YAML file of this repository.
pub(crate) fn yaml(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The action's inputs for a stage on the local cloud. The arguments have two lines, and both are needed.
pub(crate) fn inputs(stage: &str) -> Inputs {
    let two_lines = "--color never\n--local\n";
    [("environment", "99"), ("stage", stage), ("arguments", two_lines), ("verify-arguments", two_lines)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// The value of a string literal or of an input in an expression.
fn operand(inputs: &Inputs, text: &str) -> String {
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let known = match (quoted, text.strip_prefix("inputs.")) {
        (Some(literal), _) if !literal.contains('\'') => Some(literal),
        (None, Some(name)) => inputs.get(name).map(String::as_str),
        _ => None,
    };
    known.unwrap_or_else(|| panic!("{text}: not a literal or input that this test knows")).to_owned()
}

/// The expression in `${{ … }}`, if the text consists of that alone.
fn expression(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("${{")?.strip_suffix("}}")?;
    (!inside.contains("{{")).then_some(inside.trim())
}

/// The value after GitHub has evaluated its expression.
fn value(inputs: &Inputs, text: &str) -> String {
    match expression(text) {
        Some(inside) => operand(inputs, inside),
        None if text.contains("${{") => panic!("{text}: not a form that this test supports"),
        None => text.to_owned(),
    }
}

/// Whether a condition holds: any of its `==` comparisons. GitHub ignores case.
pub(crate) fn holds(inputs: &Inputs, condition: &str) -> bool {
    let inside = expression(condition).unwrap_or(condition);
    inside.split("||").fold(false, |any, comparison| {
        let sides =
            comparison.split_once("==").unwrap_or_else(|| panic!("{condition}: not a form that this test supports"));
        let [left, right] = [sides.0, sides.1].map(|side| operand(inputs, side.trim()));
        any | left.eq_ignore_ascii_case(&right)
    })
}

/// The steps that GitHub would run with these inputs.
pub(crate) fn steps(given: Inputs) -> Vec<Step> {
    let action = yaml(ACTION);
    let declared = action["inputs"].as_object().unwrap();
    let mut inputs = Inputs::new();
    for (name, input) in declared {
        let default = || input["default"].as_str().map(str::to_owned);
        inputs.insert(name.clone(), given.get(name).cloned().or_else(default).unwrap_or_else(|| panic!("no {name}")));
    }
    for name in given.keys() {
        assert!(declared.contains_key(name), "the action has no input {name}");
    }
    let mut found = Vec::new();
    for step in action["runs"]["steps"].as_array().unwrap() {
        for key in step.as_object().unwrap().keys() {
            assert!(["name", "if", "shell", "env", "run"].contains(&key.as_str()), "{key} is unknown to this test");
        }
        assert_eq!(step["shell"], "bash");
        if step.get("if").is_some_and(|condition| !holds(&inputs, condition.as_str().unwrap())) {
            continue;
        }
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "the shell would run an input in a script: {script}");
        let env = step["env"].as_object().unwrap().iter();
        found.push(Step {
            name: step["name"].as_str().unwrap().to_owned(),
            script: script.to_owned(),
            env: env.map(|(key, text)| (key.clone(), value(&inputs, text.as_str().unwrap()))).collect(),
        });
    }
    found
}

pub(crate) fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

/// A shell as on a pipeline's machine, with `sftpctl` on the path.
fn bash(site: &Site) -> Command {
    let mut bash = tool("bash", "bash");
    let program = sftpctl_testkit::programs::sftpctl();
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let sample = site.command(&[]);
    for (key, value) in sample.get_envs().filter_map(|(key, value)| Some((key, value?))) {
        bash.env(key, value);
    }
    bash.current_dir(site.dir.path()).env("PATH", path);
    bash
}

/// A step as GitHub runs it: a script file with `bash --noprofile --norc -eo pipefail`.
fn job(site: &Site, step: &Step) -> Command {
    let script = site.dir.path().join(format!("{}.sh", step.name));
    std::fs::write(&script, &step.script).unwrap();
    let mut bash = bash(site);
    bash.args(["--noprofile", "--norc", "-eo", "pipefail"])
        .arg(script)
        .env("GITHUB_STEP_SUMMARY", site.dir.path().join("summary.md"))
        .envs(step.env.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    bash
}

/// Runs a stage up to its first failed step; returns that step's name, or else the last one's, and its output.
fn run(site: &Site, inputs: Inputs) -> (String, Output) {
    let mut last = None;
    for step in steps(inputs) {
        let output = job(site, &step).output().unwrap();
        let failed = !output.status.success();
        last = Some((step.name, output));
        if failed {
            break;
        }
    }
    last.unwrap()
}

fn passes(site: &Site, stage: &str) -> String {
    let (step, output) = run(site, inputs(stage));
    assert!(output.status.success(), "{step}: {}", shown(&output));
    shown(&output)
}

pub(crate) fn fails(site: &Site, inputs: Inputs, wanted: &str, code: i32) -> String {
    let (step, output) = run(site, inputs);
    assert_eq!((step.as_str(), output.status.code()), (wanted, Some(code)), "{}", shown(&output));
    shown(&output)
}

/// Stops a deployment with `signal` while a stack is being created, and returns its exit code.
fn stopped(site: &Site, signal: &str) -> i32 {
    let log = site.dir.path().join(format!("deploy-{signal}.log"));
    let file = std::fs::File::create(&log).unwrap();
    let steps = steps(inputs("deploy"));
    let mut deploy = job(site, steps.iter().find(|step| step.name == "Deploy").unwrap());
    let mut running = Running(deploy.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    let read = || std::fs::read_to_string(&log).unwrap();
    until("a stack is under way", || read().contains("_IN_PROGRESS").then_some(()));
    let pid = running.0.id().to_string();
    assert!(tool("kill", "procps").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    let status = until("the end", || running.0.try_wait().unwrap());
    status.code().unwrap_or_else(|| panic!("killed by {signal}: {}", read()))
}

#[test]
fn stopped_job_is_completed_by_the_next() {
    for signal in ["TERM", "INT"] {
        let site = Site::with_times(&["--server-start-time", "1s", "--stack-time", "4s"]);
        passes(&site, "plan");
        let summary = std::fs::read_to_string(site.dir.path().join("summary.md")).unwrap();
        assert!(summary.contains("| create | us-west-2 | Transfer server |"), "{summary}");
        let code = stopped(&site, signal);
        assert!([130, 6].contains(&code), "{signal}: {code}");

        // The second job plans again, because AWS has changed.
        passes(&site, "plan");
        passes(&site, "deploy");
        passes(&site, "drift");
        assert_eq!(site.planned(), Vec::<String>::new(), "{signal}");
    }
}

#[test]
fn rerun_job_with_the_same_plan_has_nothing_to_do() {
    let site = Site::new();
    passes(&site, "plan");
    passes(&site, "deploy");
    passes(&site, "deploy");
}

#[test]
fn drift_exits_with_4_and_arguments_may_have_several_lines() {
    let site = Site::deployed("");
    passes(&site, "verify");
    site.oracle("handmade.py", &["meddle", "memory"]);
    let printed = fails(&site, inputs("drift"), "Drift", 4);
    assert!(printed.contains("MemorySize"), "{printed}");
    let mut ignored = inputs("drift");
    ignored.insert("arguments".to_owned(), "--local\n--ignore us-west-2/stack/Authorizer\n".to_owned());
    let (_, output) = run(&site, ignored);
    assert!(output.status.success(), "{}", shown(&output));
}

/// A job as GitLab's runner runs it: one text in `eval` with empty input, passed to bash on stdin.
fn gitlab(site: &Site, job: &Value) -> Output {
    let script: Vec<&str> = job["script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let quoted = format!("{}\n", script.join("\n")).replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    let whole = format!(
        "trap exit 1 TERM\nif set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit\n\
         set +o noclobber\n: | eval $'{quoted}'\nexit 0\n"
    );
    let mut bash = bash(site);
    bash.env("SFTPCTL_ENVIRONMENT", "99")
        .env("SFTPCTL_ARGUMENTS", "--color never --local")
        .env("SFTPCTL_VERIFY_ARGUMENTS", "--color never --local");
    with_input(&mut bash, whole.as_bytes())
}

#[test]
fn gitlab_jobs_keep_their_exit_codes() {
    let file = yaml("ci/gitlab.yml");
    let site = Site::new();
    let ends = |job: &str, code: i32| {
        let output = gitlab(&site, &file[job]);
        assert_eq!(output.status.code(), Some(code), "{job}: {}", shown(&output));
        shown(&output)
    };
    for job in ["sftpctl-validate", "sftpctl-plan"] {
        ends(job, 0);
    }
    let artifacts = &file["sftpctl-plan"]["artifacts"];
    assert!(artifacts["expose_as"].is_string());
    for path in artifacts["paths"].as_array().unwrap() {
        // GitLab does not link to a path with a variable.
        assert!(site.dir.path().join(path.as_str().unwrap()).is_file(), "{path}");
    }
    let markdown = std::fs::read_to_string(site.dir.path().join("sftpctl-plan.md")).unwrap();
    assert!(markdown.contains("| create | us-west-2 | Transfer server |"), "{markdown}");
    for job in ["sftpctl-deploy", "sftpctl-verify", "sftpctl-drift"] {
        ends(job, 0);
    }

    site.oracle("handmade.py", &["meddle", "memory"]);
    let printed = ends("sftpctl-drift", 4);
    assert!(printed.contains("MemorySize"), "{printed}");
    site.edit(|file| file.replace("99-5: us-west-2", "99-5: us-east-2"));
    ends("sftpctl-deploy", 3);
    site.edit(|file| file.replace("99-5: us-east-2", "99-5: us-west-9"));
    ends("sftpctl-validate", 2);
    let output = gitlab(&site, &file["sftpctl-plan"]);
    assert!(!output.status.success(), "{}", shown(&output));
}
