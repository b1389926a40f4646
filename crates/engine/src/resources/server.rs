//! The Transfer Family server of a region.
//!
//! It is not in the template, although `AWS::Transfer::Server` exists: customers trust the server's endpoint and host
//! key, and both would be lost with a stack that is replaced. `CreateServer` takes no client token, so a server is
//! found by its environment tag. If the remembered server does not exist, every server is read, which detects a second
//! one that was created because of a lost response.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sftpctl_aws::{Aws, AwsError, Provider, ServerFacts, ServerRequest, ServerUpdate, Tags, Workflow};
use sftpctl_core::clients::change::SECURITY_POLICY;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{
    Actual, Change, Live, Owner, Properties, PropertyChange, RemovalOptions, Settled, Want, compare, output,
};
use sftpctl_core::node::{Node, difference};
use sftpctl_core::outage::{self, ENDPOINT_TYPE};
use sftpctl_core::spec::names;
use sftpctl_core::template::DECRYPT_ROLE;

use super::server_endpoint::ServerEndpoint;
use super::server_keys::{Changes, OwnKeys};
use super::stray::{self, Orphan, Search, Stray};
use super::witness::Witness;
use super::{stack, tags};
use crate::host_keys::HostKey;
use crate::resources::resource::{Resource, ResourceError};
use crate::wait;

/// The identity provider type for an API in API Gateway.
const PROVIDER: &str = "API_GATEWAY";
const PROVIDER_TYPE: &str = "identity provider type";
/// The workflow for uploaded files, and the role that it runs with.
const WORKFLOW: &str = "workflow for uploads";
const WORKFLOW_ROLE: &str = "role of the workflow";
/// Properties that UpdateServer changes.
const UPDATED: [&str; 12] = [
    PROVIDER_TYPE,
    "identity provider",
    "invocation role",
    "authentication",
    "logging role",
    "structured logs",
    SECURITY_POLICY,
    "SETSTAT",
    "listing optimization",
    "ports",
    WORKFLOW,
    WORKFLOW_ROLE,
];

#[derive(Clone, Debug)]
pub struct Server {
    pub id: NodeId,
    pub region: String,
    pub environment: String,
    /// Node of the stack with its identity provider.
    pub stack: NodeId,
    /// ARN of the role for legacy logs, which replace structured logs.
    pub logging_role: Option<String>,
    /// ARN of the log group of the structured logs.
    pub log_group: String,
    /// `TransferSecurityPolicy-…`.
    pub security_policy: String,
    /// `PASSWORD`, …
    pub authentication: String,
    /// The stack's output with the ID of the workflow for uploaded files; `None` leaves the server what it has. The
    /// stack takes its own workflow off the server before it deletes it.
    pub workflow: Option<String>,
    pub endpoint: ServerEndpoint,
    /// Ports that it listens on, ascending; none leaves those that it has.
    pub ports: Vec<u16>,
    /// Private host keys that it presents, at most one of each kind. Its foreign keys of other kinds are kept.
    pub host_keys: Arc<[HostKey]>,
    pub tags: Tags,
    pub witness: Witness,
}

impl Server {
    /// An output of the stack.
    fn known(&self, actual: &Actual, name: &str) -> Result<String, ResourceError> {
        match output(actual, &self.stack, name) {
            Want::Is(Value::String(value)) => Ok(value),
            _ => Err(ResourceError::Refused(format!("{} has no output {name}", self.stack))),
        }
    }

    fn provider(&self, actual: &Actual) -> Result<Provider, ResourceError> {
        Ok(Provider {
            url: self.known(actual, "ApiUrl")?,
            invocation_role: self.known(actual, "InvocationRoleArn")?,
            authentication: self.authentication.clone(),
        })
    }

    fn workflow(&self, actual: &Actual) -> Result<Option<Workflow>, ResourceError> {
        let Some(output) = &self.workflow else { return Ok(None) };
        Ok(Some(Workflow { id: self.known(actual, output)?, role: self.known(actual, DECRYPT_ROLE)? }))
    }

    fn request(&self, actual: &Actual) -> Result<ServerRequest, ResourceError> {
        // AWS reserves these keys; TagResource takes some of them (`transfer:TagResource`, after the creation).
        let tags = self.tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
        Ok(ServerRequest {
            provider: self.provider(actual)?,
            logging_role: self.logging_role.clone(),
            log_destinations: self.log_destinations(),
            security_policy: self.security_policy.clone(),
            ports: self.ports.clone(),
            workflow: self.workflow(actual)?,
            place: self.endpoint.place(actual)?,
            host_key: self.host_keys.first().map(|key| key.private.clone()),
            tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
        })
    }

