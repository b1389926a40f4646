//! Checks whether customers can log in: tries a log-in from outside, and names the broken link of the chain if it is
//! refused.
//!
//! [`login`] checks one region, [`diagnose`] and `gateway` find the cause of a refusal, [`canary`] creates an account for the check.
//! Nothing here repairs anything.

mod admitted;
pub mod attempt;
pub mod canary;
pub mod diagnose;
mod gateway;
mod grants;
pub mod login;
pub mod waf;

pub use attempt::Attempt;
pub use canary::{Sender, verify};
pub use login::{LoginCheck, check};
