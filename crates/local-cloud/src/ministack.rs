//! MiniStack: installed into a virtual environment, run as a child process.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::io::FdFlags;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::error::LocalError;
use super::files::{append, last_lines, tail, write_text};
use super::folder;
use super::functions::launcher as launcher_text;
use crate::function_key::FunctionKey;
use crate::process::{ProcessId, poll};
use crate::secret::{HEADER, Secret};
use crate::socket_owner::has_our_server;

/// The pinned version; a test compares it with the requirements.
pub(super) const VERSION: &str = "1.5.33";

/// Every package with its version and the SHA-256 of its files, and the options that make pip check them.
const REQUIREMENTS: &str = include_str!("../../../supply-chain/python/local-cloud.txt");
/// A finished installation contains this file, with its requirements.
const STAMP: &str = "sftpctl-requirements.txt";
const READY_DEADLINE: Duration = Duration::from_secs(45);
/// MiniStack writes its state when it exits, which takes time.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// The virtual environment of all local clouds of this user: in the user's own cache, because programs in a local cloud's
/// folder may have come with it.
pub(super) fn default_venv() -> Result<PathBuf, LocalError> {
    let cache = folder::base("XDG_CACHE_HOME", ".cache").ok_or(LocalError::NoHome)?;
    Ok(cache.join("sftpctl").join(format!("ministack-{VERSION}")))
}

/// The script that starts MiniStack, in the local cloud's folder.
pub(super) fn launcher(dir: &Path) -> PathBuf {
    dir.join("launch-ministack.py")
}

/// MiniStack's temporary files, which are of no use after its end.
pub(super) fn temporary(dir: &Path) -> PathBuf {
    dir.join("tmp")
}

/// Creates the virtual environment, unless a finished one with the same requirements exists. Returns the path where it is.
/// `must_be_ours` asks for one that was made here: a place that nobody has chosen may be in a folder that came with a copy.
pub(super) async fn install(
    venv: &Path,
    must_be_ours: bool,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<PathBuf, LocalError> {
    // Closed before a program runs that could put something into it, and checked again when nobody else could.
    let venv = folder::programs(venv)?;
    let stamp = venv.join(STAMP);
    let _lock = lock(&venv).await?;
    let is_ours = !must_be_ours || folder::was_made_here(&venv)?;
    if is_ours && std::fs::read_to_string(&stamp).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(venv);
    }
    let python = std::env::var("SFTPCTL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    check_python(&python).await?;
    progress(&format!("creating a virtual environment in {}", venv.display()));
    // An unfinished environment, or one of another version, is created again.
    let output = run(isolated(&python).args(["-m", "venv", "--clear"]).arg(&venv), &python).await?;
    if let Err(output) = output {
        return Err(LocalError::VenvMissing { program: python, output });
    }
    progress(&format!("installing MiniStack {VERSION}"));
    let requirements = venv.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).map_err(LocalError::file("writing", &requirements))?;
    pip(&venv, &requirements, progress).await?;
    // What has ended with success may not have been pip.
    let own = venv.join("bin").join("python");
    if let Err(output) = run(isolated(&own).args(["-c", "import ministack"]), "python").await? {
        return Err(LocalError::VenvMissing { program: own.display().to_string(), output });
    }
    std::fs::write(&stamp, REQUIREMENTS).map_err(LocalError::file("writing", stamp))?;
    if must_be_ours {
        folder::note(&venv)?;
    }
    folder::programs(&venv)
}

/// A Python that looks for modules neither in the folder where it is started, which may be a cloned repository, nor in the
/// user's own (`-I`).
fn isolated(python: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(python);
    command.arg("-I");
    command
}

/// Locks the virtual environment. A second installation waits, and then finds the finished first one.
async fn lock(venv: &Path) -> Result<std::fs::File, LocalError> {
    let mut path = venv.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = folder::own_file(&path, OpenOptions::new().create(true).append(true))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    locked.await.map_err(std::io::Error::other).flatten().map_err(LocalError::file("locking", path))
}

async fn check_python(python: &str) -> Result<(), LocalError> {
    let code = "import sys; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))";
    let output = isolated(python).args(["-c", code]).stdin(Stdio::null()).output().await;
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Err(LocalError::PythonTooOld { program: python.to_owned(), found })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(LocalError::PythonMissing { program: python.to_owned() })
        }
        Err(source) => Err(LocalError::Spawn { program: python.to_owned(), source }),
    }
}

/// Runs a program to its end. The inner `Err` has the last lines that the program printed.
async fn run(command: &mut Command, program: &str) -> Result<Result<(), String>, LocalError> {
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.map_err(|source| LocalError::Spawn { program: program.to_owned(), source })?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let text = [output.stdout, output.stderr].concat();
    Ok(Err(last_lines(&String::from_utf8_lossy(&text), 6)))
}

