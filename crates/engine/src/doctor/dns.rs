//! The hosted zone, and whether the world asks it.
//!
//! A resolver is not asked: what it answers depends on where this machine stands. Where the parent zone is in the same
//! account, its delegation is compared; elsewhere the answer is unknown, with the command that tells.

use std::collections::BTreeSet;

use sftpctl_aws::{Aws, AwsError, ZoneFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::model::Dns;

use super::Probe;
use super::subject::{Subject, unread};

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let (Some(aws), Some(dns)) = (subject.aws(), &subject.environment.dns) else { return Vec::new() };
    vec![
        Probe::new(&Definition::ZONE, None, zone(subject, aws, dns)),
        Probe::new(&Definition::DELEGATION, None, delegation(subject, aws, dns)),
    ]
}

async fn zone(subject: &Subject, aws: &Aws, dns: &Dns) -> Check {
    let of = &Definition::ZONE;
    let ids = match subject.zones(aws).await {
        Err(error) => return unread(of, None, error),
        Ok(ids) => ids,
    };
    let id = match ids.as_slice() {
        [] => {
            return Check::failed(of, None, format!("the account has no public hosted zone {}", dns.zone))
                .hint("create it, or remove `dns` from the environment file");
        }
        [id] => id,
        ids => {
            let evidence = format!("the account has {} public hosted zones {}", ids.len(), dns.zone);
            return Check::failed(of, None, evidence)
                .hint(format!("choose one with `dns: {{ zone_id: … }}`: {}", ids.join(", ")));
        }
    };
    match aws.route53().zone(id).await {
        Err(error) => unread(of, None, &error),
        Ok(None) => Check::failed(of, None, format!("hosted zone {id} does not exist")).hint("correct `dns.zone_id`"),
        Ok(Some(zone)) => judge_zone(id, dns, &zone),
    }
}

fn judge_zone(id: &str, dns: &Dns, zone: &ZoneFacts) -> Check {
    let of = &Definition::ZONE;
    if zone.private {
        return Check::failed(of, None, format!("{id} is a private hosted zone: customers cannot resolve its names"))
            .hint("name a public one with `dns.zone_id`");
    }
    if !zone.name.eq_ignore_ascii_case(&dns.zone) {
        return Check::failed(of, None, format!("{id} is the hosted zone {}, not {}", zone.name, dns.zone))
            .hint("correct `dns.zone` or `dns.zone_id`");
    }
    Check::ok(of, None, format!("{} is {id}", dns.zone))
}

/// The zones above this one that could delegate it, the nearest first.
fn parents(zone: &str) -> Vec<&str> {
    let mut parents = Vec::new();
    let mut rest = zone;
    while let Some((_, parent)) = rest.split_once('.').filter(|(_, parent)| parent.contains('.')) {
        parents.push(parent);
        rest = parent;
    }
    parents
}

async fn delegation(subject: &Subject, aws: &Aws, dns: &Dns) -> Check {
    let of = &Definition::DELEGATION;
    let ids = subject.zones(aws).await;
    let Ok([id]) = ids.as_ref().map(Vec::as_slice) else {
        return Check::skipped(of, None, "there is not exactly one hosted zone");
    };
    let zone = match aws.route53().zone(id).await {
        Ok(Some(zone)) => zone,
        Ok(None) => return Check::skipped(of, None, "the hosted zone does not exist"),
        Err(error) => return unread(of, None, &error),
    };
    match delegated_to(aws, dns).await {
        // The printed policies allow the environment's zone only.
        Err(error) if error.is_access_denied() => Check::unknown(of, None, error.to_string()).hint(format!(
            "compare by hand, as the printed policies do not allow to list a parent's records: {}",
            question(&dns.zone, &set(&zone.name_servers))
        )),
        Err(error) => unread(of, None, &error),
        Ok(found) => judge(&dns.zone, &zone.name_servers, found),
    }
}

/// The nearest parent zone in this account, and the name servers that it delegates to.
async fn delegated_to(aws: &Aws, dns: &Dns) -> Result<Option<(String, Vec<String>)>, AwsError> {
    let route53 = aws.route53();
    for parent in parents(&dns.zone) {
        if let Some(id) = route53.zones(parent).await?.first() {
            let records = route53.records(id, &dns.zone).await?.unwrap_or_default();
            let servers = records.into_iter().filter(|record| record.kind == "NS").flat_map(|record| record.targets);
            return Ok(Some((parent.to_owned(), servers.collect())));
        }
    }
    Ok(None)
}

fn set(names: &[String]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

/// What to ask a resolver.
fn question(name: &str, servers: &BTreeSet<String>) -> String {
    format!("`dig +short NS {name}` must answer {}", list(servers))
}

/// `found`: the parent in this account, and the name servers that it delegates to.
fn judge(name: &str, own: &[String], found: Option<(String, Vec<String>)>) -> Check {
    let of = &Definition::DELEGATION;
    let own = set(own);
    if own.is_empty() {
        return Check::unknown(of, None, "Route 53 does not say which name servers the zone has");
    }
    match found {
        None => {
            Check::unknown(of, None, format!("the parent of {name} is not in this account")).hint(question(name, &own))
        }
        Some((parent, servers)) if servers.is_empty() => {
            Check::failed(of, None, format!("{parent}, a zone of this account, does not delegate {name}"))
                .hint(format!("add an NS record {name} to {parent}: {}", list(&own)))
        }
        Some((parent, servers)) if set(&servers) == own => Check::ok(of, None, format!("{parent} delegates to it")),
        Some((parent, servers)) => {
            let evidence = format!("{parent} delegates {name} to {}, not to this zone", list(&set(&servers)));
            Check::failed(of, None, evidence)
                .hint(format!("correct the NS record in {parent}, to {}, or `dns.zone_id`", list(&own)))
        }
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn parents_end_above_the_top_level() {
        assert_eq!(parents("a.b.example.net"), ["b.example.net", "example.net"]);
        assert_eq!(parents("xx.net"), Vec::<&str>::new());
    }

    #[test]
    fn a_zone_must_be_the_one_that_its_parent_names() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let own = names(&["ns-1.awsdns.com", "ns-2.awsdns.net"]);
        for (found, expected) in [
            (None, Status::Unknown),
            (Some(names(&[])), Status::Failed),
            (Some(names(&["NS-2.awsdns.net", "ns-1.awsdns.com"])), Status::Ok),
            (Some(names(&["ns-1.awsdns.com", "ns-3.awsdns.org"])), Status::Failed),
        ] {
            let found = judge("x.example.net", &own, found.map(|servers| ("example.net".to_owned(), servers)));
            assert_eq!(found.status, expected, "{}", found.evidence);
        }
    }
}
