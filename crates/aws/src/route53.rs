//! Hosted zones and records.

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, ResourceRecordSetRegion, RrType,
};

use super::AwsError;
use super::error::{Call as _, OrMissing as _};

#[derive(Clone, Debug)]
pub struct Route53(pub(super) aws_sdk_route53::Client);

/// A CNAME record, simple or by latency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFacts {
    /// Full name without the last dot.
    pub name: String,
    /// `CNAME`, or the type of a record created outside sftpctl.
    pub kind: String,
    /// Targets without the last dot; several only if it was created outside sftpctl.
    pub targets: Vec<String>,
    /// What an alias record stands for, without the last dot.
    pub alias: Option<String>,
    /// Seconds.
    pub ttl: Option<i64>,
    /// Identifier and region of a latency record.
    pub latency: Option<(String, String)>,
}

impl Route53 {
    /// Ids of the public hosted zones of this name.
    pub async fn zones(&self, name: &str) -> Result<Vec<String>, AwsError> {
        let answer = self
            .0
            .list_hosted_zones_by_name()
            .dns_name(name)
            .max_items(20)
            .send()
            .await
            .call("route53:ListHostedZonesByName", name)?;
        Ok(answer
            .hosted_zones()
            .iter()
            .filter(|zone| {
                zone.name().trim_end_matches('.') == name && !zone.config().is_some_and(|c| c.private_zone())
            })
            .map(|zone| zone.id().trim_start_matches("/hostedzone/").to_owned())
            .collect())
    }

    /// Creates a public hosted zone; only the local cloud needs it.
    pub async fn create_zone(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.create_hosted_zone().name(name).caller_reference(format!("sftpctl-local-{name}"));
        call.send().await.call("route53:CreateHostedZone", name).map(drop)
    }

    /// Records of exactly this name; `None` without the zone.
    pub async fn records(&self, zone: &str, name: &str) -> Result<Option<Vec<RecordFacts>>, AwsError> {
        let call = self.0.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name).max_items(30);
        let call = call.send().await.call("route53:ListResourceRecordSets", name);
        let Some(answer) = call.or_missing(&["NoSuchHostedZone"])? else { return Ok(None) };
        let same = |set: &&ResourceRecordSet| set.name().trim_end_matches('.').eq_ignore_ascii_case(name);
        Ok(Some(answer.resource_record_sets().iter().filter(same).map(facts).collect()))
    }

    /// Creates or replaces a record.
    pub async fn upsert(&self, zone: &str, record: &RecordFacts) -> Result<(), AwsError> {
        self.change(zone, record, ChangeAction::Upsert).await
    }

    /// Deletes a record, which must be exactly as given.
    pub async fn delete(&self, zone: &str, record: &RecordFacts) -> Result<(), AwsError> {
        match self.change(zone, record, ChangeAction::Delete).await {
            // A missing record is fine; only AWS's message distinguishes it from other errors.
            Err(error) if error.is("InvalidChangeBatch") && error.message.contains("but it was not found") => Ok(()),
            other => other,
        }
    }

    async fn change(&self, zone: &str, record: &RecordFacts, action: ChangeAction) -> Result<(), AwsError> {
        let name = record.name.as_str();
        let invalid = |error: aws_smithy_types::error::operation::BuildError| AwsError {
            operation: "route53:ChangeResourceRecordSets",
            object: name.to_owned(),
            code: Some("InvalidRequest".into()),
            message: error.to_string(),
            status: None,
        };
        let mut set =
            ResourceRecordSet::builder().name(name).r#type(RrType::from(record.kind.as_str())).set_ttl(record.ttl);
        for target in &record.targets {
            set = set.resource_records(ResourceRecord::builder().value(target).build().map_err(invalid)?);
        }
        if let Some((identifier, region)) = &record.latency {
            set = set.set_identifier(identifier).region(ResourceRecordSetRegion::from(region.as_str()));
        }
        let set = set.build().map_err(invalid)?;
        let change = Change::builder().action(action).resource_record_set(set).build().map_err(invalid)?;
        let batch = ChangeBatch::builder().changes(change).build().map_err(invalid)?;
        let call = self.0.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
        call.call("route53:ChangeResourceRecordSets", name).map(drop)
    }
}

fn facts(set: &ResourceRecordSet) -> RecordFacts {
    RecordFacts {
        name: set.name().trim_end_matches('.').to_owned(),
        kind: set.r#type().as_str().to_owned(),
        targets: set.resource_records().iter().map(|r| r.value().trim_end_matches('.').to_owned()).collect(),
        alias: set.alias_target().map(|alias| alias.dns_name().trim_end_matches('.').to_owned()),
        ttl: set.ttl(),
        latency: set.set_identifier().zip(set.region()).map(|(id, region)| (id.to_owned(), region.as_str().to_owned())),
    }
}
