//! Whole files to a server and back, with as many requests at once as OpenSSH's `sftp` has. For measurements: the
//! content is in memory, and nothing of it is kept.

use std::collections::VecDeque;
use std::io;

use super::client::Pending;
use super::packet::{Answer, CONTENT, Request};
use super::ssh::{Connection, unexpected};

/// Requests that wait for their answers at once (`DEFAULT_NUM_REQUESTS` of OpenSSH's `sftp`).
const AT_ONCE: usize = 64;

impl Connection {
    /// Writes a file; `written` is called with the bytes that the server has taken. A server of AWS Transfer has a file
    /// in S3 once the last answer is there, that to its closing; `closing` is called before.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost.
    pub fn upload<'a>(
        &self,
        path: &[u8],
        pieces: impl Iterator<Item = &'a [u8]>,
        mut written: impl FnMut(u64),
        closing: impl FnOnce(),
    ) -> io::Result<()> {
        let handle = self.handle(Request::Create(path))?;
        let sent = self.send_pieces(&handle, pieces, &mut written);
        if sent.is_err() {
            // The server would keep the file open for as long as the session.
            self.close(&handle);
            return sent;
        }
        closing();
        self.client().ask(Request::Close(&handle)).map(drop)
    }

    /// Writes the pieces to an open file.
    fn send_pieces<'a>(
        &self,
        handle: &[u8],
        pieces: impl Iterator<Item = &'a [u8]>,
        written: &mut impl FnMut(u64),
    ) -> io::Result<()> {
        let mut waiting: VecDeque<(u64, Pending)> = VecDeque::new();
        let (mut start, mut taken) = (0, 0);
        for part in pieces.flat_map(|piece| piece.chunks(CONTENT as usize)) {
            if waiting.len() == AT_ONCE
                && let Some((length, pending)) = waiting.pop_front()
            {
                pending.take()?;
                taken += length;
                written(taken);
            }
            let pending = self.client().send(Request::Write { handle, start, bytes: part })?;
            let length = part.len() as u64;
            waiting.push_back((length, pending));
            start += length;
        }
        for (length, pending) in waiting {
            pending.take()?;
            taken += length;
            written(taken);
        }
        Ok(())
    }

    /// Reads a file, piece by piece in order.
    ///
    /// # Errors
    /// The server refuses, or the connection is lost.
    pub fn fetch(&self, path: &[u8], mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        let handle = self.handle(Request::Open(path))?;
        let read = self.read_pieces(&handle, &mut piece);
        match read {
            Ok(true) => self.client().ask(Request::Close(&handle)).map(drop),
            Ok(false) => {
                self.close(&handle);
                Ok(())
            }
            Err(error) => {
                self.close(&handle);
                Err(error)
            }
        }
    }

    /// Reads an open file; returns whether it had as much as it said.
    fn read_pieces(&self, handle: &[u8], piece: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        let Answer::Attributes(facts) = self.client().ask(Request::Fstat(handle))? else { return Err(unexpected()) };
        let size = facts.size.unwrap_or(u64::MAX);
        let ask = |start: u64, end: u64| {
            let length = u32::try_from(end - start).unwrap_or(CONTENT).min(CONTENT);
            self.client().send(Request::Read { handle, start, length })
        };
        let mut waiting: VecDeque<(u64, u64, Pending)> = VecDeque::new();
        let mut asked = 0;
        loop {
            while asked < size && waiting.len() < AT_ONCE {
                let end = asked.saturating_add(CONTENT.into()).min(size);
                waiting.push_back((asked, end, ask(asked, end)?));
                asked = end;
            }
            let Some((mut at, end, mut pending)) = waiting.pop_front() else { break };
            loop {
                let bytes = match pending.take() {
                    Ok(Answer::Data(bytes)) if !bytes.is_empty() && at + bytes.len() as u64 <= end => bytes,
                    Ok(_) => return Err(unexpected()),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) => return Err(error),
                };
                piece(&bytes);
                at += bytes.len() as u64;
                if at == end {
                    break;
                }
                // A server may give less than was asked for.
                pending = ask(at, end)?;
            }
        }
        Ok(true)
    }

    /// Deletes a file; a missing one is fine.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn remove(&self, path: &[u8]) -> io::Result<()> {
        or_missing(self.client().ask(Request::Remove(path)))
    }

    /// Creates a folder.
    ///
    /// # Errors
    /// As [`Self::fetch`]; also if it is there already.
    pub fn make_folder(&self, path: &[u8]) -> io::Result<()> {
        self.client().ask(Request::MakeFolder(path)).map(drop)
    }

    /// Deletes an empty folder; a missing one is fine.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn remove_folder(&self, path: &[u8]) -> io::Result<()> {
        or_missing(self.client().ask(Request::RemoveFolder(path)))
    }

    /// Whether a path is a folder.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn has_folder(&self, path: &[u8]) -> io::Result<bool> {
        match self.client().ask(Request::Lstat(path)) {
            Ok(Answer::Attributes(facts)) => Ok(super::remote::is_folder(&facts)),
            Ok(_) => Err(unexpected()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn or_missing(answer: io::Result<Answer>) -> io::Result<()> {
    match answer {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
