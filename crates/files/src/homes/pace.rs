//! How many bytes a second may be sent, and at which hours of the day.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Time;
use tokio::time::Instant;

use super::watch::Watch;

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

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.from, self.to)
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

/// When the next bytes may be sent: once there has been time for all that were sent before, and for these. So a run never
/// has sent more than its rate allows since it began, nor saves up what it has not sent.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    hours: Option<Hours>,
    /// When there has been time for all that was sent.
    free: Mutex<Instant>,
    /// Whether it was said that the hours are waited for.
    is_said: AtomicBool,
}

/// The longest wait at once: a clock that is set, and a request to stop, are seen after it.
const LONGEST: Duration = Duration::from_millis(500);

impl Pace {
    pub fn new(bytes_per_second: Option<u64>, hours: Option<Hours>) -> Self {
        let free = Mutex::new(Instant::now());
        Self { bytes_per_second, hours, free, is_said: AtomicBool::new(false) }
    }

    /// Waits until so many bytes may be sent; `false` if nothing may, since the run is to stop.
    pub async fn take(&self, bytes: u64, watch: &dyn Watch) -> bool {
        while let Some(hours) = self.hours {
            let wait = hours.until(jiff::ZonedDateTime::now().time());
            if wait.is_zero() {
                self.is_said.store(false, Ordering::Relaxed);
                break;
            }
            if watch.is_stopping() {
                return false;
            }
            if !self.is_said.swap(true, Ordering::Relaxed) {
                watch.waiting(&format!("waiting until {:02}:00 to send: --hours {hours}", hours.from % 24));
            }
            tokio::time::sleep_until(Instant::now() + wait.min(LONGEST)).await;
        }
        let Some(rate) = self.bytes_per_second else { return true };
        let mine = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            *free = (*free).max(Instant::now()) + Duration::from_secs_f64(fraction(bytes, rate));
            *free
        };
        while Instant::now() < mine {
            if watch.is_stopping() {
                return false;
            }
            tokio::time::sleep_until(mine.min(Instant::now() + LONGEST)).await;
        }
        true
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pause")]
fn fraction(bytes: u64, rate: u64) -> f64 {
    bytes as f64 / rate.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::watch::Progress;
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

    /// A run that is told to stop, or not.
    struct Run {
        is_stopping: bool,
        said: Mutex<Vec<String>>,
    }

    impl Watch for Run {
        fn progress(&self, _: Progress) {}

        fn waiting(&self, words: &str) {
            self.said.lock().unwrap().push(words.to_owned());
        }

        fn is_stopping(&self) -> bool {
            self.is_stopping
        }
    }

    fn run(is_stopping: bool) -> Run {
        Run { is_stopping, said: Mutex::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_sent_at_the_rate() {
        let (pace, begin, run_on) = (Pace::new(Some(1000), None), Instant::now(), run(false));
        for _ in 0..31 {
            assert!(pace.take(100, &run_on).await);
        }
        assert_eq!(begin.elapsed().as_secs(), 3);
        assert!(!pace.take(1_000_000, &run(true)).await, "a request to stop ends the wait, and nothing is sent");
        assert!(begin.elapsed().as_secs() < 5);
        assert!(Pace::new(None, None).take(u64::MAX, &run_on).await);
    }

    /// From the first byte on, and after a pause.
    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_the_rate() {
        let (pace, run_on) = (Pace::new(Some(1000), None), run(false));
        for _ in 0..2 {
            let (begin, sent) = (Instant::now(), std::cell::Cell::new(0_u32));
            // Several files at once.
            futures_util::future::join_all((0..8).map(|_| async {
                for _ in 0..5 {
                    pace.take(300, &run_on).await;
                    sent.set(sent.get() + 300);
                    let allowed = begin.elapsed().as_secs_f64() * 1000.0;
                    assert!(f64::from(sent.get()) <= allowed + 1.0, "{} bytes, {allowed} allowed", sent.get());
                }
            }))
            .await;
            assert_eq!(begin.elapsed().as_secs(), 12);
            tokio::time::advance(Duration::from_mins(1)).await;
        }
    }

    #[tokio::test]
    async fn a_run_that_is_stopped_outside_the_hours_sends_nothing() {
        let hour = jiff::ZonedDateTime::now().time().hour();
        let hours = Hours { from: (hour + 2) % 24, to: (hour + 3) % 24 };
        let (pace, stopped) = (Pace::new(None, Some(hours)), run(true));
        assert!(!pace.take(1, &stopped).await);
        assert_eq!(*stopped.said.lock().unwrap(), [""; 0]);
        assert_eq!("22-6".parse::<Hours>().unwrap().to_string(), "22-06");
    }
}
