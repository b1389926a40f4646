//! `users import --via-s3`: the new accounts go to objects beside the state, from which DynamoDB creates the table.

use std::sync::Arc;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::streams;
use sftpctl_accounts::bulk::watch::{Progress, Watch};
use sftpctl_accounts::import::objects::{self, ObjectsError};
use sftpctl_accounts::import::review::Review;
use sftpctl_accounts::import::write::Written;
use sftpctl_aws::{Aws, ImportFacts};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_core::text::counted;
use sftpctl_engine::seed::{Seed, SeedError};

/// US dollars for a GB of items ("Amazon DynamoDB pricing", import from Amazon S3, us-east-1, November 2026).
const PER_GB: f64 = 0.15;

/// The table to create.
pub(super) struct ViaS3 {
    seed: Seed,
    environment: String,
}

impl ViaS3 {
    pub(super) fn new(aws: &Arc<Aws>, environment: &Environment, state: &StatePlace) -> Result<Self, CliError> {
        let seed = Seed::new(aws, environment, state).map_err(|error| failed(error, &environment.name))?;
        Ok(Self { seed, environment: environment.name.clone() })
    }

    /// Finishes the import of an earlier run; `None` if there is none. `writes` is false for a run that changes nothing.
    ///
    /// # Errors
    /// The table exists and was not created by such an import, or that import failed; or it is not finished, and this
    /// run changes nothing.
    pub(super) async fn resume(&self, writes: bool, watch: &dyn Watch) -> Result<Option<ImportFacts>, CliError> {
        let failed = |error| failed(error, &self.environment);
        let Some(import) = self.seed.unfinished(writes).await.map_err(failed)? else { return Ok(None) };
        if !writes {
            return Err(CliError::new(Exit::Refused, "an earlier import into this table is not finished")
                .hint("pass the same command without --dry-run, which finishes it"));
        }
        streams::progress("an earlier import into this table is finished first");
        let goes_on = |import: &ImportFacts| {
            watch.progress(Progress::Importing { done: import.processed, of: None });
            !watch.is_stopping()
        };
        self.seed.finish(import, None, &goes_on).await.map(Some).map_err(failed)
    }

    /// What the import will cost, in words.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub(super) async fn estimate(&self, review: &mut Review, environment: &Environment) -> Result<String, CliError> {
        let mut bytes = 0;
        let count = objects::write(review, environment, async |_, object| {
            bytes += object.len() as u64;
            Ok::<(), SeedError>(())
        });
        let items = count.await.map_err(|error| self.unwritten(error))?;
        Ok(estimate(items, bytes))
    }

    /// Puts the objects, and has DynamoDB create the table from them.
    ///
    /// # Errors
    /// S3 or DynamoDB refused; or not all items are in the table.
    pub(super) async fn write(
        &self,
        review: &mut Review,
        environment: &Environment,
        watch: &dyn Watch,
    ) -> Result<Written, CliError> {
        let of = review.counts.new;
        let put = objects::write(review, environment, async |number, object| {
            if watch.is_stopping() {
                return Err(SeedError::Interrupted);
            }
            self.seed.put(number, object).await
        });
        let begun = match put.await {
            Ok(items) => self.seed.begin().await.map(|import| (import, items)).map_err(ObjectsError::Put),
            Err(error) => Err(error),
        };
        let (import, items) = match begun {
            Ok(begun) => begun,
            // DynamoDB may have begun, and read the objects.
            Err(ObjectsError::Put(SeedError::Aws(error))) if error.is_transient() || error.is_cut_short() => {
                let hint = "rerun the same command: it finishes the import if DynamoDB has begun it";
                return Err(CliError::from_error(Exit::Failed, &error, Some(hint.to_owned())));
            }
            Err(error) => {
                // Nothing reads them any more. The first error is the one to show.
                if let Err(left) = self.seed.clear().await {
                    streams::progress(format!("warning: the objects of the import were not deleted: {left}"));
                }
                return Err(match error {
                    ObjectsError::Put(SeedError::Interrupted) => {
                        CliError::new(Exit::Interrupted, "interrupted; nothing was written")
                    }
                    error => self.unwritten(error),
                });
            }
        };
        let goes_on = |import: &ImportFacts| {
            watch.progress(Progress::Importing { done: import.processed, of: Some(items) });
            !watch.is_stopping()
        };
        let finished = self.seed.finish(import, Some(items), &goes_on).await;
        finished.map_err(|error| failed(error, &self.environment))?;
        Ok(Written { new: of, ..Written::default() })
    }

    fn unwritten(&self, error: ObjectsError<SeedError>) -> CliError {
        match error {
            ObjectsError::Spill(error) => CliError::new(Exit::Failed, format!("a temporary file: {error}")),
            ObjectsError::Put(error) => failed(error, &self.environment),
        }
    }
}

/// The words for an import of so many items of so many bytes.
#[expect(clippy::cast_precision_loss, reason = "a size to show")]
fn estimate(items: u64, bytes: u64) -> String {
    let gigabytes = bytes as f64 / 1e9;
    format!(
        "{}, {:.1} MB; DynamoDB charges about ${:.2} for the import (${PER_GB} for a GB), and takes from minutes to \
         hours, during which there is no table",
        counted(items, "item"),
        bytes as f64 / 1e6,
        gigabytes * PER_GB
    )
}

fn failed(error: SeedError, environment: &str) -> CliError {
    let complete = format!(
        "run `sftpctl deploy --env {environment}`, and then the same import without --via-s3: it adds what is missing"
    );
    let (exit, hint) = match &error {
        SeedError::Aws(aws) => (Exit::Failed, aws.hint()),
        SeedError::NoBucket(_) => {
            (Exit::Usage, Some("set `state.place` to s3://BUCKET/PREFIX, or pass it with --state".to_owned()))
        }
        SeedError::Exists(_) => {
            (Exit::Refused, Some("import without --via-s3, which adds the accounts to the table".to_owned()))
        }
        SeedError::Failed { exists: false, .. } => {
            (Exit::Failed, Some("nothing was created; rerun the command".to_owned()))
        }
        SeedError::Failed { code, .. } if code == "ItemValidationError" => (
            Exit::Partly,
            Some(format!("{complete}. The log group /aws-dynamodb/imports has a line for each item that was refused")),
        ),
        SeedError::Failed { .. } | SeedError::Counts { .. } => (Exit::Partly, Some(complete)),
        SeedError::Interrupted => (Exit::Interrupted, Some("rerun the same command to finish it".to_owned())),
    };
    let reasons = match &error {
        SeedError::Failed { reasons, .. } | SeedError::Counts { reasons, .. } => reasons.clone(),
        _ => Vec::new(),
    };
    let mut shown = CliError::from_error(exit, &error, hint);
    shown.causes.extend(reasons);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_follows_from_the_bytes() {
        assert_eq!(
            estimate(20_000_000, 6_000_000_000),
            "20,000,000 items, 6000.0 MB; DynamoDB charges about $0.90 for the import ($0.15 for a GB), and takes from \
             minutes to hours, during which there is no table"
        );
    }
}