    /// What an update has to send, or `None` if the change is none of UpdateServer's.
    fn update(&self, change: &Change, actual: &Actual) -> Result<Option<ServerUpdate>, ResourceError> {
        if !UPDATED.iter().any(|property| change.touches(property)) {
            return Ok(None);
        }
        let provider = [PROVIDER_TYPE, "identity provider", "invocation role", "authentication"];
        let provider =
            provider.iter().any(|property| change.touches(property)).then(|| self.provider(actual)).transpose()?;
        let has_other_workflow = change.touches(WORKFLOW) || change.touches(WORKFLOW_ROLE);
        let touched = |property: &str| change.touches(property).then_some(());
        Ok(Some(ServerUpdate {
            provider,
            // An empty role removes the old one.
            logging_role: touched("logging role").map(|()| self.logging_role.clone().unwrap_or_default()),
            log_destinations: touched("structured logs").map(|()| self.log_destinations()),
            security_policy: touched(SECURITY_POLICY).map(|()| self.security_policy.clone()),
            ignore_set_stat: change.touches("SETSTAT"),
            ports: touched("ports").map(|()| self.ports.clone()),
            optimize_listing: change.touches("listing optimization"),
            workflow: if has_other_workflow { self.workflow(actual)? } else { None },
        }))
    }

    fn own_keys(&self, server: &ServerFacts) -> OwnKeys<'_> {
        let created_here = server.tags.contains_key(tags::OPERATION);
        OwnKeys { environment: &self.environment, wanted: &self.host_keys, created_here }
    }

    async fn key_changes(&self, aws: &Aws, server: &ServerFacts) -> Result<Changes<'_>, AwsError> {
        if self.host_keys.is_empty() {
            return Ok(Changes::default());
        }
        Ok(self.own_keys(server).changes(&aws.transfer(&self.region).host_keys(&server.id).await?))
    }

    async fn change_host_keys(&self, aws: &Aws, id: &str) -> Result<(), AwsError> {
        let transfer = aws.transfer(&self.region);
        let Some(server) = transfer.server(id).await? else { return Ok(()) };
        let changes = self.key_changes(aws, &server).await?;
        for key in changes.import {
            let description = self.own_keys(&server).description(key);
            transfer.import_host_key(id, &key.private, &description).await?;
        }
        for (key, description) in changes.mark {
            transfer.describe_key(id, &key, &description).await?;
        }
        for key in changes.delete {
            transfer.delete_host_key(id, &key).await?;
        }
        Ok(())
    }

    /// One of ours, with what other calls say of it.
    async fn whole(&self, aws: &Aws, server: &ServerFacts) -> Result<Live, AwsError> {
        let live = self.live(server).with("host keys", json!(self.key_changes(aws, server).await?.shown));
        self.endpoint.read(aws, &self.region, server, live).await
    }

    fn fingerprints(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.host_keys.iter().map(|key| key.fingerprint.as_str()).collect();
        all.sort_unstable();
        all
    }

    fn log_destinations(&self) -> Vec<String> {
        if self.logging_role.is_some() { Vec::new() } else { vec![self.log_group.clone()] }
    }

    fn live(&self, server: &ServerFacts) -> Live {
        let settled = match server.state.as_str() {
            "ONLINE" | "OFFLINE" => Settled::Ready,
            "START_FAILED" | "STOP_FAILED" => Settled::Failed(server.state.clone()),
            other => Settled::Pending(other.to_owned()),
        };
        Live::new(&server.id)
            .owned_by(tags::owner(&server.tags, &self.tags, &format!("server {}", server.id)))
            .settled(settled)
            .with("state", server.state.clone())
            .with("identity provider", server.url.clone())
            .with("invocation role", server.invocation_role.clone())
            .with("authentication", server.authentication.clone())
            .with("logging role", server.logging_role.clone())
            .with("structured logs", json!(server.log_destinations))
            .with(SECURITY_POLICY, server.security_policy.clone())
            .with("SETSTAT", server.set_stat.clone())
            .with("ports", json!(server.ports))
            .with("listing optimization", server.listing_optimization.clone())
            .with("tags", tags::live(&server.tags, &self.tags))
            .with(PROVIDER_TYPE, server.provider.clone())
            .with(ENDPOINT_TYPE, server.endpoint_type.clone())
            .with("protocols", json!(server.protocols))
            .with("workflows", json!(server.workflows))
            .with(WORKFLOW, server.on_upload.as_ref().map(|workflow| workflow.id.clone()))
            .with(WORKFLOW_ROLE, server.on_upload.as_ref().map(|workflow| workflow.role.clone()))
            .with("banners", json!(server.banners))
            .output("ServerId", &server.id)
            .output("State", &server.state)
            .output("Arn", &server.arn)
            .output("Endpoint", format!("{}.server.transfer.{}.amazonaws.com", server.id, self.region))
    }
}

