use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sftpctl_aws::{VersionFacts, VersionMarker, VersionPage};

use super::super::timeline::tests::version;
use super::*;

mod hidden;

/// A bucket in memory. A version's content is its ETag.
#[derive(Clone, Default)]
struct Memory {
    versions: Arc<Vec<VersionFacts>>,
    /// Contents that were read; after this many, reads fail.
    read: Arc<AtomicU64>,
    fails_after: Option<u64>,
}

impl Memory {
    /// Versions in the order in which they were written, by key, time and content.
    fn of(all: &[(&str, i64, Option<&str>)]) -> Self {
        let mut keys: BTreeMap<&str, Vec<VersionFacts>> = BTreeMap::new();
        for (id, (key, time, content)) in all.iter().enumerate() {
            keys.entry(key).or_default().insert(0, version(key, &format!("v{id}"), *time, *content));
        }
        Self { versions: Arc::new(keys.into_values().flatten().collect()), ..Self::default() }
    }
}

impl Source for Memory {
    async fn page(&self, prefix: &str, _from: Option<&VersionMarker>) -> Result<VersionPage, AwsError> {
        let versions = self.versions.iter().filter(|version| version.key.starts_with(prefix)).cloned().collect();
        Ok(VersionPage { versions, next: None })
    }

    async fn content(&self, wanted: Wanted) -> Result<Vec<u8>, FetchError> {
        let read = self.read.fetch_add(1, Ordering::Relaxed);
        let Wanted { key, version, etag, .. } = wanted;
        if self.fails_after.is_some_and(|limit| read >= limit) {
            return Err(FetchError::Gone { key, version });
        }
        let found = self.versions.iter().find(|other| other.key == key && other.id == version);
        assert_eq!(found.unwrap().etag, etag);
        Ok(etag.into_bytes())
    }

    async fn sha256(&self, wanted: Wanted) -> Result<String, FetchError> {
        Ok(format!("digest-of-{}", wanted.version))
    }
}

struct Quiet;

impl Watch for Quiet {
    fn progress(&self, _progress: Progress) {}
    fn stop(&self) -> bool {
        false
    }
}

/// Stops once so many commits are written.
struct StopAt(u64, Mutex<u64>);

impl Watch for StopAt {
    fn progress(&self, progress: Progress) {
        *self.1.lock().unwrap() = progress.commits;
    }
    fn stop(&self) -> bool {
        *self.1.lock().unwrap() >= self.0
    }
}

