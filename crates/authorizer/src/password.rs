//! The three forms of a stored password.
//!
//! | stored | means |
//! |---|---|
//! | 40 characters of base64 | SHA-224 of the password, unsalted, from the old server |
//! | `$argon2id$v=19$…` | Argon2id, as a PHC string |
//! | `{sha224}$argon2id$v=19$…` | Argon2id over the 40 characters: an old hash, hardened without knowing the password |

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha224};
use subtle::ConstantTimeEq as _;

/// Prefix of Argon2id over an old hash.
const OVER_LEGACY: &str = "{sha224}";

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane. A Lambda of 256 MB has room for it.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const COST: u64 = MEMORY_KIB as u64 * PASSES as u64;

/// The highest cost that a stored string may demand. A higher one could run the Lambda out of memory or time.
const MAX_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSES: u32 = 10;

/// Bytes of salt for [`hash`]: the PHC string format recommends 16.
pub const SALT_BYTES: usize = 16;

/// Maximum length of a password in bytes: the limit of `TestIdentityProvider`, in UTF-8.
pub const MAX_BYTES: usize = 4096;

/// The result of comparing a password with a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
    /// The stored string has an unknown form.
    UnknownScheme,
}

/// The form of a stored password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Unsalted SHA-224, from the old server.
    Legacy,
    Argon2id,
    /// Argon2id over SHA-224.
    Argon2idOverLegacy,
}

impl Scheme {
    /// The form of `stored`; `None` if it is unknown.
    pub fn of(stored: &str) -> Option<Self> {
        if let Some(phc) = stored.strip_prefix(OVER_LEGACY) {
            return parse(phc).map(|_| Self::Argon2idOverLegacy);
        }
        if stored.starts_with('$') {
            return parse(stored).map(|_| Self::Argon2id);
        }
        legacy_digest(stored).map(|_| Self::Legacy)
    }

    /// The name shown in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "sha224",
            Self::Argon2id => "argon2id",
            Self::Argon2idOverLegacy => "argon2id over sha224",
        }
    }
}

/// Compares in constant time. A wrong password costs one Argon2id hash in every stored form, like an unknown user
/// ([`waste`]), so that the time of a refusal reveals nothing. Only a hash of another program at a higher cost than ours
/// shows.
pub fn verify(password: &str, stored: &str) -> Verdict {
    let (verdict, spent) = match Scheme::of(stored) {
        None => (Verdict::UnknownScheme, 0),
        Some(Scheme::Legacy) => match legacy_digest(stored) {
            Some(expected) if bool::from(Sha224::digest(password)[..].ct_eq(&expected)) => (Verdict::Right, 0),
            _ => (Verdict::Wrong, 0),
        },
        Some(Scheme::Argon2id) => argon2id(password, stored),
        Some(Scheme::Argon2idOverLegacy) => {
            argon2id(&legacy(password), stored.strip_prefix(OVER_LEGACY).unwrap_or_default())
        }
    };
    if verdict != Verdict::Right {
        spend(password, COST.saturating_sub(spent));
    }
    verdict
}

/// Takes as long as [`verify`], without a result.
pub fn waste(password: &str) {
    spend(password, COST);
}

/// Takes the time of a hash of this cost.
fn spend(password: &str, cost: u64) {
    let memory = u32::try_from(cost / u64::from(PASSES)).unwrap_or(MEMORY_KIB);
    if memory < Params::MIN_M_COST {
        return;
    }
    let params = Params::new(memory, PASSES, 1, None).unwrap_or_default();
    let mut out = [0; 32];
    let result = argon2(params).hash_password_into(password.as_bytes(), &[0; SALT_BYTES], &mut out);
    std::hint::black_box((result.is_ok(), out));
}

/// The Argon2id PHC string of a new password. The salt comes from the caller: this module has no randomness.
///
/// # Errors
/// The hasher failed, for example for lack of memory.
pub fn hash(password: &str, salt: &[u8; SALT_BYTES]) -> Result<String, argon2::password_hash::Error> {
    Ok(hasher().hash_password_with_salt(password.as_bytes(), salt)?.to_string())
}

