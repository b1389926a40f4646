//! An sshd of OpenSSH on this machine, for machines and SFTP servers.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::site::{Running, succeeded, tool, until};

/// A new key without a passphrase, whose public half is beside it.
pub(crate) fn key(path: &Path) {
    let mut keygen = tool("ssh-keygen", "openssh-client");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    succeeded("a key", &keygen.output().unwrap());
}

/// A port of the loopback that is free.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that the key `user` in its folder is admitted to.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    /// Killed at the end.
    running: Running,
}

impl Sshd {
    /// Starts one with more lines at the beginning of its configuration, where they take precedence.
    pub(crate) fn start(folder: &Path, more: &str) -> Self {
        std::fs::create_dir(folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        for name in ["host", "user"] {
            key(&folder.join(name));
        }
        std::fs::copy(folder.join("user.pub"), folder.join("authorized")).unwrap();
        let port = free_port();
        let config = format!(
            "{more}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile {}\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n",
            at("host"),
            at("authorized"),
            at("pid")
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        // As root, sshd asks for this folder, which is there only while the service runs.
        let _ = std::fs::create_dir_all("/run/sshd");
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", &at("sshd_config")]).stdin(Stdio::null()).stderr(log);
        let running = Running(sshd.spawn().unwrap());
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, folder: folder.to_owned(), running }
    }

    /// The processes of open sessions.
    pub(crate) fn sessions(&self) -> Vec<String> {
        children(&self.running.0.id().to_string())
    }

    /// Cuts every connection: kills the processes of its sessions, and not what these have started.
    pub(crate) fn cut(&self) {
        let mut sessions = self.sessions();
        // The process that speaks is a child of that which watches it, if the user is not root.
        let is_sshd = |pid: &String| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("sshd"))
        };
        let speak: Vec<String> = sessions.iter().flat_map(|session| children(session)).filter(is_sshd).collect();
        sessions.extend(speak);
        assert!(!sessions.is_empty(), "{}", std::fs::read_to_string(self.folder.join("log")).unwrap());
        for session in sessions {
            // One may have ended with the other.
            let _ = tool("kill", "procps").args(["-KILL", &session]).output().unwrap();
        }
    }

    /// The line of `known_hosts` for this server with a public key.
    pub(crate) fn known(&self, key: &str) -> String {
        let key = std::fs::read_to_string(self.folder.join(key)).unwrap();
        format!("[127.0.0.1]:{} {key}", self.port)
    }

    /// What `ssh_config` says of this server as `alias`, with a file of known hosts.
    pub(crate) fn alias(&self, alias: &str, known: &Path) -> String {
        format!(
            "Host {alias}\nHostName 127.0.0.1\nPort {}\nIdentityFile {}\nIdentitiesOnly yes\n\
             UserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n",
            self.port,
            self.folder.join("user").display(),
            known.display()
        )
    }
}

/// The children of a process.
fn children(pid: &str) -> Vec<String> {
    let all = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    all.split_whitespace().map(str::to_owned).collect()
}
