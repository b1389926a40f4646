//! Statistics that assume nothing of how values are distributed. Pure.

use serde::Serialize;

/// The confidence of intervals.
pub const CONFIDENCE: f64 = 0.95;

/// What a row of values says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub count: usize,
    pub least: f64,
    pub most: f64,
    pub mean: f64,
    pub median: f64,
    /// Between these the median lies with a confidence of at least [`CONFIDENCE`]; `None` for fewer than six values.
    pub interval: Option<(f64, f64)>,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
}

impl Summary {
    /// Of these values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        let interval = ranks(sorted.len()).and_then(|(low, high)| Some((*sorted.get(low)?, *sorted.get(high)?)));
        Some(Self {
            count: sorted.len(),
            least,
            most,
            mean,
            median: percentile(&sorted, 50.0),
            interval,
            p90: percentile(&sorted, 90.0),
            p95: percentile(&sorted, 95.0),
            p99: percentile(&sorted, 99.0),
        })
    }
}

/// A percentile of sorted values, between the two nearest ones (Hyndman and Fan, "Sample Quantiles", 1996, type 7).
pub fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let place = percent / 100.0 * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
    let below = place.floor() as usize;
    let at = |index: usize| sorted.get(index.min(last)).copied().unwrap_or(f64::NAN);
    at(below) + (at(below + 1) - at(below)) * place.fract()
}

/// The places (from 0) of the sorted values between which the median lies with the confidence: order statistics, whose
/// coverage is 1 − 2·P(B ≤ k − 1) for a binomial B of n throws with probability ½, whatever the distribution is
/// (Conover, "Practical Nonparametric Statistics", section 3.2).
pub fn ranks(count: usize) -> Option<(usize, usize)> {
    // The terms of the binomial, by their logarithms: 0.5^n is zero for a large n.
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let term = |k: usize| {
        let chosen: f64 = (0..k).map(|i| ((count - i) as f64 / (i + 1) as f64).ln()).sum();
        (chosen - count as f64 * std::f64::consts::LN_2).exp()
    };
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (mut low, mut below) = (None, 0.0);
    for k in 0..count / 2 {
        below += term(k);
        if below > tail {
            break;
        }
        low = Some(k);
    }
    low.map(|low| (low, count - 1 - low))
}

/// What may be said of two medians.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The second is higher: faster, for speeds.
    Faster,
    /// The second is lower.
    Slower,
    /// The intervals overlap.
    NotShown,
    /// At least one of them has no interval.
    NoInterval,
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NotShown => "no difference shown",
            Self::NoInterval => "no verdict: too few values",
        }
    }
}

/// Compares two intervals of speeds: only if they are apart, the medians differ.
pub fn verdict(first: Option<(f64, f64)>, second: Option<(f64, f64)>) -> Verdict {
    match (first, second) {
        (Some((_, high)), Some((low, _))) if low > high => Verdict::Faster,
        (Some((low, _)), Some((_, high))) if high < low => Verdict::Slower,
        (Some(_), Some(_)) => Verdict::NotShown,
        _ => Verdict::NoInterval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: u32) -> Vec<f64> {
        (1..=count).map(f64::from).collect()
    }

    /// From the tables of Conover and of Hahn and Meeker ("Statistical Intervals", table A.15a).
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (count, low, high) in [(6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (12, 3, 10), (15, 4, 12), (20, 6, 15)] {
            assert_eq!(ranks(count), Some((low - 1, high - 1)), "{count}");
        }
        for (count, low, high) in [(25, 8, 18), (30, 10, 21), (50, 18, 33), (100, 40, 61)] {
            assert_eq!(ranks(count), Some((low - 1, high - 1)), "{count}");
        }
        for count in 0..6 {
            assert_eq!(ranks(count), None, "{count}");
        }
        // A large number, for which 0.5^n is zero: near n/2 ± 0.98·√n.
        let (low, high) = ranks(10_000).unwrap();
        assert!((4895..4910).contains(&low) && low + high == 9999, "{low} {high}");
    }

    #[test]
    fn percentiles_are_between_the_nearest_values() {
        // NumPy's default.
        let values = numbers(10);
        for (percent, value) in [(0.0, 1.0), (50.0, 5.5), (90.0, 9.1), (99.0, 9.91), (100.0, 10.0)] {
            assert!((percentile(&values, percent) - value).abs() < 1e-9, "{percent}");
        }
        assert!(percentile(&[], 50.0).is_nan());
        assert!((percentile(&[3.0], 99.0) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_summary_does_not_depend_on_the_order() {
        let mut values = numbers(30);
        let summary = Summary::of(&values).unwrap();
        values.reverse();
        assert_eq!(Summary::of(&values), Some(summary.clone()));
        assert_eq!((summary.median, summary.interval, summary.count), (15.5, Some((10.0, 21.0)), 30));
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&numbers(5)).unwrap().interval, None);
        assert_eq!(Summary::of(&[f64::NAN, 2.0]).unwrap().count, 1);
    }

    /// With a generator whose median is known, the interval holds it about as often as it says.
    #[test]
    fn intervals_hold_the_median_as_often_as_they_say() {
        let mut random = fastrand::Rng::with_seed(19);
        for count in [6, 10, 30] {
            let holds = (0..2000).filter(|_| {
                // Exponential, far from normal: the median is ln 2.
                let values: Vec<f64> = (0..count).map(|_| -(1.0 - random.f64()).ln()).collect();
                let (low, high) = Summary::of(&values).unwrap().interval.unwrap();
                (low..=high).contains(&std::f64::consts::LN_2)
            });
            let share = holds.count() as f64 / 2000.0;
            assert!((0.94..=0.99).contains(&share), "{count}: {share}");
        }
    }

    #[test]
    fn a_verdict_needs_intervals_that_are_apart() {
        let interval = |low: f64, high: f64| Some((low, high));
        for (first, second, expected) in [
            (interval(1.0, 2.0), interval(2.1, 3.0), Verdict::Faster),
            (interval(2.1, 3.0), interval(1.0, 2.0), Verdict::Slower),
            (interval(1.0, 2.0), interval(2.0, 3.0), Verdict::NotShown),
            (interval(1.0, 4.0), interval(2.0, 3.0), Verdict::NotShown),
            (None, interval(2.0, 3.0), Verdict::NoInterval),
            (interval(2.0, 3.0), None, Verdict::NoInterval),
        ] {
            assert_eq!(verdict(first, second), expected);
        }
    }
}
