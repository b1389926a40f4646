//! What a repository already has, in a file inside its git folder: for what it was exported, and the last change of each
//! key, in the order of the keys, as a listing has them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::commit::is_id;
use super::timeline::{Recorded, Step};
use sftpctl_sorter::Sorter;

/// The folder inside the git folder.
pub(crate) const FOLDER: &str = "sftpctl";
const FILE: &str = "exported";
/// There while a run writes commits that are not recorded yet.
const PENDING: &str = "pending";
const VERSION: u32 = 1;
/// Bytes of a line. A key has at most 1,024, each of which is at most six in JSON.
const MAX_LINE: u64 = 64 * 1024;

/// For what a repository is, and what made its commits: with another of these they would be others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scope {
    pub(crate) version: u32,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// Seconds.
    pub(crate) quiet: i64,
    /// Bytes.
    pub(crate) max_blob: u64,
}

impl Scope {
    pub(crate) fn new(bucket: &str, prefix: &str, quiet: i64, max_blob: u64) -> Self {
        Self { version: VERSION, bucket: bucket.to_owned(), prefix: prefix.to_owned(), quiet, max_blob }
    }
}

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    scope: Scope,
    /// The last commit that the records are about.
    commit: Option<String>,
}

/// The records, read once in the order of the keys.
pub(crate) struct Known {
    pub(crate) scope: Scope,
    pub(crate) commit: Option<String>,
    /// Files whose versions are all gone, without a marker of their deletion.
    pub(crate) vanished: u64,
    lines: BufReader<File>,
    next: Option<Recorded>,
}

/// Which commit the commits of a run follow that has not recorded them yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) from: Option<String>,
}

