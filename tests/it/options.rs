//! Options that all commands share and that need no AWS: color and completions.

use std::process::{Command, Stdio};

use crate::on_local_cloud::terminal::Terminal;
use crate::site::{shown, succeeded, text, tool};

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
