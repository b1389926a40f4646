//! Host keys. Private keys are in files that only their owner can read, and never in an answer.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, decode_secret_key};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::store::Server;
use super::{Context, page, tags, text};
use crate::place::arn;
use sftpctl_core::openssh;

/// Maximum number of keys per server, from the service's quotas.
const MAX_KEYS: usize = 10;

/// The public part of a host key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostKey {
    /// `hostkey-…`
    pub(crate) id: String,
    /// `SHA256:…`
    pub(crate) fingerprint: String,
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub(crate) kind: String,
    pub(crate) description: String,
    /// Seconds since 1970.
    pub(crate) imported: i64,
}

/// The folder of private host keys.
#[derive(Debug)]
pub(crate) struct KeyFolder(PathBuf);

impl KeyFolder {
    /// The folder `host-keys` in `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        Self(dir.join("host-keys"))
    }

    fn path(&self, server: &str, key: &str) -> PathBuf {
        self.0.join(server).join(key)
    }

    fn save(&self, server: &str, key: &str, private: &PrivateKey) -> Result<(), ApiError> {
        use std::io::Write as _;
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let failed = |error: &dyn std::fmt::Display| ApiError::internal(format!("cannot save the host key: {error}"));
        let text = private.to_openssh(russh::keys::ssh_key::LineEnding::LF).map_err(|error| failed(&error))?;
        let path = self.path(server, key);
        let folder = self.0.join(server);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| failed(&error))?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))
    }

    /// The private keys that a server uses: the oldest of each kind ("Manage host keys for your SFTP-enabled server").
    pub(crate) fn active(&self, id: &str, server: &Server) -> Vec<PrivateKey> {
        let mut kinds: Vec<&str> = Vec::new();
        let mut keys = Vec::new();
        for key in &server.host_keys {
            if kinds.contains(&key.kind.as_str()) {
                continue;
            }
            let text = std::fs::read_to_string(self.path(id, &key.id)).ok();
            if let Some(private) = text.and_then(|text| decode_secret_key(&text, None).ok()) {
                kinds.push(&key.kind);
                keys.push(private);
            }
        }
        keys
    }

    fn forget(&self, server: &str, key: &str) {
        if let Err(error) = std::fs::remove_file(self.path(server, key)) {
            tracing::warn!(%error, server, "cannot remove a host key's file");
        }
    }

    /// Removes all keys of a server.
    pub(super) fn forget_all(&self, server: &str) {
        if let Err(error) = std::fs::remove_dir_all(self.0.join(server)) {
            tracing::debug!(%error, server, "no host keys to remove");
        }
    }
}

/// The keys of a new server: the given key, or one key of each kind that is fast to generate.
pub(super) fn first(context: &Context<'_>, server: &str, given: Option<&str>) -> Result<Vec<HostKey>, ApiError> {
    let privates = match given {
        Some(text) => vec![parse(text)?],
        None => [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }]
            .into_iter()
            .map(|kind| PrivateKey::random(&mut rand::rng(), kind))
            .collect::<Result<_, _>>()
            .map_err(|error| ApiError::internal(format!("cannot generate a host key: {error}")))?,
    };
    privates.into_iter().map(|private| keep(context, server, &private, "")).collect()
}

fn keep(context: &Context<'_>, server: &str, private: &PrivateKey, description: &str) -> Result<HostKey, ApiError> {
    let id = format!("hostkey-{:017x}", fastrand::u128(..) & 0xf_ffff_ffff_ffff_ffff);
    context.keys.save(server, &id, private)?;
    Ok(HostKey {
        id,
        fingerprint: private.public_key().fingerprint(HashAlg::Sha256).to_string(),
        kind: private.algorithm().as_str().to_owned(),
        description: description.to_owned(),
        imported: jiff::Timestamp::now().as_second(),
    })
}

/// Parses a private key without a passphrase, in one of the formats of `ssh-keygen`.
fn parse(text: &str) -> Result<PrivateKey, ApiError> {
    let unusable = || {
        ApiError::invalid(
            "Unsupported or invalid SSH host key format; supported are RSA, ECDSA and ED25519 private keys",
        )
    };
    let key = decode_secret_key(text.trim(), None).ok().or_else(|| with_short_scalar(text)).ok_or_else(unusable)?;
    let supported = matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. });
    if supported { Ok(key) } else { Err(unusable()) }
}

