//! Credentials, endpoints, and one client per service and region, created when first used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};

use super::assume_role::{AssumeRole, RoleToAssume, RolesToAssume};
use super::calls::{Calls, CountCalls};
use super::local_server;
use super::network::{Network, NetworkError};
use super::nulls::WithoutNulls;
use super::query;
use super::sts::SessionCredentials;
use super::{
    ApiGateway, CloudFormation, CloudWatch, DynamoDb, Ec2, Iam, Lambda, Logs, Route53, S3, ServiceQuotas, Topics,
    Transfer,
};

/// The endpoint and the credentials.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Named profile; otherwise the standard chain.
    pub profile: Option<String>,
    /// One endpoint for every service; otherwise AWS's, or `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// The local cloud: a 12-digit account, which is its own access key. The credentials chain is skipped.
    pub local_account: Option<String>,
    /// Region of the global services' calls.
    pub home_region: String,
}

/// The AWS clients of one run.
pub struct Aws {
    base: SdkConfig,
    /// The caller's own credentials, with which roles are assumed.
    own: SdkConfig,
    /// Configurations of the regions that have a role of their own.
    regions: HashMap<String, SdkConfig>,
    path_style: bool,
    home_region: String,
    stack_role: Option<String>,
    calls: Arc<Calls>,
    clients: Mutex<HashMap<String, Arc<Clients>>>,
}

/// The clients of a region.
struct Clients {
    apigateway: ApiGateway,
    cloudformation: CloudFormation,
    cloudwatch: CloudWatch,
    dynamodb: DynamoDb,
    iam: Iam,
    lambda: Lambda,
    logs: Logs,
    route53: Route53,
    s3: S3,
    sts: aws_sdk_sts::Client,
    transfer: Transfer,
}

impl ConnectOptions {
    /// Proxy and certificates of the environment; none for the local cloud and other servers on this machine.
    ///
    /// # Errors
    /// A setting of the environment cannot be used.
    pub fn network(&self) -> Result<Network, NetworkError> {
        let is_here = self.endpoint_url.as_deref().is_some_and(is_loopback);
        if self.local_account.is_some() || is_here { Ok(Network::default()) } else { Network::from_environment() }
    }
}

