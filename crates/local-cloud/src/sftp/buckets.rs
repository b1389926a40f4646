//! Buckets in any region: a Transfer server serves homes outside its own region, too.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::storage::{Sink, Source, Storage, StorageError, Version};
use sftpctl_aws::{Aws, AwsError, Download, ObjectFacts, ObjectPage, PRECONDITION_FAILED, S3, Upload};

/// Attempts for a call of S3; a customer waits for it.
const ATTEMPTS: u32 = 3;

/// An account's S3 clients, one for the region of each bucket.
pub(super) struct Buckets {
    aws: Arc<Aws>,
    region: String,
    known: Mutex<HashMap<String, S3>>,
}

impl Buckets {
    /// The buckets of an account; their locations are looked up in `region`.
    pub(super) fn new(aws: Arc<Aws>, region: &str) -> Self {
        Self { aws, region: region.to_owned(), known: Mutex::default() }
    }

    /// S3 in the bucket's region; `None` if the bucket does not exist.
    pub(super) async fn of(&self, bucket: &str) -> Result<Option<S3>, AwsError> {
        let mut known = self.known.lock().await;
        if let Some(s3) = known.get(bucket) {
            return Ok(Some(s3.clone()));
        }
        let at_home = self.aws.s3(&self.region).with_attempts(ATTEMPTS);
        let Some(region) = at_home.location(bucket).await? else { return Ok(None) };
        let s3 = self.aws.s3(&region).with_attempts(ATTEMPTS);
        known.insert(bucket.to_owned(), s3.clone());
        Ok(Some(s3))
    }

    async fn at(&self, bucket: &str) -> Result<S3, StorageError> {
        self.of(bucket).await?.ok_or_else(|| StorageError::Other(format!("there is no bucket {bucket}")))
    }
}

/// The storage of one session.
#[derive(Clone)]
pub(super) struct S3Storage(pub(super) Arc<Buckets>);

#[async_trait]
impl Storage for S3Storage {
    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StorageError> {
        Ok(self.0.at(bucket).await?.head(bucket, key).await?)
    }

    async fn page(&self, bucket: &str, prefix: &str, max: i32, from: Option<&str>) -> Result<ObjectPage, StorageError> {
        Ok(self.0.at(bucket).await?.page(bucket, prefix, true, max, from).await?)
    }

    async fn range(&self, object: Version<'_>, start: u64, length: u64) -> Result<Option<Bytes>, StorageError> {
        let Version { bucket, key, etag } = object;
        Ok(self.0.at(bucket).await?.range(bucket, key, (start, length), etag).await?)
    }

    async fn open(&self, object: Version<'_>, start: u64) -> Result<Option<Box<dyn Source>>, StorageError> {
        let Version { bucket, key, etag } = object;
        let download = self.0.at(bucket).await?.open(bucket, key, start, etag).await?;
        Ok(download.map(|download| Box::new(S3Source(download)) as Box<dyn Source>))
    }

    fn create(&self, bucket: &str, key: &str, only_new: bool) -> Box<dyn Sink> {
        let buckets = Arc::clone(&self.0);
        Box::new(S3Sink { buckets, bucket: bucket.to_owned(), key: key.to_owned(), only_new, upload: None })
    }

    async fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), StorageError> {
        Ok(self.0.at(to.0).await?.copy(from, to).await?)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StorageError> {
        Ok(self.0.at(bucket).await?.delete_object(bucket, key).await?)
    }
}

struct S3Source(Download);

#[async_trait]
impl Source for S3Source {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        Ok(self.0.next().await?)
    }
}

/// A small object is one request; a large one an upload in parts, which is invisible until it is complete.
struct S3Sink {
    buckets: Arc<Buckets>,
    bucket: String,
    key: String,
    only_new: bool,
    upload: Option<Upload>,
}

