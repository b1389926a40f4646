//! The account table in its home region.
//!
//! It is not in the template: the table outlives the stacks and is shared by them, and its replicas belong to one
//! table, not to three stacks. One `UpdateTable` takes one kind of change, so each mutation here changes one property.
//! Deleting it deletes every customer's account: only `teardown --delete-data` does so, and not if it has deletion
//! protection.

use async_trait::async_trait;
use serde_json::Value;
use sftp_authorizer::account::{ORG_ID, USERNAME};
use sftpctl_accounts::TableKey;
use sftpctl_aws::{Aws, AwsError, NewTable, TableFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{
    Actual, Change, Live, Properties, PropertyChange, Removal, RemovalOptions, Settled, compare,
};
use sftpctl_core::node::{Node, difference};

use super::tags;
use super::witness::Witness;
use crate::resources::resource::{Resource, ResourceError};

/// The view of the stream that replicas need.
const STREAM: &str = "NEW_AND_OLD_IMAGES";

/// Properties that no run changes.
const EXPIRY: &str = "time to live";
const KEY_ARN: &str = "encryption key";
const MORE_REPLICAS: &str = "more replicas";

/// The stacks' parameter with the table's name.
pub(super) const TABLE_NAME: &str = "TableName";

#[derive(Clone, Debug)]
pub struct Table {
    pub id: NodeId,
    pub region: String,
    pub name: String,
    pub key: TableKey,
    /// Name of the index on user names.
    pub index: &'static str,
    /// Other regions with replicas.
    pub replicas: Vec<String>,
    /// Point-in-time recovery, in the home region only.
    pub recovery: bool,
    pub protection: bool,
    pub tags: Tags,
    pub witness: Witness,
}

/// Whether a table is ready for changes.
pub(super) fn settled(table: &TableFacts) -> Settled {
    match table.status.as_str() {
        "ACTIVE" if table.indexing => Settled::Pending("building the index".into()),
        "ACTIVE" => {
            let waiting = table.replicas.iter().filter(|(_, status)| status != "ACTIVE");
            // A replica that failed is reported before one that is still changing.
            match waiting.max_by_key(|(_, status)| has_failed(status)) {
                Some((region, status)) if has_failed(status) => {
                    Settled::Failed(format!("the replica in {region} is {}", explained(status)))
                }
                Some((region, status)) => Settled::Pending(format!("the replica in {region} is {status}")),
                None => Settled::Ready,
            }
        }
        failed if has_failed(failed) => Settled::Failed(explained(failed)),
        other => Settled::Pending(other.to_owned()),
    }
}

/// Statuses of tables and replicas that do not change by themselves, and what to do (Amazon DynamoDB API reference,
/// `TableDescription` and `ReplicaDescription`).
const FAILED: [(&str, &str); 7] = [
    ("ARCHIVED", "DynamoDB could not use its encryption key for 7 days and archived it; restore it from its backup"),
    ("ARCHIVING", "DynamoDB could not use its encryption key for 7 days and archives it; restore it from its backup"),
    ("CREATION_FAILED", "remove the region from `table.regions`, deploy, and add it again"),
    ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "DynamoDB cannot use its encryption key; enable the key and its grant"),
    (
        "REGION_DISABLED",
        "the region is disabled in this AWS account, and AWS makes the replica a table of its own after 20 hours; \
         enable the region, or remove it from `table.regions`",
    ),
    (
        "REPLICATION_NOT_AUTHORIZED",
        "a policy denies replication; allow the service-linked role AWSServiceRoleForDynamoDBReplication",
    ),
    ("UPDATE_FAILED", "read its last change in CloudTrail, then deploy again"),
];

/// Whether a table or replica with this status will not get ready by itself.
pub(super) fn has_failed(status: &str) -> bool {
    FAILED.iter().any(|(failed, _)| *failed == status) || status.ends_with("_FAILED")
}

/// The status with what to do about it.
pub(super) fn explained(status: &str) -> String {
    match FAILED.iter().find(|(failed, _)| *failed == status) {
        Some((_, advice)) => format!("{status}: {advice}"),
        None => status.to_owned(),
    }
}

/// The change of a table or a replica. What is being deleted is not changed: it is created again.
pub(super) fn change(wanted: &Properties, live: Option<&Live>) -> Option<Change> {
    let change = difference(wanted, live)?;
    let is_deleted = live.is_some_and(|live| live.settled == Settled::Pending("DELETING".to_owned()));
    match is_deleted {
        true => Some(Change::new(change.action, "it is being deleted; once it is gone, it is created again")),
        false => Some(change),
    }
}

