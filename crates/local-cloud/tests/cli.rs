//! `sftpctl-local` as a program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_sftpctl-local")).args(arguments).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_lists_the_commands_of_sftpctl_local() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    let help = text(&help.stdout);
    assert!(help.contains("Usage: sftpctl local"), "{help}");
    for command in ["start", "stop", "status", "logs", "faults", "completions", "man"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    assert!(!help.contains("\n  serve "), "the background process is hidden: {help}");
}

#[test]
fn every_command_shows_exit_codes_and_short_global_options() {
    for command in ["start", "stop", "status", "logs", "faults", "completions", "man"] {
        let help = text(&run(&[command, "--help"]).stdout);
        assert!(help.contains("Exit codes:\n  0    done"), "{command}: {help}");
        assert_eq!(help.matches("--output <FORMAT>").count(), 1, "{command}: {help}");
        assert!(!help.contains("Possible values:\n          - human"), "{command}: {help}");
    }
}

#[test]
fn every_command_has_unbroken_examples() {
    for command in [
        &["start"][..],
        &["stop"],
        &["status"],
        &["logs"],
        &["faults"],
        &["faults", "list"],
        &["faults", "add"],
        &["faults", "clear"],
        &["completions"],
        &["man"],
    ] {
        let help = text(&run(&[command, &["--help"]].concat()).stdout);
        let (_, examples) = help.split_once("\nExample").unwrap_or_else(|| panic!("{command:?}: {help}"));
        let examples = examples.split("\n\n").next().unwrap().lines().skip(1);
        for line in examples {
            assert!(line.starts_with("  sftpctl local "), "{command:?}: {help}");
        }
    }
}

#[test]
fn status_without_a_local_cloud_is_not_running() {
    let status = run(&["status"]);
    assert!(status.status.success());
    assert!(text(&status.stdout).starts_with("not running"), "{status:?}");
    let status = run(&["status", "--output", "json"]);
    let line: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&line["schema"], &line["running"]), (&"sftpctl/local/1".into(), &false.into()));
}

#[test]
fn errors_have_a_hint_and_exit_code_2() {
    let failed = run(&["faults", "list"]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(text(&failed.stderr).contains("hint: "), "{failed:?}");
    let failed = run(&["faults", "list", "--output", "json"]);
    let line: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((&line["schema"], &line["exitCode"]), (&"sftpctl/error/1".into(), &2.into()));
}

#[test]
fn completions_and_man_are_printed() {
    assert!(text(&run(&["completions", "bash"]).stdout).contains("sftpctl-local"));
    assert!(text(&run(&["man"]).stdout).contains(".TH sftpctl"));
}

/// Packages install them: one for each command that people may use.
#[test]
fn a_manual_page_is_written_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(run(&["man", "--into", pages.to_str().unwrap()]).status.success());
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for (name, what) in
        [("sftpctl-local.1", "faults"), ("sftpctl-local-start.1", "port"), ("sftpctl-local-faults-add.1", "count")]
    {
        assert!(page(name).contains(what), "{name}");
    }
    // Whatever a page refers to is there.
    for entry in std::fs::read_dir(&pages).unwrap() {
        let entry = entry.unwrap().path();
        let text = std::fs::read_to_string(&entry).unwrap().replace('\\', "");
        for name in text.split_whitespace().filter_map(|word| word.strip_suffix("(1)")) {
            assert!(name.contains("help") || pages.join(format!("{name}.1")).is_file(), "{}: {name}", entry.display());
        }
    }
    assert!(!pages.join("sftpctl-local-serve.1").exists());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let failed = run(&["man", "--into", file.join("man1").to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(2));
}

#[test]
fn version_names_the_kind_of_build() {
    assert_eq!(text(&run(&["--version"]).stdout).trim(), concat!("sftpctl-local ", env!("SFTPCTL_VERSION")));
    assert!(env!("SFTPCTL_VERSION").starts_with(env!("CARGO_PKG_VERSION")));
}

#[test]
fn words_of_another_program_are_lines_of_the_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python");
    let script = "#!/bin/sh\n[ \"$2\" = -c ] && { echo 3.12; exit; }\nprintf 'first\\n\\033[31msecond\\n'; exit 1\n";
    std::fs::write(&python, script).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl-local"));
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    command.args(["start", "--port", &free.to_string()]).current_dir(folder.path()).env("HOME", folder.path());
    command.env_remove("XDG_CACHE_HOME").env_remove("XDG_STATE_HOME").env_remove("SFTPCTL_LOCAL_VENV");
    let output = command.env("SFTPCTL_PYTHON", &python).output().unwrap();
    let shown = text(&output.stderr);
    assert!(shown.contains("cannot create a virtual environment: first\n  \\u{1b}[31msecond\n"), "{shown}");
}