fn provider(keys: SessionCredentials) -> SharedCredentialsProvider {
    let SessionCredentials { access_key, secret_key, token } = keys;
    let token = Some(token).filter(|token| !token.is_empty());
    SharedCredentialsProvider::new(Credentials::new(access_key, secret_key, token, None, "local cloud"))
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

impl Aws {
    /// Reads the configuration. No call is made yet, except those of the credentials chain itself. A setting of the
    /// environment that [`ConnectOptions::network`] refuses is left out.
    pub async fn connect(options: ConnectOptions) -> Self {
        Self::connect_as(options, None, &RolesToAssume::default()).await
    }

    /// As [`Self::connect`], with these keys in place of the options' credentials, for calls in sessions of these roles. A role
    /// is assumed with the first call that needs it.
    pub async fn connect_as(options: ConnectOptions, keys: Option<SessionCredentials>, roles: &RolesToAssume) -> Self {
        let http = match options.local_account {
            Some(_) => local_server::client(),
            None => options.network().unwrap_or_default().client(),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(options.home_region.clone()))
            // One cache for all clients; the SDK allows a retried AssumeRole only five seconds.
            .identity_cache(IdentityCache::lazy().load_timeout(Duration::from_secs(60)).build())
            // Eight attempts with full jitter over about a minute: a throttled account is slow, not broken.
            .retry_config(RetryConfig::standard().with_max_attempts(8).with_max_backoff(Duration::from_secs(20)))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(60))
                    .build(),
            );
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &options.endpoint_url {
            // Endpoints of FIPS and dual stack are AWS's own; the SDK refuses them together with another one.
            loader = loader.endpoint_url(url).use_fips(false).use_dual_stack(false);
        }
        if let Some(keys) = keys {
            loader = loader.credentials_provider(provider(keys));
        } else if let Some(account) = &options.local_account {
            loader = loader.credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                account,
                "local-cloud-no-secret",
                None,
                None,
                "local cloud",
            )));
        }
        let own = loader.load().await;
        let calls = Arc::default();
        let of = |role: &RoleToAssume| in_session(&own, role, &calls);
        Self {
            path_style: own.endpoint_url().is_some(),
            base: roles.role.as_ref().map_or_else(|| own.clone(), of),
            regions: roles.regions.iter().map(|(region, role)| (region.clone(), of(role))).collect(),
            own,
            home_region: options.home_region,
            stack_role: None,
            calls,
            clients: Mutex::default(),
        }
    }

    /// All calls are made with these credentials from now on, in place of any role but those of single regions.
    #[must_use]
    pub fn with_credentials(mut self, keys: SessionCredentials) -> Self {
        self.own = self.own.into_builder().credentials_provider(provider(keys)).build();
        self.base = self.own.clone();
        self
    }

    /// Every request has this header from now on, which is not signed.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: &str) -> Self {
        self.calls.set_header(name, value);
        self
    }

    /// CloudFormation works on stacks with this role (its ARN) from now on.
    #[must_use]
    pub fn with_stack_role(mut self, role: Option<String>) -> Self {
        self.stack_role = role;
        self
    }

    /// Number of calls so far; every attempt counts.
    pub fn calls(&self) -> u64 {
        self.calls.count()
    }

    /// Checks `fence` before every call that changes something; if it returns true, the call is not sent.
    pub fn set_fence(&self, fence: Option<Box<super::Fence>>) {
        self.calls.set_fence(fence);
    }

    pub fn apigateway(&self, region: &str) -> ApiGateway {
        self.clients(region).apigateway.clone()
    }

    pub fn cloudformation(&self, region: &str) -> CloudFormation {
        self.clients(region).cloudformation.clone()
    }

    pub fn cloudwatch(&self, region: &str) -> CloudWatch {
        self.clients(region).cloudwatch.clone()
    }

    pub fn dynamodb(&self, region: &str) -> DynamoDb {
        self.clients(region).dynamodb.clone()
    }

    /// The client of Amazon EC2.
    pub fn ec2(&self, region: &str) -> Ec2 {
        let (config, calls) = (self.config(region).clone(), Arc::clone(&self.calls));
        Ec2(query::Client { service: query::EC2, config, region: region.to_owned(), calls })
    }

    /// The client of Amazon SNS.
    pub fn topics(&self, region: &str) -> Topics {
        let (config, calls) = (self.config(region).clone(), Arc::clone(&self.calls));
        Topics(query::Client { service: query::SNS, config, region: region.to_owned(), calls })
    }

    /// IAM is global.
    pub fn iam(&self) -> Iam {
        self.global().iam.clone()
    }

    pub fn lambda(&self, region: &str) -> Lambda {
        self.clients(region).lambda.clone()
    }

    pub fn logs(&self, region: &str) -> Logs {
        self.clients(region).logs.clone()
    }

    /// Route 53 is global.
    pub fn route53(&self) -> Route53 {
        self.global().route53.clone()
    }

    pub fn s3(&self, region: &str) -> S3 {
        self.clients(region).s3.clone()
    }

    pub(super) fn parameters(&self, region: &str) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::config::Builder::from(&without_nulls(self.config(region)))
            .region(Region::new(region.to_owned()));
        aws_sdk_ssm::Client::from_conf(config.interceptor(CountCalls(Arc::clone(&self.calls))).build())
    }

    pub(super) fn secrets(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&without_nulls(self.config(region)))
            .region(Region::new(region.to_owned()));
        aws_sdk_secretsmanager::Client::from_conf(config.interceptor(CountCalls(Arc::clone(&self.calls))).build())
    }

    pub(super) fn queues(&self, region: &str) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&without_nulls(self.config(region)))
            .region(Region::new(region.to_owned()));
        aws_sdk_sqs::Client::from_conf(config.interceptor(CountCalls(Arc::clone(&self.calls))).build())
    }

    /// The configuration with the caller's own credentials.
    pub(super) fn own(&self) -> &SdkConfig {
        &self.own
    }

    /// The client of Service Quotas. Two attempts: a table in this program replaces an answer that does not come.
    pub fn service_quotas(&self, region: &str) -> ServiceQuotas {
        let config = aws_sdk_servicequotas::config::Builder::from(&without_nulls(self.config(region)))
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .interceptor(CountCalls(Arc::clone(&self.calls)));
        ServiceQuotas(aws_sdk_servicequotas::Client::from_conf(config.build()))
    }

    /// Seconds since 1970 when the caller's own credentials expire; `None` where they do not, or there are none. Sessions of
    /// roles are renewed with them.
    pub async fn credentials_expire(&self) -> Option<i64> {
        let credentials = self.own.credentials_provider()?.provide_credentials().await.ok()?;
        let left = credentials.expiry()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(left.as_secs()).ok()
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        self.global().sts.clone()
    }

    /// STS with the caller's own credentials.
    pub(super) fn own_sts(&self) -> aws_sdk_sts::Client {
        sts(&self.own, &self.calls)
    }

    /// STS in each region with a role of its own.
    pub(super) fn regional_sts(&self) -> impl Iterator<Item = aws_sdk_sts::Client> {
        self.regions.keys().map(|region| self.clients(region).sts.clone())
    }

    pub fn transfer(&self, region: &str) -> Transfer {
        self.clients(region).transfer.clone()
    }

    fn config(&self, region: &str) -> &SdkConfig {
        self.regions.get(region).unwrap_or(&self.base)
    }

    fn clients(&self, region: &str) -> Arc<Clients> {
        self.built(region, region, self.config(region))
    }

    /// The clients of global services: they use the environment's role, whatever role the home region has.
    fn global(&self) -> Arc<Clients> {
        let key = if self.regions.contains_key(&self.home_region) { "global" } else { &self.home_region };
        self.built(key, &self.home_region, &self.base)
    }

    fn built(&self, key: &str, region: &str, config: &SdkConfig) -> Arc<Clients> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(clients.entry(key.to_owned()).or_insert_with(|| Arc::new(self.build(region, config))))
    }

    fn build(&self, region: &str, config: &SdkConfig) -> Clients {
        let config = config.to_builder().region(Region::new(region.to_owned())).build();
        let json = without_nulls(&config);
        let count = || CountCalls(Arc::clone(&self.calls));
        macro_rules! client {
            ($sdk:ident, $config:expr) => {
                $sdk::Client::from_conf($sdk::config::Builder::from($config).interceptor(count()).build())
            };
        }
        // Virtual-host names do not resolve behind a custom endpoint.
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(self.path_style).interceptor(count());
        Clients {
            apigateway: ApiGateway(client!(aws_sdk_apigateway, &json)),
            cloudformation: CloudFormation {
                client: client!(aws_sdk_cloudformation, &config),
                role: self.stack_role.clone(),
            },
            cloudwatch: CloudWatch(client!(aws_sdk_cloudwatch, &config)),
            dynamodb: DynamoDb(client!(aws_sdk_dynamodb, &json)),
            iam: Iam(client!(aws_sdk_iam, &config)),
            lambda: Lambda(client!(aws_sdk_lambda, &json)),
            logs: Logs(client!(aws_sdk_cloudwatchlogs, &json)),
            route53: Route53(client!(aws_sdk_route53, &config)),
            s3: S3 { client: aws_sdk_s3::Client::from_conf(s3.build()), region: region.to_owned() },
            sts: client!(aws_sdk_sts, &config),
            transfer: Transfer(client!(aws_sdk_transfer, &json)),
        }
    }
}

/// The configuration for a service that answers in JSON.
fn without_nulls(config: &SdkConfig) -> SdkConfig {
    match config.http_client() {
        Some(http) => config.to_builder().http_client(WithoutNulls(http)).build(),
        None => config.clone(),
    }
}

/// The configuration for calls in sessions of a role.
fn in_session(own: &SdkConfig, role: &RoleToAssume, calls: &Arc<Calls>) -> SdkConfig {
    let provider = AssumeRole { sts: sts(own, calls), role: role.clone() };
    own.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

fn sts(config: &SdkConfig, calls: &Arc<Calls>) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(config).interceptor(CountCalls(Arc::clone(calls)));
    aws_sdk_sts::Client::from_conf(config.build())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_is_recognized() {
        for url in ["http://127.0.0.1:4570", "http://localhost:4570/x", "https://LOCALHOST", "http://[::1]:4570"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://vpce-1.s3.us-west-2.vpce.amazonaws.com", "http://127.0.0.1.example.com", "http://10.0.0.1"]
        {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
