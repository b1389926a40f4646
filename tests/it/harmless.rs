//! What the program itself writes when what it reads is hostile: arguments, files, the lock, items of the table, AWS's
//! errors, and the log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use sftpctl_testkit::harmless::{HOSTILE, harm};

use crate::site::shown;
use crate::stub::{Reply, Stub};

/// Everything hostile at once.
fn hostile() -> String {
    HOSTILE.concat()
}

/// Runs a command in a folder with environment 99, against an endpoint.
async fn run(dir: &Path, endpoint: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
    command.args(arguments).current_dir(dir).env("AWS_ENDPOINT_URL", endpoint).env_remove("AWS_PROFILE");
    // With -vv, also what the SDK logs of its settings. What it logs of answers is held back.
    command.env("AWS_CONFIG_FILE", dir.join(hostile().replace(['\0', '/'], "")));
    let level = if arguments.contains(&"-vv") { "trace" } else { "warn" };
    command.env("RUST_LOG", level).env_remove("GITHUB_WORKSPACE");
    command.envs([("AWS_ACCESS_KEY_ID", "111111111111"), ("AWS_SECRET_ACCESS_KEY", "fake-secret")]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Both streams, which must show something of what was hostile, and do no harm.
fn harmless(arguments: &[&str], output: &Output) -> String {
    let color = arguments.contains(&"always");
    for stream in [&output.stdout, &output.stderr] {
        assert_eq!(harm(stream, color), None, "{arguments:?}");
    }
    let all = shown(output);
    assert!(all.to_lowercase().contains("202e"), "{arguments:?}: {all}");
    all
}

fn environment() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("environments")).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/environments/99.yaml");
    std::fs::copy(file, dir.path().join("environments/99.yaml")).unwrap();
    dir
}

#[tokio::test]
async fn hostile_arguments_and_files_do_no_harm() {
    let (dir, text) = (environment(), hostile().replace('\0', ""));
    let name = text.replace('/', "");
    let file = format!("version: 1\n# {text}\nenvironment: \"{text}\"\n{text}: x\n");
    std::fs::write(dir.path().join("hostile.yaml"), file).unwrap();
    std::fs::write(dir.path().join("plan.json"), json!({ "version": 1, &text: 1 }).to_string()).unwrap();
    for (arguments, code) in [
        (&["validate", &text][..], 2),
        (&["local", &text], 2),
        (&["--color", "always", "validate", "--output", &text], 2),
        (&["doctor", "--env", "99", "--as", &text], 2),
        (&["validate", "--env-file", &name], 2),
        (&["validate", "--env-file", &name, "--output", "json"], 2),
        (&["validate", "--env-file", "hostile.yaml", "--annotations", "github"], 2),
        (&["validate", "--env-file", "hostile.yaml", "--color", "always"], 2),
        (&["validate", "--env-file", "hostile.yaml", "--output", "json"], 2),
        (&["plan", "--env-file", "hostile.yaml", "--annotations", "github"], 2),
    ] {
        let output = run(dir.path(), "http://127.0.0.1:1", arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        harmless(arguments, &output);
    }
}

#[tokio::test]
async fn hostile_locks_items_and_errors_do_no_harm() {
    let (dir, text, stub) = (environment(), hostile(), Stub::new().await);
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account>\
                  <Arn>arn:aws:iam::111111111111:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";
    stub.on("sts:GetCallerIdentity", [Reply::ok(caller)]);
    let state = dir.path().join(".sftpctl/state");
    std::fs::create_dir_all(&state).unwrap();
    let holder = json!({ "run": text, "command": text, "user": text, "host": text, "machine": text, "process": 1,
                         "processStarted": 1, "since": text });
    let lock =
        json!({ "version": 1, "serial": 1, "holder": holder, "seconds": 20, "renewed": text, "released": false });
    std::fs::write(state.join("99.lock"), lock.to_string()).unwrap();
    let account = |id: i64, attribute: &str| {
        let mut item = json!({ "orgid": { "N": id.to_string() }, "username": { "S": "jan" },
                               "HomeDirectory": { "S": "/pl-pt99-5-uploads/7" }, "password": { "S": "x" } });
        item[attribute] = json!({ "S": text });
        item
    };
    let attributes = ["username", "HomeDirectory", "password", "status", "createdAt", "updatedAt", "allowedSources"];
    let items: Vec<Value> = (1..).zip(attributes).map(|(id, attribute)| account(id, attribute)).collect();
    let page = json!({ "Items": items, "Count": items.len(), "ScannedCount": items.len() });
    stub.on("dynamodb:Scan", [Reply::ok(page.to_string())]);
    for arguments in [
        &["lock", "show", "--env", "99"][..],
        &["lock", "show", "--env", "99", "--output", "json"],
        &["users", "list", "--env", "99"],
        &["users", "list", "--env", "99", "--output", "json"],
        &["users", "list", "--env", "99", "--output", "csv"],
    ] {
        let output = run(dir.path(), stub.endpoint(), arguments).await;
        let all = harmless(arguments, &output);
        let is_formula = |line: &str| line.split(',').any(|cell| cell.trim_matches('"').starts_with(['=', '+', '@']));
        assert!(!arguments.contains(&"csv") || !all.lines().any(is_formula), "{all}");
    }
    stub.on("dynamodb:Scan", [Reply::json_error(400, "ValidationException", &text)]);
    for arguments in [
        &["users", "list", "--env", "99", "-vv"][..],
        &["users", "list", "--env", "99", "-vv", "--color", "always"],
        &["users", "list", "--env", "99", "--output", "json"],
    ] {
        let output = run(dir.path(), stub.endpoint(), arguments).await;
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        let all = harmless(arguments, &output);
        let is_log = |line: &str| (line.contains("TRACE") || line.contains("DEBUG")) && line.contains("owned");
        assert!(!arguments.contains(&"-vv") || all.lines().any(is_log), "{all}");
    }
}
