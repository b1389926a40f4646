//! A freeze by sshd's configuration: a file that denies a home's users new sessions, and an end to those that there are.
//!
//! Nothing is reloaded that `sshd -t` refuses, and what sshd then says of a user (`sshd -T -C`) decides whether the file
//! counts: another file may begin with `Match`, or the folder may not be included at all.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use sftpctl_core::freeze;

/// How long sshd may take to read its configuration again.
const RELOAD: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// A file of rules while it is written. sshd does not read it: it includes `*.conf`.
const NEW: &str = ".sftpctl-moved.new";

/// An sshd of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sshd {
    /// Its configuration; the folder with `.d` after it has the files that it includes.
    pub config: PathBuf,
    pub pid_file: PathBuf,
}

/// A denial, as the manifest notes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    #[serde(flatten)]
    pub sshd: Sshd,
    pub file: PathBuf,
    pub users: BTreeSet<String>,
}

/// Why sshd does not deny users.
#[derive(Debug, thiserror::Error)]
pub enum SshdError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the home {0} belongs to no user whom sshd could deny: pass --freeze-command or --freeze-mode")]
    NoUser(PathBuf),
    #[error("the name of the user {0:?} cannot be written into sshd's configuration: pass --freeze-command")]
    Name(String),
    #[error("`sshd -t` refuses the configuration: {0}")]
    Refused(String),
    #[error("sshd does not read {file}: {config} needs `Include {folder}/*.conf` before its first `Match`")]
    NotRead { file: PathBuf, config: PathBuf, folder: PathBuf },
    #[error("{0} does not have the number of a process of sshd")]
    NotRunning(PathBuf),
    #[error("sshd has not read its configuration again within {} seconds", RELOAD.as_secs())]
    NotReloaded,
}

fn named<T>(path: &Path, result: io::Result<T>) -> Result<T, SshdError> {
    result.map_err(|source| SshdError::Io { path: path.to_owned(), source })
}

/// That there is no file, which is as well.
fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

impl Sshd {
    /// The denial for a home: of the users of the machine that own it, or have it as their home directory.
    ///
    /// # Errors
    /// There are none but root, or one cannot be named.
    pub fn denial(&self, home: &Path, org_id: i64) -> Result<Denial, SshdError> {
        let owner = named(home, fs::metadata(home))?.uid();
        let users = users(&passwd(owner), owner, home);
        if users.is_empty() {
            return Err(SshdError::NoUser(home.to_owned()));
        }
        // Patterns, other words and comments are none (sshd_config(5), PATTERNS).
        let is_plain = |name: &&String| !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+$\\".contains(c));
        if let Some(name) = users.iter().find(is_plain) {
            return Err(SshdError::Name(name.clone()));
        }
        Ok(Denial { sshd: self.clone(), file: self.file(org_id), users })
    }

    /// The file about an organisation's home, early among the files of the folder.
    fn file(&self, org_id: i64) -> PathBuf {
        self.folder().join(freeze::file_name(org_id))
    }

    fn folder(&self) -> PathBuf {
        let mut folder = self.config.clone().into_os_string();
        folder.push(".d");
        folder.into()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-f").arg(&self.config).stdin(Stdio::null());
        command
    }

