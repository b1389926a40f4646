//! The digest of a row as it was imported, which the item keeps: it tells a later run whether the source has changed
//! since, even after the password's hash was hardened.
//!
//! It is keyed. An unkeyed digest of a row would be a fast hash of the old password hash, beside the slow one, and undo
//! the hardening. The key stays with the environment's state and is never in the table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of a digest: two rows of one account are told apart, not attacked by collisions.
const DIGEST_BYTES: usize = 15;
/// Bytes of a key's name.
const NAME_BYTES: usize = 3;

/// The key of an environment's digests.
#[derive(Clone)]
pub struct DigestKey([u8; KEY_BYTES]);

/// Never shows the key.
impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

impl DigestKey {
    /// A new key.
    pub fn random() -> Self {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key);
        Self(key)
    }

    /// The key from its text; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        BASE64.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// The key as text, for the place of the state.
    pub fn text(&self) -> String {
        BASE64.encode(self.0)
    }

    fn mac(&self, label: &[u8]) -> Hmac<Sha256> {
        // HMAC takes keys of every length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(label);
        mac
    }

    /// Which key it is, without the key.
    fn name(&self) -> String {
        BASE64.encode(&self.mac(b"name").finalize().into_bytes()[..NAME_BYTES])
    }

    /// The digest of these fields, with the name of the key: `<name>:<digest>`.
    pub(super) fn digest<'a>(&self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut mac = self.mac(b"row");
        for (name, value) in fields {
            for part in [name, value] {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part.as_bytes());
            }
        }
        format!("{}:{}", self.name(), BASE64.encode(&mac.finalize().into_bytes()[..DIGEST_BYTES]))
    }

    /// Whether a stored digest was made with this key, and so can be compared.
    pub(super) fn made(&self, digest: &str) -> bool {
        digest.split_once(':').is_some_and(|(name, _)| name == self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_key_and_every_field() {
        let (key, other) = (DigestKey::random(), DigestKey::random());
        let base = key.digest([("a", "b"), ("c", "")]);
        assert_eq!(base, key.digest([("a", "b"), ("c", "")]));
        for fields in [vec![("a", "bc"), ("", "")], vec![("a", "b")], vec![("ab", ""), ("c", "")]] {
            assert_ne!(base, key.digest(fields));
        }
        assert_ne!(base, other.digest([("a", "b"), ("c", "")]));
        assert!(key.made(&base) && !other.made(&base) && !key.made("text"));
        let again = DigestKey::parse(&format!("{}\n", key.text())).unwrap();
        assert!(again.made(&base));
        assert!(DigestKey::parse("short").is_none());
        assert_eq!(format!("{key:?}"), "DigestKey(…)");
    }
}
