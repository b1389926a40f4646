//! How many bytes a second may be sent, and at which hours of the day.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Time;
use tokio::time::Instant;

/// Hours of the day, by this machine's clock: `22-06` is from 22:00 to 06:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: i8,
    to: i8,
}

impl Hours {
    /// How long until the hours begin; zero within them.
    fn until(self, now: Time) -> Duration {
        let second = i64::from(now.hour()) * 3600 + i64::from(now.minute()) * 60 + i64::from(now.second());
        let (from, to) = (i64::from(self.from) * 3600, i64::from(self.to) * 3600);
        let day = 24 * 3600;
        // `0-24` is the whole day.
        let length = if to - from == day { day } else { (to - from).rem_euclid(day) };
        let since = (second - from).rem_euclid(day);
        Duration::from_secs(if since < length { 0 } else { u64::try_from(day - since).unwrap_or(0) })
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "expected two different hours of the day, such as 22-06";
        let (from, to) = text.split_once('-').ok_or(WRONG)?;
        let hour = |text: &str| text.parse::<i8>().ok().filter(|hour| (0..=24).contains(hour));
        let (from, to) = (hour(from).ok_or(WRONG)?, hour(to).ok_or(WRONG)?);
        if from == to { Err(WRONG) } else { Ok(Self { from, to }) }
    }
}

/// When the next bytes may be sent.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    hours: Option<Hours>,
    free: Mutex<Instant>,
}

/// The longest wait at once: a clock that is set, and a request to stop, are seen after it.
const LONGEST: Duration = Duration::from_secs(20);

impl Pace {
    pub fn new(bytes_per_second: Option<u64>, hours: Option<Hours>) -> Self {
        Self { bytes_per_second, hours, free: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes may be sent, or `is_stopping`.
    pub async fn take(&self, bytes: u64, is_stopping: impl Fn() -> bool) {
        while let Some(hours) = self.hours {
            let wait = hours.until(jiff::ZonedDateTime::now().time());
            if wait.is_zero() || is_stopping() {
                break;
            }
            tokio::time::sleep_until(Instant::now() + wait.min(LONGEST)).await;
        }
        let Some(rate) = self.bytes_per_second else { return };
        let mine = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let mine = (*free).max(Instant::now());
            *free = mine + Duration::from_secs_f64(fraction(bytes, rate));
            mine
        };
        while Instant::now() < mine && !is_stopping() {
            tokio::time::sleep_until(mine.min(Instant::now() + LONGEST)).await;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pause")]
fn fraction(bytes: u64, rate: u64) -> f64 {
    bytes as f64 / rate.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_pass_midnight() {
        let wait = |hours: &str, hour, minute| {
            hours.parse::<Hours>().unwrap().until(Time::new(hour, minute, 0, 0).unwrap()).as_secs() / 60
        };
        assert_eq!((wait("22-06", 23, 0), wait("22-06", 5, 59), wait("22-06", 6, 0)), (0, 0, 16 * 60));
        assert_eq!((wait("22-06", 21, 30), wait("8-18", 18, 0), wait("8-18", 8, 0)), (30, 14 * 60, 0));
        assert_eq!((wait("22-24", 23, 59), wait("22-24", 0, 0), wait("0-24", 1, 0).min(1)), (0, 22 * 60, 0));
        for wrong in ["", "8", "8-8", "24-25", "a-b", "-1-5"] {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_sent_at_the_rate() {
        let (pace, begin) = (Pace::new(Some(1000), None), Instant::now());
        for _ in 0..31 {
            pace.take(100, || false).await;
        }
        assert_eq!(begin.elapsed().as_secs(), 3);
        pace.take(1_000_000, || false).await;
        pace.take(1, || true).await;
        assert!(begin.elapsed().as_secs() < 5, "a request to stop ends the wait");
        Pace::new(None, None).take(u64::MAX, || false).await;
    }
}
