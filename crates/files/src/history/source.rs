//! Where versions and their contents come from: a bucket, or in tests something in its place.

use std::future::Future;

use sftpctl_aws::{AwsError, Download, S3, VersionMarker, VersionPage};
use sftpctl_core::hex;
use sha2::{Digest as _, Sha256};

/// Downloads of one version before its error counts.
const ATTEMPTS: usize = 3;

/// A content could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("version {version} of {key} has been deleted since it was listed")]
    Gone { key: String, version: String },
    #[error("version {version} of {key} was replaced by another one since it was listed")]
    Replaced { key: String, version: String },
    #[error("version {version} of {key} has {size} bytes, but {received} were received")]
    Cut { key: String, version: String, size: u64, received: u64 },
}

/// A bucket's past.
pub trait Source: Clone + Send + Sync + 'static {
    /// A page of the versions with a prefix.
    fn page(
        &self,
        prefix: &str,
        from: Option<&VersionMarker>,
    ) -> impl Future<Output = Result<VersionPage, AwsError>> + Send;

    /// The content of a version of this size.
    fn content(&self, wanted: Wanted) -> impl Future<Output = Result<Vec<u8>, FetchError>> + Send;

    /// The SHA-256 of a version's content, in hexadecimal digits, without keeping it in memory.
    fn sha256(&self, wanted: Wanted) -> impl Future<Output = Result<String, FetchError>> + Send;
}

/// A version whose content is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub key: String,
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// While versioning is suspended, S3 replaces the version `null`: another one has another ETag.
    pub etag: String,
}

/// A bucket of S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub s3: S3,
    pub name: String,
}

impl Source for Bucket {
    async fn page(&self, prefix: &str, from: Option<&VersionMarker>) -> Result<VersionPage, AwsError> {
        self.s3.version_page(&self.name, prefix, from).await
    }

    async fn content(&self, wanted: Wanted) -> Result<Vec<u8>, FetchError> {
        let keep = |content: &mut Vec<u8>, bytes: &[u8]| content.extend_from_slice(bytes);
        self.read(&wanted, keep).await
    }

    async fn sha256(&self, wanted: Wanted) -> Result<String, FetchError> {
        let digest = self.read(&wanted, |digest: &mut Sha256, bytes| digest.update(bytes)).await?;
        Ok(hex::encode(&digest.finalize()))
    }
}

impl Bucket {
    /// Reads a version from its beginning to its end, again if the connection breaks.
    async fn read<T: Default>(&self, wanted: &Wanted, take: impl Fn(&mut T, &[u8])) -> Result<T, FetchError> {
        let mut attempt = 1;
        loop {
            match self.read_once(wanted, &take).await {
                Err(FetchError::Aws(error)) if error.is_transient() && attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn read_once<T: Default>(&self, wanted: &Wanted, take: &impl Fn(&mut T, &[u8])) -> Result<T, FetchError> {
        let Wanted { key, version, size, etag } = wanted.clone();
        let download: Option<Download> = self.s3.open_version(&self.name, &key, Some(&version)).await?;
        let Some(mut download) = download else { return Err(FetchError::Gone { key, version }) };
        if download.etag != etag {
            return Err(FetchError::Replaced { key, version });
        }
        let (mut content, mut received) = (T::default(), 0);
        while let Some(bytes) = download.next().await? {
            received += bytes.len() as u64;
            take(&mut content, &bytes);
        }
        if received == size { Ok(content) } else { Err(FetchError::Cut { key, version, size, received }) }
    }
}
