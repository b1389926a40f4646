//! `users import` against a table that throttles, answers late or not at all, and is written by others meanwhile.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod folders;
mod names;
mod rivals;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::{Child, Stdio};

use serde_json::Value;
use sftp_authorizer::password::legacy;
use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::Write;

use super::faults::front;
use crate::site::{Login, Site, shown, until};

/// A source of rows as a CSV whose header names the attributes.
pub(super) struct Csv(String);

/// Rows for the organisations from `first` on, all with one password.
pub(super) fn many(count: u32, first: u32) -> Csv {
    Csv::many(count, first)
}

impl Csv {
    fn new() -> Self {
        Self("orgid,username,password,cluster,status\n".to_owned())
    }

    fn row(mut self, org_id: u32, username: &str, password: &str) -> Self {
        writeln!(self.0, "{org_id},{username},{},99-0,active", legacy(password)).unwrap();
        self
    }

    /// Rows for the organisations from `first` on.
    fn many(count: u32, first: u32) -> Self {
        (first..first + count).fold(Self::new(), |csv, id| csv.row(id, &format!("customer{id}"), "Fake-Password-1"))
    }

    pub(super) fn save(&self, site: &Site, name: &str) {
        std::fs::write(site.dir.path().join(name), &self.0).unwrap();
    }
}

const NAME: [&str; 2] = ["--source-name", "old server"];

/// The arguments of an import, without markers of home folders unless a test is about them. All files are one source.
pub(super) fn import<'a>(from: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["users", "import", "--env", "99", "--local", "--yes", "--no-home-folders", "--from", from][..], &NAME, more]
        .concat()
}

/// The result of an import that ends with 0, as JSON.
pub(super) fn imported(site: &Site, from: &str, more: &[&str]) -> Value {
    let output = site.ok(&import(from, &[more, &["--output", "json"]].concat()));
    let last = output.lines().last().unwrap();
    serde_json::from_str(last).unwrap()
}

pub(super) fn faults(site: &Site, rules: &[&[&str]]) {
    site.ok(&["local", "faults", "clear"]);
    for rule in rules {
        site.ok(&[&["local", "faults", "add"], *rule].concat());
    }
}

/// All items of the table but canaries: the accounts, and who has reserved which name.
pub(super) fn table(site: &Site) -> (BTreeMap<String, Item>, BTreeMap<String, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let items = runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let (items, next) = home.page_of_items("dydb-99-uploads", from).await.unwrap();
            all.extend(items);
            from = next;
            if from.is_none() {
                return all;
            }
        }
    });
    let text = |item: &Item, name: &str| match item.get(name) {
        Some(Attribute::Text(text) | Attribute::Number(text)) => text.clone(),
        _ => String::new(),
    };
    let (mut accounts, mut reserved) = (BTreeMap::new(), BTreeMap::new());
    for item in items {
        if item.contains_key("reserves") {
            reserved.insert(text(&item, "reserves"), text(&item, "reservedBy"));
        } else {
            accounts.insert(text(&item, "orgid"), item);
        }
    }
    (accounts, reserved)
}

