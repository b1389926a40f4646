//! `clients` without AWS: the log of an old server, and the tables.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sftpctl_testkit::programs::root;

use crate::site::{shown, text, with_input};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
    command.arg("clients").args(arguments).current_dir(folder);
    // A call to AWS would go to an address where nothing answers.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    command
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", shown(output));
    text(&output.stdout)
}

fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const LOG: &str = "\
Nov 30 10:31:01 old sshd[1]: debug1: Remote protocol version 2.0, remote software version libssh2_1.10.0
Nov 30 10:31:01 old sshd[1]: debug1: kex: algorithm: curve25519-sha256 [preauth]
Nov 30 10:31:02 old sshd[1]: Accepted password for jan from 192.0.2.1 port 5 ssh2
Nov 30 10:32:01 old sshd[2]: debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2
Nov 30 10:32:02 old sshd[2]: Accepted password for els from 192.0.2.2 port 5 ssh2
Nov 30 10:33:02 old sshd[3]: Accepted password for kees from 192.0.2.3 port 5 ssh2
Nov 30 10:34:02 old sshd[4]: Unable to negotiate with 192.0.2.3 port 6: no matching cipher found. Their offer: 3des-cbc
";

#[test]
fn log_of_an_old_server_says_whom_a_policy_would_shut_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secure"), LOG).unwrap();
    let output = command(dir.path(), &["--from-log", "secure"]).output().unwrap();
    let said = ok(&output);
    for words in [
        "libssh2 1.10.0",
        "last Nov 30 10:31:02  jan",
        "shut out by 2025-03, AS2Restricted-2025-07",
        "no common MAC with the first",
        "1 connection without a common cipher, last Nov 30 10:34:02, from 192.0.2.3",
        "kees logs in from the same address",
        "accepted by no security policy",
        "3 log-ins, 1 connection without a common algorithm",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let warned = text(&output.stderr);
    assert!(warned.contains("does not name the client of 1 log-in") && warned.contains("LogLevel DEBUG"), "{warned}");

    // Several files, from a pipe, for the policy of an environment.
    let environment = root().join("environments/99.yaml").display().to_string();
    let arguments = ["--from-log", "-", "--from-log", "secure", "--env-file", &environment, "--output", "json"];
    let lines = lines(&ok(&with_input(&mut command(dir.path(), &arguments), LOG.as_bytes())));
    let end = lines.last().unwrap();
    assert_eq!((&end["schema"], &end["logIns"], &end["unnamed"]), (&"sftpctl/clients/1".into(), &6.into(), &2.into()));
    assert_eq!(end["securityPolicy"], "TransferSecurityPolicy-2025-03");
    let policy = |name: &str| -> &Value {
        let name = format!("TransferSecurityPolicy-{name}");
        end["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name).unwrap()
    };
    // By the table, and by what a customer's address was refused for.
    assert_eq!(policy("2025-03")["customersShutOut"], 2);
    assert_eq!(policy("2025-03")["clientsShutOut"], serde_json::json!(["libssh2 1.10.0"]));
    assert_eq!(policy("2018-11")["customersShutOut"], 1);
    let of_jan = command(dir.path(), &["--from-log", "secure", "--user", "jan"]).output().unwrap();
    assert!(ok(&of_jan).contains("1 log-in, 0 connections"), "{}", shown(&of_jan));
}

#[test]
fn faults_of_the_command_line_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("other"), "a line\n").unwrap();
    std::fs::write(dir.path().join("zipped"), [0x1f, 0x8b, 8, 0]).unwrap();
    for (arguments, words) in [
        (&["--from-log", "missing"][..], "cannot read missing"),
        (&["--from-log", "other"], "there is no line of sshd in it"),
        (&["--from-log", "zipped"], "zcat FILE | sftpctl clients --from-log -"),
        (&[], "--env <NAME>"),
        (&["--policies", "--from-log", "other"], "cannot be used with"),
    ] {
        let output = command(dir.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", shown(&output));
        assert!(shown(&output).contains(words), "{arguments:?}: {}", shown(&output));
    }
}

#[test]
fn tables_are_shown_and_agree_with_the_local_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let said = ok(&command(dir.path(), &["--policies"]).output().unwrap());
    assert!(said.contains("TransferSecurityPolicy-2018-11\n    shuts out libssh before 0.6\n"), "{said}");
    let lines = lines(&ok(&command(dir.path(), &["--policies", "--output", "json"]).output().unwrap()));
    let set = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let of = |schema: &str| -> Vec<&Value> { lines.iter().filter(|line| line["schema"] == schema).collect() };
    let mut shown = BTreeMap::new();
    for policy in of("sftpctl/security-policy/1") {
        let lists = ["kex", "ciphers", "macs"].map(|name| set(&policy[name]));
        shown.insert(policy["name"].as_str().unwrap().to_owned(), (policy["fips"].clone(), lists));
    }
    // Written down apart from this table, from the same page.
    let local = root().join("crates/local-cloud/src/transfer/security_policies.json");
    let local: Value = serde_json::from_slice(&std::fs::read(local).unwrap()).unwrap();
    let mut expected = BTreeMap::new();
    for (name, policy) in local["policies"].as_object().unwrap() {
        let lists = ["SshKexs", "SshCiphers", "SshMacs"].map(|name| set(&policy[name]));
        expected.insert(name.clone(), (policy["Fips"].clone(), lists));
    }
    assert_eq!(shown, expected);
    let known = of("sftpctl/known-client/1");
    assert!(known.len() > 60 && known.iter().all(|client| client["source"].is_string()), "{}", known.len());
}

/// What the installed ssh offers, by its own words: the table is right about its version.
#[test]
fn installed_ssh_offers_what_the_table_says() {
    let dir = tempfile::tempdir().unwrap();
    let version = shown(&Command::new("ssh").arg("-V").output().unwrap());
    let number: f64 = version.split("OpenSSH_").nth(1).unwrap().split('p').next().unwrap().parse().unwrap();
    let all = lines(&ok(&command(dir.path(), &["--policies", "--output", "json"]).output().unwrap()));
    let mut known = all.iter().filter(|line| line["program"] == "OpenSSH");
    let from = |line: &&Value| line["from"].as_str().unwrap().parse::<f64>().unwrap() <= number;
    let known = known.rfind(from).unwrap();
    let output = Command::new("ssh").args(["-G", "-F", "none", "example.com"]).output().unwrap();
    let said = ok(&output);
    let words = [("kexalgorithms", "kex"), ("ciphers", "ciphers"), ("macs", "macs"), ("hostkeyalgorithms", "hostKeys")];
    for (word, list) in words {
        let offered = said.lines().find_map(|line| line.strip_prefix(&format!("{word} "))).unwrap();
        let expected: Vec<&str> = known[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        // A distribution may add some, as Debian 12 has done.
        let offered: Vec<&str> = offered.split(',').filter(|name| expected.contains(name)).collect();
        assert_eq!(offered, expected, "{list} of {number}");
    }
}