fn options(dir: &Path, until: i64) -> Options {
    let (bucket, home) = ("b".to_owned(), "17578/".to_owned());
    Options { dir: dir.to_owned(), bucket, home, quiet: 300, max_blob: 10, until }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("--git-dir").arg(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const END: i64 = 1_000_000;

fn history() -> Vec<(&'static str, i64, Option<&'static str>)> {
    vec![
        ("17578/in/", 900, Some("")),
        ("17578/in/a.csv", 1_000, Some("one")),
        ("17578/in/b.csv", 1_010, Some("two")),
        ("17578/.git/config", 1_020, Some("[core]")),
        ("17578/a/../b", 1_030, Some("dots")),
        ("17578/in/a.csv", 2_000, Some("three")),
        ("17578/in/a.csv", 2_001, Some("four")),
        ("17578/in/c.csv", 3_000, Some("two")),
        ("17578/in/b.csv", 3_001, None),
        ("17578/big", 4_000, Some("more than ten bytes")),
        ("17578/d", 5_000, Some("d")),
        ("17578/d/e", 6_000, Some("e")),
        ("17578/in/a.csv", 7_000, None),
        ("17578/early", 8_000, Some("x")),
        ("175781/other", 8_000, Some("not ours")),
        ("17578/empty", 9_000, Some("")),
    ]
}

#[tokio::test]
async fn canaries_of_mounts_are_nobodys_history() {
    let memory = Memory::of(&[(".sftpctl-canary-main", 1_000, Some("uuid")), ("17578/a", 2_000, Some("a"))]);
    let mut versions = Versions::of(memory, String::new());
    let mut keys = Vec::new();
    while let Some(version) = versions.next().await.unwrap() {
        keys.push(version.key);
    }
    assert_eq!(keys, ["17578/a"]);
}

#[tokio::test]
async fn versions_become_commits() {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join("new/repository");
    let source = Memory::of(&history());
    let done = run(&source, &options(&repository, END), &Quiet).await.unwrap();
    let log = git(&repository, &["log", "--reverse", "--format=%an <%ae> %at %ct %s", "main"]);
    let expected = [
        "17578 <17578@b> 1030 1030 4 files: 4 written",
        "17578 <17578@b> 2000 2000 write in/a.csv",
        "17578 <17578@b> 2001 2001 write in/a.csv",
        "17578 <17578@b> 3001 3001 rename in/b.csv to in/c.csv",
        "17578 <17578@b> 4000 4000 write big",
        "17578 <17578@b> 5000 5000 write d",
        "17578 <17578@b> 6000 6000 2 files: 1 written, 1 renamed",
        "17578 <17578@b> 7000 7000 delete in/a.csv",
        "17578 <17578@b> 8000 8000 write early",
        "17578 <17578@b> 9000 9000 write empty",
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    let files = git(&repository, &["ls-tree", "-r", "--name-only", "main"]);
    let expected = ["%2Egit/config", "a/%2E%2E/b", "big", "d%2F", "d/e", "early", "empty", "in/c.csv"];
    assert_eq!(files.lines().collect::<Vec<_>>(), expected);
    assert_eq!(git(&repository, &["show", "main:in/c.csv"]), "two");
    assert_eq!(git(&repository, &["show", "main~8:in/a.csv"]), "three");
    let pointer = git(&repository, &["show", "main:big"]);
    let expected = "version https://git-lfs.github.com/spec/v1\noid sha256:digest-of-v9\nsize 19\nx-s3-version-id v9\n";
    assert_eq!(pointer, expected);
    // Neither the rename nor the object that made way was downloaded, nor what is empty.
    assert_eq!(source.read.load(Ordering::Relaxed), 9);
    assert_eq!((done.progress.commits, done.pointers, done.escaped, done.open), (10, 1, 2, 0), "{done:?}");
    assert_eq!(done.samples, ["17578/.git/config", "17578/a/../b"]);
    assert_eq!(done.commit, Some(git(&repository, &["rev-parse", "main"]).trim().to_owned()));
    // Again: nothing.
    let again = run(&source, &options(&repository, END), &Quiet).await.unwrap();
    assert_eq!((again.progress.commits, again.commit), (0, done.commit));
}

/// The ID of the last commit of one run.
async fn in_one_run() -> String {
    let dir = tempfile::tempdir().unwrap();
    run(&Memory::of(&history()), &options(dir.path(), END), &Quiet).await.unwrap().commit.unwrap()
}

#[tokio::test]
async fn many_runs_have_the_commits_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let all = history();
    let mut last = None;
    // What a run sees is what was there at its time; it ends within sessions, too.
    for until in [0, 1_015, 1_500, 2_000, 3_001, 3_200, 5_500, 6_400, 8_000, END] {
        let seen: Vec<_> = all.iter().filter(|(_, time, _)| *time <= until).copied().collect();
        let source = Memory::of(&seen);
        let done = run(&source, &options(dir.path(), until), &Quiet).await.unwrap();
        last = done.commit;
    }
    assert_eq!(last, Some(in_one_run().await));
}

#[tokio::test]
async fn run_that_was_stopped_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&history());
    let mut runs = 0;
    let last = loop {
        let stop = StopAt(1, Mutex::new(0));
        let done = run(&source, &options(dir.path(), END), &stop).await.unwrap();
        runs += 1;
        if !done.interrupted {
            break done.commit;
        }
    };
    assert!(runs > 1, "{runs}");
    assert_eq!(last, Some(in_one_run().await));
}

#[tokio::test]
async fn run_that_failed_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&history());
    let failing = Memory { fails_after: Some(5), ..source.clone() };
    let error = run(&failing, &options(dir.path(), END), &Quiet).await.unwrap_err();
    assert!(error.to_string().contains("has been deleted since"), "{error}");
    let done = run(&source, &options(dir.path(), END), &Quiet).await.unwrap();
    assert_eq!(done.commit, Some(in_one_run().await));
}

/// Git leaves a report of a `fast-import` that was killed, and its pack. A pack that is being written is not touched.
#[tokio::test]
async fn what_killed_imports_have_left_is_removed() {
    let (source, dir) = (Memory::of(&history()), tempfile::tempdir().unwrap());
    let repository = dir.path().join("r");
    run(&source, &options(&repository, END), &Quiet).await.unwrap();
    let [crash, old, new] = ["fast_import_crash_4711", "objects/pack/tmp_pack_old", "objects/pack/tmp_pack_new"]
        .map(|name| repository.join(name));
    for file in [&crash, &old, &new] {
        std::fs::write(file, "x").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86_400);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    run(&source, &options(&repository, END), &Quiet).await.unwrap();
    assert_eq!([&crash, &old, &new].map(|file| file.exists()), [false, false, true]);
}

