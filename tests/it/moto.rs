//! Another emulator: how far a deployment goes there, that what it lacks is named, and that the next run goes on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::shown;
use crate::spec::MINIMAL;

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

fn deploy(folder: &Path, moto: &Moto) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_sftpctl"))
        .args(["deploy", "--env-file", "99.yaml", "--yes", "--output", "json", "--endpoint-url", &moto.endpoint])
        .current_dir(folder)
        .env("SFTPCTL_PACKAGE", env!("CARGO_BIN_EXE_sftp-authorizer"))
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
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

/// moto 5.2.2 takes every step of one region; what it lacks is `TestIdentityProvider`, so nobody can be tried there.
#[test]
fn moto_takes_every_step_and_what_it_lacks_is_named() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    // One region without DNS: moto has no public zone beforehand, and takes replicas without making any.
    std::fs::write(folder.path().join("99.yaml"), MINIMAL).unwrap();
    let (output, events) = deploy(folder.path(), &moto);
    assert_eq!(steps(&events, "failed"), Vec::<String>::new(), "{}", shown(&output));
    assert_eq!(
        steps(&events, "changed"),
        [
            "global/user-policy",
            "global/user-role",
            "us-west-2/api-account",
            "us-west-2/bucket/pl-pt99-0-uploads",
            "us-west-2/package",
            "us-west-2/server",
            "us-west-2/server-id",
            "us-west-2/stack",
            "us-west-2/table",
            "us-west-2/trigger",
        ]
    );
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let last = events.as_array().unwrap().last().unwrap();
    let found = last["finding"].as_str().unwrap_or_default();
    assert!(found.starts_with("it could not be looked at: transfer:TestIdentityProvider s-"), "{last}");

    // The next run finds everything as it should be.
    let (again, events) = deploy(folder.path(), &moto);
    assert_eq!(again.status.code(), Some(0), "{}", shown(&again));
    assert_eq!(steps(&events, "changed"), Vec::<String>::new());
}
