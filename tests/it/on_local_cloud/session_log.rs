//! What a server logs of its sessions, with the fields of AWS's documented examples.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::site::{Login, Site, shown, succeeded, until, with_input};

const WEST: &str = "us-west-2";
const GROUP: &str = "/aws/vendedlogs/transfer/99-upload-us-west-2";

fn lines(site: &Site) -> Vec<Value> {
    let lines = site.oracle("logs.py", &["lines", WEST, GROUP]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines once the last of a session is there.
fn logged(site: &Site, last: &str) -> Vec<Value> {
    until("the lines of the log", || {
        let lines = lines(site);
        lines.iter().any(|line| line["activity-type"] == last).then_some(lines)
    })
}

/// The members of a line that every line of a session has.
fn member<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_else(|| panic!("{name} is not a text: {line}"))
}

#[test]
fn a_session_is_logged_from_its_log_in_to_its_end() {
    let site = Site::deployed("");
    let login = site.add(17578, "jan", "Fake-Password-1");
    std::fs::write(site.dir.path().join("order.csv"), "a;b;c\n1;2;3\n").unwrap();
    let batch = "mkdir in\nput order.csv in/order.csv\nget in/order.csv back.csv\nrename in/order.csv in/done.csv\n\
                 rm in/done.csv\nrmdir in\n";
    let mut sftp = site.openssh("sftp", &login);
    let port = site.port(WEST).to_string();
    let output = with_input(sftp.args(["-v", "-b", "-", "-P", &port, "jan@127.0.0.1"]), batch.as_bytes());
    succeeded("the session", &output);
    let said = shown(&output);
    let lines = logged(&site, "DISCONNECTED");
    let of: Vec<(&str, Option<&str>)> =
        lines.iter().map(|line| (member(line, "activity-type"), line["path"].as_str())).collect();
    let path = |name: &str| format!("/pl-pt99-5-uploads/17578/{name}");
    let (order, done, folder) = (path("in/order.csv"), path("in/done.csv"), path("in/"));
    let expected = [
        ("CONNECTED", None),
        ("MKDIR", Some(&*folder)),
        ("OPEN", Some(&*order)),
        ("CLOSE", Some(&*order)),
        ("OPEN", Some(&*order)),
        ("CLOSE", Some(&*order)),
        ("RENAME", Some(&*order)),
        ("DELETE", Some(&*done)),
        ("RMDIR", Some(&*folder)),
        ("DISCONNECTED", None),
    ];
    assert_eq!(of, expected, "{lines:#?}");
    let connected = &lines[0];
    assert_eq!(connected["user"], "jan");
    assert_eq!(connected["source-ip"], "127.0.0.1");
    assert!(member(connected, "client").starts_with("SSH-2.0-OpenSSH_"), "{connected}");
    // What the client itself says of the connection.
    let after = |words: &str| {
        let line = said.lines().find_map(|line| line.split_once(words)).unwrap_or_else(|| panic!("{words}: {said}"));
        line.1.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(connected["kex"], after("kex: algorithm: ").as_str());
    let (up, down) = (after("kex: client->server cipher: "), after("kex: server->client cipher: "));
    assert_eq!(connected["ciphers"], format!("{up},{down}"));
    assert!(member(connected, "role").starts_with("arn:aws:iam::111111111111:role/"), "{connected}");
    assert_eq!(connected["home-dir"], "/pl-pt99-5-uploads/17578");
    // Only this line has them, and every line the session and the server.
    for line in &lines[1..] {
        assert!(line["user"].is_null() && line["source-ip"].is_null(), "{line}");
    }
    for line in &lines {
        assert_eq!(line["session-id"], connected["session-id"], "{line}");
        assert!(member(line, "resource-arn").contains(":server/s-"), "{line}");
    }
    let [opened, closed, read] = [2, 3, 5].map(|at| &lines[at]);
    assert_eq!(opened["mode"], "CREATE|TRUNCATE|WRITE");
    assert_eq!((&closed["bytes-in"], &read["bytes-out"]), (&json!("12"), &json!("12")), "texts, as on AWS");
    assert_eq!(lines[6]["new-path"], done.as_str());
}

#[test]
fn what_fails_is_logged_with_its_reason() {
    let site = Site::deployed("");
    let login = site.add(17578, "jan", "Fake-Password-1");
    let port = site.port(WEST);
    assert!(!site.admits(port, &Login::new("jan", "Wrong-Password-1")));
    let mut old = site.openssh("sftp", &login);
    let options = ["-o", "KexAlgorithms=diffie-hellman-group1-sha1", "-b", "-", "-P"];
    let old = with_input(old.args(options).args([&port.to_string(), "jan@127.0.0.1"]), b"pwd\n");
    assert!(!old.status.success(), "{}", shown(&old));
    let batch = "-mkdir in\n-put nothing\n-rename missing other\n-mkdir in\n";
    succeeded("the session", &site.sftp(port, &login, batch));
    let lines = logged(&site, "DISCONNECTED");
    let one = |activity: &str| -> &Value {
        lines.iter().find(|line| line["activity-type"] == activity).unwrap_or_else(|| panic!("{activity}: {lines:#?}"))
    };
    let refused = one("AUTH_FAILURE");
    assert_eq!((&refused["user"], &refused["method"]), (&json!("jan"), &json!("password")));
    assert_eq!((&refused["@stream"], &refused["source-ip"]), (&json!("ERRORS"), &json!("127.0.0.1")));
    assert!(!member(refused, "message").is_empty() && refused["session-id"].is_null(), "{refused}");
    let mismatch = one("KEX_FAILURE");
    assert_eq!(mismatch["message"], "no matching key exchange method found");
    assert!(member(mismatch, "kex").split(',').any(|name| name == "diffie-hellman-group1-sha1"), "{mismatch}");
    assert!(mismatch["user"].is_null() && mismatch["@stream"] == "ERRORS", "{mismatch}");
    // The second folder of that name; a missing file is not an error of the log.
    let errors: Vec<&Value> = lines.iter().filter(|line| line["activity-type"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{lines:#?}");
    assert_eq!((&errors[0]["operation"], &errors[0]["message"]), (&json!("MKDIR"), &json!("the name is taken")));
    assert!(!serde_json::to_string(&lines).unwrap().contains("Password-1"), "{lines:#?}");
}
