//! `sftpctl users`, and what an account's item means at the door.

use std::process::{Output, Stdio};

use serde_json::Value;

use super::shared;
use crate::site::{Login, Running, Site, shown, succeeded, text, tool};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

/// `sftpctl users WHAT --username NAME`.
fn users(what: &[&str], name: &str, password: &str) -> String {
    let site = shared();
    succeeded(&format!("{what:?}"), &site.users(&[what, &["--username", name]].concat(), password))
}

/// `sftpctl users WHAT` at a terminal, by a person who types these.
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
fn a_password_is_asked_for_twice_and_never_shown() {
    let site = shared();
    let port = site.port(WEST);
    let add = ["add", "--orgid", "4010", "--username", "prompted", "--cluster", "99-5"];
    let secret = r#" it's "$x" \ñ 🔑"#;

    let differ = typed(&site, &add, secret, "it's another");
    let said = shown(&differ);
    assert_eq!(differ.status.code(), Some(2), "{said}");
    assert!(said.contains("the two passwords differ; nothing was changed") && !said.contains("it's"), "{said}");
    assert_eq!(site.users(&["show", "--username", "prompted"], "").status.code(), Some(2), "nobody was added");

    let added = typed(&site, &add, secret, secret);
    let said = succeeded("add", &added);
    assert!(said.contains("Password for prompted: ") && said.contains("Again: "), "{said}");
    assert!(said.contains("prompted (organisation 4010): added") && !said.contains("it's"), "{said}");
    let login = Login::new("prompted", secret);
    assert!(site.admits(port, &login));

    let passwd = ["passwd", "--username", "prompted"];
    let differ = typed(&site, &passwd, "next secret", "next secre");
    assert_eq!(differ.status.code(), Some(2), "{}", shown(&differ));
    assert!(site.admits(port, &login), "the old password still works");
    let said = succeeded("passwd", &typed(&site, &passwd, "next secret", "next secret"));
    assert!(said.contains("has a new password") && !said.contains("next"), "{said}");
    assert!(!site.admits(port, &login) && site.admits(port, &Login::new("prompted", "next secret")));
}

