//! Creation of a table with content from S3: DynamoDB's ImportTable, which takes no table that exists.

use aws_sdk_dynamodb::types::{
    BillingMode, ImportStatus, ImportTableDescription, InputCompressionType, InputFormat, S3BucketSource,
    TableCreationParameters,
};

use super::AwsError;
use super::dynamodb::{DynamoDb, NewTable, schema};
use super::error::{Call as _, OrMissing as _};

/// Where the items are: objects in DynamoDB JSON, one item to a line, below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSource {
    pub bucket: String,
    pub prefix: String,
    /// The account that owns the bucket.
    pub owner: String,
}

/// An import, as DynamoDB describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFacts {
    pub arn: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`, …
    pub status: String,
    /// The prefix of its objects.
    pub prefix: String,
    /// Items that were read.
    pub processed: u64,
    /// Items that were written, of which several may have had one key.
    pub imported: u64,
    /// Items that were not written.
    pub errors: u64,
    /// What failed: a code, and AWS's words.
    pub failure: Option<(String, String)>,
    /// The log group with a line for each item that was not written; AWS's own unless the answer names another.
    pub log_group: String,
}

impl ImportFacts {
    /// Whether DynamoDB still works on it.
    pub fn is_running(&self) -> bool {
        ["IN_PROGRESS", "CANCELLING"].contains(&&*self.status)
    }

    /// The stream of the log group that has its refused items (Amazon DynamoDB developer guide, "Validation errors").
    pub fn error_stream(&self) -> String {
        format!("{}/error", self.arn.rsplit('/').next().unwrap_or_default())
    }

    /// Whether all of its items are in the table.
    pub fn is_complete(&self) -> bool {
        self.status == ImportStatus::Completed.as_str()
    }
}

impl DynamoDb {
    /// Begins to create a table, on-demand and with its index, from the objects of `source`. `token` makes a repetition
    /// within eight hours the same import. The table has no stream, tags or protection yet: this call takes none
    /// (Amazon DynamoDB API reference, `TableCreationParameters`).
    pub async fn import_table(
        &self,
        table: &NewTable<'_>,
        source: &ImportSource,
        token: &str,
    ) -> Result<ImportFacts, AwsError> {
        let invalid = |error: aws_smithy_types::error::operation::BuildError| AwsError {
            operation: "dynamodb:ImportTable",
            object: table.name.to_owned(),
            code: Some("InvalidRequest".into()),
            message: error.to_string(),
            status: None,
        };
        let schema = schema(table).map_err(invalid)?;
        let parameters = TableCreationParameters::builder()
            .table_name(table.name)
            .set_attribute_definitions(Some(schema.attributes))
            .set_key_schema(Some(schema.key))
            .global_secondary_indexes(schema.index)
            .billing_mode(BillingMode::PayPerRequest)
            .build()
            .map_err(invalid)?;
        let objects = S3BucketSource::builder()
            .s3_bucket_owner(&source.owner)
            .s3_bucket(&source.bucket)
            .s3_key_prefix(&source.prefix)
            .build()
            .map_err(invalid)?;
        let call = self
            .0
            .import_table()
            .client_token(token)
            .s3_bucket_source(objects)
            .input_format(InputFormat::DynamodbJson)
            .input_compression_type(InputCompressionType::None)
            .table_creation_parameters(parameters);
        let answer = call.send().await.call("dynamodb:ImportTable", table.name)?;
        Ok(answer.import_table_description().map_or_else(unknown, facts))
    }

    /// An import by its ARN.
    pub async fn import(&self, arn: &str) -> Result<ImportFacts, AwsError> {
        let answer = self.0.describe_import().import_arn(arn).send().await.call("dynamodb:DescribeImport", arn)?;
        Ok(answer.import_table_description().map_or_else(unknown, facts))
    }

    /// The ARN of the last import that created a table; `None` if it was created otherwise, or more than 90 days ago.
    pub async fn import_of(&self, table_arn: &str) -> Result<Option<String>, AwsError> {
        let call = self.0.list_imports().table_arn(table_arn).send().await.call("dynamodb:ListImports", table_arn);
        let Some(answer) = call.or_missing(&["ResourceNotFound"])? else { return Ok(None) };
        let last = answer.import_summary_list().iter().max_by_key(|import| import.start_time().map(|time| time.secs()));
        Ok(last.and_then(|import| import.import_arn()).map(str::to_owned))
    }
}

fn unknown() -> ImportFacts {
    facts(&ImportTableDescription::builder().build())
}

fn facts(import: &ImportTableDescription) -> ImportFacts {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    ImportFacts {
        arn: import.import_arn().unwrap_or_default().to_owned(),
        status: import.import_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        prefix: import.s3_bucket_source().and_then(|source| source.s3_key_prefix()).unwrap_or_default().to_owned(),
        processed: count(import.processed_item_count()),
        imported: count(import.imported_item_count()),
        errors: count(import.error_count()),
        log_group: import
            .cloud_watch_log_group_arn()
            .and_then(|arn| arn.split(":log-group:").nth(1))
            .map_or("/aws-dynamodb/imports", |name| name.trim_end_matches(":*"))
            .to_owned(),
        failure: import
            .failure_code()
            .map(|code| (code.to_owned(), import.failure_message().unwrap_or_default().to_owned())),
    }
}
