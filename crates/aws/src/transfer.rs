//! Transfer Family's control plane.

use aws_sdk_transfer::types::{
    DirectoryListingOptimization, Domain, EndpointType, IdentityProviderDetails, IdentityProviderType, Protocol,
    ProtocolDetails, S3StorageOptions, SetStatOption, SftpAuthenticationMethods, SftpPortWithOptions, Tag,
    WorkflowDetail, WorkflowDetails,
};

use aws_config::retry::RetryConfig;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::{Call as _, OrMissing as _};
use super::transfer_endpoint::{EndpointFacts, VpcPlace, details};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct Transfer(pub(super) aws_sdk_transfer::Client);

#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// `s-…`.
    pub id: String,
    pub arn: String,
    /// `ONLINE`, `STARTING`, …
    pub state: String,
    /// `API_GATEWAY`, …
    pub provider: String,
    pub url: Option<String>,
    /// ARN of the role that calls the identity provider.
    pub invocation_role: Option<String>,
    /// `PASSWORD`, …
    pub authentication: Option<String>,
    /// ARN of the role for legacy CloudWatch logs.
    pub logging_role: Option<String>,
    /// ARNs of the log groups for structured logs.
    pub log_destinations: Vec<String>,
    /// `TransferSecurityPolicy-…`.
    pub security_policy: Option<String>,
    /// `ENABLE_NO_OP` or `DEFAULT`.
    pub set_stat: Option<String>,
    /// The ports of a public server, ascending; empty in answers that do not list them.
    pub ports: Vec<u16>,
    /// `ENABLED` or `DISABLED`.
    pub listing_optimization: Option<String>,
    /// `SFTP`, `FTPS`, …
    pub protocols: Vec<String>,
    /// `PUBLIC`, `VPC`, …
    pub endpoint_type: String,
    pub endpoint: EndpointFacts,
    /// The workflow that it starts for an uploaded file.
    pub on_upload: Option<Workflow>,
    /// Ids of the workflows that it starts for an uploaded file, and for one that was uploaded in part.
    pub workflows: Vec<String>,
    /// Banners before and after a log-in.
    pub banners: Vec<String>,
    pub tags: Tags,
}

/// An API in API Gateway that decides on log-ins.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    pub url: String,
    /// ARN of the role that calls it.
    pub invocation_role: String,
    /// `PASSWORD`, …
    pub authentication: String,
}

/// A workflow that a server starts, and the role that it runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workflow {
    /// `w-…`.
    pub id: String,
    /// ARN of the execution role.
    pub role: String,
}

/// The input of a creation.
#[derive(Clone, Debug, Default)]
pub struct ServerRequest {
    pub provider: Provider,
    /// ARN of the role for logs in the old form; `None` with structured logs.
    pub logging_role: Option<String>,
    pub log_destinations: Vec<String>,
    /// `TransferSecurityPolicy-…`.
    pub security_policy: String,
    /// Ports that it listens on; empty for AWS's default, 22.
    pub ports: Vec<u16>,
    /// The workflow for uploaded files.
    pub workflow: Option<Workflow>,
    /// Where its endpoint is; `None` for a public server. Addresses are added later.
    pub place: Option<VpcPlace>,
    /// Private host key; without one AWS generates its own.
    pub host_key: Option<SecretString>,
    /// Without keys that begin with `aws:`.
    pub tags: Tags,
}

/// The input of an update: `None` leaves a setting as it is.
#[derive(Clone, Debug, Default)]
pub struct ServerUpdate {
    /// AWS takes its members together, and changes the type of the identity provider in place.
    pub provider: Option<Provider>,
    /// ARN of the role for logs in the old form; empty removes it.
    pub logging_role: Option<String>,
    pub log_destinations: Option<Vec<String>>,
    pub security_policy: Option<String>,
    /// Ignore SETSTAT.
    pub ignore_set_stat: bool,
    pub ports: Option<Vec<u16>>,
    pub optimize_listing: bool,
    /// The workflow for uploaded files.
    pub workflow: Option<Workflow>,
}

/// The answer of `TestIdentityProvider`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityAnswer {
    /// HTTP status of the identity provider.
    pub status: u16,
    /// Body of its answer.
    pub response: String,
    /// AWS's message; empty without an error.
    pub message: String,
    pub url: String,
}

