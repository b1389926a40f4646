//! A folder: files as an application writes and reads them.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{Advice, AtFlags, CWD, StatxFlags, fadvise, statvfs, statx};
use rustix::io::Errno;

use super::{Fault, Outcome, Progress, Reply, Seen, Sources};
use crate::content::PIECE;
use crate::memory::Pages;
use crate::wire::{File, Order, Step};

pub(super) fn carry_out(
    folder: &Path,
    order: &Order,
    sources: &mut Sources,
    at: &mut Progress<'_>,
) -> Result<Reply, Fault> {
    match order {
        Order::Prepare => return prepare(folder, at),
        Order::Put(file) => put(folder, file, sources, at)?,
        Order::Get(file) => return get(folder, file, true, at).map(Reply::of),
        Order::GetCached(file) => return get(folder, file, false, at).map(Reply::of),
        Order::Login => return Err(Fault::System(io::Error::other("a folder has no log-in"))),
        Order::Delete(name) => {
            at.step(Step::Delete);
            or_missing(fs::remove_file(folder.join(name)))?;
        }
        Order::Finish => {
            at.step(Step::Delete);
            or_missing(fs::remove_dir(folder))?;
        }
    }
    Ok(Reply::default())
}

fn prepare(folder: &Path, at: &mut Progress<'_>) -> Result<Reply, Fault> {
    at.step(Step::Folder);
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let facts = statvfs(folder).map_err(io::Error::from)?;
    Ok(Reply { free: Some(facts.f_bavail.saturating_mul(facts.f_frsize)), seen: None })
}

/// Writes the file until its data is stored: a mount uploads when it is synced or closed, and only a sync says whether
/// that succeeded.
fn put(folder: &Path, file: &File, sources: &mut Sources, at: &mut Progress<'_>) -> Outcome {
    let (source, path) = (sources.of(file), folder.join(&file.name));
    at.begin();
    at.step(Step::Open);
    let mut open = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    at.step(Step::Write);
    for piece in source.pieces(file.size) {
        open.write_all(piece)?;
        at.moved(at.bytes + piece.len() as u64);
    }
    at.step(Step::Sync);
    match rustix::fs::fsync(&open) {
        // A file system that has nothing to sync.
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    at.step(Step::Close);
    drop(open);
    at.end();
    at.step(Step::Check);
    let facts = statx(CWD, &path, AtFlags::STATX_FORCE_SYNC, StatxFlags::SIZE).map_err(io::Error::from)?;
    match facts.stx_size == file.size.0 {
        true => Ok(()),
        false => Err(Fault::Differs(format!("{} bytes were stored of {}", facts.stx_size, file.size.0))),
    }
}

fn get(folder: &Path, file: &File, is_cold: bool, at: &mut Progress<'_>) -> Result<Seen, Fault> {
    let path = folder.join(&file.name);
    let mut buffer = Pages::new(PIECE);
    if is_cold {
        // Pages of the file that the kernel has; what a mount's program keeps is not reached.
        at.step(Step::Open);
        let open = fs::File::open(&path)?;
        let _ = fadvise(&open, 0, None, Advice::DontNeed);
    }
    let mut seen = Seen::default();
    at.begin();
    at.step(Step::Open);
    let mut open = fs::File::open(&path)?;
    at.step(Step::Read);
    loop {
        let count = match open.read(buffer.bytes_mut()) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        at.aside(|| seen.add(buffer.bytes().get(..count).unwrap_or_default()));
        at.moved(seen.bytes);
    }
    at.end();
    Ok(seen)
}

fn or_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
