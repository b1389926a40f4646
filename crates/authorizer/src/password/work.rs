//! The cost of a hash, and the refusal's.
//!
//! The unit is one KiB of Argon2id's memory, once: a hash of `m` KiB and `t` passes costs `m * t`. The rates of the other
//! forms are measured against it (2 cores of an x86-64 with AVX2 and SHA-NI, profile `lambda`, the best of five):
//!
//! | form | measured | in units |
//! |---|---|---|
//! | Argon2id, 19 MiB, two passes | 42 ms | 38,912, so 1.08 µs each |
//! | sha512-crypt, a block of 128 bytes | 0.25 µs | 0.23 |
//! | sha256-crypt, a block of 64 bytes | 0.067 µs | 0.062 |
//! | md5-crypt, a block of 64 bytes | 0.16 µs | 0.15 |
//! | yescrypt, a KiB | 1.8 to 2.4 µs | 2 |
//! | bcrypt, one of its 2^cost rounds | 56 µs | 52 |
//! | PBKDF2, an iteration: SHA-1, SHA-256, SHA-512 | 0.12, 0.13, 0.5 µs | 0.11, 0.12, 0.46 |
//!
//! On another machine the ratios differ, for example by a factor of four for SHA-256 without SHA-NI. What then remains
//! of a difference is hidden by the Lambda: it answers refusals at multiples of half a second.

use super::argon2id::{Argon2id, Cost};

/// The cost of a refusal at least: that of a hash as `users` writes it.
pub(super) const REFUSAL: u64 = Cost::DEFAULT.work();

/// The highest cost of a stored string, all layers together. A higher one could run the Lambda out of time: this one
/// takes 0.7 s on the machine above.
pub(super) const MAX: u64 = 64 * 1024 * 10;

/// The cost of `count` steps at a rate of units per thousand.
pub(super) fn per_thousand(count: u64, rate: u64) -> u64 {
    count.saturating_mul(rate) / 1000
}

/// Takes the time of a hash of this cost.
pub(super) fn spend(password: &[u8], work: u64) {
    charge(work);
    if let Some(argon2id) = Argon2id::of_work(work) {
        std::hint::black_box(argon2id.hash(password).is_ok());
    }
}

/// Notes the cost of what is computed, for the tests.
pub(super) fn charge(_work: u64) {
    #[cfg(test)]
    super::tests::count(_work);
}
