//! Files that are decrypted when they arrive: a real gpg encrypts, and the workflow of the server decrypts with the
//! rights of its role.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::faults::front;
use crate::site::{Login, Site, shown, succeeded, text, tool, until};

const WEST: &str = "us-west-2";
const DECRYPT: &str = "files: { decrypt: { 99-5: {} } }\n";
const WHAT: &str = "private PGP key of a test";
const PASSPHRASE: &str = "Fake-Passphrase-1";

/// Only cluster 99-5 is left, and one server.
fn alone(file: &str) -> String {
    let others = |line: &&str| !(0..5).any(|number| line.starts_with(&format!("  99-{number}:")));
    let file: Vec<&str> = file.lines().filter(others).collect();
    file.join("\n").replace("us-east-2: { server: true }", "us-east-2: { server: false }") + "\n"
}

/// A GnuPG with a key pair of its own.
struct Gpg(PathBuf);

impl Gpg {
    fn new(site: &Site, name: &str) -> Self {
        let home = site.dir.path().join(name);
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = Self(home);
        gpg.run(&["--quick-generate-key", "orders@example.com", "rsa2048", "encrypt,sign", "never"]);
        gpg
    }

    fn command(&self) -> Command {
        let mut command = tool("gpg", "gnupg");
        command.arg("--homedir").arg(&self.0).args(["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", PASSPHRASE]);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        succeeded("gpg", &self.command().args(arguments).output().unwrap())
    }

