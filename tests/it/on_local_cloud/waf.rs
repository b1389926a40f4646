//! AWS WAF before the API: floods and countries are kept out by the customer's address, which Transfer sends in a header.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;
use sftpctl_testkit::programs::{installed, oracle};

use crate::site::{Login, Site, shown, succeeded, text, until, with_input};

const WEST: &str = "us-west-2";
/// Ranges that have a country on the local cloud (`docs/local-cloud.md`).
const IN_GERMANY: &str = "198.51.100";
const IN_CHINA: &str = "203.0.113.7";

/// How many of so many log-ins at once got which status; `*` is another name for each.
fn log_ins(site: &Site, address: &str, login: &Login, times: u64) -> Value {
    let mut command = site.oracle_command("waf.py");
    command.args(["log-ins", address, &login.username, &times.to_string()]).env("SFTP_PASSWORD", &login.password);
    serde_json::from_str(&succeeded(&format!("log-ins from {address}"), &command.output().unwrap())).unwrap()
}

fn bots() -> Login {
    Login::new("*", "guess")
}

fn metric(site: &Site, name: &str, rule: &str) -> u64 {
    site.oracle("waf.py", &["metric", name, rule]).trim().parse().unwrap()
}

/// Waits for a metric, which is sent beside the requests.
fn metric_reaches(site: &Site, name: &str, rule: &str, least: u64) {
    until(&format!("{name} of {rule}"), || (metric(site, name, rule) >= least).then_some(()));
}

/// `tests/oracle/bots.py`: whether an SFTP client on an address of this machine is admitted.
fn sftp_from(site: &Site, address: &str, customer: &Login) -> String {
    let mut command = Command::new(installed("tools/bin/python"));
    command.arg(oracle("bots.py")).args([&site.port(WEST).to_string(), &customer.username, "try", address]);
    let output = command.env("SFTP_PASSWORD", &customer.password).output().unwrap();
    succeeded("bots.py", &output).trim().to_owned()
}

#[test]
fn floods_are_blocked_while_others_log_in() {
    let site = Site::deployed(
        "waf: { mode: block, rate: 15, rate_per_name: 10, countries: { block: [CN] }, allow: [127.9.0.0/16] }\n",
    );
    let jan = site.add(17578, "jan", "correct horse");
    site.oracle("waf.py", &["deployed"]);

    // One address with many names: as many as the rate, and no more, whoever asks.
    let (flooding, quiet) = (format!("{IN_GERMANY}.1"), format!("{IN_GERMANY}.2"));
    let flood = log_ins(&site, &flooding, &bots(), 20);
    assert_eq!((&flood["200"], &flood["403"], &flood["admitted"]), (&15.into(), &5.into(), &0.into()), "{flood}");
    assert_eq!(log_ins(&site, &flooding, &jan, 1)["403"], 1, "the right password does not help");
    assert_eq!(log_ins(&site, &quiet, &jan, 1)["admitted"], 1);
    // One name, in whatever case, from one address.
    let (guessing, wrong) = (format!("{IN_GERMANY}.3"), Login::new("jan", "wrong"));
    let guesses = log_ins(&site, &guessing, &wrong, 12);
    assert_eq!((&guesses["200"], &guesses["403"]), (&10.into(), &2.into()), "{guesses}");
    assert_eq!(log_ins(&site, &guessing, &Login::new("other", "wrong"), 1)["200"], 1, "another name");
    assert_eq!(log_ins(&site, &guessing, &Login::new("JAN", "wrong"), 1)["403"], 1);
    // Nobody from this country, and as often as they like from a range that is exempt.
    assert_eq!(log_ins(&site, IN_CHINA, &jan, 1)["403"], 1);
    assert_eq!(log_ins(&site, "127.9.8.7", &bots(), 20)["200"], 20);
    // The function is not even called.
    let log = site.oracle("door.py", &["log", WEST]);
    assert!(log.contains(&quiet) && !log.contains(IN_CHINA), "{log}");

    // The whole way, with clients on addresses of this machine.
    assert_eq!(sftp_from(&site, "127.149.0.1", &jan), "admitted");
    assert_eq!(sftp_from(&site, "127.186.0.1", &jan), "refused");
    let mut test = site.command(&["test-login", "--env", "99", "--local", "--username", "jan", "--password-stdin"]);
    let output = with_input(test.args(["--source-ip", IN_CHINA, "--region", WEST]), jan.password.as_bytes());
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let said = text(&output.stdout);
    assert!(said.contains(&format!("AWS WAF blocks log-ins from {IN_CHINA}")) && said.contains("waf.allow"), "{said}");

    metric_reaches(&site, "BlockedRequests", "rate", 6);
    metric_reaches(&site, "BlockedRequests", "rate-per-name", 3);
    metric_reaches(&site, "BlockedRequests", "countries", 3);
    metric_reaches(&site, "AllowedRequests", "allowed-addresses", 20);
    site.oracle("waf.py", &["aws-refuses"]);
}

