//! Another emulator: how far a deployment gets there, what it reports as missing, and that the next run resumes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::site::{authorizer, oracle_at, shown, succeeded, text, until};

/// moto in a process of its own, stopped when dropped.
struct Moto {
    child: Child,
    endpoint: String,
}

impl Moto {
    fn start() -> Self {
        let program = sftpctl_testkit::programs::installed("moto/bin/moto_server");
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
        until("moto listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command for environment 99 against moto; returns its output, and the output's lines of JSON.
fn run(folder: &Path, moto: &Moto, arguments: &[&str]) -> (Output, Value) {
    let output = Command::new(sftpctl_testkit::programs::sftpctl())
        .args(arguments)
        .args(["--env-file", "99.yaml", "--output", "json", "--endpoint-url", &moto.endpoint])
        .current_dir(folder)
        .env("SFTPCTL_PACKAGE", authorizer())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret")
        .output()
        .unwrap();
    let lines: Vec<Value> = text(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (output, Value::Array(lines))
}

/// The steps that ended with this outcome.
fn steps(events: &Value, outcome: &str) -> Vec<String> {
    let ended = events.as_array().unwrap().iter().filter(|event| event["event"] == "step-finished");
    let mut ids: Vec<_> = ended
        .filter(|event| event["outcome"]["outcome"] == outcome)
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// moto 5.2.2 supports every step of environment 99 in three regions except the replicas, which it accepts but does not
/// create, and the buckets' settings, since its response to `GetBucketVersioning` has another form than AWS's. It also
/// lacks `TestIdentityProvider`, so no log-in can be tested there.
#[test]
fn moto_supports_most_steps_and_the_others_are_reported() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/99.yaml");
    std::fs::copy(environment, folder.path().join("99.yaml")).unwrap();
    let zone = oracle_at("deployed.py", &moto.endpoint).args(["make-zone", "xx.net"]).output().unwrap();
    succeeded("the zone", &zone);

    let (output, events) = run(folder.path(), &moto, &["deploy", "--yes"]);
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    let bucket = |cluster: usize| format!("us-west-2/bucket/pl-pt99-{cluster}-uploads");
    let mut lacking: Vec<String> = (0..6).map(bucket).collect();
    lacking.insert(0, "us-east-1/replica".to_owned());
    assert_eq!(steps(&events, "failed"), lacking, "{}", shown(&output));
    assert_eq!(steps(&events, "blocked"), ["us-east-2/replica"]);
    let error = |step: &str| {
        let failed = |event: &&Value| event["event"] == "step-finished" && event["step"] == step;
        let outcome = &events.as_array().unwrap().iter().find(failed).unwrap()["outcome"];
        assert_eq!(outcome["left"], "nothing");
        outcome["error"].as_str().unwrap().to_owned()
    };
    assert!(error("us-east-1/replica").contains("replica of dydb-99-uploads in us-east-1"));
    assert!(error(&bucket(0)).starts_with("s3:GetBucketVersioning pl-pt99-0-uploads: "));
    let changed = steps(&events, "changed");
    for region in ["us-west-2", "us-east-2"] {
        for step in ["api-account", "package", "server", "server-id", "stack", "trigger"] {
            assert!(changed.contains(&format!("{region}/{step}")), "{region}/{step}: {changed:?}");
        }
        assert!(changed.contains(&format!("global/record/99-uploads-{region}.xx.net")), "{changed:?}");
    }

    // The next run finds everything else as wanted.
    let (planned, lines) = run(folder.path(), &moto, &["plan"]);
    let plan = lines.as_array().unwrap().last().unwrap();
    let ids: Vec<_> = plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    let mut rest = vec!["us-east-1/replica".to_owned(), "us-east-2/replica".to_owned()];
    rest.extend((0..6).map(bucket));
    assert_eq!(ids, rest, "{}", shown(&planned));

    let (checked, lines) = run(folder.path(), &moto, &["verify", "--region", "us-west-2"]);
    assert_eq!(checked.status.code(), Some(1), "{}", shown(&checked));
    let last = lines.as_array().unwrap().last().unwrap();
    let found = last["finding"].as_str().unwrap_or_default();
    assert!(found.starts_with("it could not be checked: transfer:TestIdentityProvider s-"), "{last}");
}
