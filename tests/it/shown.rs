//! Snapshots of plans, summaries and help. `INSTA_UPDATE=always cargo test` rewrites them; review the changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sftpctl::commands;
use sftpctl::exit::{self, Exit};
use sftpctl::report::{plan_view, summary};
use sftpctl_core::events::{RegionRow, Summary};
use sftpctl_core::kind::Kind;
use sftpctl_core::model::{Actual, Live, Removal, Want};
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::{graph, planner};
use sftpctl_core::template::{Code, render};
use sftpctl_engine::resources::resource::Resource;

use crate::drive::{environment, resources};

const WIDE: usize = 100;
const NARROW: usize = 60;

fn deploy(all: &[Arc<dyn Resource>], actual: &Actual) -> Plan {
    planner::deploy("99", "111111111111", all, &[], actual).unwrap().0
}

/// An AWS in which every resource is as wanted.
fn as_wanted(all: &[Arc<dyn Resource>]) -> Actual {
    let mut actual = Actual::new();
    for id in graph::order(&graph::upwards(all).unwrap()) {
        let resource = all.iter().find(|resource| *resource.id() == id).unwrap();
        let mut live = Live::new(id.as_str());
        for (name, want) in resource.wanted(&actual) {
            if let Want::Is(value) = want {
                live = live.with(name, value);
            }
        }
        let outputs = ["ApiId", "ApiUrl", "InvocationRoleArn", "TriggerSourceArn", "ServerId", "Endpoint", "VersionId"];
        for name in outputs.into_iter().chain(["AllocationId", "GroupId"]) {
            live = live.output(name, format!("{name}-of-{}", id.place()));
        }
        actual.insert(id, Some(live));
    }
    actual
}

fn set(actual: &mut Actual, id: &str, name: &'static str, value: impl Into<Value>) {
    let live = actual.iter_mut().find(|(node, _)| node.as_str() == id).unwrap().1.as_mut().unwrap();
    live.properties.insert(name, value.into());
}

#[test]
fn plan_of_a_first_deployment() {
    let plan = deploy(&resources(&environment()), &Actual::new());
    insta::assert_snapshot!("plan_create", plan_view::render(&plan, &[], WIDE));
    insta::assert_snapshot!("plan_create_60_columns", plan_view::render(&plan, &[], NARROW));
}

#[test]
fn plan_of_changes_with_a_replacement() {
    let environment = environment();
    let all = resources(&environment);
    let mut actual = as_wanted(&all);
    assert!(deploy(&all, &actual).is_empty());
    // The earlier stack has another timeout, and another function name, which cannot be changed in place.
    let code = Code { bucket: "code".into(), key: "key".into() };
    let mut before = render(&environment, "us-west-2", &code).unwrap().template;
    before["Resources"]["Authorizer"]["Properties"]["FunctionName"] = "lambda-of-before".into();
    before["Resources"]["Authorizer"]["Properties"]["Timeout"] = 3.into();
    set(&mut actual, "us-west-2/stack", "template", "digest of before");
    set(&mut actual, "us-west-2/stack", "body", before);
    set(&mut actual, "us-west-2/server", "security policy", "TransferSecurityPolicy-2018-11");
    set(&mut actual, "us-east-2/server-id", "SERVER_ID", "s-edited-by-hand");
    let key = "orgid (S)";
    set(&mut actual, "us-west-2/table", "key", key);
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [] });
    set(&mut actual, "us-west-2/bucket/pl-pt99-5-uploads", "policy", policy);
    let plan = deploy(&all, &actual);
    insta::assert_snapshot!("plan_update", plan_view::render(&plan, &[], WIDE));
    insta::assert_snapshot!("plan_update_60_columns", plan_view::render(&plan, &[], NARROW));
    let json = serde_json::to_value(&plan).unwrap();
    insta::assert_snapshot!("plan_update_json_step", serde_json::to_string_pretty(&json["steps"][0]).unwrap());
    assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan, "a saved plan equals the original");
}

