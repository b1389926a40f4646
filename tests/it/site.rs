//! A folder with environments and a local cloud of its own, and the tools that inspect it from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Another program of this workspace: Cargo builds it beside `sftpctl` when it builds the tests of its crate.
pub(crate) fn built(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_sftpctl")).with_file_name(name);
    assert!(path.exists(), "{} is missing: cargo build --bins", path.display());
    path
}

/// A folder with the environments and a running local cloud, which is stopped on drop.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
}

/// The virtual environment that sftpctl creates for its local cloud; botocore is in it.
fn venv() -> PathBuf {
    std::env::var_os("SFTPCTL_LOCAL_VENV")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("local-venv"), PathBuf::from)
}

/// The authorizer without its symbols, as in releases: nearly every test zips, uploads and unpacks it, and two thirds
/// of it are symbols.
pub(crate) fn authorizer() -> &'static Path {
    static STRIPPED: OnceLock<PathBuf> = OnceLock::new();
    STRIPPED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let stripped = tempfile::Builder::new().prefix("sftp-authorizer").tempfile_in(folder).unwrap().into_temp_path();
        let output = tool("strip", "binutils").arg("-o").arg(&stripped).arg(built("sftp-authorizer")).output();
        succeeded("strip", &output.unwrap());
        // Replaced atomically, because another run of the tests may be using it.
        let path = folder.join("sftp-authorizer");
        stripped.persist(&path).unwrap();
        path
    })
}

/// The Python of the tools that `scripts/test` installs.
fn tools_python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/test, which installs it", python.display());
    python
}

fn oracle(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(script)
}

/// A script of `tests/oracle` with the endpoint as its first argument.
pub(crate) fn oracle_at(script: &str, endpoint: &str) -> Command {
    let mut command = Command::new(venv().join("bin/python"));
    command.arg(oracle(script)).arg(endpoint);
    command
}

/// A program of this machine; if it is missing, the test fails with the command that installs it.
pub(crate) fn tool(name: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    assert!(found, "{name} is missing: apt-get install {package}");
    Command::new(name)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn shown(output: &Output) -> String {
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// The standard output of a command that must have succeeded.
pub(crate) fn succeeded(what: &str, output: &Output) -> String {
    assert!(output.status.success(), "{what}: {}", shown(output));
    text(&output.stdout)
}

/// Calls `probe` until it returns something; fails after [`DEADLINE`].
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::yield_now();
    }
}

/// Runs a program with `input` on its standard input.
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program may end without reading; its output decides.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The name and password of a log-in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl Login {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned() }
    }
}

impl Site {
    /// A local cloud with nothing deployed.
    pub(crate) fn new() -> Self {
        Self::with_times(&["--server-start-time", "200ms"])
    }

    /// A local cloud with these delays: options of `sftpctl local start`.
    pub(crate) fn with_times(times: &[&str]) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        let environments = site.dir.path().join("environments");
        std::fs::create_dir(&environments).unwrap();
        for name in ["99.yaml", "prod.yaml"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments").join(name);
            std::fs::copy(source, environments.join(name)).unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let port = port.to_string();
        site.ok(&[&["local", "start", "--port", &port], times].concat());
        site
    }

    /// Environment 99 with `added` appended to its file, deployed.
    pub(crate) fn deployed(added: &str) -> Self {
        let site = Self::new();
        site.edit(|file| format!("{file}\n{added}"));
        site.deploy();
        site
    }

