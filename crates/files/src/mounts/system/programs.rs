//! Other programs: those that mount, `umount`, `systemctl`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sftpctl_core::spec::mounts::MountKind;

use super::super::tool::{Tool, program};
use super::super::units::systemd_version;

/// The installed program of a kind.
///
/// # Errors
/// Why there is none, for a person.
pub fn installed(kind: MountKind) -> Result<Tool, String> {
    let (name, option) = program(kind);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    let program = program.ok_or_else(|| format!("{name} is not installed"))?;
    let output = Command::new(&program).arg(option).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.parse().map_err(|_| format!("{} {option} shows no version", program.display()))?;
    Ok(Tool { program, version })
}

/// Whether systemd manages this machine (sd_booted(3)), for what is below `root`.
pub fn has_systemd(root: &Path) -> bool {
    root == Path::new("/") && Path::new("/run/systemd/system").is_dir()
}

/// Runs `systemctl`.
///
/// # Errors
/// What it wrote, if it failed.
pub async fn systemctl(arguments: &[&str]) -> Result<(), String> {
    // As long as a service may take to stop and to start.
    run("systemctl", arguments, Duration::from_secs(700)).await
}

/// The version of the systemd that manages this machine; `None` if `systemctl` does not say.
pub async fn systemd() -> Option<u32> {
    let mut command = tokio::process::Command::new("systemctl");
    command.arg("--version").current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    systemd_version(&String::from_utf8_lossy(&output.stdout))
}

/// How long `umount` and `mount` may take. They call the kernel, which may wait for a program that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Unmounts what is visible at a path, lazily or only if nobody uses it. Links are not resolved, which could wait.
///
/// # Errors
/// What `umount` wrote, if it failed.
pub async fn unmount(at: &Path, is_lazy: bool) -> Result<(), String> {
    let at = at.to_string_lossy();
    let lazy: &[&str] = if is_lazy { &["--lazy"] } else { &[] };
    run("umount", &[lazy, &["--no-canonicalize", &at]].concat(), PATIENCE).await
}

/// Ends every request to an NFS mount that waits, with an error, as the abortion of a FUSE connection does: the kernel does
/// so for `umount --force`, also if processes use the mount, so that it stays.
pub async fn fail_requests(at: &Path) {
    // Not by the helper of NFS, which asks the server.
    let at = at.to_string_lossy();
    let _ = run("umount", &["--internal-only", "--force", "--no-canonicalize", &at], PATIENCE).await;
}

/// The folder with the counters and the switch of a FUSE connection. It needs the file system `fusectl`, which systemd
/// mounts, and root may.
pub async fn connection(number: u32) -> PathBuf {
    const ALL: &str = "/sys/fs/fuse/connections";
    let folder = Path::new(ALL).join(number.to_string());
    if !folder.exists() {
        // It fails for others, who then do without.
        let _ = run("mount", &["-t", "fusectl", "fusectl", ALL], PATIENCE).await;
    }
    folder
}

async fn run(program: &str, arguments: &[&str], patience: Duration) -> Result<(), String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(patience, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Ok(Err(error)) => Err(format!("cannot run {program}: {error}")),
        Err(_) => Err(format!("{program} has not ended within {} s", patience.as_secs())),
    }
}
