//! One object becomes a complete file under a temporary name.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sftpctl_aws::{AwsError, DownloadFacts, ListedObject, OwnedBucket, PRECONDITION_FAILED, S3};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Watch;
use super::group;
use super::ledger::Fetched;
use super::ledger_file::append_line;
use super::mtime::mtime;
use super::parts::{self, Of, Written};
use super::path::LocalPath;
use super::sums::{self, Compared, Expected, Summing, Sums};
use super::target::{self, Leftover, Target};
use crate::checksum;

/// Bytes of one connection that wait in memory for the disk.
const BUFFER: usize = 1 << 20;
/// How often a file is begun anew because it was replaced or came out wrong.
const TRIES: u32 = 5;
/// How often an interrupted answer is continued without a byte in between.
const CONTINUATIONS: u32 = 5;

/// A file that is complete under its temporary name.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) file: Fetched,
    pub(super) path: LocalPath,
    pub(super) temporary: String,
    /// The file, unless it is durable. It stays open: an error of its writeback is reported to those who had it open then.
    pub(super) written: Option<Arc<File>>,
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the object has been replaced")]
    Replaced,
    #[error("the object does not exist any more")]
    Gone,
    #[error("what arrived is not what S3 has a checksum of ({0})")]
    Corrupt(&'static str),
    /// Others may still fit.
    #[error("it needs {size} bytes, and the disk has {free} free")]
    NoRoom { size: u64, free: u64 },
    #[error("interrupted")]
    Interrupted,
}

/// Fetches objects of a bucket.
pub(super) struct Fetcher<'a> {
    pub(super) s3: &'a S3,
    pub(super) bucket: &'a OwnedBucket,
    pub(super) target: Arc<Target>,
    /// One permit for each connection.
    pub(super) connections: &'a Semaphore,
    /// Parts of one file that are fetched at once.
    pub(super) at_once: usize,
    pub(super) leftovers: &'a Mutex<HashMap<String, Leftover>>,
    pub(super) watch: &'a dyn Watch,
}

/// A complete file, its temporary name, and the file itself unless it is durable.
type Arrived = (Fetched, String, Option<Arc<File>>);

/// A part of a file, or all of it.
struct Piece<'a> {
    key: &'a str,
    etag: &'a str,
    start: u64,
    length: u64,
    /// The whole object: the request has no range.
    is_whole: bool,
}