    /// Changes the environment file.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.dir.path().join("environments/99.yaml");
        let before = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(before)).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("SFTPCTL_LOCAL_VENV", venv())
            .env("SFTPCTL_PACKAGE", authorizer())
            .env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        succeeded(&format!("{arguments:?}"), &self.run(arguments))
    }

    pub(crate) fn ends_with(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        shown(&output)
    }

    pub(crate) fn deploy(&self) -> String {
        self.ok(&["deploy", "--env", "99", "--local", "--yes"])
    }

    /// Deletes the state of environment 99.
    pub(crate) fn forget(&self) {
        std::fs::remove_file(self.dir.path().join(".sftpctl/local/state/99.json")).unwrap();
    }

    /// The IDs of the planned steps.
    pub(crate) fn planned(&self) -> Vec<String> {
        let lines = self.ok(&["plan", "--env", "99", "--local", "--output", "json"]);
        let plan: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        plan["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.ok(&["local", "status", "--output", "json"])).unwrap()
    }

    /// Inspects or changes AWS with botocore: a command of `tests/oracle/deployed.py`.
    pub(crate) fn aws(&self, arguments: &[&str]) -> String {
        self.oracle("deployed.py", arguments)
    }

    /// Runs a script of `tests/oracle` against this site's endpoint and returns its trimmed output.
    pub(crate) fn oracle(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.oracle_command(script).args(arguments).output().unwrap();
        succeeded(&format!("{script} {arguments:?}"), &output).trim().to_owned()
    }

    pub(crate) fn oracle_command(&self, script: &str) -> Command {
        oracle_at(script, &self.endpoint())
    }

    pub(crate) fn endpoint(&self) -> String {
        self.status()["endpoint"].as_str().unwrap().to_owned()
    }

    /// Ports of the servers' SFTP endpoints, by region.
    pub(crate) fn ports(&self) -> BTreeMap<String, u16> {
        let status = self.status();
        let servers = status["servers"].as_array().unwrap().iter();
        servers
            .map(|server| {
                let port = u16::try_from(server["port"].as_u64().unwrap()).unwrap();
                (server["region"].as_str().unwrap().to_owned(), port)
            })
            .collect()
    }

    pub(crate) fn port(&self, region: &str) -> u16 {
        self.ports()[region]
    }

    /// Runs `sftpctl users …` on this site, with a password on standard input.
    pub(crate) fn users(&self, arguments: &[&str], password: &str) -> Output {
        let mut command = self.command(&["users"]);
        command.args(arguments).args(["--env", "99", "--local"]);
        with_input(&mut command, password.as_bytes())
    }

    /// Adds an account in cluster 99-5.
    pub(crate) fn add(&self, orgid: u32, username: &str, password: &str) -> Login {
        let orgid = orgid.to_string();
        let which = ["add", "--orgid", &orgid, "--username", username, "--cluster", "99-5", "--password-stdin"];
        succeeded(username, &self.users(&which, password));
        Login::new(username, password)
    }

    /// Runs `sftpctl test-login` in all regions; returns whether it succeeded, and its output.
    pub(crate) fn test_login(&self, login: &Login) -> (bool, String) {
        let mut command = self.command(&["test-login", "--env", "99", "--local", "--all-regions", "--password-stdin"]);
        let output = with_input(command.args(["--username", &login.username]), login.password.as_bytes());
        (output.status.success(), shown(&output))
    }

    /// An OpenSSH program that logs in with a password, which it reads from an askpass script.
    pub(crate) fn openssh(&self, program: &str, login: &Login) -> Command {
        use std::os::unix::fs::PermissionsExt as _;
        let asked = self.dir.path().join("askpass");
        if !asked.exists() {
            std::fs::write(&asked, "#!/bin/sh\nprintf '%s\\n' \"$SFTP_PASSWORD\"\n").unwrap();
            std::fs::set_permissions(&asked, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = tool(program, "openssh-client");
        command
            .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no", "-o", "BatchMode=no"])
            .env("SSH_ASKPASS", asked)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SFTP_PASSWORD", &login.password)
            .current_dir(self.dir.path());
        command
    }

    /// Runs a batch in OpenSSH's `sftp`.
    pub(crate) fn sftp(&self, port: u16, login: &Login, batch: &str) -> Output {
        let mut command = self.openssh("sftp", login);
        command.args(["-o", "NumberOfPasswordPrompts=1", "-b", "-", "-P", &port.to_string()]);
        with_input(command.arg(format!("{}@127.0.0.1", login.username)), batch.as_bytes())
    }

    /// Whether OpenSSH's `sftp` gets in and sees its home.
    pub(crate) fn admits(&self, port: u16, login: &Login) -> bool {
        self.sftp(port, login, "ls\n").status.success()
    }

    /// paramiko: a command of `tests/oracle/sftp_client.py`.
    pub(crate) fn paramiko(&self, port: u16, login: &Login) -> Command {
        let mut command = Command::new(tools_python());
        command
            .arg(oracle("sftp_client.py"))
            .args([&port.to_string(), &login.username])
            .env("SFTP_PASSWORD", &login.password)
            .current_dir(self.dir.path());
        command
    }

    pub(crate) fn paramiko_ok(&self, port: u16, login: &Login, arguments: &[&str]) -> String {
        let output = self.paramiko(port, login).args(arguments).output().unwrap();
        succeeded(&format!("{arguments:?}"), &output).trim().to_owned()
    }

    /// The local cloud's own logs.
    pub(crate) fn logs(&self) -> String {
        let folder = self.dir.path().join(".sftpctl/local");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        read("front.log") + &read("ministack.log")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.run(&["local", "stop"]);
    }
}

/// A process that is killed when the test ends, even if the test fails.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
