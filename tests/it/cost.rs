//! `cost` and `cost compare`, which call nobody.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sftpctl_core::cost::authorizer::{REFUSAL_MS, admitted_ms, refused_ms};
use sftpctl_core::cost::money::Quantity;
use sftpctl_core::cost::prices::{Prices, id};
use sftpctl_core::cost::usage::{Estimate, Field};

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
        markdown.contains("| us-west-2 | Transfer Family: SFTP uploads | 5 to 500 GB × 0.04 | 0.20 to 20.00 |"),
        "{markdown}"
    );
}

fn document() -> String {
    std::fs::read_to_string(sftpctl_testkit::programs::root().join("docs/cost.md")).unwrap()
}

/// What the page says of the authorizer's memory follows from what `cost` computes with.
#[test]
fn the_table_of_the_authorizers_memory_is_computed() {
    assert_eq!(u128::from(REFUSAL_MS), sftp_authorizer::QUANTUM.as_millis(), "what is billed is what is waited");
    let document = document();
    let prices = Prices::built_in().unwrap();
    let price = prices.row(id::LAMBDA_X86).unwrap().in_region("us-east-1").unwrap()[0];
    let per_gb_second = price.exact().parse::<f64>().unwrap();
    let vcpu_ms = Field::AuthorizerVcpuMs.assumed().unwrap();
    let number = |quantity: Quantity| quantity.to_string().replace(',', "").parse::<f64>().unwrap();
    let between = |low: String, high: String| if low == high { low } else { format!("{low} to {high}") };
    let of = |estimate: Estimate, show: &dyn Fn(f64) -> String| {
        between(show(number(estimate.low)), show(number(estimate.high)))
    };
    // Three figures.
    let rate = |ms: f64| {
        let rate = 1000.0 / ms * 1000.0;
        let step = if rate < 10_000.0 { 10.0 } else { 100.0 };
        thousands((rate / step).round() * step)
    };
    for memory in [128, 256, 512, 1024, 1769, 3008] {
        let (admitted, refused) = (admitted_ms(vcpu_ms, memory), refused_ms(vcpu_ms, memory));
        #[expect(clippy::cast_precision_loss, reason = "a number of MB")]
        let mb = memory as f64;
        let million = |ms: f64| format!("{:.2}", ms * 1000.0 * mb / 1024.0 * per_gb_second);
        let ms = |ms: f64| thousands(ms.round());
        let name = if memory == 512 { "512, the default".to_owned() } else { memory.to_string() };
        let part = format!("{:.2}", (mb / 1769.0).min(1.0));
        let part = part.strip_suffix(".00").unwrap_or(&part);
        let [slow, quick] = [admitted.high, admitted.low].map(|ms| rate(number(ms)));
        let row = format!(
            "| {name} | {part} | {} ms | {} ms | {} | {} | {slow} to {quick} |",
            of(admitted, &ms),
            of(refused, &ms),
            of(admitted, &million),
            of(refused, &million)
        );
        assert!(document.contains(&row), "{row}");
    }
    // How much slower than the slowest run here a vCPU may be, if the table takes as long as is assumed at most.
    for (mb, times) in [(256.0, "1.6 times slower"), (512.0, "3.3 times slower")] {
        let most: f64 = (500.0 - 20.0) * mb / 1769.0 / 42.0;
        let said = format!("{:.1} times slower", (most * 10.0).floor() / 10.0);
        assert!(said == times && document.contains(&said), "{said}");
    }
}

/// A whole number as people write it.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    match digits.len().checked_sub(3).filter(|at| *at > 0) {
        Some(at) => format!("{},{}", &digits[..at], &digits[at..]),
        None => digits,
    }
}

/// The output that docs/cost.md shows is the output.
#[test]
fn documented_bill_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let printed = ok(dir.path(), &[]);
    let document = document();
    let lines = document.lines().skip_while(|line| !line.starts_with("us-west-2: "));
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).map(str::trim_end).collect();
    assert!(lines.len() > 5 && lines.contains(&"  …"), "{lines:?}");
    for line in lines.iter().filter(|line| line.trim() != "…") {
        assert!(printed.lines().any(|printed| printed == *line), "{line}: {printed}");
    }
}

/// Three endpoints, 3 TB and a million log-ins, without and with the metrics that are settings.
#[test]
fn documented_comparison_with_the_design_of_2019_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let production = std::fs::read_to_string(sftpctl_testkit::programs::root().join("environments/prod.yaml")).unwrap();
    let usage = "version: 1\nlog_ins: 1000000\nuploaded_gb: 600\ndownloaded_gb: 0\nuploaded_files: 614400\n\
                 downloaded_files: 0\nstored_gb: 3072\noverwritten_percent: 0\nother_region_percent: 0\n\
                 accounts: 1000\nchanged_accounts: 100\nauthorizer_ms: 180\nread_units: 1\nlog_kb_per_log_in: 2\n\
                 log_kb_per_file: 1\ndns_queries: 1000000\n";
    std::fs::write(dir.path().join("usage.yaml"), usage).unwrap();
    let total = |more: &str, limit: &str| {
        std::fs::write(dir.path().join("prod.yaml"), format!("{production}\n{more}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
        command.args(["cost", "--env-file", "prod.yaml", "--usage", "usage.yaml", "--output", "json"]);
        let output = command.current_dir(dir.path()).output().unwrap();
        let view: Value = serde_json::from_str(&text(&output.stdout)).unwrap_or_else(|_| panic!("{}", shown(&output)));
        view["total"][limit].as_str().unwrap().to_owned()
    };
    let least = total("", "low");
    let most = total("metrics: { refusal_reasons: true, api_methods: true }", "high");
    let row = format!(
        "| three endpoints, 3 TB, a million log-ins | 765.50 | {least} to {most}, by the metrics that are on |"
    );
    assert!(document().contains(&row), "{row}");
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
    // One new price does not make the others new: those are of June 2025, more than 180 days ago.
    let said = shown(&output);
    assert!(said.contains("warning: the oldest price is of 2025-06-05, "), "{said}");
    std::fs::write(dir.path().join("prices.toml"), row("2020-01-01")).unwrap();
    let old = shown(&cost(dir.path(), &["--prices", "prices.toml"]));
    assert!(old.contains("warning: the oldest price is of 2020-01-01, "), "{old}");
    let table = std::fs::read_to_string(sftpctl_testkit::programs::root().join("prices/aws.toml")).unwrap();
    let lines = table.lines().map(|line| match line.strip_prefix("published = ") {
        Some(_) => "published = \"2099-01-01\"\n".to_owned(),
        None => format!("{line}\n"),
    });
    std::fs::write(dir.path().join("prices.toml"), lines.collect::<String>()).unwrap();
    for arguments in [&["--prices", "prices.toml"][..], &["compare", "--prices", "prices.toml"]] {
        let output = cost(dir.path(), arguments);
        assert!(output.status.success() && !shown(&output).contains("warning"), "{}", shown(&output));
    }
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