    /// Whether the configuration can be used.
    fn test(&self) -> Result<(), SshdError> {
        let output = named(Path::new("/usr/sbin/sshd"), self.command().arg("-t").output())?;
        if output.status.success() {
            return Ok(());
        }
        Err(SshdError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Whether sshd would deny this user, by its own words.
    fn denies(&self, user: &str) -> Result<bool, SshdError> {
        let output = self.rules_of(user)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().any(|line| line.split_once(' ') == Some(("denyusers", user))))
    }

    /// The folders that sshd locks users of a home into (`ChrootDirectory`), by its own words, if the home is there or
    /// below: with the user of each.
    ///
    /// # Errors
    /// sshd refuses its configuration.
    pub fn chroots(&self, home: &Path) -> Result<Vec<(String, PathBuf)>, SshdError> {
        let owner = named(home, fs::metadata(home))?.uid();
        let passwd = passwd(owner);
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_in = |folder: &PathBuf| real(home).starts_with(real(folder));
        let mut chroots = Vec::new();
        for user in users(&passwd, owner, home) {
            let output = match self.rules_of(&user) {
                // Where there is no sshd, it locks nobody in.
                Err(SshdError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                output => output?,
            };
            if !output.status.success() {
                return Err(SshdError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
            let text = String::from_utf8_lossy(&output.stdout);
            let folder = text.lines().find_map(|line| line.strip_prefix("chrootdirectory "));
            let folder = folder.filter(|folder| *folder != "none").map(|folder| expanded(folder, &user, &passwd));
            chroots.extend(folder.filter(is_in).map(|folder| (user, folder)));
        }
        Ok(chroots)
    }

    /// What sshd says of its configuration for a user.
    fn rules_of(&self, user: &str) -> Result<Output, SshdError> {
        let connection = format!("user={user},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22");
        named(Path::new("/usr/sbin/sshd"), self.command().args(["-T", "-C", &connection]).output())
    }

    /// The process that listens.
    fn listener(&self) -> Result<Pid, SshdError> {
        let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        let is_sshd = |pid: &Pid| {
            let command = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
            command.is_ok_and(|command| command.trim() == "sshd")
        };
        pid.filter(is_sshd).ok_or_else(|| SshdError::NotRunning(self.pid_file.clone()))
    }

    /// Lets sshd read its configuration again, and waits until it has: it then writes the number of its process anew.
    #[expect(clippy::disallowed_methods, reason = "sshd answers a signal by a file alone")]
    fn reload(&self) -> Result<Pid, SshdError> {
        let listener = self.listener()?;
        let written =
            || fs::metadata(&self.pid_file).ok().map(|facts| (facts.ino(), facts.mtime(), facts.mtime_nsec()));
        let before = written();
        named(&self.pid_file, kill_process(listener, Signal::HUP).map_err(io::Error::from))?;
        let begin = Instant::now();
        while begin.elapsed() < RELOAD {
            if written().is_some_and(|now| Some(now) != before) && self.listener().is_ok() {
                return self.listener();
            }
            std::thread::sleep(LOOK);
        }
        Err(SshdError::NotReloaded)
    }
}

impl Denial {
    /// Whether its file is one that [`Sshd::denial`] names: what a manifest says otherwise would be overwritten.
    pub(super) fn has_its_own_file(&self) -> bool {
        let name = self.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        freeze::organisation(name).is_some_and(|org_id| self.sshd.file(org_id) == self.file)
    }

    /// Denies the users new sessions, and ends those that they have. Done already is fine. Waits for sshd.
    ///
    /// # Errors
    /// sshd does not take it, and then is as it was.
    pub fn begin(&self) -> Result<(), SshdError> {
        let Self { sshd, file, users } = self;
        sshd.listener()?;
        let names: Vec<&str> = users.iter().map(String::as_str).collect();
        // sshd may have read the file of a run that was killed: then it is for `end` to remove it.
        let is_read = file.exists();
        self.write(&format!("DenyUsers {}\n", names.join(" ")))?;
        let taken = self.is_taken();
        if taken.is_err() {
            if !is_read {
                named(file, fs::remove_file(file))?;
            }
            return taken;
        }
        self.end_sessions(sshd.reload()?)
    }

    /// Writes the file in one step. What a killed run has left of that is overwritten.
    fn write(&self, rule: &str) -> Result<(), SshdError> {
        let new = self.sshd.folder().join(NEW);
        named(&new, fs::remove_file(&new).or_else(absent))?;
        let text = format!("# Written by `sftpctl homes cutover`; `homes rollback` removes it.\n{rule}");
        let created = fs::File::options().write(true).create_new(true).mode(0o600).open(&new);
        named(&new, created.and_then(|mut file| file.write_all(text.as_bytes())))?;
        named(&self.file, fs::rename(&new, &self.file))
    }

    fn is_taken(&self) -> Result<(), SshdError> {
        self.sshd.test()?;
        for user in &self.users {
            if !self.sshd.denies(user)? {
                let (config, folder) = (self.sshd.config.clone(), self.sshd.folder());
                return Err(SshdError::NotRead { file: self.file.clone(), config, folder });
            }
        }
        Ok(())
    }

    /// Admits the users again. Done already is fine. Waits for sshd.
    ///
    /// # Errors
    /// sshd does not take it.
    pub fn end(&self) -> Result<(), SshdError> {
        if !named(&self.file, fs::exists(&self.file))? {
            return Ok(());
        }
        // It goes when sshd has read that it denies no one: a run that is killed before leaves it to the next one.
        self.write("")?;
        self.sshd.test()?;
        self.sshd.reload()?;
        named(&self.file, fs::remove_file(&self.file).or_else(absent))
    }

    /// Ends the sessions of the users, and connections that have not logged in yet: those have the old configuration.
    fn end_sessions(&self, listener: Pid) -> Result<(), SshdError> {
        let listener = listener.as_raw_nonzero().get();
        let processes = processes();
        for session in processes.iter().filter(|process| process.parent == listener) {
            let below = below(&processes, session.pid);
            let is_open = |process: &&Process| {
                ["[net]", "[accepted]", "[preauth]"].iter().any(|mark| process.title.contains(mark))
            };
            let is_theirs = |process: &&Process| self.users.contains(process.user_of_title());
            let has = below.iter().copied().any(|process| is_open(&process) || is_theirs(&process));
            if has || is_open(&session) || is_theirs(&session) {
                for process in below.iter().copied().chain([session]) {
                    let _ = Pid::from_raw(process.pid).map(|pid| kill_process(pid, Signal::KILL));
                }
            }
        }
        Ok(())
    }
}

/// The users of this machine, and the one with this user ID of a directory, which need not list its users.
fn passwd(owner: u32) -> String {
    let local = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let asked = Command::new("getent").args(["passwd", &owner.to_string()]).stdin(Stdio::null()).output();
    let asked = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    format!("{local}\n{asked}")
}

/// A `ChrootDirectory` with its tokens replaced (sshd_config(5), TOKENS).
fn expanded(folder: &str, user: &str, passwd: &str) -> PathBuf {
    let fields =
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&user));
    let field = |at: usize| fields.as_ref().and_then(|fields| fields.get(at).copied()).unwrap_or_default();
    let (mut path, mut rest) = (String::new(), folder);
    while let Some((before, after)) = rest.split_once('%') {
        path.push_str(before);
        let mut characters = after.chars();
        match characters.next() {
            Some('h') => path.push_str(field(5)),
            Some('u') => path.push_str(user),
            Some('U') => path.push_str(field(2)),
            Some(other) => path.push(other),
            None => {}
        }
        rest = characters.as_str();
    }
    path.push_str(rest);
    PathBuf::from(path)
}

/// The users with this user ID or this home directory, in lines of passwd(5); never root.
fn users(passwd: &str, owner: u32, home: &Path) -> BTreeSet<String> {
    let named = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, directory, ..] = *fields.as_slice() else { return None };
        let uid: u32 = uid.parse().ok()?;
        (uid != 0 && (uid == owner || Path::new(directory) == home)).then(|| name.to_owned())
    };
    passwd.lines().filter_map(named).collect()
}

