//! The reader on a dump with every kind of hash, and on a large one.

use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::source::Value;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 20_454 * 86_400_000;
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMMbwWCOn+cADmvSe2y6J0HXiKmBuTQDeLleWW7wc7/D";

fn read(source: &mut SftpGo) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut records = Vec::new();
    loop {
        let batch = runtime.block_on(source.next()).unwrap();
        if batch.is_empty() {
            return records;
        }
        records.extend(batch);
    }
}

fn column(record: &Record, name: &str) -> String {
    match &record.values[COLUMNS.iter().position(|column| *column == name).unwrap()] {
        Value::Null => String::new(),
        Value::Text(text) | Value::Missing(text) => text.clone(),
        Value::Texts(texts) => texts.join(" "),
    }
}

/// The records of a dump with these users and groups, and the remarks on it.
fn of(users: &str, groups: &str, drops_restrictions: bool) -> (Vec<Record>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.json");
    fs::write(&path, format!("{{\"users\":[{users}],\"groups\":{groups},\"version\":17}}")).unwrap();
    let mut source = SftpGo::open_at(&path, Options { drops_restrictions }, NOW).unwrap();
    (read(&mut source), source.remarks())
}

/// The record of a user with a password, a home and these members.
fn one(members: &str) -> Record {
    of(&user(members), "[]", false).0.remove(0)
}

fn user(members: &str) -> String {
    format!(
        "{{\"username\":\"jan\",\"status\":1,\"password\":\"$2a$10$x\",\"home_dir\":\"/srv/17501\",\"uid\":0{members}}}"
    )
}

fn why(record: &Record) -> &str {
    record.refusal.as_ref().map_or("", |refused| &refused.why)
}

#[test]
fn a_dump_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sftpgo/dump.json");
    let mut source = SftpGo::open_at(&path, Options::default(), NOW).unwrap();
    assert_eq!(source.expected(), Some(17));
    let records = read(&mut source);
    let starts = [
        "$argon2id$",
        "$2a$10$",
        "$2b$05$",
        "$pbkdf2-sha1$150000$",
        "$pbkdf2-sha256$150000$",
        "$pbkdf2-sha512$150000$",
        "$pbkdf2-b64salt-sha256$150000$",
        "$1$",
        "$apr1$",
        "$5$",
        "$6$",
        "$y$",
        "{MD5}",
        "{SHA256}",
        "{SHA512}",
    ];
    for (index, start) in starts.iter().enumerate() {
        let record = &records[index];
        assert!(column(record, "password").starts_with(start), "{start}");
        assert_eq!((column(record, "status").as_str(), &record.refusal), ("active", &None), "{start}");
        assert_eq!(column(record, "orgid"), (17_601 + index).to_string());
        assert!(record.remarks.is_empty(), "{:?}", record.remarks);
    }
    // With a primary and a secondary group.
    let grouped = &records[15];
    assert_eq!(column(grouped, "home"), "s3://clusters-data/customers/grouped");
    assert_eq!(column(grouped, "allowed"), "198.51.100.7/32 192.0.2.0/24");
    assert_eq!(column(grouped, "expires"), "2033-05-18T03:33:20Z");
    assert_eq!(column(grouped, "groups"), "main extra watchers");
    assert!(column(&records[16], "keys").starts_with("ecdsa-sha2-nistp256 AAAA"));
    let remarks = source.remarks().join("\n");
    assert!(
        remarks.contains("files in S3 1, key not usable 1, permissions 1, quota 1, virtual folders 1"),
        "{remarks}"
    );
    let said: Vec<_> = records.iter().map(|record| format!("{:?}{:?}", record.remarks, record.refusal)).collect();
    assert!(!said.join("").contains('$'));
}

#[test]
fn restrictions_that_would_be_lost_refuse_the_user() {
    for (members, reason) in [
        (",\"filters\":{\"denied_ip\":[\"192.0.2.0/24\"]}", "allowed addresses only"),
        (",\"filters\":{\"totp_config\":{\"enabled\":true,\"protocols\":[\"SSH\"]}}", "second factor"),
        (",\"filters\":{\"two_factor_protocols\":[\"HTTP\",\"SSH\"]}", "second factor"),
        (",\"filters\":{\"require_password_change\":true}", "must be changed"),
        (",\"filters\":{\"password_expiration\":30},\"last_password_change\":1", "must be changed"),
        (
            ",\"filters\":{\"access_time\":[{\"day_of_week\":1,\"from\":\"08:00\",\"to\":\"18:00\"}]}",
            "at some times only",
        ),
        (
            ",\"filters\":{\"denied_login_methods\":[\"publickey\",\"password\",\"keyboard-interactive\"]}",
            "and then a password",
        ),
    ] {
        assert!(why(&one(members)).contains(reason), "{members}: {}", why(&one(members)));
        let (records, remarks) = of(&user(members), "[]", true);
        assert_eq!((records[0].refusal.as_ref(), records[0].remarks.len()), (None, 1), "{members}");
        assert!(records[0].remarks[0].why.ends_with("dropped, as asked for"), "{members}");
        assert!(remarks.last().unwrap().contains(" 1"), "{remarks:?}");
        assert_eq!(column(&records[0], "password"), "$2a$10$x");
    }
    // None of these restricts SFTP.
    for members in [
        ",\"filters\":{\"denied_ip\":[\"0.0.0.0/0\"],\"allowed_ip\":[\"192.0.2.0/24\"]}",
        ",\"filters\":{\"totp_config\":{\"enabled\":true,\"protocols\":[\"HTTP\"]}}",
        ",\"filters\":{\"password_expiration\":30},\"last_password_change\":1767000000000",
        ",\"filters\":{\"denied_login_methods\":[\"TLSCertificate\",\"publickey\"],\"denied_protocols\":[\"FTP\"]}",
    ] {
        assert_eq!(one(members).refusal, None, "{members}");
    }
}

