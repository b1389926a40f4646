//! What the account has once for everybody: roles of services, and resource policies of CloudWatch Logs.

use std::collections::BTreeMap;

use sftpctl_aws::Aws;
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::names;

use super::Probe;
use super::subject::{Subject, unread};

/// The policy that AWS keeps for deliveries of logs.
const DELIVERY: &str = "AWSLogDeliveryWrite20150319";
/// Characters of a resource policy (CloudWatch Logs user guide, "CloudWatch Logs quotas").
const CHARACTERS: usize = 5_120;
/// Resource policies of a region (same page).
const POLICIES: usize = 10;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let mut probes = Vec::new();
    let Some(aws) = subject.aws() else { return probes };
    for (region, settings) in &subject.environment.regions {
        let place = Some(region.as_str());
        probes.push(Probe::new(&Definition::API_LOG_ROLE, place, api_log_role(subject, aws, region)));
        if settings.server && subject.environment.server.logging_role.is_none() {
            probes.push(Probe::new(&Definition::LOG_POLICIES, place, log_policies(subject, aws, region)));
        }
    }
    probes.push(Probe::new(&Definition::LINKED_ROLES, None, linked_roles(subject, aws)));
    probes
}

/// A role that is set and was deleted counts as set: stages with logs then fail, or lose their logs.
async fn api_log_role(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::API_LOG_ROLE;
    let arn = match aws.apigateway(region).log_role().await {
        Err(error) => return unread(of, Some(region), &error),
        Ok(None) => return Check::ok(of, Some(region), "none is set; a deployment sets one"),
        Ok(Some(arn)) => arn,
    };
    let foreign = arn.split(':').nth(4).is_none_or(|account| account != subject.environment.account);
    let name = arn.rsplit('/').next().unwrap_or_default();
    if foreign || name.is_empty() {
        return Check::unknown(of, Some(region), format!("{arn} is not a role of this account"));
    }
    match aws.iam().role(name).await {
        Ok(Some(_)) => Check::ok(of, Some(region), format!("{arn}, which is kept")),
        Ok(None) => {
            Check::warning(of, Some(region), format!("the account's setting names {arn}, which does not exist")).hint(
                format!(
                    "unset it, and a deployment sets another: aws apigateway update-account --patch-operations \
                 op=replace,path=/cloudwatchRoleArn,value= --region {region}"
                ),
            )
        }
        Err(error) => unread(of, Some(region), &error),
    }
}

async fn log_policies(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::LOG_POLICIES;
    let group = names::transfer_log_group(&subject.environment, region);
    match aws.logs(region).resource_policies().await {
        Err(error) => unread(of, Some(region), &error),
        Ok(policies) => {
            let arn = format!("arn:aws:logs:{region}:{}:log-group:{group}:*", subject.environment.account);
            judge(region, &policies, &arn)
        }
    }
}

/// The groups that AWS's policy for deliveries allows as a whole (CloudWatch Logs user guide, "Enable logging from AWS
/// services": "log group size limit considerations").
const VENDED: &str = "/aws/vendedlogs/";

/// AWS adds the ARN of a server's log group to the one policy for deliveries. Nothing shortens that policy. Groups below
/// `/aws/vendedlogs/` need no characters, but the policy.
fn judge(region: &str, policies: &BTreeMap<String, String>, group: &str) -> Check {
    let of = &Definition::LOG_POLICIES;
    let Some(delivery) = policies.get(DELIVERY) else {
        let evidence = format!("need 1, free {} of {POLICIES}", POLICIES.saturating_sub(policies.len()));
        return match policies.len() < POLICIES {
            true => Check::ok(of, Some(region), evidence),
            false => Check::warning(of, Some(region), evidence)
                .hint("delete one that nobody needs: aws logs describe-resource-policies"),
        };
    };
    if group.contains(&format!(":log-group:{VENDED}")) {
        return Check::ok(of, Some(region), format!("{DELIVERY} exists, and groups below {VENDED} need no more of it"));
    }
    let need = if delivery.contains(group.trim_end_matches(":*")) { 0 } else { group.len() + 3 };
    let free = CHARACTERS.saturating_sub(delivery.len());
    let evidence = format!("need {need}, free {free} of {CHARACTERS} characters in {DELIVERY}");
    match need <= free {
        true => Check::ok(of, Some(region), evidence),
        false => Check::warning(of, Some(region), evidence).hint(format!(
            "replace its log groups by a pattern such as /aws/vendedlogs/*: aws logs put-resource-policy --policy-name \
             {DELIVERY} --region {region} --policy-document …"
        )),
    }
}

async fn linked_roles(subject: &Subject, aws: &Aws) -> Check {
    let of = &Definition::LINKED_ROLES;
    let replicas = subject.environment.table.regions.len() > 1;
    let wanted = [("AWSServiceRoleForAPIGateway", true), ("AWSServiceRoleForDynamoDBReplication", replicas)];
    let mut found = Vec::new();
    for (name, _) in wanted.into_iter().filter(|(_, needed)| *needed) {
        found.push(match aws.iam().role(name).await {
            Err(error) => return unread(of, None, &error),
            Ok(Some(_)) => format!("{name} exists"),
            Ok(None) => format!("AWS creates {name} for a caller who may call iam:CreateServiceLinkedRole"),
        });
    }
    Check::ok(of, None, found.join("; "))
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn the_policy_for_deliveries_has_an_end() {
        let arn = "arn:aws:logs:us-west-2:111111111111:log-group:/aws/transfer/99-upload-us-west-2:*";
        let with = |length: usize| BTreeMap::from([(DELIVERY.to_owned(), "x".repeat(length))]);
        for (policies, expected) in [
            (BTreeMap::new(), Status::Ok),
            (with(4_000), Status::Ok),
            (with(5_100), Status::Warning),
            (BTreeMap::from([(DELIVERY.to_owned(), format!("{}{arn}", "x".repeat(5_100)))]), Status::Ok),
            ((0..10).map(|n| (n.to_string(), String::new())).collect(), Status::Warning),
        ] {
            let found = judge("us-west-2", &policies, arn);
            assert_eq!(found.status, expected, "{}", found.evidence);
        }
    }

    #[test]
    fn vended_groups_need_the_policy_but_no_room_in_it() {
        let arn = "arn:aws:logs:us-west-2:111111111111:log-group:/aws/vendedlogs/transfer/99:*";
        let others = |count: usize| (0..count).map(|n| (n.to_string(), String::new()));
        let full = (DELIVERY.to_owned(), "x".repeat(CHARACTERS));
        for (policies, expected) in [
            (others(9).collect::<BTreeMap<_, _>>(), Status::Ok),
            (others(10).collect(), Status::Warning),
            (others(9).chain([full]).collect(), Status::Ok),
        ] {
            let found = judge("us-west-2", &policies, arn);
            assert_eq!(found.status, expected, "{}", found.evidence);
        }
    }
}
