//! What every kind of resource has in common: one shape, so that planner, executor and tests treat all alike.
//!
//! A kind describes what it wants as named [`Properties`], reads what AWS has in the same terms, and performs one
//! mutation at a time. Comparing the two is done here, once; the executor repeats *read, compare, mutate, wait* until
//! nothing differs. A kind never decides about order, waiting or printing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, AwsError, Tags};
use crate::state::error::StateError;

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

/// The value a property should have.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// Known now.
    Is(Value),
    /// Known once another resource exists; says which (`us-west-2/stack`).
    After(NodeId),
}

impl<T: Into<Value>> From<T> for Want {
    fn from(value: T) -> Self {
        Self::Is(value.into())
    }
}

/// What a resource should be, by property name. A property that is not listed is not looked after.
pub type Properties = BTreeMap<&'static str, Want>;

/// Whom something that exists belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries this environment's tag, or is part of something that does.
    Ours,
    /// It was there without our tag. Holds what to tell a person.
    Foreign(String),
}

/// Whether something is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing is going on.
    Ready,
    /// AWS is still at work; the status in AWS's words.
    Pending(String),
    /// It failed and stays so; status and reason in AWS's words.
    Failed(String),
}

/// What AWS has.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// ARN, id or name, whatever AWS finds it by.
    pub identity: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is usable.
    pub settled: Settled,
    /// The properties that [`Resource::wanted`] lists, as they are.
    pub properties: BTreeMap<&'static str, Value>,
    /// Values that other resources need (`ApiUrl`, `ServerId`).
    pub outputs: BTreeMap<String, String>,
}

impl Live {
    /// Something of ours, ready, without properties or outputs.
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            owner: Owner::Ours,
            settled: Settled::Ready,
            properties: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value.into());
        self
    }

    /// Adds a value that others need.
    #[must_use]
    pub fn output(mut self, name: &str, value: impl Into<String>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owned_by(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn settled(mut self, settled: Settled) -> Self {
        self.settled = settled;
        self
    }
}

/// Everything known of what AWS has: absent from the map means not read, `None` means it isn't there.
pub type World = BTreeMap<NodeId, Option<Live>>;

/// An output of another node, or that it comes later.
pub fn output(world: &World, node: &NodeId, name: &str) -> Want {
    match world.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name)) {
        Some(value) => Want::Is(Value::String(value.clone())),
        None => Want::After(node.clone()),
    }
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It isn't there.
    Create,
    /// It was kept by an earlier removal and is taken back.
    Import,
    /// Properties change in place.
    Update,
    /// A failed left-over is removed first, then it is made anew.
    Recreate,
    /// An operation that failed half-way is brought to its end first, then properties change in place.
    Recover,
    /// It goes.
    Delete,
    /// It holds data and stays.
    Keep,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyChange {
    /// Its name; for nested documents a path (`Resources.Authorizer.Properties.Timeout`).
    pub name: String,
    /// What it is; `None`: not set.
    pub before: Option<Value>,
    /// What it shall be; `None`: removed, or known later.
    pub after: Option<Value>,
    /// The node whose creation makes `after` known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_node: Option<NodeId>,
    /// Why this change makes AWS replace a resource, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// What has to be done to one resource to make it as wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// In one word.
    pub action: Action,
    /// In one sentence where the word is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Property by property.
    pub properties: Vec<PropertyChange>,
}

impl Change {
    /// A change without properties.
    pub fn new(action: Action, reason: impl Into<String>) -> Self {
        Self { action, reason: Some(reason.into()), properties: Vec::new() }
    }

    /// Whether the property is among those that change.
    pub fn touches(&self, property: &str) -> bool {
        self.properties.iter().any(|p| p.name == property)
    }
}

/// Compares what is wanted with what is: the one diff of all kinds.
pub fn compare(wanted: &Properties, live: &BTreeMap<&'static str, Value>) -> Vec<PropertyChange> {
    wanted
        .iter()
        .filter_map(|(name, want)| {
            let before = live.get(name).filter(|v| !v.is_null()).cloned();
            match want {
                Want::Is(after) if before.as_ref() == Some(after) || (before.is_none() && after.is_null()) => None,
                Want::Is(after) => Some(PropertyChange {
                    name: (*name).to_owned(),
                    before,
                    after: Some(after.clone()).filter(|v| !v.is_null()),
                    after_node: None,
                    replaces: None,
                }),
                Want::After(node) => Some(PropertyChange {
                    name: (*name).to_owned(),
                    before,
                    after: None,
                    after_node: Some(node.clone()),
                    replaces: None,
                }),
            }
        })
        .collect()
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// AWS finished, but not well.
    #[error("{what} ended in {status}")]
    EndedIn {
        /// The resource.
        what: String,
        /// AWS's status.
        status: String,
        /// The cause, found in AWS's events; each is one line.
        causes: Vec<String>,
        /// What exists now.
        left: String,
    },
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
    /// AWS accepted every change, and still something differs.
    #[error("{what} is not as wanted although AWS accepted the change: {differs}")]
    DoesNotConverge {
        /// The resource.
        what: String,
        /// The properties that differ.
        differs: String,
    },
    /// A rule of ours or of AWS forbids it now.
    #[error("{0}")]
    Refused(String),
    /// It turned out to hold something that is not ours to delete.
    #[error("kept: {0}")]
    Kept(String),
    /// It can only be finished later.
    #[error("{0}")]
    NotYet(String),
    /// AWS accepted its creation and does not show it yet, or nobody can say whether it did.
    #[error("{what} may have been made, and is not seen yet{}", .why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Unseen {
        /// The resource.
        what: String,
        /// Why it could not be looked for, where that is so.
        why: Option<String>,
    },
    /// The run was asked to stop while AWS was at work.
    #[error("stopped while {what} was {status}: AWS goes on by itself")]
    Stopped {
        /// The resource.
        what: String,
        /// Last status.
        status: String,
    },
    /// The journal cannot be written, so nothing may be called.
    #[error(transparent)]
    Journal(#[from] StateError),
}

