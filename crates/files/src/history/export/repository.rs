//! A git repository, through the program `git`.
//!
//! It runs without the settings of the user and of the machine, so that a repository depends on nothing but the bucket,
//! and in a process group of its own: Ctrl-C stops the export, which then ends git's stream in order.
//!
//! The repository's own folder is trusted as far as git trusts one (git-config(1), `safe.directory`): it has to belong to
//! the user, and nothing in it may lead elsewhere. No hook of it runs, and no program that its configuration names.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use sftpctl_aws::owner::is_own;
use sftpctl_core::shell_word::shell_word;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::commit::{self, BRANCH, TRAILER};
use super::state::FOLDER;
use crate::own::{WRITABLE_BY_OTHERS, closed_above};

/// Git could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("there is no program `git`; install it, for example with `apt-get install git`")]
    Missing,
    #[error("git could not be started")]
    Start(#[source] io::Error),
    #[error("git {what} failed: {words}")]
    Failed { what: &'static str, words: String },
    #[error("{dir} exists, and is not a repository of an export")]
    Other { dir: String },
    #[error("another export is writing to {dir}")]
    Locked { dir: String },
    #[error("{path} {why}")]
    Unsafe { path: String, why: String },
    #[error("{file} sets `{name}`, which could make git read other files or run programs; remove it")]
    Setting { file: String, name: String },
    #[error("{file} sets `{name}` to `{value}`, with which an export cannot go on: {why}")]
    Value { file: String, name: String, value: String, why: &'static str },
    #[error("git cannot use the repository {dir}: {words}")]
    Unusable { dir: String, words: String },
    #[error("the repository could not be written")]
    Io(#[from] io::Error),
}

/// A repository that only one export at a time writes to.
pub(crate) struct Repository {
    /// The folder with git's own files.
    pub(crate) dir: PathBuf,
    lock: File,
}

impl Drop for Repository {
    /// A process that is being started has a copy of the file for a moment, so closing it is not enough.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// Commits that are in a repository beyond its state, the oldest first.
pub(crate) struct Commits {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A commit of the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    /// IDs, with spaces between them.
    parents: String,
    /// Name and address.
    committer: String,
    /// The digest of its changes; empty in a commit of someone else's.
    pub(crate) digest: String,
}

/// Settings of a repository that would run a program, or change what git says of it.
const SETTINGS: [&str; 8] = [
    // What somebody has put into the repository's folder is not run.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.alternateRefsCommand=false",
    "core.attributesFile=/dev/null",
    // `log` would run the program that checks signatures.
    "log.showSignature=false",
    "gpg.program=false",
    // `fast-import` would take two names that differ in case for one file.
    "core.ignoreCase=false",
];

fn git(dir: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        // Nothing is read from another repository, and no commit is shown as another one.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .args(SETTINGS.into_iter().flat_map(|setting| ["-c", setting]))
        .arg("--git-dir")
        .arg(dir)
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    command
}

fn started(error: io::Error) -> GitError {
    if error.kind() == io::ErrorKind::NotFound { GitError::Missing } else { GitError::Start(error) }
}

/// Whether a repository is as this program makes one: of this user, without links, and with nothing that makes git read
/// or write elsewhere.
fn check_files(dir: &Path) -> Result<(), GitError> {
    let refuse = |path: &Path, why: &str| Err(GitError::Unsafe { path: path.display().to_string(), why: why.into() });
    // What is in a folder that is closed to others is, too, whatever its mode.
    let is_closed = dir.symlink_metadata().is_ok_and(|facts| facts.mode() & 0o077 == 0);
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let facts = match path.symlink_metadata() {
            // A file of a run that is writing just now; that run has the lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            facts => facts?,
        };
        if facts.is_symlink() {
            return refuse(&path, "is a link; a repository of an export has none");
        }
        if !facts.is_file() && !facts.is_dir() {
            return refuse(&path, "is neither a file nor a folder");
        }
        if !is_own(facts.uid()) {
            return refuse(&path, "belongs to another user");
        }
        if !is_closed && facts.mode() & WRITABLE_BY_OTHERS != 0 {
            let command = format!("chmod -R go-w {}", shell_word(&dir.display().to_string()));
            return refuse(&path, &format!("may be written by others: close the repository with `{command}`"));
        }
        for (names, why) in [
            (["commondir", "objects/info/alternates"], "makes git read another repository"),
            (["info/grafts", "shallow"], "makes git say of commits what is not in them"),
        ] {
            if names.iter().any(|name| dir.join(name) == path) {
                return refuse(&path, why);
            }
        }
        if facts.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        } else if path == dir {
            return refuse(&path, "leads to another folder");
        }
    }
    Ok(())
}

/// What a repository's `config` may set: nothing that runs a program, makes git read another file, or writes files for others.
const ALLOWED: [&str; 12] = [
    "core.bare",
    "core.bigfilethreshold",
    "core.compression",
    "core.filemode",
    "core.ignorecase",
    "core.logallrefupdates",
    "core.precomposeunicode",
    "core.repositoryformatversion",
    "core.symlinks",
    "extensions.objectformat",
    "user.email",
    "user.name",
];

/// Where the repository is pushed on to, which is its owner's business: `remote.NAME.url`, `branch.NAME.merge`.
const ALLOWED_OF: [(&str, &[&str]); 2] =
    [("remote.", &["fetch", "mirror", "push", "pushurl", "url"]), ("branch.", &["merge", "rebase", "remote"])];

/// Whether a setting changes nothing for an export.
fn is_allowed(name: &str) -> bool {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let is_of = |(section, settings): &(&str, &[&str])| name.starts_with(section) && settings.contains(&&*last(name));
    ALLOWED.contains(&name) || ALLOWED_OF.iter().any(is_of)
}

/// Whether the configuration has only settings that change nothing for an export.
async fn check_config(dir: &Path) -> Result<(), GitError> {
    for name in ["config", "config.worktree"] {
        let file = dir.join(name);
        if !file.exists() {
            continue;
        }
        // Not as the repository's own configuration, which git obeys from its start on.
        let mut command = git(Path::new("/dev/null"));
        let listed = command.args(["config", "--no-includes", "--list", "-z", "--file"]).arg(&file);
        let shown = || file.display().to_string();
        let settings = run("config", listed)
            .await
            .map_err(|error| error.about(|words| GitError::Unusable { dir: dir.display().to_string(), words }))?;
        for setting in settings.split('\0').filter(|setting| !setting.is_empty()) {
            // A setting without a value means yes.
            let (name, value) = setting.split_once('\n').unwrap_or((setting, "true"));
            if !is_allowed(name) {
                return Err(GitError::Setting { file: shown(), name: name.to_owned() });
            }
            if let Some(why) = unusable(name, value) {
                return Err(GitError::Value { file: shown(), name: name.to_owned(), value: value.to_owned(), why });
            }
        }
    }
    Ok(())
}

/// Why an export cannot go on with the value of a setting, which git itself would take.
fn unusable(name: &str, value: &str) -> Option<&'static str> {
    match name {
        "extensions.objectformat" if value != "sha1" => Some("the commits of an export have SHA-1"),
        "core.repositoryformatversion" if !["0", "1"].contains(&value) => Some("git knows the formats 0 and 1"),
        _ => None,
    }
}

/// Runs a command to its end. Returns its output.
async fn run(what: &'static str, command: &mut Command) -> Result<String, GitError> {
    let output = command.output().await.map_err(started)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(GitError::Failed { what, words: words(&output.stderr, output.status) })
}

/// The end of what git said.
fn words(said: &[u8], status: ExitStatus) -> String {
    let said = String::from_utf8_lossy(said);
    let last: Vec<&str> = said.lines().filter(|line| !line.is_empty()).rev().take(5).collect();
    if last.is_empty() { status.to_string() } else { last.into_iter().rev().collect::<Vec<_>>().join("; ") }
}

impl GitError {
    /// Another error with git's words, if it has some.
    fn about(self, other: impl FnOnce(String) -> Self) -> Self {
        match self {
            Self::Failed { words, .. } => other(words),
            error => error,
        }
    }
}

impl Repository {
    /// Opens the repository of an earlier export, or creates one in a folder that is new or empty.
    ///
    /// # Errors
    /// There is something else, another export is running, or there is no git.
    pub(crate) async fn open(dir: &Path) -> Result<Self, GitError> {
        let shown = dir.display().to_string();
        if dir.symlink_metadata().is_ok_and(|facts| facts.is_symlink()) {
            return Err(GitError::Unsafe { path: shown, why: "is a link; pass the folder itself".into() });
        }
        // Who may write to one of them could exchange the repository at any moment.
        let real = match closed_above(dir)? {
            Ok(real) => real,
            Err((folder, why)) => {
                let why = format!(
                    "{why}, and the repository would be in it: close it with `chmod go-w`, or pass a folder elsewhere"
                );
                return Err(GitError::Unsafe { path: folder.display().to_string(), why });
            }
        };
        let dir = real.as_path();
        let is_new = match std::fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error.into()),
        };
        // A repository with a work tree has its own files in a folder of it.
        let inside = dir.join(".git");
        let own = if inside.symlink_metadata().is_ok() { inside } else { dir.to_owned() };
        if is_new {
            // Files of customers, and an empty folder that somebody else may have made.
            DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
            let facts = own.symlink_metadata()?;
            if is_own(facts.uid()) && facts.mode() & 0o002 == 0 {
                std::fs::set_permissions(&own, Permissions::from_mode(0o700))?;
            }
            check_files(&own)?;
        } else {
            if !own.join(FOLDER).is_dir() {
                return Err(GitError::Other { dir: shown });
            }
            check_files(&own)?;
            check_config(&own).await?;
        }
        std::fs::create_dir_all(own.join(FOLDER))?;
        let mut options = File::options();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let lock = options.open(own.join(FOLDER).join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(GitError::Locked { dir: shown }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        remove_debris(&own)?;
        // Again after one that was killed, which changes nothing in a repository that is complete.
        let init = ["init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main"];
        if !own.join("HEAD").is_file() {
            run("init", git(&own).args(init)).await?;
        }
        Ok(Self { dir: own, lock })
    }

    /// The last commit; `None` before the first.
    ///
    /// # Errors
    /// Git does not take the folder for a repository, or one of its settings or the branch for none of git's.
    pub(crate) async fn head(&self) -> Result<Option<String>, GitError> {
        let mut command = git(&self.dir);
        let output = command.args(["rev-parse", "--verify", "--quiet", BRANCH]).output().await.map_err(started)?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(Some(id).filter(|id| !id.is_empty())),
            // Quiet about a branch that does not exist, and about nothing else.
            Some(1) if output.stderr.is_empty() => Ok(None),
            _ => {
                let dir = self.dir.display().to_string();
                Err(GitError::Unusable { dir, words: words(&output.stderr, output.status) })
            }
        }
    }

    /// Sets the branch to a commit, or removes it, if it is still at the commit `from`.
    pub(crate) async fn set_head(&self, commit: Option<&str>, from: &str) -> Result<(), GitError> {
        let arguments = match commit {
            Some(commit) => vec!["update-ref", BRANCH, commit, from],
            None => vec!["update-ref", "-d", BRANCH, from],
        };
        run("update-ref", git(&self.dir).args(arguments)).await.map(drop)
    }

    /// Whether all that leads from the commit `from`, or from nothing, to `head` is an export's of this bucket: one line of
    /// commits, each with our committer and our digest. A commit that was amended or rebased has another committer.
    pub(crate) async fn is_all_ours(&self, bucket: &str, from: Option<&str>, head: &str) -> Result<bool, GitError> {
        let committer = commit::committer(bucket);
        let mut parent = from.unwrap_or_default().to_owned();
        let mut commits = self.commits_after(from, head)?;
        while let Some(next) = commits.next().await? {
            if next.parents != parent || next.committer != committer || next.digest.is_empty() {
                return Ok(false);
            }
            parent = next.id;
        }
        // Otherwise the head is no descendant of it.
        Ok(parent == head)
    }

    /// The commits after this one up to another.
    pub(crate) fn commits_after(&self, commit: Option<&str>, head: &str) -> Result<Commits, GitError> {
        let range = commit.map_or_else(|| head.to_owned(), |commit| format!("{commit}..{head}"));
        let format = format!("--format=%H%x00%P%x00%cn <%ce>%x00%(trailers:key={TRAILER},valueonly,separator=)");
        let mut command = git(&self.dir);
        let mut child = command
            .args(["log", "--reverse", "--topo-order", &format, "--end-of-options", &range, "--"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(started)?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("git has no output"))?;
        Ok(Commits { child, lines: BufReader::new(stdout).lines() })
    }

    /// Whether the whole repository is as git wants it.
    pub(crate) async fn check(&self) -> Result<(), GitError> {
        run("fsck --strict", git(&self.dir).args(["fsck", "--strict", "--no-dangling", "--no-progress"]))
            .await
            .map(drop)
    }
}

impl Commits {
    /// The next commit.
    pub(crate) async fn next(&mut self) -> Result<Option<Commit>, GitError> {
        let Some(line) = self.lines.next_line().await? else {
            let status = self.child.wait().await?;
            return match status.success() {
                true => Ok(None),
                false => Err(GitError::Failed { what: "log", words: status.to_string() }),
            };
        };
        let mut fields = line.split('\0').map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        Ok(Some(Commit { id: field(), parents: field(), committer: field(), digest: field() }))
    }
}

/// Removes what a `fast-import` that was killed, or had no room, has left; the lock says that ours is not running. Other
/// programs of git may be writing a pack, but not for a day.
fn remove_debris(dir: &Path) -> io::Result<()> {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let is_old = |entry: &std::fs::DirEntry| {
        let modified = entry.metadata().and_then(|facts| facts.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > DAY))
    };
    for (folder, beginnings, at_once) in [
        (dir.to_owned(), &["fast_import_crash_"][..], true),
        (dir.join("objects/pack"), &["tmp_pack_", "tmp_idx_"], false),
    ] {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if beginnings.iter().any(|beginning| name.starts_with(beginning)) && (at_once || is_old(&entry)) {
                match std::fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// A running `git fast-import`. Without [`Import::finish`] it leaves nothing but what was there at its last checkpoint.
pub(crate) struct Import {
    child: Child,
    stdin: BufWriter<ChildStdin>,
    said: File,
}

impl Import {
    pub(crate) async fn start(repository: &Repository) -> Result<Self, GitError> {
        let said = tempfile::tempfile()?;
        let mut command = git(&repository.dir);
        let mut child = command
            .args(["fast-import", "--quiet", "--done", "--date-format=raw"])
            .stdin(Stdio::piped())
            // Git says nothing there. If this process is killed, the repository stays locked until git has ended, too.
            .stdout(repository.lock.try_clone()?)
            .stderr(said.try_clone()?)
            .spawn()
            .map_err(started)?;
        let stdin = child.stdin.take().ok_or_else(|| io::Error::other("git has no input"))?;
        let mut import = Self { child, stdin: BufWriter::with_capacity(1 << 16, stdin), said };
        import.write(b"feature done\n").await?;
        Ok(import)
    }

    /// Writes a piece of the stream.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        match self.stdin.write_all(bytes).await {
            Ok(()) => Ok(()),
            // Git has ended; its own words are better than those of a broken pipe.
            Err(_) => Err(self.failed().await),
        }
    }

    /// Ends the stream, and waits for git.
    pub(crate) async fn finish(mut self) -> Result<(), GitError> {
        self.write(b"done\n").await?;
        if self.stdin.shutdown().await.is_err() {
            return Err(self.failed().await);
        }
        let Self { mut child, stdin, said } = self;
        drop(stdin);
        let status = child.wait().await?;
        if status.success() { Ok(()) } else { Err(failure(said, status)) }
    }

    async fn failed(&mut self) -> GitError {
        match self.child.wait().await {
            Ok(status) => match self.said.try_clone() {
                Ok(said) => failure(said, status),
                Err(error) => error.into(),
            },
            Err(error) => error.into(),
        }
    }
}

fn failure(mut said: File, status: ExitStatus) -> GitError {
    let mut text = Vec::new();
    let read = said.rewind().and_then(|()| said.read_to_end(&mut text));
    match read {
        Ok(_) => GitError::Failed { what: "fast-import", words: words(&text, status) },
        Err(error) => error.into(),
    }
}
