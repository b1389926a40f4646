//! `cost` and `cost compare`, which call nobody.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::site::{shown, text};

fn cost(folder: &Path, arguments: &[&str]) -> Output {
    let environment = sftpctl_testkit::programs::root().join("environments/99.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
    command.arg("cost").args(arguments).arg("--env-file").arg(environment).current_dir(folder);
    // A call to AWS would go to an address where nothing answers.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output().unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = cost(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
    text(&output.stdout)
}

fn fails(folder: &Path, arguments: &[&str], says: &str) {
    let output = cost(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", shown(&output));
    assert!(shown(&output).contains(says), "{arguments:?}: {}", shown(&output));
}

fn cents(amount: &Value) -> i64 {
    let (dollars, cents) = amount.as_str().unwrap().split_once('.').unwrap();
    format!("{dollars}{cents:0<2}").parse().unwrap()
}

#[test]
fn bill_adds_up_for_people_and_programs() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::write(folder.join("usage.yaml"), "version: 1\nlog_ins: 1000000\nuploaded_gb: 400\n").unwrap();
    let usage = ["--usage", "usage.yaml"];
    let printed = ok(folder, &usage);
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Transfer Family: SFTP uploads 200 GB × 0.04 = 8.00"), "{printed}");
    let view: Value = serde_json::from_str(&ok(folder, &[&usage[..], &["--output", "json"]].concat())).unwrap();
    assert_eq!(view["schema"], "sftpctl/cost/1");
    for limit in ["low", "high"] {
        let lines = view["lines"].as_array().unwrap().iter();
        assert_eq!(lines.map(|line| cents(&line["amount"][limit])).sum::<i64>(), cents(&view["total"][limit]));
    }
    let markdown = ok(folder, &["--output", "markdown"]);
    assert!(
        markdown.contains("| us-west-2 | Transfer Family: SFTP endpoint | 730 hours × 0.30 | 219.00 |"),
        "{markdown}"
    );
}

#[test]
fn report_is_one_page_that_loads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, name) in
        [(&["--report", "a.html"][..], "a.html"), (&["compare", "--report", "b.html"][..], "b.html")]
    {
        ok(dir.path(), arguments);
        let page = std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(page.contains("default-src 'none'") && page.matches("<svg").count() == 2, "{page}");
        assert!(page.contains("219.00") && page.ends_with("</html>\n"), "{page}");
    }
    fails(dir.path(), &["--report", "a.pdf"], "hint: name it .html");
}

#[test]
fn prices_and_usage_that_cannot_be_used_are_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("usage.yaml", "version: 1\nlogins: 5\n");
    fails(folder, &["--usage", "usage.yaml"], "did you mean `log_ins`?");
    fails(folder, &["--usage", "missing.yaml"], "cannot read missing.yaml");
    write("prices.toml", "version = 1\n[[price]]\nid = \"x\"\n");
    fails(folder, &["--prices", "prices.toml"], "cannot use prices.toml as a table of prices: line ");
    fails(folder, &["--prices", "prices.toml"], "hint: the form is that of prices/aws.toml");
}

#[test]
fn prices_of_a_contract_win_and_are_called_old_when_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let row = |date: &str| {
        format!(
            "version = 1\n[[price]]\nid = \"transfer.sftp-hour\"\nservice = \"Transfer Family\"\nitem = \"SFTP endpoint\"\n\
             unit = \"hours\"\nusd = [{{ usd = [\"0.24\"], regions = [\"us-west-2\"] }}]\nsource = \"contract\"\n\
             published = \"{date}\"\nretrieved = \"{date}\"\nconfidence = \"published\"\n"
        )
    };
    std::fs::write(dir.path().join("prices.toml"), row("2099-01-01")).unwrap();
    let output = cost(dir.path(), &["--prices", "prices.toml"]);
    let printed = text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        printed.contains("730 hours × 0.24 = 175.20") && printed.contains("730 hours × 0.30 = 219.00"),
        "{printed}"
    );
    assert!(!shown(&output).contains("warning"), "{}", shown(&output));
    std::fs::write(dir.path().join("prices.toml"), row("2020-01-01")).unwrap();
    // The built-in prices are of June 2025, and it is later than that by more than 180 days.
    let old = shown(&cost(dir.path(), &["--prices", "prices.toml"]));
    assert!(old.contains("warning: the newest price is of 2025-06-17, "), "{old}");
}

#[test]
fn inputs_of_a_comparison_are_written_edited_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let built_in = ok(folder, &["compare"]);
    assert!(built_in.contains("Total: 869.40 (1,219.80 without the reservation)"), "{built_in}");
    assert!(built_in.contains("765.50 against 1,164.00, or 818.40 with reservations"), "{built_in}");
    ok(folder, &["compare", "--write-inputs", "old.yaml"]);
    assert_eq!(ok(folder, &["compare", "--inputs", "old.yaml"]), built_in);
    fails(folder, &["compare", "--write-inputs", "old.yaml"], "hint: name a file that does not exist");
    let edited = std::fs::read_to_string(folder.join("old.yaml")).unwrap().replace("count: 12", "count: 1");
    std::fs::write(folder.join("old.yaml"), edited).unwrap();
    let view = ok(folder, &["compare", "--inputs", "old.yaml", "--output", "json"]);
    let view: Value = serde_json::from_str(&view).unwrap();
    // One m4.large for 730 hours less 40 %, six disks and twelve addresses.
    assert_eq!(cents(&view["old"]["total"]), 4380 + 30000 + 4380);
    std::fs::write(folder.join("old.yaml"), "version: 1\nregion: us-east-1\nserver: []\n").unwrap();
    fails(folder, &["compare", "--inputs", "old.yaml"], "did you mean `servers`?");
}
