//! Stored passwords: which forms there are, whether a password fits one, and how an old one is hardened.
//!
//! | stored | means |
//! |---|---|
//! | `$argon2id$v=19$…` | Argon2id, as a PHC string: what `users` writes |
//! | 40 characters of base64 | SHA-224 of the password, unsalted, from the old server; also as `{SHA224}…` |
//! | `$6$…`, `$5$…` | sha512-crypt and sha256-crypt, also with `rounds=`: `/etc/shadow` |
//! | `$y$…` | yescrypt: `/etc/shadow` of newer systems |
//! | `$2a$…`, `$2b$…`, `$2y$…` | bcrypt: SFTPGo, PHP, SUSE |
//! | `$1$…`, `$apr1$…` | md5-crypt: old `/etc/shadow`, Apache |
//! | `*` and 40 hexadecimal digits | MySQL's `PASSWORD()`: SHA-1 of SHA-1 |
//! | `{MD5}…`, `{SHA}…`, `{SHA256}…`, `{SHA512}…` | a digest, in hexadecimal (SFTPGo) or base64 (LDAP, ProFTPD) |
//! | `{SMD5}…`, `{SSHA}…`, `{SSHA256}…`, `{SSHA512}…` | base64 of a digest of password and salt, then the salt: LDAP |
//! | `$pbkdf2-sha1$…`, `-sha256$`, `-sha512$`, `-b64salt-sha256$` | PBKDF2: SFTPGo |
//! | `{CRYPT}…` | one of the forms with `$`: LDAP |
//! | `{SETTING}$argon2id$v=19$…` | Argon2id over one of these: hardened without knowing the password ([`harden`]) |
//!
//! Each form is a function with a setting, as crypt(3) has it ([`function::Function`]): from a password it computes what
//! is stored. Its cost is bounded twice, before an import ([`problem`]) and at every log-in ([`verify`]).

mod argon2id;
mod bcrypt;
mod digest;
mod form;
mod function;
mod harden;
mod layer;
mod md5_crypt;
mod pbkdf2;
mod problem;
mod sha_crypt;
mod stored;
mod work;
mod yescrypt;

pub use self::argon2id::{Cost, CostError};
pub use self::form::{Form, Scheme};
pub use self::harden::{HardenError, Hardened, Kept, harden, is_over, kept};
pub use self::problem::{HashProblem, Unverified};

use self::argon2id::Argon2id;
use self::function::Function as _;

/// Bytes of salt for [`hash`]: the PHC string format recommends 16.
pub const SALT_BYTES: usize = 16;

/// Maximum length of a password in bytes: the limit of `TestIdentityProvider`, in UTF-8.
pub const MAX_BYTES: usize = 4096;

/// The result of comparing a password with a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
    /// The stored string has an unknown form, or costs more than the authorizer allows ([`problem`] says which).
    UnknownScheme,
}

/// Compares in constant time. A refusal costs at least one Argon2id hash in every stored form, like an unknown user
/// ([`waste`]): what the form costs less is spent. What it costs more is hidden by the Lambda, which answers refusals at
/// multiples of half a second.
pub fn verify(password: impl AsRef<[u8]>, stored: &str) -> Verdict {
    let password = password.as_ref();
    let (verdict, spent) = match stored::read(stored) {
        Ok(stored) => stored.compare(password),
        Err(_) => (Verdict::UnknownScheme, 0),
    };
    if verdict != Verdict::Right {
        work::spend(password, work::REFUSAL.saturating_sub(spent));
    }
    verdict
}

/// Takes as long as [`verify`], without a result.
pub fn waste(password: impl AsRef<[u8]>) {
    work::spend(password.as_ref(), work::REFUSAL);
}

/// Why no password can log in with this stored one; `None` if it is a form that [`verify`] computes. For imports, which
/// refuse by kind. The answer contains nothing of the hash.
pub fn problem(stored: &str) -> Option<HashProblem> {
    stored::read(stored).err()
}

/// Whether a stored password is as slow to guess as a hash of this cost, so that [`harden`] would keep it.
pub fn is_strong(stored: &str, cost: Cost) -> bool {
    stored::read(stored).is_ok_and(|stored| stored.function.is_strong(cost))
}

/// The Argon2id PHC string of a new password. The salt comes from the caller: this module has no randomness.
///
/// # Errors
/// The hasher failed, for example for lack of memory.
pub fn hash(password: impl AsRef<[u8]>, salt: &[u8; SALT_BYTES]) -> Result<String, argon2::Error> {
    Argon2id::new(Cost::DEFAULT, salt)?.hash(password.as_ref())
}

/// Like [`hash`], at Argon2id's lowest cost: for generated passwords, which are too long to be guessed. It halves the
/// memory that a run of `deploy` needs. [`verify`] takes as long to refuse as for every other form.
///
/// # Errors
/// As [`hash`].
pub fn hash_random(password: impl AsRef<[u8]>, salt: &[u8; SALT_BYTES]) -> Result<String, argon2::Error> {
    Argon2id::new(Cost::LOWEST, salt)?.hash(password.as_ref())
}

/// The old server's hash of a password.
pub fn legacy(password: impl AsRef<[u8]>) -> String {
    digest::Sha224.output(password.as_ref()).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests;
