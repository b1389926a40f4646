//! `aliases`: the calls of `dns alias …`. Records are limited to CNAMEs whose names fit the pattern of customers'
//! aliases, and UPSERT, which replaces whatever is there, is not allowed.

use serde_json::{Value, json};

use super::Site;
use super::arns::Arns;
use super::statement::{allow, allow_all, allow_if};
use crate::aliases::name::Pattern;

pub(super) fn statements(arns: &Arns<'_>, site: Site<'_>) -> Option<Vec<Value>> {
    let dns = site.environment.dns.as_ref()?;
    let zone = [arns.hosted_zone(site.zone_id)];
    let key = |name: &str| format!("route53:ChangeResourceRecordSets{name}");
    let condition = json!({
        "ForAllValues:StringLike": {
            key("NormalizedRecordNames"): [Pattern::new(&dns.customer_aliases, &dns.zone).to_string()],
        },
        "ForAllValues:StringEquals": {
            key("RecordTypes"): ["CNAME"],
            key("Actions"): ["CREATE", "DELETE"],
        },
    });
    Some(vec![
        allow_all("FindZone", &["route53:ListHostedZonesByName", "sts:GetCallerIdentity"]),
        allow("ReadRecords", &["route53:GetHostedZoneLimit", "route53:ListResourceRecordSets"], zone.clone()),
        allow_if("ChangeAliases", &["route53:ChangeResourceRecordSets"], zone, condition),
        allow("WaitForChanges", &["route53:GetChange"], ["arn:aws:route53:::change/*".to_owned()]),
    ])
}
