//! A home directory on another machine.
//!
//! SFTP opens paths, and its server follows links in them. So after a path was opened, the server is asked which path it
//! really is, and what is open must be a file: a customer who puts a link in the place of a folder has to hit the moment
//! between the two. What cannot be known is left out: inodes, names of a file, times of change, holes, attributes, open
//! files, mount points; times are whole seconds.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::client::Pending;
use super::packet::{Answer, Attributes, CONTENT, Request};
use super::ssh::{Connection, unexpected};
use crate::homes::entry::{Entry, Facts, Kind, Leads, Link};
use crate::homes::name::{self, Charset, Raw};

/// Links on the way to a file, at most (as Linux has it).
const LINKS: usize = 40;
/// Bytes of a path at most (as Linux has it).
const PATH: usize = 4095;
/// Requests for content of one file that wait for their answers at once.
const AT_ONCE: usize = 64;

/// A home on another machine.
#[derive(Debug)]
pub struct Remote {
    connection: Arc<Connection>,
    /// As it was given.
    given: Vec<u8>,
    /// Without links above it.
    real: Vec<u8>,
    facts: Facts,
    charset: Charset,
    vanished: AtomicU64,
}

/// A file of such a home that is open to be read.
#[derive(Debug)]
pub struct RemoteFile {
    connection: Arc<Connection>,
    handle: Vec<u8>,
}

/// Facts of an entry: what SFTP does not know is as if it were usual.
fn facts(found: &Attributes) -> io::Result<Facts> {
    let without = || io::Error::other("the server does not say what kind of entry it is");
    let (Some(mode), Some((access, modified))) = (found.mode, found.times) else { return Err(without()) };
    if mode & 0o170_000 == 0 {
        return Err(without());
    }
    let nanoseconds = |seconds: u32| i64::from(seconds) * 1_000_000_000;
    let (uid, gid) = found.owner.unwrap_or_default();
    let size = found.size.unwrap_or_default();
    let (mtime, atime) = (nanoseconds(modified), nanoseconds(access));
    Ok(Facts {
        mode,
        uid,
        gid,
        size,
        occupied: size,
        mtime,
        atime,
        // The nearest that there is, for the metadata of s3fs.
        ctime: mtime,
        device: 0,
        inode: 0,
        names: 1,
    })
}

/// Whether attributes are those of a folder.
pub(super) fn is_folder(found: &Attributes) -> bool {
    facts(found).is_ok_and(|facts| facts.kind() == Kind::Folder)
}

