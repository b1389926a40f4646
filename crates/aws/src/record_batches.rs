//! All records of a hosted zone, and changes of many at once.

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use aws_smithy_types::error::operation::BuildError;

use super::error::Call as _;
use super::{AwsError, Route53};

/// Records of one page, the most that Route 53 gives (API reference, ListResourceRecordSets).
const PAGE: i32 = 300;

/// A record set as Route 53 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRecord {
    pub name: String,
    /// `CNAME`.
    pub kind: String,
    /// Exactly as they are listed.
    pub values: Vec<String>,
    /// Seconds; `None` for an alias record.
    pub ttl: Option<i64>,
    /// Whether it has no routing policy, health check or alias target.
    pub is_simple: bool,
}

/// Where the next page begins.
#[derive(Clone, Debug)]
pub struct NextRecord {
    name: String,
    kind: Option<RrType>,
    identifier: Option<String>,
}

/// The creation of a simple CNAME record, or the deletion of one that is exactly so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    Create { name: String, value: String, ttl: i64 },
    Delete { name: String, value: String, ttl: i64 },
}

impl Route53 {
    /// A page of a zone's records, and where the next one begins.
    pub async fn page_of_records(
        &self,
        zone: &str,
        from: Option<NextRecord>,
    ) -> Result<(Vec<ListedRecord>, Option<NextRecord>), AwsError> {
        let mut call = self.0.list_resource_record_sets().hosted_zone_id(zone).max_items(PAGE);
        if let Some(from) = from {
            call = call.start_record_name(from.name);
            call = call.set_start_record_type(from.kind).set_start_record_identifier(from.identifier);
        }
        let answer = call.send().await.call("route53:ListResourceRecordSets", zone)?;
        let next = answer.next_record_name().filter(|_| answer.is_truncated()).map(|name| NextRecord {
            name: name.to_owned(),
            kind: answer.next_record_type().cloned(),
            identifier: answer.next_record_identifier().map(str::to_owned),
        });
        Ok((answer.resource_record_sets().iter().map(listed).collect(), next))
    }

    /// Carries out all changes or none, and returns the ID of the change, for [`Route53::is_in_sync`].
    pub async fn change_records(&self, zone: &str, changes: &[RecordChange]) -> Result<String, AwsError> {
        let changes =
            changes.iter().map(change).collect::<Result<Vec<_>, _>>().map_err(|error| invalid(zone, &error))?;
        let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(|error| invalid(zone, &error))?;
        let call = self.0.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
        let answer = call.call("route53:ChangeResourceRecordSets", zone)?;
        let id = answer.change_info().map(|info| info.id()).unwrap_or_default();
        Ok(id.trim_start_matches("/change/").to_owned())
    }

    /// Whether all name servers of Route 53 have a change.
    pub async fn is_in_sync(&self, change: &str) -> Result<bool, AwsError> {
        let answer = self.0.get_change().id(change).send().await.call("route53:GetChange", change)?;
        Ok(answer.change_info().is_some_and(|info| *info.status() == ChangeStatus::Insync))
    }
}

fn invalid(zone: &str, error: &BuildError) -> AwsError {
    AwsError {
        operation: "route53:ChangeResourceRecordSets",
        object: zone.to_owned(),
        code: Some("InvalidRequest".into()),
        message: error.to_string(),
        status: None,
    }
}

fn change(change: &RecordChange) -> Result<Change, BuildError> {
    let (action, name, value, ttl) = match change {
        RecordChange::Create { name, value, ttl } => (ChangeAction::Create, name, value, ttl),
        RecordChange::Delete { name, value, ttl } => (ChangeAction::Delete, name, value, ttl),
    };
    let record = ResourceRecord::builder().value(value).build()?;
    let set =
        ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(*ttl).resource_records(record).build()?;
    Change::builder().action(action).resource_record_set(set).build()
}

fn listed(set: &ResourceRecordSet) -> ListedRecord {
    ListedRecord {
        name: set.name().to_owned(),
        kind: set.r#type().as_str().to_owned(),
        values: set.resource_records().iter().map(|record| record.value().to_owned()).collect(),
        ttl: set.ttl(),
        is_simple: set.set_identifier().is_none() && set.alias_target().is_none() && set.health_check_id().is_none(),
    }
}