impl Node for Server {
    fn kind(&self) -> Kind {
        Kind::Server
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        let mut needs = self.endpoint.needs();
        needs.push(self.stack.clone());
        needs
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let mut change = difference(&self.wanted(actual), live)?;
        change.reason = outage::sentence(&change, live);
        Some(change)
    }

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn title(&self) -> String {
        "Transfer server".to_owned()
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        let mut wanted = Properties::from([
            (PROVIDER_TYPE, PROVIDER.into()),
            ("state", "ONLINE".into()),
            ("identity provider", output(actual, &self.stack, "ApiUrl")),
            ("invocation role", output(actual, &self.stack, "InvocationRoleArn")),
            ("authentication", self.authentication.clone().into()),
            ("host keys", json!(self.fingerprints()).into()),
            ("logging role", self.logging_role.clone().map_or(Value::Null, Value::from).into()),
            ("structured logs", json!(self.log_destinations()).into()),
            (SECURITY_POLICY, self.security_policy.clone().into()),
            ("SETSTAT", "ENABLE_NO_OP".into()),
            ("listing optimization", "ENABLED".into()),
            ("tags", tags::wanted(&self.tags).into()),
        ]);
        if !self.ports.is_empty() {
            wanted.insert("ports", json!(self.ports).into());
        }
        if let Some(workflow) = &self.workflow {
            wanted.insert(WORKFLOW, output(actual, &self.stack, workflow));
            wanted.insert(WORKFLOW_ROLE, output(actual, &self.stack, DECRYPT_ROLE));
        }
        wanted.extend(self.endpoint.wanted(actual));
        wanted
    }

    fn found_by_listing(&self) -> bool {
        true
    }
}

