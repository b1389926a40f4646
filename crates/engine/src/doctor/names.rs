//! Names that are taken: by resources of others, and by stacks that an earlier attempt left behind.

use std::sync::Arc;

use sftpctl_aws::{Aws, StackFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::kind::Kind;
use sftpctl_core::model::Owner;
use sftpctl_core::spec::names;

use super::Probe;
use super::subject::{Subject, unread};
use crate::resources::stack::ONLY_DELETABLE;
use crate::run::name_conflicts_in;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let mut probes = Vec::new();
    let Some(aws) = subject.aws() else { return probes };
    for region in subject.environment.regions.keys() {
        probes.push(Probe::new(&Definition::LEFTOVERS, Some(region), leftovers(subject, aws, region)));
    }
    let buckets = |kind: Kind| matches!(kind, Kind::Bucket | Kind::Package);
    let records = |kind: Kind| kind == Kind::Record;
    let others = |kind: Kind| !matches!(kind, Kind::Bucket | Kind::Package | Kind::Record);
    probes.push(Probe::new(&Definition::BUCKET_NAMES, None, taken(subject, aws, &Definition::BUCKET_NAMES, buckets)));
    probes.push(Probe::new(&Definition::NAMES, None, taken(subject, aws, &Definition::NAMES, others)));
    if subject.environment.dns.is_some() {
        let of = &Definition::FOREIGN_RECORDS;
        probes.push(Probe::new(of, None, taken(subject, aws, of, records)));
    }
    probes
}

async fn leftovers(subject: &Subject, aws: &Aws, region: &str) -> Check {
    match subject.stack(aws, region).await {
        Err(error) => unread(&Definition::LEFTOVERS, Some(region), &error),
        Ok(None) => Check::ok(&Definition::LEFTOVERS, Some(region), "there is none yet"),
        Ok(Some(stack)) => judge(&names::stack(&subject.environment, region), region, &stack),
    }
}

fn judge(name: &str, region: &str, stack: &StackFacts) -> Check {
    let of = &Definition::LEFTOVERS;
    let status = stack.status.as_str();
    let because = stack.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let evidence = format!("{name} is {status}{because}");
    let events =
        format!("its events say why: aws cloudformation describe-stack-events --stack-name {name} --region {region}");
    if status == "IMPORT_ROLLBACK_FAILED" {
        return Check::failed(of, Some(region), format!("{evidence}, which AWS can neither update nor roll back"))
            .hint(events);
    }
    if ONLY_DELETABLE.contains(&status) {
        return Check::warning(of, Some(region), format!("{evidence}; a deployment deletes it and creates it again"))
            .hint(events);
    }
    if status == "UPDATE_ROLLBACK_FAILED" {
        return Check::warning(of, Some(region), format!("{evidence}; a deployment continues its rollback"))
            .hint(events);
    }
    if status.ends_with("_IN_PROGRESS") {
        return Check::warning(of, Some(region), format!("{evidence}; a deployment waits for its end"));
    }
    Check::ok(of, Some(region), evidence)
}

/// Resources of these kinds that exist and belong to others.
async fn taken(subject: &Subject, aws: &Arc<Aws>, of: &'static Definition, is_meant: impl Fn(Kind) -> bool) -> Check {
    let observed = match subject.observed(aws).await {
        Ok(observed) => observed,
        Err(why) => return Check::unknown(of, None, why.clone()),
    };
    let mut foreign = Vec::new();
    let mut count = 0;
    for (_, live) in observed.actual.iter().filter(|(id, _)| id.kind().is_some_and(&is_meant)) {
        count += 1;
        if let Some(Owner::Foreign(sentence)) = live.as_ref().map(|live| &live.owner) {
            foreign.push(sentence.clone());
        }
    }
    if *of == Definition::NAMES {
        foreign.extend(functions_and_log_groups(subject, aws).await);
    }
    let mut unread = observed.unreadable.iter().filter(|(id, _)| id.kind().is_some_and(&is_meant));
    foreign.sort();
    foreign.dedup();
    match (foreign.as_slice(), unread.next()) {
        ([], None) => Check::ok(of, None, format!("{count} are free or belong to this environment")),
        ([], Some((id, error))) => {
            let more = unread.count();
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            let check = Check::unknown(of, None, format!("{id} could not be read: {error}{more}"));
            match error.hint() {
                Some(hint) => check.hint(hint),
                None => check,
            }
        }
        (foreign, _) => Check::failed(of, None, foreign.join("; "))
            .hint("delete or rename them, adopt those that sftpctl may own (`sftpctl import`), or choose other names"),
    }
}

/// CloudFormation would fail on these.
async fn functions_and_log_groups(subject: &Subject, aws: &Arc<Aws>) -> Vec<String> {
    let mut found = Vec::new();
    for region in subject.environment.regions.keys() {
        if matches!(subject.stack(aws, region).await, Ok(None)) {
            found.extend(name_conflicts_in(aws, &subject.environment, region).await);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn stacks_that_a_deployment_repairs_are_warnings() {
        for (status, expected) in [
            ("CREATE_COMPLETE", Status::Ok),
            ("UPDATE_ROLLBACK_COMPLETE", Status::Ok),
            ("ROLLBACK_COMPLETE", Status::Warning),
            ("REVIEW_IN_PROGRESS", Status::Warning),
            ("DELETE_FAILED", Status::Warning),
            ("UPDATE_IN_PROGRESS", Status::Warning),
            ("IMPORT_ROLLBACK_FAILED", Status::Failed),
        ] {
            let stack = StackFacts { status: status.into(), ..StackFacts::default() };
            assert_eq!(judge("s", "us-west-2", &stack).status, expected, "{status}");
        }
    }
}
