//! What each region offers this account, and how much of Lambda.

use sftpctl_aws::{AccountConcurrency, Aws, VpcPlace};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::endpoint::{Access, VpcEndpoint};
use sftpctl_core::spec::names;

use super::Probe;
use super::subject::{Subject, unread};
use crate::resources::endpoint_place::{self, Way};

/// Concurrent log-ins below which a warning is worth it: that of new accounts is 10, which a handful of customers
/// who connect at once use up.
const SCARCE: u64 = 100;
/// Executions that a reservation must leave to all other functions (Lambda developer guide, "Configuring reserved
/// concurrency"); accounts with a lower quota must keep all of it (AWS's error names that quota as the minimum).
const KEPT: u64 = 100;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let mut probes = Vec::new();
    let Some(aws) = subject.aws() else { return probes };
    for (region, settings) in &subject.environment.regions {
        let place = Some(region.as_str());
        probes.push(Probe::new(&Definition::REGION, place, enabled(subject, aws, region)));
        probes.push(Probe::new(&Definition::CONCURRENCY, place, concurrency(subject, aws, region)));
        if settings.server {
            probes.push(Probe::new(&Definition::SECURITY_POLICY, place, security_policy(subject, aws, region)));
        }
    }
    probes.extend(networks(subject));
    probes
}

/// The probes of the networks of servers in VPCs.
pub(super) fn networks(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let regions = &subject.environment.regions;
    let endpoints = regions.iter().filter_map(|(region, settings)| Some((region.as_str(), settings.vpc_endpoint()?)));
    let account = subject.environment.account.as_str();
    let probe =
        |(region, endpoint)| Probe::new(&Definition::NETWORK, Some(region), network(aws, region, account, endpoint));
    endpoints.map(probe).collect()
}

/// A region that is not enabled does not know the credentials that other regions accept.
async fn enabled(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::REGION;
    match subject.concurrency(aws, region).await {
        Ok(_) => Check::ok(of, Some(region), "it answers"),
        Err(error) if error.is_credentials() || error.is("AuthFailure") || error.is("OptInRequired") => {
            Check::failed(of, Some(region), format!("it does not know credentials that AWS accepts elsewhere: {error}"))
                .hint(format!("enable it: aws account enable-region --region-name {region}"))
        }
        // A refused call is an answer.
        Err(error) if error.status.is_some_and(|status| status < 500) => {
            Check::ok(of, Some(region), format!("it answers ({error})"))
        }
        Err(error) => unread(of, Some(region), &error),
    }
}

async fn security_policy(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::SECURITY_POLICY;
    let wanted = &subject.environment.server.security_policy;
    match aws.transfer(region).security_policies().await {
        Err(error) => unread(of, Some(region), &error),
        Ok(offered) if offered.is_empty() => Check::unknown(of, Some(region), "the region names no security policy"),
        Ok(offered) if offered.contains(wanted) => Check::ok(of, Some(region), wanted.clone()),
        Ok(offered) => {
            let mut newest: Vec<_> = offered.iter().filter(|name| !name.contains("SFTPConnector")).cloned().collect();
            newest.sort();
            Check::failed(of, Some(region), format!("{wanted} does not exist in this region"))
                .hint(format!("set `server.security_policy` to one of {}", newest.join(", ")))
        }
    }
}

