//! Runs that are killed, slowed down or cut off: one more run completes the work. `scripts/crash-matrix` runs the whole
//! crash matrix, `scripts/sequences` runs more random sequences.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::site::{Running, Site, authorizer, shown, succeeded, tool, until};

const DEPLOY: [&str; 6] = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];

/// Adds a fault and returns its number.
fn fault(site: &Site, rule: &[&str]) -> String {
    let added: Value =
        serde_json::from_str(&site.ok(&[&["local", "faults", "add", "--output", "json"], rule].concat())).unwrap();
    added["id"].to_string()
}

fn faults(site: &Site) -> Value {
    serde_json::from_str(&site.ok(&["local", "faults", "list", "--output", "json"])).unwrap()
}

/// The region of each server.
fn servers(site: &Site) -> Vec<String> {
    let status = site.status();
    let mut regions: Vec<_> =
        status["servers"].as_array().unwrap().iter().map(|s| s["region"].as_str().unwrap().to_owned()).collect();
    regions.sort();
    regions
}

/// Runs this many cells of the crash matrix, with these options, among which are these scenarios.
fn crash_matrix(cells: &str, options: &[&str], scenarios: &[&str]) {
    let site = Site::new();
    let mut command = site.oracle_command("crash_matrix.py");
    command
        .arg(sftpctl_testkit::programs::sftpctl())
        .arg(site.dir.path().join("cells"))
        .args(["--sample", cells, "--seed", "28"])
        .args(options)
        .env("SFTPCTL_PACKAGE", authorizer())
        .env_remove("RUST_LOG");
    // The script fails by itself if a cell failed or was left out, or if too many runs ended before they were
    // disturbed.
    let output = succeeded("the crash matrix", &command.output().unwrap());
    assert!(output.contains(&format!("done {cells}: ")) && output.contains(" 0 failed"), "{output}");
    for scenario in scenarios {
        assert!(output.lines().any(|line| line.starts_with(&format!("{scenario}, state in "))), "{scenario}: {output}");
    }
}

#[test]
fn crash_matrix_sample_converges() {
    // This seed draws `plain` and `by hand`.
    crash_matrix("8", &["--draw", "1", "--seed", "72"], &["deploy", "import"]);
}

/// The calls for the dashboard alone: it is created, changed and deleted.
#[test]
fn crash_matrix_of_a_dashboard_converges() {
    crash_matrix("4", &["--chain", "dashboard", "--only", "Dashboard"], &[]);
}

/// The chains that the draw of the other sample leaves out and that change what customers and AWS WAF see of addresses.
#[test]
fn crash_matrix_sample_of_networks_and_web_acls_converges() {
    crash_matrix("12", &["--chain", "network", "--chain", "waf"], &["into a VPC", "release", "with WAF"]);
}

#[test]
fn random_sequences_match_the_model() {
    let site = Site::new();
    let mut command = site.oracle_command("sequences.py");
    command
        .arg(sftpctl_testkit::programs::sftpctl())
        .arg(site.dir.path().join("accounts"))
        .args(["--sequences", "4", "--steps", "8", "--seed", "21", "--shorten-minutes", "0"])
        .env("SFTPCTL_PACKAGE", authorizer())
        .env_remove("RUST_LOG");
    let output = succeeded("the sequences", &command.output().unwrap());
    assert!(output.contains(" and 4 of 9 steps") && output.contains(": 0 failed"), "{output}");
}

#[test]
fn lost_response_with_delayed_listing_creates_no_second_server() {
    let site = Site::new();
    fault(&site, &["transfer.ListServers", "hide-new=5s"]);
    killed_at(&site, &["transfer.CreateServer", "hold-after", "--region", "us-west-2", "--count", "1"]);
    // The server exists, no listing shows it yet, and its ID is recorded nowhere.
    let again = site.run(&DEPLOY);
    assert!(again.status.success(), "{}", shown(&again));
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);
}

/// Kills a deployment at a held call, which may or may not have taken effect.
fn killed_at(site: &Site, call: &[&str]) {
    let hold = fault(site, call);
    let mut run = Running(site.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the call is held", || (!faults(site)["holds"].as_array()?.is_empty()).then_some(()));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear", &hold]);
}

/// An import that finds everything adopted by a killed one has nothing to do but to close its journal.
#[test]
fn import_after_a_killed_one_closes_its_journal() {
    let site = Site::new();
    site.aws(&["make-role", "sftp-transfer"]);
    let import = ["import", "--env", "99", "--local", "global/user-role", "--yes"];
    let hold = fault(&site, &["iam.TagRole", "hold-after", "--count", "1"]);
    let mut run = Running(site.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the call is held", || (!faults(&site)["holds"].as_array()?.is_empty()).then_some(()));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear", &hold]);
    let document = |name: &str| std::fs::read_to_string(site.cloud().join("state").join(name)).unwrap();
    assert!(document("99.journal").contains("global/user-role") && !document("99.json").contains("global/user-role"));
    let output = site.run(&import);
    assert!(shown(&output).contains("Nothing to do"), "{}", shown(&output));
    assert!(!document("99.journal").contains("global/user-role"), "{}", document("99.journal"));
    assert!(document("99.json").contains("global/user-role"), "{}", document("99.json"));
}

