//! Which processes have files of a home open, as `/proc` shows it: those of all users to root, otherwise one's own.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::entry::Opened;

/// The files of a home that are open.
#[derive(Debug, Default)]
pub struct OpenFiles {
    /// By device and inode.
    by_inode: HashMap<(u64, u64), Vec<Opened>>,
    /// Whether other users' processes could not be looked into.
    pub is_partial: bool,
}

impl OpenFiles {
    /// Looks through all processes for files below `home`, which is an absolute path without links.
    pub fn below(home: &Path) -> Self {
        let mut found = Self::default();
        let own = std::process::id();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if pid != own {
                found.look(home, pid, &process.path());
            }
        }
        found
    }

    fn look(&mut self, home: &Path, pid: u32, process: &Path) {
        let mut add = |path: &Path, writes: bool| {
            if !fs::read_link(path).is_ok_and(|target| is_below(&target, home)) {
                return;
            }
            let Ok(facts) = fs::metadata(path) else { return };
            let command = fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned();
            let opened = self.by_inode.entry((facts.dev(), facts.ino())).or_default();
            opened.push(Opened { pid, command, writes });
            opened.sort();
            opened.dedup_by_key(|opened| opened.pid);
        };
        add(&process.join("cwd"), false);
        match fs::read_dir(process.join("fd")) {
            Ok(open) => {
                for descriptor in open.flatten() {
                    add(&descriptor.path(), writes(&process.join("fdinfo").join(descriptor.file_name())));
                }
            }
            // It has ended meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => self.is_partial = true,
        }
    }

    /// The processes that have a file open.
    pub fn of(&self, device: u64, inode: u64) -> Vec<Opened> {
        self.by_inode.get(&(device, inode)).cloned().unwrap_or_default()
    }

    /// All processes with an open file, each once.
    pub fn processes(&self) -> Vec<Opened> {
        let mut all: Vec<Opened> = self.by_inode.values().flatten().cloned().collect();
        // One that writes before one that reads.
        all.sort_by_key(|opened| (opened.pid, !opened.writes));
        all.dedup_by_key(|opened| opened.pid);
        all
    }
}

fn is_below(path: &Path, home: &Path) -> bool {
    // A deleted file has ` (deleted)` at its end, and is nobody's loss.
    path.starts_with(home) && !path.as_os_str().as_bytes().ends_with(b" (deleted)")
}

/// Whether a descriptor may write: its flags in octal (proc_pid_fdinfo(5)).
fn writes(info: &Path) -> bool {
    let text = fs::read_to_string(info).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn processes_that_read_write_or_work_there_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        fs::write(home.join("read"), "x").unwrap();
        let file = fs::File::create(home.join("written")).unwrap();
        let reader = fs::File::open(home.join("read")).unwrap();
        // `cat` waits for its input, which stays open; it has one file open to write and works in the home.
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(file).stderr(reader).current_dir(&home).spawn().unwrap();
        let found = OpenFiles::below(&home);
        let of = |name: &str| {
            let facts = fs::metadata(home.join(name)).unwrap();
            found.of(facts.dev(), facts.ino())
        };
        let opened = |writes| vec![Opened { pid: child.id(), command: "cat".to_owned(), writes }];
        assert_eq!((of("written"), of("read"), of(".")), (opened(true), opened(false), opened(false)));
        assert_eq!(found.processes(), opened(true));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