/// A host key of a server, without its private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyFacts {
    /// `hostkey-…`.
    pub id: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519`, …
    pub kind: String,
    pub description: String,
}

const MISSING: &[&str] = &["ResourceNotFound"];

impl Transfer {
    pub async fn server(&self, id: &str) -> Result<Option<ServerFacts>, AwsError> {
        let call = self.0.describe_server().server_id(id).send().await.call("transfer:DescribeServer", id);
        let Some(server) = call.or_missing(MISSING)?.and_then(|answer| answer.server) else { return Ok(None) };
        let provider = server.identity_provider_details();
        Ok(Some(ServerFacts {
            id: server.server_id().unwrap_or_default().to_owned(),
            arn: server.arn().to_owned(),
            state: server.state().map_or_else(String::new, |s| s.as_str().to_owned()),
            provider: server.identity_provider_type().map_or_else(String::new, |t| t.as_str().to_owned()),
            url: provider.and_then(|p| p.url()).map(str::to_owned),
            invocation_role: provider.and_then(|p| p.invocation_role()).map(str::to_owned),
            authentication: provider.and_then(|p| p.sftp_authentication_methods()).map(|m| m.as_str().to_owned()),
            logging_role: server.logging_role().filter(|r| !r.is_empty()).map(str::to_owned),
            log_destinations: server.structured_log_destinations().to_vec(),
            security_policy: server.security_policy_name().map(str::to_owned),
            set_stat: server.protocol_details().and_then(|p| p.set_stat_option()).map(|o| o.as_str().to_owned()),
            ports: ports(server.protocol_details()),
            listing_optimization: server
                .s3_storage_options()
                .and_then(|o| o.directory_listing_optimization())
                .map(|o| o.as_str().to_owned()),
            protocols: server.protocols().iter().map(|protocol| protocol.as_str().to_owned()).collect(),
            endpoint_type: server.endpoint_type().map_or_else(String::new, |kind| kind.as_str().to_owned()),
            endpoint: EndpointFacts::of(&server),
            on_upload: server.workflow_details().and_then(|all| all.on_upload().first()).map(|workflow| Workflow {
                id: workflow.workflow_id().to_owned(),
                role: workflow.execution_role().to_owned(),
            }),
            workflows: server
                .workflow_details()
                .into_iter()
                .flat_map(|all| all.on_upload().iter().chain(all.on_partial_upload()))
                .map(|workflow| workflow.workflow_id().to_owned())
                .collect(),
            banners: [server.pre_authentication_login_banner(), server.post_authentication_login_banner()]
                .into_iter()
                .flatten()
                .filter(|banner| !banner.is_empty())
                .map(str::to_owned)
                .collect(),
            tags: server.tags().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect(),
        }))
    }

    /// Ids of all servers with a custom identity provider.
    pub async fn servers(&self) -> Result<Vec<String>, AwsError> {
        let mut ids = Vec::new();
        let mut pages = self.0.list_servers().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.call("transfer:ListServers", "servers")?;
            ids.extend(page.servers().iter().filter_map(|server| server.server_id().map(str::to_owned)));
        }
        Ok(ids)
    }

    /// Creates a server and returns its id. There is no client token: search by tags before calling this again. The SDK
    /// makes one attempt only, because a retry after a lost answer would create a second server.
    pub async fn create(&self, request: &ServerRequest) -> Result<String, AwsError> {
        let tags = request.tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
        let answer = self
            .0
            .create_server()
            .domain(Domain::S3)
            .protocols(Protocol::Sftp)
            .endpoint_type(request.place.as_ref().map_or(EndpointType::Public, |_| EndpointType::Vpc))
            .set_endpoint_details(request.place.as_ref().map(details))
            .identity_provider_type(IdentityProviderType::ApiGateway)
            .identity_provider_details(provider(&request.provider))
            .set_logging_role(request.logging_role.clone())
            .set_structured_log_destinations(Some(request.log_destinations.clone()))
            .security_policy_name(&request.security_policy)
            .protocol_details(protocol(None, true, Some(request.ports.as_slice()).filter(|ports| !ports.is_empty())))
            .s3_storage_options(storage(None))
            .set_workflow_details(request.workflow.as_ref().map(|workflow| workflows(None, Some(workflow))))
            .set_host_key(request.host_key.as_ref().map(|key| key.expose_secret().to_owned()))
            .set_tags(Some(tags))
            .customize()
            .config_override(aws_sdk_transfer::config::Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .call("transfer:CreateServer", "server")?;
        Ok(answer.server_id().to_owned())
    }

    /// Changes what differs, in place; the endpoint and the host keys stay. A structure of which one member changes is
    /// sent as DescribeServer returned it, with this member changed: whether AWS resets members that are left out is not
    /// documented.
    pub async fn update(&self, id: &str, update: &ServerUpdate) -> Result<(), AwsError> {
        let described = self.0.describe_server().server_id(id).send().await.call("transfer:DescribeServer", id)?;
        let live = described.server.as_ref();
        let changes_protocol = update.ignore_set_stat || update.ports.is_some();
        let protocol = changes_protocol.then(|| {
            let live = live.and_then(|server| server.protocol_details().cloned());
            protocol(live, update.ignore_set_stat, update.ports.as_deref())
        });
        let storage =
            update.optimize_listing.then(|| storage(live.and_then(|server| server.s3_storage_options().cloned())));
        let workflows = update
            .workflow
            .as_ref()
            .map(|workflow| workflows(live.and_then(|server| server.workflow_details().cloned()), Some(workflow)));
        let of_this_type = live.and_then(|server| server.identity_provider_type());
        let other_type = of_this_type.is_some_and(|kind| *kind != IdentityProviderType::ApiGateway);
        self.0
            .update_server()
            .server_id(id)
            .set_identity_provider_type(
                (other_type && update.provider.is_some()).then_some(IdentityProviderType::ApiGateway),
            )
            .set_identity_provider_details(update.provider.as_ref().map(provider))
            .set_logging_role(update.logging_role.clone())
            .set_structured_log_destinations(update.log_destinations.clone())
            .set_security_policy_name(update.security_policy.clone())
            .set_protocol_details(protocol)
            .set_s3_storage_options(storage)
            .set_workflow_details(workflows)
            .send()
            .await
            .call("transfer:UpdateServer", id)
            .map(drop)
    }

    /// Takes the workflow for uploaded files off a server, if it is this one. Returns whether it was.
    pub async fn detach_workflow(&self, id: &str, workflow: &str) -> Result<bool, AwsError> {
        let call = self.0.describe_server().server_id(id).send().await.call("transfer:DescribeServer", id);
        let Some(server) = call.or_missing(MISSING)?.and_then(|answer| answer.server) else { return Ok(false) };
        let all = server.workflow_details;
        let has_it =
            all.as_ref().and_then(|all| all.on_upload().first()).is_some_and(|one| one.workflow_id() == workflow);
        if has_it {
            let call = self.0.update_server().server_id(id).workflow_details(workflows(all, None)).send().await;
            call.call("transfer:UpdateServer", id)?;
        }
        Ok(has_it)
    }

    /// Starts a stopped server.
    pub async fn start(&self, id: &str) -> Result<(), AwsError> {
        self.0.start_server().server_id(id).send().await.call("transfer:StartServer", id).map(drop)
    }

    /// Adds tags.
    pub async fn tag(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let tags = tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
        self.0.tag_resource().arn(arn).set_tags(Some(tags)).send().await.call("transfer:TagResource", arn).map(drop)
    }

    /// Calls a server's identity provider as a log-in would.
    pub async fn test_identity_provider(
        &self,
        id: &str,
        username: &str,
        password: &str,
        source_ip: &str,
    ) -> Result<IdentityAnswer, AwsError> {
        let call = self
            .0
            .test_identity_provider()
            .server_id(id)
            .user_name(username)
            .user_password(password)
            .server_protocol(Protocol::Sftp)
            .source_ip(source_ip);
        let answer = call.send().await.call("transfer:TestIdentityProvider", id)?;
        Ok(IdentityAnswer {
            status: u16::try_from(answer.status_code()).unwrap_or_default(),
            response: answer.response().unwrap_or_default().to_owned(),
            message: answer.message().unwrap_or_default().to_owned(),
            url: answer.url().to_owned(),
        })
    }

    /// The host keys of a server.
    pub async fn host_keys(&self, id: &str) -> Result<Vec<HostKeyFacts>, AwsError> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let call = self.0.list_host_keys().server_id(id).set_next_token(next).send().await;
            let page = call.call("transfer:ListHostKeys", id)?;
            keys.extend(page.host_keys().iter().map(|key| HostKeyFacts {
                id: key.host_key_id().unwrap_or_default().to_owned(),
                // With base64's padding, which OpenSSH leaves out and customers compare without.
                fingerprint: key.fingerprint().unwrap_or_default().trim_end_matches('=').to_owned(),
                kind: key.r#type().unwrap_or_default().to_owned(),
                description: key.description().unwrap_or_default().to_owned(),
            }));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Imports a host key; one that the server already has is fine.
    pub async fn import_host_key(
        &self,
        id: &str,
        private_key: &SecretString,
        description: &str,
    ) -> Result<(), AwsError> {
        let call =
            self.0.import_host_key().server_id(id).host_key_body(private_key.expose_secret()).description(description);
        call.send().await.call("transfer:ImportHostKey", id).or_missing(&["ResourceExists"]).map(drop)
    }

    /// Changes the description of a host key; missing is fine.
    pub async fn describe_key(&self, id: &str, key: &str, description: &str) -> Result<(), AwsError> {
        let call = self.0.update_host_key().server_id(id).host_key_id(key).description(description).send().await;
        call.call("transfer:UpdateHostKey", id).or_missing(MISSING).map(drop)
    }

    /// Deletes a host key; missing is fine.
    pub async fn delete_host_key(&self, id: &str, key: &str) -> Result<(), AwsError> {
        let call = self.0.delete_host_key().server_id(id).host_key_id(key).send().await;
        call.call("transfer:DeleteHostKey", id).or_missing(MISSING).map(drop)
    }

    /// Deletes a server; missing is fine.
    pub async fn delete(&self, id: &str) -> Result<(), AwsError> {
        let call = self.0.delete_server().server_id(id).send().await.call("transfer:DeleteServer", id);
        call.or_missing(MISSING).map(drop)
    }
}

fn provider(provider: &Provider) -> IdentityProviderDetails {
    IdentityProviderDetails::builder()
        .url(&provider.url)
        .invocation_role(&provider.invocation_role)
        .sftp_authentication_methods(SftpAuthenticationMethods::from(provider.authentication.as_str()))
        .build()
}

fn ports(details: Option<&ProtocolDetails>) -> Vec<u16> {
    let ports = details.into_iter().flat_map(|details| details.sftp_ports());
    let mut ports: Vec<u16> = ports.filter_map(|port| u16::try_from(port.sftp_port()).ok()).collect();
    ports.sort_unstable();
    ports
}

/// The protocol's details with some members changed. A port that is open already keeps its communication mode.
fn protocol(live: Option<ProtocolDetails>, ignore_set_stat: bool, ports: Option<&[u16]>) -> ProtocolDetails {
    let mut details = live.unwrap_or_else(|| ProtocolDetails::builder().build());
    if ignore_set_stat {
        details.set_stat_option = Some(SetStatOption::EnableNoOp);
    }
    if let Some(ports) = ports {
        let open = details.sftp_ports.take().unwrap_or_default();
        let with_options = ports.iter().map(|port| {
            let port = i32::from(*port);
            let kept = open.iter().find(|open| open.sftp_port == port).cloned();
            kept.or_else(|| SftpPortWithOptions::builder().sftp_port(port).build().ok())
        });
        details.sftp_ports = Some(with_options.flatten().collect());
    }
    details
}

/// The workflows with another one for uploaded files, or, as AWS wants it, an empty list for none.
fn workflows(live: Option<WorkflowDetails>, on_upload: Option<&Workflow>) -> WorkflowDetails {
    let detail = |workflow: &Workflow| {
        WorkflowDetail::builder().workflow_id(&workflow.id).execution_role(&workflow.role).build().ok()
    };
    let mut details = live.unwrap_or_else(|| WorkflowDetails::builder().build());
    details.on_upload = Some(on_upload.and_then(detail).into_iter().collect());
    details
}

fn storage(live: Option<S3StorageOptions>) -> S3StorageOptions {
    let mut options = live.unwrap_or_else(|| S3StorageOptions::builder().build());
    options.directory_listing_optimization = Some(DirectoryListingOptimization::Enabled);
    options
}
