//! sha256-crypt and sha512-crypt, `$5$` and `$6$` (<https://www.akkadia.org/drepper/SHA-crypt.txt>).

use base64ct::{Base64ShaCrypt, Encoding as _};
use sha_crypt::{BLOCK_SIZE_SHA256, BLOCK_SIZE_SHA512, Params, sha256_crypt, sha512_crypt};

use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::HashProblem;
use super::stored::{self, Stored};
use super::work;

/// The highest number of rounds that a stored string may demand; the default is 5,000.
const MAX_ROUNDS: u32 = 1_000_000;

/// Longer salts are cut by crypt(3), which writes what is left of them.
const MAX_SALT: usize = 16;

/// Units for a thousand blocks, see [`work`].
const SHA512_RATE: u64 = 230;
const SHA256_RATE: u64 = 62;

/// The order in which the bytes of a hash are encoded.
const SHA256_ORDER: [usize; BLOCK_SIZE_SHA256] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18, 29, 19, 9, 30,
    31,
];
const SHA512_ORDER: [usize; BLOCK_SIZE_SHA512] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50, 51, 30, 9, 10,
    52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38, 17, 59, 60, 39, 18, 19, 61, 40,
    41, 20, 62, 63,
];

pub(super) struct ShaCrypt {
    setting: String,
    form: Form,
    rounds: Params,
    rounds_count: u32,
    salt: String,
}

impl ShaCrypt {
    /// Reads `$6$salt$hash` or `$6$rounds=N$salt$hash`, or the same with `$5$`.
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let (form, bytes) = match stored.starts_with("$6$") {
            true => (Form::Sha512Crypt, BLOCK_SIZE_SHA512),
            false => (Form::Sha256Crypt, BLOCK_SIZE_SHA256),
        };
        let function = Self::read(stored::crypt_setting(stored, form, bytes)?)?;
        Ok(Stored::new(function, stored.to_owned()))
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let form = if setting.starts_with("$6$") { Form::Sha512Crypt } else { Form::Sha256Crypt };
        let malformed = HashProblem::Malformed { form };
        let rest = setting.get(3..).ok_or(malformed)?;
        let (count, salt) = match rest.strip_prefix("rounds=") {
            Some(rest) => rest.split_once('$').ok_or(malformed)?,
            None => ("5000", rest),
        };
        let costly = HashProblem::Costly { form, limit: "1,000,000 rounds" };
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = stored::number(count).ok_or(if digits && !count.starts_with('0') { costly } else { malformed })?;
        if count > MAX_ROUNDS {
            return Err(costly);
        }
        let rounds = Params::new(count).map_err(|_| malformed)?;
        if salt.len() > MAX_SALT || salt.contains('$') {
            return Err(malformed);
        }
        Ok(Self { setting: setting.to_owned(), form, rounds, rounds_count: count, salt: salt.to_owned() })
    }
}

impl Function for ShaCrypt {
    fn scheme(&self) -> Scheme {
        Scheme { form: self.form, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(self.setting.clone())
    }

    fn work(&self, length: usize) -> u64 {
        let (block, rate) = match self.form {
            Form::Sha512Crypt => (128, SHA512_RATE),
            _ => (64, SHA256_RATE),
        };
        let length = length as u64;
        // A round hashes the last digest, the password twice or nearly so, and the salt or nothing; before them, the
        // password is hashed as often as it has bytes.
        let blocks = u64::from(self.rounds_count) * ((2 * length + block / 2 + 27) / block + 1);
        work::per_thousand(blocks + length * length / block, rate)
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        let hash = match self.form {
            Form::Sha512Crypt => {
                let hash = sha512_crypt(password, self.salt.as_bytes(), self.rounds);
                SHA512_ORDER.iter().map(|index| hash[*index]).collect::<Vec<u8>>()
            }
            _ => {
                let hash = sha256_crypt(password, self.salt.as_bytes(), self.rounds);
                SHA256_ORDER.iter().map(|index| hash[*index]).collect()
            }
        };
        Some(format!("{}${}", self.setting, Base64ShaCrypt::encode_string(&hash)))
    }
}