/// A process.
#[derive(Debug)]
struct Process {
    pid: i32,
    parent: i32,
    /// As it writes it itself: `sshd: jan@notty`, `sshd: jan [priv]`.
    title: String,
}

impl Process {
    /// The user whom an sshd serves.
    fn user_of_title(&self) -> &str {
        let served = self.title.split_once(": ").filter(|(program, _)| program.starts_with("sshd"));
        let served = served.map_or("", |(_, served)| served.trim());
        served.split([' ', '@']).next().unwrap_or_default()
    }
}

fn processes() -> Vec<Process> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let process = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may have any characters (proc_pid_stat(5)).
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        let title = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let title = String::from_utf8_lossy(&title).replace('\0', " ");
        Some(Process { pid, parent, title: title.trim().to_owned() })
    };
    numbers.filter_map(process).collect()
}

/// All processes below one.
fn below(all: &[Process], of: i32) -> Vec<&Process> {
    let mut found: Vec<&Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_a_home_are_its_owner_and_those_who_live_there() {
        let passwd = "root:x:0:0::/home/7:/bin/sh\njan:x:1001:1001::/home/7:/bin/sh\nold:x:1002:1001::/srv:/bin/sh\n\
                      eve:x:1003:1003::/home/7:/bin/sh\nother:x:1004:1004::/home/8:/bin/sh\nbroken\n";
        let users: Vec<String> = users(passwd, 1002, Path::new("/home/7")).into_iter().collect();
        assert_eq!(users, ["eve", "jan", "old"]);
    }

    #[test]
    fn tokens_of_a_chroot_are_those_of_the_user() {
        let passwd = "root:x:0:0::/root:/bin/sh\njan:x:1001:1001::/home/7:/bin/sh\n";
        for (folder, expected) in [
            ("%h", "/home/7"),
            ("/srv/%u/%U", "/srv/jan/1001"),
            ("/100%%", "/100%"),
            ("/plain", "/plain"),
            ("/end%", "/end"),
        ] {
            assert_eq!(expanded(folder, "jan", passwd), Path::new(expected), "{folder}");
        }
    }

    #[test]
    fn titles_say_whom_an_sshd_serves() {
        for (title, user) in [
            ("sshd: jan@notty", "jan"),
            ("sshd: jan [priv]", "jan"),
            ("sshd-session: jan@internal-sftp", "jan"),
            ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "/usr/sbin/sshd"),
            ("cat jan", ""),
        ] {
            let process = Process { pid: 1, parent: 1, title: title.to_owned() };
            assert_eq!(process.user_of_title(), user, "{title}");
        }
    }
}
