//! The global table: creation, replicas (version 2019.11.21), tags, backups.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, CreateReplicationGroupMemberAction,
    DeleteReplicationGroupMemberAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, IndexStatus,
    KeySchemaElement, KeyType, PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, Projection, ProjectionType,
    ReplicationGroupUpdate, ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, Tag,
    TimeToLiveStatus,
};

use aws_smithy_types::error::operation::BuildError;

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct DynamoDb(pub(super) aws_sdk_dynamodb::Client);

/// A table to create: on-demand, with a stream of new and old images, and one index.
#[derive(Clone, Debug)]
pub struct NewTable<'a> {
    pub name: &'a str,
    /// Partition key, a number.
    pub key: &'a str,
    pub index: &'a str,
    /// Partition key of the index, a string.
    pub index_key: &'a str,
    /// Whether the index's key is also the sort key of the table.
    pub sorted: bool,
    /// Whether deletion is refused.
    pub deletion_protection: bool,
    pub tags: &'a Tags,
}

#[derive(Clone, Debug, Default)]
pub struct TableFacts {
    pub arn: String,
    /// `ACTIVE`, `UPDATING`, …
    pub status: String,
    /// `orgid (N)`, with a sort key `orgid (N) + username (S)`.
    pub key: String,
    /// One for each index: `username-index: username (S)`.
    pub indexes: Vec<String>,
    /// Whether an index is still being built.
    pub indexing: bool,
    /// `PAY_PER_REQUEST` or `PROVISIONED`.
    pub billing: String,
    /// `NEW_AND_OLD_IMAGES`; `None` without a stream.
    pub stream: Option<String>,
    /// Whether deletion is refused.
    pub deletion_protection: bool,
    /// ARN of the encryption key; `None` for a key that AWS owns.
    pub key_arn: Option<String>,
    /// Other regions, each with the status of its replica.
    pub replicas: Vec<(String, String)>,
}

const MISSING: &[&str] = &["ResourceNotFound", "TableNotFound"];

impl DynamoDb {
    pub async fn table(&self, name: &str) -> Result<Option<TableFacts>, AwsError> {
        let call = self.0.describe_table().table_name(name).send().await.call("dynamodb:DescribeTable", name);
        Ok(call.or_missing(MISSING)?.and_then(|answer| answer.table).map(|table| facts(&table)))
    }

    /// Whether it is a global table of version 2017.11.29, which has its own calls (DynamoDB developer guide,
    /// "Determining the version of a global table").
    pub async fn is_legacy_global(&self, name: &str) -> Result<bool, AwsError> {
        let call = self.0.describe_global_table().global_table_name(name).send().await;
        let call = call.call("dynamodb:DescribeGlobalTable", name);
        // An endpoint that does not support the call has no such tables.
        Ok(call.or_missing(&["GlobalTableNotFound", "ResourceNotFound", "UnknownOperation"])?.is_some())
    }

    /// The attribute with the expiry time of items; `None` without expiry.
    pub async fn expiry(&self, name: &str) -> Result<Option<String>, AwsError> {
        let call = self.0.describe_time_to_live().table_name(name).send().await;
        let answer = call.call("dynamodb:DescribeTimeToLive", name)?;
        let on = |status: &TimeToLiveStatus| matches!(status, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling);
        let expiry = answer.time_to_live_description().filter(|ttl| ttl.time_to_live_status().is_some_and(on));
        Ok(expiry.and_then(|ttl| ttl.attribute_name().map(str::to_owned)))
    }

    /// Creates a table; if it exists already, the error is `ResourceInUse`.
    pub async fn create(&self, table: NewTable<'_>) -> Result<(), AwsError> {
        let invalid = |error: BuildError| AwsError {
            operation: "dynamodb:CreateTable",
            object: table.name.to_owned(),
            code: Some("InvalidRequest".into()),
            message: error.to_string(),
            status: None,
        };
        let schema = schema(&table).map_err(invalid)?;
        self.0
            .create_table()
            .table_name(table.name)
            .set_attribute_definitions(Some(schema.attributes))
            .set_key_schema(Some(schema.key))
            .global_secondary_indexes(schema.index)
            .billing_mode(BillingMode::PayPerRequest)
            .stream_specification(stream().map_err(invalid)?)
            .deletion_protection_enabled(table.deletion_protection)
            .set_tags(Some(tagged(table.tags)))
            .send()
            .await
            .call("dynamodb:CreateTable", table.name)
            .map(drop)
    }

