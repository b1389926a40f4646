//! Accounts: how they are made, changed and read, and what each kind of them opens.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::Value;

use super::shared;
use crate::site::{Login, Running, Site, shown, succeeded, tool};

const WEST: &str = "us-west-2";
const HOME: &str = "/pl-pt99-5-uploads";

fn stored(site: &Site, orgid: &str) -> Value {
    serde_json::from_str(&site.oracle("door.py", &["stored", orgid])).unwrap()
}

#[test]
fn names_and_numbers_are_taken_once() {
    let site = shared();
    let add = |orgid: &str, name: &str| {
        let which = ["add", "--orgid", orgid, "--username", name, "--cluster", "99-4", "--password-stdin"];
        site.users(&which, "correct horse")
    };
    succeeded("first", &add("4001", "taken"));
    let name = add("4002", "taken");
    assert!(name.status.code() == Some(3) && shown(&name).contains("user name taken is taken"), "{}", shown(&name));
    let org = add("4001", "free");
    assert!(org.status.code() == Some(3) && shown(&org).contains("organisation 4001 has"), "{}", shown(&org));
    for blocked in ["root", "Root", "ADMIN"] {
        let output = add("4003", blocked);
        assert!(!output.status.success() && shown(&output).contains("block list"), "{}", shown(&output));
        let (good, said) = site.test_login(&Login::new(blocked, "x"));
        assert!(!good && said.contains("is on the block list"), "{said}");
    }
    for bad in ["ab", "a b c", "-abc", "ñandu"] {
        assert!(!add("4004", bad).status.success(), "{bad}");
    }
    // The home folder is there before the first upload.
    assert_eq!(site.oracle("door.py", &["keys", "pl-pt99-4-uploads", "4001"]), r#"["4001/"]"#);
    // Removed, both are free again.
    succeeded("remove", &site.users(&["remove", "--username", "taken", "--yes"], ""));
    assert_eq!(stored(&site, "4001"), Value::Null);
    succeeded("again", &add("4005", "taken"));
}

#[test]
fn of_two_who_add_one_name_at_once_one_wins() {
    let site = shared();
    for round in 0..3_u32 {
        let name = format!("race.{round}");
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let (site, name) = (&site, &name);
            let one = move |number: u32| {
                let orgid = (4100 + 10 * round + number).to_string();
                let which = ["add", "--orgid", &orgid, "--username", name, "--cluster", "99-4", "--password-stdin"];
                let output = site.users(&which, "correct horse");
                assert!(matches!(output.status.code(), Some(0 | 3)), "{}", shown(&output));
                output.status.success()
            };
            let threads: Vec<_> = (0..2).map(|number| scope.spawn(move || one(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|won| **won).count(), 1, "{name}");
        assert!(site.admits(site.port(WEST), &Login::new(&name, "correct horse")), "{name}");
    }
}

#[test]
fn every_form_of_stored_password_opens_its_account() {
    let site = shared();
    let legacy = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="; // base64(SHA-224("secret"))
    let salt = [9; sftpctl::authorizer::password::SALT_BYTES];
    let over = sftpctl::authorizer::password::harden(legacy, &salt).unwrap().unwrap();
    for (orgid, scheme, stored) in [("4201", "sha224", legacy), ("4202", "argon2id over sha224", &over)] {
        // As the table has it from before: no status, no times, a slash at the end.
        let item = format!(
            r#"{{"orgid": {{"N": "{orgid}"}}, "username": {{"S": "old.{orgid}"}}, "password": {{"S": "{stored}"}},
                "HomeDirectory": {{"S": "{HOME}/{orgid}/"}}}}"#
        );
        site.oracle("door.py", &["item", &item]);
        let login = Login::new(&format!("old.{orgid}"), "secret");
        for (region, port) in site.ports() {
            assert!(site.admits(port, &login), "{scheme}, {region}");
        }
        assert!(!site.admits(site.port(WEST), &Login::new(&login.username, "Secret")), "{scheme}");
        // The stored string is no password.
        assert!(!site.admits(site.port(WEST), &Login::new(&login.username, stored)), "{scheme}");
        let shown = succeeded("show", &site.users(&["show", "--username", &login.username], ""));
        assert!(shown.contains(scheme) && !shown.contains(stored), "{shown}");
        // It can be looked after like any other.
        succeeded("passwd", &site.users(&["passwd", "--orgid", orgid, "--password-stdin"], "another"));
        assert!(!site.admits(site.port(WEST), &login));
        assert!(site.admits(site.port(WEST), &Login::new(&login.username, "another")));
    }
}