/// The key in the form of [`TableFacts`].
fn schema(key: TableKey) -> String {
    let sort = if key.has_name() { format!(" + {USERNAME} (S)") } else { String::new() };
    format!("{ORG_ID} (N){sort}")
}

impl Table {
    fn index_schema(&self) -> String {
        format!("{}: {USERNAME} (S)", self.index)
    }

    /// The way out if the live table has another key.
    fn key_advice(&self, have: &str) -> String {
        let other = if self.key.has_name() { TableKey::Organisation } else { TableKey::OrganisationAndName };
        let setting = if other.has_name() { "many" } else { "one" };
        let keep = match have == schema(other) {
            true => format!("Set `accounts: {{ per_organisation: {setting} }}`, as the table has it; or give"),
            false => "Give".to_owned(),
        };
        format!("{keep} the environment another table (`table: {{ name: … }}`) and copy the accounts into it")
    }
}

impl Node for Table {
    fn kind(&self) -> Kind {
        Kind::Table
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        change(&self.wanted(actual), live)
    }

    fn title(&self) -> String {
        format!("table {}", self.name)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([
            ("key", schema(self.key).into()),
            ("index", self.index_schema().into()),
            ("billing", "PAY_PER_REQUEST".into()),
            ("stream", STREAM.into()),
            ("deletion protection", self.protection.into()),
            ("point-in-time recovery", self.recovery.into()),
            ("tags", tags::wanted(&self.tags).into()),
        ])
    }

    /// Differences in properties that AWS cannot change, reported before the deployment begins.
    fn refusal(&self, live: &Live) -> Option<String> {
        let text = |name: &str| live.properties.get(name).and_then(Value::as_str);
        let title = self.title();
        let key = schema(self.key);
        if let Some(have) = text("key").filter(|have| *have != key) {
            return Some(format!(
                "{title} has the key {have}, not {key}, and a table's key never changes. {}",
                self.key_advice(have)
            ));
        }
        if let Some(have) = text("stream").filter(|have| *have != STREAM) {
            return Some(format!(
                "{title} has a stream of {have}, not of {STREAM}, and AWS does not change the view of a stream that is \
                 on. Find out who reads it (aws dynamodbstreams list-streams --region {} --table-name {}), then turn \
                 it off: aws dynamodb update-table --region {} --table-name {} --stream-specification \
                 StreamEnabled=false; the next deployment turns it on with {STREAM}",
                self.region, self.name, self.region, self.name
            ));
        }
        let index = self.index_schema();
        let have = text("index").filter(|have| *have != index)?;
        Some(format!(
            "{title} has the index {have}, not {index}, and an index's key never changes. Delete it once nothing \
             queries it: aws dynamodb update-table --region {} --table-name {} --global-secondary-index-updates \
             '[{{\"Delete\":{{\"IndexName\":\"{}\"}}}}]'; the next deployment creates it again",
            self.region, self.name, self.index
        ))
    }
}