    /// Begins to add the index on a string attribute.
    pub async fn add_index(&self, name: &str, index: &str, key: &str) -> Result<(), AwsError> {
        // All members are set, so the builders cannot refuse.
        let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash).build().ok();
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(index)
            .set_key_schema(Some(schema.into_iter().collect()))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .ok();
        let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        self.0
            .update_table()
            .table_name(name)
            .set_attribute_definitions(Some(attribute.build().ok().into_iter().collect()))
            .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().set_create(create).build())
            .send()
            .await
            .call("dynamodb:UpdateTable", name)
            .map(drop)
    }

    /// Turns the stream on, which replicas need.
    pub async fn enable_stream(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.update_table().table_name(name).set_stream_specification(stream().ok());
        call.send().await.call("dynamodb:UpdateTable", name).map(drop)
    }

    pub async fn set_on_demand(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.update_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        call.send().await.call("dynamodb:UpdateTable", name).map(drop)
    }

    /// Turns deletion protection of this region's table on or off.
    pub async fn protect(&self, name: &str, on: bool) -> Result<(), AwsError> {
        let call = self.0.update_table().table_name(name).deletion_protection_enabled(on);
        call.send().await.call("dynamodb:UpdateTable", name).map(drop)
    }

    /// Begins to create a replica in `region`; called in the home region.
    pub async fn add_replica(&self, name: &str, region: &str) -> Result<(), AwsError> {
        let create = CreateReplicationGroupMemberAction::builder().region_name(region).build().ok();
        let update = ReplicationGroupUpdate::builder().set_create(create).build();
        self.0
            .update_table()
            .table_name(name)
            .replica_updates(update)
            .send()
            .await
            .call("dynamodb:UpdateTable", name)
            .map(drop)
    }

    /// Begins to remove a replica; called in the home region.
    pub async fn remove_replica(&self, name: &str, region: &str) -> Result<(), AwsError> {
        let delete = DeleteReplicationGroupMemberAction::builder().region_name(region).build().ok();
        let update = ReplicationGroupUpdate::builder().set_delete(delete).build();
        self.0
            .update_table()
            .table_name(name)
            .replica_updates(update)
            .send()
            .await
            .call("dynamodb:UpdateTable", name)
            .map(drop)
    }

    /// Deletes the table; missing is fine.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.delete_table().table_name(name).send().await.call("dynamodb:DeleteTable", name);
        call.or_missing(MISSING).map(drop)
    }

    /// Tags of the table in this region; `None` while it is being created or deleted, when AWS does not find the table
    /// by its ARN although DescribeTable shows it (cloud-custodian#3361, cortexproject/cortex#1369).
    pub async fn tags(&self, arn: &str) -> Result<Option<Tags>, AwsError> {
        let mut tags = Tags::new();
        let mut pages = self.0.list_tags_of_resource().resource_arn(arn).send().await;
        loop {
            let page = match pages.call("dynamodb:ListTagsOfResource", arn) {
                // As MiniStack answers for a table that is gone. Whether AWS does is not known; a table that exists and
                // may not be read stays an error.
                Err(error)
                    if error.is_access_denied()
                        && self.table(arn.rsplit('/').next().unwrap_or_default()).await?.is_none() =>
                {
                    return Ok(None);
                }
                page => page,
            };
            let Some(page) = page.or_missing(MISSING)? else { return Ok(None) };
            tags.extend(page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
            match page.next_token() {
                None => return Ok(Some(tags)),
                Some(token) => pages = self.0.list_tags_of_resource().resource_arn(arn).next_token(token).send().await,
            }
        }
    }

    /// Adds tags to the table in this region.
    pub async fn tag(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = self.0.tag_resource().resource_arn(arn).set_tags(Some(tagged(tags))).send().await;
        call.call("dynamodb:TagResource", arn).map(drop)
    }

    /// Whether point-in-time recovery is on in this region.
    pub async fn recovery(&self, name: &str) -> Result<bool, AwsError> {
        let call = self.0.describe_continuous_backups().table_name(name).send().await;
        let answer = call.call("dynamodb:DescribeContinuousBackups", name)?;
        let backups = answer.continuous_backups_description();
        let recovery = backups.and_then(|b| b.point_in_time_recovery_description());
        Ok(recovery.and_then(|r| r.point_in_time_recovery_status()) == Some(&PointInTimeRecoveryStatus::Enabled))
    }

    /// Turns point-in-time recovery on or off.
    pub async fn set_recovery(&self, name: &str, on: bool) -> Result<(), AwsError> {
        let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build().ok();
        let call =
            self.0.update_continuous_backups().table_name(name).set_point_in_time_recovery_specification(recovery);
        call.send().await.call("dynamodb:UpdateContinuousBackups", name).map(drop)
    }
}

