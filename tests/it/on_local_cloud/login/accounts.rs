//! `sftpctl users`, and how the authorizer treats the accounts it writes.

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use super::shared;
use crate::site::{Login, Running, Site, shown, succeeded, text, tool};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

/// `sftpctl users WHAT --username NAME`.
fn users(what: &[&str], name: &str, password: &str) -> String {
    let site = shared();
    succeeded(&format!("{what:?}"), &site.users(&[what, &["--username", name]].concat(), password))
}

/// `sftpctl users WHAT` at a terminal, where a person types the passwords `first` and `second`.
fn typed(site: &Site, what: &[&str], first: &str, second: &str) -> Output {
    let arguments = [&["users"], what, &["--env", "99", "--local"]].concat();
    let program = site.command(&arguments);
    let mut person = tool("expect", "expect");
    person.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/prompted.exp")).args([first, second]);
    person.arg(program.get_program()).args(program.get_args()).current_dir(site.dir.path());
    let output = person.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).output();
    output.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn password_is_prompted_for_twice_and_never_shown() {
    let site = shared();
    let port = site.port(WEST);
    let add = ["add", "--orgid", "4010", "--username", "prompted", "--cluster", "99-5"];
    let secret = r#" it's "$x" \ñ 🔑"#;

    let differ = typed(&site, &add, secret, "it's another");
    let output = shown(&differ);
    assert_eq!(differ.status.code(), Some(2), "{output}");
    assert!(output.contains("the two passwords differ; nothing was changed") && !output.contains("it's"), "{output}");
    assert_eq!(site.users(&["show", "--username", "prompted"], "").status.code(), Some(2), "no account was added");

    let added = typed(&site, &add, secret, secret);
    let output = succeeded("add", &added);
    assert!(output.contains("Password for prompted: ") && output.contains("Again: "), "{output}");
    assert!(output.contains("prompted (organisation 4010): added") && !output.contains("it's"), "{output}");
    let login = Login::new("prompted", secret);
    assert!(site.admits(port, &login));

    let passwd = ["passwd", "--username", "prompted"];
    let differ = typed(&site, &passwd, "next secret", "next secre");
    assert_eq!(differ.status.code(), Some(2), "{}", shown(&differ));
    assert!(site.admits(port, &login), "the old password still works");
    let output = succeeded("passwd", &typed(&site, &passwd, "next secret", "next secret"));
    assert!(output.contains("has a new password") && !output.contains("next"), "{output}");
    assert!(!site.admits(port, &login) && site.admits(port, &Login::new("prompted", "next secret")));
}

