//! User names that pass from one organisation to another.

use sftpctl_accounts::TableKey;

use super::*;

/// The arguments of a sync with `b.csv` that writes.
fn sync<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let sync = ["users", "sync", "--env", "99", "--local", "--no-home-folders", "--from", "csv:b.csv"];
    [&sync[..], &NAME, &["--lock-timeout", "60"], more].concat()
}

/// Kills a sync between the deletion of an account and that of the reservation of its name.
fn kill_before_it_frees(site: &Site, sync: &[&str]) {
    faults(site, &[&["dynamodb.BatchExecuteStatement", "hold-before", "--skip", "1"]]);
    let mut child = spawned(site, sync);
    let waiting = || front(site, "GET", "faults")["holds"].as_array().map_or(0, Vec::len);
    until("a held batch", || (waiting() > 0).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    faults(site, &[]);
}

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
    let kept = site.ends_with(3, &sync(&["--apply"]));
    assert!(
        kept.contains("`sftpctl users sync --env 99 --local --from csv:b.csv --source-name 'old server'"),
        "{kept}"
    );
    assert!(kept.contains(" --apply --delete` deletes it first"), "{kept}");
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
        // The other region has a replica of the table.
        for region in ["us-west-2", "us-east-2"] {
            assert!(site.admits(site.port(region), &Login::new(&name(number), password)), "{number} in {region}");
        }
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
    let sync = sync(&["--apply", "--delete", "--max-delete", "1"]);
    for (gone, names) in
        [(1000, &[(1001, 1000), (1002, 1001), (1003, 1003)][..]), (1003, &[(1001, 1000), (1002, 1003)])]
    {
        let csv = names.iter().fold(Csv::new(), |csv, (id, number)| csv.row(*id, &name(*number), password));
        csv.save(&site, "b.csv");
        kill_before_it_frees(&site, &sync);
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

/// Nobody gets the name that a killed sync has left reserved: the next one frees it.
#[test]
fn a_name_that_a_killed_sync_left_reserved_is_freed_by_the_next() {
    let site = Site::deployed("");
    Csv::many(3, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    Csv::many(2, 1000).save(&site, "b.csv");
    let deleting = sync(&["--apply", "--delete", "--max-delete", "1"]);
    kill_before_it_frees(&site, &deleting);
    let is_reserved = |name: &str| table(&site).1.contains_key(name);
    assert!(is_reserved("customer1002") && !table(&site).0.contains_key("1002"));
    let found = site.ends_with(4, &["users", "audit", "--env", "99", "--local"]);
    assert!(found.contains("stale-reservation: customer1002 (organisation 1002)"), "{found}");
    assert!(found.contains("`sftpctl users sync --env 99 --from SOURCE --apply --delete` frees it"), "{found}");
    // One that deletes nothing leaves it.
    site.ok(&sync(&["--apply"]));
    let preview = site.ok(&sync(&["--delete"]));
    let words =
        "1 user name is reserved for an account that is gone, and becomes free  customer1002 (organisation 1002)";
    assert!(preview.contains(words) && is_reserved("customer1002"), "{preview}");
    let freed = site.ok(&deleting);
    assert!(freed.contains("1 user name of an account that is gone is free again"), "{freed}");
    assert_whole(&site, 1000..1002);
    // The mark of an account that an operator has removed stays.
    site.ok(&["users", "remove", "--env", "99", "--local", "--username", "customer1001", "--yes"]);
    site.ok(&deleting);
    assert!(is_reserved("customer1001"));
}

/// An account with another name is another account, and the name becomes free with the deletion of the old one.
#[test]
fn names_pass_on_where_an_organisation_has_several_accounts() {
    let site = Site::deployed("accounts: { per_organisation: many }");
    let (name, password) = (|number: u32| format!("customer{number}"), "Fake-Password-1");
    Csv::many(3, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    // Two exchange their names, and a new one gets the third's.
    let names = [(1000, 1001), (1001, 1000), (1003, 1002)];
    names.iter().fold(Csv::new(), |csv, (id, number)| csv.row(*id, &name(*number), password)).save(&site, "b.csv");
    let kept = site.ends_with(3, &sync(&["--apply"]));
    assert!(kept.contains("3 of 3 rows are rejected") && kept.contains("deletes it first"), "{kept}");
    let output = site.ok(&sync(&["--apply", "--delete", "--max-delete", "3", "--output", "json"]));
    let result: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    let counts = ["deleted", "changed", "new", "overtaken", "failed"].map(|name| result["written"][name].as_u64());
    assert_eq!(counts, [3, 0, 3, 0, 0].map(Some), "{result}");
    assert_whole(&site, names.iter().map(|(id, _)| *id));
    for (_, number) in names {
        assert!(site.admits(site.port("us-west-2"), &Login::new(&name(number), password)), "{number}");
    }
    assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["same"], 3);
}

/// Another organisation has the old name of an account by now, with its reservation, which stays.
#[test]
fn an_account_is_renamed_whose_old_name_is_anothers_by_now() {
    let site = Site::deployed("");
    let (name, password) = (|number: u32| format!("customer{number}"), "Fake-Password-1");
    Csv::many(3, 1000).save(&site, "a.csv");
    imported(&site, "csv:a.csv", &[]);
    let put = |item: Item| Write::Put { item, condition: None, values: Vec::new() };
    let taken = [(1000, "5000"), (1001, "6000")].map(|(of, by)| {
        let by = Attribute::Number(by.to_owned());
        let mut account = table(&site).0[&of.to_string()].clone();
        account.insert("orgid".to_owned(), by.clone());
        account.insert("HomeDirectory".to_owned(), Attribute::Text(format!("/pl-pt99-0-uploads/taken-{of}")));
        [put(account), put(TableKey::Organisation.reservation(&name(of), by))]
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        home.write_items("dydb-99-uploads", &taken.concat()).await.unwrap();
    });
    // By itself, and as the last of two of which one gets the name of the other.
    Csv::new()
        .row(1000, "jan", password)
        .row(1001, &name(1002), password)
        .row(1002, "kees", password)
        .save(&site, "b.csv");
    let result = imported(&site, "csv:b.csv", &[]);
    let counts = ["changed", "overtaken", "failed"].map(|name| result["written"][name].as_u64());
    assert_eq!(counts, [3, 0, 0].map(Some), "{result}");
    assert_whole(&site, (1000..1003).chain([5000, 6000]));
}

/// In one transaction, so that no customer ever sees the files of two.
#[test]
fn two_organisations_exchange_their_folders_at_once() {
    let site = Site::deployed("");
    let save = |name: &str, homes: [(u32, &str); 2]| {
        let mut csv = "orgid,username,password,home,status\n".to_owned();
        for (id, folder) in homes {
            let password = legacy("Fake-Password-1");
            writeln!(csv, "{id},customer{id},{password},/pl-pt99-0-uploads/{folder},active").unwrap();
        }
        std::fs::write(site.dir.path().join(name), csv).unwrap();
    };
    save("a.csv", [(1000, "one"), (1001, "two")]);
    imported(&site, "csv:a.csv", &[]);
    save("b.csv", [(1000, "two"), (1001, "one")]);
    let homes = || ["1000", "1001"].map(|id| table(&site).0[id]["HomeDirectory"].clone());
    let of = |folders: [&str; 2]| folders.map(|folder| Attribute::Text(format!("/pl-pt99-0-uploads/{folder}")));
    faults(&site, &[&["dynamodb.TransactWriteItems", "error=400:AccessDeniedException:no"]]);
    let failed = site.ends_with(1, &import("csv:b.csv", &[]));
    assert!(failed.contains("2 accounts get a home folder that another organisation leaves"), "{failed}");
    assert_eq!(homes(), of(["one", "two"]), "neither by itself");
    faults(&site, &[]);
    let result = imported(&site, "csv:b.csv", &[]);
    assert_eq!((&result["written"]["changed"], &result["counts"]["folderChanged"]), (&2.into(), &2.into()), "{result}");
    assert_eq!(homes(), of(["two", "one"]));
    assert_whole(&site, 1000..1002);
    assert_eq!(imported(&site, "csv:b.csv", &[])["counts"]["same"], 2);
}