/// Like [`hash`], at Argon2id's lowest cost: for generated passwords, which are too long to be guessed. It halves the
/// memory that a run of `deploy` needs. [`verify`] takes as long to refuse as for every other form.
///
/// # Errors
/// As [`hash`].
pub fn hash_random(password: &str, salt: &[u8; SALT_BYTES]) -> Result<String, argon2::password_hash::Error> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None)?;
    Ok(argon2(params).hash_password_with_salt(password.as_bytes(), salt)?.to_string())
}

/// Hardens an old hash by Argon2id over it. `None` if `stored` is not an old hash.
///
/// # Errors
/// As [`hash`].
pub fn harden(stored: &str, salt: &[u8; SALT_BYTES]) -> Result<Option<String>, argon2::password_hash::Error> {
    if Scheme::of(stored) != Some(Scheme::Legacy) {
        return Ok(None);
    }
    Ok(Some(format!("{OVER_LEGACY}{}", hash(stored, salt)?)))
}

/// The old server's hash of a password.
pub fn legacy(password: &str) -> String {
    BASE64.encode(Sha224::digest(password))
}

fn legacy_digest(stored: &str) -> Option<[u8; 28]> {
    BASE64.decode(stored).ok()?.try_into().ok()
}

fn hasher() -> Argon2<'static> {
    argon2(Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default())
}

fn argon2(params: Params) -> Argon2<'static> {
    #[cfg(test)]
    tests::count(cost(&params));
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The work of a hash: the memory in KiB, once for each pass.
fn cost(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// Parses a PHC string of Argon2id whose cost is within the bounds.
fn parse(phc: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(phc).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= 4;
    (hash.algorithm.as_str() == "argon2id" && hash.salt.is_some() && hash.hash.is_some() && bounded).then_some(hash)
}

/// The verdict, and the cost of it.
fn argon2id(password: &str, phc: &str) -> (Verdict, u64) {
    let Some(hash) = parse(phc) else { return (Verdict::UnknownScheme, 0) };
    let Ok(params) = Params::try_from(&hash) else { return (Verdict::UnknownScheme, 0) };
    let cost = cost(&params);
    // The comparison inside is constant-time.
    match argon2(params).verify_password(password.as_bytes(), &hash) {
        Ok(()) => (Verdict::Right, cost),
        Err(_) => (Verdict::Wrong, cost),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static SPENT: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count(cost: u64) {
        SPENT.set(SPENT.get() + cost);
    }

    /// The cost of all hashes of this thread.
    pub(crate) fn spent() -> u64 {
        SPENT.get()
    }

    /// `printf %s secret | openssl dgst -sha224 -binary | base64`.
    const SECRET: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";
    const SALT: [u8; SALT_BYTES] = [7; SALT_BYTES];

    #[test]
    fn the_old_hash_is_openssls() {
        assert_eq!(legacy("secret"), SECRET);
    }

    #[test]
    fn each_form_admits_its_password_alone() {
        let forms = [
            (SECRET.to_owned(), Scheme::Legacy),
            (hash("secret", &SALT).unwrap(), Scheme::Argon2id),
            (hash_random("secret", &SALT).unwrap(), Scheme::Argon2id),
            (harden(SECRET, &SALT).unwrap().unwrap(), Scheme::Argon2idOverLegacy),
        ];
        for (stored, scheme) in forms {
            assert_eq!(Scheme::of(&stored), Some(scheme));
            assert_eq!(verify("secret", &stored), Verdict::Right, "{stored}");
            for wrong in ["", "Secret", "secret ", SECRET, &stored] {
                assert_eq!(verify(wrong, &stored), Verdict::Wrong, "{wrong} for {stored}");
            }
        }
    }

    #[test]
    fn other_forms_are_unknown() {
        let weak = hash("secret", &SALT).unwrap();
        for stored in [
            "".to_owned(),
            "secret".to_owned(),
            "$2b$12$KIX".to_owned(),
            weak.replace("argon2id", "argon2i"),
            weak.replace("m=19456", "m=99999999"),
            weak.replace("t=2", "t=99"),
            format!("{{sha1}}{weak}"),
            format!("{{sha224}}{SECRET}"),
            "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg".to_owned(),
        ] {
            assert_eq!(verify("secret", &stored), Verdict::UnknownScheme, "{stored}");
        }
    }

    #[test]
    fn only_an_old_hash_is_hardened() {
        let once = harden(SECRET, &SALT).unwrap().unwrap();
        assert_eq!(harden(&once, &SALT).unwrap(), None);
        assert_eq!(harden("plain", &SALT).unwrap(), None);
    }
}
