//! The account table, created with its accounts by DynamoDB's ImportTable: the way for tens of millions of accounts, which
//! needs no write units. DynamoDB takes no table that exists, so it goes before the first deployment, and what
//! ImportTable does not set the deployment adds: stream, backups, protection, replicas.
//!
//! The objects lie beside the state, under `<environment>.import/`. They contain hashes of passwords, so all of their
//! versions are deleted when DynamoDB has read them.

use std::sync::Arc;

use sftp_authorizer::account::{ORG_ID, USERNAME};
use sftpctl_accounts::TableKey;
use sftpctl_aws::{Aws, AwsError, DynamoDb, ImportFacts, ImportSource, Logs, NewTable, S3, Tags};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::state_place::StatePlace;
use tokio::time::Instant;

use crate::resources::tags::ENVIRONMENT;
use crate::wait;

/// Objects that one call deletes.
const AT_ONCE: usize = 1_000;
/// Attempts after temporary faults in a row.
const ATTEMPTS: u32 = 8;

/// Reasons for refused items that are told.
const REASONS: usize = 10;

/// The table could not be created with its accounts.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The state is in a folder.
    #[error("DynamoDB reads the accounts from a bucket, and the state is in the folder {0}")]
    NoBucket(String),
    /// There is a table, which ImportTable did not create, or is a deployment's already.
    #[error("the table {0} exists, and DynamoDB creates a new one for accounts from S3")]
    Exists(String),
    /// Some or all of the items are not in the table, or there is no table.
    #[error("DynamoDB imported {imported} of {read} items into {table}, and refused {errors}: {code}: {message}")]
    Failed {
        table: String,
        /// Items that are in the table.
        imported: u64,
        /// Items that DynamoDB has read.
        read: u64,
        /// Items that DynamoDB refused.
        errors: u64,
        code: String,
        message: String,
        /// The first of its reasons, from its log.
        reasons: Vec<String>,
        /// Whether the table exists.
        exists: bool,
    },
    /// DynamoDB goes on with the import.
    #[error("interrupted; DynamoDB goes on with the import")]
    Interrupted,
    /// DynamoDB reports success for another number of items than were given.
    #[error("{given} items were given, and DynamoDB reports {imported} in {table}, and {errors} refused")]
    Counts { table: String, given: u64, imported: u64, errors: u64, reasons: Vec<String> },
}

/// A table of an environment that is created with its accounts.
#[derive(Debug)]
pub struct Seed {
    dynamodb: DynamoDb,
    logs: Logs,
    s3: S3,
    account: String,
    table: String,
    sorted: bool,
    tags: Tags,
    bucket: String,
    /// Of the objects of all imports of this environment.
    prefix: String,
    /// Names a new import.
    id: String,
}

impl Seed {
    /// A table whose accounts go through the bucket of the state.
    ///
    /// # Errors
    /// The state is in a folder.
    pub fn new(aws: &Arc<Aws>, environment: &Environment, state: &StatePlace) -> Result<Self, SeedError> {
        let StatePlace::Bucket { bucket, prefix, region } = state else {
            return Err(SeedError::NoBucket(state.to_string()));
        };
        Ok(Self {
            dynamodb: aws.dynamodb(&environment.home_region),
            logs: aws.logs(&environment.home_region),
            s3: aws.s3(region.as_ref().unwrap_or(&environment.home_region)),
            account: environment.account.clone(),
            table: environment.table.name.clone(),
            sorted: TableKey::of(environment).has_name(),
            tags: names::tags(environment),
            bucket: bucket.clone(),
            prefix: format!("{prefix}{}.import/", environment.name),
            id: format!("{:016x}", fastrand::u64(..)),
        })
    }

    /// The import of an earlier run that is not finished: DynamoDB works on it, or the table has not got its tags yet.
    /// `clears` deletes the objects that a killed run may have left where there is none.
    ///
    /// # Errors
    /// The table exists otherwise.
    pub async fn unfinished(&self, clears: bool) -> Result<Option<ImportFacts>, SeedError> {
        let found = self.found().await;
        if clears && !matches!(found, Ok(Some(_))) {
            self.clear().await?;
        }
        found
    }

    async fn found(&self) -> Result<Option<ImportFacts>, SeedError> {
        let Some(table) = self.dynamodb.table(&self.table).await? else { return Ok(None) };
        let import = match self.dynamodb.import_of(&table.arn).await? {
            Some(arn) => Some(self.dynamodb.import(&arn).await?),
            None => None,
        };
        let exists = || SeedError::Exists(self.table.clone());
        let ours = import.filter(|import| import.prefix.starts_with(&self.prefix)).ok_or_else(exists)?;
        let tagged = match ours.is_running() {
            true => None,
            false => self.dynamodb.tags(&table.arn).await?,
        };
        if tagged.is_some_and(|tags| tags.contains_key(ENVIRONMENT)) { Err(exists()) } else { Ok(Some(ours)) }
    }

    /// Puts an object of a new import.
    ///
    /// # Errors
    /// S3's.
    pub async fn put(&self, number: usize, items: Vec<u8>) -> Result<(), SeedError> {
        let key = format!("{}{}/{number:06}.json", self.prefix, self.id);
        self.s3.put_object(&self.bucket, &key, items, &self.account).await?;
        Ok(())
    }

