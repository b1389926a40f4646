//! Killed, slowed, cut short: one more run makes it good. The whole crash matrix is `scripts/crash-matrix`, more random
//! sequences are made by `scripts/sequences`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::{Running, Site, authorizer, shown, succeeded, tool, until};

const DEPLOY: [&str; 6] = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];

/// Adds a fault; its number.
fn fault(site: &Site, rule: &[&str]) -> String {
    let added: Value =
        serde_json::from_str(&site.ok(&[&["local", "faults", "add", "--output", "json"], rule].concat())).unwrap();
    added["id"].to_string()
}

fn faults(site: &Site) -> Value {
    serde_json::from_str(&site.ok(&["local", "faults", "list", "--output", "json"])).unwrap()
}

/// The regions that have a server, one for each server.
fn servers(site: &Site) -> Vec<String> {
    let status = site.status();
    let mut regions: Vec<_> =
        status["servers"].as_array().unwrap().iter().map(|s| s["region"].as_str().unwrap().to_owned()).collect();
    regions.sort();
    regions
}

#[test]
fn a_sample_of_the_crash_matrix_converges() {
    let site = Site::new();
    let mut command = site.oracle_command("crash_matrix.py");
    command
        .arg(sftpctl_testkit::programs::sftpctl())
        .arg(site.dir.path().join("cells"))
        .args(["--sample", "8", "--seed", "6", "--draw", "1"])
        .env("SFTPCTL_PACKAGE", authorizer())
        .env_remove("RUST_LOG");
    // It fails by itself where a cell failed, was left out, or too many runs were over before they were disturbed.
    let said = succeeded("the crash matrix", &command.output().unwrap());
    assert!(said.contains("done 8: ") && said.contains(" 0 failed"), "{said}");
}

#[test]
fn a_few_random_sequences_end_as_the_model_says() {
    let site = Site::new();
    let mut command = site.oracle_command("sequences.py");
    command
        .arg(sftpctl_testkit::programs::sftpctl())
        .arg(site.dir.path().join("accounts"))
        .args(["--sequences", "4", "--steps", "8", "--seed", "21", "--shorten-minutes", "0"])
        .env("SFTPCTL_PACKAGE", authorizer())
        .env_remove("RUST_LOG");
    let said = succeeded("the sequences", &command.output().unwrap());
    assert!(said.contains(" and 4 of 9 steps") && said.contains(": 0 failed"), "{said}");
}

#[test]
fn a_lost_answer_and_a_late_listing_make_no_second_server() {
    let site = Site::new();
    fault(&site, &["transfer.ListServers", "hide-new=5s"]);
    killed_at(&site, &["transfer.CreateServer", "hold-after", "--region", "us-west-2", "--count", "1"]);
    // The server is there, no listing shows it yet, and its id is known to nobody.
    let again = site.run(&DEPLOY);
    assert!(again.status.success(), "{}", shown(&again));
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);
}

/// Kills a deployment at a held call, which may have taken effect.
fn killed_at(site: &Site, call: &[&str]) {
    let hold = fault(site, call);
    let mut run = Running(site.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the call is held", || (!faults(site)["holds"].as_array()?.is_empty()).then_some(()));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear", &hold]);
}

