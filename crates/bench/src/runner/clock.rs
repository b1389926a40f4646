//! The time of a run.

use std::time::{Instant, SystemTime};

use crate::record::Sample;

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Seconds since a run began. They only grow: a machine's clock that is set meanwhile moves no operation, and a run goes
/// on after its earlier operations even where the clock was set back since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Those at `from`.
    offset: f64,
    from: Instant,
}

impl Clock {
    /// For a run that began at `began`, in seconds since 1970, and has these operations.
    pub(super) fn of<'a>(began: f64, earlier: impl Iterator<Item = &'a Sample>) -> Self {
        Self::at_time(now(), began, earlier)
    }

    fn at_time<'a>(time: f64, began: f64, earlier: impl Iterator<Item = &'a Sample>) -> Self {
        let offset = earlier.map(|sample| sample.at + sample.seconds).fold((time - began).max(0.0), f64::max);
        Self { offset, from: Instant::now() }
    }

    /// The seconds now.
    pub(super) fn at(&self) -> f64 {
        self.offset + self.from.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;

    #[test]
    fn time_goes_on_where_the_clock_was_set_back() {
        let sample = Sample { at: 30.0, seconds: 2.0, ..Sample::begun("a", "b", Action::Put, (1, 1)) };
        for (time, least) in [(1100.0, 100.0), (1010.0, 32.0), (900.0, 32.0)] {
            let clock = Clock::at_time(time, 1000.0, std::iter::once(&sample));
            let first = clock.at();
            assert!(first >= least && clock.at() >= first, "{time}: {clock:?}");
        }
        assert!(Clock::at_time(900.0, 1000.0, std::iter::empty()).at() >= 0.0);
    }
}
