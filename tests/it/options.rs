//! Options that all commands share and that need no AWS: color and completions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::on_local_cloud::terminal::Terminal;
use crate::site::{Running, shown, succeeded, text, tool};

/// A full disk is no success; a reader that has enough is no failure.
#[test]
fn output_that_cannot_be_written_fails() {
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for arguments in [&["schema"][..], &["completions", "bash"], &["schema", "--output", "json"]] {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        let output = command.args(arguments).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", shown(&output));
        assert!(text(&output.stderr).contains("standard output could not be written: No space left"), "{arguments:?}");
    }
    let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
    let mut closed = Running(command.arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    drop(closed.0.stdout.take());
    assert!(closed.0.wait().unwrap().success());
}

#[test]
fn color_is_used_on_terminals_or_on_request() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.yaml"), "version: 1\nenvironmnet: x\n").unwrap();
    let validate = |color: &[&str]| {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        command.args(["validate", "--env-file", "bad.yaml"]).args(color).current_dir(dir.path()).env_remove("NO_COLOR");
        command
    };
    // The cursor is shown again on every terminal.
    let colored = |bytes: &[u8]| text(bytes).replace("\x1b[?25h", "").contains("\x1b[");
    for (color, wanted) in [(&[][..], false), (&["--color", "always"], true), (&["--color", "never"], false)] {
        let output = validate(color).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert_eq!(colored(&output.stderr), wanted, "{color:?}: {}", shown(&output));
    }
    for (color, quiet, wanted) in [(&[][..], false, true), (&[], true, false), (&["--color", "never"], false, false)] {
        let mut command = validate(color);
        if quiet {
            command.env("NO_COLOR", "1");
        }
        let run = Terminal::run(&command, 80, &[]);
        assert_eq!(run.code, Some(2));
        assert_eq!(colored(&run.written), wanted, "{color:?} {quiet}: {}", text(&run.written));
    }
}

/// Each shell's script has content, and bash completes with its own.
#[test]
fn completion_scripts_work() {
    let program = sftpctl_testkit::programs::sftpctl();
    let program = program.display().to_string();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeded(shell, &Command::new(&program).args(["completions", shell]).output().unwrap());
        for command in ["deploy", "teardown", "connect-info"] {
            assert!(script.contains(command), "{shell}: no {command}");
        }
    }
    let completed = |words: &str| {
        let count = words.split(' ').count() - 1;
        let line = format!(
            "source <({program} completions bash); COMP_WORDS=({words}); COMP_CWORD={count}; \
             _sftpctl sftpctl \"${{COMP_WORDS[$COMP_CWORD]}}\" \"\"; echo \"${{COMPREPLY[@]}}\""
        );
        succeeded(words, &tool("bash", "bash").args(["--norc", "-c", &line]).output().unwrap()).trim().to_owned()
    };
    assert_eq!(completed("sftpctl dep"), "deploy");
    assert_eq!(completed("sftpctl users pass"), "passwd");
    assert_eq!(completed("sftpctl deploy --no-v"), "--no-verify");
}

/// Only a proxy leads to AWS: it is asked for the endpoint, and its refusal is an error that names the proxy's variable.
#[test]
fn proxy_and_certificates_of_the_environment_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/environments/99.yaml");
    std::fs::copy(source, dir.path().join("99.yaml")).unwrap();
    let plan = |variable: &str, value: &str| {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        command.args(["plan", "--env-file", "99.yaml"]).current_dir(dir.path()).env(variable, value);
        for (name, value) in [("AWS_ACCESS_KEY_ID", "made-up"), ("AWS_SECRET_ACCESS_KEY", "made-up")] {
            command.env(name, value);
        }
        command.env_remove("AWS_PROFILE").env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap()
    };
    let proxy = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://me:secret@{}", proxy.local_addr().unwrap());
    let (asked, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut client in proxy.incoming().flatten() {
            let mut line = String::new();
            let _ = BufReader::new(client.try_clone().unwrap()).read_line(&mut line);
            let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            let _ = asked.send(line);
        }
    });
    let refused = plan("HTTPS_PROXY", &address);
    assert_eq!(refused.status.code(), Some(1), "{}", shown(&refused));
    let advice = "the proxy of HTTPS_PROXY gave no way to AWS; its status and reason: `curl -v";
    assert!(text(&refused.stderr).contains(advice), "{}", shown(&refused));
    assert!(!shown(&refused).contains("secret"), "{}", shown(&refused));
    assert!(requests.recv().unwrap().starts_with("CONNECT sts.us-west-2.amazonaws.com:443"));

    for (variable, value) in [("HTTPS_PROXY", "http://"), ("AWS_CA_BUNDLE", "/no/such/bundle.pem")] {
        let refused = plan(variable, value);
        assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
        assert!(text(&refused.stderr).contains(variable), "{}", shown(&refused));
    }
}

/// Programs that ask for JSON get it for a wrong command line, too, from every command.
#[test]
fn usage_errors_are_json_where_json_is_asked_for() {
    fn paths(command: &clap::Command, path: &[&str], all: &mut Vec<Vec<String>>) {
        for below in command.get_subcommands().filter(|below| !["help", "local"].contains(&below.get_name())) {
            let path = [path, &[below.get_name()]].concat();
            all.push(path.iter().map(|word| (*word).to_owned()).collect());
            paths(below, &path, all);
        }
    }
    let mut all = vec![Vec::new()];
    paths(&sftpctl::commands::command(), &[], &mut all);
    assert!(all.len() > 70, "{}", all.len());
    let run = |arguments: &[String], more: &[&str]| {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        let output = command.args(arguments).args(more).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {more:?}: {}", shown(&output));
        output
    };
    for path in &all {
        for more in [&["--no-such-option", "--output", "json"][..], &["--output=json", "--no-such-option"]] {
            let output = run(path, more);
            let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            assert_eq!(error["schema"], "sftpctl/error/1", "{path:?} {more:?}: {}", shown(&output));
            assert!(error["error"].as_str().unwrap().contains("--no-such-option"), "{path:?}: {error}");
            assert!(error["exitCode"] == 2 && error["hint"].is_string(), "{path:?}: {error}");
            assert!(output.stderr.is_empty(), "{path:?}: {}", shown(&output));
        }
    }
    // As text without, as before.
    let output = run(&["plan".to_owned()], &["--no-such-option"]);
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("Usage: sftpctl plan"), "{}", shown(&output));
}

/// A form that a command does not have is not another one without a word.
#[test]
fn forms_of_output_that_are_not_there_are_refused() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", shown(&output));
        shown(&output)
    };
    for form in ["csv", "markdown", "dot", "mermaid"] {
        let said = run(&["validate", "--env", "99", "--output", form]);
        assert!(said.contains(&format!("`sftpctl validate` has no output in the form {form}")), "{said}");
        assert!(said.contains("hint: pass --output with one of human, plain, json"), "{said}");
    }
    let said = run(&["plan", "--env", "99", "--output", "csv"]);
    assert!(said.contains("one of human, plain, json, markdown, dot, mermaid"), "{said}");
}