#[test]
fn a_server_whose_id_is_in_the_journal_needs_no_listing() {
    let site = Site::with_times(&["--server-start-time", "10m"]);
    fault(&site, &["transfer.ListServers", "hide-new=10m"]);
    let log = site.dir.path().join("deploy.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut run = Running(site.command(&DEPLOY).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    let starting = || std::fs::read_to_string(&log).unwrap().matches("Transfer server: STARTING").count();
    until("both servers start", || (starting() == 2).then_some(()));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    // The next run waits for them, which takes longer than this test; what it makes it would make at once.
    let file = std::fs::File::create(&log).unwrap();
    let mut again = Running(site.command(&DEPLOY).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    until("it waits for both", || (starting() == 2).then_some(()));
    again.0.kill().unwrap();
    again.0.wait().unwrap();
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
}

#[test]
fn what_may_have_been_made_and_cannot_be_looked_for_stops_every_plan() {
    let site = Site::new();
    killed_at(&site, &["transfer.CreateServer", "hold-after", "--region", "us-west-2", "--count", "1"]);
    fault(&site, &["transfer.ListServers", "error=403:AccessDeniedException:no", "--region", "us-west-2"]);
    for arguments in [&DEPLOY[..], &["teardown", "--env", "99", "--local", "--yes"]] {
        let refused = site.run(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {}", shown(&refused));
    }
    let said = shown(&site.run(&DEPLOY));
    assert!(said.contains("an earlier run may have made what cannot be looked for now"), "{said}");
    site.ok(&["local", "faults", "clear"]);
    site.ok(&DEPLOY);
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn a_run_about_orphans_leaves_open_what_cannot_be_read() {
    let site = Site::new();
    killed_at(&site, &["lambda.AddPermission", "hold-before", "--region", "us-west-2", "--count", "1"]);
    fault(&site, &["lambda.GetPolicy", "error=403:AccessDeniedException:no"]);
    let refused = site.run(&["teardown", "--env", "99", "--local", "--orphans", "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "{}", shown(&refused));
    let journal = std::fs::read_to_string(site.dir.path().join(".sftpctl/local/state/99.journal")).unwrap();
    let trigger: Vec<&str> = journal.lines().filter(|line| line.contains("us-west-2/trigger")).collect();
    assert!(trigger.len() == 1 && trigger[0].contains("\"intent\""), "{journal}");
}

#[test]
fn slow_polls_make_a_slow_deployment() {
    let site = Site::new();
    for call in ["transfer.DescribeServer", "cloudformation.Describe*", "dynamodb.DescribeTable"] {
        fault(&site, &[call, "delay=1500ms", "--skip", "1", "--count", "3"]);
    }
    fault(&site, &["transfer.DescribeServer", "error500", "--count", "6"]);
    site.ok(&DEPLOY);
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn a_wrong_clock_is_named_before_anything_is_changed() {
    let site = Site::new();
    // The account's zone is there before, as on AWS.
    site.planned();
    let words = "The difference between the request time and the current time is too large.";
    fault(&site, &["*", &format!("error=403:RequestTimeTooSkewed:{words}"), "--account", "111111111111"]);
    let endpoint = site.endpoint();
    let mut command = site.command(&["deploy", "--env", "99", "--yes", "--endpoint-url", &endpoint]);
    command.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", "fake-secret");
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", shown(&refused));
    assert!(shown(&refused).contains("the clock of this machine is off"), "{}", shown(&refused));
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(site.aws(&["left"]), "[]");
}

/// Mounts a small file system, with options, on a folder, for the one program that it runs: in a space of its own, which
/// needs no root.
const ON_A_MOUNT: &str = r#"
    mount -t tmpfs -o "$1" tmpfs "$2" || exit 97
    if [ "$3" = full ]; then head -c 65536 /dev/zero > "$2/filling" 2> /dev/null; fi
    shift 3
    exec "$@"
"#;

/// A folder on a small file system of which only the run sees anything.
struct Mount<'a> {
    place: PathBuf,
    options: &'a str,
    full: bool,
}

impl<'a> Mount<'a> {
    fn new(site: &Site, name: &str, options: &'a str) -> Self {
        let place = site.dir.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        let mount = Self { place, options, full: false };
        let probe = mount.around(&Command::new("true")).output().unwrap();
        assert!(
            probe.status.success(),
            "this test mounts a file system of its own: run it as root, or let users do that: \
             sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0\n{}",
            shown(&probe)
        );
        mount
    }

    /// The command, where the file system is.
    fn around(&self, inner: &Command) -> Command {
        let mut command = tool("unshare", "util-linux");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", ON_A_MOUNT, "sh", self.options]);
        command.arg(&self.place).arg(if self.full { "full" } else { "empty" });
        command.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(inner.get_current_dir().unwrap_or(Path::new("/")));
        command
    }

    fn deploy(&self, site: &Site) -> Output {
        let arguments = [&DEPLOY[..], &["--state", self.place.to_str().unwrap()]].concat();
        self.around(&site.command(&arguments)).output().unwrap()
    }
}

/// A deployment with its state in `place` ends with an error that names the place, and has changed nothing.
fn refuses_state(site: &Site, place: &Path, run: &Output, words: &str) {
    let (place, said) = (place.to_str().unwrap(), shown(run));
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains(place) && said.contains(words) && said.contains("--state names"), "{said}");
    assert_eq!(site.aws(&["left"]), "[]", "{place}");
}

#[test]
fn a_state_folder_that_takes_no_writes_stops_a_run_before_its_first_change() {
    let site = Site::new();
    let file = site.dir.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    for place in [file.clone(), file.join("below")] {
        let run = site.run(&[&DEPLOY[..], &["--state", place.to_str().unwrap()]].concat());
        refuses_state(&site, &place, &run, "Not a directory");
    }
    let read_only = Mount::new(&site, "read-only", "ro,size=64k");
    refuses_state(&site, &read_only.place, &read_only.deploy(&site), "Read-only file system");
    let full = Mount { full: true, ..Mount::new(&site, "full", "size=16k") };
    refuses_state(&site, &full.place, &full.deploy(&site), "No space left on device");
}

#[test]
fn a_disk_that_fills_up_stops_a_run_that_another_place_lets_go_on() {
    let site = Site::new();
    // Room for lock, state and the journal's beginning, each written beside its place first.
    let stopped = Mount::new(&site, "small", "size=24k").deploy(&site);
    let said = shown(&stopped);
    assert!(matches!(stopped.status.code(), Some(1 | 2 | 6)), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    site.ok(&DEPLOY);
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}
