//! Argon2id over another form: `{SETTING}$argon2id$v=19$…`.
//!
//! It is Argon2id over what the other form stores for the password, setting and hash together, so that it can be
//! computed from the stored string alone. The braces have the other form's setting, which is what verifying needs. No PHC
//! string contains `}`: the last one ends the setting, whatever a salt contains.
//!
//! | hardened | of | over |
//! |---|---|---|
//! | `{sha224}$argon2id$…` | the old server's 40 characters | these |
//! | `{$6$rounds=9000$salt}$argon2id$…` | `$6$rounds=9000$salt$hash` | the same |
//! | `{$2b$05$salt}$argon2id$…` | `$2b$05$salthash` | the same |
//! | `{*}$argon2id$…` | `*` and 40 digits | the same, in upper case |
//! | `{{SHA256}}$argon2id$…` | `{SHA256}` and hexadecimal or base64 | `{SHA256}` and base64 |
//! | `{{SSHA}c2FsdA==}$argon2id$…` | `{SSHA}` and base64 of hash and salt | the same; the setting has the salt |
//! | `{$pbkdf2-sha256$9000$salt$32}$argon2id$…` | `$pbkdf2-sha256$9000$salt$hash`, 32 bytes of hash | the same |
//! | `{$argon2id$v=19$m=…$salt}$argon2id$…` | an Argon2id hash of lower cost | the same |
//! | `{{sha224}$argon2id$v=19$m=…$salt}$argon2id$…` | a hardened form, hardened again at a higher cost | the same |

use super::argon2id::{Argon2id, Cost, PREFIX};
use super::form::Scheme;
use super::function::{Function, Read};
use super::problem::HashProblem;
use super::stored::{self, Stored};

/// How many layers a form may have: hardened, and hardened again twice.
pub(super) const MAX_LAYERS: u8 = 3;

/// Argon2id over a form.
pub(super) struct Layer {
    under: Box<dyn Function>,
    over: Argon2id,
}

/// The setting in the braces, and the PHC string after them.
pub(super) fn split(stored: &str) -> Option<(&str, &str)> {
    let (setting, phc) = stored.strip_prefix('{')?.rsplit_once('}')?;
    phc.starts_with(PREFIX).then_some((setting, phc))
}

impl Layer {
    pub(super) fn new(under: Box<dyn Function>, over: Argon2id) -> Self {
        Self { under, over }
    }

    /// Reads what [`split`] gave.
    pub(super) fn stored(setting: &str, phc: &str) -> Result<Stored, HashProblem> {
        let layer = Self::new(stored::function(setting, MAX_LAYERS - 1)?, Argon2id::with_hash(phc)?);
        let expected = layer.braced(phc).ok_or(HashProblem::Unknown)?;
        Ok(Stored::new(layer, expected))
    }

    /// Reads a setting of another layer; `left` says how many more there may be.
    pub(super) fn read(setting: &str, phc: &str, left: u8) -> Read {
        let Some(left) = left.checked_sub(1) else { return Err(HashProblem::Unknown) };
        let under = stored::function(setting, left)?;
        Ok(Box::new(Self::new(under, Argon2id::read(phc)?)))
    }

    /// The setting below, and after it this.
    pub(super) fn braced(&self, phc: &str) -> Option<String> {
        Some(format!("{{{}}}{phc}", self.under.setting()?))
    }
}

impl Function for Layer {
    fn scheme(&self) -> Scheme {
        Scheme { hardened: true, ..self.under.scheme() }
    }

    fn setting(&self) -> Option<String> {
        self.braced(&self.over.setting()?)
    }

    fn work(&self, length: usize) -> u64 {
        self.under.work(length).saturating_add(self.over.work(length))
    }

    fn output(&self, password: &[u8]) -> Option<String> {
        let under = self.under.output(password)?;
        self.braced(&self.over.output(under.as_bytes())?)
    }

    fn over(&self, old: &Stored) -> Option<String> {
        if self.setting()? == old.function.setting()? {
            return Some(old.expected.clone());
        }
        let under = self.under.over(old)?;
        self.braced(&self.over.output(under.as_bytes())?)
    }

    fn is_strong(&self, wanted: Cost) -> bool {
        self.over.is_strong(wanted)
    }

    fn layers(&self) -> u8 {
        self.under.layers() + 1
    }
}
