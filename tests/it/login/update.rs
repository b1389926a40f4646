//! An update never closes the door: somebody knocks twenty times a second while everything is changed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::site::{Running, Site};

#[test]
fn nobody_is_refused_while_deploy_changes_everything() {
    let site = Site::deployed("authorizer: { memory_mb: 256 }\n");
    let login = site.add(175_781, "my1sftp", "correct horse");
    let mut knock = site.oracle_command("door.py");
    knock.args(["knock", &login.username, "20"]).env("SFTP_PASSWORD", &login.password);
    let mut knock = Running(knock.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(knock.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "knocking");
    let authorizer = |settings: &str| {
        let line = format!("authorizer: {{ {settings} }}");
        site.edit(|file| {
            let lines = file.lines().map(|old| if old.starts_with("authorizer:") { &line } else { old });
            lines.collect::<Vec<_>>().join("\n") + "\n"
        });
    };
    let mut changes = 0;
    let mut deploy = || {
        let planned = site.planned();
        assert!(!planned.is_empty(), "the change is none");
        site.deploy();
        assert_eq!(site.planned(), Vec::<String>::new());
        changes += 1;
    };
    authorizer("memory_mb: 512");
    deploy();
    authorizer("memory_mb: 512, block_list: [root, admin, somebody]");
    deploy();
    site.edit(|file| file + "alarms: { authorizer_duration_ms: 2500 }\n");
    deploy();
    site.edit(|file| file.replace("owner: devops", "owner: platform"));
    deploy();
    // Another package: the same program with a byte behind its end.
    let package = site.dir.path().join("another-authorizer");
    let mut binary = std::fs::read(env!("CARGO_BIN_EXE_sftp-authorizer")).unwrap();
    binary.push(0);
    std::fs::write(&package, binary).unwrap();
    make_executable(&package);
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--package", package.to_str().unwrap()]);
    drop(knock.0.stdin.take());
    let result: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(result["failed"], 0, "{result}");
    // At the rate that was asked for, as far as a busy machine lets it.
    assert!(result["asked"].as_f64().unwrap() > 10.0 * result["seconds"].as_f64().unwrap(), "{result}");
    assert_eq!(changes, 4);
}

fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
