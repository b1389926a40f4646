//! A temporary folder with environments and a local cloud, and the tools that inspect them from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sftpctl_aws::{Aws, ConnectOptions, SessionCredentials};

pub use crate::programs::{authorizer, built, oracle, oracle_at, shown, succeeded, text, tool};
use crate::programs::{installed, root, sftpctl, venv};

/// Time limit for anything that a test waits for.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Pause between two probes, which leaves the processor to the programs that a test waits for.
const PAUSE: Duration = Duration::from_millis(10);

/// A folder with the environments, and a local cloud on its own port, which is stopped when this is dropped.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub cloud_port: u16,
}

/// Calls `probe` until it returns a value; fails after [`DEADLINE`].
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(PAUSE);
    }
}

/// Runs a program with `input` on its standard input.
pub fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program may end without reading its input; tests check its output.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The credentials of an account.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password: String,
}

impl Login {
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned() }
    }
}

impl Site {
    /// A running local cloud without deployments.
    #[expect(clippy::new_without_default, reason = "a default should not start processes")]
    pub fn new() -> Self {
        Self::with_times(&["--server-start-time", "200ms"])
    }

    /// A running local cloud, with these options of `local start` for simulated delays.
    pub fn with_times(times: &[&str]) -> Self {
        let site = Self::stopped();
        site.start(times);
        site
    }