impl S3Sink {
    async fn complete(&mut self, s3: &S3, upload: Upload, last: Bytes) -> Result<String, StorageError> {
        let mut upload = upload;
        if !last.is_empty() {
            s3.add(&self.bucket, &self.key, &mut upload, last).await?;
        }
        let completed = s3.complete(&self.bucket, &self.key, upload, self.only_new).await;
        completed.map_err(|error| self.not_written(error))
    }

    /// A write has no other condition than that there is no object yet.
    fn not_written(&self, error: AwsError) -> StorageError {
        if self.only_new && error.is(PRECONDITION_FAILED) { StorageError::Exists } else { error.into() }
    }
}

#[async_trait]
impl Sink for S3Sink {
    async fn add(&mut self, part: Bytes) -> Result<(), StorageError> {
        let s3 = self.buckets.at(&self.bucket).await?;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(s3.begin(&self.bucket, &self.key).await?),
        };
        Ok(s3.add(&self.bucket, &self.key, upload, part).await?)
    }

    async fn finish(mut self: Box<Self>, last: Bytes) -> Result<String, StorageError> {
        let s3 = self.buckets.at(&self.bucket).await?;
        let Some(upload) = self.upload.clone() else {
            let put = s3.put(&self.bucket, &self.key, last, self.only_new).await;
            return put.map_err(|error| self.not_written(error));
        };
        let finished = self.complete(&s3, upload, last).await;
        if finished.is_err() {
            // Abandoned parts would be billed.
            self.abort().await;
        }
        finished
    }

    async fn abort(self: Box<Self>) {
        let Some(upload) = &self.upload else { return };
        let given_up = match self.buckets.at(&self.bucket).await {
            Ok(s3) => s3.abort(&self.bucket, &self.key, upload).await.map_err(StorageError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = given_up {
            tracing::warn!(%error, "cannot remove the parts of an abandoned upload");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::Body;
    use hyper::{Method, Request, Response};

    use super::*;
    use sftpctl_aws::ConnectOptions;

    type RequestLog = Arc<Mutex<Vec<String>>>;

    /// An S3 on loopback that refuses requests containing `what`, and a log of all requests.
    async fn refusing(what: &'static str) -> (Buckets, RequestLog) {
        let requests = RequestLog::default();
        let log = Arc::clone(&requests);
        let router = Router::new().fallback(async move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let begins = query.split('&').any(|word| word.trim_end_matches('=') == "uploads");
            let completes = request.method() == Method::POST && !begins;
            let line = format!("{} {query}{}", request.method(), if completes { " complete" } else { "" });
            log.lock().unwrap().push(line.clone());
            let (status, body) = match () {
                () if line.contains(what) => (403, "<Error><Code>AccessDenied</Code></Error>"),
                () if query.contains("location") => (200, "<LocationConstraint>us-west-2</LocationConstraint>"),
                () if begins => {
                    (200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
                }
                () => (200, ""),
            };
            Response::builder().status(status).header("etag", "e").body(Body::from(body)).unwrap()
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let aws = Aws::connect(ConnectOptions {
            profile: None,
            endpoint_url: Some(endpoint),
            local_account: Some("111111111111".to_owned()),
            home_region: "us-west-2".to_owned(),
        });
        (Buckets::new(Arc::new(aws.await), "us-west-2"), requests)
    }

    #[tokio::test]
    async fn failed_upload_leaves_no_parts() {
        for refused in ["partNumber=2", "complete"] {
            let (buckets, requests) = refusing(refused).await;
            let mut sink = S3Storage(Arc::new(buckets)).create("b", "k", false);
            sink.add(Bytes::from_static(b"first")).await.unwrap();
            assert!(sink.finish(Bytes::from_static(b"last")).await.is_err(), "{refused}");
            let requests = requests.lock().unwrap().clone();
            assert!(
                requests.iter().any(|line| line.starts_with("DELETE") && line.contains("uploadId=u")),
                "{requests:?}"
            );
        }
    }
}