/// As after a kill between git's checkpoint and the note of it.
#[tokio::test]
async fn commits_without_a_note_are_recognized() {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&history());
    let note = dir.path().join("sftpctl/exported");
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 1_500).collect();
    run(&Memory::of(&early), &options(dir.path(), 1_500), &Quiet).await.unwrap();
    let before = std::fs::read(&note).unwrap();
    let pending = Pending { from: Some(git(dir.path(), &["rev-parse", "main"]).trim().to_owned()) };
    let killed = || {
        std::fs::write(&note, &before).unwrap();
        pending.save(dir.path()).unwrap();
    };
    let once = run(&source, &options(dir.path(), END), &Quiet).await.unwrap();
    assert!(Pending::open(dir.path()).unwrap().is_none());
    killed();
    let read = source.read.load(Ordering::Relaxed);
    let again = run(&source, &options(dir.path(), END), &Quiet).await.unwrap();
    assert_eq!((again.resumed, again.progress.commits, &again.commit), (9, 0, &once.commit));
    assert_eq!(source.read.load(Ordering::Relaxed), read, "nothing is downloaded again");
    assert_eq!(again.commit, Some(in_one_run().await));

    // The past has changed meanwhile: commits from there on are others.
    killed();
    let expired: Vec<_> = history().into_iter().filter(|(key, ..)| *key != "17578/big").collect();
    let other = run(&Memory::of(&expired), &options(dir.path(), END), &Quiet).await.unwrap();
    assert_eq!(git(dir.path(), &["log", "--format=%s", "main", "--", "big"]), "");
    assert_eq!(other.commit, Some(git(dir.path(), &["rev-parse", "main"]).trim().to_owned()));
}

/// Whatever somebody has put on the branch is neither dropped nor moved.
#[tokio::test]
async fn commits_of_others_are_not_moved() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, source) = (dir.path(), Memory::of(&history()));
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 1_500).collect();
    run(&Memory::of(&early), &options(dir, 1_500), &Quiet).await.unwrap();
    let note = std::fs::read(dir.join("sftpctl/exported")).unwrap();
    let head = || git(dir, &["rev-parse", "main"]).trim().to_owned();
    let (first, set) = (head(), |id: &str| git(dir, &["update-ref", "refs/heads/main", id]));
    run(&source, &options(dir, END), &Quiet).await.unwrap();
    let all = head();
    let who = ["-c", "user.name=me", "-c", "user.email=me@example.com"];
    let on = |parent: &str, message: &str| {
        let commit = ["commit-tree", &format!("{parent}^{{tree}}"), "-p", parent, "-m", message];
        git(dir, &[&who[..], &commit].concat()).trim().to_owned()
    };
    // As an amended commit has it.
    let copied = git(dir, &["log", "-1", "--format=%B", &all]);
    let (mine, amended) = (on(&all, "mine"), on(&format!("{all}^"), &copied));
    let killed = || {
        std::fs::write(dir.join("sftpctl/exported"), &note).unwrap();
        Pending { from: Some(first.clone()) }.save(dir).unwrap();
    };
    // In the second history the past has changed, so that commits of a killed run would be dropped.
    let expired: Vec<_> = history().into_iter().filter(|(key, ..)| *key != "17578/big").collect();
    for source in [source, Memory::of(&expired)] {
        for id in [&mine, &amended, &on(&first, "beside"), &format!("{first}^0")] {
            set(id);
            killed();
            let before = head();
            let result = run(&source, &options(dir, END), &Quiet).await;
            let is_ours = *id == format!("{first}^0");
            assert_eq!(matches!(result, Err(ExportError::OtherCommits)), !is_ours, "{id}: {result:?}");
            assert!(is_ours || head() == before, "{id}");
        }
        // Without a run that was killed, nothing beyond the note is ours.
        set(&all);
        std::fs::write(dir.join("sftpctl/exported"), &note).unwrap();
        Pending::remove(dir).unwrap();
        let result = run(&source, &options(dir, END), &Quiet).await;
        assert!(matches!(result, Err(ExportError::OtherCommits)) && head() == all, "{result:?}");
    }
}