#[async_trait]
impl Resource for Server {
    fn out_of_use(&self, live: &Live) -> Option<String> {
        let is_stopped = live.properties.get("state").is_some_and(|state| state == "OFFLINE");
        is_stopped.then(|| "OFFLINE: nobody can log in there; rerun the same command".to_owned())
    }

    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let transfer = aws.transfer(&self.region);
        let ours = |server: &ServerFacts| server.tags.get(tags::ENVIRONMENT) == self.tags.get(tags::ENVIRONMENT);
        // What cannot be an ID is not one that was made, whoever wrote it into the state: AWS would refuse the call.
        if let Some(id) = known.filter(|id| names::is_server_id(id))
            && let Some(server) = transfer.server(id).await?
        {
            let refers = self.witness.parameter(aws, stack::SERVER_ID, id);
            let owner = self.witness.owner(&server.tags, &format!("server {id}"), true, refers).await?;
            // The keys of a foreign server are none of our business.
            let live = if owner == Owner::Ours { self.whole(aws, &server).await? } else { self.live(&server) };
            return Ok(Some(live.owned_by(owner)));
        }
        let mut found: Vec<ServerFacts> = Vec::new();
        for id in transfer.servers().await? {
            found.extend(transfer.server(&id).await?.filter(ours));
        }
        Ok(match found.as_slice() {
            [] => None,
            [server] => Some(self.whole(aws, server).await?),
            [server, ..] => {
                let ids: Vec<_> = found.iter().map(|s| s.id.as_str()).collect();
                let what = format!(
                    "{} servers carry {}={}: {}; delete all but the one that customers use",
                    found.len(),
                    tags::ENVIRONMENT,
                    self.environment,
                    ids.join(", ")
                );
                Some(self.live(server).owned_by(Owner::Foreign(what)))
            }
        })
    }

    async fn create(
        &self,
        aws: &Aws,
        call: &str,
        _change: &Change,
        actual: &Actual,
    ) -> Result<Option<String>, ResourceError> {
        let mut request = self.request(actual)?;
        request.tags.insert(tags::OPERATION.to_owned(), call.to_owned());
        Ok(Some(aws.transfer(&self.region).create(&request).await?))
    }

    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let Some(live) = live else { return self.create(aws, call, change, actual).await.map(drop) };
        let transfer = aws.transfer(&self.region);
        let update = self.update(change, actual)?;
        if let Some(update) = &update {
            transfer.update(&live.identity, update).await?;
        }
        if change.touches("host keys") {
            self.change_host_keys(aws, &live.identity).await?;
        }
        if change.touches("tags") {
            let arn = live.outputs.get("Arn").map_or("", String::as_str);
            transfer.tag(arn, &self.tags).await?;
        }
        // The endpoint after everything that needs no outage. A server that is STARTING takes no update: started last.
        let is_alone = update.is_none() && !change.touches("host keys") && !change.touches("tags");
        if is_alone && self.endpoint.advance(aws, &self.region, change, live, actual).await? {
            return Ok(());
        }
        if update.is_none() && change.touches("state") {
            transfer.start(&live.identity).await?;
        }
        Ok(())
    }

    async fn unmanaged(&self, _aws: &Aws, live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        // That of the file is compared by itself.
        let own = live.properties.get(WORKFLOW).filter(|id| self.workflow.is_some() && id.is_string());
        let mut expected = Properties::from([
            ("protocols", json!(["SFTP"]).into()),
            ("workflows", json!(own.into_iter().collect::<Vec<_>>()).into()),
            ("banners", json!([]).into()),
        ]);
        // An endpoint that the file does not mention.
        if matches!(self.endpoint, ServerEndpoint::AsItIs) {
            expected.insert(ENDPOINT_TYPE, "PUBLIC".into());
        }
        Ok(compare(&expected, &live.properties))
    }

    async fn adoptable(&self, aws: &Aws, live: &Live) -> Result<Tags, ResourceError> {
        let transfer = aws.transfer(&self.region);
        let Some(server) = transfer.server(&live.identity).await? else {
            return Err(ResourceError::Refused(format!("server {} does not exist", live.identity)));
        };
        tags::adopting(&server.tags, &self.tags, &format!("server {}", server.id))
    }

    async fn adopt(&self, aws: &Aws, live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        let arn = live.outputs.get("Arn").map_or("", String::as_str);
        Ok(aws.transfer(&self.region).tag(arn, tags).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        Ok(aws.transfer(&self.region).delete(&live.identity).await?)
    }
}

/// Servers with the environment's tag, other than the one in use.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Server
    }

    fn plural(&self) -> &'static str {
        "servers"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        let transfer = search.aws.transfer(region);
        let node = names::server_node(region);
        // A server that could not be read may be the one in use.
        if !search.actual.contains_key(&node) && search.nodes.contains(&node) {
            return Err(AwsError {
                operation: "transfer:DescribeServer",
                object: node.to_string(),
                code: None,
                message: "it could not be read, so it is unknown which server is not in use".into(),
                status: None,
            });
        }
        let used = search.actual.get(&node).and_then(Option::as_ref);
        // With two servers and no state it is unknown which one is in use; planning fails in that case.
        if used.is_some_and(|live| live.owner != Owner::Ours) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for id in transfer.servers().await? {
            if used.is_some_and(|live| live.identity == id) {
                continue;
            }
            if transfer.server(&id).await?.is_some_and(|server| search.is_tagged(&server.tags)) {
                found.push(search.orphan(&Strays, region, &id, "costs $0.30 an hour"));
            }
        }
        Ok(found)
    }

    async fn find_created(
        &self,
        search: &Search<'_>,
        node: &NodeId,
        patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        wait::short(patience, || async { Ok(self.find(search, node.place()).await?.into_iter().next()) }).await
    }

    fn removed_after(&self, search: &Search<'_>, region: &str) -> Vec<NodeId> {
        search.records_of(region)
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let server = aws.transfer(&orphan.region).server(&orphan.identity).await?;
        Ok(server.map(|server| stray::live(orphan, &server.state).owned_by(orphan.owner(&server.tags))))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.transfer(&orphan.region).delete(&orphan.identity).await?)
    }
}