#[test]
fn it_counts_first_and_verify_finds_a_missing_header() {
    let site = Site::deployed("waf: { rate: 11, rate_per_name: 10, countries: { allow: [DE] } }\n");
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    let planned = site.run(&["plan", "--env", "99", "--local"]);
    assert!(text(&planned.stderr).contains("`waf.mode` is `count`"), "{}", shown(&planned));
    let flood = log_ins(&site, IN_CHINA, &bots(), 20);
    assert_eq!(flood["200"], 20, "{flood}");
    metric_reaches(&site, "CountedRequests", "rate", 9);
    metric_reaches(&site, "CountedRequests", "countries", 20);
    assert_eq!(metric(&site, "BlockedRequests", "ALL"), 0);

    let verify = |code: i32| site.ends_with(code, &["verify", "--env", "99", "--local", "--waf-wait", "10"]);
    let proved = verify(0);
    assert_eq!(proved.matches("AWS WAF sees customers' addresses").count(), 2, "{proved}");
    site.ok(&["local", "manners", "off", "source-header"]);
    let untold = verify(1);
    assert_eq!(untold.matches("AWS WAF does not see customers' addresses").count(), 2, "{untold}");
    // Then no rule applies, also not the one that lets only one country in.
    let before = metric(&site, "CountedRequests", "countries");
    site.edit(|file| file.replace("waf: { rate: 11", "waf: { mode: block, rate: 11"));
    site.deploy();
    assert_eq!(log_ins(&site, IN_CHINA, &bots(), 20)["200"], 20);
    assert_eq!(metric(&site, "CountedRequests", "countries"), before);
    site.ok(&["local", "manners", "on", "source-header"]);
    assert_eq!(log_ins(&site, IN_CHINA, &bots(), 2)["403"], 2);
    assert!(verify(0).contains("AWS WAF sees customers' addresses"), "the canary is exempt");
}

#[test]
fn it_comes_and_goes_with_its_setting_and_replaces_no_other() {
    let site = Site::deployed("");
    let drift = |code: i32| site.ends_with(code, &["drift", "--env", "99", "--local"]);
    let without = std::fs::read_to_string(site.dir.path().join("environments/99.yaml")).unwrap();
    // Firewall Manager was here first.
    site.oracle("waf.py", &["foreign"]);
    site.edit(|file| format!("{file}\nwaf: {{}}\n"));
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("FMManagedWebACLV2-company") && refused.contains("outside sftpctl"), "{refused}");
    site.oracle("waf.py", &["foreign-goes"]);
    site.deploy();
    site.oracle("waf.py", &["deployed"]);
    drift(0);
    site.oracle("waf.py", &["meddle"]);
    let drifted = drift(4);
    assert!(drifted.contains("WebAcl") && drifted.contains("SampledRequestsEnabled"), "{drifted}");
    site.oracle("waf.py", &["mend"]);
    drift(0);
    // It takes the place of ours without a word; the next deployment of a change says so.
    site.oracle("waf.py", &["foreign"]);
    let replaced = drift(4);
    assert!(replaced.contains("WebAclAssociation"), "{replaced}");
    site.oracle("waf.py", &["foreign-goes"]);
    site.edit(|_| without);
    site.deploy();
    site.oracle("waf.py", &["left"]);
    drift(0);
}
