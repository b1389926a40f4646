//! `users harden` and `users export`: customers with the passwords of old servers log in before, during and after.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Output, Stdio};

use serde_json::Value;
use sftp_authorizer::password::{Scheme, legacy};
use sftp_authorizer::{Attribute, Item};

use super::users_import::{batches, faults, imported, spawned, table};
use crate::site::{Login, Site, shown, until};

const WEST: &str = "us-west-2";
const BATCH: &str = "dynamodb.BatchExecuteStatement";

/// `secret`, as old servers store it; made by other programs, as the authorizer's vectors are.
const FORMS: [(&str, &str); 7] = [
    ("sha224", "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="),
    (
        "sha512-crypt",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
    ),
    ("sha256-crypt", "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"),
    ("md5-crypt", "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"),
    ("bcrypt", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
    ("mysql.old", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"),
    ("yescrypt", "$y$j75$5YYsalts......$TpqX1zDT1amjl9GRrjwCBb37GAlOlo6xpOxhAI7EWR5"),
];

/// Saves a source with an account for each password, from organisation 1000 on, and imports it.
fn bring<'a>(site: &Site, passwords: impl Iterator<Item = (&'a str, String)>) {
    let mut csv = "orgid,username,password,cluster\n".to_owned();
    for (number, (name, stored)) in passwords.enumerate() {
        writeln!(csv, "{},{name},{stored},99-5", 1000 + number).unwrap();
    }
    std::fs::write(site.dir.path().join("a.csv"), csv).unwrap();
    imported(site, "csv:a.csv", &[]);
}

fn every_form() -> impl Iterator<Item = (&'static str, String)> {
    FORMS.into_iter().map(|(name, stored)| (name, stored.to_owned()))
}

/// Customers of the old server.
fn bring_many(site: &Site, count: usize) {
    let names: Vec<String> = (0..count).map(|number| format!("customer{number}")).collect();
    bring(site, names.iter().map(|name| (name.as_str(), legacy("secret"))));
}

fn harden<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["users", "harden", "--env", "99", "--local", "--yes", "--output", "json"], more].concat()
}

/// The last line of a run that ends with 0.
fn hardened(site: &Site, more: &[&str]) -> Value {
    result(&site.run(&harden(more)))
}

fn result(output: &Output) -> Value {
    assert!(output.status.success(), "{}", shown(output));
    serde_json::from_str(shown(output).lines().last().unwrap()).unwrap()
}

fn reported(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The form of each account's password.
fn schemes(site: &Site) -> BTreeMap<String, &'static str> {
    let (accounts, _) = table(site);
    accounts
        .into_values()
        .map(|item| (text(&item, "username"), Scheme::of(&text(&item, "password")).unwrap().as_str()))
        .collect()
}

fn count(site: &Site, scheme: &str) -> usize {
    schemes(site).into_values().filter(|found| *found == scheme).count()
}

