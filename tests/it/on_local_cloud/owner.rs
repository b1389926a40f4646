//! The local cloud belongs to who started it: what a web page, another user of the machine, another program and a cloned
//! folder try.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod functions;
mod requests;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sftpctl_testkit::programs::venv;

use crate::site::{Site, shown, succeeded};

/// Creates a function whose code runs on this machine.
const FUNCTION: &str = r#"{"FunctionName":"evil","Runtime":"python3.11","Role":"arn:aws:iam::000000000000:role/x","Handler":"index.handler","Code":{"ZipFile":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}"#;

/// Sends a request. Returns the status and the whole answer in lower case.
fn send(port: u16, line: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut head = format!("{line} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: 127.0.0.1:{port}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{head}\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
    (status, answer.to_ascii_lowercase())
}

#[test]
fn web_pages_and_strangers_run_nothing() {
    let site = Site::new();
    let port = site.cloud_port;
    let create = "POST /2015-03-31/functions";
    let signed = "AWS4-HMAC-SHA256 Credential=111111111111/20260101/us-west-2/lambda/aws4_request, \
                  SignedHeaders=host, Signature=00";
    let secret = site.secret();
    let page = ("Origin", "https://evil.example");
    for (line, headers, body) in [
        // A page: with an origin, by a preflight, from a frame, and under a name of its own that resolves to loopback.
        (create, vec![page, ("Content-Type", "text/plain")], FUNCTION),
        ("OPTIONS /2015-03-31/functions", vec![page, ("Access-Control-Request-Method", "POST")], ""),
        (create, vec![("Sec-Fetch-Site", "cross-site")], FUNCTION),
        (create, vec![("Host", "evil.example:4570")], FUNCTION),
        ("GET /_sftpctl/status", vec![("Host", "evil.example:4570"), ("x-sftpctl-secret", &secret)], ""),
        ("GET /_sftpctl/status", vec![page, ("x-sftpctl-secret", &secret)], ""),
        ("POST /_ministack/reset", vec![page], ""),
        // Another program, without a signature, with a made-up one, and without the secret.
        (create, vec![], FUNCTION),
        (create, vec![("Authorization", signed)], FUNCTION),
        ("POST /_ministack/reset", vec![], ""),
        ("GET /_sftpctl/status", vec![], ""),
        ("GET /_sftpctl/status", vec![("x-sftpctl-secret", "0")], ""),
        ("GET /_sftpctl/status", vec![("x-sftpctl-secret", &secret), ("x-sftpctl-secret", "0")], ""),
        (
            "GET /_sftpctl/status",
            vec![("Host", "localhost"), ("Host", "evil.example"), ("x-sftpctl-secret", &secret)],
            "",
        ),
        ("GET /bucket/key", vec![], ""),
        // Round the execute path.
        ("GET /_aws/execute-api/abc/prod/servers/s-1/users/me/config", vec![("Authorization", signed)], ""),
        ("GET /restapis/abc/prod/_user_request_/servers", vec![("Authorization", signed)], ""),
        ("GET /prod/servers", vec![("Host", "abc.execute-api.localhost:4570"), ("Authorization", signed)], ""),
    ] {
        let (status, answer) = send(port, line, &headers, body);
        assert!((400..404).contains(&status), "{line} {headers:?}: {answer}");
        assert!(!answer.contains("access-control-"), "{line} {headers:?}: {answer}");
    }

    // MiniStack itself answers nobody but the front.
    let ministack =
        site.status()["ministack"]["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    for (line, headers) in [
        (create, vec![("Authorization", signed)]),
        ("POST /_ministack/reset", vec![]),
        ("GET /_ministack/ready", vec![]),
    ] {
        let (status, answer) = send(ministack, line, &headers, FUNCTION);
        assert_eq!(status, 403, "{line}: {answer}");
    }
    assert_eq!(site.aws(&["left"]), "[]");
}

/// Every file and folder below a folder.
fn below(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.push(path.clone());
        if path.is_dir() && !path.is_symlink() {
            below(&path, all);
        }
    }
}

