//! What an account has, and how much it may have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::retry::RetryConfig;
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_route53::types::HostedZoneLimitType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use super::error::{Call as _, OrMissing as _};
use super::{ApiGateway, Aws, AwsError, Caller, CloudFormation, DynamoDb, Iam, Lambda, Logs, Route53, S3, Transfer};

/// AWS's first answer.
#[derive(Clone, Debug)]
pub struct Introduction {
    pub caller: Result<Caller, AwsError>,
    /// AWS's clock, in seconds since 1970; `None` without an answer.
    pub clock: Option<i64>,
}

/// Keeps the date of the answer.
#[derive(Clone, Debug, Default)]
struct KeepDate(Arc<Mutex<Option<i64>>>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for KeepDate {
    fn name(&self) -> &'static str {
        "KeepDate"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(date.secs());
        }
        Ok(())
    }
}

impl Aws {
    /// `sts:GetCallerIdentity`, which needs no permission, with AWS's clock.
    pub async fn introduce(&self) -> Introduction {
        let date = KeepDate::default();
        let retry = aws_sdk_sts::config::Builder::new().retry_config(RetryConfig::standard().with_max_attempts(2));
        let call = self.sts().get_caller_identity().customize().config_override(retry).interceptor(date.clone());
        let caller = call.send().await.call("sts:GetCallerIdentity", "the caller").map(|answer| Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        });
        let clock = *date.0.lock().unwrap_or_else(PoisonError::into_inner);
        Introduction { caller, clock }
    }
}

/// Service Quotas.
#[derive(Clone, Debug)]
pub struct ServiceQuotas(pub(super) aws_sdk_servicequotas::Client);

/// "If the applied quota value is not available for a quota, the quota is not retrieved" (API reference).
const NO_QUOTA: &[&str] = &["NoSuchResource"];

impl ServiceQuotas {
    /// This account's value; `None` where Service Quotas does not know it, as in new accounts.
    pub async fn applied(&self, service: &str, code: &str) -> Result<Option<u64>, AwsError> {
        let call = self.0.get_service_quota().service_code(service).quota_code(code).send().await;
        let answer = call.call("servicequotas:GetServiceQuota", &format!("{service} {code}")).or_missing(NO_QUOTA)?;
        Ok(answer.and_then(|answer| whole(answer.quota?.value?)))
    }

    /// The value of accounts that have asked for nothing.
    pub async fn default(&self, service: &str, code: &str) -> Result<Option<u64>, AwsError> {
        let call = self.0.get_aws_default_service_quota().service_code(service).quota_code(code).send().await;
        let call = call.call("servicequotas:GetAWSDefaultServiceQuota", &format!("{service} {code}"));
        Ok(call.or_missing(NO_QUOTA)?.and_then(|answer| whole(answer.quota?.value?)))
    }
}

/// A value as a number; none that is 0 or no number: nobody has a quota of 0 servers.
fn whole(value: f64) -> Option<u64> {
    (value >= 1.0 && value.is_finite()).then_some(value as u64)
}

/// Lambda's concurrency in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountConcurrency {
    /// The account's quota.
    pub limit: u64,
    /// What no function has reserved.
    pub unreserved: u64,
}

impl Lambda {
    /// The account's concurrency; `None` where the answer lacks it.
    pub async fn concurrency(&self) -> Result<Option<AccountConcurrency>, AwsError> {
        let call = self.0.get_account_settings().send().await.call("lambda:GetAccountSettings", "the account")?;
        Ok(call.account_limit().and_then(|limit| {
            let unreserved = u64::try_from(limit.unreserved_concurrent_executions()?).ok()?;
            Some(AccountConcurrency { limit: u64::try_from(limit.concurrent_executions()).ok()?, unreserved })
        }))
    }
}

impl Iam {
    /// Numbers and quotas of IAM: `Roles`, `RolesQuota`, …
    pub async fn summary(&self) -> Result<BTreeMap<String, u64>, AwsError> {
        let answer = self.0.get_account_summary().send().await.call("iam:GetAccountSummary", "the account")?;
        let numbers = answer.summary_map().into_iter().flatten();
        Ok(numbers.filter_map(|(key, value)| Some((key.as_str().to_owned(), u64::try_from(*value).ok()?))).collect())
    }
}

impl CloudFormation {
    /// Number of stacks that the account may have in the region.
    pub async fn stack_limit(&self) -> Result<Option<u64>, AwsError> {
        let call = self.client.describe_account_limits().send().await;
        let answer = call.call("cloudformation:DescribeAccountLimits", "the account")?;
        let limit = answer.account_limits().iter().find(|limit| limit.name() == Some("StackLimit"));
        Ok(limit.and_then(|limit| u64::try_from(limit.value()?).ok()))
    }