fn text(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(Attribute::Text(text)) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

fn assert_all_log_in(site: &Site, when: &str) {
    for (name, _) in FORMS {
        assert!(site.admits(site.port(WEST), &Login::new(name, "secret")), "{name} {when}");
    }
    assert!(!site.admits(site.port(WEST), &Login::new("md5-crypt", "Secret")), "{when}");
}

#[test]
fn customers_of_every_form_log_in_before_during_and_after() {
    let site = Site::deployed("");
    bring(&site, every_form());
    assert_all_log_in(&site, "before");

    let tried = hardened(&site, &["--dry-run"]);
    assert_eq!((&tried["strong"]["yescrypt"], tried["toHarden"].as_object().unwrap().len()), (&1.into(), 6), "{tried}");
    assert_eq!(count(&site, "sha224"), 1, "a dry run writes nothing");

    // One account at a time is written, and the third write waits.
    faults(&site, &[&[BATCH, "hold-before", "--skip", "2", "--count", "1"]]);
    let before = batches(&site);
    let run = reported(&site, &harden(&["--cores", "1", "--max-writes-per-second", "1"]));
    until("the third write", || (batches(&site) > before + 2).then_some(()));
    let hardened_now = schemes(&site).into_values().filter(|scheme| scheme.starts_with("argon2id over")).count();
    assert_eq!(hardened_now, 2);
    assert_all_log_in(&site, "during");
    site.ok(&["local", "faults", "clear"]);
    let result = result(&run.wait_with_output().unwrap());
    assert_eq!((&result["written"]["hardened"], &result["written"]["overtaken"]), (&6.into(), &0.into()), "{result}");

    assert_all_log_in(&site, "after");
    for (name, scheme) in schemes(&site) {
        // `mysql` itself is on the block list.
        let form = name.strip_suffix(".old").unwrap_or(&name);
        let expected = if form == "yescrypt" { form.to_owned() } else { format!("argon2id over {form}") };
        assert_eq!(scheme, expected);
    }
    let again = hardened(&site, &[]);
    assert_eq!((again.get("written"), again["strong"].as_object().unwrap().len()), (None, 7), "{again}");
}

/// Without the digests' key it is computed whether each hardened password is over the source's hash.
#[test]
fn a_lost_key_undoes_no_hardening() {
    let site = Site::deployed("");
    bring(&site, every_form());
    hardened(&site, &[]);
    let before = schemes(&site);
    let lose = || std::fs::remove_file(site.cloud().join("state/99.accounts.key")).unwrap();
    lose();
    let tried = imported(&site, "csv:a.csv", &["--dry-run"]);
    assert_eq!((&tried["counts"]["same"], &tried["counts"]["changed"]), (&7.into(), &0.into()), "{tried}");
    assert!(tried["remarks"].to_string().contains("7 accounts were imported with another digest key"), "{tried}");
    let again = imported(&site, "csv:a.csv", &[]);
    // yescrypt stays as it was, and is the same without computing.
    assert_eq!((&again["written"]["renewed"], &again["written"]["changed"]), (&7.into(), &0.into()), "{again}");
    assert_eq!(schemes(&site), before);
    assert_all_log_in(&site, "after the loss");
    let settled = imported(&site, "csv:a.csv", &[]);
    assert_eq!((&settled["counts"]["same"], settled.get("written")), (&7.into(), None), "{settled}");

    // A password that has changed in the source is taken, and no other is touched.
    lose();
    let csv = site.dir.path().join("a.csv");
    let source = std::fs::read_to_string(&csv).unwrap();
    std::fs::write(&csv, source.replace(FORMS[0].1, &legacy("another"))).unwrap();
    let changed = imported(&site, "csv:a.csv", &[]);
    assert_eq!((&changed["written"]["renewed"], &changed["written"]["changed"]), (&6.into(), &1.into()), "{changed}");
    let now = schemes(&site);
    assert_eq!(now["sha224"], "sha224");
    assert!(now.iter().all(|(name, scheme)| name == "sha224" || before[name] == *scheme), "{now:?}");
}

/// A row whose other values have changed does not bring back the password's old form.
#[test]
fn a_changed_row_undoes_no_hardening() {
    let site = Site::deployed("");
    bring(&site, every_form());
    hardened(&site, &[]);
    let before = schemes(&site);
    let csv = site.dir.path().join("a.csv");
    let source = std::fs::read_to_string(&csv).unwrap();
    let note = |line: &str| format!("{line},{}\n", if line.starts_with("orgid") { "note" } else { "moved" });
    std::fs::write(&csv, source.lines().map(note).collect::<String>()).unwrap();
    let changed = imported(&site, "csv:a.csv", &[]);
    assert_eq!(&changed["written"]["changed"], &7, "{changed}");
    assert_eq!(schemes(&site), before);
    assert_all_log_in(&site, "after another note");
}

/// Its hash is computed and its write held while the customer gets another password.
#[test]
fn a_new_password_during_hardening_stays_and_a_note_does_not_prevent_it() {
    let site = Site::deployed("");
    bring_many(&site, 3);
    faults(&site, &[&[BATCH, "hold-before"]]);
    let before = batches(&site);
    let run = reported(&site, &harden(&["--cores", "1"]));
    until("the writes", || (batches(&site) > before).then_some(()));
    let passwd = site.users(&["passwd", "--username", "customer0", "--password-stdin"], "Mine-Password-1");
    assert!(passwd.status.success(), "{}", shown(&passwd));
    let noted = site.users(&["set", "--username", "customer1", "--note", "pays late"], "");
    assert!(noted.status.success(), "{}", shown(&noted));
    site.ok(&["local", "faults", "clear"]);
    let result = result(&run.wait_with_output().unwrap());
    assert_eq!((&result["written"]["hardened"], &result["written"]["overtaken"]), (&2.into(), &1.into()), "{result}");
    let (accounts, _) = table(&site);
    assert_eq!(Scheme::of(&text(&accounts["1000"], "password")).unwrap().as_str(), "argon2id");
    assert_eq!(text(&accounts["1001"], "note"), "pays late");
    assert_ne!(text(&accounts["1001"], "importedAt"), text(&accounts["1001"], "updatedAt"), "somebody has changed it");
    let port = site.port(WEST);
    assert!(site.admits(port, &Login::new("customer0", "Mine-Password-1")));
    assert!(!site.admits(port, &Login::new("customer0", "secret")));
    assert!(site.admits(port, &Login::new("customer1", "secret")));
}

#[test]
fn a_killed_run_is_resumed_and_nothing_is_hardened_twice() {
    let site = Site::deployed("");
    bring_many(&site, 60);
    faults(&site, &[&[BATCH, "hold-after", "--skip", "3", "--count", "1"]]);
    let before = batches(&site);
    let mut run = spawned(&site, &harden(&["--cores", "1"]));
    until("the fourth write", || (batches(&site) > before + 3).then_some(()));
    run.kill().unwrap();
    run.wait().unwrap();
    site.ok(&["local", "faults", "clear"]);
    let first = count(&site, "argon2id over sha224");
    assert!((1..60).contains(&first), "{first}");
    let second = hardened(&site, &[]);
    assert_eq!(second["written"]["hardened"], 60 - first, "{second}");
    assert_eq!(count(&site, "argon2id over sha224"), 60);
    let (accounts, _) = table(&site);
    assert!(accounts.values().all(|item| text(item, "password").starts_with("{sha224}$argon2id$")), "one layer each");
    assert!(site.admits(site.port(WEST), &Login::new("customer59", "secret")));
}

#[test]
fn an_interrupted_run_finishes_its_writes() {
    let site = Site::deployed("");
    bring_many(&site, 60);
    let before = batches(&site);
    let run = reported(&site, &harden(&["--cores", "1", "--max-writes-per-second", "4"]));
    until("a write", || (batches(&site) > before).then_some(()));
    let sent = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", shown(&output));
    let result: Value = serde_json::from_str(shown(&output).lines().last().unwrap()).unwrap();
    let first = count(&site, "argon2id over sha224");
    assert!((1..60).contains(&first), "{first}");
    assert_eq!((&result["written"]["hardened"], &result["written"]["interrupted"]), (&first.into(), &true.into()));
}

#[test]
fn throttled_and_lost_writes_harden_each_password_once() {
    let site = Site::deployed("");
    bring_many(&site, 100);
    faults(
        &site,
        &[&[BATCH, "partly", "--probability", "0.4"], &[BATCH, "reset-after", "--probability", "0.2", "--seed", "1"]],
    );
    let result = hardened(&site, &[]);
    assert_eq!((&result["written"]["hardened"], &result["written"]["overtaken"]), (&100.into(), &0.into()), "{result}");
    assert!(result["written"]["throttled"].as_u64().unwrap() > 0, "{result}");
    site.ok(&["local", "faults", "clear"]);
    let (accounts, _) = table(&site);
    assert!(accounts.values().all(|item| text(item, "password").starts_with("{sha224}$argon2id$")), "one layer each");
}

#[test]
fn parts_and_whole_runs_at_once_harden_each_password_once() {
    let site = Site::deployed("");
    bring_many(&site, 80);
    let parts = ["1/2", "2/2"].map(|part| reported(&site, &harden(&["--cores", "1", "--part", part])));
    let results = parts.map(|run| result(&run.wait_with_output().unwrap()));
    let of = |name: &str| results.iter().map(|result| result["written"][name].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("hardened").iter().sum::<u64>(), of("overtaken")), (80, vec![0, 0]), "disjoint");
    assert!(of("hardened").iter().all(|share| *share > 20), "{results:?}");
    assert!(results.iter().all(|result| result["accounts"].as_u64().unwrap() < 80), "{results:?}");

    // A higher cost, by two runs that do the same accounts.
    let higher = ["--cores", "1", "--memory-kib", "20480"];
    let runs = [(); 2].map(|()| reported(&site, &harden(&higher)));
    let results = runs.map(|run| result(&run.wait_with_output().unwrap()));
    let hardened: u64 = results.iter().filter_map(|result| result["written"]["hardened"].as_u64()).sum();
    assert_eq!(hardened, 80, "{results:?}");
    let (accounts, _) = table(&site);
    assert!(accounts.values().all(|item| text(item, "password").matches("$argon2id$").count() == 2), "one more layer");
    assert!(site.admits(site.port(WEST), &Login::new("customer7", "secret")));
    let wrong = site.ends_with(2, &harden(&["--memory-kib", "8"]));
    assert!(wrong.contains("19456 to 65536 KiB"), "{wrong}");
}

