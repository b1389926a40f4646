//! Generates passwords, and hashes each with a salt of its own.

use rand::distr::{Alphanumeric, SampleString as _};
use sftp_authorizer::password::{self, Cost, HardenError, Hardened};

/// Characters of a generated password: 62 to the power of 24 is 142 bits.
pub const GENERATED_LENGTH: usize = 24;

/// A password could not be hashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Random letters and digits from a cryptographic generator that the operating system seeds.
pub fn random_text(length: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), length)
}

/// The stored form of a password that a person chose, or of its replacement.
///
/// # Errors
/// Argon2 failed.
pub fn hash(password: &str) -> Result<String, HashError> {
    password::hash(password, &salt()).map_err(|error| HashError(error.to_string()))
}

/// The stored form, at the lowest cost, of a password of [`GENERATED_LENGTH`] characters from [`random_text`] that is
/// used for minutes only.
///
/// # Errors
/// Argon2 failed.
pub fn hash_random(password: &str) -> Result<String, HashError> {
    password::hash_random(password, &salt()).map_err(|error| HashError(error.to_string()))
}

/// A stored password with Argon2id over it, at this cost.
///
/// # Errors
/// The stored password cannot log in, or Argon2 failed.
pub fn harden(stored: &str, cost: Cost) -> Result<Hardened, HardenError> {
    password::harden(stored, &salt(), cost)
}

fn salt() -> [u8; password::SALT_BYTES] {
    let mut salt = [0; password::SALT_BYTES];
    rand::fill(&mut salt);
    salt
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::password::{Verdict, verify};

    use super::*;

    #[test]
    fn generated_passwords_are_allowed_and_differ() {
        let (first, second) = (random_text(GENERATED_LENGTH), random_text(GENERATED_LENGTH));
        assert_eq!(first.len(), GENERATED_LENGTH);
        assert_ne!(first, second);
        assert_eq!(crate::rules::password(&first), Ok(()));
    }

    #[test]
    fn hashes_are_salted_and_verify() {
        for hash in [hash, hash_random] {
            let (first, second) = (hash("a password").unwrap(), hash("a password").unwrap());
            assert_ne!(first, second);
            assert_eq!(verify("a password", &first), Verdict::Right);
            assert_eq!(verify("another", &first), Verdict::Wrong);
        }
    }
}
