//! Decrypts with GnuPG, in a folder of its own that nothing is left of.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// A private key and its passphrase.
pub(super) struct Key {
    armored: SecretString,
    passphrase: SecretString,
}

impl Key {
    /// Reads a secret (Transfer Family user guide, "Manage PGP keys"). `None` if it has no key.
    pub(super) fn parse(secret: &SecretString) -> Option<Self> {
        let members: Value = serde_json::from_str(secret.expose_secret()).ok()?;
        let text = |name: &str| members[name].as_str().map(|text| SecretString::from(text.to_owned()));
        let passphrase = text("PGPPassphrase").unwrap_or_else(|| SecretString::from(String::new()));
        Some(Self { armored: text("PGPPrivateKey")?, passphrase })
    }
}

/// Why a file is not decrypted.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotDecrypted {
    #[error("gpg is not installed, with which the local cloud decrypts: sudo apt install gnupg")]
    NotInstalled,
    /// GnuPG could not work.
    #[error("{0}")]
    Broken(String),
    /// The file, or the key.
    #[error("{0}")]
    Refused(&'static str),
}

/// Decrypts a file. Blocks.
pub(super) fn decrypt(key: &Key, content: &[u8]) -> Result<Vec<u8>, NotDecrypted> {
    let broken = |error: std::io::Error| NotDecrypted::Broken(error.to_string());
    // Only its owner can enter it. Its path is short: that of the agent's socket has 107 bytes at most.
    let home = tempfile::Builder::new().prefix("gpg-").tempdir().map_err(broken)?;
    let result = in_home(home.path(), key, content);
    // The agent that gpg starts holds the key in memory.
    let killed = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).output();
    if let Err(error) = killed {
        tracing::warn!(%error, "the agent of GnuPG is not stopped");
    }
    result
}

fn in_home(home: &Path, key: &Key, content: &[u8]) -> Result<Vec<u8>, NotDecrypted> {
    let broken = |error: std::io::Error| NotDecrypted::Broken(error.to_string());
    let (armored, passphrase) = (home.join("key.asc"), home.join("passphrase"));
    let (encrypted, decrypted) = (home.join("in"), home.join("out"));
    std::fs::write(&armored, key.armored.expose_secret()).map_err(broken)?;
    std::fs::write(&passphrase, key.passphrase.expose_secret()).map_err(broken)?;
    std::fs::write(&encrypted, content).map_err(broken)?;
    let imported = gpg(home, &[Path::new("--import"), &armored])?;
    if !imported.status.success() {
        return Err(NotDecrypted::Refused("The private key in the secret is invalid"));
    }
    let status = gpg(home, &[Path::new("--output"), &decrypted, Path::new("--decrypt"), &encrypted])?;
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    if let Some(why) = unsupported(&said) {
        return Err(NotDecrypted::Refused(why));
    }
    if !status.status.success() {
        tracing::info!(said, "gpg does not decrypt");
        return Err(NotDecrypted::Refused("The file could not be decrypted with the private key in the secret"));
    }
    std::fs::read(&decrypted).map_err(broken)
}

/// What AWS does not decrypt (Transfer Family user guide, "Troubleshoot workflow decryption issues"), by gpg's status
/// lines (GnuPG's `doc/DETAILS`).
fn unsupported(said: &str) -> Option<&'static str> {
    let has = |word: &str| said.lines().any(|line| line.starts_with(&format!("[GNUPG:] {word}")));
    if has("ENC_TO 0000000000000000") {
        return Some("Anonymous recipients are not supported");
    }
    let is_signed = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"].into_iter().any(has);
    is_signed.then_some("Encrypted file with signed message unsupported")
}

fn gpg(home: &Path, arguments: &[&Path]) -> Result<Output, NotDecrypted> {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(home).args(["--batch", "--no-tty", "--quiet", "--status-fd", "2"]);
    command.args(["--pinentry-mode", "loopback", "--passphrase-file"]).arg(home.join("passphrase"));
    command.args(arguments).stdin(Stdio::null());
    command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => NotDecrypted::NotInstalled,
        _ => NotDecrypted::Broken(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_secrets() {
        let key = |text: &str| Key::parse(&SecretString::from(text.to_owned()));
        let whole = key(r#"{"PGPPrivateKey":"k","PGPPassphrase":"p"}"#).unwrap();
        assert_eq!((whole.armored.expose_secret(), whole.passphrase.expose_secret()), ("k", "p"));
        assert_eq!(key(r#"{"PGPPrivateKey":"k"}"#).unwrap().passphrase.expose_secret(), "");
        assert!(key("{}").is_none() && key("-----BEGIN PGP PRIVATE KEY BLOCK-----").is_none());
    }

    #[test]
    fn signed_and_anonymous_files_are_not_for_aws() {
        assert_eq!(unsupported("[GNUPG:] ENC_TO 0123456789ABCDEF 1 0\n[GNUPG:] DECRYPTION_OKAY"), None);
        assert!(unsupported("[GNUPG:] ENC_TO 0000000000000000 1 0").unwrap().contains("Anonymous"));
        assert!(unsupported("[GNUPG:] ERRSIG 01 1 10 00 1 9").unwrap().contains("signed message unsupported"));
    }
}
