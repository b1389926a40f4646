//! Authorizes each operation of a customer: by the role's policies limited by the session policy, and by the bucket's
//! policy.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buckets::Buckets;
use crate::cloud::Cloud;
use iam_model::{Caller, Decision, Policy, Request, evaluate};
use sftpctl_aws as aws;

/// Maximum age of a cached bucket policy. S3 itself takes seconds to propagate a change.
const FRESH: Duration = Duration::from_secs(2);

/// Why an operation is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// The policies do not allow it.
    Denied(String),
    /// There is no such bucket.
    NoBucket,
    /// A policy cannot be parsed, or AWS does not answer.
    Broken(String),
}

/// The rights of one session.
pub(super) struct Rights {
    cloud: Arc<Cloud>,
    account: String,
    buckets_of: Arc<Buckets>,
    role: String,
    caller: Caller,
    session: Option<Policy>,
    identity: Option<Arc<[Policy]>>,
    buckets: HashMap<String, (Instant, Option<Policy>)>,
}

impl Rights {
    /// Rights of a session of `role`, narrowed by `session`.
    ///
    /// # Errors
    /// A session name or policy that cannot be parsed.
    pub(super) fn new(
        cloud: Arc<Cloud>,
        account: &str,
        buckets_of: Arc<Buckets>,
        role: &str,
        name: &str,
        session: Option<&str>,
    ) -> Result<Self, String> {
        let caller = Caller::role_session(role, name).map_err(|error| error.to_string())?;
        let session = session.map(Policy::parse).transpose().map_err(|error| format!("the session policy: {error}"))?;
        Ok(Self {
            cloud,
            account: account.to_owned(),
            buckets_of,
            role: role.rsplit('/').next().unwrap_or(role).to_owned(),
            caller,
            session: session.map(|policy| policy.named("the session policy")),
            identity: None,
            buckets: HashMap::new(),
        })
    }

    /// Checks an action on an object.
    pub(super) async fn object(&mut self, action: &str, bucket: &str, key: &str) -> Result<(), Refused> {
        self.check(action, bucket, &format!("arn:aws:s3:::{bucket}/{key}"), BTreeMap::new()).await
    }

    /// Checks the listing of a prefix.
    pub(super) async fn list(&mut self, bucket: &str, prefix: &str) -> Result<(), Refused> {
        let context = BTreeMap::from([
            ("s3:prefix".to_owned(), vec![prefix.to_owned()]),
            ("s3:delimiter".to_owned(), vec!["/".to_owned()]),
        ]);
        self.check("s3:ListBucket", bucket, &format!("arn:aws:s3:::{bucket}"), context).await
    }

    /// Checks the listing of the account's buckets.
    pub(super) async fn buckets(&mut self) -> Result<(), Refused> {
        self.identity().await?;
        self.decide("s3:ListAllMyBuckets", None, "*", BTreeMap::new())
    }

    async fn check(
        &mut self,
        action: &str,
        bucket: &str,
        resource: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), Refused> {
        self.identity().await?;
        self.bucket(bucket).await?;
        self.decide(action, Some(bucket), resource, context)
    }

    fn decide(
        &self,
        action: &str,
        bucket: Option<&str>,
        resource: &str,
        mut context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), Refused> {
        // Transfer speaks TLS to S3.
        context.insert("aws:SecureTransport".to_owned(), vec!["true".to_owned()]);
        let policy = bucket.and_then(|bucket| self.buckets.get(bucket)).and_then(|(_, policy)| policy.as_ref());
        let identity = self.identity.as_deref().unwrap_or_default();
        let request =
            Request { caller: &self.caller, action, resource, resource_account: Some(&self.account), context };
        match evaluate(&request, identity, self.session.as_ref(), policy) {
            Ok(Decision::Allow { .. }) => Ok(()),
            Ok(Decision::ImplicitDeny { by } | Decision::ExplicitDeny { by }) => Err(Refused::Denied(by)),
            Err(error) => Err(Refused::Broken(error.to_string())),
        }
    }

    async fn identity(&mut self) -> Result<(), Refused> {
        let aws = self.cloud.aws(&self.account).await;
        let policies = self.cloud.roles.policies(&aws, &self.account, &self.role).await.map_err(Refused::Broken)?;
        let missing = || Refused::Denied(format!("the role {} does not exist", self.role));
        self.identity = Some(policies.ok_or_else(missing)?);
        Ok(())
    }

    async fn bucket(&mut self, bucket: &str) -> Result<(), Refused> {
        if self.buckets.get(bucket).is_some_and(|(read, _)| read.elapsed() < FRESH) {
            return Ok(());
        }
        let broken = |error: aws::AwsError| Refused::Broken(error.to_string());
        let s3 = self.buckets_of.of(bucket).await.map_err(broken)?.ok_or(Refused::NoBucket)?;
        let policy = match s3.policy(bucket, &self.account).await.map_err(broken)? {
            aws::Policy::NoBucket | aws::Policy::NotOurs => return Err(Refused::NoBucket),
            aws::Policy::None => None,
            aws::Policy::Document(text) => {
                let policy = Policy::parse(&text);
                let policy = policy.map_err(|error| Refused::Broken(format!("the policy of {bucket}: {error}")))?;
                Some(policy.named("the bucket policy"))
            }
        };
        self.buckets.insert(bucket.to_owned(), (Instant::now(), policy));
        Ok(())
    }
}