/// A branch that was set back is not set forward.
#[tokio::test]
async fn branch_that_was_set_back_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 5_500).collect();
    run(&Memory::of(&early), &options(dir.path(), 5_500), &Quiet).await.unwrap();
    git(dir.path(), &["update-ref", "refs/heads/main", "main~2"]);
    let before = git(dir.path(), &["rev-parse", "main"]);
    let result = run(&Memory::of(&history()), &options(dir.path(), END), &Quiet).await;
    assert!(matches!(result, Err(ExportError::OtherCommits)), "{result:?}");
    assert_eq!(git(dir.path(), &["rev-parse", "main"]), before);
}

/// A folder that somebody else has prepared: links, other repositories, and programs.
#[tokio::test]
async fn nothing_of_a_prepared_folder_is_followed_or_run() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, source) = (dir.path().join("r"), Memory::of(&history()));
    let foreign = dir.path().join("foreign");
    std::fs::write(&foreign, "precious").unwrap();
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 1_500).collect();
    run(&Memory::of(&early), &options(&repository, 1_500), &Quiet).await.unwrap();
    let refused = async |what: &str| {
        let result = run(&source, &options(&repository, END), &Quiet).await;
        let is_refused = matches!(result, Err(ExportError::Git(GitError::Unsafe { .. })));
        assert!(is_refused, "{what}: {result:?}");
        assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "precious", "{what}");
    };
    for name in ["sftpctl/lock", "sftpctl/exported.new", "objects/pack/x", "hooks"] {
        let path = repository.join(name);
        let before = std::fs::read(&path).ok();
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(&foreign, &path).unwrap();
        refused(name).await;
        std::fs::remove_file(&path).unwrap();
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
    }
    for name in ["objects/info/alternates", "commondir", "info/grafts", "shallow"] {
        std::fs::create_dir_all(repository.join(name).parent().unwrap()).unwrap();
        std::fs::write(repository.join(name), "../elsewhere\n").unwrap();
        refused(name).await;
        std::fs::remove_file(repository.join(name)).unwrap();
    }
    // Hooks, and programs that the configuration names, for commits that are signed.
    let marker = dir.path().join("ran");
    let program = dir.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\ntouch '{}'\n", marker.display())).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).unwrap();
    std::fs::create_dir(repository.join("hooks")).unwrap();
    for hook in ["reference-transaction", "post-update", "update", "pre-auto-gc"] {
        std::fs::copy(&program, repository.join("hooks").join(hook)).unwrap();
    }
    let program = program.display().to_string();
    for (name, value) in [
        ("core.hooksPath", repository.join("hooks").display().to_string()),
        ("core.fsmonitor", program.clone()),
        ("gpg.program", program.clone()),
        ("core.sshCommand", program.clone()),
        ("log.showSignature", "true".to_owned()),
        ("hook.x.command", program.clone()),
        ("fsck.skipList", "/etc/hostname".to_owned()),
        ("include.path", "/etc/hostname".to_owned()),
        ("remote.origin.uploadpack", program.clone()),
        ("core.sharedRepository", "0666".to_owned()),
    ] {
        let before = std::fs::read(repository.join("config")).unwrap();
        git(&repository, &["config", name, &value]);
        let result = run(&source, &options(&repository, END), &Quiet).await;
        let name = name.to_lowercase();
        let is_refused = |error: &ExportError| matches!(error, ExportError::Git(GitError::Setting { name: other, .. }) if *other == name);
        assert!(result.as_ref().is_err_and(is_refused), "{name}: {result:?}");
        std::fs::write(repository.join("config"), before).unwrap();
    }
    // Where it is pushed to is the user's own business.
    git(&repository, &["config", "remote.origin.url", "https://git.example.net/history.git"]);
    let done = run(&source, &options(&repository, END), &Quiet).await.unwrap();
    assert_eq!(done.commit, Some(in_one_run().await));
    assert!(!marker.exists(), "a program of the folder was run");
    // Through a link to the folder itself.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&repository, &link).unwrap();
    let result = run(&source, &options(&link, END), &Quiet).await;
    assert!(matches!(result, Err(ExportError::Git(GitError::Unsafe { .. }))), "{result:?}");
}

