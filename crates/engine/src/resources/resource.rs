//! What every kind of resource does in AWS: one shape, so that executor and tests treat all alike.
//!
//! A kind describes what it wants as named [`Properties`](sftpctl_core::model::Properties) (its [`Node`] half), reads what AWS
//! has in the same terms, and performs one mutation at a time. The executor repeats *read, compare, mutate, wait* until
//! nothing differs. A kind never decides about order, waiting or printing.

use std::time::Duration;

use async_trait::async_trait;

use sftpctl_aws::{Aws, AwsError, Tags};
use sftpctl_core::model::{Actual, Change, Live, PropertyChange, Removal, RemovalOptions};
use sftpctl_core::node::Node;

/// Why a resource could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A rule of ours or of AWS forbids it now.
    #[error("{0}")]
    Refused(String),
    /// It turned out to hold something that is not ours to delete.
    #[error("kept: {0}")]
    Kept(String),
    /// It can only be finished later.
    #[error("{0}")]
    NotYet(String),
    /// The deadline came first.
    #[error("{what} was still {status} after {} s", .waited.as_secs())]
    TimedOut {
        /// The resource.
        what: String,
        /// Last status.
        status: String,
        /// How long it was waited for.
        waited: Duration,
    },
}

impl ResourceError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::TimedOut { .. } => Some(
                "run the same command again: it goes on where this one stopped. \
                The deadline is a setting: `deadlines` in the environment file"
                    .into(),
            ),
            Self::Refused(_) | Self::Kept(_) | Self::NotYet(_) => None,
        }
    }
}

/// One resource that is wanted: the AWS half of every kind.
#[async_trait]
pub trait Resource: Node {
    /// Reads it from AWS. Not found is `None`, never an error. `known` is the identity that state remembers, a hint
    /// that saves a search and is never believed without looking.
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError>;

    /// Makes it, by the first mutation that `change` needs. Answers with what AWS finds it by, where AWS's answer says
    /// that and a listing would have to be searched otherwise.
    async fn create(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        actual: &Actual,
    ) -> Result<Option<String>, ResourceError> {
        self.apply(aws, call, change, None, actual).await.map(|()| None)
    }

    /// Performs one mutation towards `change`; the caller reads and compares again afterwards. `call` names it in the
    /// journal, and is its client token, or a tag of what it makes, where AWS takes either.
    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError>;

    /// What else differs from what this tool makes, and is left alone by every run: drift tells it.
    async fn unmanaged(&self, _aws: &Aws, _live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        Ok(Vec::new())
    }

    /// Whether it can be made ours, and which tags that takes; changes nothing, so that everything that is to be adopted
    /// is looked at before the first of it is. Most kinds cannot.
    async fn adoptable(&self, _aws: &Aws, _live: &Live) -> Result<Tags, ResourceError> {
        Err(ResourceError::Refused(format!(
            "{} cannot be adopted: rename or remove what stands there, or give the environment other names",
            self.title()
        )))
    }

    /// Makes what somebody made by hand ours, changing nothing but its tags.
    async fn adopt(&self, _aws: &Aws, _live: &Live, _tags: &Tags) -> Result<(), ResourceError> {
        Ok(())
    }

    /// Whether teardown deletes it; asked only by teardown, so it may look at what the resource holds.
    async fn removal(&self, _aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(Removal::Delete)
    }

    /// Performs one step of its deletion; the caller reads again and repeats while it is there.
    async fn delete(&self, aws: &Aws, call: &str, live: &Live, options: RemovalOptions) -> Result<(), ResourceError>;

    /// News since the last call while it is pending, oldest first: one line each. Errors are no news.
    async fn progress(&self, _aws: &Aws, _seen: &mut ReportedEvents) -> Vec<String> {
        Vec::new()
    }

    /// Causes of a failure, first cause first, as AWS tells them.
    async fn causes(&self, _aws: &Aws) -> Vec<String> {
        Vec::new()
    }
}

/// Events of a resource that were already reported.
#[derive(Debug, Default)]
pub struct ReportedEvents {
    /// Identifiers of the events told.
    pub ids: std::collections::BTreeSet<String>,
}
