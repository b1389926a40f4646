//! Another emulator: how far a deployment goes there, that what it lacks is named, and that the next run goes on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::{oracle_at, shown, succeeded, text};

/// moto in a process of its own, ended when dropped.
struct Moto {
    child: Child,
    endpoint: String,
}

impl Moto {
    fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
        assert!(
            program.exists(),
            "moto is missing: python3 -m venv target/moto && target/moto/bin/pip install 'moto[server]==5.2.2'"
        );
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_ACCOUNT_ID", "111111111111")
            .env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self { child, endpoint: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto did not come up");
            std::thread::yield_now();
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command for environment 99 there; its output, and its lines of JSON.
fn run(folder: &Path, moto: &Moto, arguments: &[&str]) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_sftpctl"))
        .args(arguments)
        .args(["--env-file", "99.yaml", "--output", "json", "--endpoint-url", &moto.endpoint])
        .current_dir(folder)
        .env("SFTPCTL_PACKAGE", env!("CARGO_BIN_EXE_sftp-authorizer"))
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret")
        .output()
        .unwrap();
    let lines: Vec<Value> = text(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (output, Value::Array(lines))
}

/// The steps by how they ended.
fn steps(events: &Value, outcome: &str) -> Vec<String> {
    let ended = events.as_array().unwrap().iter().filter(|event| event["event"] == "step-finished");
    let mut ids: Vec<_> = ended
        .filter(|event| event["outcome"]["outcome"] == outcome)
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// moto 5.2.2 takes every step of environment 99 in three regions but the replicas, which it accepts and does not make; it
/// also lacks `TestIdentityProvider`, so nobody can be tried there.
#[test]
fn moto_takes_every_step_but_two_which_are_named() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/99.yaml");
    std::fs::copy(environment, folder.path().join("99.yaml")).unwrap();
    let zone = oracle_at("deployed.py", &moto.endpoint).args(["make-zone", "xx.net"]).output().unwrap();
    succeeded("the zone", &zone);

    let (output, events) = run(folder.path(), &moto, &["deploy", "--yes"]);
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    assert_eq!(steps(&events, "failed"), ["us-east-1/replica"], "{}", shown(&output));
    assert_eq!(steps(&events, "blocked"), ["us-east-2/replica"]);
    let failed = events.as_array().unwrap().iter().find(|event| event["outcome"]["outcome"] == "failed").unwrap();
    let error = failed["outcome"]["error"].as_str().unwrap();
    assert!(error.contains("replica of dydb-99-uploads in us-east-1"), "{error}");
    assert_eq!(failed["outcome"]["left"], "nothing");
    let changed = steps(&events, "changed");
    for region in ["us-west-2", "us-east-2"] {
        for step in ["api-account", "package", "server", "server-id", "stack", "trigger"] {
            assert!(changed.contains(&format!("{region}/{step}")), "{region}/{step}: {changed:?}");
        }
        assert!(changed.contains(&format!("global/record/99-uploads-{region}.xx.net")), "{changed:?}");
    }
    // moto loses settings of a stack's bucket; they are set again from outside.
    for cluster in 0..6 {
        assert!(changed.contains(&format!("us-west-2/bucket/pl-pt99-{cluster}-uploads")), "{changed:?}");
    }

    // The next run finds everything else as it should be.
    let (planned, lines) = run(folder.path(), &moto, &["plan"]);
    let plan = lines.as_array().unwrap().last().unwrap();
    let ids: Vec<_> = plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["us-east-1/replica", "us-east-2/replica"], "{}", shown(&planned));
    let (again, _) = run(folder.path(), &moto, &["deploy", "--yes", "--region", "us-west-2"]);
    assert_eq!(again.status.code(), Some(0), "{}", shown(&again));

    let (checked, lines) = run(folder.path(), &moto, &["verify", "--region", "us-west-2"]);
    assert_eq!(checked.status.code(), Some(1), "{}", shown(&checked));
    let last = lines.as_array().unwrap().last().unwrap();
    let found = last["finding"].as_str().unwrap_or_default();
    assert!(found.starts_with("it could not be looked at: transfer:TestIdentityProvider s-"), "{last}");
}
