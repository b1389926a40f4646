//! md5-crypt, `$1$`, and the same with Apache's prefix, `$apr1$` (crypt-md5.c of FreeBSD, by Poul-Henning Kamp).

use base64ct::{Base64ShaCrypt, Encoding as _};
use md5::{Digest as _, Md5};

use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::HashProblem;
use super::stored::{self, Stored};
use super::work;

const HASH_BYTES: usize = 16;

/// Longer salts are cut by crypt(3), which writes what is left of them.
const MAX_SALT: usize = 8;

/// Units for a thousand blocks, see [`work`].
const RATE: u64 = 150;

/// The order in which the bytes of a hash are encoded.
const ORDER: [usize; HASH_BYTES] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];

pub(super) struct Md5Crypt {
    form: Form,
    prefix: &'static str,
    salt: String,
}

impl Md5Crypt {
    /// Reads `$1$salt$hash` or `$apr1$salt$hash`.
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let function = Self::read(stored::crypt_setting(stored, kind(stored).0, HASH_BYTES)?)?;
        Ok(Stored::new(function, stored.to_owned()))
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let (form, prefix) = kind(setting);
        let salt = setting.strip_prefix(prefix).filter(|salt| salt.len() <= MAX_SALT && !salt.contains('$'));
        Ok(Self { form, prefix, salt: salt.ok_or(HashProblem::Malformed { form })?.to_owned() })
    }

    fn hash(&self, password: &[u8]) -> [u8; HASH_BYTES] {
        let salt = self.salt.as_bytes();
        let digest = |parts: &[&[u8]]| -> [u8; HASH_BYTES] {
            parts.iter().fold(Md5::new(), |md5, part| md5.chain_update(part)).finalize().into()
        };
        let between = digest(&[password, salt, password]);
        let mut first = Md5::new().chain_update(password).chain_update(self.prefix).chain_update(salt);
        for part in password.chunks(HASH_BYTES) {
            first.update(&between[..part.len()]);
        }
        let mut bits = password.len();
        while bits > 0 {
            // The first character of the password stands for a bit that is not set; it was meant to be the digest's.
            first.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
            bits >>= 1;
        }
        let mut hash: [u8; HASH_BYTES] = first.finalize().into();
        for round in 0..1000 {
            let odd = round % 2 == 1;
            hash = digest(&[
                if odd { password } else { &hash },
                if round % 3 == 0 { &[] } else { salt },
                if round % 7 == 0 { &[] } else { password },
                if odd { &hash } else { password },
            ]);
        }
        hash
    }
}

fn kind(text: &str) -> (Form, &'static str) {
    if text.starts_with("$apr1$") { (Form::Apr1, "$apr1$") } else { (Form::Md5Crypt, "$1$") }
}

impl Function for Md5Crypt {
    fn scheme(&self) -> Scheme {
        Scheme { form: self.form, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(format!("{}{}", self.prefix, self.salt))
    }

    fn work(&self, length: usize) -> u64 {
        work::per_thousand(1000 * ((2 * length as u64 + 30) / 64 + 1), RATE)
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        let hash = self.hash(password);
        let ordered = ORDER.map(|index| hash[index]);
        Some(format!("{}{}${}", self.prefix, self.salt, Base64ShaCrypt::encode_string(&ordered)))
    }
}
