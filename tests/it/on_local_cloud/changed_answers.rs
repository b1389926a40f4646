//! Answers of AWS that are changed by a proxy before the local cloud: in nothing that has a meaning, and what the program
//! reports stays the same; or with hostile text in all of them, and what it prints does no harm.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};

use serde_json::Value;
use sftpctl_testkit::harmless::harm;

use crate::site::{Site, authorizer, shown, text};

/// The proxy in a process of its own, stopped when dropped.
struct Proxy {
    child: Child,
    manners: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    endpoint: String,
}

impl Proxy {
    fn before(site: &Site) -> Self {
        let mut command = site.oracle_command("changed_answers.py");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let endpoint = format!("http://127.0.0.1:{}", lines.next().unwrap().unwrap());
        Self { manners: child.stdin.take().unwrap(), child, lines, endpoint }
    }

    /// Changes answers in this way from now on; returns how many were changed until now.
    fn change(&mut self, manner: &str) -> u32 {
        writeln!(self.manners, "{manner}").unwrap();
        self.lines.next().unwrap().unwrap().parse().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command against an endpoint, which has to succeed, and returns its output.
fn run(site: &Site, endpoint: &str, arguments: &[&str]) -> String {
    let output = output(site, endpoint, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
    text(&output.stdout)
}

fn output(site: &Site, endpoint: &str, arguments: &[&str]) -> Output {
    site.command(arguments)
        .args(["--env", "99", "--endpoint-url", endpoint])
        .env("SFTPCTL_PACKAGE", authorizer())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", site.secret())
        .output()
        .unwrap()
}

/// The report of a command, without what depends on the time.
fn report(site: &Site, endpoint: &str, command: &str) -> Value {
    let output = run(site, endpoint, &[command, "--output", "json"]);
    let mut report: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    for member in ["ageSeconds", "deployAgeSeconds"] {
        report.as_object_mut().unwrap().remove(member);
    }
    report
}

#[test]
fn reports_do_not_depend_on_what_has_no_meaning() {
    let site = Site::new();
    site.aws(&["make-zone", "xx.net"]);
    let mut proxy = Proxy::before(&site);
    let endpoint = proxy.endpoint.clone();
    run(&site, &endpoint, &["deploy", "--yes"]);
    let reports = || ["plan", "drift", "status"].map(|command| report(&site, &endpoint, command));
    let plain = reports();
    assert_eq!(plain[0]["steps"], Value::Array(Vec::new()));
    assert_eq!(plain[1]["unseen"], Value::Array(Vec::new()));
    proxy.change("reversed");
    for (manner, next) in
        [("reversed", "unknown"), ("unknown", "empty"), ("empty", "absent"), ("absent", "nulls"), ("nulls", "plain")]
    {
        for (changed, plain) in reports().iter().zip(&plain) {
            assert_eq!(changed, plain, "{manner}");
        }
        let answers = proxy.change(next);
        assert!(answers >= 10, "{manner}: only {answers} answers were changed");
    }
}

/// Every command that shows what AWS has, in every form, and a deployment.
const SHOWING: [&[&str]; 16] = [
    &["plan", "-vv"],
    &["plan", "--color", "always"],
    &["plan", "--output", "plain"],
    &["plan", "--output", "json"],
    &["plan", "--output", "markdown"],
    &["plan", "--output", "mermaid"],
    &["drift"],
    &["status"],
    &["status", "--output", "json"],
    &["doctor", "--all"],
    &["connect-info", "--username", "jan"],
    &["import"],
    &["users", "list"],
    &["users", "list", "--output", "csv"],
    &["users", "show", "--orgid", "7"],
    &["deploy", "--yes", "-vv", "--color", "always"],
];

#[test]
fn hostile_answers_do_no_harm() {
    let site = Site::new();
    site.aws(&["make-zone", "xx.net"]);
    let mut proxy = Proxy::before(&site);
    let endpoint = proxy.endpoint.clone();
    run(&site, &endpoint, &["deploy", "--yes"]);
    let add = ["users", "add", "--orgid", "7", "--username", "jan", "--cluster", "99-5", "--generate-password"];
    run(&site, &endpoint, &add);
    // A deployment waits for what a hostile status never becomes.
    let kinds = ["table", "replica", "role", "api", "bucket", "stack", "server", "function", "record"];
    let deadlines = kinds.map(|kind| format!("{kind}: 5")).join(", ");
    site.edit(|file| format!("{file}\ndeadlines: {{ {deadlines} }}\n"));
    for manner in ["hostile 0", "hostile 1", "hostile"] {
        proxy.change(manner);
        let mut shown_of_it = Vec::new();
        for arguments in SHOWING {
            let output = output(&site, &endpoint, arguments);
            let color = arguments.contains(&"always");
            for stream in [&output.stdout, &output.stderr] {
                assert_eq!(harm(stream, color), None, "{manner} {arguments:?}");
            }
            if shown(&output).contains("202e") {
                shown_of_it.push(arguments[0]);
            }
        }
        assert!(proxy.change("plain") > 100, "{manner}");
        assert!(shown_of_it.len() >= 8, "{manner}: only {shown_of_it:?} showed what is in the answers");
    }
}
