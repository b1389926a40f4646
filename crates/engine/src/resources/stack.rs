//! The CloudFormation stack of a region.
//!
//! One `DescribeStacks` shows whether it matches the environment file: an output contains the template's digest. The
//! server ID is a parameter: every update passes the live server's ID, so that neither it nor its rollback reverts a
//! change of `server_id`, which compares the parameter. Buckets that an earlier teardown kept are imported before the
//! update, since creating them again would fail (`stack_import`).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sftpctl_aws::{Aws, AwsError, CloudFormation, StackEvent, StackFacts, StackRequest, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{
    Action, Actual, Change, Live, Owner, Properties, PropertyChange, Removal, RemovalOptions, Settled, Want, compare,
    output,
};
use sftpctl_core::node::Node;
use sftpctl_core::spec::names;
use sftpctl_core::template::{self, DECRYPT_WORKFLOW};

use super::stray::{Orphan, Search, Stray};
use super::{package, stack_diff, tags, web_acl};
use crate::resources::resource::{ReportedEvents, Resource, ResourceError};

/// The largest template, in bytes, that CloudFormation takes inline; it reads a larger one from S3.
const INLINE_LIMIT: usize = 51_200;
/// The output with the template's digest.
pub(crate) const DIGEST: &str = "TemplateDigest";
/// The parameter that only passes on the live server ID.
pub(super) const SERVER_ID: &str = "ServerId";
/// The parameter, and the property, with the version of the package's object.
pub(super) const CODE_VERSION: &str = "CodeVersion";
/// The parameter that says how user names are compared.
const USERNAMES: &str = "Usernames";
/// A property that no run changes.
const PROTECTED: &str = "termination protection";

#[derive(Clone, Debug)]
pub struct Stack {
    pub id: NodeId,
    pub region: String,
    pub account: String,
    pub name: String,
    /// The template, without the digest's output.
    pub template: Value,
    pub digest: String,
    /// Parameters except the server ID and the package's version.
    pub parameters: BTreeMap<String, String>,
    /// Upload buckets: name → logical ID, and the bucket's node.
    pub buckets: BTreeMap<String, (String, NodeId)>,
    /// Bucket and key of a template that is too large to send inline.
    pub upload: (String, String),
    /// Node of the region's server, if it has one.
    pub server: Option<NodeId>,
    /// Name of the authorizer's function.
    pub function: String,
    /// Node of the package.
    pub package: NodeId,
    /// Nodes that must exist first: user role, package, API Gateway's role for logs.
    pub needs: Vec<NodeId>,
    pub tags: Tags,
}

/// Statuses of stacks that can only be deleted. A stack in REVIEW_IN_PROGRESS has no resources yet.
pub(crate) const ONLY_DELETABLE: [&str; 5] =
    ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"];

pub(super) fn status(live: &Live) -> &str {
    live.properties.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn settled(stack: &StackFacts) -> Settled {
    let status_and_reason = || match &stack.reason {
        Some(reason) => format!("{}: {reason}", stack.status),
        None => stack.status.clone(),
    };
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "REVIEW_IN_PROGRESS" => Settled::Ready,
        status if status.ends_with("_IN_PROGRESS") => Settled::Pending(status.to_owned()),
        // The stack can be updated again, but after an operation of ours the status means that the operation failed.
        _ => Settled::Failed(status_and_reason()),
    }
}

