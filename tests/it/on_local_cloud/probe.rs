//! `scripts/probe-aws`: the same questions as in docs/open-questions.md, and nothing left behind.

use std::collections::BTreeMap;
use std::process::Command;

use sftpctl_testkit::programs::{root, venv};

use crate::site::{Site, succeeded};

fn probe(secret: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(venv().join("bin/python"));
    command.arg(root().join("scripts/probe-aws")).args(arguments);
    command.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", secret).env_remove("AWS_PROFILE");
    command
}

/// Question and assumption, from the table.
fn assumed() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/open-questions.md")).unwrap_or_else(|error| panic!("{error}"));
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect());
    cells.map(|cells: Vec<String>| (cells[1].clone(), cells[3].clone())).collect()
}

#[test]
fn script_and_table_have_the_same_questions_and_the_local_cloud_answers_as_assumed() {
    let listed = succeeded("--list", &probe("", &["--list"]).output().unwrap_or_else(|error| panic!("{error}")));
    let assumed = assumed();
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, assumed.keys().map(String::as_str).collect::<Vec<_>>());

    let site = Site::new();
    let endpoint = site.endpoint();
    let run = |more: &[&str]| {
        let output = probe(&site.secret(), &["--endpoint-url", &endpoint]).args(more).output();
        output.unwrap_or_else(|error| panic!("{error}"))
    };
    let output = run(&["--account", "222222222222", "--yes"]);
    assert_eq!(output.status.code(), Some(3), "another account is refused: {output:?}");
    let output = succeeded("probe-aws", &run(&["--account", "111111111111", "--yes"]));
    let answers = output.lines().filter_map(|line| line.split_once(": "));
    let answers: BTreeMap<&str, &str> =
        answers.map(|(name, answer)| (name, answer.split(' ').next().unwrap_or_default())).collect();
    let expected = assumed.iter().map(|(name, answer)| (name.as_str(), answer.as_str()));
    let unlike: Vec<_> = expected.filter(|(name, answer)| answers.get(name) != Some(answer)).collect();
    let unlike: Vec<&str> = unlike.into_iter().map(|(name, _)| name).collect();
    assert_eq!(unlike, UNLIKE_AWS, "{output}");
    assert!(!site.aws(&["left"]).contains("sftpctl-probe"), "everything is deleted");
}

/// A refusal for another reason than the role says nothing about the role.
#[test]
fn only_what_aws_says_of_an_unusable_role_is_a_no() {
    let site = Site::new();
    let question = "narrow-invocation-role-suffices";
    for (code, answer) in [("AccessDeniedException", "unknown ("), ("InvalidRequestException", "no")] {
        site.ok(&["local", "faults", "add", "transfer.CreateServer", &format!("error=400:{code}:refused by a test")]);
        let arguments = ["--endpoint-url", &site.endpoint(), "--account", "111111111111", "--yes", question];
        let output = probe(&site.secret(), &arguments).output().unwrap_or_else(|error| panic!("{error}"));
        let output = succeeded("probe-aws", &output);
        assert!(output.starts_with(&format!("{question}: {answer}")), "{code}: {output}");
        site.ok(&["local", "faults", "clear"]);
    }
    let arguments = ["--endpoint-url", &site.endpoint(), "--account", "111111111111", "--yes"];
    let output = probe(&site.secret(), &arguments).arg("provider-type-changes-in-place").output();
    let output = succeeded("probe-aws", &output.unwrap_or_else(|error| panic!("{error}")));
    assert_eq!(output, "provider-type-changes-in-place: yes\n", "asked alone, it has a role of its own");
}

/// Where the local cloud is friendlier than AWS is assumed to be.
const UNLIKE_AWS: [&str; 0] = [];