/// Checks that the table has exactly these organisations' accounts, each name reserved for its own.
fn assert_whole(site: &Site, org_ids: impl Iterator<Item = u32>) {
    let (accounts, reserved) = table(site);
    let expected: BTreeSet<String> = org_ids.map(|id| id.to_string()).collect();
    assert_eq!(accounts.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let owners: BTreeMap<String, String> = accounts
        .iter()
        .filter_map(|(org_id, item)| match item.get("username") {
            Some(Attribute::Text(name)) => Some((name.clone(), org_id.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(owners, reserved);
}

#[test]
fn import_and_its_repetitions() {
    let site = Site::deployed("");
    Csv::new().row(17578, "jan", "Old-Password-1").row(17579, "Piet", "Old-Password-2").save(&site, "a.csv");
    let tried = imported(&site, "csv:a.csv", &["--dry-run"]);
    assert_eq!((&tried["counts"]["new"], tried.get("written")), (&2.into(), None));
    assert!(table(&site).0.is_empty(), "a dry run writes nothing");
    // Two items, their copies in the index, and two reservations; in three regions.
    let estimate = &tried["estimate"];
    assert_eq!((&estimate["writeUnits"], &estimate["regions"]), (&6.into(), &3.into()), "{tried}");
    assert!(estimate["usd"].as_f64().is_some_and(|usd| usd > 0.0), "{tried}");

    // With its home folder, as `users add` makes it.
    let first = ["users", "import", "--env", "99", "--local", "--yes", "--from", "csv:a.csv"];
    let first = site.ok(&[&first[..], &NAME].concat());
    assert!(first.contains("2 accounts added"), "{first}");
    let (jan, port) = (Login::new("jan", "Old-Password-1"), site.port("us-west-2"));
    let session = site.sftp(port, &jan, "pwd\nls\n");
    assert!(session.status.success() && shown(&session).contains("17578"), "{}", shown(&session));
    assert_whole(&site, [17578, 17579].into_iter());

    // The same again writes nothing; a changed row changes its account.
    assert_eq!(imported(&site, "csv:a.csv", &[])["counts"]["same"], 2);
    let same = site.ok(&import("csv:a.csv", &["--dry-run"]));
    let same = same.lines().find(|line| line.contains("2  the same in the table")).unwrap();
    for sample in ["jan (organisation 17578)", "Piet (organisation 17579)"] {
        assert!(same.contains(sample), "{same}");
    }
    Csv::new().row(17578, "jan", "New-Password-1").row(17579, "Piet", "Old-Password-2").save(&site, "b.csv");
    let changed = imported(&site, "csv:b.csv", &[]);
    assert_eq!((&changed["written"]["changed"], &changed["counts"]["same"]), (&1.into(), &1.into()));
    assert!(site.admits(port, &Login::new("jan", "New-Password-1")) && !site.admits(port, &jan));

    // What somebody changed in the table is newer than a source that has not changed, and a conflict if it has.
    let passwd = site.users(&["passwd", "--username", "jan", "--password-stdin"], "Mine-Password-1");
    assert!(passwd.status.success(), "{}", shown(&passwd));
    assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["newer"], 1);
    let refused = site.ends_with(3, &import("csv:a.csv", &["--report", "report.json"]));
    assert!(refused.contains("1 of 2 rows is rejected; nothing was written"), "{refused}");
    assert!(refused.contains("1  rejected  1 account that others have changed or brought"), "{refused}");
    let report = std::fs::read_to_string(site.dir.path().join("report.json")).unwrap();
    assert!(report.contains("differs in password") && !report.contains(&legacy("Old-Password-1")), "{report}");
    assert!(site.admits(port, &Login::new("jan", "Mine-Password-1")));
    assert_eq!(imported(&site, "csv:a.csv", &["--overwrite"])["written"]["changed"], 1);
    assert!(site.admits(port, &jan));

    // A renamed customer keeps the organisation; the old name is free.
    Csv::new().row(17578, "jan.new", "Old-Password-1").row(17579, "Piet", "Old-Password-2").save(&site, "c.csv");
    assert_eq!(imported(&site, "csv:c.csv", &[])["written"]["changed"], 1);
    assert_whole(&site, [17578, 17579].into_iter());
    let added = site.users(
        &["add", "--orgid", "7", "--username", "jan", "--cluster", "99-0", "--password-stdin"],
        "Fake-Password-1",
    );
    assert!(added.status.success(), "{}", shown(&added));
}

#[test]
fn options_of_another_kind_of_source_are_refused() {
    let site = Site::new();
    for (options, of) in [
        (&["--everyone"][..], "--everyone is an option of shadow: sources"),
        (&["--drop-restrictions"], "--drop-restrictions is an option of sftpgo: sources"),
        (&["--where", "active = 1"], "--where is an option of mysql: sources"),
        (&["--table", "customers"], "--table is an option of mysql: sources"),
        (&["--tls", "off"], "--tls is an option of mysql: sources"),
    ] {
        let said = site.ends_with(2, &import("csv:a.csv", options));
        assert!(said.contains(of), "{said}");
        let said = site.ends_with(2, &import("csv:a.csv", &[options, &["--inspect"]].concat()));
        assert!(said.contains(of), "{said}");
    }
}

#[test]
fn a_password_in_a_url_is_refused_before_one_is_asked_for() {
    let site = Site::new();
    let said = site.ends_with(2, &import("mysql://reader:Fake-Secret-1@127.0.0.1:1/shop", &["--inspect"]));
    assert!(said.contains("has a password") && !said.contains("Fake-Secret-1"), "{said}");
}

#[test]
fn a_sync_that_inspects_its_source_writes_nothing() {
    let site = Site::new();
    Csv::many(2, 1000).save(&site, "a.csv");
    let sync = ["users", "sync", "--env", "99", "--local", "--from", "csv:a.csv", "--inspect"];
    // There is no table, and no need of one.
    let mapping = site.ok(&sync);
    assert!(mapping.contains("orgid: orgid") && mapping.contains("cluster: cluster"), "{mapping}");
    for option in ["--apply", "--delete"] {
        let refused = site.ends_with(2, &[&sync[..], &[option]].concat());
        assert!(refused.contains("cannot be used with") && refused.contains(option), "{refused}");
    }
}

#[test]
fn a_removed_customer_is_not_brought_back_by_a_sync() {
    let site = Site::deployed("");
    Csv::new().row(17578, "jan", "Old-Password-1").row(17579, "piet", "Old-Password-2").save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    site.ok(&["users", "remove", "--env", "99", "--local", "--username", "jan", "--yes"]);
    let sync = ["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:a.csv", "--apply"];
    let synced = site.ok(&[&sync[..], &NAME].concat());
    assert!(synced.contains("1  removed in the table; kept out  jan (organisation 17578)"), "{synced}");
    let (accounts, port) = (table(&site).0, site.port("us-west-2"));
    assert_eq!(accounts.keys().collect::<Vec<_>>(), ["17579"]);
    let audited = site.command(&["users", "audit", "--env", "99", "--local"]).output().unwrap();
    assert!(!shown(&audited).contains("reservations without an account"), "{}", shown(&audited));
    // The operator can bring the customer back, and another organisation may have the name.
    assert_eq!(imported(&site, "csv:a.csv", &["--overwrite"])["written"]["new"], 1);
    assert!(site.admits(port, &Login::new("jan", "Old-Password-1")));
    site.ok(&["users", "remove", "--env", "99", "--local", "--username", "jan", "--yes"]);
    let more = ["--orgid", "7", "--username", "jan", "--cluster", "99-0", "--password-stdin"];
    let added = site.users(&[&["add"], &more[..]].concat(), "Fake-Password-1");
    assert!(added.status.success(), "{}", shown(&added));
}

/// Two files of one name, in two folders.
#[test]
fn a_sync_deletes_nothing_that_another_file_of_the_same_name_brought() {
    let site = Site::deployed("");
    for folder in ["s1", "s2"] {
        std::fs::create_dir(site.dir.path().join(folder)).unwrap();
    }
    many(1, 1000).save(&site, "s1/customers.csv");
    many(120, 2000).save(&site, "s2/customers.csv");
    let common = ["--env", "99", "--local", "--no-home-folders", "--from"];
    for from in ["csv:s1/customers.csv", "csv:s2/customers.csv"] {
        site.ok(&[&["users", "import", "--yes"][..], &common, &[from]].concat());
    }
    let sync = |more: &[&'static str]| [&["users", "sync"][..], &common, &["csv:s2/customers.csv"], more].concat();
    let synced = site.ok(&sync(&["--apply", "--delete"]));
    assert!(synced.contains("1 account of the table was brought by another source, and is kept"), "{synced}");
    assert_whole(&site, std::iter::once(1000).chain(2000..2120));

    // What may be another source each time deletes only by a name.
    let piped = [&["users", "sync"][..], &common, &["csv:-", "--apply", "--delete"]].concat();
    let refused = site.ends_with(2, &piped);
    assert!(refused.contains("`csv:-` may be another one each time") && refused.contains("--source-name"), "{refused}");

    // Without --delete a gone account stays, and --apply has done all that it was asked for, each time.
    many(119, 2000).save(&site, "s2/customers.csv");
    assert!(site.ends_with(4, &sync(&[])).contains("1 account was imported, and is not in the source any more"));
    for _ in 0..2 {
        site.ok(&sync(&["--apply"]));
    }
    let deleted = site.ok(&sync(&["--apply", "--delete", "--max-delete", "1"]));
    assert!(deleted.contains("1 deleted"), "{deleted}");
    assert_whole(&site, std::iter::once(1000).chain(2000..2119));
}

#[test]
fn rejected_rows_stop_an_import_unless_allowed_and_are_reported_harmlessly() {
    let site = Site::deployed("");
    Csv::new()
        .row(1, "good.one", "Fake-Password-1")
        .row(2, "twice", "Fake-Password-1")
        .row(3, "twice", "Fake-Password-1")
        .row(4, "root", "Fake-Password-1")
        .row(5, "=HYPERLINK(1)", "Fake-Password-1")
        .row(6, "ab", "Fake-Password-1")
        .row(7, "cd", "Fake-Password-1")
        .save(&site, "a.csv");
    let refused = site.ends_with(3, &import("csv:a.csv", &["--report", "r.csv"]));
    assert!(refused.contains("6 of 7 rows are rejected") && refused.contains("--reject-limit 6"), "{refused}");
    assert!(refused.contains("and others: r.csv has them all"), "{refused}");
    assert!(table(&site).0.is_empty(), "nothing was written");
    // A sample of each outcome without a report, too.
    let dry = site.ends_with(3, &import("csv:a.csv", &["--dry-run"]));
    for line in ["line 3: username `twice`: line 4 has the same user name", "line 5: username: `root` is on"] {
        assert!(dry.lines().any(|shown| shown.trim_start().starts_with(line)), "{line}: {dry}");
    }
    assert!(dry.contains("and others: --report FILE has them all"), "{dry}");
    let result = imported(&site, "csv:a.csv", &["--reject-limit", "6", "--report", "r.html"]);
    assert_eq!((&result["written"]["new"], &result["counts"]["rejected"]), (&1.into(), &6.into()));
    assert_whole(&site, [1].into_iter());
    let report = |name: &str| std::fs::read_to_string(site.dir.path().join(name)).unwrap();
    let (csv, html) = (report("r.csv"), report("r.html"));
    assert!(html.contains("and others: they are all in the table below") && !html.contains("--report"), "{html}");
    for line in ["line 3", "line 4", "line 5", "line 6", "line 7", "line 8"] {
        assert!(csv.contains(line) && html.contains(line), "{line}: {csv}");
    }
    assert!(!csv.contains(",=HYPER") && csv.contains("HYPERLINK"), "{csv}");
    assert!(!csv.contains(&legacy("Fake-Password-1")) && !html.contains(&legacy("Fake-Password-1")));
}

/// Throttled calls, throttled statements within an answer of status 200, lost answers and faults of AWS: what is
/// counted as written is in the table, once.
#[test]
fn a_table_that_throttles_and_loses_answers_gets_every_account_once() {
    let site = Site::deployed("");
    let batch = "dynamodb.BatchExecuteStatement";
    for (round, rules) in [
        [&[batch, "partly", "--probability", "0.5"][..], &[batch, "throttle", "--probability", "0.3"]],
        [&[batch, "reset-after", "--probability", "0.2"], &[batch, "error500", "--probability", "0.2"]],
    ]
    .iter()
    .enumerate()
    {
        faults(&site, rules);
        let first = 1000 * (u32::try_from(round).unwrap() + 1);
        Csv::many(500, first).save(&site, "a.csv");
        let result = imported(&site, "csv:a.csv", &[]);
        let written = &result["written"];
        assert_eq!(written["new"], 500, "{result}");
        // Only what was throttled counts as throttled.
        let sent_again = ["throttled", "repeated"].map(|name| written[name].as_u64().unwrap() > 0);
        assert_eq!(sent_again, [round == 0, round == 1], "{result}");
        faults(&site, &[]);
        let again = imported(&site, "csv:a.csv", &[]);
        assert_eq!((&again["counts"]["same"], again.get("written")), (&500.into(), None), "{again}");
    }
    assert_whole(&site, (1000..1500).chain(2000..2500));
}

pub(super) fn spawned(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub(super) fn batches(site: &Site) -> u64 {
    front(site, "GET", "calls")["calls"]["dynamodb.BatchExecuteStatement"].as_u64().unwrap_or_default()
}

/// Killed ten times, each time somewhat later; the last run writes the rest.
#[test]
fn an_import_killed_at_any_point_is_completed_by_the_next() {
    let site = Site::deployed("");
    Csv::many(3000, 1000).save(&site, "a.csv");
    faults(&site, &[&["dynamodb.BatchExecuteStatement", "delay=20ms"]]);
    let mut progress = BTreeSet::new();
    for round in 0..10 {
        let before = batches(&site);
        let mut child = spawned(&site, &import("csv:a.csv", &["--lock-timeout", "60"]));
        until("batches of the import", || (batches(&site) > before + 2 + round).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        progress.insert(table(&site).0.len());
    }
    assert!(progress.len() > 5, "the kills met different stages: {progress:?}");
    faults(&site, &[]);
    imported(&site, "csv:a.csv", &["--lock-timeout", "60"]);
    assert_whole(&site, 1000..4000);
    assert_eq!(imported(&site, "csv:a.csv", &[])["counts"]["same"], 3000);
}

/// Changes attributes of items as nobody of ours does.
fn spoil(site: &Site, changes: &[(u32, &str, Option<Attribute>)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let updates = changes.iter().map(|(org_id, name, value)| Write::Update {
        key: Item::from([("orgid".to_owned(), Attribute::Number(org_id.to_string()))]),
        changes: vec![((*name).to_owned(), value.clone())],
        condition: None,
        values: Vec::new(),
    });
    let updates: Vec<Write> = updates.collect();
    runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        home.write_items("dydb-99-uploads", &updates).await.unwrap();
    });
}

/// With a status that is none, without a name, with times of another type: nobody can log in, and nothing says so but an
/// import, which repairs them when it is asked to.
#[test]
fn items_that_nobody_can_log_in_with_are_repaired_with_overwrite() {
    let site = Site::deployed("");
    Csv::many(4, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    let broken = [
        (1000, "status", Some(Attribute::Text("on".into()))),
        (1001, "username", None),
        (1002, "updatedAt", Some(Attribute::Other)),
    ];
    spoil(&site, &broken);
    let refused = site.ends_with(3, &import("csv:a.csv", &["--report", "r.csv"]));
    assert!(refused.contains("3 of 4 rows are rejected; nothing was written"), "{refused}");
    assert!(refused.contains("3 malformed items in the table"), "{refused}");
    let report = std::fs::read_to_string(site.dir.path().join("r.csv")).unwrap();
    for why in ["the attribute status is neither", "the attribute username is missing", "updatedAt is not a string"] {
        assert!(report.contains(why), "{report}");
    }
    let sync = ["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:a.csv", "--apply"];
    site.ends_with(3, &[&sync[..], &NAME].concat());
    let repaired = imported(&site, "csv:a.csv", &["--overwrite"]);
    assert_eq!((&repaired["written"]["changed"], &repaired["counts"]["same"]), (&3.into(), &1.into()), "{repaired}");
    assert_whole(&site, 1000..1004);
    assert_eq!(imported(&site, "csv:a.csv", &[])["counts"]["same"], 4);
    for id in 1000..1003 {
        assert!(site.admits(site.port("us-west-2"), &Login::new(&format!("customer{id}"), "Fake-Password-1")), "{id}");
    }
}

/// As a new account's: the customer sees the new folder before the first upload.
#[test]
fn a_folder_that_becomes_another_gets_its_marker() {
    let site = Site::deployed("");
    let all = ["users", "import", "--env", "99", "--local", "--yes", "--output", "json", "--from", "csv:a.csv"];
    let all = [&all[..], &NAME].concat();
    let puts = || front(&site, "GET", "calls")["calls"]["s3.PutObject"].as_u64().unwrap_or_default();
    let csv = Csv::many(2, 1000);
    csv.save(&site, "a.csv");
    site.ok(&all);
    Csv(csv.0.replacen("99-0", "99-5", 1)).save(&site, "a.csv");
    // Without it the account keeps its old folder.
    faults(&site, &[&["s3.PutObject", "error=403:AccessDenied:no"]]);
    let failed = site.ends_with(1, &all);
    let failed: Value = serde_json::from_str(failed.lines().last().unwrap()).unwrap();
    let why = "its home folder: s3:PutObject pl-pt99-5-uploads/1000/: no (AccessDenied)";
    let written = &failed["written"];
    assert_eq!((&written["failed"], &written["missed"][0]["why"]), (&1.into(), &why.into()), "{failed}");
    faults(&site, &[]);
    let home = || match &table(&site).0["1000"]["HomeDirectory"] {
        Attribute::Text(home) => home.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(home(), "/pl-pt99-0-uploads/1000");
    let refused = puts();
    let output = site.ok(&all);
    let result: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!((&result["written"]["changed"], &result["estimate"]["folders"]), (&1.into(), &1.into()), "{result}");
    assert_eq!((puts(), home().as_str()), (refused + 1, "/pl-pt99-5-uploads/1000"));
}

/// S3 throttles, and for a while takes nothing: each account gets its folder, and none fails.
#[test]
fn accounts_do_not_fail_for_markers_that_are_throttled() {
    let site = Site::deployed("");
    let with_folders = |file: &str| {
        let from = format!("csv:{file}");
        let all = ["users", "import", "--env", "99", "--local", "--yes", "--output", "json", "--from", &from];
        let output = site.ok(&[&all[..], &NAME].concat());
        serde_json::from_str::<Value>(output.lines().last().unwrap()).unwrap()
    };
    let put = "s3.PutObject";
    Csv::many(200, 1000).save(&site, "a.csv");
    faults(&site, &[&[put, "throttle", "--probability", "0.3"]]);
    let written = &with_folders("a.csv")["written"];
    assert_eq!((&written["new"], &written["failed"]), (&200.into(), &0.into()), "{written}");
    assert!(written["foldersThrottled"].as_u64().unwrap() > 20 && written["throttled"] == 0, "{written}");
    // Nine attempts of twenty-six markers, but some of the last: what is left is made at the end.
    Csv::many(26, 2000).save(&site, "b.csv");
    faults(&site, &[&[put, "throttle", "--count", "225"]]);
    let written = &with_folders("b.csv")["written"];
    assert_eq!((&written["new"], &written["failed"]), (&26.into(), &0.into()), "{written}");
    faults(&site, &[]);
    assert_whole(&site, (1000..1200).chain(2000..2026));
    let login = Login::new("customer2025", "Fake-Password-1");
    let session = site.sftp(site.port("us-west-2"), &login, "pwd\nls\n");
    assert!(session.status.success(), "{}", shown(&session));
}

/// What S3 throttles says nothing about the table, and what the table throttles nothing about S3: after an import of so
/// many accounts each is at the pace that the number of its batches gives, unless it was throttled itself.
#[test]
fn the_table_and_the_markers_of_folders_have_a_pace_each() {
    let site = Site::deployed("");
    let paces = |first: u32, rules: &[&[&str]]| {
        faults(&site, rules);
        Csv::many(1_000, first).save(&site, "a.csv");
        let all = ["users", "import", "--env", "99", "--local", "--yes", "--output", "json", "--from", "csv:a.csv"];
        let output = site.ok(&[&all[..], &NAME].concat());
        let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let written = &lines.last().unwrap()["written"];
        assert_eq!((&written["new"], &written["failed"]), (&1_000.into(), &0.into()), "{written}");
        let last = lines.iter().rfind(|line| line["stage"] == "writing").unwrap();
        assert_eq!(last["done"], 1_000, "{last}");
        assert_eq!(
            (&last["throttled"], &last["foldersThrottled"]),
            (&written["throttled"], &written["foldersThrottled"])
        );
        ["throttled", "atOnce", "foldersThrottled", "foldersAtOnce"].map(|name| last[name].as_u64().unwrap())
    };
    let [none, of_table, no_folder, of_folders] = paces(10_000, &[]);
    assert_eq!((none, no_folder), (0, 0));
    let [none, at_once, folders, slow] = paces(20_000, &[&["s3.PutObject", "throttle", "--probability", "0.3"]]);
    assert_eq!((none, at_once), (0, of_table), "the markers were throttled");
    assert!(folders > 200 && slow <= of_folders / 2, "{folders} of the markers throttled, {slow} batches at once");
    let batch = "dynamodb.BatchExecuteStatement";
    let [writes, slow, no_folder, at_once] = paces(30_000, &[&[batch, "partly", "--probability", "0.5"]]);
    assert_eq!((no_folder, at_once), (0, of_folders), "the table was throttled");
    assert!(writes > 100 && slow <= of_table / 2, "{writes} writes throttled, {slow} batches at once");
    assert_whole(&site, (10_000..11_000).chain(20_000..21_000).chain(30_000..31_000));
}

/// What is raised is said before, with its price as far as it is known; it is waited for before the first write, asked for
/// once, and never lowered.
#[test]
fn a_table_is_pre_warmed_once_and_before_the_first_write() {
    let site = Site::deployed("");
    Csv::many(40, 1000).save(&site, "a.csv");
    let calls = |name: &str| front(&site, "GET", "calls")["calls"][name].as_u64().unwrap_or_default();
    let updates = || calls("dynamodb.UpdateTable");
    let all = ["users", "import", "--env", "99", "--local", "--no-home-folders", "--from", "csv:a.csv"];
    let pre_warm =
        |writes: &'static str, more: &[&'static str]| [&all[..], &NAME, &["--pre-warm", writes], more].concat();
    let said = site.ok(&pre_warm("9000", &["--dry-run"]));
    for words in ["from 4,000 to 9,000 write units a second in each of 3 regions", "a price that is not known here"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(said.contains("at 9,000 write units a second, which a table with --pre-warm takes"), "{said}");
    let json = site.ok(&pre_warm("9000", &["--dry-run", "--output", "json"]));
    let json: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(json["preWarm"], serde_json::json!({ "now": 4000, "writes": 9000, "regions": 3 }));
    let refused = site.ends_with(1, &pre_warm("40001", &["--yes"]));
    assert!(
        refused.contains("exceeds TableMaxWriteCapacityUnits") && refused.contains("nothing was written"),
        "{refused}"
    );
    assert_eq!((batches(&site), table(&site).0.len()), (0, 0));
    // The SDK repeats what is refused with this code.
    let before = updates();
    // Killed while it waits: the next run waits for the same, and does not ask again.
    faults(&site, &[&["dynamodb.UpdateTable", "hold-after"]]);
    let mut child = spawned(&site, &pre_warm("9000", &["--yes"]));
    let waiting = || front(&site, "GET", "faults")["holds"].as_array().map_or(0, Vec::len);
    until("a request to pre-warm", || (waiting() > 0).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    faults(&site, &[]);
    let said = site.ok(&pre_warm("9000", &["--yes", "--lock-timeout", "60"]));
    assert!(said.contains("40 accounts added"), "{said}");
    assert_eq!(updates(), before + 1);
    assert_whole(&site, 1000..1040);
    // It takes as much now.
    Csv::many(41, 1000).save(&site, "a.csv");
    let said = site.ok(&pre_warm("5000", &["--yes"]));
    assert!(said.contains("1 account added") && !said.contains("raises"), "{said}");
    assert_eq!(updates(), before + 1);
}