async fn network(aws: &Aws, region: &str, account: &str, endpoint: &VpcEndpoint) -> Check {
    let of = &Definition::NETWORK;
    let place = VpcPlace {
        vpc: endpoint.vpc.clone(),
        subnets: endpoint.subnets.clone(),
        security_groups: match &endpoint.access {
            Access::Groups(ids) => ids.clone(),
            Access::Allow(_) => Vec::new(),
        },
    };
    match endpoint_place::fault(aws, region, account, &place).await {
        Err(error) => return unread(of, Some(region), &error),
        Ok(Some(fault)) => {
            return Check::failed(of, Some(region), fault)
                .hint(format!("correct the VPC, or `server` of {region} in the environment file (docs/addresses.md)"));
        }
        Ok(None) => {}
    }
    match endpoint_place::way(aws, region, &place).await {
        Err(error) => unread(of, Some(region), &error),
        Ok(Way::Direct) => {
            Check::ok(of, Some(region), format!("subnets, routes and security groups of {} are as needed", place.vpc))
        }
        Ok(Way::Indirect(why)) => Check::warning(of, Some(region), why).hint(format!(
            "if a firewall without an endpoint forwards it, say so in the environment file: doctor: {{ ignore: [{{ check: {}, region: \
             {region}, reason: a firewall }}] }}",
            of.id
        )),
        Ok(Way::Unseen(why)) => Check::unknown(of, Some(region), why)
            .hint("ask the account that shares the VPC whether the subnet has a route to an internet gateway"),
    }
}

async fn concurrency(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::CONCURRENCY;
    let wanted = subject.environment.authorizer.reserved_concurrency.map(u64::from);
    // What this environment's function has reserved already.
    let ours = match wanted {
        None => 0,
        Some(_) => {
            let name = names::function(&subject.environment, region);
            let function = aws.lambda(region).function(&name).await.ok().flatten();
            function.and_then(|facts| facts.reserved).and_then(|reserved| u64::try_from(reserved).ok()).unwrap_or(0)
        }
    };
    match subject.concurrency(aws, region).await {
        Err(error) => unread(of, Some(region), &error),
        Ok(None) => Check::unknown(of, Some(region), "lambda:GetAccountSettings answers without numbers"),
        Ok(Some(account)) => judge(region, account, wanted, ours),
    }
}

/// `ours`: what this environment's function has reserved already.
fn judge(region: &str, account: AccountConcurrency, wanted: Option<u64>, ours: u64) -> Check {
    let of = &Definition::CONCURRENCY;
    let AccountConcurrency { limit, unreserved } = account;
    let raise = format!(
        "request an increase: aws service-quotas request-service-quota-increase --service-code lambda --quota-code \
         L-B99A9384 --desired-value 1000 --region {region}"
    );
    let source = "lambda:GetAccountSettings";
    match wanted {
        Some(wanted) => {
            let free = (unreserved + ours).saturating_sub(KEPT.min(limit));
            let evidence =
                format!("need {wanted}, free {free} of {limit} ({source}); {} stay unreserved", KEPT.min(limit));
            match wanted <= free {
                true => Check::ok(of, Some(region), evidence),
                false => Check::failed(of, Some(region), evidence)
                    .hint(format!("lower or remove `authorizer.reserved_concurrency`, or {raise}")),
            }
        }
        None if unreserved < SCARCE => {
            let evidence = format!(
                "{unreserved} of {limit} executions at once for all functions of the region ({source}), so at most as \
                 many log-ins"
            );
            Check::warning(of, Some(region), evidence).hint(raise)
        }
        None => Check::ok(of, Some(region), format!("{unreserved} of {limit} are unreserved ({source})")),
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn a_reservation_leaves_what_lambda_keeps() {
        for (limit, unreserved, wanted, ours, expected) in [
            (10, 10, None, 0, Status::Warning),
            (1_000, 1_000, None, 0, Status::Ok),
            (10, 10, Some(1), 0, Status::Failed),
            (1_000, 1_000, Some(900), 0, Status::Ok),
            (1_000, 1_000, Some(901), 0, Status::Failed),
            (1_000, 100, Some(900), 900, Status::Ok),
            (1_000, 150, Some(50), 0, Status::Ok),
            (1_000, 150, Some(51), 0, Status::Failed),
        ] {
            let found = judge("us-west-2", AccountConcurrency { limit, unreserved }, wanted, ours);
            assert_eq!(found.status, expected, "{limit} {unreserved} {wanted:?}: {}", found.evidence);
        }
    }
}
