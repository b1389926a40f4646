//! Errors in the form of each protocol.

use axum::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::front::call::{Call, Protocol};

/// The service's throttling error.
pub(super) fn throttle(call: &Call) -> Response<Body> {
    let (status, code) = match call.protocol {
        Protocol::S3 => (503, "SlowDown"),
        Protocol::Xml if call.service == "ec2" => (503, "RequestLimitExceeded"),
        Protocol::Xml => (400, "Throttling"),
        Protocol::Json | Protocol::Cbor => (400, "ThrottlingException"),
        Protocol::RestJson => (429, "TooManyRequestsException"),
    };
    error(call, status, code, "Rate exceeded")
}

/// The service's internal error.
pub(super) fn internal(call: &Call) -> Response<Body> {
    let code = match call.protocol {
        Protocol::S3 => "InternalError",
        Protocol::Xml if call.service == "ec2" => "InternalError",
        Protocol::Xml => "InternalFailure",
        Protocol::Json | Protocol::Cbor => "InternalServerError",
        Protocol::RestJson => "ServiceException",
    };
    error(call, 500, code, "We encountered an internal error. Please try again.")
}

/// An error with this status, code and message.
pub(super) fn error(call: &Call, status: u16, code: &str, message: &str) -> Response<Body> {
    let (code_xml, message_xml) = (escaped(code), escaped(message));
    let inner = format!("<Code>{code_xml}</Code><Message>{message_xml}</Message>");
    let (kind, body) = match call.protocol {
        // Amazon EC2 API reference, "Error codes for the Amazon EC2 API".
        Protocol::Xml if call.service == "ec2" => (
            "text/xml",
            format!("<Response><Errors><Error>{inner}</Error></Errors><RequestID>fault</RequestID></Response>")
                .into_bytes(),
        ),
        Protocol::S3 => ("application/xml", format!("<Error>{inner}<RequestId>fault</RequestId></Error>").into_bytes()),
        Protocol::Xml => {
            let side = if status < 500 { "Sender" } else { "Receiver" };
            let error = format!("<Error><Type>{side}</Type>{inner}</Error>");
            ("text/xml", format!("<ErrorResponse>{error}<RequestId>fault</RequestId></ErrorResponse>").into_bytes())
        }
        // DynamoDB's form. SDKs accept the message in either case, and read the code after the `#`.
        Protocol::Json if call.service == "dynamodb" => (
            "application/x-amz-json-1.0",
            json!({"__type": format!("com.amazon.coral.service#{code}"), "Message": message}).to_string().into_bytes(),
        ),
        Protocol::Json => {
            ("application/x-amz-json-1.1", json!({"__type": code, "message": message}).to_string().into_bytes())
        }
        Protocol::RestJson => ("application/json", json!({ "message": message }).to_string().into_bytes()),
        Protocol::Cbor => ("application/cbor", cbor([("__type", code), ("message", message)])),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if call.protocol == Protocol::Cbor {
        response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    if let (Protocol::RestJson, Ok(code)) = (call.protocol, HeaderValue::from_str(code)) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// The answer to DeleteObjects if the caller may not delete one of the objects: an error for each of them, with status
/// 200. S3 would delete those that the caller may delete.
pub(super) fn objects(call: &Call, request: &[u8], message: &str) -> Response<Body> {
    let xml = String::from_utf8_lossy(request);
    let keys = xml.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    let message = escaped(message);
    let error =
        |key: &str| format!("<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>{message}</Message></Error>");
    let errors: String = keys.map(|(key, _)| error(key)).collect();
    tracing::info!(call = call.name(), "refused");
    let body = format!("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{errors}</DeleteResult>");
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// A map of two texts (RFC 8949, section 3.1).
fn cbor(map: [(&str, &str); 2]) -> Vec<u8> {
    let mut bytes = vec![0xa2];
    for text in map.into_iter().flat_map(|(key, value)| [key, value]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.push(0x79);
        bytes.extend(length.to_be_bytes());
        bytes.extend(text.bytes().take(length.into()));
    }
    bytes
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
