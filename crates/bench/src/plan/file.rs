//! The plan as a file of YAML, with every fault in its line. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use sftpctl_core::yaml::{self, Checker, Faults, Words};

use super::hosts::{Host, RawHost, hosts};
use super::{Logins, Operation, Plan, Sizes, Target, Threads};
use crate::content::Content;
use crate::size::Size;
use crate::target::{Place, without_password};

const WORDS: Words = Words {
    what: "a bench plan",
    is_one: "one plan",
    schema: "sftpctl bench schema",
    example: "\"The plan file\" in docs/bench.md",
    settings: schema,
    columns: &["password_file"],
};

/// What is measured by `sftpctl bench run`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    /// Version of this format: 1
    #[schemars(with = "Option<u32>", required)]
    version: Option<Spanned<u32>>,
    /// The places that are measured, each under a name
    #[schemars(with = "BTreeMap<String, RawTarget>")]
    targets: Spanned<BTreeMap<String, RawTarget>>,
    /// Seconds that any operation may take, beside what its size needs [default: 60]
    #[schemars(with = "Option<u32>")]
    deadline: Option<Spanned<u32>>,
    /// MB a second that a transfer has at least; a slower one is stuck [default: 1]
    #[schemars(with = "Option<f64>")]
    slowest: Option<Spanned<f64>>,
    /// Operations stuck in a row after which the rest of a target is skipped [default: 3]
    #[schemars(with = "Option<u32>")]
    give_up_after: Option<Spanned<u32>>,
    /// Put files that the target has no room for, too: its disk fills up [default: false]
    fill: Option<bool>,
    /// One file at a time, by size
    sizes: Option<RawSizes>,
    /// Several files at a time, by the number of threads
    threads: Option<RawThreads>,
    /// Log-ins to SFTP servers
    logins: Option<RawLogins>,
    /// The machines of `bench hosts`, as ssh knows them
    #[schemars(with = "Option<BTreeMap<String, RawHost>>")]
    hosts: Option<Spanned<BTreeMap<String, Spanned<RawHost>>>>,
}

/// A place that is measured.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    /// A folder, s3://BUCKET/PREFIX or sftp://USER@HOST:PORT/PATH
    #[schemars(with = "String")]
    at: Spanned<String>,
    /// Region of the bucket
    #[schemars(with = "Option<String>")]
    region: Option<Spanned<String>>,
    /// File with the private key for an SFTP server
    identity: Option<PathBuf>,
    /// File with the password for an SFTP server, readable by its owner alone
    password_file: Option<PathBuf>,
    /// File for `ssh -F`, in place of the user's
    ssh_config: Option<PathBuf>,
}

/// One file at a time, by size.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawSizes {
    /// Sizes with B, KB, MB or GB [default: 1MB to 5GB]
    #[schemars(with = "Option<Vec<String>>")]
    sizes: Option<Spanned<Vec<Spanned<String>>>>,
    /// Contents [default: text and binary]
    #[schemars(with = "Option<Vec<Content>>")]
    content: Option<Spanned<Vec<Content>>>,
    /// Measured repetitions of each transfer; an interval takes six [default: 7]
    #[schemars(with = "Option<u32>")]
    repeat: Option<Spanned<u32>>,
    /// Repetitions before them that do not count [default: 1]
    #[schemars(with = "Option<u32>")]
    warmup: Option<Spanned<u32>>,
    /// Also read the files of a folder from caches [default: true]
    cached: Option<bool>,
}

/// Several files at a time, by the number of threads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawThreads {
    /// Sizes with B, KB, MB or GB [default: 5MB]
    #[schemars(with = "Option<Vec<String>>")]
    sizes: Option<Spanned<Vec<Spanned<String>>>>,
    /// Contents [default: text]
    #[schemars(with = "Option<Vec<Content>>")]
    content: Option<Spanned<Vec<Content>>>,
    /// Numbers of threads [default: 1 to 15]
    #[schemars(with = "Option<Vec<u32>>")]
    threads: Option<Spanned<Vec<Spanned<u32>>>>,
    /// Measured transfers of each thread [default: 30]
    #[schemars(with = "Option<u32>")]
    iterations: Option<Spanned<u32>>,
    /// Transfers of each thread before them that do not count [default: 1]
    #[schemars(with = "Option<u32>")]
    warmup: Option<Spanned<u32>>,
    /// What the threads do [default: put, get, both]
    #[schemars(with = "Option<Vec<Operation>>")]
    operations: Option<Spanned<Vec<Operation>>>,
}