/// Installs the requirements, reporting each package that is fetched.
async fn pip(venv: &Path, requirements: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<(), LocalError> {
    let python = venv.join("bin").join("python");
    let mut child = isolated(&python)
        .args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "-r"])
        .arg(requirements)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| LocalError::Spawn { program: python.display().to_string(), source })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let lines = async {
        let mut all = String::new();
        if let Some(stdout) = stdout {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(package) = line.strip_prefix("Collecting ") {
                    progress(package.split(" (").next().unwrap_or(package));
                }
                all.push_str(&line);
                all.push('\n');
            }
        }
        all
    };
    let errors = async {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // Output before a failure is still worth printing.
            let _ = stderr.read_to_end(&mut text).await;
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let (stdout, stderr, status) = tokio::join!(lines, errors, child.wait());
    let status = status.map_err(|source| LocalError::Spawn { program: "pip".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    if let Some(error) = wrong_hash(&stderr) {
        return Err(error);
    }
    let text = if stderr.trim().is_empty() { stdout } else { stderr };
    Err(LocalError::InstallFailed { package: format!("ministack=={VERSION}"), output: last_lines(&text, 6) })
}

/// The package that pip refused for its hash, from pip's output (`HashMismatch` in pip's `exceptions.py`): a line with the
/// package and its source, one for each pinned hash, and one for that of the file.
fn wrong_hash(output: &str) -> Option<LocalError> {
    let (_, report) = output.split_once("DO NOT MATCH THE HASHES")?;
    let mut lines = report.lines().skip(1).map(str::trim);
    let package = lines.next()?.split(" (from -r").next()?.trim_end_matches(':').to_owned();
    let found = lines.find_map(|line| line.strip_prefix("Got"))?.trim().to_owned();
    Some(LocalError::WrongHash { package, found })
}

pub(super) struct Ministack {
    child: Child,
    /// The process, unless it exited at once.
    pub(super) process: Option<ProcessId>,
    pub(super) port: u16,
    secret: Secret,
    log: PathBuf,
    /// The socket that MiniStack listens on, too: the port stays ours as long as the front runs.
    _listener: TcpListener,
}

impl Ministack {
    /// Starts MiniStack on a free port of 127.0.0.1, with its state in `dir`.
    ///
    /// Its functions get `endpoint`, so that their calls pass through the front, and session keys derived from the key. It
    /// answers only requests with the secret. Both go through a pipe: its functions, which run as the same user, can read
    /// its environment.
    pub(super) async fn spawn(
        venv: &Path,
        dir: &Path,
        endpoint: &str,
        (secret, key): (&Secret, &FunctionKey),
    ) -> Result<Self, LocalError> {
        let log = dir.join("ministack.log");
        let temporary = temporary(dir);
        std::fs::create_dir_all(&temporary).map_err(LocalError::file("creating", &temporary))?;
        let launcher = launcher(dir);
        write_text(&launcher, &launcher_text())?;
        let output = append(&log)?;
        let errors = output.try_clone().map_err(LocalError::file("opening", &log))?;
        // MiniStack gets the socket, not the port: another user could take a port before it does, and answer in its place.
        let network = |source| LocalError::Network { action: "finding a free port", port: 0, source };
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(network)?;
        let port = listener.local_addr().map_err(network)?.port();
        let inherited = |flags| rustix::io::fcntl_setfd(&listener, flags).map_err(|error| network(error.into()));
        inherited(FdFlags::empty())?;
        let python = venv.join("bin").join("python");
        let child = Command::new(&python)
            .arg(&launcher)
            .current_dir(dir)
            // AWS and MiniStack settings of the caller's shell must not leak in.
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| {
                let name = name.to_string_lossy();
                ["PATH", "HOME", "LANG", "TZ"].contains(&&*name) || name.starts_with("LC_")
            }))
            .envs([
                ("BIND_HOST", "127.0.0.1"),
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                ("PERSIST_STATE", "1"),
                ("S3_PERSIST", "1"),
                ("PYTHONUNBUFFERED", "1"),
                ("AWS_ENDPOINT_URL", endpoint),
            ])
            .env("GATEWAY_PORT", port.to_string())
            .env("STATE_DIR", dir.join("state"))
            .env("S3_DATA_DIR", dir.join("s3"))
            .env("TMPDIR", &temporary)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn();
        inherited(FdFlags::CLOEXEC)?;
        let mut child = child.map_err(|source| LocalError::Spawn { program: python.display().to_string(), source })?;
        if let Some(mut stdin) = child.stdin.take() {
            let given = format!("{}\n{}\n{}\n", secret.as_str(), key.as_str(), listener.as_raw_fd());
            // If it has ended already, its log says why.
            let _ = stdin.write_all(given.as_bytes()).await;
        }
        let process = child.id().and_then(|pid| ProcessId::of(pid.cast_signed()));
        Ok(Self { child, process, port, secret: secret.clone(), log, _listener: listener })
    }

    /// Waits until MiniStack answers.
    pub(super) async fn ready(&mut self) -> Result<(), LocalError> {
        let (port, secret) = (self.port, self.secret.clone());
        let answered = poll(READY_DEADLINE, async || match self.child.try_wait() {
            Ok(Some(status)) => Some(Err(format!("it exited ({status})"))),
            _ => get((port, &secret), "/_ministack/ready").await.map(|_| Ok(())),
        })
        .await;
        let reason = match answered {
            Some(Ok(())) => return Ok(()),
            Some(Err(reason)) => reason,
            None => format!("no answer within {} s", READY_DEADLINE.as_secs()),
        };
        Err(LocalError::NotReady { what: "MiniStack", reason, log: tail(&self.log, 8) })
    }

    /// Waits until MiniStack exits by itself, which is an error.
    pub(super) async fn ended(&mut self) -> LocalError {
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        LocalError::MinistackEnded { status, log: self.log.clone() }
    }

    /// Ends MiniStack with SIGTERM, on which it writes its state.
    pub(super) async fn end(&mut self) -> Result<(), LocalError> {
        if let Some(process) = self.process {
            process.terminate();
        }
        if tokio::time::timeout(END_DEADLINE, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        let pid = self.process.map_or(0, |process| process.pid);
        Err(LocalError::DidNotStop { what: "MiniStack", pid, seconds: END_DEADLINE.as_secs() })
    }
}

/// The body of a small GET on 127.0.0.1, if it is answered with 200 within a second.
pub(super) async fn get(to: (u16, &Secret), path: &str) -> Option<String> {
    let (status, body) = send(to, "GET", path, "", Duration::from_secs(1)).await?;
    (status == 200).then_some(body)
}

/// Status and body of a small request on 127.0.0.1, if it completes within `limit`.
pub(super) async fn send(
    (port, secret): (u16, &Secret),
    method: &str,
    path: &str,
    body: &str,
    limit: Duration,
) -> Option<(u16, String)> {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{HEADER}: {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n\
         {body}",
        secret.as_str()
    );
    let exchange = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        // The secret is for nobody else, such as who has taken the port of a front that has stopped.
        if !has_our_server(&stream).await {
            return None;
        }
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        String::from_utf8(answer).ok()
    };
    let answer = tokio::time::timeout(limit, exchange).await.ok()??;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another user who has taken the port of a front that stopped does not get the secret.
    #[tokio::test]
    async fn secret_is_only_for_processes_of_this_user() {
        use std::io::{BufRead as _, Read as _};
        use std::os::unix::process::CommandExt as _;
        let script = "import socket, sys\nserver = socket.create_server(('127.0.0.1', 0))\n\
                      print(server.getsockname()[1], flush=True)\nclient = server.accept()[0]\n\
                      data = client.recv(9999)\nprint('got', len(data) > 0, flush=True)\n\
                      client.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nanswer')";
        let answer = async |uid: u32| {
            let mut server = std::process::Command::new("/usr/bin/python3");
            server.args(["-c", script]).uid(uid).gid(uid).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut server = server.spawn().unwrap();
            let mut said = std::io::BufReader::new(server.stdout.take().unwrap());
            let mut port = String::new();
            said.read_line(&mut port).unwrap();
            let secret = Secret::random();
            let got = send((port.trim().parse().unwrap(), &secret), "GET", "/", "", READY_DEADLINE).await;
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            server.wait().unwrap();
            (got.map(|(status, _)| status), rest)
        };
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(answer(user).await, (Some(200), "got True\n".to_owned()));
        // Only root can start a process of another user.
        if user == 0 {
            assert_eq!(answer(65_534).await, (None, "got False\n".to_owned()));
        }
    }

    #[test]
    fn pinned_version_matches_the_requirements() {
        assert!(REQUIREMENTS.contains(&format!("\nministack=={VERSION} \\\n")));
    }

    #[test]
    fn every_requirement_has_its_hashes_and_is_a_wheel() {
        let lines: Vec<&str> = REQUIREMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(lines[..2], ["--require-hashes", "--only-binary :all:"]);
        let logical = lines[2..].join("\n").replace(" \\\n", " ");
        for line in logical.lines() {
            let (package, hashes) = line.split_once("    --hash=sha256:").unwrap_or_else(|| panic!("no hash: {line}"));
            assert!(package.contains("=="), "{line}");
            for hash in hashes.split("    --hash=sha256:") {
                assert!(hash.trim().len() == 64 && hash.trim().bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            }
        }
    }
}
