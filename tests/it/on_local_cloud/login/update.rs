//! Customers can log in during an update.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use crate::site::{Running, Site, authorizer};

#[test]
fn log_ins_succeed_during_updates() {
    let site = Site::deployed("");
    let login = site.add(6001, "steady", "correct horse");
    let mut command = site.oracle_command("door.py");
    command.args(["knock", "steady", "4"]).env("SFTP_PASSWORD", &login.password);
    let mut knocking = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut output = BufReader::new(knocking.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "knocking\n");
    // The function's environment, its memory, an alarm, a log group's retention, the servers, the records.
    for (from, to) in [
        ("\nlogs:", "\nauthorizer: { memory_mb: 1024, block_list: [root, steadier] }\nlogs:"),
        ("memory_mb: 1024", "memory_mb: 256, timeout_seconds: 12"),
        (
            "\nlogs:",
            "\nalarms: { authorizer_errors: 3 }\nserver: { security_policy: TransferSecurityPolicy-2024-01 }\nlogs:",
        ),
        ("retention_days: 30", "retention_days: 60"),
        ("timeout_seconds: 12", "timeout_seconds: 12, home: logical"),
    ] {
        site.edit(|file| {
            assert!(file.contains(from), "{from:?} is not in {file}");
            file.replacen(from, to, 1)
        });
        assert!(!site.planned().is_empty(), "{to}");
        site.deploy();
    }
    // Another build of the authorizer: bytes appended to the program change nothing but the package.
    let mut other = std::fs::read(authorizer()).unwrap();
    other.extend(b"another build");
    let path = site.dir.path().join("another-authorizer");
    std::fs::write(&path, other).unwrap();
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--package", path.to_str().unwrap()]);
    drop(knocking.0.stdin.take());
    line.clear();
    output.read_to_string(&mut line).unwrap();
    let came: Value = serde_json::from_str(line.trim()).unwrap();
    let logs = site.logs();
    let causes: Vec<_> = logs.lines().filter(|line| line.contains("did not decide")).take(5).collect();
    assert_eq!(came["failed"], 0, "{came}\n{causes:#?}");
    assert!(came["asked"].as_u64().unwrap() > 100, "{came}");
}