    /// Number of stacks that exist in the region.
    pub async fn count_stacks(&self) -> Result<u64, AwsError> {
        let statuses = StackStatus::values().iter().filter(|status| **status != "DELETE_COMPLETE");
        let statuses = statuses.map(|status| StackStatus::from(*status)).collect();
        let mut pages = self.client.list_stacks().set_stack_status_filter(Some(statuses)).into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += page.call("cloudformation:ListStacks", "stacks")?.stack_summaries().len() as u64;
        }
        Ok(count)
    }
}

impl Transfer {
    /// Names of the security policies that the region offers.
    pub async fn security_policies(&self) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self.0.list_security_policies().into_paginator().send();
        while let Some(page) = pages.next().await {
            names.extend(page.call("transfer:ListSecurityPolicies", "security policies")?.security_policy_names);
        }
        Ok(names)
    }
}

impl ApiGateway {
    /// Names of all REST APIs of the region.
    pub async fn all_api_names(&self) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self.0.get_rest_apis().limit(500).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.call("apigateway:GetRestApis", "REST APIs")?;
            names.extend(page.items().iter().map(|api| api.name().unwrap_or_default().to_owned()));
        }
        Ok(names)
    }
}

impl S3 {
    /// Names of all buckets of the account. In pages: an account with a raised quota may not ask for all at once.
    pub async fn all_buckets(&self) -> Result<Vec<String>, AwsError> {
        let mut pages = self.client.list_buckets().max_buckets(1000).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("s3:ListBuckets", "buckets")?;
            names.extend(page.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)));
        }
        Ok(names)
    }
}

impl DynamoDb {
    /// Names of all tables of the region.
    pub async fn all_tables(&self) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self.0.list_tables().into_paginator().send();
        while let Some(page) = pages.next().await {
            names.extend(page.call("dynamodb:ListTables", "tables")?.table_names.unwrap_or_default());
        }
        Ok(names)
    }
}

impl Logs {
    /// The region's resource policies: names and documents.
    pub async fn resource_policies(&self) -> Result<BTreeMap<String, String>, AwsError> {
        let call = self.0.describe_resource_policies().send().await;
        let answer = call.call("logs:DescribeResourcePolicies", "resource policies")?;
        let policies = answer.resource_policies().iter();
        Ok(policies
            .map(|policy| {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                (text(policy.policy_name()), text(policy.policy_document()))
            })
            .collect())
    }
}

/// A hosted zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFacts {
    /// Without the last dot.
    pub name: String,
    pub private: bool,
    /// The name servers that answer for it, without the last dot.
    pub name_servers: Vec<String>,
}

/// The records of a hosted zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneUse {
    pub count: u64,
    pub limit: u64,
}

impl Route53 {
    /// Reads a zone by its ID.
    pub async fn zone(&self, id: &str) -> Result<Option<ZoneFacts>, AwsError> {
        let call = self.0.get_hosted_zone().id(id).send().await.call("route53:GetHostedZone", id);
        Ok(call.or_missing(&["NoSuchHostedZone"])?.map(|answer| {
            let zone = answer.hosted_zone();
            let servers = answer.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
            ZoneFacts {
                name: zone.map(|zone| zone.name().trim_end_matches('.').to_owned()).unwrap_or_default(),
                private: zone.and_then(|zone| zone.config()).is_some_and(|config| config.private_zone()),
                name_servers: servers.iter().map(|name| name.trim_end_matches('.').to_owned()).collect(),
            }
        }))
    }

    /// How many records a zone has, and may have.
    pub async fn zone_use(&self, id: &str) -> Result<Option<ZoneUse>, AwsError> {
        let call = self.0.get_hosted_zone_limit().hosted_zone_id(id).r#type(HostedZoneLimitType::MaxRrsetsByZone);
        let answer = call.send().await.call("route53:GetHostedZoneLimit", id)?;
        let limit = answer.limit().and_then(|limit| u64::try_from(limit.value()).ok());
        Ok(limit.zip(u64::try_from(answer.count()).ok()).map(|(limit, count)| ZoneUse { count, limit }))
    }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn a_quota_without_a_value_is_unknown() {
        assert_eq!([50.0, 0.0, f64::NAN, -1.0, f64::INFINITY].map(whole), [Some(50), None, None, None, None]);
    }
}
