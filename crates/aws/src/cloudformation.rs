//! Stacks: read, create, update, import and delete them, and find the cause of a failure.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, OperationEvent, Parameter, ResourceToImport, Tag};

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct CloudFormation {
    pub(super) client: aws_sdk_cloudformation::Client,
    /// ARN of the role with which CloudFormation works on stacks; the caller's permissions without it.
    pub(super) role: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct StackFacts {
    /// Its ARN, which changes when a stack of the same name is created again.
    pub arn: String,
    /// `CREATE_COMPLETE`, …
    pub status: String,
    /// AWS's reason for the status.
    pub reason: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: Tags,
    /// Name of the change set that created or last changed it; `None` if it was changed without one.
    pub change_set: Option<String>,
    /// Whether AWS refuses to delete it.
    pub protected: bool,
}

/// The input of a creation or an update.
#[derive(Clone, Debug)]
pub struct StackRequest<'a> {
    pub name: &'a str,
    /// Client request token, which identifies the operation's events.
    pub token: &'a str,
    /// The template; empty with `url`.
    pub body: &'a str,
    /// Address of the template, for one over 51,200 bytes.
    pub url: Option<&'a str>,
    pub parameters: &'a BTreeMap<String, String>,
    /// CloudFormation puts them on the resources too.
    pub tags: &'a Tags,
}

#[derive(Clone, Debug)]
pub struct StackEvent {
    pub id: String,
    /// Logical id of the resource.
    pub resource: String,
    /// `AWS::Lambda::Function`.
    pub kind: String,
    /// `CREATE_FAILED`, …
    pub status: String,
    pub reason: Option<String>,
    /// Client request token of the call that began the operation.
    pub token: Option<String>,
}

/// Maximum number of pages that are searched for the beginning of an operation: 50 pages contain 5,000 events.
const PAGES: usize = 50;