/// The keys of a table and its index.
pub(super) struct Schema {
    pub(super) attributes: Vec<AttributeDefinition>,
    pub(super) key: Vec<KeySchemaElement>,
    pub(super) index: GlobalSecondaryIndex,
}

/// The schema of a table to create.
pub(super) fn schema(table: &NewTable<'_>) -> Result<Schema, BuildError> {
    let attribute = |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let mut key = vec![element(table.key, KeyType::Hash)?];
    if table.sorted {
        key.push(element(table.index_key, KeyType::Range)?);
    }
    let index = GlobalSecondaryIndex::builder()
        .index_name(table.index)
        .key_schema(element(table.index_key, KeyType::Hash)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()?;
    let attributes =
        vec![attribute(table.key, ScalarAttributeType::N)?, attribute(table.index_key, ScalarAttributeType::S)?];
    Ok(Schema { attributes, key, index })
}

fn stream() -> Result<StreamSpecification, BuildError> {
    StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages).build()
}

fn tagged(tags: &Tags) -> Vec<Tag> {
    // Both members are set, so the builder cannot refuse.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn facts(table: &TableDescription) -> TableFacts {
    let kind = |name: &str| {
        let attribute = table.attribute_definitions().iter().find(|a| a.attribute_name() == name);
        attribute.map_or("?", |a| a.attribute_type().as_str())
    };
    let keys = |schema: &[KeySchemaElement]| {
        let keys: Vec<_> =
            schema.iter().map(|k| format!("{} ({})", k.attribute_name(), kind(k.attribute_name()))).collect();
        keys.join(" + ")
    };
    let mut indexes: Vec<_> = table
        .global_secondary_indexes()
        .iter()
        .map(|index| format!("{}: {}", index.index_name().unwrap_or_default(), keys(index.key_schema())))
        .collect();
    indexes.sort();
    let arn = table.table_arn().unwrap_or_default();
    // Some emulators list the table itself among its replicas.
    let own_region = arn.split(':').nth(3).unwrap_or_default().to_owned();
    TableFacts {
        arn: arn.to_owned(),
        status: table.table_status().map_or_else(String::new, |s| s.as_str().to_owned()),
        key: keys(table.key_schema()),
        indexes,
        indexing: table
            .global_secondary_indexes()
            .iter()
            .any(|i| i.index_status().is_some_and(|s| *s != IndexStatus::Active)),
        billing: table
            .billing_mode_summary()
            .and_then(|b| b.billing_mode())
            .map_or("PROVISIONED", BillingMode::as_str)
            .to_owned(),
        stream: table
            .stream_specification()
            .filter(|s| s.stream_enabled())
            .and_then(|s| s.stream_view_type())
            .map(|v| v.as_str().to_owned()),
        deletion_protection: table.deletion_protection_enabled().unwrap_or(false),
        key_arn: table.sse_description().and_then(|sse| sse.kms_master_key_arn()).map(str::to_owned),
        replicas: table
            .replicas()
            .iter()
            .filter(|r| r.region_name() != Some(own_region.as_str()))
            .map(|r| {
                let status = r.replica_status().map_or("ACTIVE", |s| s.as_str());
                (r.region_name().unwrap_or_default().to_owned(), status.to_owned())
            })
            .collect(),
    }
}
