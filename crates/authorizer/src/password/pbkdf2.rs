//! PBKDF2 as SFTPGo stores it (internal/dataprovider/dataprovider.go, `comparePbkdf2PasswordAndHash`):
//! `$pbkdf2-sha256$ITERATIONS$SALT$BASE64`; in `$pbkdf2-b64salt-sha256$` the salt is base64 too.
//!
//! A setting ends with the number of bytes of the hash, which the hash itself says otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::argon2id::Cost;
use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::{HashProblem, Unverified};
use super::stored::{self, Stored};
use super::work;

/// The highest number of iterations that a stored string may demand.
const MAX_ITERATIONS: u32 = 1_000_000;

/// Lengths of a hash in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// A variant: its prefix, its form, whether its salt is base64, the bytes of the digest, the units for a thousand
/// iterations (see [`work`]), and the iterations from which on hardening adds little: what OWASP recommends.
struct Variant {
    prefix: &'static str,
    form: Form,
    salt_in_base64: bool,
    digest: usize,
    rate: u64,
    strong: u32,
}

const SHA256: Variant = Variant {
    prefix: "$pbkdf2-sha256$",
    form: Form::Pbkdf2Sha256,
    salt_in_base64: false,
    digest: 32,
    rate: 120,
    strong: 600_000,
};

static VARIANTS: [Variant; 4] = [
    Variant { prefix: "$pbkdf2-sha1$", form: Form::Pbkdf2Sha1, digest: 20, rate: 110, strong: 1_300_000, ..SHA256 },
    SHA256,
    Variant { prefix: "$pbkdf2-b64salt-sha256$", salt_in_base64: true, ..SHA256 },
    Variant { prefix: "$pbkdf2-sha512$", form: Form::Pbkdf2Sha512, digest: 64, rate: 460, strong: 210_000, ..SHA256 },
];

pub(super) struct Pbkdf2 {
    variant: &'static Variant,
    /// Up to the salt.
    start: String,
    iterations: u32,
    salt: Vec<u8>,
    length: usize,
}

impl Pbkdf2 {
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let form = variant(stored)?.form;
        let malformed = HashProblem::Malformed { form };
        let (start, text) = stored.rsplit_once('$').ok_or(malformed)?;
        let expected = (variant(stored)?.digest * 8).div_ceil(6);
        let Ok(hash) = BASE64.decode(text) else {
            return Err(match text.len() {
                found if found == expected => HashProblem::Unverified(Unverified::PasslibPbkdf2),
                found if found < expected => {
                    HashProblem::CutShort { form, found, expected: expected.next_multiple_of(4) }
                }
                _ => malformed,
            });
        };
        let function = Self::read(&format!("{start}${}", hash.len()))?;
        Ok(Stored::new(function, stored.to_owned()))
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let variant = variant(setting)?;
        let form = variant.form;
        let malformed = HashProblem::Malformed { form };
        let (start, length) = setting.rsplit_once('$').ok_or(malformed)?;
        let (count, salt) =
            start.strip_prefix(variant.prefix).and_then(|rest| rest.split_once('$')).ok_or(malformed)?;
        let length = stored::number(length).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| LENGTHS.contains(length)).ok_or(malformed)?;
        if salt.contains('$') {
            return Err(malformed);
        }
        let salt = match variant.salt_in_base64 {
            true => BASE64.decode(salt).map_err(|_| malformed)?,
            false => salt.as_bytes().to_vec(),
        };
        let iterations = stored::number(count).filter(|count| *count > 0).ok_or(malformed)?;
        if iterations > MAX_ITERATIONS {
            return Err(HashProblem::Costly { form, limit: "1,000,000 iterations" });
        }
        Ok(Self { variant, start: start.to_owned(), iterations, salt, length })
    }
}

fn variant(text: &str) -> Result<&'static Variant, HashProblem> {
    VARIANTS.iter().find(|variant| text.starts_with(variant.prefix)).ok_or(HashProblem::Unknown)
}

impl Function for Pbkdf2 {
    fn scheme(&self) -> Scheme {
        Scheme { form: self.variant.form, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(format!("{}${}", self.start, self.length))
    }

    fn work(&self, _length: usize) -> u64 {
        let blocks = self.length.div_ceil(self.variant.digest) as u64;
        work::per_thousand(u64::from(self.iterations) * blocks, self.variant.rate)
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        // HMAC pads a key with NULs: `a` and `a\0` would be one.
        if password.ends_with(&[0]) {
            return None;
        }
        let mut hash = vec![0; self.length];
        let derive = match self.variant.form {
            Form::Pbkdf2Sha1 => pbkdf2_hmac::<Sha1>,
            Form::Pbkdf2Sha256 => pbkdf2_hmac::<Sha256>,
            _ => pbkdf2_hmac::<Sha512>,
        };
        derive(password, &self.salt, self.iterations, &mut hash);
        Some(format!("{}${}", self.start, BASE64.encode(hash)))
    }

    fn is_strong(&self, _wanted: Cost) -> bool {
        self.iterations >= self.variant.strong
    }
}
