//! How `bench` logs in to an SFTP server, and which servers it does not trust. Passwords are in
//! `on_local_cloud::bench`: an sshd of one's own has none.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::sshd::{Sshd, key};
use super::{end, samples, sftpctl};
use crate::site::{Running, shown, succeeded, tool, until};

struct Server {
    dir: tempfile::TempDir,
    sshd: Sshd,
    /// The file of known hosts.
    known: PathBuf,
}

impl Server {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sshd = Sshd::start(&dir.path().join("sshd"), "");
        let known = dir.path().join("known hosts");
        std::fs::write(&known, sshd.known("host.pub")).unwrap();
        std::fs::create_dir(dir.path().join("uploads")).unwrap();
        let server = Self { dir, sshd, known };
        server.config(&server.sshd.alias("server", &server.known));
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self, text: &str) {
        std::fs::write(self.path("ssh_config"), text).unwrap();
    }

    /// A few transfers to `host`; what the run says at its end. Without an agent.
    fn measure(&self, code: i32, host: &str, more: &[&str]) -> Value {
        self.measure_with(None, code, host, more)
    }

    /// The same with an agent, if there is one.
    fn measure_with(&self, agent: Option<&Agent>, code: i32, host: &str, more: &[&str]) -> Value {
        let _ = std::fs::remove_file(self.path("r.jsonl"));
        let target = format!("sftp://{host}{}", self.path("uploads").display());
        let start =
            ["bench", "sizes", &target, "--sizes", "1KB", "--content", "text", "--repeat", "1", "--warmup", "0"];
        let end_of = ["--ssh-config", "ssh_config", "--results", "r.jsonl", "--output", "json"];
        let mut command = sftpctl(self.dir.path(), &[&start[..], &end_of, more].concat());
        // No agent of the user's own.
        command.env_remove("SSH_AUTH_SOCK");
        command.envs(agent.map(|agent| ("SSH_AUTH_SOCK", &agent.socket)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", shown(&output));
        end(&output)
    }

    /// What did not succeed, in its words.
    fn refusal(&self, host: &str, more: &[&str]) -> String {
        self.refusal_with(None, host, more)
    }

    fn refusal_with(&self, agent: Option<&Agent>, host: &str, more: &[&str]) -> String {
        let ended = self.measure_with(agent, 6, host, more);
        assert!(samples(&self.path("r.jsonl")).iter().all(|sample| sample["outcome"] != "ok"), "{ended}");
        assert_eq!(std::fs::read_dir(self.path("uploads")).unwrap().count(), 0);
        ended["report"]["problems"][0]["text"].as_str().unwrap_or_default().to_owned()
    }
}

/// An ssh-agent that holds one key.
struct Agent {
    socket: PathBuf,
    _running: Running,
}

impl Agent {
    fn start(socket: PathBuf, key: &Path) -> Self {
        let mut agent = tool("ssh-agent", "openssh-client");
        let running = Running(agent.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap());
        until("ssh-agent listens", || UnixStream::connect(&socket).ok());
        let mut add = tool("ssh-add", "openssh-client");
        succeeded("ssh-add", &add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).output().unwrap());
        Self { socket, _running: running }
    }
}

fn user() -> String {
    let output = tool("id", "coreutils").arg("-un").output().unwrap();
    succeeded("id", &output).trim().to_owned()
}

#[test]
fn an_alias_of_the_ssh_config_is_logged_in_to_as_it_says() {
    let server = Server::new();
    let ended = server.measure(0, "server", &[]);
    assert_eq!((&ended["operations"], &ended["problems"]), (&2.into(), &0.into()), "{ended}");
    assert_eq!(std::fs::read_dir(server.path("uploads")).unwrap().count(), 0);
    let notes = ended["report"]["runs"][0]["notes"].to_string();
    assert!(notes.contains("is reached by ssh: OpenSSH_"), "{notes}");
}

#[test]
fn an_identity_is_the_only_key_that_is_offered() {
    let server = Server::new();
    // Without an alias: the user, the port and the key are those of the command line.
    server.config(&format!("UserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n", server.known.display()));
    let host = format!("{}@127.0.0.1:{}", user(), server.sshd.port);
    let identity = server.sshd.folder.join("user");
    server.measure(0, &host, &["-i", identity.to_str().unwrap()]);
    let other = server.path("other");
    key(&other);
    // An agent has the key that the server admits, which is offered unless another one is named.
    let agent = Agent::start(server.path("agent"), &identity);
    server.measure_with(Some(&agent), 0, &host, &[]);
    let said = server.refusal_with(Some(&agent), &host, &["--identity", other.to_str().unwrap()]);
    assert!(said.contains("Permission denied (publickey"), "{said}");
}

#[test]
fn a_host_key_that_is_not_known_is_refused_with_what_to_do() {
    let server = Server::new();
    for known in
        ["", "[127.0.0.2]:22 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"]
    {
        std::fs::write(&server.known, known).unwrap();
        let said = server.refusal("server", &[]);
        assert!(said.contains("Host key verification failed") && said.contains("log in once"), "{said}");
        assert_eq!(std::fs::read_to_string(&server.known).unwrap(), known, "it was not taken as known");
    }
}

#[test]
fn a_host_key_that_has_changed_is_refused_with_what_to_do() {
    let server = Server::new();
    key(&server.path("old"));
    std::fs::copy(server.path("old.pub"), server.sshd.folder.join("old.pub")).unwrap();
    std::fs::write(&server.known, server.sshd.known("old.pub")).unwrap();
    let said = server.refusal("server", &[]);
    let name = format!("'[127.0.0.1]:{}'", server.sshd.port);
    let command = format!("ssh-keygen -R {name} -f '{}'", server.known.display());
    assert!(said.contains("has changed") && said.contains(&command), "{said}");
    // A configuration that accepts new keys does not accept changed ones.
    let lenient = format!("{}StrictHostKeyChecking accept-new\n", server.sshd.alias("server", &server.known));
    server.config(&lenient);
    assert!(server.refusal("server", &[]).contains("has changed"));
    // What the message says helps, once the new key is known.
    forget(&server.known, &server.sshd);
    server.measure(0, "server", &[]);
}

/// Forgets the old key as the message says; the next log-in by hand would add the new one.
fn forget(known: &Path, sshd: &Sshd) {
    let mut keygen = tool("ssh-keygen", "openssh-client");
    let name = format!("[127.0.0.1]:{}", sshd.port);
    succeeded("ssh-keygen -R", &keygen.args(["-R", &name, "-f"]).arg(known).output().unwrap());
    assert_eq!(std::fs::read_to_string(known).unwrap(), "");
}