/// Log-ins to SFTP servers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawLogins {
    /// Numbers of threads that log in [default: 1, 2, 4, 8]
    #[schemars(with = "Option<Vec<u32>>")]
    threads: Option<Spanned<Vec<Spanned<u32>>>>,
    /// Measured log-ins of each thread [default: 30]
    #[schemars(with = "Option<u32>")]
    iterations: Option<Spanned<u32>>,
    /// Log-ins of each thread before them that do not count [default: 1]
    #[schemars(with = "Option<u32>")]
    warmup: Option<Spanned<u32>>,
}

/// The JSON Schema of plan files.
pub fn schema() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(RawPlan)).unwrap_or_default();
    schema["title"] = "plan of sftpctl bench".into();
    schema
}

/// What a plan file says.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// What is measured. It is kept with the results.
    pub plan: Plan,
    /// On which machines `bench hosts` measures it, if the file says so. Results do not have it: a machine that is
    /// reached in another way goes on with the same plan.
    pub hosts: Vec<Host>,
}

/// Reads a plan; `path` is only for messages.
///
/// # Errors
/// All faults, each with its line.
pub fn load(source: &str, path: &str) -> Result<File, Faults> {
    let raw: RawPlan = yaml::parse(source, path, &WORDS)?;
    let mut check = Checker::new(source);
    check.version(raw.version.as_ref(), &WORDS);
    let targets = targets(&raw.targets, &mut check);
    let mut plan = Plan::of(targets);
    check.between(raw.deadline.as_ref(), "the deadline in seconds", 1, 86_400);
    check.between(raw.give_up_after.as_ref(), "the number of stuck operations", 1, 1000);
    if let Some(slowest) = raw.slowest.as_ref().filter(|slowest| !(0.001..=100_000.0).contains(&slowest.value)) {
        check.fault(slowest, format!("`slowest` is {}; 0.001 to 100000 MB a second are possible", slowest.value));
    }
    plan.deadline = raw.deadline.map_or(plan.deadline, |deadline| deadline.value.into());
    plan.slowest = raw.slowest.map_or(plan.slowest, |slowest| slowest.value);
    plan.give_up_after = raw.give_up_after.map_or(plan.give_up_after, |count| count.value);
    plan.fill = raw.fill.unwrap_or_default();
    plan.sizes = raw.sizes.map(|raw| {
        let base = Sizes::default();
        Sizes {
            sizes: sizes(raw.sizes, base.sizes, &mut check),
            content: listed(raw.content, "content", base.content, &mut check),
            repeat: repetitions(raw.repeat.as_ref(), base.repeat, &mut check),
            warmup: warmup(raw.warmup.as_ref(), base.warmup, &mut check),
            cached: raw.cached.unwrap_or(base.cached),
        }
    });
    plan.threads = raw.threads.map(|raw| {
        let base = Threads::default();
        Threads {
            sizes: sizes(raw.sizes, base.sizes, &mut check),
            content: listed(raw.content, "content", base.content, &mut check),
            threads: threads(raw.threads, base.threads, &mut check),
            iterations: repetitions(raw.iterations.as_ref(), base.iterations, &mut check),
            warmup: warmup(raw.warmup.as_ref(), base.warmup, &mut check),
            operations: listed(raw.operations, "operations", base.operations, &mut check),
        }
    });
    plan.logins = raw.logins.map(|raw| {
        let base = Logins::default();
        Logins {
            threads: threads(raw.threads, base.threads, &mut check),
            iterations: repetitions(raw.iterations.as_ref(), base.iterations, &mut check),
            warmup: warmup(raw.warmup.as_ref(), base.warmup, &mut check),
        }
    });
    let hosts = hosts(raw.hosts.as_ref(), &mut check);
    let faults = check.into_faults();
    let is_clean = faults.is_empty();
    let mut check = Checker::with(source, faults);
    if is_clean && plan.cells().is_empty() {
        let fault = check.fault(&raw.targets, "this plan measures nothing");
        fault.hint = Some("add `sizes: {}` or `threads: {}`; `logins: {}` needs a target with sftp://".into());
    }
    match check.into_faults() {
        faults if faults.is_empty() => Ok(File { plan, hosts }),
        faults => Err(Faults::new(source, path, &WORDS, faults)),
    }
}

