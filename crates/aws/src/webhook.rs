//! A document that is posted to a URL outside AWS, by the SDK's client: the same TLS, proxies and certificates.
//!
//! The URL of a webhook is a secret. No error contains it, and the SDK logs requests at the level `trace` alone, which
//! the program never shows.

use std::time::Duration;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use http::Uri;

use super::connect::is_loopback;
use super::network::{Network, NetworkError};

/// How long the connection may take, and the whole.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a document was not taken. None of these has the URL or the host in it.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("its value is not a URL that begins with https://")]
    Malformed,
    #[error("http:// is allowed to this machine alone: others could read the message and the URL")]
    Plain,
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("it answered with status {0}, a redirection, which is not followed")]
    Redirected(u16),
    #[error("there was no connection: {0}")]
    Unreached(String),
    #[error("there was no answer in time")]
    Late,
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl WebhookError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Plain => "use the URL that begins with https://".to_owned(),
            Self::Malformed => "copy the whole URL, as the service shows it, without quotes or spaces".to_owned(),
            Self::Status(401 | 403 | 404 | 410) => {
                "the webhook was probably deleted: create another one, and put its URL there".to_owned()
            }
            Self::Redirected(_) => "put the URL there that it leads to".to_owned(),
            Self::Status(400..=499) => {
                "it does not take the document: docs/notify.md shows what is sent, and who takes it".to_owned()
            }
            Self::Status(_) | Self::Late => "nothing is sent again; check whether the service works".to_owned(),
            Self::Unreached(_) => {
                "the name must resolve, port 443 be open, and the certificate be of an authority that this machine \
                 knows; HTTPS_PROXY and AWS_CA_BUNDLE are respected"
                    .to_owned()
            }
            Self::Network(error) => error.hint(),
        }
    }
}

/// What a response says.
#[derive(Debug)]
struct Refusal(u16);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}", self.0)
    }
}

impl std::error::Error for Refusal {}

/// Posts a document in JSON, once. Redirections are not followed.
///
/// # Errors
/// It was not taken, or there was no answer within `limit`.
pub async fn post(url: &str, document: String, limit: Duration) -> Result<(), WebhookError> {
    let uri: Uri = url.parse().map_err(|_| WebhookError::Malformed)?;
    let (scheme, authority) = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) => (scheme, authority),
        _ => return Err(WebhookError::Malformed),
    };
    let is_here = is_loopback(url);
    if scheme == "http" && !is_here {
        return Err(WebhookError::Plain);
    }
    let network = if is_here { Network::default() } else { Network::from_environment()? };
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(limit).build();
    let operation = Operation::builder()
        .service_name("webhook")
        .operation_name("post")
        .http_client(network.client())
        .endpoint_url(&format!("{scheme}://{authority}"))
        .no_auth()
        .no_retry()
        .timeout_config(timeouts)
        .serializer(move |document: String| {
            let mut request = HttpRequest::new(SdkBody::from(document));
            request.set_method("POST")?;
            request.set_uri(path.as_str())?;
            request.headers_mut().insert("content-type", "application/json; charset=utf-8");
            Ok(request)
        })
        .deserializer(|response: &HttpResponse| match response.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(OrchestratorError::operation(Refusal(status))),
        })
        .build();
    let host = authority.host().to_owned();
    operation.invoke(document).await.map_err(|error| match error {
        SdkError::ServiceError(refused) => match refused.err() {
            Refusal(status @ 300..=399) => WebhookError::Redirected(*status),
            Refusal(status) => WebhookError::Status(*status),
        },
        SdkError::TimeoutError(_) => WebhookError::Late,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => WebhookError::Late,
        other => WebhookError::Unreached(reason(&other, &host)),
    })
}

/// The innermost cause, without the host: a provider's name for a customer may be a secret in itself.
fn reason(error: &(dyn std::error::Error + 'static), host: &str) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string().replace(host, "(host)")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that answers one request so, or never. Its URL has a secret in it.
    fn server(answer: Option<&'static str>) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/T0/s3cr3t?token=s3cr3t", listener.local_addr().unwrap());
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut bytes) = (String::new(), [0; 4096]);
            while !request.ends_with("{\"text\":\"x\"}") {
                let count = stream.read(&mut bytes).unwrap();
                request += &String::from_utf8_lossy(&bytes[..count]);
            }
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                // Until the client gives up.
                None => drop(stream.read(&mut bytes)),
            }
            request
        });
        (url, serve)
    }

    #[tokio::test]
    async fn a_document_is_posted_once_and_any_answer_but_yes_is_an_error() {
        const DOCUMENT: &str = "{\"text\":\"x\"}";
        let (url, serve) = server(Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
        post(&url, DOCUMENT.to_owned(), CONNECT).await.unwrap();
        let request = serve.join().unwrap();
        assert!(request.starts_with("POST /T0/s3cr3t?token=s3cr3t HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("content-type: application/json"), "{request}");
        for (answer, expected) in [
            (Some("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"), "status 500"),
            (Some("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"), "status 404"),
            (Some("HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"), "is not followed"),
            (None, "no answer in time"),
        ] {
            let (url, serve) = server(answer);
            let error = post(&url, DOCUMENT.to_owned(), Duration::from_millis(300)).await.unwrap_err();
            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(shown.contains(expected) && !shown.contains("s3cr3t"), "{answer:?}: {shown}");
            // The one that never answers reads until this runtime closes the connection.
            if answer.is_some() {
                serve.join().unwrap();
            }
        }
        // Nobody listens there any more.
        let error = post(&url, DOCUMENT.to_owned(), CONNECT).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("no connection") && shown.contains("refused") && !shown.contains("s3cr3t"), "{shown}");
    }

    #[tokio::test]
    async fn only_urls_that_nobody_can_listen_to_are_used() {
        for (url, expected) in [
            ("hooks.example.com/s3cr3t", "not a URL"),
            ("ftp://hooks.example.com/s3cr3t", "not a URL"),
            ("/s3cr3t", "not a URL"),
            ("https://", "not a URL"),
            ("http://hooks.example.com/s3cr3t", "this machine alone"),
            ("http://127.0.0.1.example.com/s3cr3t", "this machine alone"),
        ] {
            let error = post(url, String::new(), CONNECT).await.unwrap_err();
            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(shown.contains(expected) && !shown.contains("s3cr3t") && !shown.contains("example"), "{shown}");
        }
    }
}
