//! `logs`, `who`, `users silent` and `users show --activity`: with real clients, and on a month of lines with known answers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::site::{Login, Running, Site, shown, succeeded, text, until, with_input};

const WEST: &str = "us-west-2";
const EAST: &str = "us-east-2";
const PASSWORD: &str = "Fake-Password-1";
const BUCKET: &str = "pl-pt99-5-uploads";

fn group(region: &str) -> String {
    format!("/aws/vendedlogs/transfer/99-upload-{region}")
}

/// The lines of a command in JSON, and its exit code.
fn lines(site: &Site, arguments: &[&str]) -> (Vec<Value>, i32) {
    let arguments = [arguments, &["--env", "99", "--local", "--output", "json"]].concat();
    let output = site.command(&arguments).output().unwrap();
    let lines = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, output.status.code().unwrap_or_else(|| panic!("{}", shown(&output))))
}

/// The events of `logs`.
fn events(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let (mut lines, code) = lines(site, &[&["logs"], arguments].concat());
    let end = lines.pop().unwrap();
    assert_eq!((&end["schema"], code), (&json!("sftpctl/logs/1"), 0), "{end}");
    assert!(lines.iter().all(|line| line["schema"] == "sftpctl/log-event/1"), "{lines:?}");
    lines
}

fn activities(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["activity"].as_str().unwrap()).collect()
}

