//! The server ID in the environment of the Lambda function, since the authorizer refuses every other server; and what
//! decides on log-ins besides it: the function's code, its other variables, its layers.
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
//!
//! CloudFormation updates these only when a parameter changes. So whoever may update the function, or could write to
//! the bucket when the stack read it, could leave other code there for ever; a layer that runs beside it; or
//! `AWS_ENDPOINT_URL`, with which the SDK asks another server for the account.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use sftpctl_aws::{Aws, AwsError, FunctionFacts, Lambda};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{
    Action, Actual, Change, Live, Properties, PropertyChange, Removal, RemovalOptions, Settled, Want, compare, output,
};
use sftpctl_core::node::Node;

use super::package;
use super::stack::{self, Stack};
use crate::package::Package;
use crate::resources::resource::{Resource, ResourceError};

/// Property: the SHA-256 of the function's package.
const CODE: &str = "code";
/// Property: the variables besides the server ID.
const VARIABLES: &str = "variables";
const LAYERS: &str = "layers";
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
    /// The stack that has the function.
    pub stack: Arc<Stack>,
    /// The template's variables, except the server ID.
    pub variables: BTreeMap<String, String>,
    pub code: Arc<Package>,
    /// Key of the package's object.
    pub code_key: String,
    /// Node of the package.
    pub package: NodeId,
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
        vec![self.stack.id.clone(), self.server.clone()]
    }

    fn title(&self) -> String {
        format!("server id and code of {}", self.function)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        let mut wanted = Properties::from([(VARIABLE, output(actual, &self.server, "ServerId"))]);
        if self.has_our_package(actual) {
            wanted.insert(CODE, self.code.sha256().into());
        }
        if self.is_deployed(actual) {
            wanted.insert(VARIABLES, json!(self.variables).into());
            wanted.insert(LAYERS, json!([]).into());
        }
        wanted
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
    /// Whether the stack was last deployed with our package, and no update of it is due that would replace the code.
    fn has_our_package(&self, actual: &Actual) -> bool {
        let Some(stack) = actual.get(&self.stack.id).and_then(Option::as_ref) else { return false };
        let parameters = stack.properties.get("parameters").unwrap_or(&Value::Null);
        parameters["CodeKey"].as_str() == Some(&self.code_key)
            && matches!(output(actual, &self.package, package::VERSION), Want::Is(version)
                if Some(&version) == stack.properties.get(stack::CODE_VERSION))
    }

    /// Whether no update of the stack is due, which would set the variables.
    fn is_deployed(&self, actual: &Actual) -> bool {
        let stack = actual.get(&self.stack.id).and_then(Option::as_ref);
        stack.is_some_and(|live| {
            live.properties.contains_key("template") && self.stack.diff(Some(live), actual).is_none()
        })
    }

    async fn function(&self, lambda: &Lambda) -> Result<FunctionFacts, ResourceError> {
        let function = lambda.function(&self.function).await?;
        function.ok_or_else(|| ResourceError::Refused(format!("function {} does not exist any more", self.function)))
    }

    /// The change of the stack's parameter: as this step last read it, or else as the stack's own node did.
    fn parameter_change(&self, live: &Live, actual: &Actual) -> Option<PropertyChange> {
        let stack = actual.get(&self.stack.id).and_then(Option::as_ref);
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
        updatable.then(|| PropertyChange::new(PARAMETER, Some(before.clone()), Some(after)))
    }
}

/// Variables besides the server ID.
fn others(environment: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    environment.iter().filter(|(name, _)| *name != VARIABLE).collect()
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
        let live = Live::new(function.arn)
            .settled(settled)
            .with(VARIABLE, function.environment.get(VARIABLE).cloned())
            .with(CODE, function.code_sha256)
            .with(VARIABLES, json!(others(&function.environment)))
            .with(LAYERS, json!(function.settings.layers));
        if !self.updating.load(Ordering::Relaxed) {
            return Ok(Some(live));
        }
        let stack = aws.cloudformation(&self.region).stack(&self.stack.name).await?.unwrap_or_default();
        let parameter = stack.parameters.get(stack::SERVER_ID).cloned();
        let in_progress = stack.status.ends_with("_IN_PROGRESS") && live.settled == Settled::Ready;
        let live = if in_progress { live.settled(Settled::Pending(stack.status.clone())) } else { live };
        Ok(Some(live.with(PARAMETER, parameter).with(STATUS, stack.status)))
    }

    /// It needs only a function and a server that exist, whatever became of the stack's update.
    fn runs_after_failure(&self, actual: &Actual) -> bool {
        let live = |node: &NodeId| actual.get(node).and_then(Option::as_ref);
        let over = live(&self.stack.id).is_some_and(|stack| !matches!(stack.settled, Settled::Pending(_)));
        let known = matches!(output(actual, &self.server, "ServerId"), Want::Is(_));
        over && known && live(&self.id).is_some()
    }

    /// Replaces other code before all else: it decides on log-ins. Then sets the server ID: it admits customers at once,
    /// and the stack's update takes longer.
    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        _live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let lambda = aws.lambda(&self.region);
        if change.touches(CODE) {
            let function = self.function(&lambda).await?;
            let architectures = &function.settings.architectures;
            let zip = self.code.zip();
            return Ok(lambda.set_code(&self.function, zip, architectures, &function.revision).await?);
        }
        if change.touches(VARIABLES) || change.touches(LAYERS) {
            let function = self.function(&lambda).await?;
            let mut environment = self.variables.clone();
            environment.extend(function.environment.get(VARIABLE).map(|id| (VARIABLE.to_owned(), id.clone())));
            let layers = change.touches(LAYERS).then(Vec::new);
            return Ok(lambda.configure(&self.function, environment, layers, &function.revision).await?);
        }
        let Want::Is(Value::String(server)) = output(actual, &self.server, "ServerId") else {
            return Err(ResourceError::Refused(format!("{} has no id", self.server)));
        };
        if !change.touches(VARIABLE) {
            let cloudformation = aws.cloudformation(&self.region);
            self.updating.store(true, Ordering::Relaxed);
            return Ok(cloudformation.set_parameter(&self.stack.name, call, stack::SERVER_ID, &server).await?);
        }
        let function = self.function(&lambda).await?;
        let mut environment = function.environment;
        environment.insert(VARIABLE.to_owned(), server);
        lambda.configure(&self.function, environment, None, &function.revision).await?;
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
