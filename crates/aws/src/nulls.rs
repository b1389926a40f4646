//! Answers with `null` as an entry of a map or list.
//!
//! API Gateway answers `"responseTemplates": {"application/json": null}` for a mapping template that was emptied (the
//! console's "pass through"). The SDK refuses the whole answer, because its model does not allow such entries, and so do
//! the models of all services with JSON for most of their lists and maps. The documents of the JSON protocols mean by
//! `null` that a member is absent, so it is left out before the SDK reads the answer.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

/// A client that leaves out every `null` of a JSON answer. The answer of a function, to Lambda's `Invoke`, is nobody's
/// but the function's, and stays as it is.
#[derive(Clone, Debug)]
pub(super) struct WithoutNulls(pub(super) SharedHttpClient);

impl HttpClient for WithoutNulls {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_invocation = request.uri().split('?').next().is_some_and(|path| path.ends_with("/invocations"));
        let answer = self.0.call(request);
        if is_invocation {
            return answer;
        }
        HttpConnectorFuture::new(async move { without_nulls(answer.await?).await })
    }
}

async fn without_nulls(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = ByteStream::new(answer.take_body()).collect().await;
    let bytes = body.map_err(|error| ConnectorError::io(Box::new(error)))?.into_bytes();
    let cleaned = cleaned(&bytes);
    if cleaned.is_some() {
        answer.headers_mut().remove("content-length");
    }
    *answer.body_mut() = cleaned.map_or_else(|| SdkBody::from(bytes), SdkBody::from);
    Ok(answer)
}

/// The document without its nulls; `None` where it has none, or is not JSON.
fn cleaned(bytes: &[u8]) -> Option<String> {
    const NULL: &[u8] = b"null";
    if !bytes.windows(NULL.len()).any(|window| window == NULL) {
        return None;
    }
    let mut document = serde_json::from_slice(bytes).ok()?;
    drop_nulls(&mut document);
    Some(document.to_string())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nulls_are_left_out() {
        let answer = br#"{"a": null, "b": {"c": null, "d": "null"}, "e": [null, 1, {"f": null}], "g": 1.50}"#;
        assert_eq!(cleaned(answer).as_deref(), Some(r#"{"b":{"d":"null"},"e":[1,{}],"g":1.5}"#));
        assert_eq!(cleaned(br#"{"a": 1}"#), None);
        assert_eq!(cleaned(b"null and void"), None);
    }
}