#[test]
fn two_accounts_of_one_name_open_neither() {
    let site = shared();
    let login = site.add(4301, "double", "correct horse");
    assert!(site.admits(site.port(WEST), &login));
    let item = r#"{"orgid": {"N": "4302"}, "username": {"S": "double"}, "HomeDirectory": {"S": "/pl-pt99-5-uploads/4302"},
        "password": {"S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="}}"#;
    site.oracle("door.py", &["item", item]);
    assert!(!site.admits(site.port(WEST), &login));
    assert!(!site.admits(site.port(WEST), &Login::new("double", "secret")));
    let (_, said) = site.test_login(&login);
    assert!(said.contains("two accounts have this name"), "{said}");
    let output = site.users(&["passwd", "--username", "double", "--password-stdin"], "x");
    assert!(!output.status.success() && shown(&output).contains("4301, 4302"), "{}", shown(&output));
    succeeded("remove one", &site.users(&["remove", "--orgid", "4302", "--yes"], ""));
    assert!(site.admits(site.port(WEST), &login));
}

#[test]
fn a_disabled_account_shuts_the_door_and_ends_no_session() {
    let site = shared();
    let login = site.add(4401, "leaver", "correct horse");
    let port = site.port(WEST);
    let mut open = site.paramiko(port, &login);
    open.args(["stays", "late.txt"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut open = Running(open.spawn().unwrap());
    let mut lines = BufReader::new(open.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "open");
    succeeded("disable", &site.users(&["disable", "--username", "leaver"], ""));
    assert!(!site.admits(port, &login));
    let (_, said) = site.test_login(&login);
    assert!(said.contains("the account is disabled"), "{said}");
    open.0.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "wrote");
    succeeded("enable", &site.users(&["enable", "--username", "leaver"], ""));
    assert!(site.admits(port, &login));
}

#[test]
fn addresses_are_admitted_by_range() {
    let site = shared();
    let add = |orgid: &str, name: &str, ranges: &[&str]| {
        let mut which = vec!["add", "--orgid", orgid, "--username", name, "--cluster", "99-5", "--password-stdin"];
        which.extend(ranges.iter().flat_map(|range| ["--allow-cidr", range]));
        site.users(&which, "correct horse")
    };
    succeeded("near", &add("4501", "near", &["127.0.0.0/8", "2001:db8::/32"]));
    succeeded("far", &add("4502", "far", &["192.0.2.0/24"]));
    assert!(!add("4503", "nowhere", &["192.0.2.0/33"]).status.success());
    let login = |name: &str| Login::new(name, "correct horse");
    assert!(site.admits(site.port(WEST), &login("near")));
    assert!(!site.admits(site.port(WEST), &login("far")));
    for (name, source, status) in [
        ("near", "2001:db8::7", 200),
        ("near", "192.0.2.1", 403),
        ("far", "192.0.2.255", 200),
        ("far", "192.0.3.0", 403),
        ("far", "2001:db8::7", 403),
    ] {
        let mut command = site.oracle_command("door.py");
        let output = command.args(["test", WEST, name, source]).env("SFTP_PASSWORD", "correct horse").output().unwrap();
        let answer: Value = serde_json::from_str(&succeeded(name, &output)).unwrap();
        assert_eq!(answer["StatusCode"], status, "{name} {source}");
        let mut fields: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, ["Message", "Response", "StatusCode", "Url"]);
        let url = answer["Url"].as_str().unwrap();
        let query = format!("protocol=SFTP&sourceIp={}", source.replace(':', "%3A"));
        assert!(url.contains(&format!("/users/{name}/config?{query}")), "{url}");
        let body: Value = serde_json::from_str(answer["Response"].as_str().unwrap()).unwrap();
        assert_eq!(body.get("Role").is_some(), status == 200, "{body}");
        assert_eq!(answer["Message"].as_str().unwrap().is_empty(), status == 200, "{answer}");
    }
    let (_, said) = site.test_login(&login("far"));
    assert!(said.contains("the account does not admit the address 127.0.0.1"), "{said}");
}

