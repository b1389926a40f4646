//! `ssh-audit` as the oracle for the algorithms that a server offers and their known weaknesses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A local cloud with one Transfer server, stopped when dropped.
struct Cloud {
    dir: tempfile::TempDir,
}

fn venv() -> PathBuf {
    std::env::var_os("SFTPCTL_LOCAL_VENV")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("local-venv"), PathBuf::from)
}

impl Cloud {
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sftpctl"))
            .args(arguments)
            .current_dir(self.dir.path())
            .env("SFTPCTL_LOCAL_VENV", venv())
            .output()
            .unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["local", "status", "--output", "json"]).stdout).unwrap()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.run(&["local", "stop"]);
    }
}

const CREATE: &str = "
import sys, botocore.run
transfer = botocore.run.get_session().create_client('transfer', region_name='us-west-2', endpoint_url=sys.argv[1],
    aws_access_key_id='111111111111', aws_secret_access_key='fake-secret')
transfer.create_server(IdentityProviderType='API_GATEWAY', SecurityPolicyName=sys.argv[2], Protocols=['SFTP'],
    IdentityProviderDetails={'Url': 'https://abc.execute-api.us-west-2.amazonaws.com/prod',
                             'InvocationRole': 'arn:aws:iam::111111111111:role/invoke'})
";

/// The failures that ssh-audit reports, as `kex ecdh-sha2-nistp256: reason`.
fn failures(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["kex", "key", "enc", "mac"] {
        for algorithm in report[kind].as_array().unwrap() {
            for reason in algorithm["notes"]["fail"].as_array().into_iter().flatten() {
                let name = algorithm["algorithm"].as_str().unwrap();
                found.push(format!("{kind} {name}: {}", reason.as_str().unwrap()));
            }
        }
    }
    found
}

#[test]
fn default_security_policy_fails_only_for_its_nist_curves() {
    let cloud = Cloud { dir: tempfile::tempdir().unwrap() };
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let started = cloud.run(&["local", "start", "--port", &port.to_string(), "--server-start-time", "100ms"]);
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let endpoint = cloud.status()["endpoint"].as_str().unwrap().to_owned();
    let created = Command::new(venv().join("bin/python"))
        .args(["-c", CREATE, &endpoint, "TransferSecurityPolicy-2025-03"])
        .output()
        .unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let deadline = Instant::now() + Duration::from_secs(20);
    let port = loop {
        if let Some(port) = cloud.status()["servers"][0]["port"].as_u64() {
            break port.to_string();
        }
        assert!(Instant::now() < deadline, "no endpoint: {}", cloud.status());
    };

    let audit = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("bin/ssh-audit");
    let output = Command::new(&audit)
        // Without the test of connections per second: other work shares the machine.
        .args(["--skip-rate-test", "--json", "--port", &port, "127.0.0.1"])
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be started ({error}): run scripts/test", audit.display()));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // AWS's policy includes the NIST curves, and AWS creates an ECDSA host key for each server; ssh-audit's only
    // objection to them is their origin.
    let curves = "using elliptic curves that are suspected as being backdoored by the U.S. National Security Agency";
    let expected: Vec<String> =
        ["kex ecdh-sha2-nistp256", "kex ecdh-sha2-nistp384", "kex ecdh-sha2-nistp521", "key ecdsa-sha2-nistp256"]
            .map(|name| format!("{name}: {curves}"))
            .to_vec();
    assert_eq!(failures(&report), expected);
    assert_eq!(report["cves"], serde_json::json!([]));
}