#[test]
fn an_account_lives_from_add_to_remove() {
    let site = shared();
    let login = site.add(4001, "lifelong", "first secret");
    assert_eq!(site.oracle("door.py", &["keys", BUCKET, "4001/"]), r#"["4001/"]"#, "the home's marker");
    assert!(site.admits(site.port(WEST), &login));

    users(&["passwd", "--password-stdin"], "lifelong", "second secret");
    assert!(!site.admits(site.port(WEST), &login));
    let login = Login::new("lifelong", "second secret");
    assert!(site.admits(site.port(WEST), &login));

    let shown_account = users(&["show", "--output", "json"], "lifelong", "");
    let account: Value = serde_json::from_str(&shown_account).unwrap();
    assert_eq!((account["orgid"].as_i64(), account["home"].as_str()), (Some(4001), Some("/pl-pt99-5-uploads/4001")));
    assert!(!shown_account.contains("secret") && !shown_account.contains("$argon2"), "{shown_account}");
    let all = succeeded("list", &site.users(&["list", "--output", "csv"], ""));
    let row = all.lines().find(|line| line.contains("lifelong")).unwrap();
    assert!(row.starts_with("4001,lifelong,active,argon2id,"), "{row}");
    let lines = succeeded("list", &site.users(&["list", "--output", "json", "--cluster", "99-5"], ""));
    assert!(
        lines.lines().any(|l| serde_json::from_str::<Value>(l).is_ok_and(|v| v["username"] == "lifelong")),
        "{lines}"
    );

    // Disabled in the middle of a run: that one goes on, the next log-in is refused.
    let mut client = site.paramiko(site.port(WEST), &login);
    let child = client.args(["stays", "mark"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = Running(child);
    let mut said = std::io::BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line, "open\n");
    users(&["disable"], "lifelong", "");
    assert!(!site.admits(site.port(WEST), &login), "disabled");
    let (good, finding) = site.test_login(&login);
    assert!(!good && finding.contains("disabled"), "{finding}");
    std::io::Write::write_all(child.0.stdin.as_mut().unwrap(), b"go\n").unwrap();
    line.clear();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line, "wrote\n");
    users(&["enable"], "lifelong", "");
    assert!(site.admits(site.port(WEST), &login), "enabled again");

    users(&["remove", "--yes"], "lifelong", "");
    assert!(!site.admits(site.port(WEST), &login));
    assert_eq!(site.oracle("door.py", &["stored", "4001"]), "null");
    assert!(site.oracle("door.py", &["keys", BUCKET, "4001/"]).contains("4001/mark"), "files stay");
    // The name is free again.
    site.add(4001, "lifelong", "third secret");
}

#[test]
fn attributes_that_we_do_not_know_stay() {
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
fn a_name_is_free_when_its_account_was_deleted_by_hand() {
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
fn a_malformed_account_can_be_turned_off_and_removed() {
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
    // One whose name is no text is found by its number.
    site.oracle("door.py", &["item", r#"{"orgid": {"N": "4622"}, "HomeDirectory": {"S": "/"}}"#]);
    succeeded("remove", &site.users(&["remove", "--yes", "--orgid", "4622"], ""));
    assert_eq!(site.oracle("door.py", &["stored", "4622"]), "null");
}

#[test]
fn a_generated_password_is_shown_once_and_opens() {
    let site = shared();
    let which = ["add", "--orgid", "4002", "--username", "generated", "--cluster", "99-5", "--generate-password"];
    let said = succeeded("add", &site.users(&which, ""));
    let opens = said
        .split_whitespace()
        .any(|word| word.len() >= 16 && site.admits(site.port(WEST), &Login::new("generated", word)));
    assert!(opens, "{said}");
}

#[test]
fn what_may_not_be_an_account_is_refused() {
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
fn of_two_at_once_one_wins() {
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
fn every_scheme_opens_and_two_accounts_of_one_name_do_not() {
    let site = shared();
    // base64(SHA-224("correct horse")), what the old system stored; in plain, then wrapped by `users harden`'s scheme.
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
            r#"{{"orgid": {{"N": "{orgid}"}}, "username": {{"S": "{name}"}}, "password": {{"S": "{password}"}}, "HomeDirectory": {{"S": "/{BUCKET}/{orgid}"}}}}"#
        );
        site.oracle("door.py", &["item", &item]);
    };
    put(4201, "legacy", digest);
    assert!(site.admits(site.port(WEST), &Login::new("legacy", "correct horse")));
    assert!(!site.admits(site.port("us-east-2"), &Login::new("legacy", "correct hors")));
    put(4202, "double", digest);
    assert!(site.admits(site.port(WEST), &Login::new("double", "correct horse")));
    put(4203, "double", digest);
    assert!(!site.admits(site.port(WEST), &Login::new("double", "correct horse")), "never the first one");
    let (good, said) = site.test_login(&Login::new("double", "correct horse"));
    assert!(!good && said.contains("two accounts") || said.contains("more than one"), "{said}");
}

#[test]
fn a_source_range_and_the_block_list_are_kept() {
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
    for (name, source, status) in
        [("office", "10.2.2.3", 403), ("ADMIN", "10.1.2.3", 401), ("nobody.here", "10.1.2.3", 404)]
    {
        let refused = ask(name, source);
        assert_eq!(refused["StatusCode"], status, "{name}: {refused}");
        assert!(!refused["Response"].as_str().unwrap().contains("Role"), "{refused}");
    }
    assert!(!site.admits(site.port(WEST), &Login::new("office", "secret")), "from this machine");
}

#[test]
fn a_home_of_any_letters_is_the_whole_world() {
    let site = shared();
    let home = format!("/{BUCKET}/Müller & Söhne/Ein gang");
    let which = ["add", "--orgid", "4401", "--username", "mueller", "--home", &home, "--password-stdin"];
    succeeded("add", &site.users(&which, "secret"));
    let login = Login::new("mueller", "secret");
    std::fs::write(site.dir.path().join("brief.txt"), "brief").unwrap();
    let said = succeeded("put", &site.sftp(site.port(WEST), &login, "pwd\nput brief.txt\nls -1\n"));
    assert!(said.contains(&home) && said.contains("brief.txt"), "{said}");
    let outside = site.sftp(site.port(WEST), &login, "ls ..\n");
    assert_eq!(outside.status.code(), Some(1), "{}", shown(&outside));
}

#[test]
fn a_customer_is_told_how_to_connect() {
    let site = shared();
    let file = site.dir.path().join("environments/99.yaml");
    let file = std::fs::read_to_string(file).unwrap().replace("dns:\n", "dns:\n  latency: true\n");
    let other = site.dir.path().join("99-latency.yaml");
    std::fs::write(&other, file).unwrap();
    let said = site.ok(&["connect-info", "--env-file", other.to_str().unwrap(), "--local", "--username", "a@b.c"]);
    assert_eq!(said.matches("  also       99-uploads.xx.net").count(), 2, "{said}");
    let port = site.port(WEST);
    assert!(said.contains(&format!("sftp -P {port} a@b.c@127.0.0.1")), "{said}");
    let scanned = tool("ssh-keyscan", "openssh-client").args(["-p", &port.to_string(), "127.0.0.1"]).output().unwrap();
    let prints = crate::site::with_input(tool("ssh-keygen", "openssh-client").args(["-lf", "-"]), &scanned.stdout);
    let prints = text(&prints.stdout);
    assert!(prints.lines().count() >= 2, "{prints}");
    for line in prints.lines() {
        let fingerprint = line.split(' ').nth(1).unwrap();
        assert!(said.contains(fingerprint), "{fingerprint} is not in {said}");
    }
}

#[test]
fn each_decision_is_one_line_without_a_secret() {
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
    // The function may have run twice at once, and then in two log streams.
    let mut outcomes: Vec<_> = decisions.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["admitted", "refused"], "{log}");
    assert!(!log.contains("nowhere") && !log.contains("$argon2") && !log.contains("s3:GetObject"), "{log}");
}
