//! `sftpctl console` as a server: who may ask it, and for what. What it answers is in `on_local_cloud::console`.

use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use sftpctl_testkit::console::Console;

use crate::site::{Site, shown};

/// The user and group `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn only_its_own_page_with_the_token_is_answered() {
    let site = Site::stopped();
    let console = Console::start(&site, &["--write"]);
    let token = ("x-sftpctl-token", console.token());
    let own = format!("http://127.0.0.1:{}", console.port);
    let (own, json) = (("Origin", own.as_str()), ("Content-Type", "application/json"));
    let about = console.get("/api/about");
    assert_eq!((about.status, &about.json()["environment"], &about.json()["write"]), (200, &"99".into(), &true.into()));

    let foreign = format!("evil.example:{}", console.port);
    let neighbor = format!("http://localhost:{}", console.port);
    let disable = "POST /api/disable";
    for (expected, line, headers) in [
        // Without the token, with a wrong one, with two; in the query, in a cookie.
        (401, "GET /api/about", vec![]),
        (401, "GET /api/about", vec![("x-sftpctl-token", "0")]),
        (401, "GET /api/about", vec![token, token]),
        (401, &*format!("GET /api/about?token={}", console.token()), vec![]),
        (401, "GET /api/about", vec![("Cookie", console.token())]),
        (401, disable, vec![own, json]),
        // A page under a name of its own that resolves to this machine, and one in another tab.
        (403, "GET /", vec![("Host", foreign.as_str())]),
        (403, "GET /api/about", vec![("Host", foreign.as_str()), token]),
        (403, "GET /api/about", vec![token, ("Origin", "https://evil.example")]),
        (403, "GET /api/about", vec![token, ("Origin", "null")]),
        (403, "GET /api/about", vec![token, ("Origin", neighbor.as_str())]),
        (403, "GET /api/about", vec![token, ("Sec-Fetch-Site", "cross-site")]),
        (403, "GET /", vec![("Sec-Fetch-Site", "same-site")]),
        (403, disable, vec![token, json]),
        (403, disable, vec![token, json, ("Origin", "https://evil.example")]),
        (403, "OPTIONS /api/disable", vec![("Origin", "https://evil.example")]),
        // A form.
        (415, disable, vec![token, own, ("Content-Type", "application/x-www-form-urlencoded")]),
        (415, disable, vec![token, own, ("Content-Type", "text/plain")]),
        // What there is not.
        (404, "GET /x", vec![]),
        (404, "GET /api/teardown", vec![token]),
        (405, "GET /api/disable", vec![token]),
        (405, "POST /", vec![own]),
        (400, "GET /api/account", vec![token]),
        (400, "GET /api/events?username=jan&since=1y", vec![token]),
    ] {
        let answer = console.send(line, &headers, r#"{"username":"jan"}"#);
        assert_eq!(answer.status, expected, "{line} {headers:?}: {answer:?}");
        assert!(!answer.head.contains("access-control-"), "{answer:?}");
    }
}

#[test]
fn every_answer_closes_the_page_to_others() {
    let site = Site::stopped();
    let console = Console::start(&site, &[]);
    for path in ["/", "/console.js", "/words.js", "/console.css", "/icon.svg", "/api/about", "/x", "/api/x"] {
        let answer = console.get(path);
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ",
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{path} lacks {header}: {answer:?}");
        }
        assert!(!answer.head.contains("unsafe-") && !answer.head.contains("set-cookie"), "{answer:?}");
        // The page itself is the same for everybody.
        assert!(path.starts_with("/api/") || !answer.body.contains(console.token()), "{path}");
    }
}

