//! The interface of every kind of resource to AWS, so that the executor and the tests treat all kinds alike.
//!
//! A kind describes the wanted resource as named [`Properties`](sftpctl_core::model::Properties) (in its [`Node`]
//! implementation), reads the properties of the existing resource under the same names, and performs one mutation at a
//! time. The executor repeats *read, compare, mutate, wait* until nothing differs. A kind does not decide about order
//! or waiting, and does not print.

use std::time::Duration;

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError, Tags};
use sftpctl_core::model::{Actual, Change, Live, PropertyChange, Removal, RemovalOptions};
use sftpctl_core::node::Node;

/// Why a resource could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A rule of sftpctl or of AWS forbids the change.
    #[error("{0}")]
    Refused(String),
    /// It contains data or resources that do not belong to the environment, so it is not deleted.
    #[error("kept: {0}")]
    Kept(String),
    /// AWS allows the change only after some time.
    #[error("{0}")]
    NotYet(String),
    #[error("{what} was still {status} after {} s", .waited.as_secs())]
    TimedOut { what: String, status: String, waited: Duration },
}

impl ResourceError {
    /// An instruction for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::TimedOut { .. } => Some(
                "rerun the same command to resume. \
                The deadline is a setting: `deadlines` in the environment file"
                    .into(),
            ),
            Self::Refused(_) | Self::Kept(_) | Self::NotYet(_) => None,
        }
    }
}

/// One wanted resource, and how it is read, changed and deleted in AWS.
#[async_trait]
pub trait Resource: Node {
    /// Reads it from AWS; `None` if it does not exist. `known` is the identity in the state, which saves a search and
    /// is always checked.
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError>;

    /// Creates it, by the first mutation that `change` needs. Returns its identity if AWS's response contains it and it
    /// could otherwise be found only in a listing.
    async fn create(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        actual: &Actual,
    ) -> Result<Option<String>, ResourceError> {
        self.apply(aws, call, change, None, actual).await.map(|()| None)
    }

    /// Performs one mutation towards `change`; the caller reads and compares again afterwards. `call` is the mutation's
    /// name in the journal. It is also sent as the client token, or set as a tag of a new resource, where AWS takes
    /// either.
    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError>;

    /// Why nobody can use it although nothing is under way in AWS, after a step that failed in the middle of its changes.
    fn out_of_use(&self, _live: &Live) -> Option<String> {
        None
    }

    /// Whether its step also runs after a step that it needs failed, because what it needs exists nevertheless. Such a
    /// step repairs what the failure may have damaged.
    fn runs_after_failure(&self, _actual: &Actual) -> bool {
        false
    }

    /// Differences in properties that no run changes; `sftpctl drift` reports them.
    async fn unmanaged(&self, _aws: &Aws, _live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        Ok(Vec::new())
    }

    /// Whether it can be adopted, and the tags that adopt it; changes nothing, so that everything is checked before the
    /// first resource is adopted. Most kinds cannot be adopted.
    async fn adoptable(&self, _aws: &Aws, _live: &Live) -> Result<Tags, ResourceError> {
        Err(ResourceError::Refused(format!(
            "{} cannot be adopted: rename or remove the existing resource, or give the environment other names",
            self.title()
        )))
    }

    /// Adopts a resource that was created outside sftpctl, changing nothing but its tags.
    async fn adopt(&self, _aws: &Aws, _live: &Live, _tags: &Tags) -> Result<(), ResourceError> {
        Ok(())
    }

    /// Whether a failure with this cause passes by itself, so that the same change may succeed later.
    fn is_for_now(&self, _live: &Live, _cause: &str) -> bool {
        false
    }

    /// Whether teardown deletes it. Only teardown calls this, so it may make calls to check the resource's contents.
    async fn removal(&self, _aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(Removal::Delete)
    }

    /// Performs one step of its deletion; the caller reads again and repeats while it exists.
    async fn delete(&self, aws: &Aws, call: &str, live: &Live, options: RemovalOptions) -> Result<(), ResourceError>;

    /// Events since the last call while it is pending, oldest first: one line each. Errors are ignored.
    async fn progress(&self, _aws: &Aws, _reported: &mut ReportedEvents) -> Vec<String> {
        Vec::new()
    }

    /// Causes of a failure in AWS's words, first cause first.
    async fn causes(&self, _aws: &Aws) -> Vec<String> {
        Vec::new()
    }
}

/// A resource's events that were already reported.
#[derive(Debug, Default)]
pub struct ReportedEvents {
    /// Their IDs.
    pub ids: std::collections::BTreeSet<String>,
    /// Parts that AWS could not delete in the operation, each with AWS's reason.
    pub undeleted: std::collections::BTreeMap<String, String>,
}

impl ReportedEvents {
    /// What is left of parts that should be gone: CloudFormation completes an update all the same.
    pub fn left(&self) -> Option<String> {
        let parts: Vec<String> = self.undeleted.iter().map(|(part, reason)| format!("{part} ({reason})")).collect();
        let it = if parts.len() == 1 { "it" } else { "them" };
        let parts = parts.join(", ");
        (!parts.is_empty())
            .then(|| format!("AWS could not delete {parts}: delete {it} by hand if AWS does not try again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named_with_its_reason() {
        let mut reported = ReportedEvents::default();
        assert_eq!(reported.left(), None);
        reported.undeleted.insert("Files".into(), "it is in use".into());
        let one = "AWS could not delete Files (it is in use): delete it by hand if AWS does not try again";
        assert_eq!(reported.left().as_deref(), Some(one));
        reported.undeleted.insert("Role".into(), "denied".into());
        let both = reported.left().unwrap_or_default();
        assert!(both.contains("Files (it is in use), Role (denied): delete them by hand"), "{both}");
    }
}
