//! The old server's host keys, given to every new one: customers' `known_hosts` stay right.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use crate::site::{Site, shown, succeeded, text, tool, with_input};

const WEST: &str = "us-west-2";

/// Fingerprints of the keys that a port presents, one a line, as `ssh-keyscan` sees them.
pub(super) fn presented(port: u16) -> String {
    let scan = tool("ssh-keyscan", "openssh-client").args(["-p", &port.to_string(), "127.0.0.1"]).output().unwrap();
    let prints = with_input(tool("ssh-keygen", "openssh-client").args(["-l", "-f", "-"]), &scan.stdout);
    succeeded("ssh-keygen -l", &prints)
}

/// Makes a key and tells its fingerprint.
fn make(folder: &Path, name: &str, kind: &[&str]) -> String {
    let file = folder.join(name);
    let made =
        tool("ssh-keygen", "openssh-client").args(["-q", "-N", "", "-t"]).args(kind).arg("-f").arg(&file).output();
    succeeded(name, &made.unwrap());
    let print = tool("ssh-keygen", "openssh-client").arg("-lf").arg(&file).output().unwrap();
    succeeded(name, &print).split(' ').nth(1).unwrap().to_owned()
}

fn present(site: &Site, wanted: &[&str], unwanted: &[&str]) {
    for (region, port) in site.ports() {
        let seen = presented(port);
        assert!(wanted.iter().all(|print| seen.contains(print)), "{region}: {seen} lacks one of {wanted:?}");
        assert!(!unwanted.iter().any(|print| seen.contains(print)), "{region}: {seen} has one of {unwanted:?}");
    }
}

#[test]
fn every_server_presents_the_environments_keys() {
    let site = Site::new();
    let folder = site.dir.path();
    let ed = make(folder, "ed", &["ed25519"]);
    let rsa = make(folder, "rsa", &["rsa", "-b", "2048"]);
    let new = make(folder, "new", &["ed25519"]);
    let kept = make(folder, "kept", &["ecdsa"]);
    let secrets: Vec<String> = ["ed", "rsa", "new", "kept"]
        .iter()
        .flat_map(|name| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            text.lines().filter(|line| !line.starts_with('-')).skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut said = String::new();
    site.edit(|file| file + "\nserver: { host_keys: [\"file:ed\", \"file:rsa\"] }\n");
    let mut deploy = |arguments: &[&str]| {
        let all = [&["deploy", "--env", "99", "--local", "--yes", "-vv"], arguments].concat();
        let output = site.run(&all);
        assert!(output.status.success(), "{}", shown(&output));
        let text = shown(&output);
        said += &text;
        text
    };
    said_nothing_to_do(&deploy(&[]), false);
    present(&site, &[&ed, &rsa], &[]);
    // Compared on every run: nothing to do; and the same after a restart of the local cloud.
    said_nothing_to_do(&deploy(&[]), true);
    assert_eq!(site.planned(), Vec::<String>::new());

    // The file has another key: rotated.
    std::fs::copy(folder.join("new"), folder.join("ed")).unwrap();
    assert_eq!(site.planned(), ["us-east-2/server", "us-west-2/server"]);
    deploy(&[]);
    present(&site, &[&new, &rsa], &[&ed]);

    // Somebody imports another key by hand and takes ours away.
    site.oracle("door.py", &["swap-host-key", WEST, folder.join("kept").to_str().unwrap(), &rsa]);
    assert_eq!(site.planned(), ["us-west-2/server"]);
    deploy(&[]);
    present(&site, &[&new, &rsa], &[&ed]);

    // One in Systems Manager, one in Secrets Manager, of the home region.
    site.oracle("door.py", &["keep-key", "ssm", "/sftp/host-key", folder.join("kept").to_str().unwrap()]);
    site.oracle("door.py", &["keep-key", "secretsmanager", "sftp-host-key", folder.join("rsa").to_str().unwrap()]);
    let sources = "[\"ssm:/sftp/host-key\", \"secretsmanager:sftp-host-key\", \"file:new\"]";
    site.edit(|file| file.replace("[\"file:ed\", \"file:rsa\"]", sources));
    deploy(&[]);
    present(&site, &[&new, &rsa, &kept], &[&ed]);
    said_nothing_to_do(&deploy(&[]), true);

    // Nothing of a private key is anywhere but where it was, and in the folder of the servers' own keys.
    said += &site.ok(&["plan", "--env", "99", "--local", "--output", "json", "-vv"]);
    said += &site.logs();
    let local = folder.join(".sftpctl/local");
    for name in ["transfer.json", "deployments.json"] {
        said += &std::fs::read_to_string(local.join(name)).unwrap_or_default();
    }
    for entry in std::fs::read_dir(local.join("state")).unwrap() {
        let path = entry.unwrap().path();
        // MiniStack keeps parameters and secrets as it is told; our own state is named after the environment.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("99")) {
            said += &text(&std::fs::read(path).unwrap());
        }
    }
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "a line of a private key was told");
    }

    std::fs::write(folder.join("new"), "no key").unwrap();
    let refused = site.run(&["deploy", "--env", "99", "--local", "--yes"]);
    assert!(!refused.status.success() && shown(&refused).contains("file:new is no host key"), "{}", shown(&refused));
}

fn said_nothing_to_do(text: &str, expected: bool) {
    assert_eq!(text.contains("Nothing to do"), expected, "{text}");
}
