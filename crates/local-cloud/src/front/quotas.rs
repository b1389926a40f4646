//! Quotas that MiniStack does not answer.
//!
//! Service Quotas knows no applied values, as in a new account ("If the applied quota value is not available for a
//! quota, the quota is not retrieved", `GetServiceQuota` in its API reference), and the defaults of some quotas; quotas
//! of IAM, S3 and Route 53 only in us-east-1.

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::call::Call;
use super::pending::between;
use super::upstream::{MAX_REQUEST, plain};
use super::{Front, refusal, xml};

/// Service, code, name and default of a quota; whether it belongs to the account and not to a region.
const DEFAULTS: [(&str, &str, &str, f64, bool); 10] = [
    ("transfer", "L-6E386A05", "Servers per account", 50.0, false),
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0, false),
    ("apigateway", "L-A93447B8", "Regional APIs per account", 600.0, false),
    ("lambda", "L-B99A9384", "Concurrent executions", 1_000.0, false),
    ("cloudformation", "L-0485CB21", "Stack count", 2_000.0, false),
    ("dynamodb", "L-F98FE922", "Maximum number of tables", 2_500.0, false),
    ("s3", "L-DC2B2D3D", "General purpose buckets", 10_000.0, true),
    ("iam", "L-FE177D64", "Roles per account", 1_000.0, true),
    ("iam", "L-E95E4862", "Customer managed policies per account", 1_500.0, true),
    ("iam", "L-0DA4ABF3", "Managed policies per role", 10.0, true),
];
/// Stacks of a region (CloudFormation user guide, "CloudFormation quotas").
const STACKS: u32 = 2_000;
/// Records of a hosted zone (Route 53 developer guide, "Quotas").
const RECORDS: u32 = 10_000;

/// Whether the call is answered here.
pub(super) fn answers(call: &Call) -> bool {
    matches!(
        (call.service.as_str(), call.operation.as_str()),
        ("servicequotas", _) | ("cloudformation", "DescribeAccountLimits") | ("route53", "GetHostedZoneLimit")
    )
}

/// Answers such a call.
pub(super) async fn answer(front: &Front, call: &Call, parts: Parts, body: Body) -> Response<Body> {
    match call.service.as_str() {
        "servicequotas" => {
            let Ok(body) = to_bytes(body, MAX_REQUEST).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
            };
            service_quota(call, &serde_json::from_slice(&body).unwrap_or_default())
        }
        "cloudformation" => xml(format!(
            "<DescribeAccountLimitsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
             <DescribeAccountLimitsResult><AccountLimits><member><Name>StackLimit</Name><Value>{STACKS}</Value></member>\
             </AccountLimits></DescribeAccountLimitsResult></DescribeAccountLimitsResponse>"
        )),
        _ => zone_limit(front, parts).await,
    }
}

fn service_quota(call: &Call, input: &Value) -> Response<Body> {
    let (service, code) = (input["ServiceCode"].as_str(), input["QuotaCode"].as_str());
    let known = |quota: &&(&str, &str, &str, f64, bool)| {
        (Some(quota.0), Some(quota.1)) == (service, code) && (!quota.4 || call.region == "us-east-1")
    };
    let found = DEFAULTS.iter().find(known).filter(|_| call.operation == "GetAWSDefaultServiceQuota");
    let Some((service, code, name, value, global)) = found else {
        let what = "The request failed because the specified service does not exist, or the quota has no value.";
        return refusal::error(call, 400, "NoSuchResourceException", what);
    };
    let quota = json!({ "Quota": {
        "ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": value, "Unit": "None",
        "Adjustable": true, "GlobalQuota": global,
    }});
    let mut response = Response::new(Body::from(quota.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    response
}

/// The zone itself says how many records it has.
async fn zone_limit(front: &Front, mut parts: Parts) -> Response<Body> {
    let zone = parts.uri.path().trim_end_matches('/').rsplit('/').nth(1).unwrap_or_default().to_owned();
    let Ok(uri) = format!("/2013-04-01/hostedzone/{zone}").parse::<Uri>() else {
        return plain(StatusCode::BAD_REQUEST, "the hosted zone's ID is not valid");
    };
    parts.uri = uri;
    parts.headers.remove(header::ACCEPT_ENCODING);
    let response = front.upstream.pass(parts, Body::empty()).await;
    super::answers::rewritten(response, |text| {
        let count = between(&text, "<ResourceRecordSetCount>", "</ResourceRecordSetCount>").unwrap_or("2");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <GetHostedZoneLimitResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <Limit><Type>MAX_RRSETS_BY_ZONE</Type><Value>{RECORDS}</Value></Limit><Count>{count}</Count>\
             </GetHostedZoneLimitResponse>"
        )
    })
    .await
}
