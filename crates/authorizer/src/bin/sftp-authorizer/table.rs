//! The account table of this region.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use sftp_authorizer::config::ConfigError;
use sftp_authorizer::{Config, Item, dynamodb};

/// The root certificates of AWS's endpoints (Amazon Trust Services, "Root CAs"). Parsing the 140 of a common list takes
/// half of a cold start.
const ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// The longest time that an answer may take.
const MAX_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Table {
    client: Client,
    table: String,
    index: String,
}

impl Table {
    /// A client with Lambda's credentials and region.
    pub(crate) fn connect(config: &Config) -> Result<Self, ConfigError> {
        let variable = |name| std::env::var(name).map_err(|_| ConfigError::Missing(name));
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            std::env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "Lambda",
        );
        let tls = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(ROOTS)).build();
        let mut http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        if let Ok(tls) = tls {
            http = http.tls_context(tls);
        }
        let mut builder = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.build_https())
            .region(Region::new(config.region.clone()))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            // Longer than a working table ever takes. The remaining time of an invocation may be shorter.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(1))
                    .operation_attempt_timeout(Duration::from_secs(2))
                    .operation_timeout(MAX_WAIT)
                    .build(),
            );
        let endpoint =
            ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"].iter().find_map(|name| std::env::var(name).ok());
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        let client = Client::from_conf(builder.build());
        Ok(Self { client, table: config.table.clone(), index: config.index.clone() })
    }

    /// The client, for another table of the region.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The items with this user name, at most two, which is enough to detect a duplicate. If no answer arrives within
    /// `within`, the log-in is refused with a reason in the log, and the function does not time out.
    pub(crate) async fn accounts(&self, username: &str, within: Duration) -> Result<Vec<Item>, String> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(&self.index)
            .key_condition_expression("username = :name")
            .expression_attribute_values(":name", AttributeValue::S(username.to_owned()))
            .limit(2)
            .send();
        let answer = tokio::time::timeout(within.min(MAX_WAIT), query).await;
        let answer = answer.map_err(|_| format!("no answer in the {} ms left", within.as_millis()))?;
        let answer = answer.map_err(|error| cause(&error))?;
        Ok(answer.items.unwrap_or_default().into_iter().map(dynamodb::item).collect())
    }
}

/// The cause without the answer itself, which may contain stored passwords.
pub(crate) fn cause<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(error) => match (error.err().code(), error.err().message()) {
            (None, None) => "the answer could not be read".to_owned(),
            (code, message) => format!("{}: {}", code.unwrap_or("no code"), message.unwrap_or("no message")),
        },
        SdkError::DispatchFailure(error) => match error.as_connector_error() {
            Some(error) => DisplayErrorContext(error).to_string(),
            None => "the request could not be sent".to_owned(),
        },
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
        _ => "the request could not be built".to_owned(),
    }
}
