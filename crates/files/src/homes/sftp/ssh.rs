//! `ssh` as the way to an SFTP server.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use sftpctl_core::spec::sftp_address::SftpAddress;

use super::client::Client;
use super::packet::{Answer, Request};
use super::words;

/// Options of `ssh -o` as sftp(1) gives them, and so that nothing waits for a person or for a machine that is gone.
/// They take precedence over `ssh_config`.
pub const OPTIONS: [&str; 7] = [
    "ForwardX11=no",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "BatchMode=yes",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
];
/// Bytes of what `ssh` says that are kept.
const SAID: usize = 2000;
/// How long to wait for that at its end: a process in the background may keep the pipe open (`ControlPersist`).
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The variable with the password for [`LogIn::askpass`].
pub const PASSWORD: &str = "SFTPCTL_ASKPASS_PASSWORD";

/// How to log in, where the user's own configuration of SSH does not say it.
#[derive(Default)]
pub struct LogIn {
    /// A file for `ssh -F`, in place of the user's.
    pub config: Option<PathBuf>,
    /// The file of the only private key that is offered.
    pub identity: Option<PathBuf>,
    pub password: Option<String>,
    /// The program that prints the value of [`PASSWORD`], whatever the question is: so `ssh`, and what it starts, ask
    /// for nothing else. The variable is in the environment of `ssh`, and of what that starts.
    pub askpass: PathBuf,
    /// Whether the server may have any host key, as that of a local cloud.
    pub any_host_key: bool,
}

impl LogIn {
    fn add_to(&self, command: &mut Command) {
        if let Some(identity) = &self.identity {
            command.arg("-i").arg(identity).args(["-o", "IdentitiesOnly=yes"]);
        }
        if let Some(password) = &self.password {
            // A jump host would ask for a password, too, and get the server's.
            command.args(["-o", "ProxyJump=none", "-o", "ProxyCommand=none"]);
            // BatchMode would not ask for a password.
            command.args(["-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1"]);
            // Its question would be answered with the password.
            let checks = if self.any_host_key { "StrictHostKeyChecking=no" } else { "StrictHostKeyChecking=yes" };
            command.args(["-o", checks]);
            if self.identity.is_none() {
                command.args(["-o", "PubkeyAuthentication=no"]);
            }
            command.env("SSH_ASKPASS", &self.askpass).env("SSH_ASKPASS_REQUIRE", "force").env(PASSWORD, password);
        }
        if self.any_host_key {
            command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
            command.args(["-o", "LogLevel=ERROR"]);
        }
    }
}

/// A connection to the machine with the homes.
pub struct Connection {
    client: Client,
    child: Mutex<Child>,
    address: SftpAddress,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects. `config` is a file for `ssh -F`, in place of the user's.
    ///
    /// # Errors
    /// There is no `ssh`, or it does not come to an SFTP server; with its words.
    pub fn open(address: &SftpAddress, config: Option<&PathBuf>) -> io::Result<Self> {
        Self::log_in(address, &LogIn { config: config.cloned(), ..LogIn::default() })
    }

    /// Connects as a customer does.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn log_in(address: &SftpAddress, log_in: &LogIn) -> io::Result<Self> {
        let mut command = Command::new("ssh");
        if let Some(config) = &log_in.config {
            command.arg("-F").arg(config);
        }
        // The first of two values counts.
        log_in.add_to(&mut command);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        if let Some(user) = &address.user {
            command.args(["-l", user]);
        }
        if let Some(port) = address.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["-s", "--", &address.host, "sftp"]);
        Self::by(command, address)
    }

    /// Speaks to what a command starts.
    pub(super) fn by(mut command: Command, address: &SftpAddress) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), "there is no program `ssh`; install OpenSSH's client")
            }
            _ => error,
        })?;
        let (Some(to), Some(from), Some(mut words)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("`ssh` has no pipes"));
        };
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let (ended, has_ended) = mpsc::channel::<()>();
        let keep = Arc::clone(&said);
        std::thread::Builder::new().name("ssh-words".to_owned()).spawn(move || {
            let _ended = ended;
            let mut piece = [0; 512];
            while let Ok(count @ 1..) = words.read(&mut piece) {
                let mut said = keep.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend_from_slice(piece.get(..count).unwrap_or_default());
                // The last words are those that matter.
                let too_many = said.len().saturating_sub(SAID);
                said.drain(..too_many);
            }
        })?;
        let why = move || {
            let _ = has_ended.recv_timeout(LAST_WORDS);
            last_words(&said.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let child = Guard(Some(child));
        let client = Client::over(from, to, why)?;
        Ok(Self { client, child: Mutex::new(child.release()?), address: address.machine() })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The machine.
    pub fn address(&self) -> &SftpAddress {
        &self.address
    }

    /// Why the connection is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        self.client.lost()
    }

    /// The names of the folders in a folder, which are not links.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn folders(&self, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let names = self.list(path)?;
        Ok(names.into_iter().filter(|(_, facts)| super::remote::is_folder(facts)).map(|(name, _)| name).collect())
    }

    /// The entries of a folder, without `.` and `..`.
    pub(super) fn list(&self, path: &[u8]) -> io::Result<Vec<(Vec<u8>, super::packet::Attributes)>> {
        let handle = self.handle(Request::OpenDir(path))?;
        let mut all = Vec::new();
        let listed = loop {
            match self.client.ask(Request::ReadDir(&handle)) {
                Ok(Answer::Names(names)) if names.is_empty() => break Ok(()),
                Ok(Answer::Names(names)) => {
                    let names = names.into_iter().filter(|(name, _)| !matches!(name.as_slice(), b"." | b".."));
                    all.extend(names);
                }
                Ok(_) => break Err(unexpected()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.close(&handle);
        listed?;
        // A path is made of them.
        if all.iter().any(|(name, _)| name.is_empty() || name.contains(&b'/') || name.contains(&0)) {
            return Err(io::Error::other("the server gave a name that no file can have"));
        }
        Ok(all)
    }

    pub(super) fn handle(&self, request: Request<'_>) -> io::Result<Vec<u8>> {
        match self.client.ask(request)? {
            Answer::Handle(handle) => Ok(handle),
            _ => Err(unexpected()),
        }
    }

    /// Gives a handle back. Nobody waits for the answer.
    pub(super) fn close(&self, handle: &[u8]) {
        drop(self.client.send(Request::Close(handle)));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        end(&mut child);
    }
}

/// A process that is ended unless it is taken out.
struct Guard(Option<Child>);

impl Guard {
    fn release(mut self) -> io::Result<Child> {
        self.0.take().ok_or_else(|| io::Error::other("`ssh` has ended"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

pub(super) fn unexpected() -> io::Error {
    io::Error::other("the server gave an answer of another kind")
}

/// What `ssh` said at its end, on one line.
fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    words::reason(&lines, words::advice(&text)).unwrap_or_else(|| "the server closed it".to_owned())
}
