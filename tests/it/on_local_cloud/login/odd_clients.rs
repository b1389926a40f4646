//! Clients and buckets as they are in the field: several attempts on one connection, keys that are no file names, files
//! that change during a download.

use super::shared;
use crate::site::{shown, succeeded, text, with_input};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

#[test]
fn second_request_for_the_service_is_not_left_unanswered() {
    let site = shared();
    let login = site.add(6001, "retrying", "correct horse");
    // The SSH library cannot answer it; the connection ends with words instead.
    let answer = site.paramiko_ok(site.port(WEST), &login, &["second-service-request"]);
    assert!(answer == "admitted" || answer.contains("transport shut down"), "{answer}");
    assert!(site.logs().contains("ssh-userauth can be requested once"), "{}", site.logs());
}

#[test]
fn five_wrong_passwords_and_a_right_one_are_admitted() {
    let site = shared();
    let login = site.add(6002, "forgetful", "correct horse");
    for command in ["attempts", "offered"] {
        site.paramiko_ok(site.port(WEST), &login, &[command]);
    }
    assert!(site.logs().contains("Too many authentication failures"), "{}", site.logs());
}

#[test]
fn interactive_client_is_told_what_is_offered() {
    let site = shared();
    let login = site.add(6003, "interactive", "correct horse");
    let (port, host) = (site.port(WEST).to_string(), "interactive@127.0.0.1");
    let run = |methods: &str| {
        let mut sftp = site.openssh("sftp", &login);
        let option = format!("PreferredAuthentications={methods}");
        with_input(sftp.args(["-o", &option, "-o", "BatchMode=no", "-b", "-", "-P", &port, host]), b"pwd\n")
    };
    let refused = run("keyboard-interactive");
    assert!(text(&refused.stderr).contains("Permission denied (password)"), "{}", shown(&refused));
    succeeded("then the password", &run("keyboard-interactive,password"));
}

#[test]
fn keys_that_are_no_file_names_harm_nothing() {
    let site = shared();
    let login = site.add(6004, "odd.keys", "correct horse");
    for (key, content) in [
        ("/deep.txt", "x"),
        ("./dot.txt", "x"),
        ("../up.txt", "x"),
        ("ok.txt", "fine"),
        ("a//b.txt", "x"),
        ("report", "object"),
        ("report/2026.csv", "in the folder"),
        ("ctl/plain.txt", "x"),
        ("ctl/b\u{1}c", "odd"),
        ("ctl/esc\u{1b}[31m", "x"),
    ] {
        site.oracle("door.py", &["put", BUCKET, &format!("6004/{key}"), content]);
    }
    // A recursive download ends, and writes only below its folder.
    let to = site.dir.path().join("odd");
    std::fs::create_dir_all(to.join("out")).unwrap();
    succeeded("get -r", &site.sftp(site.port(WEST), &login, "get -r . odd/out\n"));
    let mut names: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.pop().unwrap(), "out");
    assert!(names.is_empty(), "{names:?}");
    site.paramiko_ok(site.port(WEST), &login, &["odd-keys"]);
    assert!(site.logs().contains("keys that are not file names"), "{}", site.logs());
}

#[test]
fn exclusive_creation_has_one_winner() {
    let site = shared();
    let login = site.add(6006, "exclusive", "correct horse");
    site.paramiko_ok(site.port(WEST), &login, &["exclusive"]);
}

#[test]
fn replaced_file_is_never_mixed() {
    let site = shared();
    let login = site.add(6005, "replacer", "correct horse");
    site.paramiko_ok(site.port(WEST), &login, &["replaced"]);
}
