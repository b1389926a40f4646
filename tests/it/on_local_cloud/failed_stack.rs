//! A stack that really fails on the local cloud: a bucket's name is taken between the plan and the stack's creation.

use std::process::Stdio;

use serde_json::Value;

use crate::site::{Site, shown, text, until};

const BUCKET: &str = "pl-pt99-5-uploads";

#[test]
fn failed_stack_reports_its_cause_and_the_next_run_recreates_it() {
    let site = Site::new();
    site.ok(&["local", "faults", "add", "cloudformation.CreateStack", "hold-before", "--region", "us-west-2"]);
    let mut deploy = site.command(&["deploy", "--env", "99", "--local", "--yes"]);
    let deploy = deploy.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let deploy = deploy.unwrap_or_else(|error| panic!("{error}"));
    until("CreateStack is held", || site.ok(&["local", "faults", "list"]).contains("held before").then_some(()));
    // `status --why` needs no lock, and reads what the run at work has written so far.
    let during = site.ok(&["status", "--env", "99", "--local", "--why"]);
    let lines =
        ["is unfinished: the lock is held (deploy by ", "us-west-2/stack (stack sftp-99-upload-us-west-2) was begun "];
    assert!(lines.iter().all(|line| during.contains(line)), "{during}");
    site.aws(&["state-bucket", BUCKET]);
    site.ok(&["local", "faults", "clear"]);
    let failed = deploy.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(failed.status.code(), Some(6), "{}", shown(&failed));

    // The cause without the rollback's events, what is left, and the steps that were not started because of it.
    let output = text(&failed.stderr);
    let from = output.find("stack sftp-99-upload-us-west-2: failed").unwrap_or_else(|| panic!("{output}"));
    let failure: Vec<&str> = output[from..].lines().take_while(|line| !line.starts_with("us-east")).collect();
    let failure = failure.join("\n");
    assert!(failure.contains("ended in ROLLBACK_COMPLETE"), "{failure}");
    assert!(
        failure.contains(&format!("'AWS::S3::Bucket' with identifier '{BUCKET}' already exists at /Resources/")),
        "{failure}"
    );
    assert!(output.contains("us-west-2: server: not begun: us-west-2/stack is not finished"), "{output}");
    // Resources that do not need that stack exist.
    assert_eq!(site.ports().into_keys().collect::<Vec<_>>(), ["us-east-2"]);

    let why: Value = serde_json::from_str(&site.ok(&["status", "--env", "99", "--local", "--why", "--output=json"]))
        .unwrap_or_else(|error| panic!("{error}"));
    let step = &why["failure"]["steps"][0];
    assert_eq!((&why["standing"], &step["step"]), (&"unresolved".into(), &"us-west-2/stack".into()), "{why:#}");
    assert!(step["causes"].to_string().contains(BUCKET) && step["at"].is_string(), "{why:#}");
    assert!(why["failure"]["notBegun"].to_string().contains("us-west-2/server"), "{why:#}");
    let told = site.ok(&["status", "--env", "99", "--local", "--why"]);
    let resume = "It is not resolved: run `sftpctl deploy --env 99 --local` to resume";
    assert!(told.contains("    because: ") && told.contains("    hint: ") && told.contains(resume), "{told}");

    // The bucket is foreign and is left alone; once it is gone, one more run is enough.
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains(BUCKET), "{refused}");
    site.aws(&["delete-bucket", BUCKET]);
    site.deploy();
    let resolved = site.ok(&["status", "--env", "99", "--local", "--why"]);
    assert!(resolved.contains(BUCKET) && resolved.contains("Since then: deploy, begun "), "{resolved}");
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);
}
