//! A bucket, by the SDK. Each call is made once: an error is a result, and a repetition would hide it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sftpctl_aws::{Aws, ConnectOptions, S3, SessionCredentials};

use super::{Fault, Outcome, Progress, Reply, Seen, Sources};
use crate::target::Access;
use crate::wire::{File, Order, Step};

/// Bytes of a part, and the largest object that is put in one call.
const PART: usize = 16 << 20;
/// Parts of an object, at most (Amazon S3 user guide, "Multipart upload limits").
const PARTS: u64 = 10_000;
/// An attempt takes as long as its worker may live.
const LONGEST: Duration = Duration::from_hours(24);

/// Times that what is left is listed and deleted: S3 may say of a single object that it failed.
const SWEEPS: usize = 4;

pub(super) struct Bucket {
    s3: S3,
    /// With the usual retries, for what is not measured.
    patient: S3,
    bucket: String,
    /// With a slash at its end.
    folder: String,
}

impl Bucket {
    pub(super) async fn connect(access: Access, folder: &str) -> Self {
        let Access::Bucket { bucket, prefix, region, profile, endpoint, keys } = access else {
            unreachable!("the caller has matched it")
        };
        let options =
            ConnectOptions { profile, endpoint_url: endpoint, local_account: None, home_region: region.clone() };
        let mut aws = Aws::connect(options).await;
        if let Some(keys) = keys {
            aws = aws.with_credentials(SessionCredentials {
                access_key: keys.access_key,
                secret_key: keys.secret_key,
                token: keys.token,
            });
        }
        let patient = aws.s3(&region);
        let s3 = patient.clone().with_attempts(1).with_attempts_of(LONGEST);
        let folder = match prefix.as_str() {
            "" => format!("{folder}/"),
            prefix => format!("{prefix}/{folder}/"),
        };
        Self { s3, patient, bucket, folder }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    pub(super) async fn carry_out(
        &self,
        order: &Order,
        sources: &mut Sources,
        at: &mut Progress<'_>,
    ) -> Result<Reply, Fault> {
        match order {
            // A prefix is not created.
            Order::Prepare => Ok(()),
            Order::Put(file) => self.put(file, sources, at).await,
            Order::Get(file) | Order::GetCached(file) => return self.get(file, at).await.map(Reply::of),
            Order::Login => Err(Fault::System(std::io::Error::other("a bucket has no log-in"))),
            Order::Delete(name) => {
                at.step(Step::Delete);
                let key = self.key(name);
                // Of a worker that was ended; S3 bills what it had sent.
                let uploads = self.patient.open_uploads(&self.bucket, &key).await;
                self.patient.delete_object(&self.bucket, &key).await?;
                for upload in uploads? {
                    self.patient.abort_whole((&self.bucket, &key), &upload.id).await?;
                }
                Ok(())
            }
            Order::Finish => self.finish(at).await,
        }
        .map(|()| Reply::default())
    }

    async fn put(&self, file: &File, sources: &mut Sources, at: &mut Progress<'_>) -> Outcome {
        let (source, key) = (sources.of(file), self.key(&file.name));
        at.begin();
        at.step(Step::Write);
        if file.size.0 <= PART as u64 {
            let mut body = BytesMut::new();
            source.pieces(file.size).for_each(|piece| body.extend_from_slice(piece));
            self.s3.put(&self.bucket, &key, body.freeze(), false).await?;
            at.moved(file.size.0);
            at.end();
            return Ok(());
        }
        let length = usize::try_from(file.size.0.div_ceil(PARTS)).unwrap_or(PART).max(PART);
        at.step(Step::Open);
        let mut upload = self.s3.begin(&self.bucket, &key).await?;
        at.step(Step::Write);
        let parts = async {
            let mut body = BytesMut::new();
            for piece in source.pieces(file.size) {
                body.extend_from_slice(piece);
                if body.len() >= length {
                    self.part(&key, &mut upload, body.split().freeze(), at).await?;
                }
            }
            if !body.is_empty() {
                self.part(&key, &mut upload, body.freeze(), at).await?;
            }
            Ok(())
        };
        let sent: Outcome = parts.await;
        if let Err(fault) = sent {
            let _ = self.s3.abort(&self.bucket, &key, &upload).await;
            return Err(fault);
        }
        at.step(Step::Close);
        self.s3.complete(&self.bucket, &key, upload, false).await?;
        at.end();
        Ok(())
    }

    async fn part(&self, key: &str, upload: &mut sftpctl_aws::Upload, body: Bytes, at: &mut Progress<'_>) -> Outcome {
        let length = body.len() as u64;
        self.s3.add(&self.bucket, key, upload, body).await?;
        at.moved(at.bytes + length);
        Ok(())
    }

    async fn get(&self, file: &File, at: &mut Progress<'_>) -> Result<Seen, Fault> {
        let key = self.key(&file.name);
        let mut seen = Seen::default();
        at.begin();
        at.step(Step::Open);
        let Some(mut download) = self.s3.open_version(&self.bucket, &key, None).await? else {
            return Err(Fault::Differs("the object is gone".to_owned()));
        };
        at.step(Step::Read);
        while let Some(piece) = download.next().await? {
            seen.add(&piece);
            at.moved(seen.bytes);
        }
        at.end();
        Ok(seen)
    }

    /// Deletes what is left below the run's prefix: older versions, and delete markers.
    async fn finish(&self, at: &mut Progress<'_>) -> Outcome {
        at.step(Step::Delete);
        let mut failed = None;
        for _ in 0..SWEEPS {
            let versions = self.patient.versions_below(&self.bucket, &self.folder).await?;
            if versions.is_empty() {
                return Ok(());
            }
            for some in versions.chunks(1000) {
                failed = self.patient.delete_versions(&self.bucket, some).await.err().or(failed);
            }
        }
        match self.patient.versions_below(&self.bucket, &self.folder).await?.is_empty() {
            true => Ok(()),
            false => Err(failed.map_or_else(|| Fault::Differs("it is still there".to_owned()), Fault::Aws)),
        }
    }
}
