//! yescrypt, `$y$` (<https://www.openwall.com/yescrypt/>, crypt(5)).

use base64ct::{Base64ShaCrypt, Encoding as _};
use yescrypt::{Mode, Params, yescrypt};

use super::argon2id::{Cost, MAX_MEMORY_KIB};
use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::HashProblem;
use super::stored::{self, Stored};

const FORM: Form = Form::Yescrypt;
const HASH_BYTES: usize = 32;

/// What crypt_gensalt(3) writes has at least this N and r.
const LEAST: (u64, u32) = (1024, 8);

/// Units for a KiB, see [`super::work`].
const RATE: u64 = 2;

pub(super) struct Yescrypt {
    setting: String,
    params: Params,
    memory_kib: u64,
    salt: Vec<u8>,
}

impl Yescrypt {
    /// Reads `$y$params$salt$hash`.
    pub(super) fn stored(stored: &str) -> Result<Stored, HashProblem> {
        let function = Self::read(stored::crypt_setting(stored, FORM, HASH_BYTES)?)?;
        Ok(Stored::new(function, stored.to_owned()))
    }

    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let malformed = HashProblem::Malformed { form: FORM };
        let (params, salt) = setting.strip_prefix("$y$").and_then(|rest| rest.split_once('$')).ok_or(malformed)?;
        let params: Params = params.parse().map_err(|_| malformed)?;
        let salt = Base64ShaCrypt::decode_vec(salt).map_err(|_| malformed)?;
        let (n, r) = (params.n(), params.r());
        if n < LEAST.0 || r < LEAST.1 {
            return Err(malformed);
        }
        // A block has 128 * r bytes.
        let memory_kib = n.saturating_mul(u64::from(r)) / 8;
        if memory_kib > u64::from(MAX_MEMORY_KIB) {
            return Err(HashProblem::Costly { form: FORM, limit: "64 MiB of memory" });
        }
        // More time for the same memory, or several lanes, which nothing writes into /etc/shadow.
        if Params::new(Mode::Rw, n, r, 1) != Ok(params) {
            return Err(HashProblem::Costly { form: FORM, limit: "one lane, and one pass over the memory" });
        }
        Ok(Self { setting: setting.to_owned(), params, memory_kib, salt })
    }
}

impl Function for Yescrypt {
    fn scheme(&self) -> Scheme {
        Scheme { form: FORM, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        Some(self.setting.clone())
    }

    fn work(&self, _length: usize) -> u64 {
        self.memory_kib * RATE
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        let mut hash = [0; HASH_BYTES];
        yescrypt(password, &self.salt, &self.params, &mut hash).ok()?;
        Some(format!("{}${}", self.setting, Base64ShaCrypt::encode_string(&hash)))
    }

    fn is_strong(&self, _wanted: Cost) -> bool {
        true
    }
}