#[test]
fn journaled_server_id_is_found_without_a_listing() {
    let site = Site::with_times(&["--server-start-time", "10m"]);
    fault(&site, &["transfer.ListServers", "hide-new=10m"]);
    let log = site.dir.path().join("deploy.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut run = Running(site.command(&DEPLOY).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    let starting = || std::fs::read_to_string(&log).unwrap().matches("Transfer server: STARTING").count();
    until("both servers start", || (starting() == 2).then_some(()));
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    // The next run waits for them longer than this test takes; a second server would be created at once.
    let file = std::fs::File::create(&log).unwrap();
    let mut again = Running(site.command(&DEPLOY).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap());
    until("it waits for both", || (starting() == 2).then_some(()));
    again.0.kill().unwrap();
    again.0.wait().unwrap();
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
}

#[test]
fn unverifiable_creation_stops_every_plan() {
    let site = Site::new();
    killed_at(&site, &["transfer.CreateServer", "hold-after", "--region", "us-west-2", "--count", "1"]);
    fault(&site, &["transfer.ListServers", "error=403:AccessDeniedException:no", "--region", "us-west-2"]);
    for arguments in [&DEPLOY[..], &["teardown", "--env", "99", "--local", "--yes"]] {
        let refused = site.run(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {}", shown(&refused));
    }
    let output = shown(&site.run(&DEPLOY));
    assert!(output.contains("an earlier run may have created resources that cannot be checked right now"), "{output}");
    site.ok(&["local", "faults", "clear"]);
    site.ok(&DEPLOY);
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn orphan_teardown_keeps_unreadable_intents_open() {
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
fn slow_polling_only_delays_a_deployment() {
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
fn clock_skew_is_reported_before_any_change() {
    let site = Site::new();
    // The account's hosted zone exists beforehand, as on AWS.
    site.planned();
    let words = "The difference between the request time and the current time is too large.";
    fault(&site, &["*", &format!("error=403:RequestTimeTooSkewed:{words}"), "--account", "111111111111"]);
    let endpoint = site.endpoint();
    let mut command = site.command(&["deploy", "--env", "99", "--yes", "--endpoint-url", &endpoint]);
    command.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", site.secret());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", shown(&refused));
    assert!(shown(&refused).contains("the clock of this machine is off"), "{}", shown(&refused));
    site.ok(&["local", "faults", "clear"]);
    assert_eq!(site.aws(&["left"]), "[]");
}

/// Mounts a small file system with the given options on a folder, for one program only: in a mount namespace of its
/// own, which needs no root.
const ON_A_MOUNT: &str = r#"
    mount -t tmpfs -o "$1" tmpfs "$2" || exit 97
    if [ "$3" = full ]; then head -c 65536 /dev/zero > "$2/filling" 2> /dev/null; fi
    shift 3
    exec "$@"
"#;

/// A folder on a small file system that only the run can see.
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
            "this test mounts a file system of its own: run it as root, or allow users to mount: \
             sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0\n{}",
            shown(&probe)
        );
        mount
    }

    /// `inner`, run with the file system mounted.
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

/// Asserts that a deployment with its state in `place` failed with an error that names the place, and changed nothing.
fn refuses_state(site: &Site, place: &Path, run: &Output, words: &str) {
    let (place, output) = (place.to_str().unwrap(), shown(run));
    assert_eq!(run.status.code(), Some(2), "{output}");
    assert!(output.contains(place) && output.contains(words) && output.contains("with --state"), "{output}");
    assert_eq!(site.aws(&["left"]), "[]", "{place}");
}

#[test]
fn unwritable_state_folder_stops_a_run_before_its_first_change() {
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
fn run_stopped_by_a_full_disk_resumes_with_another_state_folder() {
    let site = Site::new();
    // Room for the lock, the state and the head of the journal, each of which is written to a temporary file first.
    let stopped = Mount::new(&site, "small", "size=24k").deploy(&site);
    let output = shown(&stopped);
    assert!(matches!(stopped.status.code(), Some(1 | 2 | 6)), "{output}");
    assert!(output.contains("No space left on device"), "{output}");
    site.ok(&DEPLOY);
    assert_eq!(servers(&site), ["us-east-2", "us-west-2"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}
