//! The contract for the application that creates organisations: its worked call, its schema, and a customer who logs
//! in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::Command;

use sftp_authorizer::Attribute;
use sftp_authorizer::password::Verdict;

use crate::blocks;
use crate::site::{Login, Site, shown, succeeded, with_input};
use sftpctl_testkit::programs::{installed, root};

/// Runs the example of docs/provisioning.md for a customer of cluster 99-0.
fn provision(site: &Site, org_id: &str, username: &str, password: &str) -> (bool, String) {
    let mut command = Command::new(installed("moto/bin/python"));
    command
        .arg(root().join("docs/examples/provision.py"))
        .args(["dydb-99-uploads", "pl-pt99-0-uploads", org_id, username])
        .env("AWS_ENDPOINT_URL", site.endpoint())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", site.secret())
        .env("AWS_DEFAULT_REGION", "us-west-2");
    let output = with_input(&mut command, password.as_bytes());
    (output.status.success(), shown(&output))
}

/// The code of the worked call on the page, by its language: the last block of it.
fn worked(language: &str) -> String {
    blocks::of_kind("docs/provisioning.md", language).pop().unwrap()
}

/// Whether a program runs; says so on stderr if not. None of these is needed to build or to use sftpctl.
fn runs(program: &str, version: &str) -> bool {
    let found = Command::new(program).arg(version).output().is_ok_and(|output| output.status.success());
    if !found {
        let _ = writeln!(std::io::stderr(), "skipped: `{program} {version}` does not run here");
    }
    found
}

/// Runs the AWS CLI's example of the page for a customer of cluster 99-0.
fn provision_with_cli(site: &Site, org_id: &str, username: &str, password: &str) -> (bool, String) {
    let code = worked("sh");
    let (first, rest) = code.split_once('\n').unwrap();
    assert!(first.starts_with("org=17578 name=jan table="), "{first}");
    let first = first.replace("org=17578 name=jan", &format!("org={org_id} name={username}"));
    std::fs::write(site.dir.path().join("password-file"), format!("{password}\n")).unwrap();
    let output = Command::new("bash")
        .args(["-e", "-u", "-c", &format!("{first}\n{rest}")])
        .current_dir(site.dir.path())
        .env("AWS_ENDPOINT_URL", site.endpoint())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", site.secret())
        .env("AWS_DEFAULT_REGION", "us-west-2")
        .output()
        .unwrap();
    (output.status.success(), shown(&output))
}