impl Remote {
    /// Opens a home by its absolute path.
    ///
    /// # Errors
    /// It cannot be opened, or is not a folder: a link in its place is refused.
    pub fn open(connection: Arc<Connection>, path: &[u8], charset: Charset) -> io::Result<Self> {
        let facts = lstat(&connection, path)?;
        match facts.kind() {
            Kind::Folder => {}
            other => return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("it is a {}", other.as_str()))),
        }
        let (real, given) = (real_path(&connection, path)?, path.to_vec());
        Ok(Self { connection, given, real, facts, charset, vanished: AtomicU64::new(0) })
    }

    /// Its address.
    pub fn path(&self) -> PathBuf {
        let (machine, path) = (self.connection.address(), Raw(self.given.clone()));
        PathBuf::from(format!("{machine}{path}"))
    }

    /// Why the connection is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        self.connection.lost()
    }

    /// How many entries were gone before they could be looked at.
    pub fn vanished(&self) -> u64 {
        self.vanished.load(Ordering::Relaxed)
    }

    /// Calls `each` with every entry, a folder before what is in it, the home itself first.
    ///
    /// # Errors
    /// The home cannot be read, the connection is lost, or `each` fails.
    pub fn walk(&self, each: &mut dyn FnMut(Entry) -> io::Result<()>) -> io::Result<()> {
        let mut waiting = vec![Entry { facts: self.facts, ..Entry::default() }];
        while let Some(folder) = waiting.pop() {
            self.folder(folder, &mut waiting, each)?;
        }
        Ok(())
    }

    /// A folder and its entries, except the folders in it, which are added to `waiting`.
    fn folder(
        &self,
        mut entry: Entry,
        waiting: &mut Vec<Entry>,
        each: &mut dyn FnMut(Entry) -> io::Result<()>,
    ) -> io::Result<()> {
        let names = match self.names(&entry.path) {
            Ok(names) => names,
            Err(error) if self.lost().is_some() => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !entry.path.0.is_empty() => {
                self.vanished.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => return each(Entry { unreadable: Some(error.to_string()), ..entry }),
        };
        entry.is_empty = names.is_empty();
        let path = entry.path.clone();
        each(entry)?;
        let mut by_fold: HashMap<u64, Vec<&[u8]>> = HashMap::new();
        for (name, _) in &names {
            by_fold.entry(name::fold(name, self.charset)).or_default().push(name);
        }
        for (name, found) in &names {
            let mut entry = Entry { path: path.join(name), ..Entry::default() };
            let others = by_fold.get(&name::fold(name, self.charset)).map(Vec::as_slice).unwrap_or_default();
            entry.alike = name::closest(others, name, self.charset);
            match facts(found).or_else(|_| lstat(&self.connection, &self.absolute(&entry.path))) {
                Ok(facts) => entry.facts = facts,
                Err(error) if self.lost().is_some() => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.vanished.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(error) => {
                    each(Entry { unreadable: Some(error.to_string()), ..entry })?;
                    continue;
                }
            }
            match entry.kind() {
                Kind::Folder => {
                    waiting.push(entry);
                    continue;
                }
                Kind::Link => match self.read_link(&entry.path) {
                    Ok(target) => {
                        let leads = self.resolve(&entry.path)?.map_or_else(|leads| leads, |(_, leads)| leads);
                        entry.link = Some(Link { target, leads });
                    }
                    Err(error) if self.lost().is_some() => return Err(error),
                    Err(error) => entry.unreadable = Some(error.to_string()),
                },
                _ => {}
            }
            each(entry)?;
        }
        Ok(())
    }

    /// The names in a folder, which is not reached through a link.
    fn names(&self, path: &Raw) -> io::Result<Vec<(Vec<u8>, Attributes)>> {
        let absolute = self.absolute(path);
        if absolute.len() > PATH {
            return Err(io::Error::other("its path is longer than a path can be"));
        }
        let names = self.connection.list(&absolute)?;
        self.is_itself(path, &real_path(&self.connection, &absolute)?)?;
        Ok(names)
    }

    /// The path on the other machine.
    fn absolute(&self, path: &Raw) -> Vec<u8> {
        if path.0.is_empty() { self.real.clone() } else { [&self.real, &b"/"[..], &path.0].concat() }
    }

    /// Refuses a path that was reached through a link.
    fn is_itself(&self, path: &Raw, real: &[u8]) -> io::Result<()> {
        if real == self.absolute(path) {
            return Ok(());
        }
        Err(io::Error::other("it was replaced while the home was read: there is a link in its path now"))
    }

    fn read_link(&self, path: &Raw) -> io::Result<Raw> {
        match self.connection.client().ask(Request::ReadLink(&self.absolute(path)))? {
            Answer::Names(names) => {
                let first = names.into_iter().next().ok_or_else(unexpected)?;
                Ok(Raw(first.0))
            }
            _ => Err(unexpected()),
        }
    }

    /// The path in the home to which a link leads, and what is there; or why it leads to nothing in it. Resolved here, step
    /// by step, since a server would follow it out of the home.
    fn resolve(&self, path: &Raw) -> io::Result<Result<(Raw, Leads), Leads>> {
        let mut rest: Vec<Vec<u8>> = path.0.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
        let (mut here, mut kind, mut links) = (Raw::default(), Kind::Folder, 0);
        while let Some(part) = rest.pop() {
            if kind != Kind::Folder {
                return Ok(Err(Leads::Nowhere));
            }
            match part.as_slice() {
                b"" | b"." => continue,
                b".." if here.0.is_empty() => return Ok(Err(Leads::Outside)),
                b".." => {
                    here = Raw(here.parent().to_vec());
                    continue;
                }
                _ => {}
            }
            let next = here.join(&part);
            kind = match lstat(&self.connection, &self.absolute(&next)) {
                Ok(facts) => facts.kind(),
                Err(error) if self.lost().is_some() => return Err(error),
                Err(_) => return Ok(Err(Leads::Nowhere)),
            };
            if kind != Kind::Link {
                here = next;
                continue;
            }
            links += 1;
            if links > LINKS {
                return Ok(Err(Leads::Loop));
            }
            let target = match self.read_link(&next) {
                Ok(target) => target.0,
                Err(error) if self.lost().is_some() => return Err(error),
                Err(_) => return Ok(Err(Leads::Nowhere)),
            };
            let inside = match target.first() {
                None => return Ok(Err(Leads::Nowhere)),
                Some(b'/') => {
                    let below = |home: &[u8]| match target.strip_prefix(home)? {
                        rest @ ([] | [b'/', ..]) => Some(rest.to_vec()),
                        _ => None,
                    };
                    let Some(inside) = below(&self.real).or_else(|| below(&self.given)) else {
                        return Ok(Err(Leads::Outside));
                    };
                    here = Raw::default();
                    inside
                }
                Some(_) => target.clone(),
            };
            rest.extend(inside.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec));
            kind = Kind::Folder;
        }
        let is_above =
            here.0.is_empty() || path.0.strip_prefix(&*here.0).is_some_and(|rest| rest.first() == Some(&b'/'));
        let leads = match kind {
            Kind::File => Leads::File,
            Kind::Folder if is_above => Leads::Loop,
            Kind::Folder => Leads::Folder,
            _ => Leads::Special,
        };
        Ok(Ok((here, leads)))
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    /// It cannot be opened, is not a regular file any more, or there is a link in its path now.
    pub fn file(&self, path: &Raw) -> io::Result<(RemoteFile, Facts)> {
        let absolute = self.absolute(path);
        let handle = self.connection.handle(Request::Open(&absolute))?;
        let file = RemoteFile { connection: Arc::clone(&self.connection), handle };
        let client = self.connection.client();
        let asked = client.send(Request::Fstat(&file.handle))?;
        self.is_itself(path, &real_path(&self.connection, &absolute)?)?;
        let facts = attributes(asked.take()?)?;
        match facts.kind() {
            Kind::File => Ok((file, facts)),
            other => Err(io::Error::other(format!("it is a {} now", other.as_str()))),
        }
    }

    /// Opens the file in the home to which a link leads.
    ///
    /// # Errors
    /// As [`Self::file`]; or it leads out of the home.
    pub fn target(&self, path: &Raw) -> io::Result<(RemoteFile, Facts)> {
        match self.resolve(path)? {
            Ok((target, Leads::File)) => self.file(&target),
            Ok(_) => Err(io::Error::other("it does not lead to a file now")),
            Err(Leads::Outside) => Err(io::Error::other("it leads out of the home now")),
            Err(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl RemoteFile {
    /// Reads until `into` is full or the file ends; the number of bytes.
    ///
    /// # Errors
    /// The server fails, or the connection is lost.
    pub fn read_at(&self, into: &mut [u8], start: u64) -> io::Result<usize> {
        let client = self.connection.client();
        let ask = |at: usize, length: usize| {
            let length = u32::try_from(length).unwrap_or(CONTENT).min(CONTENT);
            client.send(Request::Read { handle: &self.handle, start: start + at as u64, length })
        };
        let mut waiting: VecDeque<(usize, usize, Pending)> = VecDeque::new();
        let mut asked = 0;
        loop {
            while asked < into.len() && waiting.len() < AT_ONCE {
                let length = (into.len() - asked).min(CONTENT as usize);
                waiting.push_back((asked, length, ask(asked, length)?));
                asked += length;
            }
            let Some((mut at, length, pending)) = waiting.pop_front() else { return Ok(into.len()) };
            let (end, mut pending) = (at + length, pending);
            loop {
                let bytes = match pending.take() {
                    Ok(Answer::Data(bytes)) => bytes,
                    Ok(_) => return Err(unexpected()),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(at),
                    Err(error) => return Err(error),
                };
                let place = into.get_mut(at..end).and_then(|place| place.get_mut(..bytes.len()));
                match place {
                    Some(place) if !place.is_empty() => place.copy_from_slice(&bytes),
                    _ => return Err(unexpected()),
                }
                at += bytes.len();
                if at == end {
                    break;
                }
                // A server may give less than was asked for.
                pending = ask(at, end - at)?;
            }
        }
    }

    /// What the server says of the open file.
    ///
    /// # Errors
    /// As [`Self::read_at`].
    pub fn facts(&self) -> io::Result<Facts> {
        attributes(self.connection.client().ask(Request::Fstat(&self.handle))?)
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        self.connection.close(&self.handle);
    }
}

fn lstat(connection: &Connection, path: &[u8]) -> io::Result<Facts> {
    attributes(connection.client().ask(Request::Lstat(path))?)
}

fn attributes(answer: Answer) -> io::Result<Facts> {
    match answer {
        Answer::Attributes(found) => facts(&found),
        _ => Err(unexpected()),
    }
}

/// The path without links.
fn real_path(connection: &Connection, path: &[u8]) -> io::Result<Vec<u8>> {
    match connection.client().ask(Request::RealPath(path))? {
        Answer::Names(names) => Ok(names.into_iter().next().ok_or_else(unexpected)?.0),
        _ => Err(unexpected()),
    }
}

#[cfg(test)]
mod tests;
