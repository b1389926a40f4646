//! The local cloud: real processes, the real MiniStack, and botocore as the client. `sftpctl-local` creates the virtual
//! environment once, and all tests share it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use sftpctl_testkit::programs::{root, venv};

use crate::site::{Site, shown, text, until};

fn is_alive(pid: i64) -> bool {
    // A zombie has ended, but its parent has not waited for it.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn signal(name: &str, pid: i64) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The addresses that a process listens on, from /proc/net/tcp and tcp6: proc(5).
fn listens_on(pid: i64) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]) {
                found.push(fields[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn everything_survives_a_restart() {
    let cloud = Site::with_times(&[]);
    let created = cloud.oracle("local_cloud.py", &["fill"]);
    let before = cloud.status();
    assert_eq!(before["running"], true);
    assert_eq!(before["servers"][0]["serverId"], created.trim());
    assert_eq!(before["servers"][0]["region"], "us-west-2");

    cloud.start(&[]);
    assert_eq!(cloud.status()["pid"], before["pid"], "a second start changes nothing");

    let output = cloud.run(&["local", "stop"]);
    assert_eq!(text(&output.stdout), "stopped\n", "{}", shown(&output));
    for pid in [&before["pid"], &before["ministack"]["pid"]] {
        assert!(!is_alive(pid.as_i64().unwrap()));
    }
    assert_eq!(cloud.status()["running"], false);
    assert_eq!(text(&cloud.run(&["local", "stop"]).stdout), "not running\n");

    cloud.start(&[]);
    assert_eq!(cloud.oracle("local_cloud.py", &["verify"]), created);
}

#[test]
fn killed_front_loses_no_data() {
    let cloud = Site::with_times(&[]);
    let created = cloud.oracle("local_cloud.py", &["fill"]);
    let before = cloud.status();
    signal("-KILL", before["pid"].as_i64().unwrap());
    until("the front's end", || (!is_alive(before["pid"].as_i64().unwrap())).then_some(()));
    // Its MiniStack is orphaned now; the next start ends it gracefully, so that it writes its state.
    cloud.start(&[]);
    assert!(!is_alive(before["ministack"]["pid"].as_i64().unwrap()));
    assert_eq!(cloud.oracle("local_cloud.py", &["verify"]), created);
}

/// MiniStack itself leaves them behind.
#[test]
fn functions_stop_with_the_local_cloud() {
    for killed in [false, true] {
        let cloud = Site::with_times(&[]);
        let function: i64 = cloud.oracle("local_cloud.py", &["function"]).trim().parse().unwrap();
        assert!(is_alive(function));
        if killed {
            signal("-KILL", cloud.status()["pid"].as_i64().unwrap());
        }
        cloud.run(&["local", "stop"]);
        assert!(!is_alive(function), "front killed: {killed}");
    }
}

#[test]
fn front_exits_with_ministack() {
    let cloud = Site::with_times(&[]);
    let status = cloud.status();
    signal("-KILL", status["ministack"]["pid"].as_i64().unwrap());
    until("the front's end", || (!is_alive(status["pid"].as_i64().unwrap())).then_some(()));
    let log = text(&cloud.run(&["local", "logs"]).stdout);
    assert!(log.contains("MiniStack ended unexpectedly"), "{log}");
    assert_eq!(cloud.status()["running"], false);
}

#[test]
fn nothing_listens_beyond_loopback() {
    let cloud = Site::with_times(&[]);
    let status = cloud.status();
    // The front holds the socket of MiniStack, too.
    for (pid, sockets) in [(&status["pid"], 2), (&status["ministack"]["pid"], 1)] {
        let addresses = listens_on(pid.as_i64().unwrap());
        assert_eq!(addresses, vec!["0100007F"; sockets], "127.0.0.1");
    }
}

#[test]
fn transfer_matches_the_service_model() {
    let cloud = Site::with_times(&["--server-start-time", "10m"]);
    let counts = cloud.oracle("transfer_model.py", &[]);
    assert!(counts.ends_with(", 0 faults"), "{counts}");
}

/// An ECDSA key whose number has 31 bytes, all of them `Z`.
const SHORT_KEY: &str = "-----BEGIN EC PRIVATE KEY-----\n\
    MHcCAQEEIABaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaoAoGCCqGSM49\n\
    AwEHoUQDQgAEnkg4u2vaZFdRTZ9U9dh72H7Z8T/QaMGh+nWk7aZ4GinSrKK5BxZO\n\
    ovo21i2V4aTEe7sqQR7K8GzuPJY53Q0N4Q==\n\
    -----END EC PRIVATE KEY-----\n";

/// The oracle is `ssh-keygen -l`.
#[test]
fn host_key_has_the_fingerprint_of_ssh_keygen() {
    let cloud = Site::with_times(&[]);
    let keys = [("ed25519", "RFC4716"), ("ecdsa", "RFC4716"), ("short", "RFC4716"), ("rsa", "RFC4716"), ("rsa", "PEM")];
    for (kind, format) in keys {
        let key = cloud.dir.path().join(format!("{kind}-{format}"));
        let keygen = |arguments: &[&str]| {
            let output = Command::new("ssh-keygen").args(arguments).arg("-f").arg(&key).output();
            let output = output.expect("ssh-keygen is missing: apt-get install openssh-client");
            assert!(output.status.success(), "{}", shown(&output));
            text(&output.stdout)
        };
        if kind == "short" {
            fs::write(&key, SHORT_KEY).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
            keygen(&["-q", "-p", "-P", "", "-m", format, "-N", ""]);
        } else {
            keygen(&["-q", "-t", kind, "-m", format, "-N", ""]);
        }
        let expected = keygen(&["-l"]);
        let found = cloud.oracle("local_cloud.py", &["host-key", key.to_str().unwrap()]);
        // AWS keeps the padding of base64, which OpenSSH leaves out. 32 bytes need one character of it.
        assert_eq!(found, format!("{}=", expected.split(' ').nth(1).unwrap()), "{kind} {format}");
    }
}

#[test]
fn other_calls_pass_unchanged() {
    let site = Site::with_times(&[]);
    site.ok(&["local", "manners", "off", "all"]);
    site.oracle("local_cloud.py", &["pass-through"]);
}

#[test]
fn a_stack_tags_its_buckets() {
    Site::with_times(&[]).oracle("local_cloud.py", &["bucket-tags"]);
}

#[test]
fn stack_operation_with_a_token_starts_once() {
    Site::with_times(&[]).oracle("local_cloud.py", &["request-tokens"]);
}

#[test]
fn configured_service_times_are_simulated() {
    Site::with_times(&[]).oracle("local_cloud.py", &["delays"]);
}

#[test]
fn extracts_match_the_pinned_model() {
    drop(Site::with_times(&[]));
    let script = root().join("scripts/transfer-model");
    let output = Command::new(venv().join("bin/python")).arg(script).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
}
