//! The only place that waits: intervals between polls, and pauses after temporary faults.
//!
//! The pause before a poll is a fixed share of the time already waited, so that waiting adds at most that share to the
//! time AWS needs, and the number of calls grows with the logarithm of the wait. The SDK's waiters start at 30 s.

#![expect(clippy::disallowed_methods, reason = "this is the place that waits")]

use std::future::Future;
use std::time::Duration;

use sftpctl_aws::AwsError;
use tokio::time::Instant;

/// First and shortest pause between two polls.
const SHORTEST: Duration = Duration::from_millis(150);
/// Longest pause: AWS's consoles and the CDK poll a stack every 2 s.
const LONGEST: Duration = Duration::from_secs(3);
/// The pause before a poll is this fraction (1/25) of the time waited.
const SHARE: u32 = 25;
/// How long the creation of a change set may take; it takes seconds when CloudFormation is not busy.
pub(crate) const CHANGE_SET: Duration = Duration::from_secs(120);
/// How long AWS's reads may lag behind its writes before an unchanged result is believed.
pub(crate) const READ_LAG: Duration = Duration::from_secs(20);

/// The pause before the next poll.
fn pause(waited: Duration) -> Duration {
    (waited / SHARE).clamp(SHORTEST, LONGEST)
}

/// A pause after a temporary fault: doubling from half a second to 15 s, minus a random part of up to half, so that
/// pipelines that failed together do not retry together.
fn backoff(attempt: u32) -> Duration {
    let whole = Duration::from_millis(500).saturating_mul(1 << attempt.min(5)).min(Duration::from_secs(15));
    whole / 2 + whole.mul_f64(fastrand::f64() / 2.0)
}

/// The pause before the next poll, after this time of waiting.
pub(crate) async fn for_poll(waited: Duration) {
    tokio::time::sleep(pause(waited)).await;
}

/// A pause after this many temporary faults in a row.
pub(crate) async fn for_another_attempt(attempt: u32) {
    tokio::time::sleep(backoff(attempt)).await;
}

/// A pause between two reads of a lock that another run holds.
pub(crate) async fn for_lock(pause: Duration) {
    // Randomized, so that pipelines that wait for the same lock do not all read it at once.
    tokio::time::sleep(pause / 2 + pause.mul_f64(fastrand::f64())).await;
}

/// A pause before a call of Route 53, which takes five calls a second in an account (Route 53 developer guide, "Quotas").
pub(crate) async fn for_route53() {
    tokio::time::sleep(Duration::from_millis(220)).await;
}

/// A pause while another process replaces a file.
pub(crate) async fn for_guard() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// The time between two renewals of a lease.
pub(crate) async fn for_renewal(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Polls until there is a result. `None` if the time limit has passed and the last poll found nothing; an error if the
/// last poll ended with a temporary fault, since the result is unknown then.
pub(crate) async fn short<T, F>(limit: Duration, mut poll: impl FnMut() -> F) -> Result<Option<T>, AwsError>
where
    F: Future<Output = Result<Option<T>, AwsError>>,
{
    let start = Instant::now();
    loop {
        match poll().await {
            Ok(Some(result)) => return Ok(Some(result)),
            Err(error) if !error.is_transient() || start.elapsed() > limit => return Err(error),
            Ok(None) if start.elapsed() > limit => return Ok(None),
            _ => for_poll(start.elapsed()).await,
        }
    }
}

/// The result of `work`, or `None` if the time limit has passed.
pub(crate) async fn at_most<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_adds_a_small_share() {
        for needed in [1, 5, 20, 60, 300, 1200].map(Duration::from_secs) {
            let (mut waited, mut polls) = (Duration::ZERO, 0);
            while waited < needed {
                waited += pause(waited);
                polls += 1;
            }
            let over = waited.as_secs_f64() / needed.as_secs_f64();
            assert!(over < 1.16, "{needed:?}: {over}");
            assert!(needed < Duration::from_secs(5) || over < 1.05, "{needed:?}: {over}");
            assert!(polls < 480, "{needed:?}: {polls} polls");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resource_that_could_not_be_read_is_not_missing() {
        let limit = Duration::from_secs(30);
        let fault = || AwsError {
            operation: "transfer:ListServers",
            object: String::new(),
            code: Some("ThrottlingException".into()),
            message: "Rate exceeded".into(),
            status: Some(400),
        };
        let nothing = short(limit, async || Ok(None::<()>)).await;
        assert!(matches!(nothing, Ok(None)), "{nothing:?}");
        let slow = short(limit, async || {
            tokio::time::sleep(Duration::from_secs(35)).await;
            Err::<Option<()>, _>(fault())
        });
        assert!(slow.await.is_err());
        let mut polls = 0;
        let late = short(limit, || {
            polls += 1;
            let result = if polls < 3 { Err(fault()) } else { Ok(Some(polls)) };
            async move { result }
        });
        assert_eq!(late.await.unwrap(), Some(3));
    }

    #[test]
    fn backoff_grows_and_stays_bounded() {
        for attempt in 0..40 {
            let pause = backoff(attempt);
            assert!(pause >= Duration::from_millis(250) && pause <= Duration::from_secs(15), "{attempt}: {pause:?}");
        }
    }
}
