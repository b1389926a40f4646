//! The WebSocket and HTTP APIs of a region.
//!
//! They belong to version 2 of API Gateway, which has a large SDK of its own but the same endpoint, signature and form
//! of errors. Its one call that is needed, `GET /v2/apis` (Amazon API Gateway Version 2 API reference, `GetApis`), is
//! made as a call of version 1 with another path.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

use super::answer_body::AnswerBody;
use super::error::Call as _;
use super::{ApiGateway, AwsError};

impl ApiGateway {
    /// Names of the region's WebSocket and HTTP APIs, at most the first page.
    pub async fn v2_api_names(&self) -> Result<Vec<String>, AwsError> {
        let answer = AnswerBody::default();
        let call = self.0.get_rest_apis().customize().mutate_request(ask_version_2).interceptor(answer.clone());
        call.send().await.call("apigateway:GetApis", "WebSocket and HTTP APIs")?;
        Ok(names(&answer.take()))
    }
}

/// The path is replaced before the request is signed.
fn ask_version_2(request: &mut HttpRequest) {
    let uri = request.uri();
    if let Some((endpoint, _)) = uri.rsplit_once("/restapis") {
        let uri = format!("{endpoint}/v2/apis");
        // A URI that was valid stays valid.
        let _ = request.set_uri(uri);
    }
}

/// The names in the answer, which the SDK reads as one of version 1, without the APIs.
fn names(answer: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(answer).unwrap_or_default();
    let apis = body["items"].as_array().into_iter().flatten();
    apis.filter_map(|api| api["name"].as_str().or(api["apiId"].as_str()).map(str::to_owned)).collect()
}
