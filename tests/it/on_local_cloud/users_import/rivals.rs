//! Imports that other writers come before: another import, a sync, a person.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use super::*;
use crate::site::Running;

/// Lets a held run go on, which ends with what others have come before; returns its result.
fn released(site: &Site, run: Child) -> Value {
    site.ok(&["local", "faults", "clear"]);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    serde_json::from_str(shown(&output).lines().last().unwrap()).unwrap()
}

#[test]
fn two_imports_at_once_take_turns_and_without_a_common_lock_double_nothing() {
    let site = Site::deployed("");
    Csv::many(300, 1000).save(&site, "a.csv");
    // The same names for other organisations: each name goes to one of them.
    let rivals =
        (5000..5300).fold(Csv::new(), |csv, id| csv.row(id, &format!("customer{}", id - 4000), "Fake-Password-2"));
    rivals.save(&site, "b.csv");
    // Both have compared before either writes.
    faults(&site, &[&["dynamodb.BatchExecuteStatement", "hold-before"]]);
    let mut first = spawned(&site, &import("csv:a.csv", &[]));
    until("held batches", || (batches(&site) > 3).then_some(()));
    let busy = site.ends_with(5, &import("csv:b.csv", &[]));
    assert!(busy.contains("another command is writing accounts"), "{busy}");
    // One that waits for the other ends when it is asked to.
    let waiting = import("csv:b.csv", &["--lock-timeout", "60"]);
    let mut waiting = Running(site.command(&waiting).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut said = BufReader::new(waiting.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("waiting for the lock")));
    let sent = Command::new("kill").args(["-INT", &waiting.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert!(said.any(|line| line.contains("interrupted; nothing was written")));
    assert_eq!(waiting.0.wait().unwrap().code(), Some(130));
    // Another machine, which does not know of the lock.
    let mut second = spawned(&site, &import("csv:b.csv", &["--state", "elsewhere"]));
    until("held batches of both", || (batches(&site) > 7).then_some(()));
    site.ok(&["local", "faults", "clear"]);
    for child in [&mut first, &mut second] {
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 6)), "{code:?}");
    }
    let (accounts, reserved) = table(&site);
    assert_eq!(accounts.len(), 300);
    let names: BTreeSet<String> = reserved.keys().cloned().collect();
    assert_eq!(names.len(), 300, "one account for each name");
}

#[test]
fn an_account_that_is_added_during_an_import_stays() {
    let site = Site::deployed("");
    Csv::many(3, 1000).save(&site, "a.csv");
    faults(&site, &[&["dynamodb.BatchExecuteStatement", "hold-before"]]);
    let arguments = import("csv:a.csv", &["--output", "json", "--report", "report.csv"]);
    let child = site.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    until("a held batch", || (batches(&site) > 0).then_some(()));
    site.add(1001, "customer1002", "Own-Password-1");
    let result = released(&site, child);
    let written = &result["written"];
    assert_eq!((&written["new"], &written["overtaken"], &written["failed"]), (&1.into(), &2.into(), &0.into()));
    assert_eq!(written["missed"].as_array().unwrap().len(), 2, "{written}");
    // The report has them, too, with their rows.
    let report = std::fs::read_to_string(site.dir.path().join("report.csv")).unwrap();
    for (line, why) in [(3, "given an account by another writer"), (4, "the user name customer1002 is taken")] {
        let row = format!("{},line {line},overtaken,username,", line - 1);
        assert!(report.lines().any(|line| line.starts_with(&row) && line.contains(why)), "{report}");
    }
    assert!(site.admits(site.port("us-west-2"), &Login::new("customer1002", "Own-Password-1")));
    let next = site.ends_with(3, &import("csv:a.csv", &[]));
    assert!(next.contains("2 of 3 rows are rejected"), "{next}");
}

