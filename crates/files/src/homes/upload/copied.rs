//! Copies inside the bucket of objects that are too large for one call: another name of a large file, or other rights.

use sftpctl_aws::{AwsError, UploadedPart};
use tokio::task::JoinSet;

use super::super::copy::CopyError;
use super::super::record::Line;
use super::{Outcome, Uploader, Wanted, is_conflict, refused};

/// Bytes of a part: of 512 MiB, S3 copies several at once; at least 5 MiB (S3 user guide, "Amazon S3 multipart upload
/// limits").
const PART: u64 = 512 << 20;
const LEAST: u64 = 5 << 20;
const PARTS: u64 = 10_000;
/// Parts that S3 copies at once.
const AT_ONCE: usize = 8;

impl Uploader {
    /// Copies an object with this ETag in parts. Nothing is sent, so that a copy of a run that was killed begins anew.
    pub(super) async fn copy_in_parts(
        &self,
        from: (&str, &str),
        wanted: &Wanted<'_>,
        (size, crc): (u64, u64),
    ) -> Result<Outcome, CopyError> {
        let begun = self.journal().manifest().begun.get(wanted.path).cloned();
        if let Some(begun) = begun {
            self.end(&begun.key, begun.upload).await?;
        }
        let before = self.sending(wanted, size, None)?;
        self.end_unknown(wanted, &before).await?;
        let upload = match self.s3.begin_whole((&self.bucket, wanted.key), &wanted.metadata).await {
            Ok(upload) => upload,
            Err(error) => return refused(error),
        };
        let (path, key, stamp) = (wanted.path.clone(), wanted.key.to_owned(), wanted.facts.stamp());
        self.journal().append(Line::Upload { path, key, upload: upload.clone(), stamp })?;
        match self.copied_parts(from, wanted.key, &upload, size).await? {
            Ok(Some(parts)) => self.complete(wanted, upload, parts, (size, crc)).await,
            Ok(None) => Ok(Outcome::Stopped),
            Err(error) => {
                self.end(wanted.key, upload).await?;
                if is_conflict(&error) {
                    // The source is not what it was: its own entry says what it is now.
                    return Ok(Outcome::Changing);
                }
                refused(error)
            }
        }
    }

    /// Copies all parts; `None` if the run is to stop.
    async fn copied_parts(
        &self,
        (from, etag): (&str, &str),
        to: &str,
        upload: &str,
        size: u64,
    ) -> Result<Result<Option<Vec<UploadedPart>>, AwsError>, CopyError> {
        let length = PART.min(self.single_copy).max(LEAST).max(size.div_ceil(PARTS));
        let (mut tasks, mut done, mut start) = (JoinSet::new(), Vec::new(), 0);
        for number in 1.. {
            if start >= size {
                break;
            }
            if self.watch.is_stopping() {
                return Ok(Ok(None));
            }
            while tasks.len() >= AT_ONCE {
                match tasks.join_next().await {
                    Some(part) => match part? {
                        Ok(part) => done.push(part),
                        Err(error) => return Ok(Err(error)),
                    },
                    None => break,
                }
            }
            let range = (start, length.min(size - start));
            let (s3, bucket, to) = (self.s3.clone(), self.bucket.clone(), to.to_owned());
            let (from, etag, upload) = (from.to_owned(), etag.to_owned(), upload.to_owned());
            tasks.spawn(async move { s3.copy_part((&bucket, &to), (&from, &etag), &upload, number, range).await });
            start += range.1;
        }
        while let Some(part) = tasks.join_next().await {
            match part? {
                Ok(part) => done.push(part),
                Err(error) => return Ok(Err(error)),
            }
        }
        done.sort_unstable_by_key(|part: &UploadedPart| part.number);
        Ok(Ok(Some(done)))
    }
}