impl Fetcher<'_> {
    /// Fetches the current content of an object. One that is replaced meanwhile is begun anew.
    pub(super) async fn fetch(&self, object: ListedObject, path: LocalPath) -> Result<Complete, FetchError> {
        let mut object = object;
        for attempt in 1.. {
            let error = match self.attempt(&object).await {
                Ok((file, temporary, written)) => return Ok(Complete { file, path, temporary, written }),
                Err(error @ (FetchError::Replaced | FetchError::Corrupt(_))) if attempt < TRIES => error,
                Err(error) => return Err(error),
            };
            if matches!(error, FetchError::Replaced) {
                let facts = self.s3.download_facts(self.bucket, &object.key).await?.ok_or(FetchError::Gone)?;
                let DownloadFacts { size, etag, modified, .. } = facts;
                object = ListedObject { size, etag, modified, ..object };
            }
        }
        Err(FetchError::Replaced)
    }

    async fn attempt(&self, object: &ListedObject) -> Result<Arrived, FetchError> {
        let leftover = self.leftovers.lock().unwrap_or_else(PoisonError::into_inner).remove(&object.key);
        let leftover = leftover.and_then(|leftover| {
            let is_same = leftover.of.etag == object.etag && leftover.of.size == object.size;
            if !is_same {
                self.target.discard(&leftover.temporary);
            }
            is_same.then_some(leftover)
        });
        if object.size <= parts::WHOLE { self.whole(object).await } else { self.in_parts(object, leftover).await }
    }

    /// Fetches a small object with one request. It is made durable with others.
    async fn whole(&self, object: &ListedObject) -> Result<Arrived, FetchError> {
        let (temporary, file) = self.target.create()?;
        let file = Arc::new(file);
        let fetched = async {
            let piece = Piece { key: &object.key, etag: &object.etag, start: 0, length: object.size, is_whole: true };
            let (facts, expected, sums) = self.piece(&file, piece, None).await?;
            finished(Arc::clone(&file), object, &facts, expected, sums).await
        };
        match fetched.await {
            Ok(fetched) => Ok((fetched, temporary, Some(file))),
            Err(error) => {
                self.target.discard(&temporary);
                Err(error)
            }
        }
    }

    /// Fetches a large object by ranges, those that an earlier run has not written, and makes it durable.
    async fn in_parts(&self, object: &ListedObject, leftover: Option<Leftover>) -> Result<Arrived, FetchError> {
        let facts = self.s3.download_facts(self.bucket, &object.key).await?.ok_or(FetchError::Gone)?;
        if facts.etag != object.etag {
            leftover.iter().for_each(|leftover| self.target.discard(&leftover.temporary));
            return Err(FetchError::Replaced);
        }
        let expected = Expected::of(facts.checksum.as_ref());
        let (temporary, file, known) = match leftover {
            Some(leftover) => (leftover.temporary.clone(), self.target.reopen(&leftover.temporary)?, leftover.parts),
            None => {
                if let Some(free) = self.target.free().filter(|free| *free < object.size) {
                    return Err(FetchError::NoRoom { size: object.size, free });
                }
                let (temporary, file) = self.target.create()?;
                let of = Of { key: object.key.clone(), etag: object.etag.clone(), size: object.size };
                let begun = target::reserve(&file, object.size)
                    .and_then(|()| self.target.record(&temporary))
                    .and_then(|record| append_line(&record, &of));
                if let Err(error) = begun {
                    self.target.discard(&temporary);
                    return Err(error.into());
                }
                (temporary, file, std::collections::BTreeMap::new())
            }
        };
        let (file, record) = (Arc::new(file), self.target.record(&temporary)?);
        let (file, record) = (&file, &record);
        let pieces = stream::iter(parts::ranges(object.size)).map(|(start, length)| {
            let known = known.get(&start).copied();
            async move {
                if let Some(crc64) = known {
                    let permit = self.connections.acquire().await.map_err(|_| FetchError::Interrupted)?;
                    let sums = reread(Arc::clone(file), (start, length), expected.kind).await?;
                    drop(permit);
                    // What the disk has lost is fetched again.
                    if sums.crc64 == crc64 {
                        self.watch.received(length);
                        return Ok((sums, length));
                    }
                }
                let piece = Piece { key: &object.key, etag: &object.etag, start, length, is_whole: false };
                let (.., sums) = self.piece(file, piece, Some(expected)).await?;
                append_line(record, &Written { start, crc64: sums.crc64 })?;
                Ok::<_, FetchError>((sums, length))
            }
        });
        let sums = pieces.buffered(self.at_once).try_collect::<Vec<_>>().await;
        let done = match sums {
            Ok(pieces) => {
                let sums = sums::joined(expected.kind, pieces);
                durable(file, finished(Arc::clone(file), object, &facts, expected, sums).await).await
            }
            Err(error) => Err(error),
        };
        if matches!(done, Err(FetchError::Replaced | FetchError::Gone | FetchError::Corrupt(_))) {
            self.target.discard(&temporary);
        }
        done.map(|fetched| (fetched, temporary, None))
    }

    /// Fetches a piece of an object, and continues an answer that ends early. `expected` is known for parts, and otherwise
    /// told by the answer.
    async fn piece(
        &self,
        file: &Arc<File>,
        piece: Piece<'_>,
        expected: Option<Expected>,
    ) -> Result<(DownloadFacts, Expected, Sums), FetchError> {
        let Piece { key, etag, start, length, is_whole } = piece;
        let _permit = self.connections.acquire().await.map_err(|_| FetchError::Interrupted)?;
        let (mut got, mut first, mut futile, mut expected) = (0_u64, None, 0, expected);
        let mut summing = Summing::new(expected.map_or(Compared::Size, |expected| expected.kind));
        while got < length || first.is_none() {
            if self.watch.is_stopping() {
                return Err(FetchError::Interrupted);
            }
            let range = (got > 0 || !is_whole).then(|| (start + got, length - got));
            let answer = match self.s3.download(self.bucket, key, etag, range).await {
                Ok(answer) => answer.ok_or(FetchError::Gone)?,
                Err(error) if error.is(PRECONDITION_FAILED) => return Err(FetchError::Replaced),
                Err(error) => return Err(error.into()),
            };
            let (facts, mut body) = answer;
            if first.is_none() {
                let told = expected.unwrap_or_else(|| Expected::of(facts.checksum.as_ref()));
                if expected.is_none() {
                    summing = Summing::new(told.kind);
                }
                expected = Some(told);
                first = Some(facts);
            }
            let (mut buffer, before) = (Vec::new(), got);
            let ended = loop {
                match body.next().await {
                    Ok(Some(bytes)) => {
                        if got + bytes.len() as u64 > length {
                            return Err(FetchError::Corrupt("more bytes than the object has"));
                        }
                        summing.update(&bytes);
                        got += bytes.len() as u64;
                        buffer.extend_from_slice(&bytes);
                        self.watch.received(bytes.len() as u64);
                        if buffer.len() >= BUFFER {
                            let at = start + got - buffer.len() as u64;
                            write(file, std::mem::take(&mut buffer), at).await?;
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
                if self.watch.is_stopping() && !is_whole {
                    return Err(FetchError::Interrupted);
                }
            };
            let at = start + got - buffer.len() as u64;
            write(file, buffer, at).await?;
            match ended {
                // The SDK compares the checksum of a whole answer at its end.
                Err(_) if got == length => return Err(FetchError::Corrupt("its checksum differs")),
                ended if got < length => {
                    futile = if got == before { futile + 1 } else { 0 };
                    if futile >= CONTINUATIONS {
                        return Err(ended
                            .err()
                            .map_or(FetchError::Corrupt("fewer bytes than it has"), FetchError::Aws));
                    }
                }
                _ => {}
            }
        }
        let expected = expected.unwrap_or_else(|| Expected::of(None));
        Ok((first.unwrap_or_default(), expected, summing.value()))
    }
}

/// Makes a file durable that is complete.
async fn durable(file: &Arc<File>, finished: Result<Fetched, FetchError>) -> Result<Fetched, FetchError> {
    let (fetched, file) = (finished?, Arc::clone(file));
    blocking(move || group::sync(&*file)).await?;
    Ok(fetched)
}

/// Compares a complete file, and sets its time.
async fn finished(
    file: Arc<File>,
    object: &ListedObject,
    facts: &DownloadFacts,
    expected: Expected,
    sums: Sums,
) -> Result<Fetched, FetchError> {
    if facts.size != object.size {
        return Err(FetchError::Corrupt("its size differs"));
    }
    if !expected.fits(sums) {
        return Err(FetchError::Corrupt("its checksum differs"));
    }
    let time = mtime(&facts.metadata, facts.modified);
    let local = blocking(move || target::finish(&file, time)).await?;
    Ok(Fetched {
        key: object.key.clone(),
        etag: facts.etag.clone(),
        modified: facts.modified,
        version: facts.version.clone(),
        size: object.size,
        mtime: local.mtime,
        crc64nvme: checksum::text(sums.crc64),
        compared: expected.kind,
    })
}

async fn write(file: &Arc<File>, bytes: Vec<u8>, at: u64) -> io::Result<()> {
    let file = Arc::clone(file);
    blocking(move || file.write_all_at(&bytes, at)).await
}

/// The checksums of a part as the disk has it.
async fn reread(file: Arc<File>, (start, length): (u64, u64), kind: Compared) -> io::Result<Sums> {
    blocking(move || {
        let (mut summing, mut at, mut buffer) = (Summing::new(kind), start, vec![0; BUFFER]);
        while at < start + length {
            let wanted = usize::try_from(start + length - at).unwrap_or(BUFFER).min(BUFFER);
            let read = file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at)?;
            if read == 0 {
                break;
            }
            summing.update(buffer.get(..read).unwrap_or_default());
            at += read as u64;
        }
        Ok(summing.value())
    })
    .await
}

/// Does what may wait for the disk, apart from the threads that serve connections.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use sftpctl_aws::StoredChecksum;

    use super::*;

    fn object(size: u64) -> ListedObject {
        ListedObject { key: "17578/a".into(), size, etag: "e".into(), modified: 7 }
    }

    async fn compared(stored: &StoredChecksum, size: u64) -> Result<Fetched, FetchError> {
        let file = Arc::new(tempfile::tempfile().unwrap());
        write(&file, b"123456789".to_vec(), 0).await.unwrap();
        let facts = DownloadFacts { size: 9, etag: "e".into(), modified: 7, ..DownloadFacts::default() };
        let expected = Expected::of(Some(stored));
        let sums = reread(Arc::clone(&file), (0, 9), expected.kind).await.unwrap();
        finished(file, &object(size), &facts, expected, sums).await
    }

    #[tokio::test]
    async fn what_differs_from_the_checksum_is_not_a_file() {
        let right = StoredChecksum::Crc64Nvme("rosUhgp5mIg=".into());
        let fetched = compared(&right, 9).await.unwrap();
        assert_eq!((fetched.crc64nvme.as_str(), fetched.mtime), ("rosUhgp5mIg=", 7_000_000_000));
        assert!(matches!(compared(&right, 10).await, Err(FetchError::Corrupt("its size differs"))));
        let wrong = StoredChecksum::Crc64Nvme("rosUhgp5mIk=".into());
        assert!(matches!(compared(&wrong, 9).await, Err(FetchError::Corrupt("its checksum differs"))));
        let wrong = StoredChecksum::Crc32("AAAAAA==".into());
        assert!(matches!(compared(&wrong, 9).await, Err(FetchError::Corrupt("its checksum differs"))));
    }
}
