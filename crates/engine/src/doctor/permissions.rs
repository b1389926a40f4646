//! Permissions: IAM's policy simulator is asked about every statement of the policies that `sftpctl policy` prints.
//!
//! What could not be asked does not hide a denial, and a denial does not hide what could not be asked.

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
    vec![Probe::new(&Definition::PERMISSIONS, None, simulated(subject, aws)).of_many_calls()]
}

/// What to ask: the statements of the printed policies that a deployment of this environment needs.
fn wanted(subject: &Subject, zone_id: Option<&str>) -> Vec<Request> {
    let environment = &subject.environment;
    let site = Site { environment, zone_id, state: Some(&subject.place) };
    let needed = std::iter::once(Policy::Deployer).chain(permissions::companions(Policy::Deployer, site));
    let documents: Vec<_> = needed.filter_map(|policy| permissions::document(policy, site)).collect();
    let mut all = requests(&documents);
    for request in &mut all {
        request.context.entry(REGION.to_owned()).or_insert_with(|| environment.home_region.clone());
    }
    all
}

/// What the simulator answered.
#[derive(Debug, Default)]
struct Answers {
    denials: Vec<Denial>,
    /// How many permissions could not be asked for, and why the first could not.
    unasked: usize,
    error: Option<AwsError>,
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.denials.extend(other.denials);
        self.unasked += other.unasked;
        self.error = self.error.take().or(other.error);
    }
}

async fn simulated(subject: &Subject, aws: &Aws) -> Check {
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
    let count: usize = wanted.iter().map(|request| request.wanted.len()).sum();
    let asked = stream::iter(wanted.into_iter().map(|request| ask(aws, &principal, request)));
    let mut answers = Answers::default();
    let mut asked = asked.buffer_unordered(IN_FLIGHT);
    while let Some(found) = asked.next().await {
        answers.add(found);
    }
    judge(&subject.environment.name, &principal, count, &answers)
}

fn judge(environment: &str, principal: &str, count: usize, answers: &Answers) -> Check {
    let of = &Definition::PERMISSIONS;
    let limits = "by simulation, which knows no policies of resources, sessions and endpoints";
    let unasked = match &answers.error {
        Some(error) => format!("; {} of {count} could not be asked for: {error}", answers.unasked),
        None => String::new(),
    };
    let (by_organization, by_principal): (Vec<_>, Vec<_>) =
        answers.denials.iter().cloned().partition(|denial| denial.by_organization);
    if !by_principal.is_empty() {
        let boundary = by_principal.iter().any(|denial| denial.by_boundary);
        let boundary = if boundary { "; some by the permissions boundary" } else { "" };
        let evidence = format!(
            "{} of {count} are not allowed for {principal} ({limits}): {}{boundary}{unasked}",
            by_principal.len(),
            named(&by_principal)
        );
        let missing = denied(&by_principal).to_string();
        let is_complete = by_principal.iter().all(|denial| !denial.conditional);
        return Check::failed(of, None, evidence).hint(match is_complete && missing.len() <= READABLE {
            true => format!("the smallest addition to its policies: {missing}"),
            false => format!(
                "attach the policies that `sftpctl policy deployer --env {environment}` prints and names; \
                 docs/permissions.md says how"
            ),
        });
    }
    if !by_organization.is_empty() {
        let hidden = by_organization.iter().filter(|denial| denial.hides_own).count();
        let hidden = match hidden {
            0 => String::new(),
            hidden => {
                format!("; for {hidden} of these it does not say whether the principal's own policies allow them")
            }
        };
        let evidence = format!(
            "the organisation may deny {} of {count} to {principal}, which the simulator cannot prove: {}{hidden}{unasked}",
            by_organization.len(),
            named(&by_organization)
        );
        return Check::warning(of, None, evidence).hint("ask the administrator of the organisation's policies");
    }
    if let Some(error) = &answers.error {
        let evidence = format!("no denial for {principal}{unasked}");
        let check = Check::unknown(of, None, evidence);
        return match error.hint() {
            Some(hint) => check.hint(hint),
            None => check,
        };
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

/// Asks about one request, and about its parts where the simulator refuses it as a whole or has one answer for several
/// resources.
async fn ask(aws: &Aws, principal: &str, request: Request) -> Answers {
    let iam = aws.iam();
    let mut answers = Answers::default();
    let mut left = vec![request];
    while let Some(request) = left.pop() {
        let found = match iam.simulate(principal, &request.actions(), &request.resources(), &request.context).await {
            Ok(found) => found,
            Err(error) => {
                let parts = if error.is("InvalidInput") { request.divided() } else { Vec::new() };
                if parts.is_empty() {
                    answers.unasked += request.wanted.len();
                    answers.error.get_or_insert(error);
                }
                left.extend(parts);
                continue;
            }
        };
        for one in found.into_iter().filter(|one| one.decision != Decision::Allowed) {
            match &one.resource {
                None => left.extend(request.alone(&one.action)),
                Some(resource) if request.wanted.contains(&(one.action.clone(), resource.clone())) => {
                    let conditional = request.context.keys().any(|key| key != REGION);
                    answers.denials.push(Denial { conditional, ..denial(&one, resource) });
                }
                Some(_) => {}
            }
        }
    }
    answers
}

fn denial(one: &Simulated, resource: &str) -> Denial {
    Denial {
        action: one.action.clone(),
        resource: resource.to_owned(),
        by_organization: matches!(one.decision, Decision::DeniedByOrganization | Decision::EndedByOrganization),
        by_boundary: one.decision == Decision::DeniedByBoundary,
        hides_own: one.decision == Decision::EndedByOrganization,
        conditional: false,
    }
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
        Denial {
            action: action.into(),
            resource: "*".into(),
            by_organization,
            by_boundary: false,
            hides_own: by_organization,
            conditional: false,
        }
    }

    fn judged(denials: Vec<Denial>) -> Check {
        judge("99", "r", 5, &Answers { denials, ..Answers::default() })
    }

    #[test]
    fn denials_by_the_organisation_alone_are_warnings() {
        assert_eq!(judged(Vec::new()).status, Status::Ok);
        let warning = judged(vec![denial("s3:a", true)]);
        assert_eq!(warning.status, Status::Warning);
        assert!(warning.evidence.contains("for 1 of these it does not say whether"), "{}", warning.evidence);
        let both = judged(vec![denial("s3:a", true), denial("s3:b", false)]);
        assert_eq!(both.status, Status::Failed);
        assert!(both.evidence.contains("1 of 5") && !both.hint.unwrap().contains("s3:a"), "{}", both.evidence);
    }

    /// A statement without the condition would give away more than is missing.
    #[test]
    fn statements_with_conditions_are_not_shown_without_them() {
        let conditional = Denial { conditional: true, ..denial("iam:PassRole", false) };
        let hint = judged(vec![denial("s3:b", false), conditional]).hint.unwrap();
        assert!(hint.contains("sftpctl policy deployer --env 99") && !hint.contains("iam:PassRole"), "{hint}");
        let hint = judged(vec![denial("s3:b", false)]).hint.unwrap();
        assert!(hint.starts_with("the smallest addition to its policies: {"), "{hint}");
    }
}