fn targets(raw: &Spanned<BTreeMap<String, RawTarget>>, check: &mut Checker<'_>) -> Vec<Target> {
    if raw.value.is_empty() {
        check.fault(raw, "a plan needs at least one target");
    }
    let mut all = Vec::new();
    for (name, target) in &raw.value {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
            let fault = check.key_fault(name, &target.at, format!("`{name}` is not a name of a target"));
            fault.hint = Some("use letters, digits, `-`, `_` and `.`, at most 40".into());
        }
        match target.at.value.parse::<Place>() {
            Err(error) => {
                let (shown, hint) = match without_password(&target.at.value) {
                    Some(shown) => (shown, format!("{error}; or name a file with it: `password_file: FILE`")),
                    None => (target.at.value.clone(), error),
                };
                check.fault(&target.at, format!("invalid target `{shown}`")).hint = Some(hint);
            }
            Ok(Place::Bucket { .. }) => {}
            Ok(_) => {
                if let Some(region) = &target.region {
                    let hint = "remove it, or write s3://BUCKET/PREFIX as the target".to_owned();
                    check.fault(region, "only a bucket has a region").hint = Some(hint);
                }
            }
        }
        all.push(Target {
            name: name.clone(),
            at: target.at.value.clone(),
            region: target.region.as_ref().map(|region| region.value.clone()),
            identity: target.identity.clone(),
            password_file: target.password_file.clone(),
            ssh_config: target.ssh_config.clone(),
        });
    }
    all
}

/// The values of a list, or the default ones. An empty list is a fault: its test would measure nothing.
fn listed<T>(raw: Option<Spanned<Vec<T>>>, name: &str, base: Vec<T>, check: &mut Checker<'_>) -> Vec<T> {
    let Some(raw) = raw else { return base };
    if raw.value.is_empty() {
        let fault = check.fault(&raw, format!("`{name}` is empty"));
        fault.hint = Some("name at least one, or remove the setting to use its default".into());
    }
    raw.value
}

fn sizes(raw: Option<Spanned<Vec<Spanned<String>>>>, base: Vec<Size>, check: &mut Checker<'_>) -> Vec<Size> {
    if raw.is_none() {
        return base;
    }
    let mut sizes = Vec::new();
    for text in &listed(raw, "sizes", Vec::new(), check) {
        match text.value.parse::<Size>() {
            Ok(size) => sizes.push(size),
            Err(error) => check.fault(text, format!("invalid size `{}`", text.value)).hint = Some(error.to_owned()),
        }
    }
    sizes.sort();
    sizes.dedup();
    sizes
}

fn threads(raw: Option<Spanned<Vec<Spanned<u32>>>>, base: Vec<u32>, check: &mut Checker<'_>) -> Vec<u32> {
    if raw.is_none() {
        return base;
    }
    let raw = listed(raw, "threads", Vec::new(), check);
    raw.iter().for_each(|count| check.between(Some(count), "a number of threads", 1, super::MOST_THREADS));
    let mut threads: Vec<u32> = raw.into_iter().map(|count| count.value).collect();
    threads.sort_unstable();
    threads.dedup();
    threads
}

fn repetitions(raw: Option<&Spanned<u32>>, base: u32, check: &mut Checker<'_>) -> u32 {
    check.between(raw, "the number of repetitions", 1, 100_000);
    raw.map_or(base, |count| count.value)
}