#[test]
fn users_who_are_not_customers_are_always_refused() {
    for (members, reason) in [
        (",\"filters\":{\"denied_protocols\":[\"SSH\"]}", "not a customer of SFTP"),
        (",\"filters\":{\"is_anonymous\":true}", "any password admits"),
        (",\"groups\":[{\"name\":\"gone\",\"type\":1}]", "does not have this group"),
        (",\"password\":\"\",\"has_password\":true", "not in the file"),
        (",\"password\":\"\"", "nobody can log in"),
        (",\"filters\":{\"denied_login_methods\":[\"password\",\"keyboard-interactive\"]}", "nobody can log in"),
    ] {
        let members = members.replace(",\"password\":\"\"", "");
        let text = user(&members);
        let text = if reason == "not in the file" || reason == "nobody can log in" && !members.contains("denied") {
            text.replace("$2a$10$x", "")
        } else {
            text
        };
        let (records, _) = of(&text, "[]", true);
        assert!(why(&records[0]).contains(reason), "{reason}: {}", why(&records[0]));
    }
    assert_eq!(one(",\"groups\":[{\"name\":\"gone\",\"type\":3}]").refusal, None);
}

#[test]
fn methods_and_keys_are_those_that_sftpgo_admits() {
    let keys = format!(",\"public_keys\":[\"from=\\\"192.0.2.1\\\" {KEY} jan\",\"\"]");
    let record = one(&keys);
    assert_eq!((column(&record, "keys").as_str(), column(&record, "allowed").as_str()), (KEY, ""));
    let without = |methods: &str| {
        let record = one(&format!("{keys},\"filters\":{{\"denied_login_methods\":[{methods}]}}"));
        (!column(&record, "password").is_empty(), !column(&record, "keys").is_empty())
    };
    assert_eq!(without("\"password\",\"keyboard-interactive\""), (false, true));
    assert_eq!(without("\"password-over-SSH\",\"keyboard-interactive\""), (false, true));
    assert_eq!(without("\"password\""), (true, true));
    assert_eq!(without("\"publickey\""), (true, false));
}

#[test]
fn ends_and_ranges_are_in_our_form() {
    let record =
        one(",\"expiration_date\":1735689600000,\"filters\":{\"allowed_ip\":[\"192.0.2.7/24\",\"2001:db8::/32\"]}");
    assert_eq!(
        (column(&record, "expires").as_str(), column(&record, "status").as_str()),
        ("2025-01-01T00:00:00Z", "disabled")
    );
    assert_eq!(column(&record, "allowed"), "192.0.2.0/24 2001:db8::/32");
    assert_eq!(record.remarks.len(), 2);
    let record = of("{\"username\":\"jan\",\"password\":\"$6$a$b\",\"permissions\":null}", "null", false).0.remove(0);
    assert_eq!(column(&record, "status"), "disabled");
}

#[test]
fn faults_name_the_file_and_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.json");
    for (text, expected) in [
        ("{\"users\":[\n{\"username\":1}]}", "dump.json, line 2: a value is not of the type that SFTPGo writes"),
        ("{\"users\":[", "dump.json, line 1: it ends too early"),
        ("{\"folders\":[]}", "dump.json has no users"),
        ("username,password", "dump.json, line 1: it is not a JSON object"),
    ] {
        fs::write(&path, text).unwrap();
        // The first reading counts the users, and the second one has their types.
        let error = match SftpGo::open(&path, Options::default()) {
            Err(error) => error,
            Ok(mut source) => {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(source.next()).unwrap_err()
            }
        };
        assert!(error.message.contains(expected) && error.is_usage, "{error}");
    }
    fs::write(&path, "{\"users\":null,\"version\":99}").unwrap();
    let mut source = SftpGo::open(&path, Options::default()).unwrap();
    assert_eq!((source.expected(), read(&mut source).len()), (Some(0), 0));
    assert!(source.remarks().iter().any(|remark| remark.contains("version")));
}

#[test]
fn a_large_dump_is_never_in_memory_as_a_whole() {
    let mut users = String::new();
    for number in 0..20_000 {
        let comma = if number == 0 { "" } else { ",\n" };
        write!(
            users,
            "{comma}{{\"username\":\"c{number}\",\"status\":1,\"password\":\"$6$s$h\",\"home_dir\":\"/{number}\",\
             \"description\":\"{}\"}}",
            "x".repeat(500)
        )
        .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.json");
    fs::write(&path, format!("{{\"users\":[{users}],\"version\":17}}")).unwrap();
    let mut source = SftpGo::open(&path, Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let first = runtime.block_on(source.next()).unwrap();
    assert_eq!((first.len(), first[999].place.as_str()), (BATCH, "users[999], line 1000"));
    assert_eq!(read(&mut source).len(), 20_000 - BATCH);
}