impl CloudFormation {
    /// Reads a stack by name or ARN.
    pub async fn stack(&self, name: &str) -> Result<Option<StackFacts>, AwsError> {
        let call =
            self.client.describe_stacks().stack_name(name).send().await.call("cloudformation:DescribeStacks", name);
        let answer = match call {
            // A missing stack is a ValidationError like others; only the message distinguishes them.
            Err(error) if error.is("ValidationError") && error.message.contains("does not exist") => return Ok(None),
            other => other.or_missing(&["StackNotFoundException"])?,
        };
        let Some(stack) = answer.and_then(|a| a.stacks.unwrap_or_default().into_iter().next()) else { return Ok(None) };
        let status = stack.stack_status().map_or_else(String::new, |s| s.as_str().to_owned());
        if status == "DELETE_COMPLETE" {
            return Ok(None);
        }
        Ok(Some(StackFacts {
            arn: stack.stack_id().unwrap_or_default().to_owned(),
            status,
            reason: stack.stack_status_reason().filter(|r| !r.is_empty()).map(str::to_owned),
            parameters: stack
                .parameters()
                .iter()
                .map(|p| {
                    (
                        p.parameter_key().unwrap_or_default().to_owned(),
                        p.parameter_value().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            outputs: stack
                .outputs()
                .iter()
                .map(|o| {
                    (o.output_key().unwrap_or_default().to_owned(), o.output_value().unwrap_or_default().to_owned())
                })
                .collect(),
            tags: stack
                .tags()
                .iter()
                .map(|t| (t.key().unwrap_or_default().to_owned(), t.value().unwrap_or_default().to_owned()))
                .collect(),
            protected: stack.enable_termination_protection().unwrap_or(false),
            // arn:aws:cloudformation:<region>:<account>:changeSet/<name>/<uuid>
            change_set: stack.change_set_id().and_then(|id| id.split('/').nth(1)).map(str::to_owned),
        }))
    }

    /// The template of a stack as it was submitted.
    pub async fn template(&self, name: &str) -> Result<Option<String>, AwsError> {
        let answer =
            self.client.get_template().stack_name(name).send().await.call("cloudformation:GetTemplate", name)?;
        Ok(answer.template_body().map(str::to_owned))
    }

    /// Physical ids of a stack's resources by logical id.
    pub async fn physical_ids(&self, name: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let mut found = BTreeMap::new();
        let mut pages = self.client.list_stack_resources().stack_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.call("cloudformation:ListStackResources", name)?;
            let pairs = page.stack_resource_summaries().iter().filter_map(|resource| {
                Some((resource.logical_resource_id()?.to_owned(), resource.physical_resource_id()?.to_owned()))
            });
            found.extend(pairs.filter(|(_, id)| !id.is_empty()));
        }
        Ok(found)
    }

    /// Begins to create a stack.
    pub async fn create(&self, request: &StackRequest<'_>) -> Result<(), AwsError> {
        self.client
            .create_stack()
            .set_role_arn(self.role.clone())
            .stack_name(request.name)
            .client_request_token(request.token)
            .set_template_body(request.url.is_none().then(|| request.body.to_owned()))
            .set_template_url(request.url.map(str::to_owned))
            .set_parameters(Some(parameters(request.parameters)))
            .set_tags(Some(tagged(request.tags)))
            .capabilities(Capability::CapabilityIam)
            .send()
            .await
            .call("cloudformation:CreateStack", request.name)
            .map(drop)
    }

    /// Begins an update; `false` if AWS finds nothing to update.
    pub async fn update(&self, request: &StackRequest<'_>) -> Result<bool, AwsError> {
        let call = self
            .client
            .update_stack()
            .set_role_arn(self.role.clone())
            .stack_name(request.name)
            .client_request_token(request.token)
            .set_template_body(request.url.is_none().then(|| request.body.to_owned()))
            .set_template_url(request.url.map(str::to_owned))
            .set_parameters(Some(parameters(request.parameters)))
            .set_tags(Some(tagged(request.tags)))
            .capabilities(Capability::CapabilityIam)
            .send()
            .await
            .call("cloudformation:UpdateStack", request.name);
        match call {
            Err(error) if error.message.contains("No updates are to be performed") => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Begins an update that sets one parameter and keeps the template, the other parameters and the tags.
    pub async fn set_parameter(&self, name: &str, token: &str, parameter: &str, value: &str) -> Result<(), AwsError> {
        let operation = "cloudformation:UpdateStack";
        let Some(stack) = self.stack(name).await? else { return Ok(()) };
        let kept = stack.parameters.keys().filter(|key| *key != parameter);
        let kept = kept.map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
        let set = Parameter::builder().parameter_key(parameter).parameter_value(value).build();
        let call = self.client.update_stack().set_role_arn(self.role.clone()).stack_name(name);
        let call = call.client_request_token(token).use_previous_template(true);
        let call = call.set_parameters(Some(kept.chain([set]).collect())).capabilities(Capability::CapabilityIam);
        match call.send().await.call(operation, name) {
            Err(error) if error.message.contains("No updates are to be performed") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Creates a change set that imports existing buckets (logical id → bucket name) into a stack, new or existing.
    pub async fn plan_import(
        &self,
        request: &StackRequest<'_>,
        change_set: &str,
        buckets: &BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let mut call = self
            .client
            .create_change_set()
            .set_role_arn(self.role.clone())
            .stack_name(request.name)
            .change_set_name(change_set)
            .client_token(request.token)
            .change_set_type(ChangeSetType::Import)
            .set_template_body(request.url.is_none().then(|| request.body.to_owned()))
            .set_template_url(request.url.map(str::to_owned))
            .set_parameters(Some(parameters(request.parameters)))
            // No tags: an import may not change them (CloudFormation refuses "modify or add [Tags]").
            .capabilities(Capability::CapabilityIam);
        for (logical, bucket) in buckets {
            let resource = ResourceToImport::builder()
                .resource_type("AWS::S3::Bucket")
                .logical_resource_id(logical)
                .resource_identifier("BucketName", bucket)
                .build();
            call = call.resources_to_import(resource);
        }
        let call = call.send().await.call("cloudformation:CreateChangeSet", request.name);
        call.or_missing(&["AlreadyExists"]).map(drop)
    }

    /// Name of the stack that a resource is in, by its physical id; `None` if it is in none.
    pub async fn stack_with(&self, physical: &str) -> Result<Option<String>, AwsError> {
        let call = self.client.describe_stack_resources().physical_resource_id(physical).send().await;
        let call = call.call("cloudformation:DescribeStackResources", physical);
        let found = match call {
            // "Stack for … does not exist"
            Err(error) if error.is("ValidationError") && error.message.contains("does not exist") => return Ok(None),
            other => other?,
        };
        Ok(found.stack_resources().first().and_then(|resource| resource.stack_name().map(str::to_owned)))
    }

    /// Status and reason of a change set.
    pub async fn change_set(&self, stack: &str, change_set: &str) -> Result<Option<(String, String)>, AwsError> {
        let call = self.client.describe_change_set().stack_name(stack).change_set_name(change_set).send().await;
        let call = call.call("cloudformation:DescribeChangeSet", change_set).or_missing(&["ChangeSetNotFound"])?;
        Ok(call.map(|c| {
            let status = c.status().map_or_else(String::new, |s| s.as_str().to_owned());
            (status, c.status_reason().unwrap_or_default().to_owned())
        }))
    }

    /// Executes a change set.
    pub async fn execute(&self, stack: &str, change_set: &str, token: &str) -> Result<(), AwsError> {
        let call =
            self.client.execute_change_set().stack_name(stack).change_set_name(change_set).client_request_token(token);
        call.send().await.call("cloudformation:ExecuteChangeSet", change_set).map(drop)
    }

    /// Deletes a change set; missing is fine.
    pub async fn delete_change_set(&self, stack: &str, change_set: &str) -> Result<(), AwsError> {
        let call = self.client.delete_change_set().stack_name(stack).change_set_name(change_set).send().await;
        call.call("cloudformation:DeleteChangeSet", change_set).or_missing(&["ChangeSetNotFound"]).map(drop)
    }

    /// Resumes a rollback that failed.
    pub async fn continue_rollback(&self, name: &str, token: &str) -> Result<(), AwsError> {
        let call = self.client.continue_update_rollback().stack_name(name).client_request_token(token);
        let call = call.set_role_arn(self.role.clone()).send().await;
        call.call("cloudformation:ContinueUpdateRollback", name).map(drop)
    }

    /// Begins to delete a stack.
    pub async fn delete(&self, name: &str, token: &str) -> Result<(), AwsError> {
        let call = self.client.delete_stack().stack_name(name).client_request_token(token);
        let call = call.set_role_arn(self.role.clone()).send().await;
        call.call("cloudformation:DeleteStack", name).map(drop)
    }

    /// The events, newest first. Reads pages (of 100 events) until `enough` is true of an event, because an operation
    /// on 50 resources has more events than a page.
    pub async fn events(&self, name: &str, enough: impl Fn(&StackEvent) -> bool) -> Result<Vec<StackEvent>, AwsError> {
        let mut pages = self.client.describe_stack_events().stack_name(name).into_paginator().send();
        let mut events: Vec<StackEvent> = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.call("cloudformation:DescribeStackEvents", name)?;
            let from = events.len();
            events.extend(page.stack_events().iter().map(|event| StackEvent {
                id: event.event_id().unwrap_or_default().to_owned(),
                resource: event.logical_resource_id().unwrap_or_default().to_owned(),
                kind: event.resource_type().unwrap_or_default().to_owned(),
                status: event.resource_status().map_or_else(String::new, |s| s.as_str().to_owned()),
                reason: event.resource_status_reason().map(str::to_owned),
                token: event.client_request_token().map(str::to_owned),
            }));
            if events[from..].iter().any(&enough) {
                break;
            }
        }
        Ok(events)
    }

    /// Names of the change sets of a stack that have not been executed.
    pub async fn change_sets(&self, name: &str) -> Result<Vec<String>, AwsError> {
        let call = self.client.list_change_sets().stack_name(name).send().await;
        let answer = call.call("cloudformation:ListChangeSets", name)?;
        Ok(answer.summaries().iter().filter_map(|summary| summary.change_set_name().map(str::to_owned)).collect())
    }

    /// The findings of early validation (`DescribeEvents`, event type VALIDATION_ERROR), which stack events lack. They
    /// are those of the operation with this token, or else of the newest operation that has any.
    pub async fn validation_errors(&self, name: &str, token: Option<&str>) -> Result<Vec<String>, AwsError> {
        let mut pages = self.client.describe_events().stack_name(name).into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = pages.next().await else { break };
            found.extend(page.call("cloudformation:DescribeEvents", name)?.operation_events().iter().cloned());
        }
        let error = |event: &&OperationEvent| event.event_type().is_some_and(|t| t.as_str() == "VALIDATION_ERROR");
        let begun = |event: &&OperationEvent| token.is_some() && event.client_request_token() == token;
        let mut operations: Vec<Option<&str>> = found.iter().filter(begun).map(OperationEvent::operation_id).collect();
        if operations.is_empty() {
            let at = |event: &&OperationEvent| event.timestamp().map(|at| (at.secs(), at.subsec_nanos()));
            operations.extend(found.iter().filter(error).max_by_key(at).map(OperationEvent::operation_id));
        }
        Ok(found
            .iter()
            .filter(|event| error(event) && operations.contains(&event.operation_id()))
            .map(|event| {
                let reason = event.validation_status_reason().or(event.resource_status_reason()).unwrap_or_default();
                let reason = reason.trim_end_matches('.');
                let path = event.validation_path().map(|p| format!(" at {p}")).unwrap_or_default();
                format!("{}: {reason}{path}", event.logical_resource_id().unwrap_or("template"))
            })
            .collect())
    }
}

fn parameters(parameters: &BTreeMap<String, String>) -> Vec<Parameter> {
    parameters.iter().map(|(k, v)| Parameter::builder().parameter_key(k).parameter_value(v).build()).collect()
}

fn tagged(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}