#[test]
fn account_can_be_added_disabled_enabled_and_removed() {
    let site = shared();
    let login = site.add(4001, "lifelong", "first secret");
    assert_eq!(site.oracle("door.py", &["keys", BUCKET, "4001/"]), r#"["4001/"]"#, "the home folder's marker");
    assert!(site.admits(site.port(WEST), &login));

    users(&["passwd", "--password-stdin"], "lifelong", "second secret");
    assert!(!site.admits(site.port(WEST), &login));
    let login = Login::new("lifelong", "second secret");
    assert!(site.admits(site.port(WEST), &login));

    let shown_account = users(&["show", "--output", "json"], "lifelong", "");
    let account: Value = serde_json::from_str(&shown_account).unwrap();
    assert_eq!((account["orgid"].as_i64(), account["home"].as_str()), (Some(4001), Some("/pl-pt99-5-uploads/4001")));
    assert!(!shown_account.contains("secret") && !shown_account.contains("$argon2"), "{shown_account}");
    let all = listed(&site.users(&["list", "--output", "csv"], ""));
    let row = all.lines().find(|line| line.contains("lifelong")).unwrap();
    assert!(row.starts_with("4001,lifelong,active,argon2id,"), "{row}");
    let lines = listed(&site.users(&["list", "--output", "json", "--cluster", "99-5"], ""));
    assert!(
        lines.lines().any(|l| serde_json::from_str::<Value>(l).is_ok_and(|v| v["username"] == "lifelong")),
        "{lines}"
    );

    // Disabled in the middle of a session: the session continues, the next log-in is refused.
    let mut client = site.paramiko(site.port(WEST), &login);
    let child = client.args(["stays", "mark"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = Running(child);
    let mut printed = std::io::BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut printed, &mut line).unwrap();
    assert_eq!(line, "open\n");
    users(&["disable"], "lifelong", "");
    assert!(!site.admits(site.port(WEST), &login), "disabled");
    let (good, finding) = site.test_login(&login);
    assert!(!good && finding.contains("disabled"), "{finding}");
    std::io::Write::write_all(child.0.stdin.as_mut().unwrap(), b"go\n").unwrap();
    line.clear();
    std::io::BufRead::read_line(&mut printed, &mut line).unwrap();
    assert_eq!(line, "wrote\n");
    users(&["enable"], "lifelong", "");
    assert!(site.admits(site.port(WEST), &login), "enabled again");

    users(&["remove", "--yes"], "lifelong", "");
    assert!(!site.admits(site.port(WEST), &login));
    assert_eq!(site.oracle("door.py", &["stored", "4001"]), "null");
    assert!(site.oracle("door.py", &["keys", BUCKET, "4001/"]).contains("4001/mark"), "files are kept");
    // The name is free again.
    site.add(4001, "lifelong", "third secret");
}

#[test]
fn unknown_attributes_are_kept() {
    let site = shared();
    let digest = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";
    let item = format!(
        r#"{{"orgid": {{"N": "4601"}}, "username": {{"S": "annotated"}}, "HomeDirectory": {{"S": "/{BUCKET}/4601"}},
        "password": {{"S": "{digest}"}}, "note": {{"S": "pays late"}}, "labels": {{"M": {{"tier": {{"N": "2"}}}}}}}}"#
    );
    site.oracle("door.py", &["item", &item]);
    for what in [&["passwd", "--password-stdin"][..], &["disable"], &["enable"]] {
        users(what, "annotated", "new secret");
        let stored: Value = serde_json::from_str(&site.oracle("door.py", &["stored", "4601"])).unwrap();
        assert_eq!(stored["note"]["S"], "pays late", "{what:?}");
        assert_eq!(stored["labels"]["M"]["tier"]["N"], "2", "{what:?}");
        assert_ne!(stored["password"]["S"], digest, "{what:?}");
    }
    assert!(site.admits(site.port(WEST), &Login::new("annotated", "new secret")));
}

#[test]
fn name_of_a_manually_deleted_account_is_free() {
    let site = shared();
    for (orgid, next) in [(4611, 4611), (4611, 4612)] {
        site.add(orgid, "abandoned", "secret");
        site.oracle("door.py", &["drop-item", &orgid.to_string()]);
        let login = site.add(next, "abandoned", "another secret");
        assert!(site.admits(site.port(WEST), &login));
        users(&["remove", "--yes"], "abandoned", "");
    }
    site.add(4613, "present", "secret");
    let which = ["add", "--orgid", "4614", "--username", "present", "--cluster", "99-5", "--password-stdin"];
    let output = site.users(&which, "secret");
    assert!(!output.status.success() && shown(&output).contains("is taken"), "{}", shown(&output));
}

