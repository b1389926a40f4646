//! How long hardening takes on this machine.

use std::time::{Duration, Instant};

use sftp_authorizer::password::{Cost, HardenError, legacy};

use super::Options;
use crate::password;

/// Hashes that are tried: the quickest counts, since other work disturbs the others.
const TRIES: usize = 3;

/// The time of one hash at this cost, measured. Blocks the thread for a few of them.
///
/// # Errors
/// Argon2 failed, for example for lack of memory.
pub fn of_one(cost: Cost) -> Result<Duration, HardenError> {
    let stored = legacy("a password");
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let begin = Instant::now();
        password::harden(&stored, cost)?;
        best = best.min(begin.elapsed());
    }
    Ok(best)
}

/// The time of `count` hashes, of which one takes `one`.
pub fn of_all(count: u64, one: Duration, options: &Options) -> Duration {
    let cores = u64::try_from(options.cores.get()).unwrap_or(u64::MAX);
    let by_hashes = one.as_secs_f64() * to_f64(count.div_ceil(cores));
    let by_writes = options.writes_per_second.map_or(0.0, |most| to_f64(count) / f64::from(most.get()));
    Duration::try_from_secs_f64(by_hashes.max(by_writes)).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU32, NonZeroUsize};

    use super::super::part::Part;
    use super::*;

    #[test]
    fn estimate_is_by_cores_or_by_the_limit_of_writes() {
        let of = |cores, most| {
            let options = Options {
                cost: Cost::DEFAULT,
                cores: NonZeroUsize::new(cores).unwrap(),
                part: Part::ALL,
                writes_per_second: NonZeroU32::new(most),
            };
            of_all(1_000_000, Duration::from_millis(32), &options).as_secs()
        };
        assert_eq!((of(1, 0), of(4, 0)), (32_000, 8_000));
        assert_eq!((of(4, 1000), of(4, 10)), (8_000, 100_000));
        assert!(of_one(Cost::DEFAULT).unwrap() > Duration::from_millis(1));
    }
}
