//! The console in a real Chromium, by keyboard, in front of a deployed environment.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;
use sftpctl_testkit::console::Console;
use sftpctl_testkit::programs::{installed, oracle};

use crate::site::{Login, Site, shown, succeeded, text, tool, until};

const WEST: &str = "us-west-2";
const BOT: &str = "198.51.100.7";
/// A name that would be markup, if the page made markup of names.
const FILE: &str = "<img src=x onerror=alert(1)>.txt";

/// `tests/oracle/console.py` with its arguments.
fn chromium(address: &str, arguments: &[&str]) -> Command {
    // It names the package if Chromium is missing.
    tool("chromium-headless-shell", "chromium-headless-shell");
    let mut command = tool("python3", "python3");
    command.arg(oracle("console.py")).arg(address).args(arguments);
    command
}

/// What a person does in the browser, and what it shows.
fn browse(address: &str, arguments: &[&str]) -> Value {
    let output = chromium(address, arguments).output().unwrap();
    let printed = succeeded(&format!("console.py {arguments:?}"), &output);
    serde_json::from_str(printed.lines().last().unwrap()).unwrap()
}

/// A deployed environment with a customer who has logged in, uploaded a file, and tried a wrong password.
fn site_with_a_customer() -> (Site, Login) {
    let site = Site::deployed("guard: {}\n");
    let jan = site.add(17578, "jan", "correct horse");
    let local = site.dir.path().join("upload.csv");
    std::fs::write(&local, "a,b\n").unwrap();
    let put = format!("put {} \"{FILE}\"\n", local.display());
    succeeded("put", &site.sftp(site.port(WEST), &jan, &put));
    assert!(!site.admits(site.port(WEST), &Login::new("jan", "wrong")));
    assert!(!site.admits(site.port(WEST), &Login::new("jann", "correct horse")));
    site.ok(&["guard", "ban", BOT, "--env", "99", "--local", "--region", WEST]);
    until("the logs have both", || {
        let lines = site.ok(&["logs", "--env", "99", "--local", "--output", "json"]);
        ["wrong-password", "unknown-user", "\"uploaded\""].iter().all(|word| lines.contains(word)).then_some(())
    });
    (site, jan)
}

#[test]
fn a_password_is_reset_by_keyboard_and_logs_in() {
    let (site, jan) = site_with_a_customer();
    let console = Console::start(&site, &["--write"]);
    let done = browse(&console.address, &["reset", "jan"]);
    let new = Login::new("jan", done["password"].as_str().unwrap());
    assert!(site.admits(site.port(WEST), &new) && !site.admits(site.port(WEST), &jan));

    let done = browse(&console.address, &["turn", "jan", "Disable"]);
    assert_eq!(done["badge"], "Disabled");
    assert!(!site.admits(site.port(WEST), &new));
    let seen = browse(&console.address, &["look", "17578"]);
    let refused = seen["refused"].as_str().unwrap();
    assert!(refused.contains("the account is disabled") && refused.contains("Enable it only if"), "{refused}");
    let done = browse(&console.address, &["turn", "jan", "Enable"]);
    assert_eq!(done["badge"], "Active");
    assert!(site.admits(site.port(WEST), &new));

    let done = browse(&console.address, &["unban", BOT]);
    assert!(done["before"].as_str().unwrap().contains(BOT) && !done["after"].as_str().unwrap().contains(BOT), "{done}");
    let listed = site.ok(&["guard", "list", "--env", "99", "--local", "--output", "json"]);
    assert!(!listed.contains(BOT), "{listed}");

    // Who did it finds each change at the terminal, and no password.
    let (status, errors) = console.stop();
    assert!(status.success(), "{status}");
    for change in ["users passwd", "users disable", "users enable"] {
        let line = format!(" sftpctl {change} --env 99 --local --username=jan");
        assert!(errors.lines().any(|said| said.contains(&line) && said.ends_with(": done")), "{change}: {errors}");
    }
    assert!(errors.contains(&format!(" -- {BOT}: done")), "{errors}");
    assert!(!errors.contains(&new.password) && !errors.contains("look "), "{errors}");
}

