//! Resources that are no longer in the environment file are listed; the next deployment deletes those without data,
//! `teardown --orphans` the others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, shown, text};

/// `resource` of every orphan, and the exit code of `drift`.
fn orphans(site: &Site) -> (Vec<String>, i32) {
    let output = site.run(&["drift", "--env", "99", "--local", "--output", "json", "--also-region", "us-east-1"]);
    let report: Option<Value> = text(&output.stdout).lines().last().and_then(|line| serde_json::from_str(line).ok());
    let report = report.unwrap_or_else(|| panic!("{}", shown(&output)));
    let drifted = report["drifted"].as_array().unwrap().iter().filter(|drifted| drifted["how"] == "orphan");
    let mut names: Vec<String> = drifted.map(|drifted| drifted["resource"].as_str().unwrap().to_owned()).collect();
    names.sort();
    (names, output.status.code().unwrap())
}

/// The output of `status` as text and as JSON.
fn status(site: &Site) -> (String, Value) {
    let status = ["status", "--env", "99", "--local"];
    let json = site.ok(&[&status[..], &["--output", "json"]].concat());
    (site.ok(&status), serde_json::from_str(json.lines().last().unwrap()).unwrap())
}

#[test]
fn orphans_are_listed_and_removed_on_request() {
    let site = Site::deployed("");
    assert_eq!(orphans(&site), (Vec::new(), 0));
    site.edit(|file| {
        let lines = file.lines().filter(|line| !line.starts_with("  us-east-1:") && !line.starts_with("  99-0:"));
        lines.collect::<Vec<_>>().join("\n")
    });
    // With its state, this deployment would delete what was removed from the file.
    site.forget();
    site.deploy();
    let customers: Vec<u16> = site.ports().into_values().collect();
    let second = site.oracle("orphans.py", &[]);
    let all = [
        "us-east-1/orphan/log-group/aws/apigateway/api-99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/log-group/aws/lambda/lambda-99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/log-group/aws/vendedlogs/transfer/99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/replica/dydb-99-uploads".to_owned(),
        "us-east-1/orphan/stack/sftp-99-upload-us-east-1".to_owned(),
        "us-west-2/orphan/bucket/pl-pt99-0-uploads".to_owned(),
        format!("us-west-2/orphan/server/{second}"),
    ];
    assert_eq!(orphans(&site), (all.to_vec(), 4));
    // `status` reads the regions of the file and of the state, which was lost here; the table lists its replicas.
    let (human, json) = status(&site);
    assert!(human.contains("3 orphaned resources (not in the environment file)"), "{human}");
    assert!(human.contains("delete with `sftpctl teardown --env 99 --local --orphans`"), "{human}");
    assert_eq!(json["orphans"], serde_json::json!({ "found": [&all[3], &all[5], &all[6]], "unseen": [] }));
    let limited = site.ok(&["status", "--env", "99", "--local", "--region", "us-west-2", "--output", "json"]);
    assert_eq!(serde_json::from_str::<Value>(limited.lines().last().unwrap()).unwrap()["orphans"], Value::Null);

    let teardown = ["teardown", "--env", "99", "--local", "--orphans", "--also-region", "us-east-1"];
    let refused = site.ends_with(3, &teardown);
    assert!(refused.contains(&second) && refused.contains("pass --yes"), "{refused}");
    assert_eq!(orphans(&site).0, all, "a question changes nothing");

    // The accounts are kept until --delete-data is given; the environment itself is left alone.
    let kept = site.ok(&[&teardown[..], &["--yes"]].concat());
    assert!(kept.contains("it holds the accounts; --delete-data deletes it"), "{kept}");
    assert_eq!(orphans(&site).0, ["us-east-1/orphan/replica/dydb-99-uploads"]);
    site.teardown_with_data(&["--orphans", "--also-region", "us-east-1"]);
    assert_eq!(orphans(&site), (Vec::new(), 0));
    let (human, json) = status(&site);
    assert!(!human.contains("orphan"), "{human}");
    assert_eq!(json["orphans"], serde_json::json!({ "found": [], "unseen": [] }));
    // A later run of another command does not hide the last deployment.
    assert!(human.contains("Last deploy: done, begun 20") && human.contains("Last run: teardown done"), "{human}");
    assert_eq!((&json["lastDeploy"]["outcome"], &json["lastRun"]["command"]), (&"done".into(), &"teardown".into()));
    assert!(
        json["lastDeploy"]["who"].as_str().unwrap().contains(" on ") && json["deployAgeSeconds"].is_u64(),
        "{json}"
    );
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(site.ports().into_values().collect::<Vec<u16>>(), customers);
    let nothing = site.ok(&[&teardown[..], &["--yes"]].concat());
    assert!(nothing.contains("Nothing is left"), "{nothing}");
}

