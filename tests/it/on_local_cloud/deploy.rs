//! Deployment, drift and teardown of environment 99 on a local cloud of its own: the real binary, checked with
//! botocore.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;
use sftpctl_core::model::Actual;

use sftpctl_testkit::drive;

use crate::on_local_cloud::terminal::Terminal;
use crate::site::{Site, shown, text};

/// `deploy` without `--local`, with the keys of an account.
fn on_aws(site: &Site, account: &str) -> Output {
    let mut command = site.command(&["deploy", "--env", "99", "--yes", "--endpoint-url", &site.endpoint()]);
    command.env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", site.secret()).output().unwrap()
}

#[test]
fn environment_is_deployed_repaired_and_torn_down() {
    let site = Site::new();
    let plan = site.planned();
    // Of buckets there is no step while their stack creates them.
    let mut environment = drive::environment();
    environment.metrics.dashboard = false;
    environment.regions.values_mut().for_each(|region| region.endpoint = None);
    let wanted = drive::resources(&environment);
    let created = wanted.iter().filter(|resource| resource.diff(None, &Actual::new()).is_some());
    let created: BTreeSet<&str> = created.map(|resource| resource.id().as_str()).collect();
    assert_eq!(plan.iter().map(String::as_str).collect::<BTreeSet<_>>(), created);
    assert_eq!(site.aws(&["left"]), "[]", "a plan never writes");
    site.ends_with(4, &["plan", "--env", "99", "--local", "--exit-code"]);
    // The graph has every step, and an arrow for each that waits for another.
    let graph = |form: &str| site.ok(&["plan", "--env", "99", "--local", "--output", form]);
    let plan = graph("json");
    let plan = plan.lines().find(|line| line.contains("\"sftpctl/plan/1\"")).unwrap();
    let plan: Value = serde_json::from_str(plan).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let needs: usize = steps.iter().map(|step| step["needs"].as_array().unwrap().len()).sum();
    let (dot, mermaid) = (graph("dot"), graph("mermaid"));
    assert!(dot.starts_with("digraph \"environment 99\" {") && mermaid.starts_with("flowchart LR"), "{dot} {mermaid}");
    assert_eq!((dot.matches("\n    n").count(), dot.matches("\n  n").count() - 1), (steps.len(), needs), "{dot}");
    assert_eq!((mermaid.matches(" style n").count(), mermaid.matches(" --> ").count()), (steps.len(), needs));
    site.deploy();
    site.aws(&["properties"]);

    // A second deployment changes nothing, with or without the state of the first.
    let again = site.run(&["deploy", "--env", "99", "--local", "--yes"]);
    assert!(shown(&again).contains("Nothing to do"), "{}", shown(&again));
    let text = shown(&again);
    let calls: u32 = text.lines().find_map(|line| line.strip_suffix(" AWS calls")?.parse().ok()).unwrap();
    assert!(calls < 40, "{calls} calls although there is nothing to do");
    let plain = site.ok(&["plan", "--env", "99", "--local", "--output", "plain"]);
    assert!(plain.contains("Nothing to do"), "{plain}");
    for server in site.status()["servers"].as_array().unwrap() {
        assert_eq!((&server["state"], &server["host"]), (&"ONLINE".into(), &"127.0.0.1".into()), "{server}");
    }
    site.forget();
    assert_eq!(site.planned(), Vec::<String>::new());

    // Each manual change is planned alone and repaired; then everything is as before.
    for (kind, step) in [
        ("server-id", "us-west-2/server-id"),
        ("trigger", "us-west-2/trigger"),
        ("bucket", "us-west-2/bucket/pl-pt99-5-uploads"),
        ("replica", "us-east-2/replica"),
        ("server", "us-west-2/server"),
        ("record", "global/record/99-uploads-us-east-2.xx.net"),
        ("user-policy", "global/user-policy"),
    ] {
        site.aws(&["drift", kind]);
        assert_eq!(site.planned(), [step], "{kind}");
        if kind == "trigger" {
            let status = site.ok(&["status", "--env", "99", "--local"]);
            assert!(status.contains("missing    us-west-2  API trigger of lambda-99-upload-us-west-2"), "{status}");
        }
        site.deploy();
        assert_eq!(site.planned(), Vec::<String>::new(), "{kind}");
    }
    let statements = site.aws(&["statements"]);
    assert_eq!(statements, r#"["foreign", "sftpctl-api-trigger"]"#, "foreign permissions are kept");
    site.aws(&["drift-of-the-rest"]);
    let rest = [
        "global/user-role",
        "us-east-1/replica",
        "us-east-1/stack",
        "us-east-2/api-account",
        "us-west-2/package",
        // Its function's code gets another version of the package.
        "us-west-2/stack",
        "us-west-2/table",
    ];
    let mut planned = site.planned();
    planned.sort();
    assert_eq!(planned, rest);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);

    // A saved plan is executed exactly, or not at all.
    site.aws(&["drift", "trigger"]);
    site.ok(&["plan", "--env", "99", "--local", "--out", "saved.json"]);
    site.aws(&["drift", "record"]);
    let moved = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes", "--plan", "saved.json"]);
    assert!(moved.contains("global/record/99-uploads-us-east-2.xx.net: was not in the plan"), "{moved}");
    site.deploy();

    // Files survive a teardown, and the next deployment adopts their bucket again.
    site.aws(&["put"]);
    let refused = site.ends_with(3, &["teardown", "--env", "99", "--local"]);
    assert!(refused.contains("pass --yes"), "{refused}");
    site.aws(&["late-log"]);
    site.ok(&["teardown", "--env", "99", "--local", "--yes"]);
    assert_eq!(
        site.aws(&["left"]),
        r#"["dydb-99-uploads", "dydb-99-uploads", "dydb-99-uploads", "pl-pt99-3-uploads", "pl-pt99-5-uploads"]"#
    );
    assert!(site.ok(&["teardown", "--env", "99", "--local", "--yes"]).contains("Nothing is left"));
    // The bucket's own tags show its owner even if the state is lost as well.
    site.forget();
    site.deploy();
    assert_eq!(site.aws(&["get"]), "kept");
    assert_eq!(site.planned(), Vec::<String>::new());

    // AWS keeps a table for a day after it was the source of a replica; everything else is deleted at once.
    let teardown = ["teardown", "--env", "99", "--local", "--yes", "--delete-data"];
    let later = site.ends_with(6, &teardown);
    assert!(later.contains("later: table dydb-99-uploads cannot be deleted yet"), "{later}");
    assert_eq!(site.aws(&["left"]), r#"["dydb-99-uploads"]"#);
    site.ok(&teardown);
    assert_eq!(site.aws(&["left"]), "[]");
    assert!(site.ok(&["teardown", "--env", "99", "--local", "--yes"]).contains("Nothing is left"));
}

#[test]
fn foreign_resources_are_left_alone() {
    let site = Site::new();
    site.aws(&["foreign-role"]);
    // Without --local the hosted zone is not created: all problems are reported in one run.
    let both = on_aws(&site, "111111111111");
    assert_eq!(both.status.code(), Some(3), "{}", shown(&both));
    for words in ["role sftp-transfer exists without the tag", "the account has no public hosted zone xx.net"] {
        assert!(shown(&both).contains(words), "{}", shown(&both));
    }
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("role sftp-transfer exists without the tag sftpctl:environment"), "{refused}");
    assert_eq!(site.aws(&["left"]), r#"["sftp-transfer"]"#, "nothing was written");

    // The report includes names that would make the stacks fail, but not a log group that a late log line may have
    // created.
    site.aws(&["foreign-names"]);
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    for name in [
        "us-east-1: function lambda-99-upload-us-east-1",
        "us-east-2: log group /aws/vendedlogs/transfer/99-upload-us-east-2",
    ] {
        assert!(refused.contains(&format!("{name} exists without the tag sftpctl:environment")), "{refused}");
    }
    assert!(refused.contains("role sftp-transfer") && !refused.contains("us-west-2: log group"), "{refused}");
}

#[test]
fn missing_hosted_zone_is_reported_before_any_write() {
    let site = Site::new();
    // Without --local the hosted zone, which exists beforehand on AWS, is not created.
    let output = on_aws(&site, "111111111111");
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    assert!(shown(&output).contains("the account has no public hosted zone xx.net"), "{}", shown(&output));
    assert_eq!(site.aws(&["left"]), "[]", "nothing was written");
}

#[test]
fn single_region_deploys_to_a_fresh_account() {
    let site = Site::new();
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--region", "us-west-2"]);
    let plan = site.ok(&["plan", "--env", "99", "--local", "--region", "us-west-2", "--output", "json"]);
    assert!(plan.lines().last().unwrap().contains(r#""steps":[]"#), "{plan}");
    let rest = site.planned();
    assert!(rest.iter().all(|id| !id.starts_with("us-west-2/") && !id.contains("user-")), "{rest:?}");
    assert!(rest.contains(&"us-east-2/server".to_owned()), "{rest:?}");

    let two = ["plan", "--env", "99", "--local", "--output", "json", "--region", "us-east-1", "--region", "us-east-2"];
    let plan: Value = serde_json::from_str(site.ok(&two).lines().last().unwrap()).unwrap();
    let steps = plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap());
    let places: BTreeSet<&str> = steps.map(|id| id.split('/').next().unwrap()).collect();
    assert!(places.contains("us-east-1") && places.contains("us-east-2") && !places.contains("us-west-2"), "{plan}");
}

#[test]
fn wrong_account_is_refused_and_production_requires_its_name() {
    let site = Site::new();
    let output = on_aws(&site, "333333333333");
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let printed = shown(&output);
    assert!(printed.contains("111111111111") && printed.contains("333333333333"), "{printed}");

    site.ok(&["deploy", "--env", "prod", "--local", "--yes"]);
    let refused = site.ends_with(3, &["teardown", "--env", "prod", "--local", "--yes"]);
    assert!(refused.contains("--confirm prod"), "{refused}");
    let file = site.dir.path().join("environments/prod.yaml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let without = whole.replacen("server: true", "server: false", 1);
    assert_ne!(whole, without);
    std::fs::write(&file, without).unwrap();
    let refused = site.ends_with(3, &["deploy", "--env", "prod", "--local", "--yes"]);
    assert!(refused.contains("--confirm prod"), "{refused}");
    site.ok(&["deploy", "--env", "prod", "--local", "--yes", "--no-verify", "--confirm", "prod"]);
    site.ok(&["plan", "--env", "prod", "--local", "--exit-code"]);
    let left = || site.aws(&["left", "222222222222"]);
    let before = left();
    assert!(before.contains("sftp-prod-upload-us-west-2"), "{before}");
    let protected = site.ends_with(3, &["teardown", "--env", "prod", "--local", "--confirm", "prod", "--delete-data"]);
    assert!(protected.contains("table dydb-uploads has deletion protection; set"), "{protected}");
    assert_eq!(left(), before, "nothing is deleted if anything may not be deleted");

    let teardown = site.command(&["teardown", "--env", "prod", "--local"]);
    let question = "Type prod to delete it:";
    let wrong = Terminal::run(&teardown, 100, &[(question, "yes")]);
    assert_eq!(wrong.code, Some(3), "{}", text(&wrong.written));
    assert_eq!(left(), before, "`yes` is not the environment's name");
    let right = Terminal::run(&teardown, 100, &[(question, "prod")]);
    assert_eq!(right.code, Some(0), "{}", text(&right.written));
    let tables = ["dydb-uploads"; 3];
    assert_eq!(left(), format!("{tables:?}"), "only the account tables are kept");
}
