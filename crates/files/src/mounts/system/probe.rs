//! The helper process: it uses a mount as an application would, and may hang for ever. So it is never the command itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use serde::{Deserialize, Serialize};

use super::super::state::{Outcome, Step};
use crate::CANARY;

/// A line that the helper writes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    Begins(Step),
    Ends(Outcome),
}

/// Uses the mount; `say` is called before each step and at the end.
pub fn probe(at: &Path, with_canary: bool, mut say: impl FnMut(&Line)) {
    let outcome = steps(at, with_canary, &mut |step| say(&Line::Begins(step)));
    say(&Line::Ends(outcome));
}

fn steps(at: &Path, with_canary: bool, begins: &mut dyn FnMut(Step)) -> Outcome {
    let mut last = Step::Root;
    let mut begin = |step| {
        last = step;
        begins(step);
    };
    let done = (|| -> io::Result<Outcome> {
        begin(Step::Root);
        fresh(at)?;
        begin(Step::Absent);
        // Never asked about before, so that no cache knows it.
        let word = token();
        match fresh(&at.join(format!("{CANARY}absent-{word}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(Outcome::FoundAbsent),
        }
        if !with_canary {
            return Ok(Outcome::Answered);
        }
        let path = at.join(format!("{CANARY}{}", host()));
        begin(Step::Write);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(word.as_bytes())?;
        file.sync_all()?;
        drop(file);
        begin(Step::Read);
        let mut found = Vec::new();
        File::open(&path)?.read_to_end(&mut found)?;
        if found != word.as_bytes() {
            return Ok(Outcome::Differs);
        }
        begin(Step::Delete);
        fs::remove_file(&path)?;
        Ok(Outcome::Answered)
    })();
    done.unwrap_or_else(|error| Outcome::Failed { step: last, errno: error.raw_os_error().unwrap_or_default() })
}

/// Asks the file system itself, past the kernel's cache: a dead mount may otherwise look alive.
fn fresh(path: &Path) -> io::Result<()> {
    statx(CWD, path, AtFlags::STATX_FORCE_SYNC | AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?;
    Ok(())
}

/// The machine's name as part of a file name: each machine has its own canary.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// A word that was never used before.
fn token() -> String {
    let bytes = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    bytes.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_said_before_it_begins() {
        let dir = tempfile::tempdir().unwrap();
        let mut said = Vec::new();
        probe(dir.path(), true, |line| said.push(serde_json::to_string(line).unwrap()));
        assert_eq!(
            said,
            [
                r#"{"begins":"root"}"#,
                r#"{"begins":"absent"}"#,
                r#"{"begins":"write"}"#,
                r#"{"begins":"read"}"#,
                r#"{"begins":"delete"}"#,
                r#"{"ends":{"outcome":"answered"}}"#
            ]
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the canary is deleted");
        let mut said = Vec::new();
        probe(&dir.path().join("gone"), true, |line| said.push(serde_json::to_string(line).unwrap()));
        assert_eq!(said[1], r#"{"ends":{"outcome":"failed","step":"root","errno":2}}"#);
    }
}