#[test]
fn without_write_no_change_is_begun() {
    let site = Site::stopped();
    let console = Console::start(&site, &[]);
    for path in ["/api/password", "/api/disable", "/api/enable", "/api/unban"] {
        let answer = console.post(path, r#"{"username":"jan"}"#);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["error"], "this console only reads");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.ends_with("sftpctl console --env 99 --local --write"), "{hint}");
    }
    assert_eq!(console.get("/api/about").json()["write"], false);
    let (status, errors) = console.stop();
    assert!(status.success() && !errors.contains("users "), "{status} {errors}");
    // Nothing has asked for the local cloud.
    assert!(!site.cloud().join("run.json").exists());
}

#[test]
fn long_requests_are_refused_and_the_others_are_answered() {
    let site = Site::stopped();
    let console = Console::start(&site, &["--write"]);
    let body = format!(r#"{{"username":"{}"}}"#, "x".repeat(1 << 20));
    let answer = console.post("/api/disable", &body);
    // The connection may be reset before all is sent.
    assert!(answer.status == 413 || answer.status == 0, "{answer:?}");
    assert_eq!(console.post("/api/disable", &body[..5000]).status, 413);
    let long = "x".repeat(100 << 10);
    let answer = console.send("GET /", &[("X-Long", &long)], "");
    assert!(answer.status == 431 || answer.status == 0, "{answer:?}");
    // Connections that say nothing take the places, and the rest is closed until one is free.
    let mut held: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", console.port)).unwrap()).collect();
    assert_eq!(console.get("/api/about").status, 0, "all places are taken");
    held.clear();
    crate::site::until("a place is free", || (console.get("/api/about").status == 200).then_some(()));
}

#[test]
fn other_users_are_cut_off_and_other_addresses_are_closed() {
    let site = Site::stopped();
    let console = Console::start(&site, &[]);
    assert!(TcpStream::connect(("127.0.0.2", console.port)).is_err());
    // Only root can act as another user.
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let script = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', {0}))\ntry:\n    \
         s.sendall(b'GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{0}\\r\\nConnection: close\\r\\n\\r\\n')\n    \
         print('answer:', s.recv(99))\nexcept ConnectionError as error:\n    print('cut:', error)",
        console.port
    );
    let python = |id: u32| Command::new("/usr/bin/python3").args(["-c", &script]).uid(id).gid(id).output().unwrap();
    let own = python(0);
    assert!(shown(&own).contains("HTTP/1.1 200 OK"), "{}", shown(&own));
    let other = python(NOBODY);
    assert!(shown(&other).contains("cut: ") || shown(&other).contains("answer: b''"), "{}", shown(&other));
}

#[test]
fn faults_are_shown_before_anything_is_served() {
    let site = Site::stopped();
    let shown = site.ends_with(2, &["console", "--env", "no-such"]);
    assert!(shown.contains("hint: the environments here are"), "{shown}");
    let console = Console::start(&site, &[]);
    let port = console.port.to_string();
    let shown = site.ends_with(2, &["console", "--env", "99", "--port", &port]);
    assert!(shown.contains(&format!("cannot listen on port {port} of 127.0.0.1")), "{shown}");
    assert!(shown.contains("hint: choose another port"), "{shown}");
    let output = site.run(&["console", "--env", "99", "--port", &port, "--output", "json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&error["schema"], &error["exitCode"]), (&"sftpctl/error/1".into(), &2.into()), "{error}");
}

/// What a helpdesk reads is there for every reason of a refusal.
#[test]
fn every_reason_of_a_refusal_has_its_advice() {
    let root = sftpctl_testkit::programs::root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (report, page) = (read("src/report/logs.rs"), read("crates/console/src/page/words.js"));
    let (_, reasons) = report.split_once("fn reason(word: &str)").unwrap();
    let reasons = reasons.split_once("other => ").unwrap().0;
    let words: Vec<&str> = reasons.split('"').skip(1).step_by(4).collect();
    assert!(words.len() >= 16 && words.contains(&"wrong-password"), "{words:?}");
    for word in words {
        assert!(page.contains(&format!("\n  '{word}': '")), "{word}");
    }
}