#[test]
fn a_help_desk_sees_why_and_changes_nothing_without_write() {
    let (site, jan) = site_with_a_customer();
    let console = Console::start(&site, &[]);
    let seen = browse(&console.address, &["look", "jan"]);
    let part = |name: &str| seen[name].as_str().unwrap().to_owned();
    assert!(part("about").contains("Environment 99") && part("about").contains("Read-only"), "{seen}");
    for word in ["jan", "Active", "17578", "/17578", "This console only reads"] {
        assert!(part("found").contains(word), "{word}: {seen}");
    }
    for word in ["Last log-in", "Logged in with OpenSSH", "127.0.0.1", FILE, WEST] {
        assert!(part("last").contains(word), "{word}: {seen}");
    }
    let refused = part("refused");
    assert!(refused.contains("Log-in refused: the password is wrong") && refused.contains("1 time,"), "{refused}");
    assert!(refused.contains("delete the saved password"), "{refused}");
    assert!(part("events").contains(FILE), "{seen}");
    let regions = part("regions-found");
    assert_eq!(regions.matches("Customers can log in").count(), 2, "{regions}");
    assert!(regions.contains("us-east-1\nStands by") && regions.contains("99-uploads-us-west-2.xx.net"), "{regions}");
    assert!(part("bots").contains(BOT) && part("bots").contains("1 ban."), "{seen}");
    let buttons = ["Find", "Read regions again", "Read bans again"].map(Value::from);
    assert_eq!(seen["buttons"], Value::from(buttons.to_vec()), "no button changes anything");

    // A misspelled name is in the logs under that name.
    let seen = browse(&console.address, &["look", "jann"]);
    let found = seen["found"].as_str().unwrap();
    assert!(found.contains("Log-ins that were tried as jann"), "{found}");
    assert!(found.contains("there is no account of this name") && found.contains("Compare the spelling"), "{found}");
    let seen = browse(&console.address, &["look", "-h"]);
    assert!(!seen["found"].as_str().unwrap().contains("Usage"), "{seen}");

    assert!(site.admits(site.port(WEST), &jan));
    // Without the token, the page offers nothing.
    let seen = browse(&console.address, &["stranger"]);
    assert!(seen["text"].as_str().unwrap().contains("open the address that `sftpctl console` printed"), "{seen}");
    assert_eq!(seen["enabled"], 0);
    // When it has ended, the page says so.
    let mut command = chromium(&console.address, &["ended", "jan"]);
    let mut open = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(open.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    assert!(console.stop().0.success());
    writeln!(open.stdin.take().unwrap()).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let output = open.wait_with_output().unwrap();
    assert!(rest.contains("The console does not answer"), "{rest} {}", shown(&output));
}

/// Who cannot log in has a word for it beside the name.
#[test]
fn badges_name_accounts_that_admit_nobody() {
    let site = Site::deployed("");
    site.add(17578, "jan", "correct horse");
    site.add(17579, "piet", "correct horse");
    site.ok(&["users", "expire", "--env", "99", "--local", "--username", "piet", "--at", "2020-01-31"]);
    let item = r#"{"orgid": {"N": "17580"}, "username": {"S": "kees"}, "status": {"S": "active"},
        "HomeDirectory": {"S": "/pl-pt99-5-uploads/17580"}, "password": {"S": "no hash"}}"#;
    site.oracle("door.py", &["item", item]);
    let console = Console::start(&site, &[]);
    for (name, badge, fact) in [
        ("jan", "Active", "17578"),
        ("piet", "Expired", "Ended\n2020-01-31"),
        ("kees", "Damaged", "not a hash in a known form"),
    ] {
        let seen = browse(&console.address, &["badge", name]);
        assert_eq!(seen["badge"], badge, "{seen}");
        assert!(seen["facts"].as_str().unwrap().contains(fact), "{fact}: {seen}");
    }
    // Without a guard, that is said, and no error.
    let seen = browse(&console.address, &["bots"]);
    assert_eq!(
        (&seen["text"], &seen["problems"]),
        (&"This environment has no guard: nobody is banned.".into(), &0.into())
    );
    let said = site.run(&["guard", "list", "--env", "99", "--local", "--output", "json"]);
    let error: Value = serde_json::from_str(text(&said.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&error["schema"], &error["reason"]), (&"sftpctl/error/1".into(), &"no-guard".into()), "{error}");
}

