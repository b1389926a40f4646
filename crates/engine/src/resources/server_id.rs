//! The server ID in the environment of the Lambda function: the authorizer refuses every other server.
//!
//! The template cannot set it in the first deployment: the ID does not exist before the server, and the server needs
//! the stack. The template has a parameter for it, which a later stack update sets to the live ID, so an update never
//! removes it. This kind reads the function's live configuration on every run. Its update names the revision that was
//! read, so it never overwrites a concurrent change.
//!
//! A stack update that fails rolls the function back to the stack's *previous* parameters. So the parameter gets the
//! live ID in the same run that creates the server, by an update of its own with the template unchanged: every later
//! rollback returns to a function that admits customers. And this step also runs after the stack's step failed, because
//! a rollback may have removed the ID.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{
    Action, Actual, Change, Live, Properties, PropertyChange, Removal, RemovalOptions, Settled, Want, compare, output,
};
use sftpctl_core::node::Node;

use super::stack;
use crate::resources::resource::{Resource, ResourceError};

pub(super) const VARIABLE: &str = "SERVER_ID";
/// The stack's parameter, to which a rollback resets the variable.
const PARAMETER: &str = "stack parameter";
const STATUS: &str = "stack status";
/// Statuses of a stack whose last operation succeeded. After a failed one, only the update that the stack needs anyway
/// sets the parameter: another failure would reset the variable again.
const UPDATABLE: [&str; 3] = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"];

/// The variable of one region's function.
#[derive(Clone, Debug)]
pub struct ServerId {
    pub id: NodeId,
    pub region: String,
    pub function: String,
    /// Node of the stack that has the function.
    pub stack: NodeId,
    pub stack_name: String,
    /// Whether this step has begun its changes: it reads the stack from then on.
    pub updating: Arc<AtomicBool>,
    pub server: NodeId,
}

impl Node for ServerId {
    fn kind(&self) -> Kind {
        Kind::ServerId
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.stack.clone(), self.server.clone()]
    }

    fn title(&self) -> String {
        format!("server id in {}", self.function)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        Properties::from([(VARIABLE, output(actual, &self.server, "ServerId"))])
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let empty = BTreeMap::new();
        let mut properties = compare(&self.wanted(actual), live.map_or(&empty, |live| &live.properties));
        let Some(live) = live else { return Some(Change { action: Action::Create, reason: None, properties }) };
        properties.extend(self.parameter_change(live, actual));
        (!properties.is_empty()).then_some(Change { action: Action::Update, reason: None, properties })
    }
}

impl ServerId {
    /// The change of the stack's parameter: as this step last read it, or else as the stack's own node did.
    fn parameter_change(&self, live: &Live, actual: &Actual) -> Option<PropertyChange> {
        let stack = actual.get(&self.stack).and_then(Option::as_ref);
        let (parameter, status) = match live.properties.get(PARAMETER) {
            Some(parameter) => (Some(parameter), live.properties.get(STATUS)),
            None => {
                stack.map_or((None, None), |stack| (stack.properties.get("server id"), stack.properties.get("status")))
            }
        };
        let before = parameter.filter(|parameter| parameter.is_string())?;
        let after = match output(actual, &self.server, "ServerId") {
            Want::Is(after) if after != *before => after,
            // The server is about to be created: this step compares again afterwards.
            _ => return None,
        };
        let updatable = status.and_then(Value::as_str).is_some_and(|status| UPDATABLE.contains(&status));
        updatable.then(|| PropertyChange {
            name: PARAMETER.to_owned(),
            before: Some(before.clone()),
            after: Some(after),
            after_node: None,
            replaces: None,
        })
    }
}

#[async_trait]
impl Resource for ServerId {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let Some(function) = aws.lambda(&self.region).function(&self.function).await? else { return Ok(None) };
        let settled = match (function.pending, function.failed) {
            (Some(pending), _) => Settled::Pending(pending),
            (None, Some(failed)) => Settled::Failed(failed),
            (None, None) => Settled::Ready,
        };
        let live = Live::new(function.arn).settled(settled).with(VARIABLE, function.environment.get(VARIABLE).cloned());
        if !self.updating.load(Ordering::Relaxed) {
            return Ok(Some(live));
        }
        let stack = aws.cloudformation(&self.region).stack(&self.stack_name).await?.unwrap_or_default();
        let parameter = stack.parameters.get(stack::SERVER_ID).cloned();
        let in_progress = stack.status.ends_with("_IN_PROGRESS") && live.settled == Settled::Ready;
        let live = if in_progress { live.settled(Settled::Pending(stack.status.clone())) } else { live };
        Ok(Some(live.with(PARAMETER, parameter).with(STATUS, stack.status)))
    }

    /// It needs only a function and a server that exist, whatever became of the stack's update.
    fn runs_after_failure(&self, actual: &Actual) -> bool {
        let live = |node: &NodeId| actual.get(node).and_then(Option::as_ref);
        let over = live(&self.stack).is_some_and(|stack| !matches!(stack.settled, Settled::Pending(_)));
        let known = matches!(output(actual, &self.server, "ServerId"), Want::Is(_));
        over && known && live(&self.id).is_some()
    }

    /// Sets the variable first: it admits customers at once, and the stack's update takes longer.
    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        _live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let Want::Is(Value::String(server)) = output(actual, &self.server, "ServerId") else {
            return Err(ResourceError::Refused(format!("{} has no id", self.server)));
        };
        if !change.touches(VARIABLE) {
            let cloudformation = aws.cloudformation(&self.region);
            self.updating.store(true, Ordering::Relaxed);
            return Ok(cloudformation.set_parameter(&self.stack_name, call, stack::SERVER_ID, &server).await?);
        }
        let lambda = aws.lambda(&self.region);
        let Some(function) = lambda.function(&self.function).await? else {
            return Err(ResourceError::Refused(format!("function {} does not exist any more", self.function)));
        };
        let mut environment = function.environment;
        environment.insert(VARIABLE.to_owned(), server);
        lambda.set_environment(&self.function, environment, &function.revision).await?;
        // The stack's parameter is next. What was read of the stack may be older than its last operation.
        self.updating.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn removal(&self, _aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        // It is deleted with the function.
        Ok(Removal::Leave)
    }

    async fn delete(
        &self,
        _aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(())
    }
}