fn warmup(raw: Option<&Spanned<u32>>, base: u32, check: &mut Checker<'_>) -> u32 {
    check.between(raw, "the number of repetitions to warm up", 0, 1000);
    raw.map_or(base, |count| count.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "\
version: 1
targets:
  mount: { at: /sftp }
  bucket: { at: 's3://uploads/bench', region: us-west-2 }
  server: { at: 'sftp://jan@127.0.0.1:2222/uploads', password_file: /etc/bench.password }
deadline: 30
slowest: 0.5
sizes: { sizes: [5MB, 1MB, 1MB], content: [text], repeat: 6, warmup: 0, cached: false }
threads: { threads: [4, 1], iterations: 10, operations: [both] }
logins: {}
";

    #[test]
    fn a_plan_is_read_with_its_defaults() {
        let File { plan, hosts } = load(PLAN, "plan.yaml").unwrap();
        assert_eq!(hosts, []);
        let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!((names, plan.deadline), (vec!["bucket", "mount", "server"], 30));
        let sizes = plan.sizes.clone().unwrap();
        assert_eq!((sizes.sizes, sizes.cached), (vec![Size(1_000_000), Size(5_000_000)], false));
        assert_eq!(plan.threads.clone().unwrap().threads, [1, 4]);
        assert_eq!(plan.logins, Some(Logins::default()));
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "it is kept with the results");
    }

    #[test]
    fn every_fault_is_in_its_line() {
        for (from, to, line, message, hint) in [
            ("at: /sftp", "at: sftp", 3, "invalid target `sftp`", "from the root"),
            ("at: /sftp", "at: /sftp, region: x", 3, "only a bucket has a region", "remove it"),
            ("  mount:", "  'm o':", 3, "`m o` is not a name of a target", "letters"),
            ("5MB", "5TB", 8, "invalid size `5TB`", "such as 5MB"),
            ("deadline: 30", "deadline: 0", 6, "the deadline in seconds is 0", ""),
            ("deadline: 30", "deadlin: 30", 6, "unknown setting `deadlin`", "did you mean `deadline`?"),
            ("[4, 1]", "[4, 0]", 9, "a number of threads is 0", ""),
            ("slowest: 0.5", "slowest: -1", 7, "`slowest` is -1", ""),
            ("repeat: 6", "repeat: 0", 8, "the number of repetitions is 0", ""),
            ("operations: [both]", "operations: [bth]", 9, "bth", ""),
            ("operations: [both]", "operations: []", 9, "`operations` is empty", "at least one"),
            ("[5MB, 1MB, 1MB]", "[]", 8, "`sizes` is empty", "at least one"),
            ("content: [text]", "content: []", 8, "`content` is empty", "at least one"),
            ("[4, 1]", "[]", 9, "`threads` is empty", "at least one"),
            ("[4, 1]", "1-15", 9, "expected a list here", "[one, another]"),
            ("version: 1", "version: 2", 1, "unknown format version 2", "upgrade"),
        ] {
            let source = PLAN.replacen(from, to, 1);
            assert_ne!(source, PLAN, "{from}");
            let faults = load(&source, "plan.yaml").unwrap_err();
            let fault = &faults.list()[0];
            assert_eq!(fault.line, line, "{fault:?}");
            assert!(fault.message.contains(message), "{fault:?}");
            assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{fault:?}");
        }
        let two = PLAN.replace("5MB", "5TB").replace("deadline: 30", "deadline: 0");
        assert_eq!(load(&two, "plan.yaml").unwrap_err().list().len(), 2, "all faults are told at once");
    }

    #[test]
    fn machines_are_read_with_what_is_said_of_them() {
        let hosts =
            "hosts:\n  jan@app-2: { ssh_config: /etc/bench, program: /opt/sftpctl, silence: 60 }\n  app-1: {}\n";
        let file = load(&format!("{PLAN}{hosts}"), "plan.yaml").unwrap();
        assert_eq!(file.plan, load(PLAN, "plan.yaml").unwrap().plan, "the plan is that without machines");
        let plain = Host { name: "app-1".into(), ..Host::default() };
        let other = Host {
            name: "jan@app-2".into(),
            ssh_config: Some("/etc/bench".into()),
            program: Some("/opt/sftpctl".into()),
            silence: Some(60),
        };
        assert_eq!(file.hosts, [plain, other]);
        for (hosts, line, message, hint) in [
            ("hosts: {}", 11, "`hosts` names no machine", "app-1: {}"),
            ("hosts:\n  '-oProxyCommand=x': {}", 12, "is not a machine for ssh", "USER@MACHINE"),
            ("hosts:\n  'a b': {}", 12, "`a b` is not a machine for ssh", "USER@MACHINE"),
            ("hosts:\n  a: { silence: 1 }", 12, "the number of seconds of silence is 1", "2 to 3600"),
            ("hosts:\n  a: { program: '' }", 12, "`program` is empty", "the path of sftpctl"),
            ("hosts:\n  a: { config: x }", 12, "unknown setting `config`", ""),
        ] {
            let faults = load(&format!("{PLAN}{hosts}\n"), "plan.yaml").unwrap_err();
            let fault = &faults.list()[0];
            assert_eq!((fault.line, faults.list().len()), (line, 1), "{fault:?}");
            assert!(fault.message.contains(message), "{fault:?}");
            let said = format!("{} {}", fault.message, fault.hint.as_deref().unwrap_or_default());
            assert!(said.contains(hint), "{fault:?}");
        }
    }

    #[test]
    fn a_plan_that_measures_nothing_is_refused() {
        let nothing = "version: 1\ntargets:\n  mount: { at: /sftp }\nlogins: {}\n";
        let faults = load(nothing, "plan.yaml").unwrap_err();
        assert_eq!(faults.list()[0].message, "this plan measures nothing");
        let none = load("version: 1\ntargets: {}\nsizes: {}\n", "plan.yaml").unwrap_err();
        assert_eq!(none.list()[0].message, "a plan needs at least one target");
    }
}
