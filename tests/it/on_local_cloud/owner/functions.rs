//! What a function gets, and the port through which it gets it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::send;
use crate::site::{Site, shown};

/// What AWS documents for every function (Lambda developer guide, "Working with Lambda environment variables"), what its
/// settings name, and the endpoint of the local cloud. MiniStack adds the last one, which is a setting of the SDKs.
const GIVEN: [&str; 27] = [
    "_HANDLER",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "TZ",
    "BLOCK_LIST",
    "GUARD_RULES",
    "GUARD_TABLE",
    "HOME_TYPE",
    "INDEX_NAME",
    "SERVER_ID",
    "TABLE_NAME",
    "TAKES_KEYS",
    "USERNAMES",
    "USER_ROLE_ARN",
    "AWS_ENDPOINT_URL",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
];

/// Another user.
const NOBODY: u32 = 65534;

/// The environments of the functions that run, as this user sees them.
fn environments(site: &Site) -> Vec<BTreeMap<String, String>> {
    let ministack = site.status()["ministack"]["pid"].as_i64().unwrap();
    let tasks = std::fs::read_dir(format!("/proc/{ministack}/task")).unwrap();
    let children = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    let all: Vec<String> =
        children.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let environment = |pid: &String| {
        let bytes = std::fs::read(Path::new("/proc").join(pid).join("environ")).ok()?;
        let text = String::from_utf8(bytes).unwrap();
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    all.iter().filter_map(environment).collect()
}

/// Other users of the machine hold nothing of MiniStack's port: their connections end before they are read, whatever they
/// would send, and also from the number of a port from which the front has connected.
#[test]
fn connections_of_other_users_end_at_once() {
    let site = Site::deployed("");
    let endpoint = site.status()["ministack"]["endpoint"].as_str().unwrap().to_owned();
    let port: u16 = endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let request = format!("GET /_ministack/ready HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n");
    for request in [&*request, "GET / HT", ""] {
        // `cat` ends when the connection does.
        if let Some(answer) = answer_to_another_user(port, request) {
            assert!(!answer.contains("HTTP/1.1"), "{answer}");
        }
    }
    // A connection of this user, and one of another with the same number of a port, from another address.
    let kept = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let from = kept.local_addr().unwrap().port();
    let script = format!(
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.2', {from}))\ns.connect(('127.0.0.1', {port}))\n\
         s.sendall(b'GET /_ministack/ready HTTP/1.0\\r\\n\\r\\n')\nprint('answer:', s.recv(99))"
    );
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let output = Command::new("/usr/bin/python3").args(["-c", &script]).uid(NOBODY).gid(NOBODY).output().unwrap();
        assert!(!shown(&output).contains("HTTP/1"), "{}", shown(&output));
        assert!(shown(&output).contains("Reset") || shown(&output).contains("answer: b''"), "{}", shown(&output));
    }
    drop(kept);
    let mut own = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(own, "GET /_ministack/ready HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    own.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 403 "), "{answer}");
    let login = site.add(6102, "customer", "Fake-Password-1");
    assert!(site.admits(site.port("us-west-2"), &login));
}

