//! Calls of Amazon EC2 and Amazon SNS, in their Query protocols.
//!
//! The SDK of EC2 is larger than all the others together, and of SNS two calls are needed; they are made here with the
//! SDK's own parts: signatures, retries, timeouts and the counting of calls are those of every other client. Source:
//! Amazon EC2 API reference, "Query Requests" and "Error codes for the Amazon EC2 API"; Amazon SNS API reference,
//! "Common Parameters".

use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use xmlparser::{ElementEnd, Token, Tokenizer};

use super::AwsError;
use super::calls::{Calls, CountCalls};
use super::error::Call as _;

/// A service with this protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// `ec2`: in host names and signatures.
    id: &'static str,
    /// `EC2`: in logs.
    name: &'static str,
    /// The version of the API.
    version: &'static str,
}

pub(super) const EC2: Service = Service { id: "ec2", name: "EC2", version: "2016-11-15" };
pub(super) const SNS: Service = Service { id: "sns", name: "SNS", version: "2010-03-31" };

/// An error in the form of these services.
#[derive(Debug)]
struct QueryError(ErrorMetadata);

impl std::fmt::Display for QueryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for QueryError {}

impl ProvideErrorMetadata for QueryError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// A call before it is sent: its operation, and its parameters in the Query protocol's form.
pub(super) struct Query {
    /// `ec2:AllocateAddress`.
    name: &'static str,
    /// `&Name=value` of each parameter.
    parameters: String,
    retries: bool,
}

impl Query {
    /// A call of an operation, by the name of its permission: `ec2:AllocateAddress`.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, parameters: String::new(), retries: true }
    }

    /// The operation.
    fn action(&self) -> &'static str {
        self.name.rsplit(':').next().unwrap_or(self.name)
    }

    /// The body of the request.
    fn form(&self, version: &str) -> String {
        format!("Action={}&Version={version}{}", self.action(), self.parameters)
    }

    /// Adds a parameter.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        self.parameters += &format!("&{name}={value}");
        self
    }

    /// Adds a list, whose members are numbered from 1.
    #[must_use]
    pub(super) fn with_all<'a>(self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        values
            .into_iter()
            .zip(1..)
            .fold(self, |query, (value, number): (&str, u32)| query.with(&format!("{name}.{number}"), value))
    }

    /// The SDK makes one attempt only: a repetition would create a second resource.
    #[must_use]
    pub(super) fn once(mut self) -> Self {
        self.retries = false;
        self
    }
}

/// The transport of one region.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) service: Service,
    pub(super) config: SdkConfig,
    pub(super) region: String,
    pub(super) calls: Arc<Calls>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.service.name).field("region", &self.region).finish_non_exhaustive()
    }
}

impl Client {
    fn endpoint(&self) -> String {
        if let Some(url) = self.config.endpoint_url() {
            return url.to_owned();
        }
        let fips = if self.config.use_fips() == Some(true) { "-fips" } else { "" };
        let domain = if self.config.use_dual_stack() == Some(true) { "api.aws" } else { "amazonaws.com" };
        format!("https://{}{fips}.{}.{domain}", self.service.id, self.region)
    }

    /// What the SDK needs to sign a call.
    fn signing(&self) -> StaticRuntimePlugin {
        let mut layer = Layer::new("query");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from_static(self.service.id)),
            ..SigV4OperationSigningConfig::default()
        });
        let mut components = RuntimeComponentsBuilder::new("query")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(self.config.identity_cache());
        if let Some(credentials) = self.config.credentials_provider() {
            components = components.with_identity_resolver(SCHEME_ID, credentials);
        }
        StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
    }

    /// Sends a call about `object`, and returns the root of the answer.
    pub(super) async fn send(&self, query: Query, object: &str) -> Result<Element, AwsError> {
        let mut operation = Operation::builder()
            .service_name(self.service.name)
            .operation_name(query.action())
            .with_connection_poisoning()
            .endpoint_url(&self.endpoint())
            .runtime_plugin(self.signing())
            .interceptor(CountCalls(Arc::clone(&self.calls)));
        if let Some(http) = self.config.http_client() {
            operation = operation.http_client(http);
        }
        if let Some(timeouts) = self.config.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        operation = match self.config.retry_config().filter(|_| query.retries) {
            Some(retries) => operation
                .standard_retry(retries)
                .retry_classifier(AwsErrorCodeClassifier::<QueryError>::new())
                .retry_classifier(TransientErrorClassifier::<QueryError>::new())
                .retry_classifier(HttpStatusCodeClassifier::default()),
            None => operation.no_retry(),
        };
        let operation = operation
            .serializer(|form: String| {
                let mut request = HttpRequest::new(SdkBody::from(form));
                request.set_method("POST")?;
                request.set_uri("/")?;
                request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
                Ok(request)
            })
            .deserializer(read)
            .build();
        operation.invoke(query.form(self.service.version)).await.call(query.name, object)
    }
}