#[test]
fn what_happened_in_two_regions_is_shown_by_time() {
    let site = Site::deployed("");
    let (jan, els) = (site.add(17578, "jan", PASSWORD), site.add(17579, "els", PASSWORD));
    std::fs::write(site.dir.path().join("order.csv"), "a;b;c\n").unwrap();
    succeeded("west", &site.sftp(site.port(WEST), &jan, "put order.csv\nrename order.csv done.csv\n"));
    assert!(!site.admits(site.port(EAST), &Login::new("els", "Wrong-Password-1")));
    succeeded("east", &site.sftp(site.port(EAST), &els, "put order.csv\nrm order.csv\n"));
    let all = until("all lines", || {
        let events = events(&site, &[]);
        let ended = activities(&events).iter().filter(|activity| **activity == "ended").count();
        let refused = events.iter().any(|event| event["log"] == "authorizer");
        (ended == 2 && refused).then_some(events)
    });
    let times: Vec<&str> = all.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |user: &str| -> Vec<String> {
        let events = events(&site, &["--user", user]);
        activities(&events).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(of("jan"), ["logged-in", "uploaded", "renamed", "ended"]);
    // The server's line of a refusal and the authorizer's, whichever is first; then the session.
    let els_did = of("els");
    assert_eq!(els_did[..2], ["log-in-refused", "log-in-refused"]);
    assert_eq!(els_did[2..], ["logged-in", "uploaded", "deleted", "ended"]);

    let failed = events(&site, &["--failed"]);
    let reasons: BTreeSet<&str> = failed.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert!(failed.len() == 2 && reasons.contains("wrong-password"), "{failed:?}");
    assert!(failed.iter().all(|event| event["user"] == "els" && event["source"] == "127.0.0.1"), "{failed:?}");
    assert!(events(&site, &["--region", WEST]).iter().all(|event| event["region"] == WEST));
    assert!(events(&site, &["--source", "192.0.2.1"]).is_empty());
    let session = all.iter().find(|event| event["user"] == "jan").unwrap()["session"].as_str().unwrap();
    assert_eq!(activities(&events(&site, &["--session", session])), ["logged-in", "uploaded", "renamed", "ended"]);
    let of_path = events(&site, &["--path", "/17578/done"]);
    assert_eq!((activities(&of_path), &of_path[0]["user"]), (vec!["renamed"], &json!("jan")));
    let newest = events(&site, &["--limit", "2"]);
    assert_eq!(newest[..], all[all.len() - 2..]);
    assert!(events(&site, &["--details"]).iter().any(|event| event["activity"] == "opened"));
    let before = events(&site, &["--since", "2d", "--until", "1d"]);
    assert!(before.is_empty(), "{before:?}");

    // In plain words, with the size and the new name.
    let said = site.ok(&["logs", "--env", "99", "--local"]);
    for words in [
        "logged in with OpenSSH_",
        &format!("uploaded /{BUCKET}/17578/order.csv (6 B)"),
        &format!("renamed /{BUCKET}/17578/order.csv to /{BUCKET}/17578/done.csv"),
        "log-in refused by the authorizer: the password is wrong",
        "ended the session",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("Password-1"), "{said}");

    let who = |path: &str, more: &[&str]| site.ok(&[&["who", path, "--env", "99", "--local"], more].concat());
    let said = who(&format!("/{BUCKET}/17579/order.csv"), &[]);
    assert!(said.contains("els deleted") && said.contains("in us-east-2, from 127.0.0.1, with OpenSSH_"), "{said}");
    let said = who(&format!("s3://{BUCKET}/17578/done.csv"), &[]);
    assert!(said.contains(&format!("jan renamed /{BUCKET}/17578/order.csv to")), "{said}");
    assert_eq!(who("done.csv", &["--orgid", "17578"]), said);
    let said = who("never.csv", &["--username", "jan"]);
    assert!(said.contains(&format!("nobody has changed /{BUCKET}/17578/never.csv over SFTP since")), "{said}");
    let said = site.ends_with(2, &["who", "done.csv", "--env", "99", "--local"]);
    assert!(said.contains("does not begin with an upload bucket") && said.contains("--username NAME"), "{said}");

    let said = site.ok(&["users", "show", "--env", "99", "--local", "--username", "jan", "--activity"]);
    assert!(said.contains("last log-in:\njan logged in with OpenSSH_"), "{said}");
    assert!(said.contains("last upload:\njan uploaded"), "{said}");

    // A region without its log group is named, and the others are shown.
    site.oracle("logs.py", &["remove", EAST, &group(EAST)]);
    let said = site.ends_with(6, &["logs", "--env", "99", "--local"]);
    assert!(said.contains(&format!("not read: us-east-2: the log group {} does not exist", group(EAST))), "{said}");
    assert!(said.contains("uploaded") && said.contains("the password is wrong"), "{said}");
    let (mut json, code) = lines(&site, &["logs"]);
    let end = json.pop().unwrap();
    assert_eq!((&end["unread"][0]["region"], &end["unread"][0]["missing"], code), (&json!(EAST), &json!(true), 6));
    site.ends_with(6, &["who", &format!("/{BUCKET}/17578/done.csv"), "--env", "99", "--local"]);
    let said = site.ends_with(6, &["users", "silent", "--env", "99", "--local"]);
    assert!(said.contains("us-east-2: the log group"), "{said}");
}

#[test]
fn what_happens_is_followed_until_the_user_asks_to_stop() {
    let site = Site::deployed("");
    let jan = site.add(17578, "jan", PASSWORD);
    let output = site.dir.path().join("followed");
    let mut command = site.command(&["logs", "--env", "99", "--local", "--follow", "--output", "json"]);
    command.stdout(std::fs::File::create(&output).unwrap()).stderr(Stdio::null());
    let mut follower = Running(command.spawn().unwrap());
    std::fs::write(site.dir.path().join("order.csv"), "a;b;c\n").unwrap();
    for name in ["one", "two"] {
        succeeded(name, &site.sftp(site.port(WEST), &jan, &format!("put order.csv {name}\n")));
        until("the upload", || {
            let said = std::fs::read_to_string(&output).unwrap();
            said.contains(&format!("/{BUCKET}/17578/{name}")).then_some(())
        });
    }
    let stopped = Command::new("kill").args(["-INT", &follower.0.id().to_string()]).status().unwrap();
    assert!(stopped.success() && follower.0.wait().unwrap().success());
    let said = std::fs::read_to_string(&output).unwrap();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let uploads: Vec<&Value> = lines.iter().filter(|line| line["activity"] == "uploaded").collect();
    assert_eq!(uploads.len(), 2, "each once: {said}");
    assert_eq!(lines.last().unwrap()["schema"], "sftpctl/logs/1");
}

/// A month of lines in two regions, and what is known of them.
#[derive(Default)]
struct Month {
    /// The lines of each region.
    lines: BTreeMap<&'static str, String>,
    uploads_of: BTreeMap<String, usize>,
    /// Milliseconds since 1970 of the last log-in.
    last_log_in: BTreeMap<String, i64>,
    /// Who was the last to change a file, how and when.
    changed: BTreeMap<String, (i64, String, &'static str)>,
    failures: usize,
    count: usize,
}

const DAY: i64 = 86_400_000;
const USERS: u64 = 40;

impl Month {
    /// The same lines each time, but for when they were.
    fn new(now: i64) -> Self {
        let (mut month, mut state) = (Self::default(), 1_u64);
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for session in 0..1_500_u64 {
            let region = if random(4) == 0 { EAST } else { WEST };
            let user = format!("user{}", random(USERS));
            let start = now - 29 * DAY + i64::try_from(random(29 * 86_400)).unwrap() * 1_000;
            let id = format!("{session:016x}");
            if random(10) == 0 {
                month.failures += 1;
                let line = json!({ "activity-type": "AUTH_FAILURE", "user": user, "source-ip": "203.0.113.9" });
                month.add(region, start, &line);
                continue;
            }
            let log_in = json!({ "activity-type": "CONNECTED", "user": user, "source-ip": "192.0.2.1",
                "client": "SSH-2.0-JSCH_0.2.8", "session-id": id });
            month.add(region, start, &log_in);
            let last = month.last_log_in.entry(user.clone()).or_default();
            *last = start.max(*last);
            for step in 1..=3 {
                let (time, file) = (start + step * 100, random(20));
                let path = format!("/{BUCKET}/shared/{file}.csv");
                let is_deleted = random(5) == 0;
                let (activity, word) = if is_deleted { ("DELETE", "deleted") } else { ("CLOSE", "uploaded") };
                let mut line = json!({ "activity-type": activity, "path": path, "session-id": id });
                if !is_deleted {
                    line["bytes-in"] = json!("12");
                    *month.uploads_of.entry(user.clone()).or_default() += 1;
                    let open = json!({ "activity-type": "OPEN", "path": path, "session-id": id });
                    month.add(region, time - 50, &open);
                }
                month.add(region, time, &line);
                let change = month.changed.entry(path).or_default();
                if time > change.0 {
                    *change = (time, user.clone(), word);
                }
            }
            month.add(region, start + 500, &json!({ "activity-type": "DISCONNECTED", "session-id": id }));
        }
        month
    }

    fn add(&mut self, region: &'static str, time: i64, line: &Value) {
        writeln!(self.lines.entry(region).or_default(), "{time}\t{line}").unwrap();
        self.count += 1;
    }
}

#[test]
fn a_month_of_lines_has_the_known_answers() {
    let site = Site::deployed("");
    let now = jiff::Timestamp::now().as_millisecond();
    let month = Month::new(now);
    for (region, lines) in &month.lines {
        let mut writer = site.oracle_command("logs.py");
        let output = with_input(writer.args(["write", region, &group(region), "generated"]), lines.as_bytes());
        succeeded("the lines", &output);
    }
    // More than FilterLogEvents has in a page.
    let all = events(&site, &["--since", "30d", "--details"]);
    assert_eq!(all.len(), month.count);
    assert!(month.count > 8_000, "{}", month.count);
    assert!(all.iter().all(|event| event["user"].is_string()), "every line's session is known");
    for user in ["user1", "user17"] {
        let of = events(&site, &["--since", "30d", "--user", user]);
        let uploads = of.iter().filter(|event| event["activity"] == "uploaded").count();
        assert_eq!(uploads, month.uploads_of[user], "{user}");
        assert!(of.iter().all(|event| event["user"] == user));
    }
    assert_eq!(events(&site, &["--since", "30d", "--failed"]).len(), month.failures);
    assert_eq!(events(&site, &["--since", "30d", "--source", "203.0.113.9"]).len(), month.failures);
    for path in month.changed.keys().take(3) {
        let (time, user, word) = &month.changed[path];
        let (found, code) = lines(&site, &["who", path]);
        let last = &found[0]["last"];
        assert_eq!((&last["user"], &last["activity"], code), (&json!(user), &json!(word), 0), "{path}");
        let at: jiff::Timestamp = last["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(at.as_millisecond(), *time, "{path}");
    }
    // One of three open accounts has logged in during the last five days.
    let is_recent = |user: &str| month.last_log_in[user] > now - 5 * DAY;
    let recent = (0..USERS).map(|user| format!("user{user}")).find(|user| is_recent(user)).unwrap();
    for (org_id, name) in [(1, recent.as_str()), (2, "never"), (3, "disabled"), (4, "nobody.else")] {
        site.add(org_id, name, PASSWORD);
    }
    site.ok(&["users", "disable", "--env", "99", "--local", "--username", "disabled"]);
    let (found, code) = lines(&site, &["users", "silent", "--days", "5"]);
    let names: BTreeSet<&str> = found.iter().filter_map(|line| line["username"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["never", "nobody.else"]));
    // The groups are a minute old: nobody knows what was before.
    let end = found.last().unwrap();
    assert_eq!((&end["silent"], &end["accounts"], code), (&json!(2), &json!(4), 6), "{end}");
    let regions = end["regions"].as_array().unwrap();
    assert!(regions.len() == 3 && regions.iter().all(|region| region["covers"] == false), "{end}");
}
