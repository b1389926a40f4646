//! Reads stored passwords, and settings.

use base64ct::{Base64ShaCrypt, Encoding as _};
use subtle::ConstantTimeEq as _;

use super::Verdict;
use super::argon2id::{self, Argon2id};
use super::bcrypt::Bcrypt;
use super::digest::{self, Mysql, Sha224};
use super::form::{Form, Scheme};
use super::function::{Function, Read};
use super::layer::{self, Layer};
use super::md5_crypt::Md5Crypt;
use super::pbkdf2::Pbkdf2;
use super::problem::{self, HashProblem};
use super::sha_crypt::ShaCrypt;
use super::work;
use super::yescrypt::Yescrypt;

/// Length of the password for which the cost of a stored string is bounded, in bytes. For a longer one, some cost more.
pub(super) const USUAL_LENGTH: usize = 32;

/// A stored password taken apart: the function, and what it gives for the right password.
pub(super) struct Stored {
    pub(super) function: Box<dyn Function>,
    /// In the function's own spelling: hexadecimal digits may be stored in either case.
    pub(super) expected: String,
}

impl Stored {
    pub(super) fn new(function: impl Function + 'static, expected: String) -> Self {
        Self { function: Box::new(function), expected }
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.function.scheme()
    }

    /// The verdict, and the cost of it.
    pub(super) fn compare(&self, password: &[u8]) -> (Verdict, u64) {
        let work = self.function.work(password.len());
        // A long password at very many rounds.
        if work > work::MAX {
            return (Verdict::Wrong, 0);
        }
        work::charge(work);
        match self.function.output(password) {
            Some(output) if output.as_bytes().ct_eq(self.expected.as_bytes()).into() => (Verdict::Right, work),
            _ => (Verdict::Wrong, work),
        }
    }
}

/// The readers of a form that begins with a prefix: of what is stored, and of a setting.
type Readers = (fn(&str) -> Result<Stored, HashProblem>, fn(&str) -> Read);

const PREFIXED: [(&str, Readers); 12] = [
    (argon2id::PREFIX, (Argon2id::stored, |setting| boxed(Argon2id::read(setting)))),
    ("$6$", (ShaCrypt::stored, |setting| boxed(ShaCrypt::read(setting)))),
    ("$5$", (ShaCrypt::stored, |setting| boxed(ShaCrypt::read(setting)))),
    ("$y$", (Yescrypt::stored, |setting| boxed(Yescrypt::read(setting)))),
    ("$2a$", (Bcrypt::stored, |setting| boxed(Bcrypt::read(setting)))),
    ("$2b$", (Bcrypt::stored, |setting| boxed(Bcrypt::read(setting)))),
    ("$2y$", (Bcrypt::stored, |setting| boxed(Bcrypt::read(setting)))),
    ("$1$", (Md5Crypt::stored, |setting| boxed(Md5Crypt::read(setting)))),
    ("$apr1$", (Md5Crypt::stored, |setting| boxed(Md5Crypt::read(setting)))),
    ("$pbkdf2-", (Pbkdf2::stored, |setting| boxed(Pbkdf2::read(setting)))),
    ("*", (Mysql::stored, |setting| boxed(Mysql::read(setting)))),
    ("{", (digest::stored, |setting| boxed(digest::read(setting)))),
];

fn boxed(function: Result<impl Function + 'static, HashProblem>) -> Read {
    Ok(Box::new(function?))
}

fn readers(text: &str) -> Option<Readers> {
    PREFIXED.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, readers)| *readers)
}

/// Reads what is stored.
///
/// # Errors
/// It is of no form that can be computed, or costs more than is allowed.
pub(super) fn read(stored: &str) -> Result<Stored, HashProblem> {
    if let Some(problem) = problem::unverified(stored) {
        return Err(problem);
    }
    let read = match (layer::split(stored), readers(stored)) {
        (Some((setting, phc)), _) => Layer::stored(setting, phc),
        (None, Some((stored_by, _))) => stored_by(stored),
        (None, None) => Sha224::stored(stored),
    }?;
    if read.function.work(USUAL_LENGTH) > work::MAX {
        return Err(HashProblem::Costly { form: read.scheme().form, limit: "64 MiB passed over 10 times" });
    }
    Ok(read)
}

/// Reads a setting, the text in the braces of a hardened form, which may have so many layers.
pub(super) fn function(setting: &str, layers: u8) -> Read {
    match (layer::split(setting), readers(setting)) {
        (Some((setting, phc)), _) => Layer::read(setting, phc, layers),
        (None, Some((_, setting_by))) => setting_by(setting),
        (None, None) => boxed(Sha224::read(setting)),
    }
}

/// Splits `SETTING$HASH`, whose hash is so many bytes in crypt(3)'s base64, and returns the setting.
pub(super) fn crypt_setting(stored: &str, form: Form, bytes: usize) -> Result<&str, HashProblem> {
    let malformed = HashProblem::Malformed { form };
    let (setting, hash) = stored.rsplit_once('$').ok_or(malformed)?;
    let expected = (bytes * 8).div_ceil(6);
    if hash.len() < expected {
        return Err(HashProblem::CutShort { form, found: hash.len(), expected });
    }
    let decoded = Base64ShaCrypt::decode_vec(hash).map_err(|_| malformed)?;
    if decoded.len() == bytes { Ok(setting) } else { Err(malformed) }
}

/// A whole number without a sign or leading zeros.
pub(super) fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // What does not fit is too large for every bound.
    plain.then(|| text.parse().ok()).flatten()
}