impl Pending {
    /// That of a run that was killed; `None`: no run was, or it had recorded everything.
    ///
    /// # Errors
    /// It could not be read, or is not one of this program's.
    pub(crate) fn open(git_dir: &Path) -> io::Result<Option<Self>> {
        match File::open(git_dir.join(FOLDER).join(PENDING)) {
            Ok(file) => {
                let pending: Self = serde_json::from_str(&line(&mut BufReader::new(file))?.unwrap_or_default())?;
                Ok(Some(Self { from: commit(pending.from)? }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes it, before git is given the first commit.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn save(&self, git_dir: &Path) -> io::Result<()> {
        let folder = git_dir.join(FOLDER);
        let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(&folder)?);
        write(&mut out, self)?;
        put(out, &folder, PENDING)
    }

    /// Forgets it, once the commits are recorded.
    ///
    /// # Errors
    /// It could not be removed.
    pub(crate) fn remove(git_dir: &Path) -> io::Result<()> {
        match std::fs::remove_file(git_dir.join(FOLDER).join(PENDING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Puts a complete file in its place, on the disk.
fn put(out: BufWriter<tempfile::NamedTempFile>, folder: &Path, name: &str) -> io::Result<()> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// The commit that a file names.
fn commit(named: Option<String>) -> io::Result<Option<String>> {
    match named {
        Some(id) if !is_id(&id) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it names a commit by something else"))
        }
        named => Ok(named),
    }
}

/// The next line; `None` at the end. A file that somebody else has put there may have one that does not end.
fn line(lines: &mut BufReader<File>) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = lines.take(MAX_LINE).read_line(&mut text)?;
    if !text.ends_with('\n') && u64::try_from(read).is_ok_and(|read| read == MAX_LINE) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
    }
    Ok((read > 0).then_some(text))
}

fn path(git_dir: &Path) -> PathBuf {
    git_dir.join(FOLDER).join(FILE)
}

impl Known {
    /// Opens the file; `None` if there is none.
    ///
    /// # Errors
    /// It could not be read, or is not one of this program's.
    pub(crate) fn open(git_dir: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path(git_dir)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut lines = BufReader::new(file);
        let head: Head = serde_json::from_str(&line(&mut lines)?.unwrap_or_default())?;
        let mut known = Self { scope: head.scope, commit: commit(head.commit)?, vanished: 0, lines, next: None };
        known.advance()?;
        Ok(Some(known))
    }

    fn advance(&mut self) -> io::Result<Option<Recorded>> {
        let next = line(&mut self.lines)?.map(|line| serde_json::from_str(&line)).transpose()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Passes over the record of a key that the bucket does not have.
    fn pass(&mut self) -> io::Result<()> {
        self.vanished += u64::from(self.advance()?.is_some_and(|record| !record.deleted));
        Ok(())
    }

    /// Passes over the records of the keys that are left.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        while self.next.is_some() {
            self.pass()?;
        }
        Ok(())
    }

    /// The record of a key. Keys come in their order.
    pub(crate) fn of(&mut self, key: &str) -> io::Result<Option<Recorded>> {
        while self.next.as_ref().is_some_and(|next| next.key.as_str() < key) {
            self.pass()?;
        }
        if self.next.as_ref().is_some_and(|next| next.key == key) { self.advance() } else { Ok(None) }
    }
}

/// A change that was exported. It sorts by key, and then in the order of the export.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Exported {
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) version: String,
    pub(crate) step: Step,
    pub(crate) time: i64,
    pub(crate) deleted: bool,
    /// As in [`Recorded`].
    pub(crate) etag: Option<String>,
}

impl From<Exported> for Recorded {
    fn from(change: Exported) -> Self {
        let Exported { key, version, step, time, deleted, etag, .. } = change;
        Self { key, version, step, time, deleted, etag }
    }
}

/// Replaces the file: what it had, and what was exported since.
///
/// # Errors
/// It could not be written.
pub(crate) fn save(git_dir: &Path, scope: &Scope, commit: Option<&str>, exported: Sorter<Exported>) -> io::Result<()> {
    let folder = git_dir.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut before = Known::open(git_dir)?;
    let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(&folder)?);
    write(&mut out, &Head { scope: scope.clone(), commit: commit.map(str::to_owned) })?;
    let mut new = exported.sorted()?.peekable();
    loop {
        let old = before.as_ref().and_then(|known| known.next.as_ref()).map(|record| record.key.clone());
        let take_old = match (&old, new.peek()) {
            (None, None) => break,
            (Some(_), None) => true,
            (Some(old), Some(Ok(next))) => *old < next.key,
            (_, Some(_)) => false,
        };
        if take_old {
            if let Some(record) = before.as_mut().map(Known::advance).transpose()?.flatten() {
                write(&mut out, &record)?;
            }
            continue;
        }
        let Some(record) = new.next().transpose()? else { break };
        // The last change of a key replaces those before it, and the record.
        if old.as_ref() == Some(&record.key)
            && let Some(known) = &mut before
        {
            known.advance()?;
        }
        if !matches!(new.peek(), Some(Ok(next)) if next.key == record.key) {
            write(&mut out, &Recorded::from(record))?;
        }
    }
    put(out, &folder, FILE)
}

fn write(out: &mut impl io::Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(git_dir: &Path) -> Vec<String> {
        let mut known = Known::open(git_dir).unwrap().unwrap();
        std::iter::from_fn(|| known.advance().unwrap())
            .map(|record| format!("{}={}", record.key, record.version))
            .collect()
    }

    #[test]
    fn records_are_merged_by_key() {
        let dir = tempfile::tempdir().unwrap();
        let scope = Scope::new("b", "17578/", 300, 1);
        assert!(Known::open(dir.path()).unwrap().is_none());
        let save = |changes: &[(&str, &str)], commit: &str| {
            let mut sorter = Sorter::new();
            for (number, (key, version)) in changes.iter().enumerate() {
                let (key, version) = ((*key).to_owned(), (*version).to_owned());
                let (number, step, deleted) = (number as u64, Step::Whole, false);
                sorter.push(Exported { key, number, version, step, time: 1, deleted, etag: None }).unwrap();
            }
            super::save(dir.path(), &scope, Some(&commit.repeat(20)), sorter).unwrap();
        };
        save(&[("b", "1"), ("d", "1"), ("b", "2")], "c1");
        assert_eq!(records(dir.path()), ["b=2", "d=1"]);
        save(&[("c", "1"), ("d", "2"), ("a", "1"), ("d", "3"), ("e", "1")], "c2");
        assert_eq!(records(dir.path()), ["a=1", "b=2", "c=1", "d=3", "e=1"]);
        save(&[], "c3");
        let mut known = Known::open(dir.path()).unwrap().unwrap();
        assert_eq!((known.commit.as_deref(), &known.scope), (Some(&*"c3".repeat(20)), &scope));
        assert_eq!(known.of("aa").unwrap(), None);
        assert_eq!(known.of("c").unwrap().map(|record| record.version).as_deref(), Some("1"));
        assert_eq!(known.of("d").unwrap().map(|record| record.version).as_deref(), Some("3"));
    }
}
