//! Quotas: first the service's own call, then Service Quotas (applied, default), then the table in `core`.

use sftpctl_aws::{Aws, AwsError, Tags};
use sftpctl_core::check::{Check, Definition, Limit, LimitSource, Quota, quotas};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::spec::names;
use sftpctl_core::template::{Code, render};
use sftpctl_core::user_policies::{self, ATTACHED};

use super::Probe;
use super::subject::{Subject, unread};
use crate::resources::tags::ENVIRONMENT;

/// Records that Route 53 allows in a hosted zone by default.
const RECORDS: u64 = 10_000;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let mut probes = Vec::new();
    let Some(aws) = subject.aws() else { return probes };
    for (region, settings) in &subject.environment.regions {
        let place = Some(region.as_str());
        probes.push(Probe::new(&Definition::APIS, place, apis(subject, aws, region)));
        probes.push(Probe::new(&Definition::STACKS, place, stacks(subject, aws, region)));
        if settings.server {
            probes.push(Probe::new(&Definition::SERVERS, place, servers(subject, aws, region)));
        }
        if let Some(endpoint) = settings.vpc_endpoint().filter(|endpoint| endpoint.allocated() > 0) {
            let need = endpoint.allocated();
            probes.push(Probe::new(&Definition::ADDRESSES, place, addresses(subject, aws, region, need)));
        }
    }
    for region in &subject.environment.table.regions {
        probes.push(Probe::new(&Definition::TABLES, Some(region), tables(subject, aws, region)));
    }
    probes.push(Probe::new(&Definition::BUCKETS, None, buckets(subject, aws)));
    probes.push(Probe::new(&Definition::ROLES, None, roles(subject, aws)));
    probes.push(Probe::new(&Definition::POLICIES, None, policies(subject, aws)));
    probes.push(Probe::new(&Definition::ATTACHED, None, attached(subject, aws)));
    if subject.environment.dns.is_some() {
        probes.push(Probe::new(&Definition::RECORDS, None, records(subject, aws)));
    }
    probes
}

/// The limit by Service Quotas, or by the table.
async fn limit(aws: &Aws, region: &str, quota: &Quota) -> Limit {
    let quotas = aws.service_quotas(if quota.global { "us-east-1" } else { region });
    let applied = quotas.applied(quota.service, quota.code).await;
    let mut note = applied.as_ref().err().and_then(missing_permission);
    if let Ok(Some(value)) = applied {
        return Limit { value, source: LimitSource::Applied, note: None };
    }
    let default = quotas.default(quota.service, quota.code).await;
    note = note.or_else(|| default.as_ref().err().and_then(missing_permission));
    match default {
        Ok(Some(value)) => Limit { value, source: LimitSource::Default, note },
        _ => Limit { value: quota.default, source: LimitSource::Embedded, note },
    }
}

/// A permission that would give a better answer.
fn missing_permission(error: &AwsError) -> Option<String> {
    error.is_access_denied().then(|| format!("allow `{}` for the account's value", error.operation))
}