#[test]
fn an_import_after_hardening_finds_the_same_and_writes_what_has_changed() {
    let site = Site::deployed("");
    bring(&site, every_form());
    hardened(&site, &[]);
    let before = table(&site).0;
    let again = imported(&site, "csv:a.csv", &[]);
    assert_eq!((&again["counts"]["same"], again.get("written")), (&7.into(), None), "{again}");
    assert_eq!(table(&site).0, before, "hardening is not undone");
    // The customer has got a new password on the old server.
    let path = site.dir.path().join("a.csv");
    let source = std::fs::read_to_string(&path).unwrap().replace(FORMS[0].1, &legacy("newer secret"));
    std::fs::write(&path, source).unwrap();
    let changed = imported(&site, "csv:a.csv", &[]);
    assert_eq!((&changed["counts"]["same"], &changed["written"]["changed"]), (&6.into(), &1.into()), "{changed}");
    assert_eq!(hardened(&site, &[])["written"]["hardened"], 1);
    assert!(site.admits(site.port(WEST), &Login::new("sha224", "newer secret")));
    assert!(!site.admits(site.port(WEST), &Login::new("sha224", "secret")));
}

#[test]
fn export_is_a_source_again_and_hashes_are_in_private_files_alone() {
    let site = Site::deployed("");
    bring(&site, every_form());
    let export = |more: &[&str]| site.run(&[&["users", "export", "--env", "99", "--local"], more].concat());
    let lines = export(&[]);
    assert!(lines.status.success(), "{}", shown(&lines));
    let exported: Vec<Value> =
        String::from_utf8_lossy(&lines.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported.len(), 7);
    assert!(exported.iter().all(|line| line["schema"] == "sftpctl/export/1" && line.get("password").is_none()));

    // Never on a terminal or a pipe, whatever it is called.
    for more in [
        &["--with-hashes"][..],
        &["--with-hashes", "--out", "/dev/stdout"],
        &["--with-hashes", "--out", "/proc/self/fd/1"],
        &["--format", "shadow"],
    ] {
        let refused = export(more);
        assert_eq!(refused.status.code(), Some(2), "{more:?}: {}", shown(&refused));
        assert!(FORMS.iter().all(|(_, stored)| !shown(&refused).contains(stored)), "{more:?}");
    }
    let mode = |name: &str| site.dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
    let written = export(&["--format", "csv", "--with-hashes", "--out", "all.csv"]);
    assert!(written.status.success() && written.stdout.is_empty(), "{}", shown(&written));
    assert_eq!(mode("all.csv"), 0o600);
    let again = imported(&site, "csv:all.csv", &[]);
    assert_eq!((&again["counts"]["same"], again.get("written")), (&7.into(), None), "{again}");

    // Back to a Unix server: before hardening with the hashes that crypt(3) knows, afterwards with none of them.
    let read = |name: &str| std::fs::read_to_string(site.dir.path().join(name)).unwrap();
    let shadow = export(&["--format", "shadow", "--with-hashes", "--out", "old"]);
    assert!(
        shown(&shadow).contains("2 accounts are locked in shadow") && shown(&shadow).contains("mysql: 1"),
        "{}",
        shown(&shadow)
    );
    assert_eq!((mode("old/shadow"), read("old/passwd").lines().count()), (0o600, 7));
    for (name, stored) in &FORMS[1..5] {
        assert!(read("old/shadow").contains(&format!("{name}:{stored}:")), "{name}");
    }
    assert!(read("old/shadow").contains("mysql.old:!:"), "{}", read("old/shadow"));
    hardened(&site, &[]);
    let shadow = export(&["--format", "shadow", "--with-hashes", "--out", "old"]);
    assert!(shown(&shadow).contains("6 accounts are locked in shadow"), "{}", shown(&shadow));

    // A hardened export is a source, too; a malformed item is named.
    export(&["--format", "csv", "--with-hashes", "--out", "all.csv"]);
    assert_eq!(imported(&site, "csv:all.csv", &[])["counts"]["same"], 7);
    site.oracle("door.py", &["item", r#"{"orgid": {"N": "4601"}, "username": {"S": "broken"}}"#]);
    site.oracle("door.py", &["item", r#"{"orgid": {"N": "4602"}, "note": {"S": "nameless"}}"#]);
    let listed = site.ends_with(1, &["users", "list", "--env", "99", "--local"]);
    assert!(listed.contains("the item of organisation 4602 is malformed"), "{listed}");
    let partly = export(&["--out", "all.jsonl"]);
    assert_eq!(partly.status.code(), Some(1), "{}", shown(&partly));
    for whose in ["broken", "organisation 4602"] {
        let said = format!("not exported: the item of {whose} is malformed");
        assert!(shown(&partly).contains(&said), "{}", shown(&partly));
    }
    assert_eq!(read("all.jsonl").lines().count(), 7);
}