/// An answer's root element, or the error that it reports.
fn read(response: &HttpResponse) -> Result<Element, OrchestratorError<QueryError>> {
    let text = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let root = Element::parse(&text);
    if response.status().is_success() {
        let unreadable = || OrchestratorError::response("the answer is not XML".into());
        return root.ok_or_else(unreadable);
    }
    let error = root.as_ref().and_then(|root| root.find("Error"));
    let member = |name| error.and_then(|error| error.child(name)).map(|child| child.text.clone());
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = member("Code") {
        meta = meta.code(code);
    }
    if let Some(message) = member("Message") {
        meta = meta.message(message);
    }
    Err(OrchestratorError::operation(QueryError(meta.build())))
}

/// An element of an answer, without its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    /// The text in it, between its children or without any.
    pub(super) text: String,
    children: Vec<Self>,
}

impl Element {
    /// The root of a document; `None` if it is not well-formed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut open: Vec<Self> = vec![Self::default()];
        for token in Tokenizer::from(text) {
            match token.ok()? {
                Token::ElementStart { local, .. } => {
                    open.push(Self { name: local.as_str().to_owned(), ..Self::default() });
                }
                Token::ElementEnd { end: ElementEnd::Open, .. } => {}
                Token::ElementEnd { .. } => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Token::Text { text } => open.last_mut()?.text += &unescaped(text.as_str()),
                Token::Cdata { text, .. } => open.last_mut()?.text += text.as_str(),
                _ => {}
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty())?;
        document.children.pop()
    }

    /// A child by its name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child; empty if it is not there.
    pub(super) fn text_of(&self, name: &str) -> String {
        self.child(name).map(|child| child.text.trim().to_owned()).unwrap_or_default()
    }

    /// The members of a list, whatever they are called.
    pub(super) fn items(&self, list: &str) -> &[Self] {
        self.child(list).map(|list| list.children.as_slice()).unwrap_or_default()
    }

    /// The first element of this name, at any depth.
    fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }
}

/// Text without XML's references.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out += before;
        let Some((name, after)) = after.split_once(';') else {
            rest = after;
            continue;
        };
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match name.strip_prefix("#x") {
                Some(digits) => number(digits, 16),
                None => name.strip_prefix('#').and_then(|digits| number(digits, 10)),
            },
        };
        out.extend(character);
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_trees() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                    <set><item><ip>52.0.0.1</ip><none/></item><item><ip>a &amp; &#x41;&#66;</ip></item></set></R>";
        let root = Element::parse(text).unwrap();
        let ips: Vec<String> = root.items("set").iter().map(|item| item.text_of("ip")).collect();
        assert_eq!(ips, ["52.0.0.1", "a & AB"]);
        assert_eq!(root.items("set")[0].text_of("none"), "");
        assert_eq!(root.items("others"), []);
        assert_eq!([Element::parse("<R><a></R>"), Element::parse("no XML")], [None, None]);
    }

    #[test]
    fn parameters_are_escaped_and_numbered() {
        let query = Query::new("ec2:DescribeAddresses").with("Filter.1.Name", "tag:a/b").with_all("Id", ["x", "y"]);
        let form = "Action=DescribeAddresses&Version=2016-11-15&Filter.1.Name=tag%3Aa%2Fb&Id.1=x&Id.2=y";
        assert_eq!(query.form(EC2.version), form);
    }
}
