//! The private host keys of an environment: read from their files, secrets or parameters, and never written to disk.

mod parse;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use secrecy::SecretString;

use crate::limited;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::{Environment, HostKeySource};

/// Largest file of a key in bytes; one of RSA with 16,384 bits has 13,000.
const LARGEST: u64 = 64 << 10;

/// A private host key.
#[derive(Clone)]
pub struct HostKey {
    /// The file, secret or parameter that holds it.
    pub source: String,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub kind: String,
    /// `SHA256:…` of its public half.
    pub fingerprint: String,
    pub private: SecretString,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.kind, self.fingerprint, self.source)
    }
}

/// A host key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    #[error("cannot read the host key {source_name}")]
    Unreadable {
        source_name: String,
        #[source]
        error: std::io::Error,
    },
    /// The call for the secret or the parameter failed.
    #[error("cannot read the host key {source_name}")]
    Refused {
        source_name: String,
        #[source]
        error: AwsError,
    },
    #[error("there is no host key {0}")]
    Missing(String),
    #[error("{source_name} is not a host key that Transfer Family accepts: {reason}")]
    Unfit { source_name: String, reason: String },
    /// The two sources, and the kind of their keys.
    #[error("{0} and {1} are both {2} keys; a server presents one of each kind")]
    SameKind(String, String, String),
}

/// Reads all host keys of an environment.
///
/// # Errors
/// A key cannot be read, Transfer Family would not accept it, or two keys are of the same kind.
pub async fn read(aws: &Arc<Aws>, environment: &Environment) -> Result<Vec<HostKey>, HostKeyError> {
    let sources = &environment.server.host_keys;
    let mut keys: Vec<HostKey> = try_join_all(sources.iter().map(|source| read_one(aws, environment, source))).await?;
    keys.sort_by(|a, b| a.kind.cmp(&b.kind));
    if let Some(pair) = keys.windows(2).find(|pair| pair[0].kind == pair[1].kind) {
        return Err(HostKeyError::SameKind(pair[0].source.clone(), pair[1].source.clone(), pair[0].kind.clone()));
    }
    Ok(keys)
}

/// The text of a file. What is not UTF-8 is not in its error.
fn text_of(path: &str) -> std::io::Result<String> {
    String::from_utf8(limited::read(Path::new(path), LARGEST)?)
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

async fn read_one(aws: &Arc<Aws>, environment: &Environment, source: &HostKeySource) -> Result<HostKey, HostKeyError> {
    let source_name = source.to_string();
    let refused = |error| HostKeyError::Refused { source_name: source_name.clone(), error };
    let text = match source {
        HostKeySource::File(path) => SecretString::from(
            text_of(path).map_err(|error| HostKeyError::Unreadable { source_name: source_name.clone(), error })?,
        ),
        HostKeySource::Secret(name) => aws
            .secret(&environment.home_region, name)
            .await
            .map_err(refused)?
            .ok_or_else(|| HostKeyError::Missing(source_name.clone()))?,
        HostKeySource::Parameter(name) => aws
            .parameter(&environment.home_region, name)
            .await
            .map_err(refused)?
            .ok_or_else(|| HostKeyError::Missing(source_name.clone()))?,
    };
    parse::parse(&source_name, text)
}
