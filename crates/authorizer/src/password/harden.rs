//! Hardens an old hash by Argon2id over it, without knowing the password.

use super::SALT_BYTES;
use super::argon2id::{Argon2id, Cost};
use super::layer::{Layer, MAX_LAYERS};
use super::problem::HashProblem;
use super::{stored, work};

/// What becomes of a stored password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hardened {
    /// To be stored in its place.
    Replaced(String),
    /// It stays as it is.
    Kept(Kept),
}

/// Why a stored password stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It costs as much as was asked for, or is of a form that is slow by itself: yescrypt, bcrypt from cost 10 on, and
    /// PBKDF2 with the iterations that OWASP recommends.
    Strong,
    /// Another layer is not possible: it has three, or costs too much with one, or its length is not that of ours. The
    /// account needs a new password to be stored at a higher cost.
    Full,
}

/// A stored password could not be hardened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HardenError {
    #[error("the stored password {0}")]
    Problem(#[from] HashProblem),
    #[error("the hash could not be computed: {0}")]
    Hash(#[from] argon2::Error),
}

/// Argon2id over a stored password, at this cost. A form that is hardened already, or is Argon2id itself, gets another
/// layer if it costs less. The salt comes from the caller, and must be another for each.
///
/// # Errors
/// The stored password cannot log in, or Argon2 failed, for example for lack of memory.
pub fn harden(stored: &str, salt: &[u8; SALT_BYTES], cost: Cost) -> Result<Hardened, HardenError> {
    let stored = stored::read(stored)?;
    if stored.function.is_strong(cost) {
        return Ok(Hardened::Kept(Kept::Strong));
    }
    let dear = stored.function.work(stored::USUAL_LENGTH).saturating_add(cost.work()) > work::MAX;
    let (Some(_), false) = (stored.function.setting(), dear || stored.function.layers() >= MAX_LAYERS) else {
        return Ok(Hardened::Kept(Kept::Full));
    };
    let over = Argon2id::new(cost, salt)?;
    let phc = over.hash(stored.expected.as_bytes())?;
    let layer = Layer::new(stored.function, over);
    Ok(layer.braced(&phc).map_or(Hardened::Kept(Kept::Full), Hardened::Replaced))
}