/// Everything of customers is in a repository, and whoever can write to it can have git run programs.
#[tokio::test]
async fn repository_is_closed_to_others() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&history());
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let refused = async |path: &Path| {
        let result = run(&source, &options(path, END), &Quiet).await;
        assert!(matches!(result, Err(ExportError::Git(GitError::Unsafe { .. }))), "{}: {result:?}", path.display());
    };
    // An empty folder of others.
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    set(&empty, 0o777);
    refused(&empty).await;
    if rustix::process::geteuid().is_root() {
        set(&empty, 0o755);
        std::os::unix::fs::chown(&empty, Some(1), None).unwrap();
        refused(&empty).await;
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    // One of our own is closed, as one that the export makes.
    let own = dir.path().join("own");
    std::fs::create_dir(&own).unwrap();
    set(&own, 0o755);
    run(&source, &options(&own, END), &Quiet).await.unwrap();
    assert_eq!(own.metadata().unwrap().mode() & 0o777, 0o700);
    // In a folder of others, a repository could be exchanged between two calls of git.
    let above = dir.path().join("above");
    std::fs::create_dir_all(above.join("inner")).unwrap();
    set(&above, 0o777);
    refused(&above.join("inner/new")).await;
    assert!(!above.join("inner/new").exists());
    set(&above, 0o1777);
    run(&source, &options(&above.join("inner/new"), END), &Quiet).await.unwrap();
    // A link of others on the way leads where it led when the folders were checked.
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for folder in [&one, &other] {
        std::fs::create_dir(folder).unwrap();
    }
    let link = above.join("link");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let repository = Repository::open(&link.join("r")).await.unwrap();
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    assert!(repository.dir.starts_with(one.canonicalize().unwrap()), "{}", repository.dir.display());
    drop(repository);
    let new = dir.path().join("a/new");
    run(&source, &options(&new, END), &Quiet).await.unwrap();
    assert_eq!(new.metadata().unwrap().mode() & 0o777, 0o700);
    // Closed, what is in it is as well.
    set(&new.join("objects"), 0o777);
    run(&source, &options(&new, END), &Quiet).await.unwrap();
    set(&new, 0o755);
    refused(&new).await;
    set(&new.join("objects"), 0o755);
    run(&source, &options(&new, END), &Quiet).await.unwrap();
}

/// A customer's `.mailmap` would have git show other authors than those of the commits.
#[tokio::test]
async fn customers_do_not_choose_who_is_shown_as_the_author() {
    let dir = tempfile::tempdir().unwrap();
    let map = "Director <boss@example.com> <17578@b>\n";
    let source = Memory::of(&[("17578/.mailmap", 1_000, Some(map)), ("17578/a", 2_000, Some("x"))]);
    run(&source, &Options { max_blob: 1_000, ..options(dir.path(), END) }, &Quiet).await.unwrap();
    let log = git(dir.path(), &["log", "--use-mailmap", "--format=%aN <%aE>", "main"]);
    assert!(log.lines().all(|line| line == "17578 <17578@b>"), "{log}");
    assert_eq!(git(dir.path(), &["show", "main:%2Emailmap"]), map);
}

/// Git would read an option in the place of a commit that a file of the folder names, and write another file.
#[tokio::test]
async fn commit_that_a_file_names_is_no_option() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, source) = (dir.path().join("r"), Memory::of(&history()));
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 1_500).collect();
    run(&Memory::of(&early), &options(&repository, 1_500), &Quiet).await.unwrap();
    let own = |name: &str| repository.join("sftpctl").join(name);
    let (recorded, head) =
        (std::fs::read_to_string(own("exported")).unwrap(), git(&repository, &["rev-parse", "main"]));
    let out = dir.path().join("out");
    let named = format!("--output={}", out.display());
    for (exported, pending) in [(&*named, Some(&*named)), (head.trim(), Some(&*named)), (&*named, None), ("main", None)]
    {
        std::fs::write(own("exported"), recorded.replace(head.trim(), exported)).unwrap();
        let _ = std::fs::remove_file(own("pending"));
        if let Some(pending) = pending {
            std::fs::write(own("pending"), serde_json::json!({ "from": pending }).to_string() + "\n").unwrap();
        }
        let result = run(&source, &options(&repository, END), &Quiet).await;
        assert!(matches!(result, Err(ExportError::Damaged(_))), "{exported} {pending:?}: {result:?}");
        let written = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(written.collect::<Vec<_>>(), ["r"], "{exported} {pending:?}");
    }
}