#[test]
fn homes_with_spaces_and_letters_of_the_world() {
    let site = shared();
    let folder = "Žluťoučký kůň & co/in box";
    let home = format!("{HOME}/{folder}");
    let which = ["add", "--orgid", "4601", "--username", "worldly", "--home", &home, "--password-stdin"];
    succeeded("add", &site.users(&which, "correct horse"));
    let login = Login::new("worldly", "correct horse");
    std::fs::write(site.dir.path().join("naïve file.txt"), "content").unwrap();
    let batch = "pwd\nput \"naïve file.txt\"\nls -1\n";
    let output = succeeded("batch", &site.sftp(site.port("us-east-2"), &login, batch));
    assert!(
        output.contains(&format!("Remote working directory: {home}")) && output.contains("naïve file.txt"),
        "{output}"
    );
    let object = site.oracle("door.py", &["object", "pl-pt99-5-uploads", &format!("{folder}/naïve file.txt")]);
    assert!(object.starts_with("7 "), "{object}");
    for outside in ["ls ..", "put \"naïve file.txt\" \"../in box2\"", "put \"naïve file.txt\" ../x"] {
        let output = site.sftp(site.port(WEST), &login, &format!("{outside}\n"));
        assert_eq!(output.status.code(), Some(1), "{outside}: {}", shown(&output));
    }
    let which = ["add", "--orgid", "4602", "--username", "astray", "--home", "/other-bucket/x", "--password-stdin"];
    assert!(shown(&site.users(&which, "x")).contains("belongs to no cluster"));
}