    /// The text of a secret for Transfer Family.
    fn secret(&self, site: &Site) -> String {
        let armored = self.run(&["--armor", "--export-secret-keys", "orders@example.com"]);
        assert!(armored.contains("PRIVATE KEY"), "{WHAT}");
        let file = site.dir.path().join("pgp-key.json");
        let secret = serde_json::json!({ "PGPPrivateKey": armored, "PGPPassphrase": PASSPHRASE });
        std::fs::write(&file, secret.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn encrypt(&self, from: &Path, to: &Path, more: &[&str]) {
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        // As the documentation says that customers must.
        let all =
            ["--openpgp", "--yes", "--trust-model", "always", "--recipient", "orders@example.com", "--output", to];
        self.run(&[&all[..], more, &["--encrypt", from]].concat());
    }
}

impl Drop for Gpg {
    /// Its agent.
    fn drop(&mut self) {
        let _ = tool("gpgconf", "gnupg").arg("--homedir").arg(&self.0).args(["--kill", "all"]).output();
    }
}

fn put(site: &Site, login: &Login, batch: &str) {
    let output = site.sftp(site.port(WEST), login, batch);
    assert!(output.status.success(), "{}", shown(&output));
}

/// The lines of all executions, in their order.
fn log(site: &Site) -> Vec<Value> {
    site.oracle("decrypt.py", &["log"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of the execution of a file's workflow, when it is over.
fn execution(site: &Site, file: &str) -> Vec<Value> {
    until(file, || {
        let lines = log(site);
        let of_file = |line: &&Value| {
            line["type"] == "ExecutionStarted"
                && line["details"]["input"]["initialFileLocation"]["key"] == format!("17578/{file}")
        };
        let id = lines.iter().rev().find(of_file)?["executionId"].clone();
        let ours: Vec<Value> = lines.into_iter().filter(|line| line["executionId"] == id).collect();
        let is_over =
            |line: &Value| ["ExecutionCompleted", "ExecutionErrored"].iter().any(|kind| line["type"] == *kind);
        ours.iter().any(is_over).then_some(ours)
    })
}

/// Why the step failed.
fn error(site: &Site, file: &str) -> (String, String) {
    let lines = execution(site, file);
    let failed = lines.iter().find(|line| line["type"] == "StepErrored").unwrap_or_else(|| panic!("{lines:?}"));
    let member = |name: &str| failed["details"][name].as_str().unwrap().to_owned();
    (member("errorType"), member("errorMessage"))
}

fn decrypted(site: &Site, key: &str) -> Option<Vec<u8>> {
    let file = site.dir.path().join("decrypted");
    let found = site.oracle("decrypt.py", &["content", key, file.to_str().unwrap()]);
    (found == "found").then(|| std::fs::read(file).unwrap())
}

fn attached(site: &Site) -> Value {
    let said = site.oracle("decrypt.py", &["attached"]);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

/// The check of the key by `doctor`.
fn doctor(site: &Site) -> (String, String) {
    let said = site.run(&["doctor", "--env", "99", "--local", "--output", "json"]);
    let report: Value = serde_json::from_str(text(&said.stdout).lines().last().unwrap()).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == "D054-pgp-key").unwrap();
    (check["status"].as_str().unwrap().to_owned(), check["hint"].as_str().unwrap_or_default().to_owned())
}

/// The operations of a deployment on the server's workflow and on the stack, in their order.
fn changes(site: &Site, deploy: impl FnOnce()) -> Vec<String> {
    let last = |log: &Value| log.as_array().unwrap().last().map_or(0, |call| call["number"].as_u64().unwrap());
    let since = last(&front(site, "GET", "calls/log"));
    deploy();
    let log = front(site, "GET", "calls/log");
    let ours = log.as_array().unwrap().iter().filter(|call| {
        call["number"].as_u64().unwrap() > since
            && call["region"] == WEST
            && ["UpdateServer", "UpdateStack"].iter().any(|operation| call["operation"] == *operation)
    });
    ours.map(|call| call["operation"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn uploads_are_decrypted_with_the_rights_of_the_role() {
    let site = Site::new();
    site.edit(|file| alone(&file) + DECRYPT);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    site.ok(&["drift", "--env", "99", "--local"]);
    site.oracle("decrypt.py", &["strict"]);
    let found = attached(&site);
    let place = &found["step"]["DecryptStepDetails"]["DestinationFileLocation"]["S3FileLocation"];
    assert_eq!(place["Key"], "decrypted/${Transfer:UserName}/");
    let secret = format!("aws/transfer/{}/@pgp-default", found["server"].as_str().unwrap());

    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    let (ours, other) = (Gpg::new(&site, "ours"), Gpg::new(&site, "other"));
    let folder = site.dir.path();
    let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(folder.join("plain"), &plain).unwrap();
    ours.encrypt(&folder.join("plain"), &folder.join("order.csv.gpg"), &[]);

    // Without a key, doctor names the secret and the command.
    let (status, hint) = doctor(&site);
    assert!(status == "warning" && hint.contains(&format!("--name {secret} --secret-string file://")), "{hint}");
    std::fs::write(folder.join("empty"), "").unwrap();
    put(&site, &login, "put empty\nput order.csv.gpg early.gpg\n");
    let (kind, message) = error(&site, "early.gpg");
    assert!(kind == "NOT_FOUND" && message.contains(&secret), "{kind} {message}");

    site.oracle("decrypt.py", &["store", &secret, &ours.secret(&site)]);
    assert_eq!(doctor(&site).0, "ok");
    put(&site, &login, "mkdir in\nput order.csv.gpg in/order.csv.gpg\n");
    let lines = execution(&site, "in/order.csv.gpg");
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ExecutionStarted", "StepStarted", "StepCompleted", "ExecutionCompleted"]);
    assert_eq!(lines[3]["transferDetails"]["username"], "jan@example.com");
    assert_eq!(lines[3]["workflowId"], found["workflow"]);
    let key = "decrypted/jan@example.com/order.csv.gpg";
    assert!(decrypted(&site, key).unwrap() == plain, "the file is identical");
    // The customer sees his own file as he uploaded it, and no decrypted one.
    put(&site, &login, "get in/order.csv.gpg back\n");
    assert!(std::fs::read(folder.join("back")).unwrap() == std::fs::read(folder.join("order.csv.gpg")).unwrap());
    assert!(!site.sftp(site.port(WEST), &login, "ls /pl-pt99-5-uploads/decrypted\n").status.success());
    // The lines of executions, in the same log, are not of what customers did.
    let said = site.ok(&["logs", "--env", "99", "--local", "--since", "1h"]);
    assert!(said.contains("/17578/in/order.csv.gpg") && !said.contains("Execution"), "{said}");

    // For another key, not encrypted, or signed.
    other.encrypt(&folder.join("plain"), &folder.join("other.gpg"), &[]);
    ours.encrypt(&folder.join("plain"), &folder.join("signed.gpg"), &["--sign"]);
    put(&site, &login, "put other.gpg\nput plain\nput signed.gpg\n");
    for (file, words) in
        [("other.gpg", "private key in the secret"), ("plain", "private key"), ("signed.gpg", "signed")]
    {
        let (kind, message) = error(&site, file);
        assert!(kind == "BAD_REQUEST" && message.contains(words), "{file}: {kind} {message}");
        assert_eq!(decrypted(&site, &format!("decrypted/jan@example.com/{file}")), None, "{file}");
    }

    // A key of the user's own comes first.
    let own = secret.replace("@pgp-default", "jan@example.com");
    site.oracle("decrypt.py", &["store", &own, &other.secret(&site)]);
    put(&site, &login, "put other.gpg own.gpg\n");
    assert_eq!(execution(&site, "own.gpg").last().unwrap()["type"], "ExecutionCompleted");
    site.oracle("decrypt.py", &["remove", &own]);

    // Without rights the role decrypts nothing.
    site.oracle("decrypt.py", &["forbid", found["role"].as_str().unwrap(), "decrypt"]);
    put(&site, &login, "put order.csv.gpg refused.gpg\n");
    let (kind, message) = error(&site, "refused.gpg");
    assert!(kind == "PERMISSION_DENIED" && message.contains("s3:GetObject"), "{kind} {message}");

    // An empty file, which was the first of all, has started nothing.
    let files = log(&site).into_iter().filter(|line| line["type"] == "ExecutionStarted");
    let keys: Vec<Value> = files.map(|line| line["details"]["input"]["initialFileLocation"]["key"].clone()).collect();
    assert!(keys.contains(&"17578/early.gpg".into()) && !keys.contains(&"17578/empty".into()), "{keys:?}");
}

#[test]
fn the_workflow_comes_changes_and_goes_with_its_setting() {
    let site = Site::new();
    site.edit(|file| alone(&file));
    site.deploy();
    assert_eq!(site.oracle("decrypt.py", &["attached"]), "nothing");
    site.edit(|file| file + DECRYPT);
    assert_eq!(site.planned(), ["us-west-2/stack", "us-west-2/server"]);
    assert_eq!(changes(&site, || drop(site.deploy())), ["UpdateStack", "UpdateServer"]);
    let first = attached(&site);

    // By hand.
    site.oracle("decrypt.py", &["detach"]);
    let drifted = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(drifted.contains("workflow for uploads"), "{drifted}");
    assert_eq!(site.planned(), ["us-west-2/server"]);
    site.deploy();
    assert_eq!(attached(&site), first);

    // Another workflow: the old one is taken off the server before it is deleted.
    site.edit(|file| file.replace("{ 99-5: {} }", "{ 99-5: { to: in/plain/ } }"));
    assert_eq!(site.planned(), ["us-west-2/stack", "us-west-2/server"]);
    assert_eq!(changes(&site, || drop(site.deploy())), ["UpdateServer", "UpdateStack", "UpdateServer"]);
    let second = attached(&site);
    assert_ne!(first["workflow"], second["workflow"]);
    let place = &second["step"]["DecryptStepDetails"]["DestinationFileLocation"]["S3FileLocation"];
    assert_eq!(
        (&place["Bucket"], &place["Key"]),
        (&"pl-pt99-5-uploads".into(), &"in/plain/${Transfer:UserName}/".into())
    );
    assert_eq!(site.planned(), Vec::<String>::new());

    // A deployment that ends between the two goes on with the next one.
    site.edit(|file| file.replace("files: { decrypt: { 99-5: { to: in/plain/ } } }\n", ""));
    assert_eq!(site.planned(), ["us-west-2/stack"]);
    site.ok(&["local", "faults", "add", "cloudformation.UpdateStack", "roll-back", "--region", WEST]);
    let failed = site.run(&["deploy", "--env", "99", "--local", "--yes"]);
    assert!(!failed.status.success(), "{}", shown(&failed));
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(changes(&site, || drop(site.deploy())), ["UpdateStack"]);
    assert_eq!(site.oracle("decrypt.py", &["attached"]), "nothing");
    assert_eq!(site.planned(), Vec::<String>::new());

    site.edit(|file| file + DECRYPT);
    site.deploy();
    attached(&site);
    site.teardown_with_data(&[]);
    site.oracle("decrypt.py", &["left"]);
}
