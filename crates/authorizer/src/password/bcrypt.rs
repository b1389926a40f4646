//! bcrypt, `$2a$`, `$2b$` and `$2y$`, which name the same function (crypt(5)).

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bcrypt::bcrypt;

use super::argon2id::Cost;
use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::HashProblem;
use super::stored::Stored;

const FORM: Form = Form::Bcrypt;

/// Characters of `$2b$10$` and the salt, and with the hash.
const SETTING: usize = 29;
const LENGTH: usize = 60;

/// The highest cost that a stored string may demand.
const MAX_COST: u32 = 12;

/// The cost from which on hardening adds little: the default of OpenBSD, PHP and SFTPGo.
const STRONG_COST: u32 = 10;

/// Only so many bytes of a password count.
const MAX_PASSWORD: usize = 72;

/// Units for one of the 2^cost rounds, see [`super::work`].
const RATE: u64 = 52;

/// Some writers leave the unused bits of a salt's last character set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

pub(super) struct Bcrypt {
    setting: String,
    cost: u32,
    salt: [u8; 16],
}

impl Bcrypt {
    /// Reads `$2b$cost$`, 22 characters of salt and 31 of hash.
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let malformed = HashProblem::Malformed { form: FORM };
        if stored.len() < LENGTH {
            return Err(HashProblem::CutShort { form: FORM, found: stored.len(), expected: LENGTH });
        }
        let (setting, hash) = stored.split_at_checked(SETTING).ok_or(malformed)?;
        let function = Self::read(setting)?;
        let hash = BASE64.decode(hash).map_err(|_| malformed)?;
        if hash.len() != 23 {
            return Err(malformed);
        }
        Ok(Stored::new(function, format!("{setting}{}", BASE64.encode(hash))))
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let malformed = HashProblem::Malformed { form: FORM };
        let (cost, salt) = setting.get(4..).and_then(|rest| rest.split_once('$')).ok_or(malformed)?;
        let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost = cost.parse().ok().filter(|cost| digits && (4..=31).contains(cost)).ok_or(malformed)?;
        if cost > MAX_COST {
            return Err(HashProblem::Costly { form: FORM, limit: "cost 12" });
        }
        let salt = BASE64.decode(salt).map_err(|_| malformed)?.try_into().map_err(|_| malformed)?;
        Ok(Self { setting: setting.to_owned(), cost, salt })
    }
}

impl Function for Bcrypt {
    fn scheme(&self) -> Scheme {
        Scheme { form: FORM, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(self.setting.clone())
    }

    fn work(&self, _length: usize) -> u64 {
        RATE << self.cost
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        // It repeats the password with the NUL that ends it: `a` and `a\0a` would be one.
        if password.contains(&0) {
            return None;
        }
        let mut key: Vec<u8> = password.iter().copied().chain([0]).collect();
        key.truncate(MAX_PASSWORD);
        let hash = bcrypt(self.cost, self.salt, &key);
        Some(format!("{}{}", self.setting, BASE64.encode(&hash[..23])))
    }

    fn is_strong(&self, _wanted: Cost) -> bool {
        self.cost >= STRONG_COST
    }
}
