//! Whether customers get in: the log-in chain asked from outside, and the broken link named where they do not.
//!
//! [`login`] asks one region, [`diagnose`] finds the cause of a refusal, [`canary`] is an account made for the occasion.
//! Nothing here repairs anything.

pub mod attempt;
pub mod canary;
pub mod diagnose;
mod grants;
pub mod login;

pub use attempt::Attempt;
pub use canary::{Sender, verify};
pub use login::{LoginCheck, check};
