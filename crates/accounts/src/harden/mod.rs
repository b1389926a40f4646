//! Hardens the passwords that came from other servers: Argon2id over each stored hash, without knowing a password.
//!
//! [`survey`] counts what there is to do, [`estimate`] how long it takes here, and [`run`] does it. There is no lock:
//! each write is conditional on the password as it was read, so that log-ins, `users passwd`, an import and other
//! machines may go on, and nothing is hardened twice or undone. A run that ends early needs no memory of it: what is
//! hardened is found in the table by the next.

pub mod estimate;
mod found;
pub mod part;
pub mod run;
pub mod survey;

use std::num::{NonZeroU32, NonZeroUsize};

use sftp_authorizer::password::Cost;

use part::Part;

/// How to harden.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The cost of Argon2id.
    pub cost: Cost,
    /// Hashes at once.
    pub cores: NonZeroUsize,
    /// The share of the accounts.
    pub part: Part,
    /// The most writes that begin in a second, if they are limited.
    pub writes_per_second: Option<NonZeroU32>,
}
