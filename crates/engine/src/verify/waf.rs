//! Whether AWS WAF sees customers' addresses. Its rules look at a header that Transfer sends; on a request without it they
//! do not apply, and nothing says so. So the first rule of the web ACL counts requests with an address in the header, and
//! here its metric is compared with that of all requests, before and after log-ins of our own.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::wait;
use sftpctl_aws::{Aws, AwsError, MetricSpan, Series};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::template::{WAF_EXEMPT, WAF_PROOF};

/// Seconds of a period: AWS WAF reports its metrics once a minute (AWS WAF developer guide, "AWS WAF metrics and
/// dimensions").
const PERIOD: i32 = 60;
/// Of the whole time to wait, the part in which the second metric may arrive after the first.
const LATER: u32 = 5;
/// How often the wait says that it goes on.
const REMARK: Duration = Duration::from_secs(30);

/// Requests that a web ACL has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    all: u64,
    with_address: u64,
}

/// What a web ACL had seen before the log-ins.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Seconds since 1970, at the beginning of a minute.
    since: i64,
    requests: Requests,
}

/// What the metrics say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Requests with an address have been counted.
    Told,
    /// There were requests, and none had an address.
    Untold,
    /// No metric has arrived in time.
    Unknown,
    Wait,
}

fn judge(before: Requests, now: Requests, since_first: Option<Duration>, waited: Duration, limit: Duration) -> Verdict {
    if now.with_address > before.with_address {
        return Verdict::Told;
    }
    match since_first {
        Some(since) if since >= limit / LATER => Verdict::Untold,
        Some(_) => Verdict::Wait,
        None if waited >= limit => Verdict::Unknown,
        None => Verdict::Wait,
    }
}

/// What the web ACL of a region has seen in this minute.
///
/// # Errors
/// CloudWatch could not be asked.
pub async fn before(aws: &Aws, environment: &Environment, region: &str) -> Result<Before, AwsError> {
    let now = Timestamp::now().as_second();
    let since = now - now.rem_euclid(i64::from(PERIOD));
    Ok(Before { since, requests: requests(aws, environment, region, since).await? })
}

async fn requests(aws: &Aws, environment: &Environment, region: &str, since: i64) -> Result<Requests, AwsError> {
    let series = |metric: &'static str, rule: &str| Series {
        namespace: "AWS/WAFV2",
        metric,
        dimensions: vec![
            ("Rule", rule.to_owned()),
            ("WebACL", names::web_acl(environment, region)),
            ("Region", region.to_owned()),
        ],
        statistic: "Sum",
    };
    // A test log-in is let through by the exempt addresses, or by the default action if it has no address.
    let all = [
        series("CountedRequests", WAF_PROOF),
        series("AllowedRequests", WAF_EXEMPT),
        series("AllowedRequests", "Default_Action"),
        series("BlockedRequests", "ALL"),
    ];
    let end = Timestamp::now().as_second() + i64::from(PERIOD);
    let values = aws.cloudwatch(region).values(&all, MetricSpan { start: since, end, period: PERIOD }).await?;
    let sums: Vec<u64> = values.iter().map(|values| whole(values.iter().sum())).collect();
    let [with_address, others @ ..] = sums.as_slice() else { return Ok(Requests::default()) };
    Ok(Requests { all: others.iter().sum(), with_address: *with_address })
}

/// A count, which CloudWatch gives as a fraction.
fn whole(sum: f64) -> u64 {
    sum.round().max(0.0) as u64
}

/// Waits, at most for `limit`, until the metrics tell whether log-ins made after `before` had an address. `say` gets what
/// happens meanwhile, a sentence each.
pub async fn prove(
    aws: &Aws,
    environment: &Environment,
    region: &str,
    before: Before,
    limit: Duration,
    say: &(dyn Fn(String) + Sync),
) -> Check {
    let (of, place) = (&Definition::WAF_ADDRESS, Some(region));
    let start = Instant::now();
    let (mut first, mut remarks) = (None, 0);
    say(format!(
        "{region}  waiting for the metrics of AWS WAF, which come once a minute: at most {} s",
        limit.as_secs()
    ));
    loop {
        let now = match requests(aws, environment, region, before.since).await {
            Ok(now) => now,
            Err(error) if error.is_transient() && start.elapsed() < limit => {
                wait::for_poll(start.elapsed()).await;
                continue;
            }
            Err(error) => return unreadable(region, &error),
        };
        if now.all > before.requests.all && first.is_none() {
            first = Some(Instant::now());
        }
        let since_first = first.map(|first: Instant| first.elapsed());
        match judge(before.requests, now, since_first, start.elapsed(), limit) {
            Verdict::Told => return Check::ok(of, place, "AWS WAF sees customers' addresses"),
            Verdict::Untold => return untold(environment, region),
            Verdict::Unknown => {
                let evidence = format!("AWS WAF has reported no request within {} s", limit.as_secs());
                let again = format!("run: sftpctl verify --env {} --region {region} --waf-wait 900", environment.name);
                return Check::unknown(of, place, evidence).hint(again);
            }
            Verdict::Wait => {}
        }
        if start.elapsed() >= REMARK * (remarks + 1) {
            remarks += 1;
            say(format!("{region}  still waiting for the metrics of AWS WAF, {} s", start.elapsed().as_secs()));
        }
        wait::for_poll(start.elapsed()).await;
    }
}

/// That the metrics could not be read: nothing is known then.
pub fn unreadable(region: &str, error: &AwsError) -> Check {
    let evidence = format!("the metrics of AWS WAF could not be read: {error}");
    let check = Check::unknown(&Definition::WAF_ADDRESS, Some(region), evidence);
    match error.hint() {
        Some(hint) => check.hint(hint),
        None => check,
    }
}

fn untold(environment: &Environment, region: &str) -> Check {
    let evidence = "AWS WAF does not see customers' addresses: Transfer Family called the API without the header SourceIP, \
                    so no rule on addresses applies to anybody";
    let hint = format!(
        "the rules of `waf` protect nothing now; use `guard` in their place, and ask AWS why the servers of environment {} \
         send no SourceIP to their identity provider in {region}",
        environment.name
    );
    Check::failed(&Definition::WAF_ADDRESS, Some(region), evidence).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_without_an_address_are_a_finding() {
        let requests = |all, with_address| Requests { all, with_address };
        let (limit, none) = (Duration::from_secs(300), Duration::ZERO);
        let before = requests(7, 5);
        let of = |now, first: Option<u64>, waited| {
            judge(before, now, first.map(Duration::from_secs), Duration::from_secs(waited), limit)
        };
        assert_eq!(of(requests(7, 5), None, 0), Verdict::Wait);
        assert_eq!(of(requests(7, 5), None, 299), Verdict::Wait);
        assert_eq!(of(requests(7, 5), None, 300), Verdict::Unknown, "nothing has arrived: it may be late");
        assert_eq!(of(requests(8, 5), Some(0), 70), Verdict::Wait, "the other metric may be later");
        assert_eq!(of(requests(8, 5), Some(60), 130), Verdict::Untold);
        for (now, first) in [(requests(8, 6), Some(0)), (requests(7, 6), None), (requests(9, 6), Some(300))] {
            assert_eq!(of(now, first, 130), Verdict::Told);
        }
        assert_eq!(judge(before, requests(8, 5), Some(none), none, none), Verdict::Untold);
    }
}
