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
    /// Starts one with more lines in its configuration.
    pub(crate) fn start(folder: &Path, more: &str) -> Self {
        std::fs::create_dir(folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        for name in ["host", "user"] {
            key(&folder.join(name));
        }
        std::fs::copy(folder.join("user.pub"), folder.join("authorized")).unwrap();
        let port = free_port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile {}\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n{more}\n",
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

    /// Cuts every connection: kills the processes of its sessions.
    pub(crate) fn cut(&self) {
        let children = |pid: &str| {
            let all = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let sessions = children(&self.running.0.id().to_string());
        assert!(!sessions.is_empty(), "there are sessions");
        for session in sessions {
            succeeded("kill", &tool("kill", "procps").args(["-KILL", &session]).output().unwrap());
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