#[test]
fn removed_server_and_region_are_deleted_by_the_next_deployment() {
    let site = Site::deployed("");
    let before = site.ports();
    site.edit(|file| {
        let file = file.replace("us-east-2: { server: true }", "us-east-2: { server: false }");
        file.lines().filter(|line| !line.starts_with("  us-east-1:")).collect::<Vec<_>>().join("\n")
    });
    let shown = site.ok(&["plan", "--env", "99", "--local"]);
    for goes in [
        "- us-east-2  server s-",
        "- us-east-1  stack sftp-99-upload-us-east-1\n",
        "it is no longer in the environment file",
    ] {
        assert!(shown.contains(goes), "{goes}: {shown}");
    }
    let planned = site.planned();
    let place = |id: &str| planned.iter().position(|step| step == id).unwrap_or_else(|| panic!("{id}: {planned:?}"));
    assert!(place("global/record/99-uploads-us-east-2.xx.net") < place("us-east-2/server"), "{planned:?}");
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(site.ports().into_keys().collect::<Vec<_>>(), ["us-west-2"]);
    assert_eq!(site.ports()["us-west-2"], before["us-west-2"], "the other server is unchanged");
    // The table's replica holds data: it is listed until its deletion is requested.
    assert_eq!(orphans(&site).0, ["us-east-1/orphan/replica/dydb-99-uploads"]);

    site.edit(|file| file.replace("us-east-2: { server: false }", "us-east-2: { server: true }"));
    site.deploy();
    assert_eq!(site.ports().into_keys().collect::<Vec<_>>(), ["us-east-2", "us-west-2"]);

    // They are in neither the state nor the file; teardown finds them anyway.
    site.edit(|file| file.replace("us-east-2: { server: true }", "us-east-2: { server: false }"));
    site.forget();
    let all = orphans(&site).0;
    assert!(all.contains(&"us-east-2/orphan/record/99-uploads-us-east-2.xx.net".to_owned()), "{all:?}");
    site.teardown_with_data(&[]);
    assert_eq!(
        site.aws(&["left"]),
        "[]",
        "the table itself lists its replica in a region that is recorded nowhere else"
    );
}

#[test]
fn teardown_deletes_the_leftovers_of_a_removed_region() {
    let site = Site::deployed("");
    let set = || site.oracle("handmade.py", &["log-role", "us-east-1"]);
    assert!(set().starts_with("arn:aws:iam::"), "{}", set());
    site.edit(|file| file.lines().filter(|line| !line.starts_with("  us-east-1:")).collect::<Vec<_>>().join("\n"));
    let teardown = ["teardown", "--env", "99", "--local", "--delete-data"];
    let shown = site.ends_with(3, &teardown);
    let line =
        |title: &str| shown.lines().position(|line| line.contains(title)).unwrap_or_else(|| panic!("{title}: {shown}"));
    let dropped = line("us-east-1  replica");
    assert!(
        dropped < line("us-east-2  replica") && dropped < line("us-west-2  table"),
        "the replica is deleted before its source: {shown}"
    );
    site.teardown_with_data(&[]);
    assert_eq!(site.aws(&["left"]), "[]");
    assert_eq!(set(), "", "no setting names a deleted role");
}

#[test]
fn unreadable_server_is_not_an_orphan() {
    let site = Site::deployed("");
    let before = site.ports();
    let refused = ["transfer.DescribeServer", "error=403:AccessDeniedException:no", "--region", "us-west-2"];
    let once = || site.ok(&[&["local", "faults", "add"], &refused[..], &["--count", "1"]].concat());
    once();
    let output = site.ends_with(1, &["teardown", "--env", "99", "--local", "--orphans", "--yes"]);
    assert!(output.contains("us-west-2/server could not be read"), "{output}");
    assert_eq!(site.ports(), before);
    once();
    let (found, ended) = orphans(&site);
    assert_eq!((found, ended), (Vec::new(), 1));
    once();
    let (_, json) = status(&site);
    assert_eq!(json["orphans"]["found"], serde_json::json!([]), "{json}");
    assert_eq!(json["orphans"]["unseen"][0]["resource"], "us-west-2/orphans/servers", "{json}");
}
