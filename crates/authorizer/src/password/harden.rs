//! Hardens an old hash by Argon2id over it, without knowing the password.

use super::SALT_BYTES;
use super::argon2id::{Argon2id, Cost};
use super::layer::{Layer, MAX_LAYERS};
use super::problem::HashProblem;
use super::stored::Stored;
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

/// What would keep a stored password as it is, by its form alone: nothing is computed. `None` if [`harden`] replaces it.
///
/// # Errors
/// The stored password cannot log in.
pub fn kept(stored: &str, cost: Cost) -> Result<Option<Kept>, HashProblem> {
    Ok(kept_of(&stored::read(stored)?, cost))
}

fn kept_of(stored: &Stored, cost: Cost) -> Option<Kept> {
    if stored.function.is_strong(cost) {
        return Some(Kept::Strong);
    }
    let dear = stored.function.work(stored::USUAL_LENGTH).saturating_add(cost.work()) > work::MAX;
    let is_full = stored.function.setting().is_none() || dear || stored.function.layers() >= MAX_LAYERS;
    is_full.then_some(Kept::Full)
}

/// Argon2id over a stored password, at this cost. A form that is hardened already, or is Argon2id itself, gets another
/// layer if it costs less. The salt comes from the caller, and must be another for each.
///
/// # Errors
/// The stored password cannot log in, or Argon2 failed, for example for lack of memory.
pub fn harden(stored: &str, salt: &[u8; SALT_BYTES], cost: Cost) -> Result<Hardened, HardenError> {
    let stored = stored::read(stored)?;
    if let Some(kept) = kept_of(&stored, cost) {
        return Ok(Hardened::Kept(kept));
    }
    let over = Argon2id::new(cost, salt)?;
    let phc = over.hash(stored.expected.as_bytes())?;
    let layer = Layer::new(stored.function, over);
    Ok(layer.braced(&phc).map_or(Hardened::Kept(Kept::Full), Hardened::Replaced))
}

/// Whether a stored password is Argon2id over an old one, however many layers, or the old one itself: computed, as at a
/// log-in, at the cost of its layers.
pub fn is_over(stored: &str, old: &str) -> bool {
    match (stored::read(stored), stored::read(old)) {
        (Ok(stored), Ok(old)) => stored.function.over(&old).is_some_and(|over| over == stored.expected),
        _ => false,
    }
}