#[test]
fn malformed_account_can_be_disabled_and_removed() {
    let site = shared();
    let item = r#"{"orgid": {"N": "4621"}, "username": {"S": "shapeless"}, "status": {"S": "Active"},
        "HomeDirectory": {"S": "/"}, "password": {"S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="}}"#;
    site.oracle("door.py", &["item", item]);
    let show = site.users(&["show", "--username", "shapeless"], "");
    assert!(shown(&show).contains("malformed") && shown(&show).contains("users remove"), "{}", shown(&show));
    users(&["disable"], "shapeless", "");
    let stored: Value = serde_json::from_str(&site.oracle("door.py", &["stored", "4621"])).unwrap();
    assert_eq!(stored["status"]["S"], "disabled");
    users(&["remove", "--yes"], "shapeless", "");
    assert_eq!(site.oracle("door.py", &["stored", "4621"]), "null");
    site.add(4621, "shapeless", "secret");
    // An account without a valid name is found by its orgid.
    site.oracle("door.py", &["item", r#"{"orgid": {"N": "4622"}, "HomeDirectory": {"S": "/"}}"#]);
    succeeded("remove", &site.users(&["remove", "--yes", "--orgid", "4622"], ""));
    assert_eq!(site.oracle("door.py", &["stored", "4622"]), "null");
}

#[test]
fn generated_password_is_shown_and_works() {
    let site = shared();
    let which = ["add", "--orgid", "4002", "--username", "generated", "--cluster", "99-5", "--generate-password"];
    let output = succeeded("add", &site.users(&which, ""));
    let opens = output
        .split_whitespace()
        .any(|word| word.len() >= 16 && site.admits(site.port(WEST), &Login::new("generated", word)));
    assert!(opens, "{output}");
}

#[test]
fn invalid_accounts_are_refused() {
    let site = shared();
    site.add(4003, "taken.name", "secret");
    for (orgid, name, says) in [
        ("4004", "taken.name", "taken.name"),
        ("4003", "another.name", "4003"),
        ("4005", "Admin", "block list"),
        ("4005", "ab", "3"),
        ("4005", "has space", "user name"),
        ("4005", "x*y.z", "user name"),
    ] {
        let which = ["add", "--orgid", orgid, "--username", name, "--cluster", "99-5", "--password-stdin"];
        let output = site.users(&which, "secret");
        assert!(!output.status.success() && shown(&output).contains(says), "{orgid} {name}: {}", shown(&output));
    }
    let which = ["add", "--orgid", "4005", "--username", "nowhere", "--cluster", "99-77", "--password-stdin"];
    let output = site.users(&which, "secret");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert_eq!(site.oracle("door.py", &["stored", "4005"]), "null");
}

#[test]
fn concurrent_adds_of_one_name_have_one_winner() {
    let site = shared();
    for round in 0..3 {
        let name = format!("racer{round}");
        let runs: Vec<_> = (0..4)
            .map(|number| {
                let orgid = (4100 + round * 10 + number).to_string();
                let mut command = site.command(&["users", "add", "--env", "99", "--local", "--password-stdin"]);
                command.args(["--orgid", &orgid, "--username", &name, "--cluster", "99-5"]);
                let mut child =
                    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
                std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret").unwrap();
                child
            })
            .collect();
        let outputs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
        let won = outputs.iter().filter(|output| output.status.success()).count();
        assert_eq!(won, 1, "{:#?}", outputs.iter().map(shown).collect::<Vec<_>>());
        assert!(site.admits(site.port(WEST), &Login::new(&name, "secret")));
    }
}

#[test]
fn legacy_password_works_and_duplicate_names_are_refused() {
    let site = shared();
    // base64(SHA-224("correct horse")), as the old system stored passwords.
    let digest = text(
        &tool("sh", "dash")
            .args(["-c", "printf 'correct horse' | openssl dgst -sha224 -binary | base64"])
            .output()
            .unwrap()
            .stdout,
    );
    let digest = digest.trim();
    let put = |orgid: u32, name: &str, password: &str| {
        let item = format!(
            r#"{{"orgid": {{"N": "{orgid}"}}, "username": {{"S": "{name}"}}, "password": {{"S": "{password}"}},
                "HomeDirectory": {{"S": "/{BUCKET}/{orgid}"}}}}"#
        );
        site.oracle("door.py", &["item", &item]);
    };
    put(4201, "legacy", digest);
    assert!(site.admits(site.port(WEST), &Login::new("legacy", "correct horse")));
    assert!(!site.admits(site.port("us-east-2"), &Login::new("legacy", "correct hors")));
    put(4202, "double", digest);
    assert!(site.admits(site.port(WEST), &Login::new("double", "correct horse")));
    put(4203, "double", digest);
    assert!(
        !site.admits(site.port(WEST), &Login::new("double", "correct horse")),
        "the first account must not be preferred"
    );
    let (good, finding) = site.test_login(&Login::new("double", "correct horse"));
    assert!(!good && finding.contains("two accounts") || finding.contains("more than one"), "{finding}");
}

