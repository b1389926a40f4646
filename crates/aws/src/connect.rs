//! Credentials, endpoints, and one client per service and region, created when first used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::calls::{Calls, CountCalls};
use super::{ApiGateway, CloudFormation, CloudWatch, DynamoDb, Iam, Lambda, Logs, Route53, S3, Transfer};

/// Where to connect, and as whom.
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

/// The AWS of one run.
pub struct Aws {
    base: SdkConfig,
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

impl Aws {
    /// Reads the configuration. No call is made yet, except those of the credentials chain itself.
    pub async fn connect(options: ConnectOptions) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(options.home_region.clone()))
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
            loader = loader.endpoint_url(url);
        }
        if let Some(account) = &options.local_account {
            loader = loader.credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                account,
                "local-cloud-no-secret",
                None,
                None,
                "local cloud",
            )));
        }
        let base = loader.load().await;
        Self {
            path_style: base.endpoint_url().is_some(),
            base,
            home_region: options.home_region,
            stack_role: None,
            calls: Arc::default(),
            clients: Mutex::default(),
        }
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

    /// Asks `fence` before every call that changes something; where it returns true, the call is not sent.
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

    /// IAM is global.
    pub fn iam(&self) -> Iam {
        self.clients(&self.home_region).iam.clone()
    }

    pub fn lambda(&self, region: &str) -> Lambda {
        self.clients(region).lambda.clone()
    }

    pub fn logs(&self, region: &str) -> Logs {
        self.clients(region).logs.clone()
    }

    /// Route 53 is global.
    pub fn route53(&self) -> Route53 {
        self.clients(&self.home_region).route53.clone()
    }

    pub fn s3(&self, region: &str) -> S3 {
        self.clients(region).s3.clone()
    }

    pub(super) fn parameters(&self, region: &str) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::config::Builder::from(&self.base).region(Region::new(region.to_owned()));
        aws_sdk_ssm::Client::from_conf(config.interceptor(CountCalls(Arc::clone(&self.calls))).build())
    }

    pub(super) fn secrets(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.base).region(Region::new(region.to_owned()));
        aws_sdk_secretsmanager::Client::from_conf(config.interceptor(CountCalls(Arc::clone(&self.calls))).build())
    }

    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        self.clients(&self.home_region).sts.clone()
    }

    pub fn transfer(&self, region: &str) -> Transfer {
        self.clients(region).transfer.clone()
    }

    fn clients(&self, region: &str) -> Arc<Clients> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(clients.entry(region.to_owned()).or_insert_with(|| Arc::new(self.build(region))))
    }

    fn build(&self, region: &str) -> Clients {
        let config = self.base.to_builder().region(Region::new(region.to_owned())).build();
        let count = || CountCalls(Arc::clone(&self.calls));
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf($sdk::config::Builder::from(&config).interceptor(count()).build())
            };
        }
        // Virtual-host names do not resolve behind a custom endpoint.
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(self.path_style).interceptor(count());
        Clients {
            apigateway: ApiGateway(client!(aws_sdk_apigateway)),
            cloudformation: CloudFormation { client: client!(aws_sdk_cloudformation), role: self.stack_role.clone() },
            cloudwatch: CloudWatch(client!(aws_sdk_cloudwatch)),
            dynamodb: DynamoDb(client!(aws_sdk_dynamodb)),
            iam: Iam(client!(aws_sdk_iam)),
            lambda: Lambda(client!(aws_sdk_lambda)),
            logs: Logs(client!(aws_sdk_cloudwatchlogs)),
            route53: Route53(client!(aws_sdk_route53)),
            s3: S3 { client: aws_sdk_s3::Client::from_conf(s3.build()), region: region.to_owned() },
            sts: client!(aws_sdk_sts),
            transfer: Transfer(client!(aws_sdk_transfer)),
        }
    }
}
