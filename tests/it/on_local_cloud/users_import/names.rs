//! User names that pass from one organisation to another.

use super::*;

/// Names pass along a chain, in circles, and to a new account. At no time is an account without its name, or a name
/// without its account, wherever the import is killed.
#[test]
fn names_that_pass_on_are_whole_at_every_moment() {
    let site = Site::deployed("");
    let name = |number: u32| format!("customer{number}");
    let password = "Fake-Password-1";
    let before = (1000..1060).fold(Csv::new(), |csv, id| csv.row(id, &name(id), password));
    before.save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    // Ten pairs exchange their names; forty pass theirs on, the last to a new account.
    let mut csv = (1000..1020).fold(Csv::new(), |csv, id| csv.row(id, &name(id ^ 1), password));
    csv = (1020..1060)
        .fold(csv, |csv, id| csv.row(id, &name(id + 100 * u32::from(id == 1020) - u32::from(id > 1020)), password));
    csv.row(1060, &name(1059), password).save(&site, "b.csv");
    let transaction = "dynamodb.TransactWriteItems";
    let held = |site: &Site| {
        let accounts = table(site).0.into_iter();
        accounts.map(|(org_id, item)| format!("{org_id} {:?}", item["username"])).collect::<BTreeSet<_>>()
    };
    let old = held(&site);
    for (round, fault) in [(0, "hold-before"), (1, "hold-after"), (2, "hold-after"), (5, "hold-after")] {
        faults(&site, &[&[transaction, fault]]);
        let mut child = spawned(&site, &import("csv:b.csv", &["--lock-timeout", "60"]));
        // Those that are held after their effect have had it.
        let waiting = || front(&site, "GET", "faults")["holds"].as_array().map_or(0, Vec::len);
        until("held transactions", || (waiting() > usize::from(round == 0)).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        faults(&site, &[]);
        let (accounts, _) = table(&site);
        let ids = accounts.keys().map(|id| id.parse::<u32>().unwrap()).collect::<Vec<_>>();
        assert!(ids.len() == 60 || ids.len() == 61, "{}", ids.len());
        assert_whole(&site, ids.into_iter());
    }
    assert_ne!(held(&site), old, "some were written before the kills");
    imported(&site, "csv:b.csv", &["--lock-timeout", "60"]);
    assert_whole(&site, 1000..1061);
    assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["same"], 61);
    let port = site.port("us-west-2");
    assert!(site.admits(port, &Login::new(&name(1059), password)), "the new account");
}

/// The name of an account that is deleted in the same run goes to another organisation, and that one's to a third.
#[test]
fn a_departed_customers_name_passes_on_in_the_same_sync() {
    let site = Site::deployed("");
    let name = |number: u32| format!("customer{number}");
    let password = "Fake-Password-1";
    Csv::many(3, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    Csv::new()
        .row(1001, &name(1000), password)
        .row(1002, &name(1002), password)
        .row(1003, &name(1001), password)
        .save(&site, "b.csv");
    let sync = |more: &[&'static str]| {
        [&["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:b.csv"], &NAME[..], more]
            .concat()
    };
    let kept = site.ends_with(3, &sync(&["--apply"]));
    assert!(kept.contains("sync --apply --delete` deletes its account first"), "{kept}");
    // What it would do is shown without --apply, too, with the limit of deletions.
    let preview = site.ends_with(4, &sync(&["--delete", "--max-delete", "1"]));
    for words in ["1  new", "1  changed in the source", "nothing was written; --apply deletes 1 account"] {
        assert!(preview.contains(words), "{words}: {preview}");
    }
    assert!(!preview.contains("rejected"), "{preview}");
    let refused = site.ends_with(3, &sync(&["--delete", "--max-delete", "0"]));
    assert!(refused.contains("1 account would be deleted, and --max-delete allows 0"), "{refused}");
    assert_whole(&site, 1000..1003);
    let output = site.ok(&sync(&["--apply", "--delete", "--max-delete", "1", "--output", "json"]));
    let result: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    let counts = ["deleted", "changed", "new", "overtaken", "failed"].map(|name| result["written"][name].as_u64());
    assert_eq!(counts, [1, 1, 1, 0, 0].map(Some), "{result}");
    assert_whole(&site, 1001..1004);
    for number in [1000, 1001, 1002] {
        assert!(site.admits(site.port("us-west-2"), &Login::new(&name(number), password)), "{number}");
    }
    assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["same"], 3);
}

/// Killed between the deletion of an account and that of its reservation: the next run gives the name to whom it goes,
/// be it the first of a chain or by itself.
#[test]
fn a_sync_killed_before_it_frees_a_name_is_completed_by_the_next() {
    let site = Site::deployed("");
    let name = |number: u32| format!("customer{number}");
    let password = "Fake-Password-1";
    Csv::many(4, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    let deletes = ["--apply", "--delete", "--max-delete", "1", "--lock-timeout", "60"];
    let sync = ["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:b.csv"];
    let sync = [&sync[..], &NAME, &deletes].concat();
    for (gone, names) in
        [(1000, &[(1001, 1000), (1002, 1001), (1003, 1003)][..]), (1003, &[(1001, 1000), (1002, 1003)])]
    {
        let csv = names.iter().fold(Csv::new(), |csv, (id, number)| csv.row(*id, &name(*number), password));
        csv.save(&site, "b.csv");
        faults(&site, &[&["dynamodb.BatchExecuteStatement", "hold-before", "--skip", "1"]]);
        let mut child = spawned(&site, &sync);
        let waiting = || front(&site, "GET", "faults")["holds"].as_array().map_or(0, Vec::len);
        until("a held batch", || (waiting() > 0).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        faults(&site, &[]);
        let (accounts, reserved) = table(&site);
        assert!(!accounts.contains_key(&gone.to_string()), "the account of {gone} is deleted");
        assert_eq!(reserved.get(&name(gone)), Some(&gone.to_string()), "its name is still reserved");
        site.ok(&sync);
        assert_whole(&site, names.iter().map(|(id, _)| *id));
        for (_, number) in names {
            assert!(site.admits(site.port("us-west-2"), &Login::new(&name(*number), password)), "{number}");
        }
        assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["same"], names.len());
    }
}
