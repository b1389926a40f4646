//! What belongs to the results besides the machine: in which file system a folder is, and the versions of the programs
//! that a target is reached by.

use std::process::Stdio;
use std::time::Duration;

use sftpctl_core::spec::mounts::MountKind;
use sftpctl_files::mounts::mountinfo::{Entry, mounts_at};
use sftpctl_files::mounts::tool;
use tokio::process::Command;
use tokio::time::timeout;

use crate::plan::Plan;
use crate::target::Place;

/// How long a program may take to say its version.
const LIMIT: Duration = Duration::from_secs(5);
/// Characters of a version.
const LONGEST: usize = 200;

/// A line for each fact. No target is touched.
pub async fn of(plan: &Plan) -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut notes = Vec::new();
    for target in &plan.targets {
        let name = &target.name;
        match target.at.parse::<Place>() {
            Ok(Place::Folder(path)) => {
                let Some(mount) = path.ancestors().find_map(|folder| mounts_at(&mounts, folder).pop()) else {
                    continue;
                };
                notes.push(format!("{name} is in a file system of the type {}", mount.file_system));
                if let Some((program, option)) = program_of(&mount) {
                    notes.push(format!("{name} is mounted by {program}: {}", version(program, option).await));
                }
            }
            Ok(Place::Sftp(_)) => notes.push(format!("{name} is reached by ssh: {}", version("ssh", "-V").await)),
            _ => {}
        }
    }
    notes
}

/// The program of a mount, and the argument with which it prints its version.
fn program_of(mount: &Entry) -> Option<(&'static str, &'static str)> {
    MountKind::ALL.iter().find(|kind| mount.is_of(**kind)).map(|kind| tool::program(*kind))
}

/// The first line that a program says of its version; the one that is on the `PATH`.
async fn version(program: &str, option: &str) -> String {
    let mut command = Command::new(program);
    command.arg(option).stdin(Stdio::null()).kill_on_drop(true);
    let said = match timeout(LIMIT, command.output()).await {
        Err(_) => return format!("`{program} {option}` did not answer within {} s", LIMIT.as_secs()),
        Ok(Err(error)) => return format!("`{program} {option}` could not be run: {error}"),
        // OpenSSH says it on stderr.
        Ok(Ok(output)) => [output.stdout, output.stderr].concat(),
    };
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(|| "unknown version".to_owned(), |line| line.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_version_is_one_line_and_never_missing() {
        assert!(version("sh", "--version").await.lines().count() == 1);
        let missing = version("no-such-program", "--version").await;
        assert!(missing.contains("could not be run: No such file"), "{missing}");
        assert_eq!(version("true", "-V").await, "unknown version");
    }

    #[test]
    fn mounts_have_their_programs() {
        let mounts = "43 27 0:40 / /a rw - fuse.s3fs s3fs rw\n44 27 0:41 / /b rw - fuse mountpoint-s3 rw\n\
                      45 27 0:42 / /c rw - fuse.rclone :s3:b rw\n46 27 0:43 / /d rw - tmpfs tmpfs rw\n\
                      47 27 0:44 / /e rw - nfs4 127.0.0.1:/ rw\n";
        let of = |at: &str| Some(program_of(&mounts_at(mounts, std::path::Path::new(at)).pop().unwrap())?.0);
        let programs = [Some("s3fs"), Some("mount-s3"), Some("rclone"), None, Some("mount.s3files")];
        assert_eq!(["/a", "/b", "/c", "/d", "/e"].map(of), programs);
    }
}