impl StepError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Aws(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::TimedOut { .. } => Some(
                "run the same command again: it goes on where this one stopped. \
                The deadline is a setting: `deadlines` in the environment file"
                    .into(),
            ),
            Self::Unseen { .. } => {
                Some("run the same command again: it looks for it first, and makes it only when it is not there".into())
            }
            Self::EndedIn { .. } => {
                Some("settle the first cause, and run the same command again: it clears up what was left".into())
            }
            Self::Stopped { .. } => Some("run the same command again: it waits for what is under way".into()),
            _ => None,
        }
    }
}

/// What one deletion would do, decided from what is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    /// Delete it.
    Delete,
    /// Leave it; says why.
    Keep(String),
    /// Nothing of the environment may go while this stands as it does; says why, and what to do.
    Refuse(String),
    /// Somebody else's, or nothing to do.
    Leave,
}

/// What teardown was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemovalOptions {
    /// Customers' files and accounts go too.
    pub delete_data: bool,
}

/// One resource that is wanted: the shape of every kind.
#[async_trait]
pub trait Resource: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// Its name in plans and state.
    fn id(&self) -> &NodeId;

    /// What must be finished before it.
    fn needs(&self) -> Vec<NodeId>;

    /// What must be gone before it may go, besides everything that needs it. What is named here goes first even where this
    /// needs it.
    fn removed_after(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// A person's name for it: `stack 99-upload-us-west-2`.
    fn title(&self) -> String;

    /// What it should be. Pure.
    fn wanted(&self, world: &World) -> Properties;

    /// What has to be done, `None` for nothing. Pure. Most kinds need no more than the comparison.
    fn diff(&self, live: Option<&Live>, world: &World) -> Option<Change> {
        let Some(live) = live else {
            let properties = compare(&self.wanted(world), &BTreeMap::new());
            return Some(Change { action: Action::Create, reason: None, properties });
        };
        let properties = compare(&self.wanted(world), &live.properties);
        (!properties.is_empty()).then_some(Change { action: Action::Update, reason: None, properties })
    }

    /// Why no deployment may begin while it stands as it does, and what to do. Pure.
    fn refusal(&self, _live: &Live) -> Option<String> {
        None
    }

    /// Reads it from AWS. Not found is `None`, never an error. `known` is the identity that state remembers, a hint
    /// that saves a search and is never believed without looking.
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError>;

    /// Whether AWS has no client token for its creation and finds it by listing only: then what an earlier run may have
    /// made is looked for a while before it is made again.
    fn found_by_listing(&self) -> bool {
        false
    }

    /// Makes it, by the first mutation that `change` needs. Answers with what AWS finds it by, where AWS's answer says
    /// that and a listing would have to be searched otherwise.
    async fn create(&self, aws: &Aws, call: &str, change: &Change, world: &World) -> Result<Option<String>, StepError> {
        self.apply(aws, call, change, None, world).await.map(|()| None)
    }

    /// Performs one mutation towards `change`; the caller reads and compares again afterwards. `call` names it in the
    /// journal, and is its client token, or a tag of what it makes, where AWS takes either.
    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        world: &World,
    ) -> Result<(), StepError>;

    /// What else differs from what this tool makes, and is left alone by every run: drift tells it.
    async fn unmanaged(&self, _aws: &Aws, _live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        Ok(Vec::new())
    }

    /// Whether it can be made ours, and which tags that takes; changes nothing, so that everything that is to be adopted
    /// is looked at before the first of it is. Most kinds cannot.
    async fn adoptable(&self, _aws: &Aws, _live: &Live) -> Result<Tags, StepError> {
        Err(StepError::Refused(format!(
            "{} cannot be adopted: rename or remove what stands there, or give the environment other names",
            self.title()
        )))
    }

    /// Makes what somebody made by hand ours, changing nothing but its tags.
    async fn adopt(&self, _aws: &Aws, _live: &Live, _tags: &Tags) -> Result<(), StepError> {
        Ok(())
    }

    /// Whether teardown deletes it; asked only by teardown, so it may look at what the resource holds.
    async fn removal(&self, _aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(Removal::Delete)
    }

    /// Performs one step of its deletion; the caller reads again and repeats while it is there.
    async fn delete(&self, aws: &Aws, call: &str, live: &Live, options: RemovalOptions) -> Result<(), StepError>;

    /// News since the last call while it is pending, oldest first: one line each. Errors are no news.
    async fn news(&self, _aws: &Aws, _seen: &mut Seen) -> Vec<String> {
        Vec::new()
    }

    /// Causes of a failure, first cause first, as AWS tells them.
    async fn causes(&self, _aws: &Aws) -> Vec<String> {
        Vec::new()
    }
}

/// Which news were told already.
#[derive(Debug, Default)]
pub struct Seen {
    /// Identifiers of the events told.
    pub ids: std::collections::BTreeSet<String>,
}