#[async_trait]
impl Resource for Table {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let dynamodb = aws.dynamodb(&self.region);
        let Some(table) = dynamodb.table(&self.name).await? else { return Ok(None) };
        let index = table.indexes.iter().find(|index| index.starts_with(&format!("{}:", self.index))).cloned();
        let live = Live::new(&table.arn).settled(settled(&table));
        // A missing replica is reported by its own node.
        let regions = table.replicas.iter().map(|(region, _)| region.as_str());
        let more: Value = regions.filter(|one| !self.replicas.iter().any(|region| region == one)).collect();
        if table.status == "CREATING" || table.status == "DELETING" {
            return Ok(Some(live));
        }
        let (have, recovery) = tokio::try_join!(dynamodb.tags(&table.arn), dynamodb.recovery(&self.name))?;
        let remembered = known == Some(table.arn.as_str());
        let Some(have) = have else { return Ok(Some(live.settled(Settled::Pending("without tags yet".into())))) };
        let refers = self.witness.parameter(aws, TABLE_NAME, &self.name);
        Ok(Some(
            live.owned_by(self.witness.owner(&have, &self.title(), remembered, refers).await?)
                .with("key", table.key)
                .with("index", index)
                .with("billing", table.billing)
                .with("stream", table.stream)
                .with("deletion protection", table.deletion_protection)
                .with("point-in-time recovery", recovery)
                .with("tags", tags::live(&have, &self.tags))
                .with(KEY_ARN, table.key_arn)
                .with(MORE_REPLICAS, more),
        ))
    }

    async fn unmanaged(&self, aws: &Aws, live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        // A table that is being created has only some properties.
        if !live.properties.contains_key(MORE_REPLICAS) {
            return Ok(Vec::new());
        }
        let mut have = live.properties.clone();
        have.insert(EXPIRY, aws.dynamodb(&self.region).expiry(&self.name).await?.into());
        let expected = Properties::from([
            (EXPIRY, Value::Null.into()),
            (KEY_ARN, Value::Null.into()),
            (MORE_REPLICAS, Value::Array(Vec::new()).into()),
        ]);
        Ok(compare(&expected, &have))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let dynamodb = aws.dynamodb(&self.region);
        let Some(live) = live else {
            let new = NewTable {
                name: &self.name,
                key: ORG_ID,
                index: self.index,
                index_key: USERNAME,
                sorted: self.key.has_name(),
                deletion_protection: self.protection,
                tags: &self.tags,
            };
            return Ok(dynamodb.create(new).await?);
        };
        if let Some(why) = self.refusal(live) {
            return Err(ResourceError::Refused(why));
        }
        if change.touches("billing") {
            dynamodb.set_on_demand(&self.name).await?;
        } else if change.touches("stream") {
            dynamodb.enable_stream(&self.name).await?;
        } else if change.touches("index") {
            dynamodb.add_index(&self.name, self.index, USERNAME).await?;
        } else if change.touches("deletion protection") {
            dynamodb.protect(&self.name, self.protection).await?;
        } else if change.touches("point-in-time recovery") {
            dynamodb.set_recovery(&self.name, self.recovery).await?;
        } else {
            dynamodb.tag(&live.identity, &self.tags).await?;
        }
        Ok(())
    }

    async fn removal(&self, _aws: &Aws, live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(match options.delete_data {
            true => protected(live, &self.title()).map_or(Removal::Delete, Removal::Refuse),
            false => Removal::Keep("it holds the accounts; --delete-data deletes it".into()),
        })
    }

    async fn adoptable(&self, aws: &Aws, live: &Live) -> Result<Tags, ResourceError> {
        let dynamodb = aws.dynamodb(&self.region);
        if dynamodb.is_legacy_global(&self.name).await? {
            return Err(ResourceError::Refused(format!(
                "{} is a global table of version 2017.11.29, to which no replica can be added. Upgrade it first: in \
                 the DynamoDB console, open the table, then Global tables, Update version",
                self.title()
            )));
        }
        tags::adopting(&dynamodb.tags(&live.identity).await?.unwrap_or_default(), &self.tags, &self.title())
    }

    async fn adopt(&self, aws: &Aws, live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        Ok(aws.dynamodb(&self.region).tag(&live.identity, tags).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        refuse_protected(live, &self.title())?;
        match aws.dynamodb(&self.region).delete(&self.name).await {
            Err(error) if error.message.contains("last 24 hours") => Err(ResourceError::NotYet(format!(
                "{} cannot be deleted yet: AWS keeps a table for 24 hours after it was the source of a replica. \
                 Rerun the same command tomorrow; everything else is done",
                self.title()
            ))),
            other => Ok(other?),
        }
    }
}

/// Why a table with deletion protection is not deleted. It is checked when a teardown is planned, before anything is
/// deleted.
pub(super) fn protected(live: &Live, title: &str) -> Option<String> {
    (live.properties.get("deletion protection") == Some(&Value::Bool(true))).then(|| {
        format!(
            "{title} has deletion protection; set `table: {{ deletion_protection: false }}` in the environment file, \
             deploy, and tear down again"
        )
    })
}

/// Checks for deletion protection again in the deletion step.
pub(super) fn refuse_protected(live: &Live, title: &str) -> Result<(), ResourceError> {
    protected(live, title).map_or(Ok(()), |why| Err(ResourceError::Refused(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(status: &str, replicas: &[&str]) -> Settled {
        let replicas = replicas.iter().enumerate().map(|(n, status)| (format!("r{n}"), (*status).to_owned())).collect();
        settled(&TableFacts { status: status.to_owned(), replicas, ..TableFacts::default() })
    }

    /// The statuses in DynamoDB's service model.
    #[test]
    fn every_status_is_ready_pending_or_failed() {
        assert_eq!(with("ACTIVE", &["ACTIVE"]), Settled::Ready);
        for status in ["CREATING", "UPDATING", "DELETING"] {
            assert!(matches!(with(status, &[]), Settled::Pending(_)), "{status}");
            assert!(matches!(with("ACTIVE", &["ACTIVE", status]), Settled::Pending(_)), "replica {status}");
        }
        for status in [
            "ARCHIVED",
            "ARCHIVING",
            "CREATION_FAILED",
            "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
            "REGION_DISABLED",
            "REPLICATION_NOT_AUTHORIZED",
        ] {
            let Settled::Failed(why) = with("ACTIVE", &["CREATING", status, "UPDATING"]) else { panic!("{status}") };
            assert!(why.starts_with(&format!("the replica in r1 is {status}: ")), "{why}");
        }
    }
}