/// What is wrong with a repository that git cannot use is said, and not that somebody has committed to it.
#[tokio::test]
async fn unusable_repository_is_not_called_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, source) = (dir.path().join("r"), Memory::of(&history()));
    let early: Vec<_> = history().into_iter().filter(|(_, time, _)| *time <= 1_500).collect();
    run(&Memory::of(&early), &options(&repository, 1_500), &Quiet).await.unwrap();
    let refused = async |what: &str, named: &str| {
        let error = run(&source, &options(&repository, END), &Quiet).await.unwrap_err();
        let is_named = matches!(&error, ExportError::Git(GitError::Value { .. } | GitError::Unusable { .. }));
        assert!(is_named && error.to_string().contains(named), "{what}: {error:?}");
    };
    let config = repository.join("config");
    let before = std::fs::read_to_string(&config).unwrap();
    for (setting, named) in [
        ("[core]\n\trepositoryformatversion = 2\n", "`core.repositoryformatversion` to `2`"),
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n", "SHA-1"),
        ("[core]\n\tcompression = 99\n", "compression level"),
        ("[core]\n\tbigFileThreshold = much\n", "core.bigfilethreshold"),
        ("[core]\n\tbare = perhaps\n", "core.bare"),
        ("[core\n", "bad config"),
    ] {
        std::fs::write(&config, format!("{before}{setting}")).unwrap();
        refused(setting, named).await;
    }
    std::fs::write(&config, &before).unwrap();
    let head = std::fs::read(repository.join("HEAD")).unwrap();
    std::fs::write(repository.join("HEAD"), "nowhere\n").unwrap();
    refused("HEAD", "not a git repository").await;
    std::fs::write(repository.join("HEAD"), head).unwrap();
    let done = run(&source, &options(&repository, END), &Quiet).await.unwrap();
    assert_eq!(done.commit, Some(in_one_run().await));
}

/// `git init` on macOS and Windows, and who copies a repository from there, sets `core.ignoreCase`.
#[tokio::test]
async fn names_that_differ_in_case_stay_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join("r");
    let all = [("17578/a", 1_000, Some("first")), ("17578/A", 5_000, Some("second"))];
    run(&Memory::of(&all[..1]), &options(&repository, 4_000), &Quiet).await.unwrap();
    git(&repository, &["config", "core.ignoreCase", "true"]);
    run(&Memory::of(&all), &options(&repository, END), &Quiet).await.unwrap();
    assert_eq!(git(&repository, &["show", "main:a"]), "first");
    assert_eq!(git(&repository, &["show", "main:A"]), "second");
}

/// What a rule has deleted in the bucket stays in the repository, and is told.
#[tokio::test]
async fn versions_that_expired_are_told() {
    let dir = tempfile::tempdir().unwrap();
    run(&Memory::of(&history()), &options(dir.path(), END), &Quiet).await.unwrap();
    let mut later = Memory::of(&history()).versions.to_vec();
    // Of the first nothing is left. The second has only a newer version. The third was deleted, and its marker is gone as
    // well: nothing is missing.
    later.retain(|version| !["17578/big", "17578/early", "17578/in/a.csv"].contains(&version.key.as_str()));
    later.push(version("17578/early", "new", 20_000, Some("newer")));
    later.sort_by(|a, b| a.key.cmp(&b.key));
    let later = Memory { versions: Arc::new(later), ..Memory::default() };
    let done = run(&later, &options(dir.path(), END), &Quiet).await.unwrap();
    assert_eq!((done.expired, done.vanished, done.progress.commits), (1, 1, 1), "{done:?}");
    assert_eq!(git(dir.path(), &["show", "main:early"]), "newer");
    assert_eq!(git(dir.path(), &["show", "main~1:early"]), "x");
}

#[tokio::test]
async fn what_is_not_an_export_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&history());
    let repository = dir.path().join("r");
    run(&source, &options(&repository, END), &Quiet).await.unwrap();
    let other = Options { max_blob: 11, ..options(&repository, END) };
    let error = run(&source, &other, &Quiet).await.unwrap_err().to_string();
    assert!(error.contains("files up to 10 bytes; now:"), "{error}");
    git(&repository, &["update-ref", "-d", "refs/heads/main"]);
    assert!(matches!(run(&source, &options(&repository, END), &Quiet).await, Err(ExportError::OtherCommits)));
    std::fs::write(dir.path().join("file"), "x").unwrap();
    let error = run(&source, &options(dir.path(), END), &Quiet).await.unwrap_err().to_string();
    assert!(error.contains("is not a repository of an export"), "{error}");
}
