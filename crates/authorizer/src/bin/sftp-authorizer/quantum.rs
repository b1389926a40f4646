//! When a refusal of a password is answered.
//!
//! Every refusal costs at least one Argon2id hash ([`sftp_authorizer::password::verify`]), but not the same: in a table
//! with several forms of hashes some cost more, and what they cost differs by machine. Whoever measures the answers
//! would learn which accounts exist, and whose hash is worth stealing. So a refusal is answered at the next multiple of
//! a time that is longer than the usual hash takes. What the most expensive allowed hash costs more shows as a number
//! of such times, and no finer.
//!
//! A refusal without a look-up, as of a blocked name, is not held: it depends on nothing stored of the accounts, and a
//! flood of such names must not hold the function for longer than a guard counts them. Nor is a log-in by key, for
//! which nothing is computed.

use sftp_authorizer::QUANTUM;
use tokio::time::{Instant, sleep_until};

/// Gives a grant back at once, and a refusal at the next multiple of [`QUANTUM`] after the event arrived, or at
/// `latest`.
pub(crate) async fn hold<T, E>(decision: Result<T, E>, arrived: Instant, latest: Instant) -> Result<T, E> {
    if decision.is_err() {
        let quanta = arrived.elapsed().as_nanos().div_ceil(QUANTUM.as_nanos()).max(1);
        let answer = arrived + QUANTUM * u32::try_from(quanta).unwrap_or(1);
        sleep_until(answer.min(latest)).await;
    }
    decision
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    /// The milliseconds after which a decision that took `work` is answered.
    async fn answered(decision: Result<(), ()>, work: u64, latest: u64) -> u128 {
        let arrived = Instant::now();
        advance(Duration::from_millis(work)).await;
        let latest = arrived + Duration::from_millis(latest);
        assert_eq!(hold(decision, arrived, latest).await, decision);
        arrived.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_answered_at_multiples_of_half_a_second() {
        for (work, answer) in [(0, 500), (1, 500), (45, 500), (499, 500), (500, 500), (501, 1000), (1600, 2000)] {
            assert_eq!(answered(Err(()), work, 10_000).await, answer, "{work}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn grants_are_answered_at_once() {
        for work in [0, 45, 501] {
            assert_eq!(answered(Ok(()), work, 10_000).await, u128::from(work));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_refusal_is_held_until_the_function_ends() {
        assert_eq!(answered(Err(()), 45, 400).await, 400);
        assert_eq!(answered(Err(()), 450, 400).await, 450);
    }
}