#[test]
fn plan_of_a_teardown() {
    let all = resources(&environment());
    let removals: Vec<_> = all
        .iter()
        .map(|resource| {
            let removal = match resource.kind() {
                Kind::Table | Kind::Replica => Removal::Keep("it holds the accounts; --delete-data deletes it".into()),
                Kind::Trigger | Kind::ServerId => Removal::Leave,
                _ => Removal::Delete,
            };
            (resource.id().clone(), removal)
        })
        .collect();
    let (plan, _) = planner::teardown("99", "111111111111", &all, &removals).unwrap();
    insta::assert_snapshot!("plan_teardown", plan_view::render(&plan, &[], NARROW));
}

#[test]
fn summary_of_a_run() {
    let row = |region: &str, server: Option<&str>| RegionRow {
        region: region.into(),
        stack: Some("UPDATE_COMPLETE".into()),
        server: server.map(str::to_owned),
        state: server.map(|_| "ONLINE".into()),
        host: server.map(|_| format!("99-uploads-{region}.xx.net")),
        endpoint: None,
        addresses: Vec::new(),
    };
    let done = Summary {
        environment: "99".into(),
        command: "deploy".into(),
        changed: 3,
        failed: 1,
        not_begun: 2,
        kept: vec!["bucket pl-pt99-5-uploads: it holds customers' files".into()],
        later: Vec::new(),
        left_out: Vec::new(),
        regions: vec![row("us-east-1", None), row("us-west-2", Some("s-0123456789abcdef0"))],
        seconds: 12.34,
        aws_calls: 56,
    };
    insta::assert_snapshot!("summary", summary::render(&done, WIDE));
    insta::assert_snapshot!("summary_60_columns", summary::render(&done, NARROW));
}

#[test]
fn no_line_of_a_plan_is_wider_than_the_terminal() {
    let plan = deploy(&resources(&environment()), &Actual::new());
    for width in [40, NARROW, 80, WIDE] {
        let widest =
            plan_view::render(&plan, &[], width).to_string().lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}");
    }
}

/// Collects the paths of a command and of all its subcommands.
fn paths(command: &clap::Command, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    for below in command.get_subcommands() {
        paths(below, &format!("{path} {}", below.get_name()), all);
    }
}

/// The output of `--help`, in one file for each command.
#[test]
fn help_of_every_command() {
    let mut all = Vec::new();
    paths(&commands::command(), "sftpctl", &mut all);
    // `sftpctl-local` prints the help of `sftpctl local`.
    for path in all.iter().filter(|path| *path != "sftpctl local") {
        let arguments = path.split(' ').chain(["--help"]);
        let help = commands::command().term_width(100).try_get_matches_from(arguments).unwrap_err().to_string();
        let trimmed: Vec<_> = help.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(format!("help_{}", path.replace(' ', "_")), trimmed.join("\n"));
    }
}

#[test]
fn manual_page_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    let mut man = std::process::Command::new(sftpctl_testkit::programs::sftpctl());
    assert!(man.args(["man", "--dir"]).arg(&dir).output().unwrap().status.success());
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        pages.insert(name, std::fs::read_to_string(&path).unwrap());
    }
    for name in ["sftpctl.1", "sftpctl-deploy.1", "sftpctl-local.1", "sftpctl-users-add.1"] {
        let page = &pages[name];
        let title = Path::new(name).file_stem().unwrap().to_str().unwrap();
        assert!(page.contains(".TH") && page.replace('\\', "").contains(title), "{name}: {page}");
    }
}

#[test]
fn readme_lists_all_exit_codes() {
    let readme = include_str!("../../README.md");
    let (_, list) = readme.split_once("| code | meaning |\n|---|---|\n").unwrap();
    let plain = |text: &str| text.replace(['`', '|'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let listed: Vec<String> = list.lines().take_while(|line| line.starts_with('|')).map(plain).collect();
    let known: Vec<String> = exit::list(&Exit::ALL).lines().skip(1).map(plain).collect();
    assert_eq!(listed, known);
}