impl Stack {
    /// The customers whom a change of the comparison of user names locks out. The plan does not read accounts.
    fn locks_out(&self, changes: &[PropertyChange]) -> Option<String> {
        let change = changes.iter().find(|change| change.name == format!("parameter {USERNAMES}"))?;
        let is = |value: &Option<Value>| value.as_ref().and_then(Value::as_str) == Some("case-insensitive");
        let environment = self.tags.get(tags::ENVIRONMENT).map_or("", String::as_str);
        match (is(&change.before), is(&change.after)) {
            (false, true) => Some(format!(
                "user names are looked up in lower case from then on, so an account whose stored name has upper-case \
                 letters admits nobody: with the changed file, `sftpctl users list --env {environment}` names each"
            )),
            (true, false) => Some(
                "user names are compared letter by letter from then on, so customers who type another case than the \
                 stored one are refused"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn full_template(&self) -> Value {
        let mut template = self.template.clone();
        if let Some(outputs) = template["Outputs"].as_object_mut() {
            let output =
                json!({ "Description": "Digest of this template, compared on every run", "Value": self.digest });
            outputs.insert(DIGEST.to_owned(), output);
        }
        template
    }

    /// The parameters of a creation or an update, with the live server's ID.
    async fn all_parameters(
        &self,
        aws: &Aws,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let current = live.and_then(|live| live.properties.get("server id")).and_then(Value::as_str);
        let id = match self.server.as_ref().map(|node| (actual.get(node), output(actual, node, SERVER_ID))) {
            Some((_, Want::Is(Value::String(id)))) => Some(id),
            // The server could not be read. After a first deployment the parameter is still unset, and only the
            // function has the ID; an update without it would lock every customer out.
            Some((None, _)) if live.is_some() => {
                let function = aws.lambda(&self.region).function(&self.function).await?;
                function.and_then(|function| function.environment.get(super::server_id::VARIABLE).cloned())
            }
            _ => None,
        };
        let mut parameters = self.parameters.clone();
        let version = match output(actual, &self.package, package::VERSION) {
            Want::Is(Value::String(version)) => version,
            _ => live.and_then(|live| text(live, CODE_VERSION)).unwrap_or_default(),
        };
        parameters.insert(CODE_VERSION.to_owned(), version);
        parameters.insert(SERVER_ID.to_owned(), id.unwrap_or_else(|| current.unwrap_or("unset").to_owned()));
        Ok(parameters)
    }

    /// Takes a workflow off the server that the update deletes: AWS does not document what becomes of a server whose
    /// workflow is gone. Files that arrive until the server has the next one are not processed. Returns whether the
    /// server had it.
    async fn detach_workflow(
        &self,
        aws: &Aws,
        live: &Live,
        parameters: &BTreeMap<String, String>,
    ) -> Result<bool, AwsError> {
        let goes = |(name, _): &(&String, &String)| {
            name.starts_with(DECRYPT_WORKFLOW) && self.template["Outputs"].get(name.as_str()).is_none()
        };
        let server = parameters.get(SERVER_ID).filter(|id| names::is_server_id(id));
        match live.outputs.iter().find(goes).zip(server) {
            Some(((_, workflow), server)) => aws.transfer(&self.region).detach_workflow(server, workflow).await,
            None => Ok(false),
        }
    }

    /// Uploads a template that is too large to send inline, and returns its URL.
    pub(super) async fn upload_large(&self, aws: &Aws, body: &str) -> Result<Option<String>, ResourceError> {
        if body.len() <= INLINE_LIMIT {
            return Ok(None);
        }
        let (bucket, key) = &self.upload;
        let s3 = aws.s3(&self.region);
        // The version that was written: nobody can replace it before CloudFormation reads it.
        let version = s3.put_object(bucket, key, body.as_bytes().to_vec(), &self.account).await?;
        Ok(Some(s3.url(bucket, key, version.as_deref())))
    }

    async fn facts(&self, cloudformation: &CloudFormation, stack: StackFacts) -> Result<Live, AwsError> {
        let stack = StackFacts {
            parameters: stack_diff::restored_texts(&stack.parameters, &self.parameters),
            tags: stack_diff::restored_texts(&stack.tags, &self.tags),
            ..stack
        };
        let parameters: Map<String, Value> = self
            .parameters
            .keys()
            .filter_map(|key| Some((key.clone(), Value::String(stack.parameters.get(key)?.clone()))))
            .collect();
        let digest = stack.outputs.get(DIGEST).cloned();
        let importing = self.is_our_import(cloudformation, &stack).await?;
        let owner = if importing { Owner::Ours } else { tags::owner(&stack.tags, &self.tags, &self.title()) };
        let current: Map<String, Value> =
            stack.parameters.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        let mut live = Live::new(&stack.arn)
            .owned_by(owner)
            .settled(settled(&stack))
            .with("status", stack.status.clone())
            .with("parameters", parameters)
            .with("current parameters", current)
            .with("server id", stack.parameters.get(SERVER_ID).cloned())
            .with(CODE_VERSION, stack.parameters.get(CODE_VERSION).cloned())
            .with("tags", tags::live(&stack.tags, &self.tags))
            .with("template", digest.clone())
            .with(PROTECTED, stack.protected);
        // The template is needed for the plan's before and after, and for the buckets in it: it is read only if it
        // differs, and not in every poll.
        let without_template =
            stack.status.ends_with("_IN_PROGRESS") || ONLY_DELETABLE.contains(&stack.status.as_str());
        if digest.as_ref() != Some(&self.digest) && !without_template {
            let body = cloudformation.template(&stack.arn).await?.unwrap_or_default();
            live = live.with("body", stack_diff::restored(stack_diff::parse(&body), &self.full_template()));
        }
        live.outputs = stack.outputs;
        live.outputs.insert("StackStatus".to_owned(), stack.status);
        Ok(live)
    }
}

impl Node for Stack {
    fn kind(&self) -> Kind {
        Kind::Stack
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        self.needs.clone()
    }

    fn title(&self) -> String {
        format!("stack {}", self.name)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        let parameters: Map<String, Value> =
            self.parameters.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        let mut wanted = Properties::from([
            ("template", self.digest.clone().into()),
            ("parameters", Value::Object(parameters).into()),
            ("tags", tags::wanted(&self.tags).into()),
        ]);
        // Without an answer about the package, the version stays.
        if actual.contains_key(&self.package) {
            wanted.insert(CODE_VERSION, output(actual, &self.package, package::VERSION));
        }
        wanted
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let kept = self.kept(live, actual);
        let import = || {
            let names = kept.values().cloned().collect::<Vec<_>>().join(", ");
            Change {
                action: Action::Import,
                reason: Some(format!(
                    "imports buckets that an earlier removal kept: {names}; then applies the whole template"
                )),
                properties: self.kept_settings(&kept, actual),
            }
        };
        let Some(live) = live else {
            let created = || Change { action: Action::Create, reason: None, properties: self.resource_list() };
            return Some(if kept.is_empty() { created() } else { import() });
        };
        let status = status(live);
        if status == "REVIEW_IN_PROGRESS" && !kept.is_empty() {
            return Some(import());
        }
        if ONLY_DELETABLE.contains(&status) {
            return Some(Change::new(
                Action::Recreate,
                format!("it is {status}, which can only be deleted; then it is created again"),
            ));
        }
        if status == "UPDATE_ROLLBACK_FAILED" {
            return Some(Change::new(Action::Recover, "its rollback failed and is continued first"));
        }
        let differs = compare(&self.wanted(actual), &live.properties);
        if differs.is_empty() {
            return None;
        }
        if !kept.is_empty() {
            return Some(import());
        }
        let mut properties = Vec::new();
        for change in differs {
            match change.name.as_str() {
                "template" => match live.properties.get("body").filter(|body| body.is_object()) {
                    Some(before) => properties.extend(stack_diff::resources(before, &self.template)),
                    None => properties.push(change),
                },
                "parameters" => properties.extend(parameter_changes(&change)),
                CODE_VERSION => properties.push(change.named(format!("parameter {CODE_VERSION}"))),
                _ => properties.push(change),
            }
        }
        Some(Change { action: Action::Update, reason: self.locks_out(&properties), properties })
    }

    fn refusal(&self, live: &Live) -> Option<String> {
        if let Some(arn) = live.properties.get(web_acl::FOREIGN).filter(|arn| arn.is_string()) {
            return Some(self.refusal_of_foreign_web_acl(arn));
        }
        if ONLY_DELETABLE.contains(&status(live)) && is_protected(live) {
            return Some(format!("it is {}, which can only be deleted, but {}", status(live), self.protection()));
        }
        (status(live) == "IMPORT_ROLLBACK_FAILED").then(|| {
            format!(
                "{} is IMPORT_ROLLBACK_FAILED, which AWS can neither update nor roll back. Its events show what failed \
                 (aws cloudformation describe-stack-events --region {} --stack-name {}). Delete the stack, which \
                 keeps its buckets (aws cloudformation delete-stack --region {} --stack-name {}), and deploy again \
                 to import them",
                self.title(),
                self.region,
                self.name,
                self.region,
                self.name
            )
        })
    }
}

#[async_trait]
impl Resource for Stack {
    /// Differences in a template that was edited by hand and still has our digest.
    async fn unmanaged(&self, aws: &Aws, live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        if live.properties.get("template") != Some(&Value::String(self.digest.clone())) {
            return Ok(Vec::new());
        }
        let body = aws.cloudformation(&self.region).template(&live.identity).await?.unwrap_or_default();
        let wanted = self.full_template();
        let have = stack_diff::restored(stack_diff::parse(&body), &wanted);
        Ok(if have == wanted { Vec::new() } else { stack_diff::resources(&have, &wanted) })
    }

    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let cloudformation = aws.cloudformation(&self.region);
        match cloudformation.stack(&self.name).await? {
            None => Ok(None),
            Some(stack) => {
                let api = stack.outputs.get("ApiId").cloned();
                let mut live = self.facts(&cloudformation, stack).await?;
                let differs = text(&live, "template").as_ref() != Some(&self.digest);
                if differs && !status(&live).ends_with("_IN_PROGRESS") {
                    let foreign = self.foreign_web_acl(aws, api.as_deref()).await?;
                    live = live.with(web_acl::FOREIGN, foreign);
                }
                Ok(Some(live))
            }
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let cloudformation = aws.cloudformation(&self.region);
        match change.action {
            Action::Recreate => return Ok(cloudformation.delete(&self.name, call).await?),
            Action::Import => return self.import(aws, live, &self.kept(live, actual), call).await,
            Action::Recover => return Ok(cloudformation.continue_rollback(&self.name, call).await?),
            _ => {}
        }
        let parameters = self.all_parameters(aws, live, actual).await?;
        if let Some(id) = parameters.get(SERVER_ID).filter(|id| live.is_some_and(|live| loses(live, id))) {
            return Ok(cloudformation.set_parameter(&self.name, call, SERVER_ID, id).await?);
        }
        if let Some(live) = live
            && self.detach_workflow(aws, live, &parameters).await?
        {
            // The next round updates the stack.
            return Ok(());
        }
        let body = template::body(&self.full_template());
        let url = self.upload_large(aws, &body).await?;
        let request = StackRequest {
            name: &self.name,
            token: call,
            body: &body,
            url: url.as_deref(),
            parameters: &parameters,
            tags: &self.tags,
        };
        if live.is_none() {
            match cloudformation.create(&request).await {
                // The response of an earlier attempt was lost. The caller reads the stack next.
                Err(error) if error.is("AlreadyExists") => Ok(()),
                other => Ok(other?),
            }
        } else {
            cloudformation.update(&request).await?;
            Ok(())
        }
    }

    /// AWS refuses the deletion of a protected stack, when the servers and their host names are gone already.
    async fn removal(&self, _aws: &Aws, live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(match is_protected(live) {
            true => Removal::Refuse(self.protection()),
            false => Removal::Delete,
        })
    }

    async fn delete(&self, aws: &Aws, call: &str, _live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        Ok(aws.cloudformation(&self.region).delete(&self.name, call).await?)
    }

    async fn progress(&self, aws: &Aws, reported: &mut ReportedEvents) -> Vec<String> {
        // Back to the last reported event, at most to the start of this operation.
        let old = |event: &StackEvent| reported.ids.contains(&event.id) || stack_diff::begins(&self.name, event);
        let Ok(events) = aws.cloudformation(&self.region).events(&self.name, old).await else { return Vec::new() };
        let fresh: Vec<_> = events.iter().take_while(|event| !old(event)).collect();
        let of_resources = fresh.iter().rev().filter(|event| event.resource != self.name);
        let lines = of_resources.clone().map(|event| stack_diff::event_line(event)).collect();
        for event in of_resources {
            match event.status.as_str() {
                "DELETE_FAILED" => {
                    let reason = event.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned());
                    reported.undeleted.insert(event.resource.clone(), reason);
                }
                // CloudFormation tries three times.
                "DELETE_COMPLETE" => drop(reported.undeleted.remove(&event.resource)),
                _ => {}
            }
        }
        reported.ids.extend(fresh.into_iter().map(|event| event.id.clone()));
        lines
    }

    async fn causes(&self, aws: &Aws) -> Vec<String> {
        causes(aws, &self.region, &self.name).await
    }

    /// A bucket whose name was given up lately is refused for an hour or more (S3 API reference, "DeleteBucket"). A stack
    /// that was rolled back at its creation has left its other buckets, because they are retained: only the next run
    /// knows them, and imports them.
    fn is_for_now(&self, live: &Live, cause: &str) -> bool {
        !ONLY_DELETABLE.contains(&status(live))
            && cause.contains("conflicting conditional operation is currently in progress")
    }
}

/// A property that is a text.
pub(super) fn text(live: &Live, property: &str) -> Option<String> {
    live.properties.get(property).and_then(Value::as_str).map(str::to_owned)
}

/// Whether termination protection is on.
fn is_protected(live: &Live) -> bool {
    live.properties.get(PROTECTED) == Some(&Value::Bool(true))
}

/// Whether the rollback of an update would reset the function to another server ID, and with it lock customers out: then
/// the ID is set first, by an update of its own. After a failed update the stack is not updated twice.
fn loses(live: &Live, server: &str) -> bool {
    let current = live.properties.get("server id").and_then(Value::as_str);
    current.is_some_and(|current| current != server) && !status(live).contains("ROLLBACK")
}

/// First causes of a stack's last failure.
async fn causes(aws: &Aws, region: &str, name: &str) -> Vec<String> {
    let cloudformation = aws.cloudformation(region);
    let begins = |event: &StackEvent| stack_diff::begins(name, event);
    let events = cloudformation.events(name, begins).await.unwrap_or_default();
    let causes = stack_diff::first_causes(name, &events);
    if !causes.is_empty() {
        return causes;
    }
    let token = events.first().and_then(|event| event.token.as_deref());
    cloudformation.validation_errors(name, token).await.unwrap_or_default()
}

impl Stack {
    /// That it is protected, and how to lift that. It is never lifted here: somebody has decided it.
    fn protection(&self) -> String {
        format!(
            "{} has termination protection; if it may be deleted: aws cloudformation update-termination-protection \
             --no-enable-termination-protection --stack-name {} --region {}",
            self.title(),
            self.name,
            self.region
        )
    }

    /// The resources of a new stack, one line per type.
    fn resource_list(&self) -> Vec<PropertyChange> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for resource in self.template["Resources"].as_object().into_iter().flat_map(|r| r.values()) {
            *counts.entry(resource["Type"].as_str().unwrap_or_default()).or_default() += 1;
        }
        counts.into_iter().map(|(kind, count)| PropertyChange::new(kind, None, Some(count.into()))).collect()
    }
}

/// One change for each parameter that differs.
fn parameter_changes(change: &PropertyChange) -> Vec<PropertyChange> {
    let empty = Map::new();
    let before = change.before.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let after = change.after.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(*value))
        .map(|(key, value)| {
            PropertyChange::new(format!("parameter {key}"), before.get(key).cloned(), Some(value.clone()))
        })
        .collect()
}

