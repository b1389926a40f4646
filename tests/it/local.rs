//! The real local cloud: real processes, the real MiniStack, botocore as the client.
//!
//! The virtual environment is created once, by sftpctl itself, and shared by all tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

/// A local cloud in a folder of its own; stopped when dropped.
struct Cloud {
    dir: tempfile::TempDir,
    port: u16,
}

fn shared_venv() -> PathBuf {
    std::env::var_os("SFTPCTL_LOCAL_VENV")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("local-venv"), PathBuf::from)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown(output: &Output) -> String {
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Calls `probe` until it returns something; fails after [`DEADLINE`].
fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::yield_now();
    }
}

fn is_alive(pid: i64) -> bool {
    // A zombie has ended; only its parent has not waited for it yet.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn signal(name: &str, pid: i64) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

impl Cloud {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), port: free_port() }
    }

    fn started(arguments: &[&str]) -> Self {
        let cloud = Self::new();
        cloud.start(arguments);
        cloud
    }

    fn start(&self, arguments: &[&str]) {
        let output = self.command(&["start", "--port", &self.port.to_string()]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
        command.args(["local", "--dir"]).arg(self.dir.path()).args(arguments);
        command.env("SFTPCTL_LOCAL_VENV", shared_venv()).env_remove("RUST_LOG");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn status(&self) -> Value {
        let output = self.run(&["status", "--output", "json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)))
    }

    /// Runs a script of `tests/oracle` against this cloud, with the Python of the virtual environment.
    fn oracle(&self, script: &str, arguments: &[&str]) -> String {
        let output = Command::new(shared_venv().join("bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(script))
            .arg(format!("http://127.0.0.1:{}", self.port))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        text(&output.stdout)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let output = self.run(&["stop"]);
        if !std::thread::panicking() {
            assert!(output.status.success(), "{}", shown(&output));
        }
    }
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
    let cloud = Cloud::started(&[]);
    let made = cloud.oracle("local_cloud.py", &["fill"]);
    let before = cloud.status();
    assert_eq!(before["running"], true);
    assert_eq!(before["servers"][0]["serverId"], made.trim());
    assert_eq!(before["servers"][0]["region"], "us-west-2");

    cloud.start(&[]);
    assert_eq!(cloud.status()["pid"], before["pid"], "a second start changes nothing");

    let output = cloud.run(&["stop"]);
    assert_eq!(text(&output.stdout), "stopped\n", "{}", shown(&output));
    for pid in [&before["pid"], &before["ministack"]["pid"]] {
        assert!(!is_alive(pid.as_i64().unwrap()));
    }
    assert_eq!(cloud.status()["running"], false);
    assert_eq!(text(&cloud.run(&["stop"]).stdout), "not running\n");

    cloud.start(&[]);
    assert_eq!(cloud.oracle("local_cloud.py", &["verify"]), made);
}

#[test]
fn killed_front_loses_nothing() {
    let cloud = Cloud::started(&[]);
    let made = cloud.oracle("local_cloud.py", &["fill"]);
    let before = cloud.status();
    signal("-KILL", before["pid"].as_i64().unwrap());
    until("the front's end", || (!is_alive(before["pid"].as_i64().unwrap())).then_some(()));
    // Its MiniStack is an orphan now; the next start stops it, so that it writes its state.
    cloud.start(&[]);
    assert!(!is_alive(before["ministack"]["pid"].as_i64().unwrap()));
    assert_eq!(cloud.oracle("local_cloud.py", &["verify"]), made);
}

/// MiniStack itself leaves the processes of its functions behind.
#[test]
fn functions_end_with_the_local_cloud() {
    for killed in [false, true] {
        let cloud = Cloud::started(&[]);
        let function: i64 = cloud.oracle("local_cloud.py", &["function"]).trim().parse().unwrap();
        assert!(is_alive(function));
        if killed {
            signal("-KILL", cloud.status()["pid"].as_i64().unwrap());
        }
        cloud.run(&["stop"]);
        assert!(!is_alive(function), "front killed: {killed}");
    }
}

#[test]
fn front_ends_with_ministack() {
    let cloud = Cloud::started(&[]);
    let status = cloud.status();
    signal("-KILL", status["ministack"]["pid"].as_i64().unwrap());
    until("the front's end", || (!is_alive(status["pid"].as_i64().unwrap())).then_some(()));
    let log = text(&cloud.run(&["logs"]).stdout);
    assert!(log.contains("MiniStack ended unexpectedly"), "{log}");
    assert_eq!(cloud.status()["running"], false);
}

#[test]
fn all_ports_are_on_loopback() {
    let cloud = Cloud::started(&[]);
    let status = cloud.status();
    for pid in [&status["pid"], &status["ministack"]["pid"]] {
        let addresses = listens_on(pid.as_i64().unwrap());
        assert_eq!(addresses, ["0100007F"], "one socket, on 127.0.0.1");
    }
}

#[test]
fn transfer_matches_the_service_model() {
    let cloud = Cloud::started(&["--server-start-time", "10m"]);
    let counts = cloud.oracle("transfer_model.py", &[]);
    assert!(counts.ends_with(", 0 faults\n"), "{counts}");
}

/// Oracle: `ssh-keygen -l`.
#[test]
fn host_key_fingerprint_matches_ssh_keygen() {
    let cloud = Cloud::started(&[]);
    for (kind, format) in [("ed25519", "RFC4716"), ("ecdsa", "RFC4716"), ("rsa", "RFC4716"), ("rsa", "PEM")] {
        let key = cloud.dir.path().join(format!("{kind}-{format}"));
        let keygen = |arguments: &[&str]| {
            let output = Command::new("ssh-keygen").args(arguments).arg("-f").arg(&key).output();
            let output = output.expect("ssh-keygen is missing: apt-get install openssh-client");
            assert!(output.status.success(), "{}", shown(&output));
            text(&output.stdout)
        };
        keygen(&["-q", "-t", kind, "-m", format, "-N", ""]);
        let expected = keygen(&["-l"]);
        let found = cloud.oracle("local_cloud.py", &["host-key", key.to_str().unwrap()]);
        assert_eq!(Some(found.trim()), expected.split(' ').nth(1), "{kind} {format}");
    }
}

#[test]
fn other_calls_are_passed_through() {
    Cloud::started(&[]).oracle("local_cloud.py", &["pass-through"]);
}

#[test]
fn stack_tags_its_buckets() {
    Cloud::started(&[]).oracle("local_cloud.py", &["bucket-tags"]);
}

#[test]
fn stack_operation_with_a_request_token_starts_once() {
    Cloud::started(&[]).oracle("local_cloud.py", &["request-tokens"]);
}

#[test]
fn configured_delays_are_applied() {
    Cloud::started(&[]).oracle("local_cloud.py", &["delays"]);
}

#[test]
fn extracts_match_the_pinned_service_model() {
    drop(Cloud::started(&[]));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/transfer-model");
    let output = Command::new(shared_venv().join("bin/python")).arg(script).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn occupied_port_is_reported() {
    let cloud = Cloud::new();
    let _taken = TcpListener::bind(("127.0.0.1", cloud.port)).unwrap();
    let output = cloud.run(&["start", "--port", &cloud.port.to_string()]);
    let errors = text(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains(&format!("port {} on 127.0.0.1 is taken", cloud.port)), "{errors}");
    assert!(errors.contains("local start --port"), "{errors}");
}

#[test]
fn recycled_process_id_is_left_alone() {
    let cloud = Cloud::new();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let process = serde_json::json!({ "pid": stranger.id(), "started": 1 });
    let run = serde_json::json!({ "version": 1, "port": cloud.port, "front": process, "ministack": process });
    fs::write(cloud.dir.path().join("run.json"), run.to_string()).unwrap();
    let output = cloud.run(&["stop"]);
    assert_eq!(text(&output.stdout), "not running\n", "{}", shown(&output));
    assert!(stranger.try_wait().unwrap().is_none(), "an unrelated process was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// The error output of `local start` with a shell script, or nothing, in place of Python.
fn with_python(script: Option<&str>) -> String {
    let cloud = Cloud::new();
    let python = cloud.dir.path().join("python");
    if let Some(script) = script {
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let port = cloud.port.to_string();
    let mut command = cloud.command(&["start", "--port", &port]);
    let output = command.env("SFTPCTL_PYTHON", python).env_remove("SFTPCTL_LOCAL_VENV").output().unwrap();
    assert!(!output.status.success());
    text(&output.stderr)
}

#[test]
fn missing_python_module_is_reported() {
    let missing = with_python(None);
    assert!(missing.contains("there is no `") && missing.contains("apt-get install python3"), "{missing}");
    let old = with_python(Some("[ $1 = -c ] && echo 3.8 && exit 1"));
    assert!(old.contains("is Python 3.8") && old.contains("3.10"), "{old}");
    let no_venv = with_python(Some("[ $1 = -c ] && echo 3.11 && exit 0\necho ensurepip is not available\nexit 1"));
    assert!(no_venv.contains("ensurepip") && no_venv.contains("python3-venv"), "{no_venv}");
    let pip = "[ $1 = -c ] && echo 3.11 && exit 0\n\
               [ $2 = venv ] && mkdir -p $4/bin && cp $0 $4/bin/python && exit 0\n\
               echo 'no matching distribution' >&2\nexit 1";
    let no_pip = with_python(Some(pip));
    assert!(no_pip.contains("no matching distribution") && no_pip.contains("PIP_INDEX_URL"), "{no_pip}");
}
