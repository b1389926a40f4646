//! Argon2id, as a PHC string (<https://github.com/P-H-C/phc-string-format>).

use std::cell::RefCell;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use super::SALT_BYTES;
use super::form::{Form, Scheme};
use super::function::Function;
use super::problem::HashProblem;
use super::stored::Stored;
use super::work::REFUSAL;

pub(super) const PREFIX: &str = "$argon2id$";

/// The highest memory and number of passes that a stored string may demand, and that [`Cost`] may have.
pub(super) const MAX_MEMORY_KIB: u32 = 64 * 1024;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 4;

/// Bytes of a hash in the PHC strings of this module.
const HASH_BYTES: usize = 32;

/// Lengths that the writers of Argon2id use. Any other is a longer one that was cut.
const LENGTHS: [usize; 5] = [16, 24, HASH_BYTES, 48, 64];

/// The cost of an Argon2id hash: its memory, and how often it is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
}

/// A cost outside the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Argon2id needs {least} to {MAX_MEMORY_KIB} KiB of memory and {passes} to {MAX_PASSES} passes",
    least = Cost::DEFAULT.memory_kib, passes = Cost::DEFAULT.passes)]
pub struct CostError;

impl Cost {
    /// OWASP's first recommendation for Argon2id: 19 MiB, two passes. A Lambda of 256 MB has room for it.
    pub const DEFAULT: Self = Self { memory_kib: 19 * 1024, passes: 2 };

    pub(super) const LOWEST: Self = Self { memory_kib: Params::MIN_M_COST, passes: 1 };

    /// A cost of at least [`Cost::DEFAULT`], and at most what the authorizer allows: 64 MiB and ten passes.
    ///
    /// # Errors
    /// It is outside these bounds.
    pub fn new(memory_kib: u32, passes: u32) -> Result<Self, CostError> {
        let least = Self::DEFAULT;
        let bounded =
            (least.memory_kib..=MAX_MEMORY_KIB).contains(&memory_kib) && (least.passes..=MAX_PASSES).contains(&passes);
        bounded.then_some(Self { memory_kib, passes }).ok_or(CostError)
    }

    /// The memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// How often the memory is passed over.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    pub(super) const fn work(self) -> u64 {
        self.memory_kib as u64 * self.passes as u64
    }
}

thread_local! {
    /// The memory of hashes up to [`Cost::DEFAULT`]. If each allocated its own, the heap of glibc would be cut up until
    /// it has four or five times as much, in a function that may have 128 MB.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Argon2id with its parameters and salt.
pub(super) struct Argon2id {
    /// The PHC string up to the hash.
    setting: String,
    params: Params,
    version: Version,
    salt: Vec<u8>,
    length: usize,
}

impl Argon2id {
    /// # Errors
    /// Argon2 does not take such a cost; it takes each that [`Cost::new`] gives.
    pub(super) fn new(cost: Cost, salt: &[u8; SALT_BYTES]) -> Result<Self, argon2::Error> {
        let Cost { memory_kib, passes } = cost;
        Ok(Self {
            setting: format!("{PREFIX}v=19$m={memory_kib},t={passes},p=1${}", BASE64.encode(salt)),
            params: Params::new(memory_kib, passes, 1, None)?,
            version: Version::V0x13,
            salt: salt.to_vec(),
            length: HASH_BYTES,
        })
    }

    /// A hash of about this cost; `None` below the lowest that Argon2 takes.
    pub(super) fn of_work(work: u64) -> Option<Self> {
        let passes = Cost::DEFAULT.passes;
        let memory_kib = u32::try_from(work.min(REFUSAL) / u64::from(passes)).ok()?;
        Self::new(Cost { memory_kib, passes }, &[0; SALT_BYTES]).ok()
    }

    /// Reads a PHC string of Argon2id.
    pub(super) fn stored(phc: &str) -> Result<Stored, HashProblem> {
        Ok(Stored::new(Self::with_hash(phc)?, phc.to_owned()))
    }

    /// Reads a PHC string with its hash, which says how long hashes are.
    pub(super) fn with_hash(phc: &str) -> Result<Self, HashProblem> {
        let form = Form::Argon2id;
        let (setting, text) = phc.rsplit_once('$').ok_or(HashProblem::Malformed { form })?;
        let function = Self::read(setting)?;
        let characters = |bytes: usize| (bytes * 8).div_ceil(6);
        if !LENGTHS.iter().any(|&bytes| characters(bytes) == text.len()) {
            let whole = LENGTHS.into_iter().map(characters).find(|whole| *whole > text.len());
            return Err(match whole {
                Some(expected) => HashProblem::CutShort { form, found: text.len(), expected },
                None => HashProblem::Malformed { form },
            });
        }
        let hash = PasswordHash::new(phc).ok().and_then(|phc| phc.hash).ok_or(HashProblem::Malformed { form })?;
        Ok(Self { length: hash.len(), ..function })
    }

    /// Reads a PHC string up to the hash, which then has [`HASH_BYTES`].
    pub(super) fn read(setting: &str) -> Result<Self, HashProblem> {
        let malformed = HashProblem::Malformed { form: Form::Argon2id };
        let phc = PasswordHash::new(setting).map_err(|_| malformed)?;
        let (Some(salt), None) = (&phc.salt, &phc.hash) else { return Err(malformed) };
        let params = Params::try_from(&phc).map_err(|_| malformed)?;
        let version = phc.version.map(Version::try_from).transpose().map_err(|_| malformed)?.unwrap_or_default();
        if phc.algorithm.as_str() != "argon2id" {
            return Err(malformed);
        }
        let costly = |limit| Err(HashProblem::Costly { form: Form::Argon2id, limit });
        match () {
            () if params.m_cost() > MAX_MEMORY_KIB => costly("64 MiB of memory"),
            () if params.t_cost() > MAX_PASSES => costly("10 passes"),
            () if params.p_cost() > MAX_LANES => costly("4 lanes"),
            () => Ok(Self { setting: setting.to_owned(), params, version, salt: salt.to_vec(), length: HASH_BYTES }),
        }
    }

    /// The PHC string of a password.
    pub(super) fn hash(&self, password: &[u8]) -> Result<String, argon2::Error> {
        let mut hash = vec![0; self.length];
        let argon2 = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone());
        let count = self.params.block_count();
        if self.params.m_cost() <= Cost::DEFAULT.memory_kib {
            BLOCKS.with_borrow_mut(|blocks| {
                let more = count.saturating_sub(blocks.len());
                blocks.try_reserve_exact(more).map_err(|_| argon2::Error::OutOfMemory)?;
                blocks.resize(count.max(blocks.len()), Block::new());
                argon2.hash_password_into_with_memory(password, &self.salt, &mut hash, &mut blocks[..count])
            })?;
        } else {
            argon2.hash_password_into(password, &self.salt, &mut hash)?;
        }
        Ok(format!("{}${}", self.setting, BASE64.encode(hash)))
    }
}

impl Function for Argon2id {
    fn scheme(&self) -> Scheme {
        Scheme { form: Form::Argon2id, hardened: false }
    }

    fn setting(&self) -> Option<String> {
        // A PHC string does not say how long the hash is.
        (self.length == HASH_BYTES).then(|| self.setting.clone())
    }

    fn work(&self, _length: usize) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        self.hash(password).ok()
    }

    fn is_strong(&self, wanted: Cost) -> bool {
        self.params.m_cost() >= wanted.memory_kib && self.work(0) >= wanted.work()
    }
}
