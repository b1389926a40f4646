//! The fingerprint of a server's host key. The private key itself is not kept.

use aws_smithy_types::base64;
use sha2::{Digest as _, Sha256};

use super::error::ApiError;

/// The fingerprint of the public half of a private key, as `ssh-keygen -l` shows it.
///
/// Reads the two forms that `ssh-keygen` writes without a passphrase and that hold the public half in the clear:
/// OpenSSH's own (PROTOCOL.key), and PKCS#1 (`-m PEM`, RSA).
pub(super) fn fingerprint(private_key: &str) -> Result<String, ApiError> {
    let blob = openssh(private_key).or_else(|| pkcs1(private_key)).ok_or_else(|| {
        ApiError::invalid(
            "Unsupported or invalid SSH host key format; supported are RSA, ECDSA and ED25519 private keys",
        )
    })?;
    Ok(sha256(&blob))
}

/// A fingerprint for a server that brought no key of its own: unlike any other.
pub(super) fn unpublished() -> String {
    sha256(&fastrand::u128(..).to_be_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    format!("SHA256:{}", base64::encode(Sha256::digest(bytes)).trim_end_matches('='))
}

fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let inner = text.trim().strip_prefix(&begin)?.strip_suffix(&end)?;
    let lines: String = inner.split_whitespace().collect();
    base64::decode(lines).ok()
}

fn openssh(text: &str) -> Option<Vec<u8>> {
    let bytes = pem(text, "OPENSSH PRIVATE KEY")?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = string(&mut rest)?;
    let _kdf = string(&mut rest)?;
    let _kdf_options = string(&mut rest)?;
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    // A server cannot ask for a passphrase.
    if cipher != b"none" || u32::from_be_bytes(*count) != 1 {
        return None;
    }
    let blob = string(&mut rest)?;
    let mut inside = blob;
    let kind = string(&mut inside)?;
    let known =
        [&b"ssh-rsa"[..], b"ssh-ed25519", b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp521"];
    known.contains(&kind).then(|| blob.to_vec())
}

/// One length-prefixed string (RFC 4251, section 5) from the front of `rest`.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(text)
}

/// `RSAPrivateKey` is a sequence of version, modulus, public exponent, … (RFC 8017, A.1.2).
fn pkcs1(text: &str) -> Option<Vec<u8>> {
    let bytes = pem(text, "RSA PRIVATE KEY")?;
    let mut outer = bytes.as_slice();
    let mut sequence = der(&mut outer, 0x30)?;
    let _version = der(&mut sequence, 0x02)?;
    let modulus = der(&mut sequence, 0x02)?;
    let exponent = der(&mut sequence, 0x02)?;
    let mut blob = Vec::new();
    for part in [&b"ssh-rsa"[..], exponent, modulus] {
        blob.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend(part);
    }
    Some(blob)
}

/// One DER value with `tag` from the front of `rest`.
fn der<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (head, mut after) = rest.split_first_chunk::<2>()?;
    if head[0] != tag {
        return None;
    }
    let mut length = usize::from(head[1]);
    if length >= 0x80 {
        let (bytes, more) = after.split_at_checked(length & 0x7f)?;
        if bytes.len() > 4 {
            return None;
        }
        length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        after = more;
    }
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_keys_have_one() {
        for text in [
            "",
            "hello",
            "ssh-ed25519 AAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        ] {
            assert_eq!(fingerprint(text).unwrap_err().code, "InvalidRequestException");
        }
    }
}
