//! Which clients customers use: real ones, and those that a security policy shuts out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::{Value, json};

use crate::site::{Site, shown, succeeded, until, with_input};

const WEST: &str = "us-west-2";
const EAST: &str = "us-east-2";

fn clients(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let said = site.ok(&[&["clients", "--env", "99", "--local", "--output", "json"], arguments].concat());
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], schema: &str) -> Vec<&'a Value> {
    let schema = format!("sftpctl/{schema}/1");
    lines.iter().filter(|line| line["schema"] == schema).collect()
}

/// What the summary says of a policy.
fn policy<'a>(end: &'a Value, name: &str) -> &'a Value {
    let name = format!("TransferSecurityPolicy-{name}");
    end["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name).unwrap()
}

#[test]
fn clients_are_counted_and_those_without_a_common_algorithm_too() {
    let site = Site::deployed("");
    let (jan, els) = (site.add(17578, "jan", "Fake-Password-1"), site.add(17579, "els", "Fake-Password-1"));
    for (port, login) in [(site.port(WEST), &jan), (site.port(EAST), &jan), (site.port(EAST), &els)] {
        succeeded("a session", &site.sftp(port, login, "pwd\n"));
    }
    // As an old client would.
    let port = site.port(WEST).to_string();
    let mut old = site.openssh("sftp", &jan);
    let options = ["-o", "KexAlgorithms=diffie-hellman-group14-sha256,diffie-hellman-group14-sha1", "-b", "-", "-P"];
    let old = with_input(old.args(options).args([&port, "jan@127.0.0.1"]), b"pwd\n");
    assert!(!old.status.success(), "{}", shown(&old));

    let lines = until("the lines of the logs", || {
        let lines = clients(&site, &[]);
        let end = lines.last().unwrap();
        (end["logIns"] == 3 && end["mismatches"] == 1).then_some(lines)
    });
    let end = lines.last().unwrap();
    assert_eq!((&end["schema"], &end["unread"]), (&json!("sftpctl/clients/1"), &json!([])));
    let seen = of(&lines, "client");
    assert_eq!(seen.len(), 1, "{seen:?}");
    let seen = seen[0];
    assert_eq!((&seen["program"], &seen["customers"], &seen["logIns"]), (&json!("OpenSSH"), &json!(2), &json!(3)));
    assert_eq!(seen["users"], json!(["els", "jan"]));
    assert!(seen["agreed"][0]["kex"].as_str().is_some_and(|kex| !kex.is_empty()), "{seen}");
    assert!(seen["policies"].as_array().unwrap().iter().all(|policy| policy["verdict"] == "fits"), "{seen}");
    let refused = of(&lines, "client-mismatch");
    let [refused] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((&refused["part"], &refused["connections"]), (&json!("key-exchange"), &json!(1)));
    assert_eq!(refused["offered"], json!(["diffie-hellman-group14-sha256", "diffie-hellman-group14-sha1"]));
    // All come from one address here.
    assert_eq!((&refused["sources"], &refused["users"]), (&json!(["127.0.0.1"]), &json!(["els", "jan"])));
    let accepted = refused["acceptedBy"].as_array().unwrap();
    assert!(accepted.contains(&json!("TransferSecurityPolicy-2020-06")), "{refused}");
    assert!(!accepted.contains(&json!("TransferSecurityPolicy-2025-03")), "{refused}");
    assert_eq!(policy(end, "2025-03")["connectionsRefused"], 1);
    let older = policy(end, "2020-06");
    assert_eq!((&older["connectionsRefused"], &older["customersShutOut"]), (&json!(0), &json!(0)));

    // Of one user, and of one region.
    assert_eq!(clients(&site, &["--user", "els"]).last().unwrap()["logIns"], 1);
    assert_eq!(clients(&site, &["--region", WEST]).last().unwrap()["logIns"], 1);
    let said = site.ok(&["clients", "--env", "99", "--local"]);
    assert!(
        said.contains("2025-03 (now)") && said.contains("1 connection without a common key exchange method"),
        "{said}"
    );

    // A region without its log group is named, and the others are counted.
    site.oracle("logs.py", &["remove", EAST, "/aws/vendedlogs/transfer/99-upload-us-east-2"]);
    let said = site.ends_with(6, &["clients", "--env", "99", "--local"]);
    assert!(said.contains("not read: us-east-2") && said.contains("1 log-in"), "{said}");
}

/// The table says of the installed curl what the endpoint does to it.
#[test]
fn installed_curl_is_shut_out_if_the_table_says_so() {
    let version = shown(&Command::new("curl").arg("--version").output().unwrap());
    let library = version.split_whitespace().find(|word| word.starts_with("libssh"));
    let mut parts = library.unwrap_or_else(|| panic!("curl has no SFTP: {version}")).split('/');
    let (program, library) = (parts.next().unwrap(), parts.next().unwrap());
    for name in ["2025-03", "2020-06"] {
        let site = Site::deployed(&format!("server: {{ security_policy: TransferSecurityPolicy-{name} }}\n"));
        site.add(17578, "jan", "Fake-Password-1");
        let url = format!("sftp://127.0.0.1:{}/pl-pt99-5-uploads/17578/", site.port(WEST));
        let output = Command::new("curl").args(["-sS", "-k", "-u", "jan:Fake-Password-1", &url]).output().unwrap();
        let lines = until("the line of the log", || {
            let lines = clients(&site, &[]);
            let end = lines.last().unwrap();
            (end["logIns"].as_u64().unwrap() + end["mismatches"].as_u64().unwrap() > 0).then_some(lines)
        });
        let tables = clients(&site, &["--policies"]);
        let mut known = of(&tables, "known-client").into_iter().filter(|line| line["program"] == program);
        let numbers = |text: &str| text.split('.').map(|part| part.parse::<u64>().unwrap()).collect::<Vec<_>>();
        let known = known.rfind(|line| numbers(line["from"].as_str().unwrap()) <= numbers(library)).unwrap();
        let shut = known["shutOutBy"].as_array().unwrap().iter();
        let whole = format!("TransferSecurityPolicy-{name}");
        let expected = shut.into_iter().any(|policy| policy["policy"] == whole.as_str());
        assert_eq!(output.status.success(), !expected, "{name}, {program} {library}: {}", shown(&output));
        let (seen, refused) = (of(&lines, "client"), of(&lines, "client-mismatch"));
        if expected {
            let who = refused[0]["clients"][0].as_str().unwrap();
            assert!(seen.is_empty() && who.starts_with(program), "{refused:?}");
        } else {
            assert_eq!((&seen[0]["program"], &seen[0]["version"]), (&json!(program), &json!(library)));
        }
    }
}