#[test]
fn source_range_and_block_list_are_enforced() {
    let site = shared();
    let which = [
        "add",
        "--orgid",
        "4301",
        "--username",
        "office",
        "--cluster",
        "99-5",
        "--password-stdin",
        "--allow-cidr",
        "10.1.0.0/16",
    ];
    succeeded("add", &site.users(&which, "secret"));
    let ask = |name: &str, source: &str| -> Value {
        let mut command = site.oracle_command("door.py");
        let output = command.args(["test", WEST, name, source]).env("SFTP_PASSWORD", "secret").output().unwrap();
        serde_json::from_str(&succeeded(name, &output)).unwrap()
    };
    let inside = ask("office", "10.1.2.3");
    assert_eq!(inside["StatusCode"], 200);
    let answer: Value = serde_json::from_str(inside["Response"].as_str().unwrap()).unwrap();
    assert_eq!(answer["Role"], "arn:aws:iam::111111111111:role/sftp-transfer");
    assert_eq!(answer["HomeDirectory"], "/pl-pt99-5-uploads/4301");
    assert!(answer["Policy"].as_str().unwrap().contains("pl-pt99-5-uploads/4301/*"), "{answer}");
    assert!(inside["Url"].as_str().unwrap().contains("/servers/s-") && inside["Message"] == "", "{inside}");
    // A refusal is an answer without a role, and the same for a name that does not exist.
    for (name, source, body) in [
        ("office", "10.2.2.3", r#"{"message":"Forbidden","status":403}"#),
        ("ADMIN", "10.1.2.3", r#"{"message":"Unauthorized","status":401}"#),
        ("nobody.here", "10.1.2.3", r#"{"message":"Forbidden","status":403}"#),
    ] {
        let refused = ask(name, source);
        assert_eq!((&refused["StatusCode"], &refused["Message"]), (&json!(200), &json!("")), "{name}: {refused}");
        assert_eq!(refused["Response"], body, "{name}");
    }
    assert!(!site.admits(site.port(WEST), &Login::new("office", "secret")), "this machine is outside the range");
}

#[test]
fn home_folder_may_have_any_letters() {
    let site = shared();
    let home = format!("/{BUCKET}/Müller & Söhne/Ein gang");
    let which = ["add", "--orgid", "4401", "--username", "mueller", "--home", &home, "--password-stdin"];
    succeeded("add", &site.users(&which, "secret"));
    let login = Login::new("mueller", "secret");
    std::fs::write(site.dir.path().join("brief.txt"), "brief").unwrap();
    let output = succeeded("put", &site.sftp(site.port(WEST), &login, "pwd\nput brief.txt\nls -1\n"));
    assert!(output.contains(&home) && output.contains("brief.txt"), "{output}");
    let outside = site.sftp(site.port(WEST), &login, "ls ..\n");
    assert_eq!(outside.status.code(), Some(1), "{}", shown(&outside));
}

#[test]
fn connect_info_shows_hosts_and_fingerprints() {
    let site = shared();
    let file = site.dir.path().join("environments/99.yaml");
    let file = std::fs::read_to_string(file).unwrap().replace("dns:\n", "dns:\n  latency: true\n");
    let other = site.dir.path().join("99-latency.yaml");
    std::fs::write(&other, file).unwrap();
    let output = site.ok(&["connect-info", "--env-file", other.to_str().unwrap(), "--local", "--username", "a@b.c"]);
    assert_eq!(output.matches("  also       99-uploads.xx.net").count(), 2, "{output}");
    let port = site.port(WEST);
    assert!(output.contains(&format!("sftp -P {port} a@b.c@127.0.0.1")), "{output}");
    let scanned = tool("ssh-keyscan", "openssh-client").args(["-p", &port.to_string(), "127.0.0.1"]).output().unwrap();
    let prints = crate::site::with_input(tool("ssh-keygen", "openssh-client").args(["-lf", "-"]), &scanned.stdout);
    let prints = text(&prints.stdout);
    assert!(prints.lines().count() >= 2, "{prints}");
    for line in prints.lines() {
        let fingerprint = line.split(' ').nth(1).unwrap();
        assert!(output.contains(fingerprint), "{fingerprint} is not in {output}");
    }
}

#[test]
fn each_decision_is_logged_once_without_secrets() {
    let site = shared();
    let login = site.add(4501, "logged.one", "a secret that is nowhere");
    assert!(site.admits(site.port(WEST), &login));
    assert!(!site.admits(site.port(WEST), &Login::new("logged.one", "a wrong secret that is nowhere")));
    let log = site.oracle("door.py", &["log", WEST]);
    let decisions: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("\"username\":\"logged.one\""))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // The function may have run in two instances at once, and so in two log streams.
    let mut outcomes: Vec<_> = decisions.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["admitted", "refused"], "{log}");
    assert!(!log.contains("nowhere") && !log.contains("$argon2") && !log.contains("s3:GetObject"), "{log}");
}

/// The output of a list. Its exit code is 1 while another test has malformed items in the table.
fn listed(output: &std::process::Output) -> String {
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", crate::site::shown(output));
    crate::site::text(&output.stdout)
}

#[test]
fn trace_shows_no_stored_password() {
    let site = shared();
    site.add(4811, "traced", "correct horse");
    let mut command = site.command(&["users", "show", "--env", "99", "--local", "--username", "traced"]);
    let output = command.env("RUST_LOG", "trace").output().unwrap();
    succeeded("show", &output);
    let log = text(&output.stderr);
    assert!(log.contains(" DEBUG ") && log.contains(" TRACE "), "it is a trace: {log}");
    assert!(!log.contains("$argon2id$") && !log.contains("argon2id$v"), "{log}");
}