    /// Begins the import of the objects that were put.
    ///
    /// # Errors
    /// DynamoDB's; a table that was created meanwhile among them.
    pub async fn begin(&self) -> Result<ImportFacts, SeedError> {
        let table = NewTable {
            name: &self.table,
            key: ORG_ID,
            index: names::TABLE_INDEX,
            index_key: USERNAME,
            sorted: self.sorted,
            deletion_protection: false,
            tags: &self.tags,
        };
        let prefix = format!("{}{}/", self.prefix, self.id);
        let source = ImportSource { bucket: self.bucket.clone(), prefix, owner: self.account.clone() };
        Ok(self.dynamodb.import_table(&table, &source, &self.id).await?)
    }

    /// Waits until DynamoDB has ended an import, gives the table the environment's tags, and deletes the objects.
    /// `given` is the number of items; `None` if an earlier run has put them. `goes_on` is called with each description.
    ///
    /// # Errors
    /// The import failed. Its objects are deleted, and the table, if there is one, has the tags: a deployment completes
    /// it, and an import without S3 adds what is missing.
    pub async fn finish(
        &self,
        import: ImportFacts,
        given: Option<u64>,
        goes_on: &(dyn Fn(&ImportFacts) -> bool + Sync),
    ) -> Result<ImportFacts, SeedError> {
        let mut import = import;
        let start = Instant::now();
        while import.is_running() {
            if !goes_on(&import) {
                return Err(SeedError::Interrupted);
            }
            wait::for_poll(start.elapsed()).await;
            import = match self.dynamodb.import(&import.arn).await {
                Err(error) if error.is_transient() => continue,
                other => other?,
            };
        }
        goes_on(&import);
        // Before the tags, which say that nothing is left to do.
        self.clear().await?;
        let table = self.dynamodb.table(&self.table).await?;
        if let Some(table) = &table {
            self.dynamodb.tag(&table.arn, &self.tags).await?;
        }
        if !import.is_complete() {
            let (code, message) = import.failure.clone().unwrap_or_else(|| (import.status.clone(), String::new()));
            let (imported, read, errors) = (import.imported, import.processed, import.errors);
            let reasons = self.reasons(&import).await;
            return Err(SeedError::Failed {
                table: self.table.clone(),
                imported,
                read,
                errors,
                code,
                message,
                reasons,
                exists: table.is_some(),
            });
        }
        let given = given.unwrap_or(import.processed);
        if given != import.imported || import.errors > 0 {
            let reasons = self.reasons(&import).await;
            let (imported, errors) = (import.imported, import.errors);
            return Err(SeedError::Counts { table: self.table.clone(), given, imported, errors, reasons });
        }
        Ok(import)
    }

    /// The first reasons for which DynamoDB refused items, from its log; why they could not be read, otherwise.
    async fn reasons(&self, import: &ImportFacts) -> Vec<String> {
        if import.errors == 0 {
            return Vec::new();
        }
        let (group, stream) = (&import.log_group, import.error_stream());
        match self.logs.first_of_stream(group, &stream, REASONS).await {
            Ok(lines) if lines.is_empty() => vec![format!("the log {group}, {stream} has no lines yet")],
            Ok(lines) => lines.iter().map(|line| reason(line)).collect(),
            Err(error) => vec![format!("the log {group} could not be read: {error}")],
        }
    }

    /// Deletes all versions of the objects of all imports of the environment.
    ///
    /// # Errors
    /// S3's.
    pub async fn clear(&self) -> Result<(), SeedError> {
        let versions = self.s3.versions_below(&self.bucket, &self.prefix).await?;
        for some in versions.chunks(AT_ONCE) {
            let mut attempt = 0;
            while let Err(error) = self.s3.delete_versions(&self.bucket, some).await {
                if !error.is_transient() || attempt == ATTEMPTS {
                    return Err(error.into());
                }
                wait::for_another_attempt(attempt).await;
                attempt += 1;
            }
        }
        Ok(())
    }
}

/// What a line of the log says: `item 17 of 000002.json: …`. The line itself has no values of the item.
fn reason(line: &str) -> String {
    let Ok(parsed) = serde_json::from_str::<serde_json::Value>(line) else { return line.to_owned() };
    let messages = parsed["errorMessages"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let messages: Vec<&str> = messages.collect();
    let pointer = &parsed["itemS3Pointer"];
    let (Some(key), false) = (pointer["key"].as_str(), messages.is_empty()) else { return line.to_owned() };
    let object = key.rsplit('/').next().unwrap_or(key);
    let item = pointer["itemIndex"].as_u64().map_or_else(String::new, |index| format!("item {index} of "));
    format!("{item}{object}: {}", messages.join("; "))
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn reasons_name_the_item_and_its_object() {
        let line = r#"{"itemS3Pointer":{"bucket":"b","key":"runs/99.import/x/000002.json","itemIndex":17},"importArn":"a","errorMessages":["no key","too large"]}"#;
        assert_eq!(reason(line), "item 17 of 000002.json: no key; too large");
        for other in ["text", "{}", r#"{"errorMessages":["x"]}"#] {
            assert_eq!(reason(other), other);
        }
    }
}
