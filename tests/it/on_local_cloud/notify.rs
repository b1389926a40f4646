//! The end of a run is told to a topic of SNS and to a webhook, and whether it is heard changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::site::{Site, shown};

const SECRET: &str = "s3cr3t";
const TOPIC: &str = "arn:aws:sns:us-west-2:111111111111:ops";
const HOOK: &str = "SFTPCTL_WEBHOOK";
/// For a message that has been sent already.
const SOON: Duration = Duration::from_secs(5);

/// A server on this machine that answers every request so. Its URL, and the bodies that were posted.
fn hook(answer: String) -> (String, Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/services/{SECRET}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut bytes) = (String::new(), [0; 4096]);
            let body = loop {
                let count = stream.read(&mut bytes).unwrap();
                request += &String::from_utf8_lossy(&bytes[..count]);
                let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            };
            stream.write_all(answer.as_bytes()).unwrap();
            if sender.send(body).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

fn answer(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Runs a command with the webhook. Returns its exit code and everything that it showed.
fn run(site: &Site, arguments: &[&str], url: Option<&str>) -> (i32, String) {
    let mut command = site.command(arguments);
    match url {
        Some(url) => command.env(HOOK, url),
        None => command.env_remove(HOOK),
    };
    let output = command.output().unwrap();
    (output.status.code().unwrap(), shown(&output))
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_end_is_told_to_a_topic_and_a_webhook() {
    let site = Site::new();
    site.oracle("topics.py", &["make", "us-west-2", "ops"]);
    site.edit(|file| {
        format!(
            "{file}\nnotify: {{ on: [success, failure, drift], topics: [\"{TOPIC}\"], webhook: {{ url_env: {HOOK} }} }}\n"
        )
    });
    let (url, heard) = hook(answer("200 OK"));
    let told = |arguments: &[&str], code: i32| {
        let all = [arguments, &["--env", "99", "--local"]].concat();
        let (exit, shown) = run(&site, &all, Some(&url));
        assert_eq!(exit, code, "{shown}");
        assert!(!shown.contains("was not told") && !shown.contains(SECRET), "{shown}");
        let document = document(&heard.recv_timeout(SOON).unwrap());
        assert_eq!(document["schema"], "sftpctl/notification/1");
        let messages = site.oracle("topics.py", &["messages", "us-west-2", "ops"]);
        let messages: Vec<Value> = messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(self::document(messages[0]["message"].as_str().unwrap()), document, "to programs the same");
        assert_eq!(
            messages[0]["subject"],
            format!("sftpctl {}, environment 99: {}", arguments[0], document["end"].as_str().unwrap())
        );
        document
    };

    let deployed = told(&["deploy", "--yes"], 0);
    assert_eq!((&deployed["end"], &deployed["exitCode"]), (&"success".into(), &0.into()));
    assert!(deployed["steps"]["changed"].as_u64().unwrap() > 10, "{deployed}");
    assert_eq!(deployed["logins"]["admitted"], serde_json::json!(["us-east-2", "us-west-2"]), "{deployed}");
    let text = deployed["text"].as_str().unwrap();
    assert!(text.starts_with("sftpctl deploy of environment 99 is done: "), "{text}");

    assert_eq!(told(&["verify"], 0)["logins"]["refused"], serde_json::json!([]));
    assert_eq!(told(&["drift"], 0)["drift"]["resources"], 0);
    site.aws(&["drift", "server"]);
    let drift = told(&["drift"], 4);
    assert_eq!((&drift["end"], &drift["drift"]["resources"]), (&"drift".into(), &1.into()), "{drift}");

    // Whoever refuses knows it.
    let (code, shown) = run(&site, &["deploy", "--env", "99", "--local"], Some(&url));
    assert_eq!(code, 3, "{shown}");
    assert!(heard.try_recv().is_err(), "nobody is told");
    let gone = told(&["teardown", "--yes"], 0);
    assert_eq!((&gone["command"], &gone["end"]), (&"teardown".into(), &"success".into()));

    // Neither state nor journal knows the URL.
    for file in files(site.dir.path()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let has_it = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        assert!(!has_it, "{}", file.display());
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(files(&entry.path())),
            kind if kind.is_file() => all.push(entry.path()),
            _ => {}
        }
    }
    all
}

/// A TLS server whose certificate nobody knows.
struct SelfSigned(Child);

impl SelfSigned {
    fn start(folder: &Path) -> (Self, String) {
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", shown(&made));
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}")])
            .arg("-key")
            .arg(&key)
            .arg("-cert")
            .arg(&certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It says `ACCEPT` when it listens.
        let (mut said, mut bytes) = (String::new(), [0; 256]);
        while !said.contains("ACCEPT") {
            let count = child.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
            assert!(count > 0, "{said}");
            said += &String::from_utf8_lossy(&bytes[..count]);
        }
        (Self(child), format!("https://localhost:{port}/services/{SECRET}"))
    }
}

impl Drop for SelfSigned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_message_that_is_not_heard_changes_nothing() {
    let site = Site::new();
    let drift = ["drift", "--env", "99", "--local"];
    let (plain, _) = run(&site, &drift, None);
    let with = |setting: &str| {
        site.edit(|file| {
            let file = file.split("\nnotify:").next().unwrap().to_owned();
            format!("{file}\nnotify: {{ on: [success, failure, drift], {setting} }}\n")
        });
    };
    let unheard = |url: Option<&str>, words: &[&str]| {
        let (code, shown) = run(&site, &drift, url);
        assert_eq!(code, plain, "{shown}");
        assert!(shown.contains("warning: the end of this run was not told to ") && shown.contains("hint: "), "{shown}");
        assert!(words.iter().all(|word| shown.contains(word)), "{words:?}: {shown}");
        assert!(!shown.contains(SECRET), "{shown}");
    };

    with(&format!("webhook: {{ url_env: {HOOK} }}"));
    unheard(None, &["the webhook in the environment variable SFTPCTL_WEBHOOK: it is not set"]);
    let (failing, _heard) = hook(answer("500 Internal Server Error"));
    unheard(Some(&failing), &["it answered with status 500"]);
    let (target, followed) = hook(answer("200 OK"));
    let (moved, _heard) = hook(answer(&format!("302 Found\r\nlocation: {target}")));
    unheard(Some(&moved), &["status 302, a redirection, which is not followed"]);
    assert!(followed.try_recv().is_err(), "the message went to another place");
    unheard(Some(&format!("http://hooks.example.com/{SECRET}")), &["http:// is allowed to this machine alone"]);
    let (_server, unknown) = SelfSigned::start(site.dir.path());
    unheard(Some(&unknown), &["there was no connection", "certificate"]);
    // Also where everything is logged.
    let mut loud = site.command(&[&drift[..], &["-vv"]].concat());
    let output = loud.env(HOOK, &failing).env("RUST_LOG", "trace").output().unwrap();
    assert!(!shown(&output).contains(SECRET), "a log has the URL");

    let path = site.dir.path().join("hook");
    std::fs::write(&path, &failing).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    with("webhook: { url_file: hook }");
    unheard(None, &["the webhook in hook: others may read it", "chmod 0600 hook"]);

    with(&format!("topics: [\"{TOPIC}\"]"));
    unheard(None, &[TOPIC, "NotFound", "correct `notify.topics`"]);
}