#[test]
fn worked_call_makes_an_account_that_the_program_takes_for_its_own() {
    let site = Site::deployed("");
    let (added, said) = provision(&site, "17578", "jan", "Fake-Password-1\n");
    assert!(added, "{said}");
    let port = site.port("us-west-2");
    assert!(site.admits(port, &Login::new("jan", "Fake-Password-1")));
    assert!(!site.admits(port, &Login::new("jan", "another")));

    // Names that nobody can log in with, by the program's own rules.
    for name in ["admin", "Root", "ja", "-jan", "jan novak"] {
        let (added, said) = provision(&site, "17580", name, "Fake-Password-2\n");
        assert!(!added && said.contains("the user name "), "{name}: {said}");
    }
    for org_id in ["0", "-7", "017578", "1.5", "1e3", "9223372036854775808"] {
        let (added, said) = provision(&site, org_id, "piet", "Fake-Password-2\n");
        assert!(!added && said.contains("the organisation "), "{org_id}: {said}");
    }
    let (added, said) = provision(&site, "17580", "piet", "\r\n");
    assert!(!added && said.contains("the password is empty"), "{said}");
    let example = std::fs::read_to_string(root().join("docs/examples/provision.py")).unwrap();
    let (_, list) = example.split_once("BLOCKED = \"\"\"").unwrap();
    let listed: Vec<&str> = list.split("\"\"\"").next().unwrap().split_whitespace().collect();
    let file = std::fs::read_to_string(root().join("environments/99.yaml")).unwrap();
    assert_eq!(listed, sftpctl_core::spec::load(&file, "99.yaml").unwrap().authorizer.block_list);

    // Neither the example nor `users add` gives name or organisation away a second time.
    for (org_id, username, taken) in [("17579", "jan", "the user name jan"), ("17578", "piet", "the organisation")] {
        let (added, said) = provision(&site, org_id, username, "Fake-Password-2\n");
        assert!(!added && said.contains(taken), "{said}");
    }
    let own = site.users(
        &["add", "--orgid", "17579", "--username", "jan", "--cluster", "99-0", "--password-stdin"],
        "Fake-Password-2",
    );
    assert_eq!(own.status.code(), Some(3), "{}", shown(&own));

    // A reservation that is left behind, of this organisation or of another one, is taken over.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (reserved_by, org_id, username) in [("20001", "20001", "own.name"), ("20002", "20003", "other.name")] {
        let key = sftpctl_accounts::rules::reservation(username).to_string();
        let number = |digits: &str| Attribute::Number(digits.to_owned());
        let item = sftp_authorizer::Item::from([
            ("orgid".to_owned(), number(&key)),
            ("reserves".to_owned(), Attribute::Text(username.to_owned())),
            ("reservedBy".to_owned(), number(reserved_by)),
        ]);
        runtime.block_on(async {
            let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
            let put = sftpctl_aws::Write::Put { item, condition: None, values: Vec::new() };
            home.write_items("dydb-99-uploads", &[put]).await.unwrap();
        });
        let (added, said) = provision(&site, org_id, username, "Fake-Password-3\n");
        assert!(added, "{username}: {said}");
        assert!(site.admits(port, &Login::new(username, "Fake-Password-3")));
    }

    // Its reservation is where the program has it, and nothing is wrong with the account.
    let audit = site.ok(&["users", "audit", "--env", "99", "--local"]);
    assert!(audit.contains("3 accounts"), "{audit}");

    if runs("aws", "--version") {
        let (added, said) = provision_with_cli(&site, "17580", "klaas", "Fake-Password-3");
        assert!(added, "{said}");
        assert!(site.admits(port, &Login::new("klaas", "Fake-Password-3")));
        assert!(!site.admits(port, &Login::new("klaas", "another")));
        for (org_id, username) in [("17581", "klaas"), ("17580", "kees")] {
            let (added, said) = provision_with_cli(&site, org_id, username, "Fake-Password-4");
            assert!(!added && said.contains("ConditionalCheckFailed"), "{said}");
        }
    }
    let item = runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        let key = [("orgid".to_owned(), Attribute::Number("17578".into()))].into();
        home.item("dydb-99-uploads", &key).await.unwrap().unwrap()
    });
    // In DynamoDB's JSON, as the schema describes it.
    let members = item.iter().map(|(name, value)| {
        let value = match value {
            Attribute::Text(text) => serde_json::json!({ "S": text }),
            Attribute::Number(digits) => serde_json::json!({ "N": digits }),
            other => panic!("{name}: {other:?}"),
        };
        (name.clone(), value)
    });
    let item = serde_json::Value::Object(members.collect());
    let schema = root().join("docs/account.schema.json");
    let fits = |item: &serde_json::Value| {
        let path = site.dir.path().join("item.json");
        std::fs::write(&path, item.to_string()).unwrap();
        let output =
            Command::new(installed("tools/bin/check-jsonschema")).arg("--schemafile").arg(&schema).arg(&path).output();
        output.unwrap().status.success()
    };
    assert!(fits(&item), "{item}");
    for (name, wrong) in [
        ("orgid", serde_json::json!({ "N": "0" })),
        ("username", serde_json::json!({ "S": "ab" })),
        ("status", serde_json::json!({ "S": "on" })),
        ("HomeDirectory", serde_json::json!({ "S": "17578" })),
        ("regions", serde_json::json!({ "L": [] })),
    ] {
        let mut malformed = item.clone();
        malformed[name] = wrong;
        assert!(!fits(&malformed), "{malformed}");
    }
}

/// The vectors of the page, and the program's own key.
#[test]
fn vectors_of_reservations_are_those_of_the_page() {
    let page = std::fs::read_to_string(root().join("docs/provisioning.md")).unwrap();
    let vectors: Vec<(&str, i64)> = page
        .lines()
        .filter_map(|line| {
            let (name, key) = line.strip_prefix("| `")?.split_once("` | ")?;
            Some((name, key.trim_end_matches(" |").parse().ok()?))
        })
        .collect();
    assert_eq!(vectors.len(), 2, "{vectors:?}");
    for (name, key) in vectors {
        assert_eq!(sftpctl_accounts::rules::reservation(name), key, "{name}");
    }
}

/// What the examples in other languages compute, run where the language is there. Their writes need AWS's SDKs.
#[test]
fn other_languages_compute_the_same_key() {
    let lines = |language: &str, from: usize, count: usize| {
        worked(language).lines().skip(from).take(count).collect::<Vec<_>>().join("\n")
    };
    let dir = tempfile::tempdir().unwrap();
    for name in ["jan", "my1sftp"] {
        let expected = sftpctl_accounts::rules::reservation(name).to_string();
        if runs("java", "-version") {
            let code = format!(
                "import java.nio.ByteBuffer;\nimport java.nio.charset.StandardCharsets;\nimport java.security.MessageDigest;\n\
                 class Key {{ public static void main(String[] arguments) throws Exception {{ String name = arguments[0];\n\
                 {}\nSystem.out.println(key); }} }}\n",
                lines("java", 0, 2)
            );
            let path = dir.path().join("Key.java");
            std::fs::write(&path, code).unwrap();
            let output = Command::new("java").arg(&path).arg(name).output().unwrap();
            assert_eq!(succeeded("java", &output).trim(), expected, "{name}");
        }
        if runs("php", "--version") {
            let code = format!(
                "$name = $argv[1]; $password = 'Fake-Password-1';\n{}\necho \"$hash\\n$key\";",
                lines("php", 0, 3)
            );
            let output = Command::new("php").args(["-r", &code, name]).output().unwrap();
            let said = succeeded("php", &output);
            let (hash, key) = said.split_once('\n').unwrap();
            assert_eq!(key, expected, "{name}");
            assert_eq!(sftp_authorizer::password::verify("Fake-Password-1", hash), Verdict::Right, "{hash}");
        }
    }
}
