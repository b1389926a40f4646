//! How far back the servers' logs reach.

use futures_util::future::join_all;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// A region's log of log-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub region: String,
    pub group: String,
    /// Days that lines are kept, and when the group was created, in seconds since 1970; `None` without the group.
    pub of: Option<(Option<i32>, Option<i64>)>,
}

impl Reach {
    /// The time from which on lines are there, in seconds since 1970; `None` if it is not known.
    pub fn since(&self, now: i64) -> Option<i64> {
        let (days, created) = self.of?;
        let kept = days.map(|days| now - i64::from(days) * 86_400);
        [kept, created].into_iter().flatten().max()
    }
}

/// Reads how far back the servers' logs reach in these regions.
///
/// # Errors
/// A group cannot be described.
pub async fn reach(aws: &Aws, environment: &Environment, regions: &[String]) -> Result<Vec<Reach>, AwsError> {
    let reads = regions.iter().map(|region| async move {
        let group = names::transfer_log_group(environment, region);
        let facts = aws.logs(region).group(&group).await?;
        let of = facts.map(|facts| (facts.retention, facts.created.map(|created| created / 1_000)));
        Ok(Reach { region: region.clone(), group, of })
    });
    join_all(reads).await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_reaches_back_to_its_creation_at_most() {
        let now = 100 * 86_400;
        let since = |of| Reach { region: String::new(), group: String::new(), of }.since(now);
        assert_eq!(since(Some((Some(30), Some(0)))), Some(70 * 86_400));
        assert_eq!(since(Some((Some(30), Some(90 * 86_400)))), Some(90 * 86_400));
        assert_eq!((since(Some((None, Some(5)))), since(None)), (Some(5), None));
    }
}
