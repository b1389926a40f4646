//! The private host keys of an environment: read where they are kept, handed to AWS, never written anywhere.

use std::fmt;
use std::sync::Arc;

use futures_util::future::try_join_all;
use russh::keys::{Algorithm, HashAlg, decode_secret_key};
use secrecy::SecretString;

use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::{Environment, HostKeySource};

/// A private host key.
#[derive(Clone)]
pub struct HostKey {
    /// Where it came from.
    pub source: String,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub kind: String,
    /// `SHA256:…` of its public half.
    pub fingerprint: String,
    /// The key.
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
    /// Its file cannot be read.
    #[error("cannot read the host key {source_name}")]
    Unreadable {
        /// Where it should be.
        source_name: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// AWS does not give it out.
    #[error("cannot read the host key {source_name}")]
    Refused {
        /// Where it should be.
        source_name: String,
        /// Why.
        #[source]
        error: AwsError,
    },
    /// There is none of that name.
    #[error("there is no host key {0}")]
    Missing(String),
    /// Not a private key that Transfer takes.
    #[error("{source_name} is no host key that Transfer Family takes: {reason}")]
    Unfit {
        /// Where it is.
        source_name: String,
        /// Why.
        reason: String,
    },
    /// Two of a kind.
    #[error("{0} and {1} are both {2} keys; a server presents one of each kind")]
    Twice(String, String, String),
}

/// Reads all host keys of an environment.
///
/// # Errors
/// One cannot be read, or Transfer would not take it.
pub async fn read(aws: &Arc<Aws>, environment: &Environment) -> Result<Vec<HostKey>, HostKeyError> {
    let sources = &environment.server.host_keys;
    let mut keys: Vec<HostKey> = try_join_all(sources.iter().map(|source| one(aws, environment, source))).await?;
    keys.sort_by(|a, b| a.kind.cmp(&b.kind));
    if let Some(pair) = keys.windows(2).find(|pair| pair[0].kind == pair[1].kind) {
        return Err(HostKeyError::Twice(pair[0].source.clone(), pair[1].source.clone(), pair[0].kind.clone()));
    }
    Ok(keys)
}

async fn one(aws: &Arc<Aws>, environment: &Environment, source: &HostKeySource) -> Result<HostKey, HostKeyError> {
    let source_name = source.to_string();
    let refused = |error| HostKeyError::Refused { source_name: source_name.clone(), error };
    let text = match source {
        HostKeySource::File(path) => SecretString::from(
            std::fs::read_to_string(path)
                .map_err(|error| HostKeyError::Unreadable { source_name: source_name.clone(), error })?,
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
    parse(&source_name, text)
}

/// Transfer's documentation of `ImportHostKey`: RSA of 2048, 3072 or 4096 bits, ECDSA, Ed25519; no passphrase.
fn parse(source_name: &str, text: SecretString) -> Result<HostKey, HostKeyError> {
    use secrecy::ExposeSecret as _;
    let unfit = |reason: &str| HostKeyError::Unfit { source_name: source_name.to_owned(), reason: reason.to_owned() };
    let key = decode_secret_key(text.expose_secret().trim(), None)
        .map_err(|_| unfit("it is no private key of ssh-keygen, or it has a passphrase"))?;
    let kind = match key.algorithm() {
        // russh names the signature of an RSA key; its kind is the older name.
        Algorithm::Rsa { .. } => "ssh-rsa".to_owned(),
        kind @ (Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) => kind.as_str().to_owned(),
        other => return Err(unfit(&format!("keys of kind {} are not taken", other.as_str()))),
    };
    Ok(HostKey {
        source: source_name.to_owned(),
        kind,
        fingerprint: key.public_key().fingerprint(HashAlg::Sha256).to_string(),
        private: text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_fingerprint_and_never_shown() {
        let key = russh::keys::PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let text = key.to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap().to_string();
        let read = parse("file:k", SecretString::from(text.clone())).unwrap();
        assert_eq!(read.kind, "ssh-ed25519");
        assert_eq!(read.fingerprint, key.public_key().fingerprint(HashAlg::Sha256).to_string());
        let shown = format!("{read:?}");
        assert!(!text.lines().filter(|line| !line.starts_with('-')).any(|line| shown.contains(line)));
    }

    #[test]
    fn what_is_no_key_is_said_without_its_text() {
        let error = parse("ssm:/k", SecretString::from("hunter2")).unwrap_err().to_string();
        assert!(error.contains("ssm:/k is no host key"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}
