//! The old server's host keys: customers' `known_hosts` files stay valid after the migration.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::site::{Running, Site, shown, succeeded, text, tool, until};

/// The public keys that a port presents, as `type base64`.
fn presented(port: u16) -> BTreeSet<String> {
    let output = tool("ssh-keyscan", "openssh-client").args(["-p", &port.to_string(), "127.0.0.1"]).output().unwrap();
    let lines = text(&output.stdout);
    lines.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key.to_owned()).collect()
}

/// Creates a key and returns its public key.
fn create_key(site: &Site, name: &str, kind: &[&str]) -> String {
    let path = site.dir.path().join(name);
    let _ = std::fs::remove_file(&path);
    let mut command = tool("ssh-keygen", "openssh-client");
    let created = command.args(kind).args(["-q", "-N", "", "-f"]).arg(&path).output().unwrap();
    succeeded(name, &created);
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    public.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn servers_present_the_configured_host_keys() {
    let site = Site::new();
    let ed25519 = create_key(&site, "old_ed25519", &["-t", "ed25519"]);
    let rsa = create_key(&site, "old_rsa", &["-t", "rsa", "-b", "2048"]);
    site.edit(|file| format!("{file}\nserver: {{ host_keys: [\"file:old_ed25519\", \"file:old_rsa\"] }}\n"));
    let deployed = site.run(&["-vv", "deploy", "--env", "99", "--local", "--yes", "--output", "json"]);
    assert!(deployed.status.success(), "{}", shown(&deployed));
    for (region, port) in site.ports() {
        let keys = presented(port);
        assert!(keys.contains(&ed25519) && keys.contains(&rsa), "{region}: {keys:?}");
    }
    assert_eq!(site.planned(), Vec::<String>::new());

    // Rotated on request: with another key in the file the servers are updated, and nothing else changes.
    let next = create_key(&site, "old_ed25519", &["-t", "ed25519"]);
    assert_eq!(site.planned(), ["us-east-2/server", "us-west-2/server"]);
    site.deploy();
    for (region, port) in site.ports() {
        let keys = presented(port);
        assert!(keys.contains(&next) && keys.contains(&rsa) && !keys.contains(&ed25519), "{region}: {keys:?}");
    }

    // Deleted by hand, and put back.
    site.oracle("door.py", &["drop-host-key", "us-west-2", "ssh-rsa"]);
    assert_eq!(site.planned(), ["us-west-2/server"]);
    site.deploy();
    assert!(presented(site.port("us-west-2")).contains(&rsa));

    // Kept in AWS instead of a file.
    let kept = create_key(&site, "kept", &["-t", "ed25519"]);
    let private = std::fs::read_to_string(site.dir.path().join("kept")).unwrap();
    site.oracle("door.py", &["keep-key", "/sftp/host-key", &private]);
    site.edit(|file| file.replace("file:old_ed25519", "ssm:/sftp/host-key"));
    site.deploy();
    for (region, port) in site.ports() {
        assert!(presented(port).contains(&kept), "{region}");
    }
    assert_eq!(site.planned(), Vec::<String>::new());
    let secret = create_key(&site, "secret", &["-t", "ecdsa", "-b", "256"]);
    let private = std::fs::read_to_string(site.dir.path().join("secret")).unwrap();
    site.oracle("door.py", &["keep-secret", "sftp/host-key", &private]);
    site.edit(|file| file.replace("file:old_rsa", "secretsmanager:sftp/host-key"));
    site.deploy();
    for (region, port) in site.ports() {
        let keys = presented(port);
        assert!(keys.contains(&secret) && keys.contains(&kept), "{region}: {keys:?}");
    }
    assert_eq!(site.planned(), Vec::<String>::new());

    // No line of a private key is anywhere but in its own file, parameter or secret.
    let state = site.dir.path().join(".sftpctl/local/state");
    let mut everything = shown(&deployed) + &site.ok(&["plan", "--env", "99", "--local"]) + &site.logs();
    for entry in std::fs::read_dir(state).unwrap() {
        everything += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    for name in ["old_ed25519", "old_rsa", "kept", "secret"] {
        let private = std::fs::read_to_string(site.dir.path().join(name)).unwrap();
        for line in private.lines().filter(|line| line.len() > 20 && !line.starts_with('-')) {
            assert!(!everything.contains(line), "a line of {name} is in the output, the state or a log");
        }
    }
}

#[test]
fn removing_a_line_removes_only_its_key() {
    let site = Site::new();
    let ed25519 = create_key(&site, "old_ed25519", &["-t", "ed25519"]);
    let rsa = create_key(&site, "old_rsa", &["-t", "rsa", "-b", "2048"]);
    let theirs = create_key(&site, "theirs", &["-t", "ecdsa", "-b", "256"]);
    site.edit(|file| format!("{file}\nserver: {{ host_keys: [\"file:old_ed25519\", \"file:old_rsa\"] }}\n"));
    site.deploy();
    let west = "us-west-2";
    site.oracle("door.py", &["import-host-key", west, site.dir.path().join("theirs").to_str().unwrap(), "by hand"]);
    assert_eq!(
        site.oracle("door.py", &["host-keys", west]),
        r#"{"ecdsa-sha2-nistp256": "by hand", "ssh-ed25519": "sftpctl 99: file:old_ed25519", "#.to_owned()
            + r#""ssh-rsa": "sftpctl 99: file:old_rsa"}"#
    );
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(presented(site.port(west)), BTreeSet::from([ed25519.clone(), rsa.clone(), theirs.clone()]));

    site.edit(|file| file.replace(", \"file:old_rsa\"", ""));
    let lines = site.ok(&["plan", "--env", "99", "--local", "--output", "json"]);
    let plan: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    for step in plan["steps"].as_array().unwrap() {
        let [property] = step["change"]["properties"].as_array().unwrap().as_slice() else { panic!("{step}") };
        assert_eq!(property["name"], "host keys", "{step}");
        let count = |side: &str| property[side].as_array().unwrap().len();
        assert_eq!((count("before"), count("after")), (2, 1), "{step}");
    }
    assert_eq!(site.planned(), ["us-east-2/server", "us-west-2/server"]);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(presented(site.port(west)), BTreeSet::from([ed25519.clone(), theirs.clone()]));
    assert_eq!(presented(site.port("us-east-2")), BTreeSet::from([ed25519.clone()]));

    // Without any configured key the existing keys are kept: a server must present some key.
    site.edit(|file| file.replace("server: { host_keys: [\"file:old_ed25519\"] }", ""));
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(presented(site.port("us-east-2")), BTreeSet::from([ed25519]));
}

#[test]
fn server_keeps_port_and_keys_until_it_is_deleted() {
    let site = Site::deployed("");
    let login = site.add(8001, "faithful", "secret");
    let before = |site: &Site| {
        site.ports().into_iter().map(|(region, port)| (region, port, presented(port))).collect::<Vec<_>>()
    };
    let first = before(&site);
    assert!(first.iter().all(|(_, _, keys)| !keys.is_empty()) && first[0].2 != first[1].2, "{first:?}");
    let same = |what: &str| assert_eq!(before(&site), first, "{what}");

    let port = site.endpoint().rsplit(':').next().unwrap().to_owned();
    site.ok(&["local", "stop"]);
    site.ok(&["local", "start", "--port", &port, "--server-start-time", "200ms"]);
    same("after a restart of the local cloud");

    // While a server is OFFLINE nothing listens, and open sessions are closed.
    let west = site.port("us-west-2");
    let mut client = site.paramiko(west, &login);
    let mut client = Running(client.args(["stays", "x"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(client.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "open");
    site.oracle("door.py", &["stop", "us-west-2"]);
    until("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", west)).is_err().then_some(()));
    client.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(!until("the client ends", || client.0.try_wait().unwrap()).success());
    site.oracle("door.py", &["start", "us-west-2"]);
    until("the port is open again", || std::net::TcpStream::connect(("127.0.0.1", west)).ok());
    same("after StopServer and StartServer");

    for (option, quiet) in [("DEFAULT", "refused"), ("ENABLE_NO_OP", "quiet")] {
        site.oracle("door.py", &["set-stat", "us-west-2", option]);
        site.paramiko_ok(west, &login, &["set-stat", quiet]);
    }

    let keys = site.dir.path().join(".sftpctl/local/host-keys");
    let kept = || std::fs::read_dir(&keys).unwrap().count();
    let had = kept();
    site.oracle("door.py", &["delete-server", "us-west-2"]);
    until("the port is closed", || std::net::TcpStream::connect(("127.0.0.1", west)).is_err().then_some(()));
    assert!(kept() < had, "the keys of a deleted server still exist");
    site.deploy();
    let after = before(&site);
    assert_eq!(after[0], first[0]);
    assert_ne!(after[1].2, first[1].2, "a new server has keys of its own");
}

#[test]
fn unusable_key_stops_a_deployment_before_the_first_write() {
    let site = Site::new();
    site.edit(|file| format!("{file}\nserver: {{ host_keys: [\"file:nowhere\"] }}\n"));
    let refused = site.ends_with(2, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("cannot read the host key file:nowhere"), "{refused}");
    std::fs::write(site.dir.path().join("nowhere"), "hunter2 is no key").unwrap();
    let refused = site.ends_with(2, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("is not a host key") && !refused.contains("hunter2"), "{refused}");
    assert_eq!(site.aws(&["left"]), "[]");
}
