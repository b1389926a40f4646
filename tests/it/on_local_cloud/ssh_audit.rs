//! `ssh-audit` as the oracle for the algorithms that a server offers and their known weaknesses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;
use sftpctl_testkit::programs::{installed, venv};

use crate::site::{Site, succeeded, until};

const CREATE: &str = "
import sys, botocore.session
transfer = botocore.session.get_session().create_client('transfer', region_name='us-west-2', endpoint_url=sys.argv[1],
    aws_access_key_id='111111111111', aws_secret_access_key=sys.argv[3])
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
fn default_security_policy_has_only_known_failures() {
    let site = Site::with_times(&["--server-start-time", "100ms"]);
    let mut create = Command::new(venv().join("bin/python"));
    create.args(["-c", CREATE, &site.endpoint(), "TransferSecurityPolicy-2025-03", &site.secret()]);
    succeeded("create a server", &create.output().unwrap());
    let port = until("an SFTP endpoint", || site.status()["servers"][0]["port"].as_u64()).to_string();

    let output = Command::new(installed("tools/bin/ssh-audit"))
        // Not how many connections a second it takes: others share the machine.
        .args(["--skip-rate-test", "--json", "--port", &port, "127.0.0.1"])
        .output()
        .unwrap();
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