/// They take turns. Without a common lock, what the one has written since the other compared is not undone.
#[test]
fn an_import_against_a_sync_loses_nothing() {
    let site = Site::deployed("");
    let (first, second) = ("Fake-Password-1", "Fake-Password-2");
    Csv::many(3, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    // To the sync 1002 is gone; the import has its new password, and another customer.
    Csv::many(2, 1000).save(&site, "b.csv");
    Csv::many(2, 1000).row(1002, "customer1002", second).row(1003, "customer1003", first).save(&site, "c.csv");
    let before = batches(&site);
    faults(&site, &[&["dynamodb.BatchExecuteStatement", "hold-before", "--count", "1"]]);
    let sync = ["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:b.csv", "--apply"];
    let deletes = ["--delete", "--max-delete", "100%", "--output", "json"];
    let sync = site.command(&[&sync[..], &NAME, &deletes].concat()).stdout(Stdio::piped()).spawn().unwrap();
    until("the held deletion", || (batches(&site) > before).then_some(()));
    let busy = site.ends_with(5, &import("csv:c.csv", &[]));
    assert!(busy.contains("another command is writing accounts"), "{busy}");
    // On another machine, which does not know of the lock.
    let result = imported(&site, "csv:c.csv", &["--state", "elsewhere"]);
    assert_eq!((&result["written"]["changed"], &result["written"]["new"]), (&1.into(), &1.into()), "{result}");
    let result = released(&site, sync);
    assert_eq!((&result["written"]["deleted"], &result["written"]["overtaken"]), (&0.into(), &1.into()), "{result}");
    assert_whole(&site, 1000..1004);
    assert!(site.admits(site.port("us-west-2"), &Login::new("customer1002", second)));
}

/// An import reserves names before their accounts are there. A writer that does not know of its lock takes over such a
/// name in between: the account that comes too late is removed again.
#[test]
fn a_name_that_is_taken_over_during_an_import_has_one_account() {
    for accounts in ["", "accounts: { per_organisation: many }"] {
        let site = Site::deployed(accounts);
        Csv::many(3, 1000).save(&site, "a.csv");
        faults(&site, &[&["dynamodb.BatchExecuteStatement", "hold-after"]]);
        let arguments = import("csv:a.csv", &["--output", "json", "--report", "report.csv"]);
        let child = site.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        until("reservations", || (table(&site).1.len() == 3).then_some(()));
        assert!(table(&site).0.is_empty(), "no account yet");
        site.add(5000, "customer1000", "Own-Password-1");
        let result = released(&site, child);
        let written = &result["written"];
        assert_eq!((&written["new"], &written["overtaken"], &written["failed"]), (&2.into(), &1.into(), &0.into()));
        assert_whole(&site, (1001..1003).chain([5000]));
        let report = std::fs::read_to_string(site.dir.path().join("report.csv")).unwrap();
        let row = "1,line 2,overtaken,username,customer1000,,another writer has taken the user name,1000,customer1000";
        assert!(report.lines().any(|line| line == row), "{report}");
        assert!(site.admits(site.port("us-west-2"), &Login::new("customer1000", "Own-Password-1")));
        assert!(site.admits(site.port("us-west-2"), &Login::new("customer1001", "Fake-Password-1")));
    }
}

/// Its accounts are in the table, and their customers log in: they count as added, and the check as not done.
#[test]
fn accounts_whose_names_cannot_be_read_again_are_added_and_reported_apart() {
    let site = Site::deployed("");
    Csv::many(2, 1000).save(&site, "a.csv");
    faults(&site, &[&["dynamodb.BatchGetItem", "error=400:AccessDeniedException:no"]]);
    let report = ["--report", "report.csv"];
    let words = site.ends_with(6, &import("csv:a.csv", &report));
    let heading = "2 accounts added whose user name may be another's by now";
    assert!(words.contains("2 accounts added, 0 changed") && words.contains(heading), "{words}");
    assert!(!words.contains("not written"), "{words}");
    let why = "whether another writer has taken the user name is not known: dynamodb:BatchGetItem dydb-99-uploads: no \
               (AccessDeniedException)";
    let file = || std::fs::read_to_string(site.dir.path().join("report.csv")).unwrap();
    let row = format!("1,line 2,unchecked,username,customer1000,,{why},1000,customer1000");
    assert!(file().lines().any(|line| line == row), "{}", file());
    assert_whole(&site, 1000..1002);
    assert!(site.admits(site.port("us-west-2"), &Login::new("customer1000", "Fake-Password-1")));

    // As JSON.
    Csv::many(4, 1000).save(&site, "b.csv");
    let result = site.ends_with(6, &import("csv:b.csv", &[&report[..], &["--output", "json"]].concat()));
    let result: Value = serde_json::from_str(result.lines().last().unwrap()).unwrap();
    let written = &result["written"];
    let counts = ["new", "failed", "overtaken", "unchecked"].map(|name| written[name].as_u64());
    assert_eq!(counts, [2, 0, 0, 2].map(Some), "{result}");
    assert_eq!((&written["missed"][0]["unchecked"], &written["missed"][0]["why"]), (&true.into(), &why.into()));
    // Throttled twice: the check is late, and done.
    Csv::many(5, 1000).save(&site, "c.csv");
    faults(&site, &[&["dynamodb.BatchGetItem", "throttle", "--count", "2"]]);
    let result = imported(&site, "csv:c.csv", &report);
    let written = &result["written"];
    let counts = ["new", "unchecked", "throttled"].map(|name| written[name].as_u64());
    assert_eq!(counts, [1, 0, 2].map(Some), "{result}");
    assert_whole(&site, 1000..1005);
}

/// As all rows of the report do: a person searches the source for the name.
#[test]
fn the_report_has_the_names_of_the_source_for_accounts_that_were_not_written_too() {
    let site = Site::deployed("accounts: { usernames: case-insensitive }");
    let csv = (1000..1003).fold(Csv::new(), |csv, id| csv.row(id, &format!("Customer{id}"), "Fake-Password-1"));
    csv.save(&site, "a.csv");
    let batch = "dynamodb.BatchExecuteStatement";
    let names = || -> Vec<String> {
        let report = std::fs::read_to_string(site.dir.path().join("report.csv")).unwrap();
        let cells = report.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        cells.map(|cells| format!("{} {}", cells[2], cells[4])).collect()
    };
    faults(&site, &[&[batch, "error=400:ValidationException:no"]]);
    site.ends_with(1, &import("csv:a.csv", &["--report", "report.csv"]));
    assert_eq!(names(), ["failed Customer1000", "failed Customer1001", "failed Customer1002"]);
    faults(&site, &[&[batch, "hold-before"]]);
    let (arguments, before) = (import("csv:a.csv", &["--report", "report.csv"]), batches(&site));
    let child = site.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
    until("a held batch", || (batches(&site) > before).then_some(()));
    site.add(1001, "customer1002", "Own-Password-1");
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(6));
    assert_eq!(names(), ["overtaken Customer1001", "overtaken Customer1002"]);
    // That of the first run, whose writes did not end, is kept.
    let first = std::fs::read_to_string(site.dir.path().join("report.csv.1")).unwrap();
    assert_eq!(first.matches(",failed,").count(), 3, "{first}");
}