/// Before a customer is banned, the help desk sees that it is near.
#[test]
fn who_is_close_to_a_ban_is_shown() {
    let site = Site::deployed("guard: {}\n");
    site.add(17578, "jan", "correct horse");
    let console = Console::start(&site, &[]);
    let seen = browse(&console.address, &["bots"]);
    assert_eq!((&seen["titles"], &seen["status"]), (&serde_json::json!([]), &"Nobody is banned.".into()), "{seen}");
    let port = site.port(WEST).to_string();
    let mut wrong = Command::new(installed("tools/bin/python"));
    wrong.arg(oracle("bots.py")).args([port.as_str(), "jan", "try", "127.8.0.9"]).env("SFTP_PASSWORD", "wrong");
    assert_eq!(succeeded("bots.py", &wrong.output().unwrap()).trim(), "refused");
    let seen = until("the refusal is counted", || {
        let seen = browse(&console.address, &["bots"]);
        (seen["titles"] != serde_json::json!([])).then_some(seen)
    });
    assert_eq!(
        (&seen["titles"], &seen["status"]),
        (&serde_json::json!(["Close to a ban"]), &"Nobody is banned.".into())
    );
    let said = seen["text"].as_str().unwrap();
    assert!(said.contains("127.8.0.9") && said.contains("point") && said.contains("us-west-2"), "{said}");
}

/// Ctrl-C in the middle of a change: it is completed, and the terminal says so.
#[test]
fn a_change_under_way_is_completed_when_the_console_ends() {
    let site = Site::deployed("");
    let jan = site.add(17578, "jan", "correct horse");
    let console = Console::start(&site, &["--write"]);
    let held = || -> usize {
        let faults: Value = serde_json::from_str(&site.ok(&["local", "faults", "list", "--output", "json"])).unwrap();
        faults["holds"].as_array().unwrap().len()
    };
    let mutations =
        ["dynamodb.UpdateItem", "dynamodb.PutItem", "dynamodb.TransactWriteItems", "dynamodb.ExecuteStatement"];
    for call in mutations {
        site.ok(&["local", "faults", "add", call, "hold-before", "--count", "1"]);
    }
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| console.post("/api/disable", r#"{"username":"jan"}"#));
        until("the change is under way", || (held() == 1).then_some(()));
        console.interrupt();
        // No new questions are taken from now on; what is under way is waited for.
        until("it takes no more connections", || {
            std::net::TcpStream::connect(("127.0.0.1", console.port)).is_err().then_some(())
        });
        assert_eq!(held(), 1, "the change goes on");
        site.ok(&["local", "faults", "clear"]);
        asking.join().unwrap()
    });
    assert_eq!((answer.status, &answer.json()["exit"]), (200, &0.into()), "{answer:?}");
    let (status, errors) = console.stop();
    assert!(status.success(), "{status}");
    let line = " sftpctl users disable --env 99 --local --username=jan: done";
    assert!(errors.lines().any(|said| said.ends_with(line)), "{errors}");
    assert!(!site.admits(site.port(WEST), &jan));
}

#[test]
fn everybody_can_use_the_page() {
    let (site, _) = site_with_a_customer();
    let console = Console::start(&site, &["--write"]);
    let axe = installed("tools/node/node_modules/axe-core/axe.min.js");
    let done = browse(&console.address, &["accessible", "jan", axe.to_str().unwrap()]);
    assert!(done["passes"].as_u64().unwrap() > 100, "{done}");
}

/// A page of another server of this machine neither reads from the console nor shows it in a frame.
#[test]
fn other_pages_get_nothing_from_the_console() {
    let site = Site::stopped();
    let console = Console::start(&site, &["--write"]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let other = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let body = "<!doctype html><title>other</title>";
        // Of the page and what a browser asks for beside it.
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or_default();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            if text(&head[..read]).starts_with("GET /end") {
                break;
            }
        }
    });
    let tried = browse(&console.address, &["frame", &other]);
    let results: Vec<&str> = tried["results"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    // Not even what a page may send anywhere without seeing the answer.
    assert_eq!(results, ["refused"; 4], "{tried}");
    assert_eq!(tried["inside"], Value::Null, "{tried}");
    assert!(tried["shown"][0].as_str().unwrap().starts_with("chrome-error:"), "{tried}");
    assert_eq!(console.get("/api/about").status, 200, "it was there all the time");
    let mut end = std::net::TcpStream::connect(other.split('/').nth(2).unwrap()).unwrap();
    write!(end, "GET /end HTTP/1.0\r\n\r\n").unwrap();
    server.join().unwrap();
}
