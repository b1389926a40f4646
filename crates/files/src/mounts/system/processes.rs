//! Processes, as `/proc` shows them. Nothing here follows a link into a mount, which could wait for ever.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use super::super::mountinfo;
use super::cache;

/// A process that uses a mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub pid: u32,
    pub command: String,
    /// `cwd`, `root`, `exe`, the number of a descriptor, or `mount` in a namespace of its own.
    pub by: String,
    /// The path below the mount, where there is one.
    pub path: String,
}

/// A running program of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Daemon {
    pub pid: u32,
    pub is_stopped: bool,
}

fn all() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn command(process: &Path) -> String {
    fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned()
}

fn arguments(process: &Path) -> Vec<String> {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// A field of `/proc/PID/status`.
fn status(process: &Path, field: &str) -> Option<String> {
    let text = fs::read_to_string(process.join("status")).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

/// Whether a process is root's, or of who runs this. Anybody can give a process any name and arguments.
fn is_trusted(process: &Path) -> bool {
    let users = status(process, "Uid").unwrap_or_default();
    let mut users = users.split_whitespace().peekable();
    users.peek().is_some() && users.all(|user| user.parse().is_ok_and(cache::is_trusted))
}

/// Whether a process of root runs this program.
fn runs(process: &Path, program: &Path) -> bool {
    let running = match fs::read_link(process.join("exe")) {
        Ok(running) => running,
        // Only root sees what root runs. Others end nothing, so its own word is enough for them.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return arguments(process).first().map(Path::new).and_then(Path::file_name) == program.file_name();
        }
        Err(_) => return false,
    };
    // So the kernel names one that was replaced, as by an upgrade.
    let running = running.to_string_lossy();
    let running = Path::new(running.strip_suffix(" (deleted)").unwrap_or(&running));
    running == program || program.canonicalize().is_ok_and(|program| running == program)
}

/// The running programs of a mount: those of root that run this file and have the mount point among their arguments.
pub fn daemons(program: &Path, at: &Path) -> Vec<Daemon> {
    let is_it = |process: &PathBuf| {
        let has_point = || arguments(process).iter().any(|word| Path::new(word) == at);
        has_point() && is_trusted(process) && runs(process, program)
    };
    let found = all().filter(|(_, process)| is_it(process));
    // `T` is stopped by a signal, `t` by a debugger.
    let is_stopped = |process: &Path| status(process, "State").is_some_and(|state| state.starts_with(['T', 't']));
    found.map(|(pid, process)| Daemon { pid, is_stopped: is_stopped(&process) }).collect()
}

/// Whether a helper of an earlier check hangs in this mount: it was killed, and is still there.
pub fn has_stuck_helper(at: &Path) -> bool {
    all().any(|(_, process)| {
        let words = arguments(&process);
        let is_helper = words.get(1..3).is_some_and(|verb| verb == ["mounts", "probe"])
            && words.iter().any(|word| Path::new(word) == at);
        is_helper && is_trusted(&process) && is_killed(&process)
    })
}

fn is_killed(process: &Path) -> bool {
    let pending = |field| {
        let mask = status(process, field).and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        mask.is_some_and(|mask| mask & (1 << (Signal::KILL.as_raw() - 1)) != 0)
    };
    pending("ShdPnd") || pending("SigPnd")
}

/// The processes that use a mount, and one for each other namespace that has it. One that waits for its first answer, with
/// no file open, is not known: nothing says which mount it waits for.
pub fn users(at: &Path, device: Option<(u32, u32)>) -> Vec<User> {
    let own = std::process::id();
    let namespace = |process: &Path| fs::read_link(process.join("ns/mnt")).ok();
    let ours = namespace(Path::new("/proc/self"));
    let mut namespaces = BTreeSet::new();
    let mut found = BTreeSet::new();
    for (pid, process) in all().filter(|(pid, _)| *pid != own) {
        let mut add = |by: &str, path: String| {
            found.insert(User { pid, command: command(&process), by: by.to_owned(), path });
        };
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let descriptors = descriptors.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
        let others = ["cwd", "root", "exe"].map(|name| (name.to_owned(), process.join(name)));
        for (by, link) in others.into_iter().chain(descriptors) {
            // The link is read, and not followed.
            let Ok(target) = fs::read_link(&link) else { continue };
            if let Ok(path) = target.strip_prefix(at) {
                add(&by, path.to_string_lossy().into_owned());
            }
        }
        let Some((device, other)) = device.zip(namespace(&process)) else { continue };
        if ours.as_ref() != Some(&other) && namespaces.insert(other) {
            let table = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
            if mountinfo::has_device(&table, device) {
                add("mount", String::new());
            }
        }
    }
    found.into_iter().collect()
}

/// Sends a signal to these processes, and waits until they have ended. Returns whether they have.
pub async fn end(daemons: &[Daemon], signal: Signal, patience: Duration) -> bool {
    let pid = |daemon: &Daemon| Pid::from_raw(i32::try_from(daemon.pid).ok()?);
    daemons.iter().filter_map(pid).for_each(|pid| {
        let _ = kill_process(pid, signal);
    });
    // One whose parent does not wait for it stays as a zombie, which has no command line and holds nothing.
    let is_gone = |daemon: &Daemon| arguments(&Path::new("/proc").join(daemon.pid.to_string())).concat().is_empty();
    until(patience, || daemons.iter().all(is_gone)).await
}

/// Waits until something holds. Returns whether it does.
pub(super) async fn until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause().await;
    }
}

/// Between two looks at this machine.
pub async fn pause() {
    #[expect(clippy::disallowed_methods, reason = "nothing tells when a process ends that another one has started")]
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn users_and_daemons_are_found_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        let file = fs::File::create(at.join("open")).unwrap();
        // `cat` waits for its input; the mount point is an argument that it never comes to.
        let mut child = Command::new("cat");
        child.arg("-").arg(&at).stdin(Stdio::piped()).stdout(file).current_dir(&at);
        let mut child = child.spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"a").unwrap();
        assert!(until(Duration::from_secs(10), || fs::read(at.join("open")).unwrap() == b"a").await);
        let user =
            |by: &str, path: &str| User { pid: child.id(), command: "cat".into(), by: by.into(), path: path.into() };
        assert_eq!(users(&at, None), [user("1", "open"), user("cwd", "")]);
        let daemons = daemons(Path::new("/bin/cat"), &at);
        assert_eq!(daemons, [Daemon { pid: child.id(), is_stopped: false }]);
        assert!(super::daemons(Path::new("/bin/dog"), &at).is_empty() && !has_stuck_helper(&at));
        // One that only calls itself so is another program.
        let dog = at.join("dog");
        fs::copy("/bin/cat", &dog).unwrap();
        let mut false_dog = Command::new("cat");
        false_dog.arg0(&dog).arg("-").arg(&at).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut false_dog = false_dog.spawn().unwrap();
        // It has its arguments when it answers.
        false_dog.stdin.as_mut().unwrap().write_all(b"a").unwrap();
        false_dog.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        assert!(arguments(&Path::new("/proc").join(false_dog.id().to_string()))[0].ends_with("dog"));
        assert!(super::daemons(&dog, &at).is_empty());
        false_dog.kill().unwrap();
        false_dog.wait().unwrap();
        assert!(end(&daemons, Signal::KILL, Duration::from_secs(10)).await);
        child.wait().unwrap();
    }
}
