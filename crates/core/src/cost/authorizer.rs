//! How long the authorizer takes, by its memory. Pure.
//!
//! Lambda gives a function processor time in proportion to its memory, and a whole vCPU at 1,769 MB ("Configure Lambda
//! function memory" in its developer guide). The authorizer computes in one thread, so that more does not speed it up.
//! A refusal of a password is answered at a multiple of half a second, for which Lambda bills the memory, too.

use super::money::Quantity;
use super::usage::{Basis, Estimate};

/// MB with which a function has a whole vCPU.
const WHOLE_MB: u64 = 1769;
/// Milliseconds until the table has answered, which more memory does not shorten.
const LOOK_UP_MS: (u64, u64) = (5, 20);
/// The authorizer's `QUANTUM`, in milliseconds; `tests/it/cost.rs` compares the two.
pub const REFUSAL_MS: u64 = 500;

/// Milliseconds of a log-in that is admitted, by those that its hash takes on a whole vCPU.
pub fn admitted_ms(vcpu_ms: Estimate, memory_mb: u64) -> Estimate {
    let (low, high) = (Quantity::whole(LOOK_UP_MS.0), Quantity::whole(LOOK_UP_MS.1));
    let computed = vcpu_ms.map(|ms| ms.part(WHOLE_MB, memory_mb.clamp(1, WHOLE_MB)));
    computed.with(Estimate { low, high, basis: Basis::Fixed }, Quantity::plus)
}

/// Milliseconds of one that is refused.
pub fn refused_ms(vcpu_ms: Estimate, memory_mb: u64) -> Estimate {
    admitted_ms(vcpu_ms, memory_mb).map(|ms| ms.up_to_multiple(Quantity::whole(REFUSAL_MS)))
}

/// Milliseconds of all log-ins of a month. The fewest log-ins and refusals take the least, and the most of both the
/// most, since a refusal never takes less than a log-in that is admitted.
pub(super) fn total_ms(log_ins: Estimate, refused: Estimate, vcpu_ms: Estimate, memory_mb: u64) -> Estimate {
    let refused = refused.with(log_ins, Ord::min);
    let admitted = log_ins.with(refused, |all, refused| all.between(refused, None));
    let of_admitted = admitted.with(admitted_ms(vcpu_ms, memory_mb), Quantity::times);
    of_admitted.with(refused.with(refused_ms(vcpu_ms, memory_mb), Quantity::times), Quantity::plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(low: u64, high: u64) -> Estimate {
        Estimate { low: Quantity::whole(low), high: Quantity::whole(high), basis: Basis::Assumed }
    }

    fn whole(estimate: Estimate) -> (String, String) {
        (estimate.low.to_string(), estimate.high.to_string())
    }

    #[test]
    fn less_memory_takes_longer_up_to_a_whole_vcpu() {
        // A quarter, a half, a whole vCPU, and more than one thread can use.
        for (memory, low, high) in [
            (442, "165.090498", "260.135747"),
            (884, "85.045249", "140.067873"),
            (1769, "45", "80"),
            (10_240, "45", "80"),
        ] {
            let (low, high) = (low.to_owned(), high.to_owned());
            assert_eq!(whole(admitted_ms(ms(40, 60), memory)), (low, high), "{memory} MB");
        }
    }

    #[test]
    fn refusals_take_multiples_of_half_a_second() {
        for (memory, low, high) in [(128, "1,000", "1,000"), (256, "500", "500"), (1769, "500", "500")] {
            assert_eq!(whole(refused_ms(ms(40, 60), memory)), (low.to_owned(), high.to_owned()), "{memory} MB");
        }
        assert_eq!(whole(refused_ms(ms(495, 480), 1769)), ("500".to_owned(), "500".to_owned()), "none is added");
    }

    #[test]
    fn refused_log_ins_are_among_all() {
        let total = total_ms(ms(100, 1000), ms(10, 2000), ms(40, 60), 1769);
        // 90 of 45 ms and 10 of 500 ms; at most all are refused.
        assert_eq!((total.low, total.high), (Quantity::whole(90 * 45 + 10 * 500), Quantity::whole(1000 * 500)));
    }
}
