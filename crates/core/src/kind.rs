//! The kinds of resources, and the names by which plans, state and settings call them. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one resource of an environment: `us-west-2/stack`, `global/user-role`, `us-west-2/bucket/pl-pt99-5-uploads`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// `place` is a region, or `global`.
    pub fn new(place: &str, kind: Kind) -> Self {
        Self(format!("{place}/{}", kind.word()))
    }

    /// A node of a kind that has several per place.
    pub fn named(place: &str, kind: Kind, name: &str) -> Self {
        Self(format!("{place}/{}/{name}", kind.word()))
    }

    /// The region, or `global`.
    pub fn place(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Everything behind the place: `stack`, `bucket/pl-pt99-5-uploads`.
    pub fn local_name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for NodeId {
    type Err = std::convert::Infallible;

    /// Any text is a name; whether there is such a node is for the environment to say.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every kind of resource that is deployed; the order is that of a first deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The account table in its home region.
    Table,
    /// A replica of the table in another region.
    Replica,
    /// The role that Transfer assumes for a customer.
    UserRole,
    /// Its managed policy.
    UserPolicy,
    /// API Gateway's account-wide role for logs.
    ApiAccount,
    /// The authorizer's code in the region's code bucket.
    Package,
    /// The CloudFormation stack of a region.
    Stack,
    /// An upload bucket, as far as the stack does not look after it.
    Bucket,
    /// The Transfer Family server.
    Server,
    /// The server id in the Lambda's environment.
    ServerId,
    /// The permission for API Gateway to invoke the Lambda.
    Trigger,
    /// A Route 53 record.
    Record,
    /// A log group that AWS services make again after its removal.
    LogGroup,
}

impl Kind {
    /// The word used in node names, plans and settings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Replica => "replica",
            Self::UserRole => "user-role",
            Self::UserPolicy => "user-policy",
            Self::ApiAccount => "api-account",
            Self::Package => "package",
            Self::Stack => "stack",
            Self::Bucket => "bucket",
            Self::Server => "server",
            Self::ServerId => "server-id",
            Self::Trigger => "trigger",
            Self::Record => "record",
            Self::LogGroup => "log-group",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
