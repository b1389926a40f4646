//! Permissions: IAM's policy simulator is asked about every statement of the policies that `sftpctl policy` prints.

use futures_util::{StreamExt as _, stream};
use sftpctl_aws::{Aws, AwsError, Decision, Simulated};
use sftpctl_core::check::{Check, Definition, Denial, Request, denied, requests};
use sftpctl_core::permissions::{self, Policy, Site};

use super::Probe;
use super::subject::{Subject, unread};

/// The condition key that every call has.
const REGION: &str = "aws:RequestedRegion";
/// Calls of the simulator in flight: IAM throttles early, for the whole account.
const IN_FLIGHT: usize = 6;
/// Actions that a message names.
const NAMED: usize = 6;
/// Characters of a policy that a hint shows.
const READABLE: usize = 1_000;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    vec![Probe::new(&Definition::PERMISSIONS, None, simulated(subject, aws))]
}

/// What to ask: the statements of the printed policies that a deployment of this environment needs.
fn wanted(subject: &Subject, zone_id: Option<&str>) -> Vec<Request> {
    let environment = &subject.environment;
    let site = Site { environment, zone_id, state: Some(&subject.place) };
    let needed = std::iter::once(Policy::Deployer).chain(permissions::companions(Policy::Deployer, site));
    let documents = needed.filter_map(|policy| permissions::document(policy, site));
    let mut all: Vec<Request> = documents.flat_map(|document| requests(&document)).collect();
    for request in &mut all {
        if !request.context.iter().any(|(key, _)| key == REGION) {
            request.context.push((REGION.to_owned(), vec![environment.home_region.clone()]));
        }
    }
    all
}

async fn simulated(subject: &Subject, aws: &Aws) -> Check {
    let of = &Definition::PERMISSIONS;
    let principal = match principal(subject, aws).await {
        Ok(principal) => principal,
        Err(check) => return check,
    };
    // As the printed policies name it: the simulator does not allow every zone by a policy for one.
    let zone_id = match subject.zones(aws).await {
        Ok(ids) if ids.len() == 1 => ids.first().map(String::as_str),
        _ => None,
    };
    let wanted = wanted(subject, zone_id);
    let count: usize = wanted.iter().map(|request| request.actions.len()).sum();
    let answers: Vec<_> = stream::iter(wanted.into_iter().map(|request| ask(aws, &principal, request)))
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    let mut denials = Vec::new();
    for answer in answers {
        match answer {
            Ok(found) => denials.extend(found),
            Err(error) => return unread(of, None, &error),
        }
    }
    judge(&subject.environment.name, &principal, count, &denials)
}

fn judge(environment: &str, principal: &str, count: usize, denials: &[Denial]) -> Check {
    let of = &Definition::PERMISSIONS;
    let limits = "by simulation, which knows no policies of resources, sessions and endpoints";
    let (by_organization, by_principal): (Vec<_>, Vec<_>) =
        denials.iter().cloned().partition(|denial| denial.by_organization);
    if !by_principal.is_empty() {
        let boundary = by_principal.iter().any(|denial| denial.by_boundary);
        let boundary = if boundary { "; some by the permissions boundary" } else { "" };
        let evidence = format!(
            "{} of {count} are not allowed for {principal} ({limits}): {}{boundary}",
            by_principal.len(),
            named(&by_principal)
        );
        let missing = denied(&by_principal).to_string();
        return Check::failed(of, None, evidence).hint(match missing.len() <= READABLE {
            true => format!("the smallest addition to its policies: {missing}"),
            false => format!(
                "attach the policies that `sftpctl policy deployer --env {environment}` prints and names; \
                 docs/permissions.md says how"
            ),
        });
    }
    if !by_organization.is_empty() {
        let evidence = format!(
            "the organisation may deny {} of {count} to {principal}, which the simulator cannot prove: {}",
            by_organization.len(),
            named(&by_organization)
        );
        return Check::warning(of, None, evidence).hint("ask the administrator of the organisation's policies");
    }
    Check::ok(of, None, format!("{count} are allowed for {principal} ({limits})"))
}

/// The first actions, each once.
fn named(denials: &[Denial]) -> String {
    let mut actions: Vec<&str> = denials.iter().map(|denial| denial.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    let more = actions.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", actions.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}

/// Asks about one request. The simulator refuses actions that "require different authorization information" in one
/// call; then each is asked for alone.
async fn ask(aws: &Aws, principal: &str, request: Request) -> Result<Vec<Denial>, AwsError> {
    let iam = aws.iam();
    let simulate = |actions: Vec<String>| {
        let (iam, request) = (iam.clone(), &request);
        async move { iam.simulate(principal, &actions, &request.resource, &request.context).await }
    };
    let found = match simulate(request.actions.clone()).await {
        Err(error) if error.is("InvalidInput") && request.actions.len() > 1 => {
            let mut found = Vec::new();
            for action in &request.actions {
                found.extend(simulate(vec![action.clone()]).await?);
            }
            found
        }
        other => other?,
    };
    let denial = |one: Simulated| Denial {
        action: one.action,
        resource: request.resource.clone(),
        by_organization: one.decision == Decision::DeniedByOrganization,
        by_boundary: one.decision == Decision::DeniedByBoundary,
    };
    Ok(found.into_iter().filter(|one| one.decision != Decision::Allowed).map(denial).collect())
}

/// The user or role whose policies count, or why there is none.
async fn principal(subject: &Subject, aws: &Aws) -> Result<String, Check> {
    let of = &Definition::PERMISSIONS;
    if let Some(role) = &subject.role {
        return Ok(role.clone());
    }
    let Some(arn) = subject.caller.get().map(|caller| caller.arn.as_str()) else {
        return Err(Check::skipped(of, None, "the caller is unknown"));
    };
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["root"] => {
            Err(Check::unknown(of, None, "the simulator does not evaluate the root user, who may do everything")
                .hint("check the role that will deploy: --as ROLE_ARN"))
        }
        // The session's ARN lacks the path of its role.
        ["assumed-role", name, _session] => match aws.iam().role(name).await {
            Ok(Some(role)) => Ok(role.arn),
            Ok(None) => Err(Check::unknown(of, None, format!("role {name} does not exist"))),
            Err(error) => Err(unread(of, None, &error)),
        },
        ["federated-user", ..] => Err(Check::unknown(of, None, format!("the simulator does not evaluate {arn}"))
            .hint("check the role that will deploy: --as ROLE_ARN")),
        _ => Ok(arn.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    fn denial(action: &str, by_organization: bool) -> Denial {
        Denial { action: action.into(), resource: "*".into(), by_organization, by_boundary: false }
    }

    #[test]
    fn denials_by_the_organisation_alone_are_warnings() {
        assert_eq!(judge("99", "r", 5, &[]).status, Status::Ok);
        assert_eq!(judge("99", "r", 5, &[denial("s3:a", true)]).status, Status::Warning);
        let both = judge("99", "r", 5, &[denial("s3:a", true), denial("s3:b", false)]);
        assert_eq!(both.status, Status::Failed);
        assert!(both.evidence.contains("1 of 5") && !both.hint.unwrap().contains("s3:a"), "{}", both.evidence);
    }
}
