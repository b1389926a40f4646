//! The paths of the programs and tools that tests run. Only the path of the checkout is compiled in, so a test binary
//! can be moved together with the programs beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap())
}

/// The folder of the programs that Cargo builds. The running test is in it or in its `deps`.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap();
    if folder.ends_with("deps") { folder.parent().unwrap().to_owned() } else { folder.to_owned() }
}

pub fn built(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace --bins", path.display());
    path
}

pub fn sftpctl() -> PathBuf {
    built("sftpctl")
}

/// The target folder, below which `scripts/test` installs tools.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from) {
        Some(target) if target.is_absolute() => target,
        // A relative path is relative to the folder that Cargo was started in, which a test cannot find out.
        _ => folder().parent().unwrap().to_owned(),
    }
}

/// A folder that outlives a run of the tests.
pub(crate) fn kept() -> PathBuf {
    let folder = target().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program that `scripts/test` installs below the target folder.
pub fn installed(path: &str) -> PathBuf {
    let program = target().join(path);
    assert!(program.exists(), "{} is missing: run scripts/test, which installs it", program.display());
    program
}

/// A file of a Python package that `scripts/test` installs below the target folder.
pub fn packaged(path: &str) -> PathBuf {
    let libraries = installed("tools/lib");
    let versions = std::fs::read_dir(&libraries).unwrap().map(|entry| entry.unwrap().path());
    let found = versions.map(|version| version.join("site-packages").join(path)).find(|file| file.exists());
    found.unwrap_or_else(|| {
        panic!("{path} is missing below {}: run scripts/test, which installs it", libraries.display())
    })
}

/// The virtual environment of the local cloud, which contains botocore.
pub fn venv() -> PathBuf {
    std::env::var_os("SFTPCTL_LOCAL_VENV").map_or_else(|| kept().join("local-venv"), PathBuf::from)
}

/// The authorizer without its symbols, as in releases. Nearly every test zips, uploads and unpacks it, and the symbols
/// are two thirds of it.
pub fn authorizer() -> &'static Path {
    static STRIPPED: OnceLock<PathBuf> = OnceLock::new();
    STRIPPED.get_or_init(|| {
        let folder = kept();
        let stripped =
            tempfile::Builder::new().prefix("sftp-authorizer").tempfile_in(&folder).unwrap().into_temp_path();
        let output = tool("strip", "binutils").arg("-o").arg(&stripped).arg(built("sftp-authorizer")).output();
        succeeded("strip", &output.unwrap());
        // Replaced atomically, because another run of the tests may use the file at the same time.
        let path = folder.join("sftp-authorizer");
        stripped.persist(&path).unwrap();
        path
    })
}

pub fn oracle(script: &str) -> PathBuf {
    root().join("tests/oracle").join(script)
}

/// A script of `tests/oracle` whose first argument is the endpoint.
pub fn oracle_at(script: &str, endpoint: &str) -> Command {
    let mut command = Command::new(venv().join("bin/python"));
    command.arg(oracle(script)).arg(endpoint);
    command
}

/// A program on the `PATH`. If it is missing, the test fails with the package to install.
pub fn tool(name: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    assert!(found, "{name} is missing: apt-get install {package}");
    Command::new(name)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn shown(output: &Output) -> String {
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Fails unless the program succeeded. Returns its standard output.
pub fn succeeded(what: &str, output: &Output) -> String {
    assert!(output.status.success(), "{what}: {}", shown(output));
    text(&output.stdout)
}