/// Stacks of regions that are no longer in the environment file.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Stack
    }

    fn plural(&self) -> &'static str {
        "stack"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        if !search.is_dropped(region) {
            return Ok(Vec::new());
        }
        let name = names::stack(search.environment, region);
        let stack = search.aws.cloudformation(region).stack(&name).await?;
        let ours = stack.filter(|stack| search.is_tagged(&stack.tags));
        Ok(ours.map(|_| search.orphan(&Strays, region, &name, "")).into_iter().collect())
    }

    async fn find_created(
        &self,
        search: &Search<'_>,
        node: &NodeId,
        _patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        Ok(self.find(search, node.place()).await?.into_iter().next())
    }

    fn removed_after(&self, _search: &Search<'_>, region: &str) -> Vec<NodeId> {
        vec![names::server_node(region)]
    }

    /// The name of a stack is the second part of its ARN.
    fn name<'a>(&self, identity: &'a str) -> &'a str {
        identity.split('/').nth(1).unwrap_or(identity)
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let stack = aws.cloudformation(&orphan.region).stack(&orphan.identity).await?;
        // DELETE_FAILED after a deletion of ours is a failure, and in REVIEW_IN_PROGRESS no operation is in progress.
        Ok(stack.map(|stack| Live::new(&orphan.identity).settled(settled(&stack)).owned_by(orphan.owner(&stack.tags))))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.cloudformation(&orphan.region).delete(&orphan.identity, call).await?)
    }

    async fn causes(&self, aws: &Aws, orphan: &Orphan) -> Vec<String> {
        causes(aws, &orphan.region, &orphan.identity).await
    }
}