/// Another user of the machine, with more half requests than the front has places, keeps nobody from it.
#[test]
fn front_keeps_its_places_from_other_users() {
    let site = Site::new();
    let port = site.cloud_port;
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let script = format!(
        "import socket, sys\nheld = []\nfor _ in range(1100):\n    s = socket.create_connection(('127.0.0.1', {port}))\n    \
         held.append(s)\n    try:\n        s.sendall(b'GET / HT')\n    except OSError:\n        pass\n\
         print('held', flush=True)\nsys.stdin.read()\nended = 0\nfor s in held:\n    try:\n        \
         ended += s.recv(9) == b''\n    except OSError:\n        ended += 1\nprint('ended', ended)"
    );
    let mut flood = Command::new("/bin/sh");
    flood.args(["-c", "ulimit -n 4096; exec /usr/bin/python3 -c \"$1\"", "sh", &script]).uid(NOBODY).gid(NOBODY);
    let mut flood = flood.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(flood.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    assert_eq!(site.status()["running"], true);
    drop(flood.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "ended 1100\n");
    flood.wait().unwrap();
}

/// MiniStack's port is bound before MiniStack starts, and by the front as well: nobody else can take it in between.
#[test]
fn port_of_ministack_is_never_free() {
    let site = Site::new();
    let status = site.status();
    let port: u16 = status["ministack"]["endpoint"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let listening: Vec<String> = rows
        .filter(|row| row.get(1) == Some(&&*format!("0100007F:{port:04X}")) && row.get(3) == Some(&"0A"))
        .map(|row| format!("socket:[{}]", row[9]))
        .collect();
    assert_eq!(listening.len(), 1, "{table}");
    for pid in [&status["pid"], &status["ministack"]["pid"]] {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut targets = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        assert!(targets.any(|target| target.as_os_str() == &*listening[0]), "{pid} has not {listening:?}");
    }
}

/// A front that lives and does not answer is not one that does not run: starting another one would not help.
#[test]
fn front_that_does_not_answer_is_told_apart_from_none() {
    let site = Site::new();
    let pid = site.status()["pid"].to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    let told: Vec<String> = [&["local", "status"][..], &["local", "start"], &["local", "faults", "list"]]
        .into_iter()
        .map(|arguments| shown(&site.run(arguments)))
        .collect();
    signal("-CONT");
    for text in told {
        assert!(text.contains(&format!("(process {pid}), but does not answer")), "{text}");
        assert!(!text.contains("no local cloud"), "{text}");
    }
    assert_eq!(site.status()["running"], true);
    site.ok(&["local", "stop"]);
    assert!(site.ends_with(2, &["local", "faults", "list"]).contains("no local cloud is running"));
}

/// What a process of another user gets from a port; `None` unless this user may start one.
fn answer_to_another_user(port: u16, request: &str) -> Option<String> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '%b' \"$1\" >&3; cat <&3");
    let output = Command::new("/bin/bash").args(["-c", &script, "bash", request]).uid(NOBODY).gid(NOBODY).output();
    Some(shown(&output.unwrap()))
}

#[test]
fn events_of_a_function_are_its_own() {
    let site = Site::deployed("");
    let login = site.add(6101, "customer", "Fake-Password-1");
    assert!(site.admits(site.port("us-west-2"), &login));
    let running = environments(&site);
    assert!(!running.is_empty());
    for environment in &running {
        for name in environment.keys() {
            assert!(GIVEN.contains(&name.as_str()), "a function gets {name} of this machine");
        }
        let path = environment["PATH"].as_str();
        assert_eq!((path, environment["TZ"].as_str()), ("/usr/local/bin:/usr/bin/:/bin:/opt/bin", ":UTC"));

        let address = environment["AWS_LAMBDA_RUNTIME_API"].trim_start_matches("http://");
        let (host, secret) = address.split_once('/').unwrap();
        let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
        let (next, failed) = ("2018-06-01/runtime/invocation/next", "2018-06-01/runtime/init/error");
        let other: String = secret.chars().rev().collect();
        let page = ("Origin", "https://evil.example");
        for (line, headers) in [
            (format!("GET /{next}"), vec![]),
            (format!("GET //{next}"), vec![]),
            (format!("GET /{other}/{next}"), vec![]),
            (format!("GET /{next}?{secret}"), vec![]),
            (format!("POST /{failed}"), vec![]),
            (format!("GET /{secret}/{next}"), vec![("Host", "evil.example")]),
            (format!("GET /{secret}/{next}"), vec![("Host", "localhost")]),
            (format!("POST /{secret}/{failed}"), vec![page]),
            (format!("POST /{secret}/{failed}"), vec![("Sec-Fetch-Site", "cross-site")]),
        ] {
            let (status, answer) = send(port, &line, &headers, "");
            assert_eq!(status, 403, "{line} {headers:?}: {answer}");
            assert!(!answer.contains("lambda-runtime-aws-request-id"), "{answer}");
        }
        // Another user is not even answered, and cannot fill MiniStack with threads.
        let request = format!("GET /{secret}/{next} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n");
        if let Some(answer) = answer_to_another_user(port, &request) {
            assert!(!answer.contains("HTTP/1.1"), "{answer}");
        }
        let mut silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(silent, "GET /{next} HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        silent.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 403 "), "{answer}");
    }
    assert!(site.admits(site.port("us-west-2"), &login));
}
