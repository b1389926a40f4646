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
