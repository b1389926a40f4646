//! The version that the programs print, with the commit in builds with optimization: `SFTPCTL_VERSION`. `sftpctl`,
//! `sftpctl-console` and `sftpctl-local` share this file.
//!
//! The commit is that of `SFTPCTL_COMMIT`, or of the git checkout, or of packaging/commit, which `git archive` fills
//! in; without any of them the version is just the number. The test builds have none, since they would be rebuilt at
//! each commit.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs are made from.
const SOURCES: [&str; 8] = ["build.rs", "Cargo.lock", "Cargo.toml", "clients", "crates", "prices", "src", "templates"];

fn main() {
    println!("cargo::rerun-if-env-changed=SFTPCTL_COMMIT");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let mut version = variable("CARGO_PKG_VERSION");
    if variable("PROFILE") == "release" {
        let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
        let root = folder.ancestors().find(|folder| folder.join("packaging/commit").is_file());
        let given = Some(variable("SFTPCTL_COMMIT")).filter(|commit| !commit.is_empty());
        if let Some(commit) = given.or_else(|| root.and_then(|root| of_checkout(root).or_else(|| of_archive(root)))) {
            version = format!("{version} ({commit})");
        }
    } else {
        version += " (debug build)";
    }
    println!("cargo::rustc-env=SFTPCTL_VERSION={version}");
}

/// The checkout's commit, and whether what the programs are made from has changed since.
fn of_checkout(root: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        // Set while a hook runs, for its own repository.
        git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        let output = git.arg("--no-optional-locks").args(arguments).current_dir(root).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim_end().to_owned())
    };
    // An unpacked archive may be inside the repository of something else.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_else(|| "HEAD".to_owned());
    // A branch that is not in a file of its own moves with the log.
    for name in ["HEAD", "logs/HEAD", &branch] {
        let file = root.join(git(&["rev-parse", "--git-path", name])?);
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(name).display());
    }
    Some(if changed.is_empty() { commit } else { format!("{commit}, changed") })
}

/// The commit that `git archive` wrote.
fn of_archive(root: &Path) -> Option<String> {
    let commit = std::fs::read_to_string(root.join("packaging/commit")).ok()?;
    let commit = commit.trim();
    let is_commit = commit.len() >= 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| commit[..12].to_owned())
}