fn is_closed(site: &Site, when: &str) {
    let root = site.dir.path().join(".sftpctl");
    let mut all = vec![root.clone()];
    below(&root, &mut all);
    // MiniStack makes the code of functions executable for all, in folders that are closed.
    let is_code = |path: &PathBuf| path.is_file() && path.to_string_lossy().contains("/tmp/ministack-");
    for path in all.iter().filter(|path| !path.is_symlink() && !is_code(path)) {
        // The files of a running process may go meanwhile.
        let Ok(facts) = path.metadata() else { continue };
        assert_eq!(facts.permissions().mode() & 0o077, 0, "{when}: {} is open to others", path.display());
    }
    assert!(all.len() > 5, "{when}: {all:?}");
}

#[test]
fn every_file_is_closed_to_others() {
    let site = Site::new();
    is_closed(&site, "started");
    site.deploy();
    site.add(17578, "me@example.com", "Fake-Password-1");
    is_closed(&site, "deployed");
    site.ok(&["local", "stop"]);
    is_closed(&site, "stopped");
    assert!(!site.cloud().join("tmp").exists(), "the code of functions is left");
    site.start(&[]);
}

#[test]
fn folder_that_came_with_a_copy_is_not_believed() {
    let site = Site::new();
    let copy = site.dir.path().join("clone/.sftpctl/local");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-r").arg(site.cloud()).arg(&copy).output().unwrap();
    succeeded("cp", &copied);
    // What it would run, and what it would end: the process of another local cloud.
    let dir = copy.display().to_string();
    // And what it would show: a log may be a link to another file.
    std::fs::remove_file(copy.join("ministack.log")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", copy.join("ministack.log")).unwrap();
    for command in [&["start"][..], &["stop"], &["status"], &["manners"], &["env"], &["logs"]] {
        let refused = site.ends_with(2, &[&["local", "--dir", &dir], command].concat());
        assert!(refused.contains("was not made here by sftpctl"), "{command:?}: {refused}");
    }
    assert_eq!(site.status()["running"], true);
    // A link in a clone, and a folder that others may write to: nothing is made or changed in them.
    let (victim, clone) = (site.dir.path().join("others"), site.dir.path().join("linked"));
    std::fs::create_dir(&victim).unwrap();
    std::fs::create_dir_all(clone.join("environments")).unwrap();
    let file = "environments/99.yaml";
    std::fs::copy(site.dir.path().join(file), clone.join(file)).unwrap();
    let link = clone.join(".sftpctl");
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let facts = || (victim.metadata().unwrap().permissions().mode(), std::fs::read_dir(&victim).unwrap().count());
    for mode in [0o755, 0o777] {
        std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(mode)).unwrap();
        let before = facts();
        for command in [&["local", "start"][..], &["deploy", "--env", "99", "--local", "--yes"]] {
            let output = site.command(command).current_dir(&clone).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{command:?}: {}", shown(&output));
            assert_eq!(facts(), before, "{command:?}");
        }
        // The same as a folder of its own.
        if mode == 0o777 {
            std::fs::remove_file(&link).unwrap();
            std::fs::rename(&victim, &link).unwrap();
            let output = site.command(&["local", "start"]).current_dir(&clone).output().unwrap();
            assert!(shown(&output).contains("others may write to it"), "{}", shown(&output));
            assert_eq!(std::fs::read_dir(&link).unwrap().count(), 0);
        }
    }
    // A saved plan does not follow a link to a file of somebody's choice.
    let (victim, link) = (site.dir.path().join("victim"), site.dir.path().join("plan.json"));
    std::fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    site.ok(&["plan", "--env", "99", "--local", "--out", "plan.json"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
    assert!(!link.is_symlink() && std::fs::read_to_string(&link).unwrap().contains("\"steps\""));
}

#[test]
fn shell_of_the_owner_gets_what_sdks_need() {
    let site = Site::deployed("");
    let printed = site.ok(&["local", "env"]);
    let list =
        "import botocore.session as b; print(len(b.get_session().create_client('transfer').list_servers()['Servers']))";
    let script = format!("{printed}\nexec \"$0\" -c \"$1\"");
    let output = Command::new("sh").args(["-c", &script]).arg(venv().join("bin/python")).arg(list).output().unwrap();
    assert_eq!(succeeded("list-servers", &output).trim(), "1", "{}", shown(&output));
}