    /// A folder whose local cloud is not started.
    pub fn stopped() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environments = dir.path().join("environments");
        std::fs::create_dir(&environments).unwrap();
        for name in ["99.yaml", "prod.yaml"] {
            std::fs::copy(root().join("environments").join(name), environments.join(name)).unwrap();
        }
        let cloud_port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self { dir, cloud_port }
    }

    /// Starts the local cloud; also used to restart it.
    pub fn start(&self, arguments: &[&str]) {
        self.ok(&[&["local", "start", "--port", &self.cloud_port.to_string()], arguments].concat());
    }

    pub fn cloud(&self) -> PathBuf {
        self.dir.path().join(".sftpctl/local")
    }

    /// A site with environment 99 deployed, after `added` was appended to its file.
    pub fn deployed(added: &str) -> Self {
        let site = Self::new();
        site.edit(|file| format!("{file}\n{added}"));
        site.deploy();
        site
    }

    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.dir.path().join("environments/99.yaml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(before)).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(sftpctl());
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("SFTPCTL_LOCAL_VENV", venv())
            .env("SFTPCTL_PACKAGE", authorizer())
            // The notes about folders of tests are of no use to the user.
            .env("XDG_STATE_HOME", self.dir.path().join("state-home"))
            .env_remove("RUST_LOG");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        succeeded(&format!("{arguments:?}"), &self.run(arguments))
    }

    pub fn ends_with(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        shown(&output)
    }

    pub fn deploy(&self) -> String {
        self.ok(&["deploy", "--env", "99", "--local", "--yes"])
    }

    /// Tears environment 99 down with its data. AWS keeps a table for a day after it was the source of a replica, so the
    /// first run may be able to delete only everything else.
    pub fn teardown_with_data(&self, more: &[&str]) {
        let arguments = [&["teardown", "--env", "99", "--local", "--yes", "--delete-data"], more].concat();
        let first = self.run(&arguments);
        let later = first.status.code() == Some(6) && shown(&first).contains("cannot be deleted yet");
        assert!(first.status.success() || later, "{}", shown(&first));
        if later {
            self.ok(&arguments);
        }
    }

    /// Deletes the state of environment 99.
    pub fn forget(&self) {
        std::fs::remove_file(self.cloud().join("state/99.json")).unwrap();
    }

    /// The IDs of the planned steps.
    pub fn planned(&self) -> Vec<String> {
        let lines = self.ok(&["plan", "--env", "99", "--local", "--output", "json"]);
        let plan: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.ok(&["local", "status", "--output", "json"])).unwrap()
    }

    /// Runs a command of `tests/oracle/deployed.py`, which reads or changes AWS through botocore.
    pub fn aws(&self, arguments: &[&str]) -> String {
        self.oracle("deployed.py", arguments)
    }

    /// Runs a script of `tests/oracle` whose first argument is the endpoint. Returns its output.
    pub fn oracle(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.oracle_command(script).args(arguments).output().unwrap();
        succeeded(&format!("{script} {arguments:?}"), &output).trim().to_owned()
    }

    pub fn oracle_command(&self, script: &str) -> Command {
        let mut command = oracle_at(script, &self.endpoint());
        command.env("SFTPCTL_LOCAL_SECRET", self.secret());
        command
    }

    /// The secret key of every account of the local cloud.
    pub fn secret(&self) -> String {
        std::fs::read_to_string(self.cloud().join("secret")).unwrap().trim().to_owned()
    }

    /// AWS as an account of the local cloud, with all permissions.
    pub async fn aws_of(&self, account: &str) -> Aws {
        let options = ConnectOptions {
            endpoint_url: Some(self.endpoint()),
            local_account: Some(account.to_owned()),
            home_region: "us-west-2".to_owned(),
            profile: None,
        };
        Aws::connect(options).await.with_credentials(SessionCredentials::of_account(account, &self.secret()))
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.cloud_port)
    }

    /// Ports of the servers' SFTP endpoints, by region.
    pub fn ports(&self) -> BTreeMap<String, u16> {
        let status = self.status();
        let servers = status["servers"].as_array().unwrap().iter();
        servers
            .map(|server| {
                let port = u16::try_from(server["port"].as_u64().unwrap()).unwrap();
                (server["region"].as_str().unwrap().to_owned(), port)
            })
            .collect()
    }

    pub fn port(&self, region: &str) -> u16 {
        self.ports()[region]
    }

    /// `sftpctl users …` on this site, with a password on standard input.
    pub fn users(&self, arguments: &[&str], password: &str) -> Output {
        let mut command = self.command(&["users"]);
        command.args(arguments).args(["--env", "99", "--local"]);
        with_input(&mut command, password.as_bytes())
    }

    /// Adds an account in cluster 99-5.
    pub fn add(&self, orgid: u32, username: &str, password: &str) -> Login {
        let orgid = orgid.to_string();
        let which = ["add", "--orgid", &orgid, "--username", username, "--cluster", "99-5", "--password-stdin"];
        succeeded(username, &self.users(&which, password));
        Login::new(username, password)
    }

    /// `sftpctl test-login` in all regions. Returns whether it succeeded, and its output.
    pub fn test_login(&self, login: &Login) -> (bool, String) {
        let mut command = self.command(&["test-login", "--env", "99", "--local", "--all-regions", "--password-stdin"]);
        let output = with_input(command.args(["--username", &login.username]), login.password.as_bytes());
        (output.status.success(), shown(&output))
    }

    /// A program of OpenSSH that logs in by password, which OpenSSH reads from an askpass script.
    pub fn openssh(&self, program: &str, login: &Login) -> Command {
        use std::os::unix::fs::PermissionsExt as _;
        let askpass = self.dir.path().join("askpass");
        if !askpass.exists() {
            std::fs::write(&askpass, "#!/bin/sh\nprintf '%s\\n' \"$SFTP_PASSWORD\"\n").unwrap();
            std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = tool(program, "openssh-client");
        command
            .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=no"])
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SFTP_PASSWORD", &login.password)
            .current_dir(self.dir.path());
        command
    }

    /// Runs a batch in OpenSSH's `sftp`.
    pub fn sftp(&self, port: u16, login: &Login, batch: &str) -> Output {
        let mut command = self.openssh("sftp", login);
        command.args(["-o", "NumberOfPasswordPrompts=1", "-b", "-", "-P", &port.to_string()]);
        with_input(command.arg(format!("{}@127.0.0.1", login.username)), batch.as_bytes())
    }

    /// Whether OpenSSH's `sftp` can log in and list its home folder.
    #[expect(clippy::print_stdout, reason = "the runner shows it if the test fails")]
    pub fn admits(&self, port: u16, login: &Login) -> bool {
        let output = self.sftp(port, login, "ls\n");
        if !output.status.success() {
            println!("{} is not admitted: {}", login.username, shown(&output));
        }
        output.status.success()
    }

    /// `tests/oracle/sftp_client.py`, a client that uses paramiko.
    pub fn paramiko(&self, port: u16, login: &Login) -> Command {
        let mut command = Command::new(installed("tools/bin/python"));
        command
            .arg(oracle("sftp_client.py"))
            .args([&port.to_string(), &login.username])
            .env("SFTP_PASSWORD", &login.password)
            .current_dir(self.dir.path());
        command
    }

    pub fn paramiko_ok(&self, port: u16, login: &Login, arguments: &[&str]) -> String {
        let output = self.paramiko(port, login).args(arguments).output().unwrap();
        if !output.status.success() {
            let logs = self.logs();
            let last: Vec<&str> = logs.lines().filter(|line| line.contains(&login.username)).collect();
            panic!("{arguments:?}: {}\n{}", shown(&output), last.join("\n"));
        }
        text(&output.stdout).trim().to_owned()
    }

    /// The local cloud's own logs.
    pub fn logs(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.cloud().join(name)).unwrap_or_default();
        read("front.log") + &read("ministack.log")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let output = self.run(&["local", "stop"]);
        if !std::thread::panicking() {
            succeeded("local stop", &output);
        }
    }
}

/// A process that is killed when this is dropped, also when the test fails.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
