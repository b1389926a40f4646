//! The operations on workflows, which MiniStack keeps (`functions/workflows.py`), so that its CloudFormation can
//! create them; and the workflows of servers.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::{Context, text};

/// A workflow that a server starts, and the role that it runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workflow {
    /// `w-…`.
    pub(crate) id: String,
    /// ARN of the execution role.
    pub(crate) role: String,
}

impl Workflow {
    /// The workflow of a server for files that were uploaded.
    pub(crate) fn on_upload(settings: &Map<String, Value>) -> Option<Self> {
        of(settings, "OnUpload").into_iter().next()
    }
}

/// Passes a call on that the model has checked.
pub(super) async fn pass(context: &Context<'_>, operation: &str, input: Map<String, Value>) -> Result<Value, ApiError> {
    let id = text(&input, "WorkflowId").to_owned();
    let answer = context.neighbors.workflows(&context.place, operation, &Value::Object(input)).await;
    answer.map_err(|(code, message)| match code.as_str() {
        "ResourceNotFoundException" => ApiError::unknown("Workflow", &id),
        "InvalidRequestException" => ApiError::invalid(message),
        _ => ApiError::internal(message),
    })
}

/// Checks that workflows exist, and that Transfer Family can assume their roles: for that, AWS does not document the
/// error.
pub(super) async fn check(context: &Context<'_>, settings: &Map<String, Value>) -> Result<(), ApiError> {
    if !of(settings, "OnPartialUpload").is_empty() {
        return Err(ApiError::invalid("the local cloud runs no workflows for files that were uploaded in part"));
    }
    for Workflow { id, role } in of(settings, "OnUpload") {
        let asked = Map::from_iter([("WorkflowId".to_owned(), Value::from(id.clone()))]);
        pass(context, "DescribeWorkflow", asked).await?;
        context.neighbors.runs_workflows(&context.place, &role, &id).await.map_err(ApiError::invalid)?;
    }
    Ok(())
}

fn of(settings: &Map<String, Value>, trigger: &str) -> Vec<Workflow> {
    let details = settings.get("WorkflowDetails").and_then(|details| details[trigger].as_array());
    let member = |detail: &Value, name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let workflow =
        |detail: &Value| Workflow { id: member(detail, "WorkflowId"), role: member(detail, "ExecutionRole") };
    details.into_iter().flatten().map(workflow).collect()
}