#[test]
fn accounts_are_listed_shown_and_given_passwords() {
    let site = Site::deployed("");
    for number in 1..=3 {
        site.add(number, &format!("user.{number}"), "correct horse");
    }
    let list = |form: &str| succeeded(form, &site.users(&["list", "--output", form], ""));
    let rows: Vec<Value> = list("json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut names: Vec<_> = rows.iter().map(|row| row["username"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["user.1", "user.2", "user.3"]);
    let csv = list("csv");
    assert_eq!(csv.lines().next(), Some("orgid,username,status,password,home,allowed,keys,created,updated"));
    assert!(csv.contains(&format!("\n2,user.2,active,argon2id,{HOME}/2,,0,20")), "{csv}");
    assert!(!(csv + &list("json")).contains("$argon2"), "a hash is shown");
    let which = ["list", "--cluster", "99-0", "--output", "json"];
    assert_eq!(succeeded("cluster", &site.users(&which, "")), "");

    // A generated password is the only thing on standard output.
    let which = ["passwd", "--username", "user.1", "--generate-password"];
    let generated = succeeded("generate", &site.users(&which, ""));
    let login = Login::new("user.1", generated.trim_end());
    assert!(login.password.len() >= 20 && site.admits(site.port(WEST), &login), "{}", login.password.len());
    assert!(!site.admits(site.port(WEST), &Login::new("user.1", "correct horse")));
    let hash = stored(&site, "1")["password"]["S"].as_str().unwrap().to_owned();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    for bad in ["", "\n", "a\tb\n"] {
        let output = site.users(&["passwd", "--username", "user.2", "--password-stdin"], bad);
        assert!(!output.status.success(), "{bad:?}");
    }
    assert!(!site.users(&["show", "--username", "nobody"], "").status.success());
    let refused = site.users(&["remove", "--username", "user.3"], "");
    assert_eq!(refused.status.code(), Some(3), "{}", shown(&refused));

    // What a customer is told fits what ssh-keyscan sees.
    let told = site.ok(&["connect-info", "--env", "99", "--local", "--username", "user.1", "--output", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    for endpoint in told["endpoints"].as_array().unwrap() {
        let port = endpoint["port"].to_string();
        let seen = super::host_keys::presented(port.parse().unwrap());
        for key in endpoint["hostKeys"].as_array().unwrap() {
            assert!(seen.contains(key["fingerprint"].as_str().unwrap()), "{key} {seen}");
        }
    }
    let told = site.ok(&["connect-info", "--env", "99", "--local", "--username", "user.1"]);
    for line in ["OpenSSH    sftp -P", "WinSCP     winscp.exe sftp://user.1@127.0.0.1:", "SFTP only"] {
        assert!(told.contains(line), "{told}");
    }

    // Each decision is one line of JSON in the function's log, without a secret.
    let (_, _) = site.test_login(&Login::new("user.2", "hunter2-wrong"));
    let log = site.oracle("door.py", &["log", WEST]);
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let reasons: Vec<_> = lines.iter().map(|line| line["reason"].as_str().unwrap_or_default()).collect();
    assert!(reasons.contains(&"password") && reasons.contains(&"wrong-password"), "{log}");
    for line in &lines {
        let mut fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["level", "outcome", "reason", "server", "source", "username"], "{line}");
    }
    let all = log + &site.logs();
    for secret in ["hunter2-wrong", "correct horse", &login.password, "$argon2", &hash, "s3:prefix"] {
        assert!(!all.contains(secret), "{secret} is in a log");
    }
}

#[test]
fn keys_open_and_a_logical_home_hides_the_bucket() {
    let site = Site::deployed("server: { authentication: PUBLIC_KEY_OR_PASSWORD }\nauthorizer: { home: logical }\n");
    let port = site.port(WEST);
    for name in ["mine", "other"] {
        let file = site.dir.path().join(name);
        let made =
            tool("ssh-keygen", "openssh-client").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).output();
        succeeded(name, &made.unwrap());
    }
    let public = site.dir.path().join("mine.pub");
    let which = ["add", "--orgid", "1", "--username", "keyed", "--cluster", "99-5", "--public-key"];
    succeeded("key", &site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), ""));
    let which = ["add", "--orgid", "2", "--username", "both", "--cluster", "99-5", "--password-stdin", "--public-key"];
    succeeded("both", &site.users(&[&which[..], &[public.to_str().unwrap()]].concat(), "correct horse"));
    let by_key = |name: &str, key: &str| {
        let output = site.paramiko(port, &Login::new(name, "")).arg("log-in").env("SFTP_KEY", key).output().unwrap();
        succeeded(name, &output)
    };
    for name in ["keyed", "both"] {
        assert_eq!(by_key(name, "mine").trim(), "admitted", "{name}");
        assert!(by_key(name, "other").starts_with("refused"), "{name}");
    }
    assert!(by_key("nobody", "mine").starts_with("refused"));
    let both = Login::new("both", "correct horse");
    assert!(site.admits(port, &both));
    assert!(!site.admits(port, &Login::new("keyed", "correct horse")));

    std::fs::write(site.dir.path().join("f"), "logical").unwrap();
    let output = succeeded("logical", &site.sftp(port, &both, "pwd\nput f\nls /\nget /f g\nls ..\n"));
    assert!(output.contains("Remote working directory: /\n") && !output.contains("pl-pt99"), "{output}");
    assert!(site.oracle("door.py", &["object", "pl-pt99-5-uploads", "2/f"]).starts_with("7 "));
    for outside in ["ls /pl-pt99-5-uploads", "get /pl-pt99-5-uploads/1/x", "get ../../1/x"] {
        assert_eq!(site.sftp(port, &both, &format!("{outside}\n")).status.code(), Some(1), "{outside}");
    }
    let (good, said) = site.test_login(&both);
    assert!(good, "{said}");
}