fn words<T>(result: Result<T, AwsError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

async fn servers(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let (quota, of) = (&quotas::SERVERS, &Definition::SERVERS);
    let transfer = aws.transfer(region);
    let (used, limit) = futures_util::join!(transfer.servers(), limit(aws, region, quota));
    let known = subject.identity(&names::server_node(region)).await;
    let exists = known.is_some_and(|id| used.as_ref().is_ok_and(|servers| servers.contains(&id)));
    let used = words(used).map(|servers| servers.len() as u64);
    Check::of_quota(of, Some(region), quota, u64::from(!exists), used, &limit)
}

async fn addresses(subject: &Subject, aws: &Aws, region: &str, need: usize) -> Check {
    let (quota, of) = (&quotas::ADDRESSES, &Definition::ADDRESSES);
    let (ec2, all) = (aws.ec2(region), Tags::new());
    let (used, limit) = futures_util::join!(ec2.addresses_with(&all), limit(aws, region, quota));
    let mark = (ENVIRONMENT.to_owned(), subject.environment.name.clone());
    let ours = used.iter().flatten().filter(|facts| facts.tags.get(&mark.0) == Some(&mark.1)).count();
    let used = words(used).map(|found| found.len() as u64);
    Check::of_quota(of, Some(region), quota, need.saturating_sub(ours) as u64, used, &limit)
}

async fn apis(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let (quota, of) = (&quotas::APIS, &Definition::APIS);
    let gateway = aws.apigateway(region);
    let (used, limit) = futures_util::join!(gateway.all_api_names(), limit(aws, region, quota));
    let ours = names::api(&subject.environment, region);
    let exists = used.as_ref().is_ok_and(|names| names.contains(&ours));
    let used = words(used).map(|names| names.len() as u64);
    Check::of_quota(of, Some(region), quota, u64::from(!exists), used, &limit)
}

async fn stacks(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let (quota, of) = (&quotas::STACKS, &Definition::STACKS);
    let cloudformation = aws.cloudformation(region);
    let (used, direct, stack) =
        futures_util::join!(cloudformation.count_stacks(), cloudformation.stack_limit(), subject.stack(aws, region));
    let limit = match direct {
        Ok(Some(value)) => Limit::of_service(value, "cloudformation:DescribeAccountLimits"),
        _ => limit(aws, region, quota).await,
    };
    let need = u64::from(!matches!(stack, Ok(Some(_))));
    Check::of_quota(of, Some(region), quota, need, words(used), &limit)
}

async fn tables(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let (quota, of) = (&quotas::TABLES, &Definition::TABLES);
    let dynamodb = aws.dynamodb(region);
    let (used, limit) = futures_util::join!(dynamodb.all_tables(), limit(aws, region, quota));
    let exists = used.as_ref().is_ok_and(|names| names.contains(&subject.environment.table.name));
    let used = words(used).map(|names| names.len() as u64);
    Check::of_quota(of, Some(region), quota, u64::from(!exists), used, &limit)
}

async fn buckets(subject: &Subject, aws: &Aws) -> Check {
    let (quota, of) = (&quotas::BUCKETS, &Definition::BUCKETS);
    let environment = &subject.environment;
    let (used, limit) = futures_util::join!(subject.buckets(aws), limit(aws, &environment.home_region, quota));
    let uploads = environment.clusters.keys().map(|cluster| names::upload_bucket(environment, cluster));
    let code = environment.regions.keys().map(|region| names::code_bucket(environment, region));
    let wanted = uploads.chain(code);
    let need = wanted.filter(|name| !used.as_ref().is_ok_and(|names| names.contains(name))).count() as u64;
    Check::of_quota(of, None, quota, need, words(used.clone()).map(|names| names.len() as u64), &limit)
}

/// Roles of a region's stack.
fn roles_of_stack(subject: &Subject, region: &str) -> u64 {
    let code = Code { bucket: String::new(), key: String::new() };
    let Ok(rendered) = render(&subject.environment, region, &code) else { return 0 };
    let resources = rendered.template["Resources"].as_object().into_iter().flatten();
    resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role").count() as u64
}

/// A number of IAM's summary with its quota.
async fn of_summary(
    subject: &Subject,
    aws: &Aws,
    (of, quota): (&'static Definition, &Quota),
    need: u64,
    (used, value): (Option<&str>, &str),
) -> Check {
    let summary = match subject.summary(aws).await {
        Ok(summary) => summary,
        Err(error) => {
            let limit = limit(aws, "us-east-1", quota).await;
            return Check::of_quota(of, None, quota, need, Err(error.to_string()), &limit);
        }
    };
    let limit = match summary.get(value) {
        Some(value) => Limit::of_service(*value, "iam:GetAccountSummary"),
        None => limit(aws, "us-east-1", quota).await,
    };
    let used = match used {
        None => Ok(0),
        Some(key) => summary.get(key).copied().ok_or_else(|| format!("iam:GetAccountSummary has no {key}")),
    };
    Check::of_quota(of, None, quota, need, used, &limit)
}

async fn roles(subject: &Subject, aws: &Aws) -> Check {
    let mut need = 0;
    for region in subject.environment.regions.keys() {
        if !matches!(subject.stack(aws, region).await, Ok(Some(_))) {
            need += roles_of_stack(subject, region);
        }
    }
    let user_role = NodeId::new("global", Kind::UserRole);
    need += u64::from(subject.identity(&user_role).await.is_none());
    let what = (&Definition::ROLES, &quotas::ROLES);
    of_summary(subject, aws, what, need, (Some("Roles"), "RolesQuota")).await
}

/// Number of policies on the user role.
fn user_policies(subject: &Subject) -> u64 {
    let environment = &subject.environment;
    let buckets: Vec<_> =
        environment.clusters.keys().map(|cluster| names::upload_bucket(environment, cluster)).collect();
    user_policies::parts(&buckets).len() as u64
}

async fn policies(subject: &Subject, aws: &Aws) -> Check {
    let need = user_policies(subject).saturating_sub(subject.remembered(Kind::UserPolicy).await);
    let what = (&Definition::POLICIES, &quotas::POLICIES);
    of_summary(subject, aws, what, need, (Some("Policies"), "PoliciesQuota")).await
}

async fn attached(subject: &Subject, aws: &Aws) -> Check {
    let need = user_policies(subject);
    debug_assert_eq!(quotas::ATTACHED.default, ATTACHED as u64);
    let what = (&Definition::ATTACHED, &quotas::ATTACHED);
    of_summary(subject, aws, what, need, (None, "AttachedPoliciesPerRoleQuota")).await
}

async fn records(subject: &Subject, aws: &Aws) -> Check {
    let of = &Definition::RECORDS;
    let environment = &subject.environment;
    let zones = subject.zones(aws).await;
    let zone = match zones.as_ref().map(Vec::as_slice) {
        Ok([zone]) => zone,
        Ok(_) => return Check::skipped(of, None, "there is not exactly one hosted zone"),
        Err(error) => return unread(of, None, error),
    };
    let servers = environment.regions.values().filter(|region| region.server).count() as u64;
    let wanted = environment.dns.as_ref().map_or(0, |dns| {
        let latency = if dns.latency { servers } else { 0 };
        servers + latency + dns.aliases.len() as u64
    });
    let need = wanted.saturating_sub(subject.remembered(Kind::Record).await);
    // Not in Service Quotas: Route 53 has calls of its own.
    let quota =
        Quota { service: "route53", code: "L-E209CC9F", name: "Records per zone", default: RECORDS, global: true };
    match aws.route53().zone_use(zone).await {
        Ok(Some(found)) => {
            let limit = Limit::of_service(found.limit, "route53:GetHostedZoneLimit");
            Check::of_quota(of, None, &quota, need, Ok(found.count), &limit)
        }
        other => {
            let why = other.err().map_or_else(|| "no numbers".to_owned(), |error| error.to_string());
            let limit = Limit { value: RECORDS, source: LimitSource::Embedded, note: None };
            Check::of_quota(of, None, &quota, need, Err(why), &limit)
        }
    }
}
