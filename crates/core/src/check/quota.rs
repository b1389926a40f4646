//! Quotas: what is needed, what is free, and who says so. Pure.
//!
//! A value that nobody knows stays unknown. It is neither 0 nor enough.

use super::{Check, Definition};

/// A quota of Service Quotas.
#[derive(Debug, PartialEq, Eq)]
pub struct Quota {
    /// `transfer`.
    pub service: &'static str,
    /// `L-6E386A05`.
    pub code: &'static str,
    pub name: &'static str,
    /// AWS's default, as of November 2026.
    pub default: u64,
    /// Whether the quota belongs to the account and not to a region; Service Quotas knows those in us-east-1 only.
    pub global: bool,
}

/// The quotas that an environment can meet. Codes and defaults are those of Service Quotas, except where the comment
/// says "from memory".
pub mod quotas {
    use super::Quota;

    const fn regional(service: &'static str, code: &'static str, name: &'static str, default: u64) -> Quota {
        Quota { service, code, name, default, global: false }
    }

    const fn global(service: &'static str, code: &'static str, name: &'static str, default: u64) -> Quota {
        Quota { global: true, ..regional(service, code, name, default) }
    }

    pub const SERVERS: Quota = regional("transfer", "L-6E386A05", "Servers per account", 50);
    /// The code is from memory; `scripts/probe-aws` asks for it.
    pub const APIS: Quota = regional("apigateway", "L-A93447B8", "Regional APIs per account", 600);
    pub const ADDRESSES: Quota = regional("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5);
    pub const CONCURRENCY: Quota = regional("lambda", "L-B99A9384", "Concurrent executions", 1_000);
    pub const BUCKETS: Quota = global("s3", "L-DC2B2D3D", "General purpose buckets", 10_000);
    pub const STACKS: Quota = regional("cloudformation", "L-0485CB21", "Stack count", 2_000);
    pub const TABLES: Quota = regional("dynamodb", "L-F98FE922", "Maximum number of tables", 2_500);
    pub const ROLES: Quota = global("iam", "L-FE177D64", "Roles per account", 1_000);
    /// The code is from memory; `scripts/probe-aws` asks for it.
    pub const POLICIES: Quota = global("iam", "L-E95E4862", "Customer managed policies per account", 1_500);
    pub const ATTACHED: Quota = global("iam", "L-0DA4ABF3", "Managed policies per role", 10);
}

/// Who says how much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// The service itself: `lambda:GetAccountSettings`.
    Service(&'static str),
    /// Service Quotas: this account's value.
    Applied,
    /// Service Quotas: the default of new accounts.
    Default,
    /// The table in this program.
    Embedded,
}

impl LimitSource {
    /// Whether it is this account's value.
    fn is_certain(self) -> bool {
        matches!(self, Self::Service(_) | Self::Applied)
    }
}

impl std::fmt::Display for LimitSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(call) => f.write_str(call),
            Self::Applied => f.write_str("Service Quotas, applied"),
            Self::Default => f.write_str("Service Quotas' default, not this account's"),
            Self::Embedded => f.write_str("AWS's default as sftpctl knows it, not this account's"),
        }
    }
}

/// How much there is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub value: u64,
    pub source: LimitSource,
    /// Why a better source did not answer, where that can be changed: a missing permission.
    pub note: Option<String>,
}

impl Limit {
    pub fn of_service(value: u64, call: &'static str) -> Self {
        Self { value, source: LimitSource::Service(call), note: None }
    }
}

impl Check {
    /// Compares a need with a limit. `used` is an error where the use could not be read.
    pub fn of_quota(
        of: &Definition,
        region: Option<&str>,
        quota: &Quota,
        need: u64,
        used: Result<u64, String>,
        limit: &Limit,
    ) -> Self {
        let note = limit.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let source = format!("{}{note}", limit.source);
        let Limit { value, .. } = limit;
        let used = match used {
            Ok(used) => used,
            Err(why) => {
                let sentence = format!("need {need} of {value} ({source}); how many are in use is unknown: {why}");
                return Self::unknown(of, region, sentence);
            }
        };
        let free = value.saturating_sub(used);
        let evidence = format!("need {need}, free {free} of {value} ({source})");
        if need <= free {
            return Self::ok(of, region, evidence);
        }
        let place = if quota.global { "us-east-1" } else { region.unwrap_or("us-east-1") };
        let hint = format!(
            "request an increase: aws service-quotas request-service-quota-increase --service-code {} --quota-code {} \
             --desired-value {} --region {place}",
            quota.service,
            quota.code,
            used.saturating_add(need)
        );
        match limit.source.is_certain() {
            true => Self::failed(of, region, evidence).hint(hint),
            false => Self::warning(of, region, evidence).hint(hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;

    fn check(need: u64, used: Result<u64, String>, value: u64, source: LimitSource) -> Check {
        let limit = Limit { value, source, note: None };
        Check::of_quota(&Definition::SERVERS, Some("us-west-2"), &quotas::SERVERS, need, used, &limit)
    }

    #[test]
    fn shortage_stops_only_by_the_accounts_own_value() {
        let short = check(2, Ok(49), 50, LimitSource::Applied);
        assert_eq!(
            (short.status, short.evidence.as_str()),
            (Status::Failed, "need 2, free 1 of 50 (Service Quotas, applied)")
        );
        assert!(short.hint.unwrap().contains("--quota-code L-6E386A05 --desired-value 51 --region us-west-2"));
        let perhaps = check(2, Ok(49), 50, LimitSource::Default);
        assert_eq!(perhaps.status, Status::Warning);
        assert!(perhaps.evidence.contains("default, not this account's"), "{}", perhaps.evidence);
        assert_eq!(check(1, Ok(49), 50, LimitSource::Embedded).status, Status::Ok);
        assert_eq!(
            check(1, Ok(60), 50, LimitSource::Applied).evidence,
            "need 1, free 0 of 50 (Service Quotas, applied)"
        );
    }

    #[test]
    fn unread_use_is_unknown() {
        let unknown = check(1, Err("AccessDenied".into()), 50, LimitSource::Applied);
        assert_eq!(unknown.status, Status::Unknown);
        assert!(unknown.evidence.ends_with("unknown: AccessDenied"), "{}", unknown.evidence);
    }
}
