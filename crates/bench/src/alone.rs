//! One process for a run on a machine. If the starter of a run over `ssh` has lost its connection, this machine's
//! `sshd` may notice later, and the run goes on until then; the same run again waits for it, since both have one
//! folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time::{Instant, interval};

/// How often it is tried.
const EVERY: Duration = Duration::from_millis(100);

/// Held for as long as the run goes on: a locked file, whose lock the kernel releases when the process ends, however it
/// does.
#[derive(Debug)]
pub struct Alone {
    _lock: File,
    path: PathBuf,
}

impl Alone {
    /// Takes the name of a run, once no other process has it. `None` if `stops` asks to stop before.
    ///
    /// # Errors
    /// Another process still has it after `limit` (`WouldBlock`), or there can be no file for it.
    pub async fn claim(run: &str, limit: Duration, stops: impl Fn() -> bool) -> io::Result<Option<Self>> {
        // Other users can neither see nor take a name in the user's own folder, where the system has one.
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let name: String = run.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '-').collect();
        let path = folder.unwrap_or_else(std::env::temp_dir).join(format!("sftpctl-bench-{name}.lock"));
        let until = Instant::now() + limit;
        let mut tries = interval(EVERY);
        loop {
            tries.tick().await;
            match lock(&path)? {
                Some(lock) => return Ok(Some(Self { _lock: lock, path })),
                None if stops() => return Ok(None),
                None if Instant::now() >= until => {
                    let message = format!("the run {run} goes on in another process of this machine");
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
                }
                None => {}
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The file, locked; `None` if another process has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other?,
    }
    // The process before deletes its file at its end, and a third one may have made another.
    let own = file.metadata()?;
    let is_there = path.metadata().is_ok_and(|facts| (facts.dev(), facts.ino()) == (own.dev(), own.ino()));
    Ok(is_there.then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_has_one_process_and_the_next_waits_for_it() {
        let run = format!("test-{}", crate::runner::new_id());
        let go_on = || false;
        let first = Alone::claim(&run, Duration::ZERO, go_on).await.unwrap();
        assert!(first.is_some());
        let busy = Alone::claim(&run, EVERY * 2, go_on).await.unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        assert!(Alone::claim(&run, Duration::from_secs(3600), || true).await.unwrap().is_none());
        assert!(Alone::claim(&format!("{run}-other"), Duration::ZERO, go_on).await.unwrap().is_some());
        let waits = Alone::claim(&run, Duration::from_secs(60), go_on);
        let ends = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waits, ends);
        assert!(second.unwrap().is_some());
    }
}
