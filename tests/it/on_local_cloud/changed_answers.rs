//! Answers of AWS that are changed in nothing that has a meaning, by a proxy before the local cloud: what the program
//! reports stays the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

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

/// Runs a command against an endpoint, and returns its exit code and output.
fn run(site: &Site, endpoint: &str, arguments: &[&str]) -> String {
    let output = site
        .command(arguments)
        .args(["--env", "99", "--endpoint-url", endpoint])
        .env("SFTPCTL_PACKAGE", authorizer())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", site.secret())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
    text(&output.stdout)
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
