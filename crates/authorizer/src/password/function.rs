//! What every form is: a function with a setting.

use super::argon2id::Cost;
use super::form::Scheme;
use super::problem::HashProblem;
use super::stored::Stored;

/// A function with its setting, as crypt(3) has it: whatever a stored password says besides the hash itself.
pub(super) trait Function {
    fn scheme(&self) -> Scheme;

    /// The setting as text, from which [`super::stored::function`] reads this function again. It stands in the braces of
    /// a hardened form. `None` if text cannot say all of it.
    fn setting(&self) -> Option<String>;

    /// The cost for a password of so many bytes, in the unit of [`super::work`].
    fn work(&self, length: usize) -> u64;

    /// What is stored for this password, setting and hash. `None` if there is no such password, or the memory is lacking.
    fn output(&self, password: &[u8]) -> Option<String>;

    /// What is stored for the password of another stored string, if this function is over the function of that, or is the
    /// same. `None` if it is neither, or the memory is lacking.
    fn over(&self, old: &Stored) -> Option<String> {
        (self.setting()? == old.function.setting()?).then(|| old.expected.clone())
    }

    /// Whether guessing costs so much already that [`super::harden()`] leaves it.
    fn is_strong(&self, _wanted: Cost) -> bool {
        false
    }

    /// How often Argon2id stands over another form.
    fn layers(&self) -> u8 {
        0
    }
}

/// A function that was read from text.
pub(super) type Read = Result<Box<dyn Function>, HashProblem>;
