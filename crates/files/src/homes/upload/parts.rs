//! Files that are sent in parts. A run that was killed leaves parts that need not be sent again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sftpctl_aws::UploadedPart;
use tokio::task::JoinSet;

use super::super::copy::CopyError;
use super::super::entry::Stamp;
use super::super::record::{Line, Sending};
use super::super::source::Content;
use super::super::totals::part_size;
use super::{Outcome, Uploader, Wanted, is_changed, is_conflict, read, refused};
use crate::checksum::{self, Running};

/// Seconds by which this machine's clock may be ahead of S3's.
const CLOCKS: i64 = 300;

/// The parts of an upload that are stored, by their numbers.
type Parts = BTreeMap<i32, UploadedPart>;

impl Uploader {
    /// Uploads a file in parts.
    pub(super) async fn in_parts(&self, wanted: &Wanted<'_>, file: &Arc<Content>) -> Result<Outcome, CopyError> {
        let (size, stamp) = (wanted.facts.size, wanted.facts.stamp());
        let is_alike = wanted.known.is_some_and(|known| known.bytes == size && known.stamp.mtime == stamp.mtime);
        if is_alike {
            // Most likely only the rights or the names of a large file have changed.
            let crc = self.sum(file, size).await?;
            if let Some(same) = wanted.same(size, crc) {
                return self.same(wanted, same).await;
            }
        }
        let place = (self.bucket.as_str(), wanted.key);
        let (upload, done) = match self.begun(wanted, stamp).await? {
            Some(begun) => begun,
            None => {
                let before = self.sending(wanted, size, None)?;
                self.end_unknown(wanted, &before).await?;
                match self.s3.begin_whole(place, &wanted.metadata).await {
                    Ok(upload) => {
                        let (path, key) = (wanted.path.clone(), wanted.key.to_owned());
                        self.journal().append(Line::Upload { path, key, upload: upload.clone(), stamp })?;
                        (upload, Parts::new())
                    }
                    Err(error) => return refused(error),
                }
            }
        };
        let parts = match self.parts(wanted, file, &upload, done).await {
            Ok(Some(parts)) => parts,
            Ok(None) => return Ok(Outcome::Stopped),
            // Someone has aborted it: the next pass begins anew.
            Err(CopyError::Aws(error)) if error.is("NoSuchUpload") => {
                self.journal().append(Line::UploadEnded { upload })?;
                return Ok(Outcome::Changing);
            }
            Err(CopyError::Aws(error)) => return refused(error),
            Err(error) => return Err(error),
        };
        let is_changed = is_changed(file, &wanted.facts).await;
        if self.home.lost().is_some() {
            // Its parts are for the next run.
            is_changed?;
            return Ok(Outcome::Changing);
        }
        let crc = whole(&parts, size).filter(|_| !is_changed.unwrap_or(true));
        let Some(crc) = crc else {
            self.end(wanted.key, upload).await?;
            return Ok(Outcome::Changing);
        };
        self.complete(wanted, upload, parts.into_values().collect(), (size, crc)).await
    }

    /// Puts the parts of an upload together.
    pub(super) async fn complete(
        &self,
        wanted: &Wanted<'_>,
        upload: String,
        parts: Vec<UploadedPart>,
        (size, crc): (u64, u64),
    ) -> Result<Outcome, CopyError> {
        let place = (self.bucket.as_str(), wanted.key);
        let sum = checksum::text(crc);
        let before = self.sending(wanted, size, Some(crc))?;
        match self.s3.complete_whole(place, &upload, &parts, (size, &sum), wanted.expected()).await {
            Ok(put) => {
                let outcome = self.stored(wanted, (size, crc), put)?;
                self.journal().append(Line::UploadEnded { upload })?;
                Ok(outcome)
            }
            // The answer to an earlier attempt may have been lost.
            Err(error) if is_conflict(&error) || error.is("NoSuchUpload") => {
                self.end(wanted.key, upload).await?;
                let found = self.facts(wanted.key).await?;
                self.settle(wanted, (size, crc), found, &before).await
            }
            Err(error) => refused(error),
        }
    }

    /// Aborts what a run has begun that was killed before it knew the upload's ID: with our kind of checksum, which no
    /// upload of Transfer has, and not before that run. `before` is what was sent and has no answer.
    pub(super) async fn end_unknown(&self, wanted: &Wanted<'_>, before: &[Sending]) -> Result<(), CopyError> {
        let begun = before.iter().filter(|sent| sent.crc64nvme.is_none() && sent.key == wanted.key);
        let Some(first) = begun.map(|sent| sent.at).min() else { return Ok(()) };
        for upload in self.s3.open_uploads(&self.bucket, wanted.key).await? {
            if upload.is_whole && upload.began >= first - CLOCKS {
                self.s3.abort_whole((&self.bucket, wanted.key), &upload.id).await?;
            }
        }
        Ok(())
    }

