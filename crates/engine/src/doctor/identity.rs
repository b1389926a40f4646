//! Credentials, account and clock, by one call that needs no permission.

use std::time::Duration;

use jiff::Timestamp;
use sftpctl_aws::{AwsError, Introduction};
use sftpctl_core::check::{Check, Definition, Status};

use super::subject::Subject;
use crate::wait;
use sftpctl_core::text::counted;

/// Seconds that credentials should last: a first deployment takes up to half an hour.
const LASTING: i64 = 3_600;
/// Seconds that a clock may be off: signatures are valid for five minutes (IAM user guide, "Create a signed request").
const SKEW: i64 = 300;
/// Seconds from which on it is worth a word.
const NOTABLE_SKEW: i64 = 60;

/// The three checks. With a `connected` run, AWS has answered before, so that a late answer says nothing.
pub(super) async fn checks(subject: &Subject, limit: Duration, connected: bool) -> Vec<Check> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let ask = async { futures_util::join!(aws.introduce(), aws.credentials_expire()) };
    let Some((introduction, expiry)) = wait::at_most(limit, ask).await else {
        let evidence = format!("no answer of AWS within {} s", limit.as_secs());
        if connected {
            return vec![Check::unknown(&Definition::CREDENTIALS, None, evidence)];
        }
        let check = Check::failed(&Definition::CREDENTIALS, None, evidence);
        return vec![check.hint("check the network, the region and, with --endpoint-url, that a server listens there")];
    };
    if let Ok(caller) = &introduction.caller {
        let _ = subject.caller.set(caller.clone());
    }
    let now = Timestamp::now().as_second();
    vec![
        credentials(&introduction, expiry, now),
        account(&introduction, &subject.environment.account),
        clock(&introduction, now),
    ]
}

/// Why no other call can succeed or may be made.
pub(super) fn obstacle(checks: &[Check]) -> Option<&'static str> {
    let failed = |of: &Definition| checks.iter().any(|check| check.id == of.id && check.status == Status::Failed);
    if failed(&Definition::CREDENTIALS) {
        Some("AWS accepts no call with these credentials")
    } else if failed(&Definition::ACCOUNT) {
        Some("the credentials belong to another account")
    } else {
        None
    }
}

fn credentials(introduction: &Introduction, expiry: Option<i64>, now: i64) -> Check {
    let of = &Definition::CREDENTIALS;
    let caller = match &introduction.caller {
        Err(error) => {
            let check = Check::failed(of, None, error.to_string());
            return match error.hint() {
                Some(hint) => check.hint(hint),
                None => check,
            };
        }
        Ok(caller) => caller,
    };
    match expiry.map(|expiry| expiry - now) {
        None => Check::ok(of, None, caller.arn.clone()),
        Some(left) if left >= LASTING => Check::ok(
            of,
            None,
            format!("{}, for {} more", caller.arn, counted((left / 60).max(0).cast_unsigned(), "minute")),
        ),
        Some(left) => {
            let left = (left / 60).max(0);
            Check::warning(
                of,
                None,
                format!("{} for only {} more", caller.arn, counted(left.cast_unsigned(), "minute")),
            )
            .hint("sign in again before a long deployment (for SSO: `aws sso login`)")
        }
    }
}

fn account(introduction: &Introduction, expected: &str) -> Check {
    let of = &Definition::ACCOUNT;
    match &introduction.caller {
        Err(_) => Check::skipped(of, None, "the caller is unknown"),
        Ok(caller) if caller.account == expected => Check::ok(of, None, expected.to_owned()),
        Ok(caller) => {
            let evidence =
                format!("the environment belongs to account {expected}, the credentials to {}", caller.account);
            Check::failed(of, None, evidence).hint("choose other credentials with --profile")
        }
    }
}

fn clock(introduction: &Introduction, now: i64) -> Check {
    let of = &Definition::CLOCK;
    let hint = "set the clock of this machine: `timedatectl set-ntp true`";
    let off = introduction.clock.map(|clock| now - clock);
    let sentence = |off: i64| {
        let direction = if off < 0 { "behind" } else { "ahead of" };
        format!("{} s {direction} AWS's clock", off.abs())
    };
    match off {
        Some(off) if off.abs() > SKEW => Check::failed(of, None, sentence(off)).hint(hint),
        Some(off) if off.abs() >= NOTABLE_SKEW => Check::warning(of, None, sentence(off)).hint(hint),
        Some(off) => Check::ok(of, None, sentence(off)),
        None if introduction.caller.as_ref().is_err_and(AwsError::is_clock) => {
            Check::failed(of, None, "AWS rejects the time of the signature").hint(hint)
        }
        None => Check::unknown(of, None, "the answer has no date"),
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_aws::Caller;

    use super::*;

    fn introduction(clock: Option<i64>) -> Introduction {
        let caller = Caller { account: "111111111111".into(), arn: "arn:aws:iam::111111111111:user/u".into() };
        Introduction { caller: Ok(caller), clock }
    }

    #[test]
    fn a_clock_is_compared_with_the_date_of_the_answer() {
        for (clock, expected) in [
            (Some(1_000), Status::Ok),
            (Some(1_059), Status::Ok),
            (Some(1_060), Status::Warning),
            (Some(700), Status::Warning),
            (Some(699), Status::Failed),
            (None, Status::Unknown),
        ] {
            assert_eq!(super::clock(&introduction(clock), 1_000).status, expected, "{clock:?}");
        }
        assert_eq!(super::clock(&introduction(Some(600)), 1_000).evidence, "400 s ahead of AWS's clock");
    }

    #[test]
    fn credentials_that_expire_within_an_hour_are_a_warning() {
        for (expiry, expected) in [(None, Status::Ok), (Some(4_600), Status::Ok), (Some(4_599), Status::Warning)] {
            assert_eq!(credentials(&introduction(None), expiry, 1_000).status, expected, "{expiry:?}");
        }
    }

    #[test]
    fn another_account_is_an_obstacle() {
        let found = account(&introduction(None), "222222222222");
        assert_eq!(found.status, Status::Failed);
        assert_eq!(obstacle(&[found]), Some("the credentials belong to another account"));
    }
}
