//! `decrypt`: what CloudFormation calls for workflows of Transfer Family, in addition to `stack`, by
//! `handlers.*.permissions` of AWS's resource schemas. Also for the deployment after the setting was left out, which
//! deletes them.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::allow_if;

/// What the read handler of `AWS::Transfer::Workflow` calls.
pub(super) const READ: &str = "transfer:DescribeWorkflow";

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let created = json!({ "StringEquals": { "aws:RequestTag/sftpctl:environment": arns.0.name } });
    let mut tagged = created.clone();
    tagged["Null"] = json!({ "aws:ResourceTag/sftpctl:environment": "true" });
    let changes = [READ, "transfer:DeleteWorkflow", "transfer:TagResource", "transfer:UntagResource"];
    vec![
        // Without a resource type: a workflow has no ARN before it is created.
        allow_if("CreateWorkflows", &["transfer:CreateWorkflow"], ["*".to_owned()], created),
        // A workflow without the tag of any environment: a new one, or one that sftpctl has not made
        // (docs/permissions.md).
        allow_if("TagNewWorkflows", &["transfer:TagResource"], [arns.workflows()], tagged),
        allow_if("Workflows", &changes, [arns.workflows()], arns.is_tagged()),
    ]
}
