//! The tutorial: its commands are run, and print what the page says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use sftpctl_testkit::programs::{root, sftpctl, venv};

use crate::blocks;
use crate::site::{Site, authorizer, text, tool};

/// A command of the page.
#[derive(Debug, Default)]
struct Step {
    command: String,
    /// The lines that it prints, to either output: `...` alone stands for any lines, inside a line for any text.
    printed: Vec<String>,
    exit_code: i32,
}

/// The commands in blocks of the kind `console`, in their order.
fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks::of_kind(document, "console").iter().flat_map(|code| code.lines()) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command: command.to_owned(), ..Step::default() }),
            None => {
                let step = steps.last_mut().unwrap();
                match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse().ok()) {
                    Some(code) => step.exit_code = code,
                    None => step.printed.push(line.to_owned()),
                }
            }
        }
    }
    steps
}

/// Whether a text is what a pattern with `...` for any text says.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once("...") {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(after, rest)))),
    }
}

/// Whether lines are what patterns say, where `...` alone stands for any lines.
fn all_fit(patterns: &[String], lines: &[&str]) -> bool {
    match patterns {
        [] => lines.is_empty(),
        [any, rest @ ..] if any == "..." => (0..=lines.len()).any(|at| all_fit(rest, &lines[at..])),
        [first, rest @ ..] => lines.first().is_some_and(|line| fits(first, line)) && all_fit(rest, &lines[1..]),
    }
}

/// One shell runs all commands, as a reader would. What each prints is between two lines that no command prints.
fn script(steps: &[Step], start: &str) -> String {
    let mut script = String::new();
    for Step { command, .. } in steps {
        let command = command.replace("sftpctl local start", start);
        writeln!(script, "{{ {command}\n}} 2>&1\nprintf '\\n@@ %d\\n' $?").unwrap();
    }
    script
}

/// Stops the cloud of the page's folder, also if the test fails before the page's last command does.
struct Stop<'a>(&'a Site);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(&["local", "--dir", "tutorial/.sftpctl/local", "stop"]);
    }
}

#[test]
fn every_command_prints_what_the_page_says() {
    let site = Site::stopped();
    let _stop = Stop(&site);
    let folder = site.dir.path();
    std::fs::create_dir(folder.join("examples")).unwrap();
    std::fs::copy(root().join("examples/shop.yaml"), folder.join("examples/shop.yaml")).unwrap();
    // Types the customer's password.
    let askpass = folder.join("askpass");
    std::fs::write(&askpass, "#!/bin/sh\necho Fake-Password-1\n").unwrap();
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o755)).unwrap();
    let start = format!("sftpctl local start --port {} --server-start-time 200ms", site.cloud_port);
    let steps = steps("docs/tutorial.md");
    assert!(steps.len() > 15, "{steps:?}");
    // Fails with the name of the package if the customer's client is missing.
    tool("sftp", "openssh-client");
    let programs = sftpctl();
    let path = [programs.parent().unwrap().display().to_string(), std::env::var("PATH").unwrap()].join(":");
    let output = Command::new("bash")
        .args(["-c", &script(&steps, &start)])
        .current_dir(folder)
        .env("PATH", path)
        .env("SFTPCTL_LOCAL_VENV", venv())
        .env("SFTPCTL_PACKAGE", authorizer())
        .env("XDG_STATE_HOME", folder.join("state-home"))
        .env("SSH_ASKPASS", askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let all = text(&output.stdout);
    let mut rest = all.as_str();
    for step in &steps {
        let Some((printed, after)) = rest.split_once("\n@@ ") else { panic!("{} did not end: {rest}", step.command) };
        let (code, next) = after.split_once('\n').unwrap();
        assert_eq!(code, step.exit_code.to_string(), "{}: {printed}", step.command);
        let lines: Vec<&str> = printed.trim_matches('\n').lines().collect();
        let says = step.printed.join("\n");
        assert!(all_fit(&step.printed, &lines), "{}\nthe page:\n{says}\nthe program:\n{printed}", step.command);
        rest = next;
    }
}