    /// The upload of this state of the file that an earlier run has begun. That of another state is aborted.
    async fn begun(&self, wanted: &Wanted<'_>, stamp: Stamp) -> Result<Option<(String, Parts)>, CopyError> {
        let begun = self.journal().manifest().begun.get(wanted.path).cloned();
        Ok(match begun {
            Some(begun) if begun.stamp == stamp && begun.key == wanted.key => Some((begun.upload, begun.parts)),
            Some(begun) => {
                self.end(&begun.key, begun.upload).await?;
                None
            }
            None => None,
        })
    }

    /// Aborts an upload, whose parts would be paid for otherwise.
    pub(in super::super) async fn end(&self, key: &str, upload: String) -> Result<(), CopyError> {
        self.s3.abort_whole((&self.bucket, key), &upload).await?;
        Ok(self.journal().append(Line::UploadEnded { upload })?)
    }

    /// Sends the parts that are not stored yet; `None` if the run is to stop.
    async fn parts(
        &self,
        wanted: &Wanted<'_>,
        file: &Arc<Content>,
        upload: &str,
        mut done: Parts,
    ) -> Result<Option<Parts>, CopyError> {
        let (size, length) = (wanted.facts.size, part_size(wanted.facts.size));
        let mut tasks: JoinSet<Result<(UploadedPart, u64), CopyError>> = JoinSet::new();
        let mut start = 0;
        for number in 1.. {
            if start >= size || self.watch.is_stopping() {
                break;
            }
            let bytes = length.min(size - start);
            if !done.contains_key(&number) {
                let memory = self.memory.take(bytes).await.map_err(CopyError::Read)?;
                if !self.pace.take(bytes, &*self.watch).await {
                    break;
                }
                let (body, crc) = read(file, start, bytes).await?;
                if body.len() as u64 != bytes {
                    // It became shorter, which its state shows when all is sent.
                    break;
                }
                let (s3, bucket, key) = (self.s3.clone(), self.bucket.clone(), wanted.key.to_owned());
                let upload = upload.to_owned();
                tasks.spawn(async move {
                    let _memory = memory;
                    let part = s3.put_part((&bucket, &key), &upload, number, body, checksum::text(crc)).await?;
                    Ok((part, bytes))
                });
            }
            start += bytes;
            while let Some(part) = tasks.try_join_next() {
                self.keep(part, upload, &mut done)?;
            }
        }
        while let Some(part) = tasks.join_next().await {
            self.keep(part, upload, &mut done)?;
        }
        Ok(if start < size && self.watch.is_stopping() { None } else { Some(done) })
    }

    /// Notes a part that was sent.
    fn keep(
        &self,
        sent: Result<Result<(UploadedPart, u64), CopyError>, tokio::task::JoinError>,
        upload: &str,
        done: &mut Parts,
    ) -> Result<(), CopyError> {
        let (part, bytes) = sent.map_err(|error| CopyError::Read(std::io::Error::other(error)))??;
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        let UploadedPart { number, etag, crc64nvme } = part.clone();
        self.journal().append(Line::Part { upload: upload.to_owned(), number, etag, crc64nvme })?;
        done.insert(part.number, part);
        Ok(())
    }

    /// The checksum of a whole file, which is only read.
    async fn sum(&self, file: &Arc<Content>, size: u64) -> Result<u64, CopyError> {
        let (mut sum, mut start, length) = (Running::default(), 0, part_size(0));
        while start < size {
            let _memory = self.memory.take(length).await.map_err(CopyError::Read)?;
            let (bytes, _) = read(file, start, length.min(size - start)).await?;
            if bytes.is_empty() {
                break;
            }
            sum.update(&bytes);
            start += bytes.len() as u64;
        }
        Ok(sum.value())
    }
}

/// The checksum of a file from those of its parts; `None` if one is missing.
fn whole(parts: &Parts, size: u64) -> Option<u64> {
    let length = part_size(size);
    let mut start = 0;
    let (mut sum, mut number) = (checksum::of(b""), 1);
    while start < size {
        let bytes = length.min(size - start);
        sum = checksum::joined(sum, checksum::parse(&parts.get(&number)?.crc64nvme)?, bytes);
        start += bytes;
        number += 1;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_a_file_needs_all_its_parts() {
        let size = part_size(0) * 2 + 3;
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let length = usize::try_from(part_size(0)).unwrap();
        let part = |(chunk, number): (&[u8], i32)| {
            (number, UploadedPart { number, etag: String::new(), crc64nvme: checksum::text(checksum::of(chunk)) })
        };
        let mut parts: Parts = bytes.chunks(length).zip(1..).map(part).collect();
        assert_eq!(whole(&parts, size), Some(checksum::of(&bytes)));
        parts.remove(&2);
        assert_eq!(whole(&parts, size), None);
    }
}