/// A key that `ssh-key` takes for a broken one: see [`openssh`].
fn with_short_scalar(text: &str) -> Option<PrivateKey> {
    let encoded: String = text.lines().map(str::trim).filter(|line| !line.starts_with('-')).collect();
    let full = openssh::with_full_scalar(&STANDARD.decode(encoded).ok()?)?;
    PrivateKey::from_bytes(&full).ok()
}

pub(super) fn import(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let server = text(input, "ServerId");
    let private = parse(text(input, "HostKeyBody"))?;
    tags::parse(input.get("Tags"))?;
    let fingerprint = private.public_key().fingerprint(HashAlg::Sha256).to_string();
    let known = context.store.get(&context.place, server)?.host_keys;
    if known.iter().any(|key| key.fingerprint == fingerprint) {
        return Err(ApiError::exists("HostKey", &fingerprint));
    }
    if known.len() >= MAX_KEYS {
        return Err(ApiError::invalid(format!("A server can have at most {MAX_KEYS} host keys")));
    }
    let key = keep(context, server, &private, text(input, "Description"))?;
    let id = key.id.clone();
    context.store.update(&context.place, server, |server| {
        server.host_keys.push(key);
        Ok(())
    })?;
    Ok(json!({ "ServerId": server, "HostKeyId": id }))
}

pub(super) fn list(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let server = text(input, "ServerId");
    let mut keys = context.store.get(&context.place, server)?.host_keys;
    // The next page starts after the last ID.
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let (shown, next) = page(input, keys.iter().map(|key| (key.id.clone(), key)))?;
    let shown: Vec<Value> = shown.into_iter().map(|key| shape(context, server, key)).collect();
    let mut answer = json!({ "ServerId": server, "HostKeys": shown });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

pub(super) fn describe(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let (server, id) = (text(input, "ServerId"), text(input, "HostKeyId"));
    let keys = context.store.get(&context.place, server)?.host_keys;
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| ApiError::unknown("HostKey", id))?;
    let mut answer = shape(context, server, key);
    if let Some(fingerprint) = answer.as_object_mut().and_then(|key| key.remove("Fingerprint")) {
        answer["HostKeyFingerprint"] = fingerprint;
    }
    Ok(json!({ "HostKey": answer }))
}

pub(super) fn update(context: &Context<'_>, input: &Map<String, Value>) -> Result<Value, ApiError> {
    let (server, id) = (text(input, "ServerId"), text(input, "HostKeyId"));
    context.store.update(&context.place, server, |server| {
        let key = server.host_keys.iter_mut().find(|key| key.id == id);
        let key = key.ok_or_else(|| ApiError::unknown("HostKey", id))?;
        text(input, "Description").clone_into(&mut key.description);
        Ok(())
    })?;
    Ok(json!({ "ServerId": server, "HostKeyId": id }))
}

pub(super) fn delete(context: &Context<'_>, input: &Map<String, Value>) -> Result<(), ApiError> {
    let (server, id) = (text(input, "ServerId"), text(input, "HostKeyId"));
    context.store.update(&context.place, server, |server| {
        let at = server.host_keys.iter().position(|key| key.id == id);
        let at = at.ok_or_else(|| ApiError::unknown("HostKey", id))?;
        if server.host_keys.len() == 1 {
            return Err(ApiError::invalid("The last host key of a server cannot be deleted"));
        }
        server.host_keys.remove(at);
        Ok(())
    })?;
    context.keys.forget(server, id);
    Ok(())
}

fn shape(context: &Context<'_>, server: &str, key: &HostKey) -> Value {
    let server_arn = arn(&context.place, server);
    let (prefix, _) = server_arn.split_once(":server/").unwrap_or((&server_arn, ""));
    json!({
        "Arn": format!("{prefix}:host-key/{server}/{}", key.id),
        "HostKeyId": key.id,
        "Fingerprint": key.fingerprint,
        "Type": key.kind,
        "Description": key.description,
        "DateImported": key.imported,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_keys_are_accepted() {
        for text in [
            "",
            "hello",
            "ssh-ed25519 AAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        ] {
            assert_eq!(parse(text).unwrap_err().code, "InvalidRequestException");
        }
    }
}
