//! Requests with one meaning.
//!
//! What a call may do is decided on what the front reads in it, but MiniStack, which does it, is another program with a
//! parser of its own. Where two parsers could read two things (a field that is there twice, a name that is encoded, a
//! bucket in the host and another one in the path, a target of another service) the request is refused, or written anew
//! from what was read. The signature is verified on the request as it came.

use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{caller, s3_address, upstream};
use crate::execute_api;

/// How a service takes its calls.
enum Shape {
    /// JSON at `/`; the operation is in the header `x-amz-target`, which begins so.
    Json(&'static [&'static str]),
    /// A form at `/`.
    Form,
    /// A form at `/`, or CBOR at a path of its own, or JSON.
    FormOrCbor(&'static [&'static str]),
    /// Method and path say the operation.
    Rest,
    S3,
}

/// The shape of a service's calls, by its signing name. All that sessions of roles and functions may call are here.
fn shape(service: &str) -> Option<Shape> {
    Some(match service {
        "dynamodb" => Shape::Json(&["DynamoDB_20120810", "DynamoDBStreams_20120810"]),
        "logs" => Shape::Json(&["Logs_20140328"]),
        "secretsmanager" => Shape::Json(&["secretsmanager"]),
        "servicequotas" => Shape::Json(&["ServiceQuotasV20190624"]),
        "ssm" => Shape::Json(&["AmazonSSM"]),
        "transfer" => Shape::Json(&["TransferService"]),
        "cloudformation" | "ec2" | "iam" | "sns" | "sts" => Shape::Form,
        "monitoring" => Shape::FormOrCbor(&["GraniteServiceVersion20100801"]),
        "apigateway" | "lambda" | "route53" => Shape::Rest,
        "s3" => Shape::S3,
        _ => return None,
    })
}

/// Every byte but those that RFC 3986 does not reserve.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Headers that may come on several lines: neither the front nor MiniStack decides anything by them.
const REPEATED: [HeaderName; 5] =
    [header::ACCEPT, header::ACCEPT_ENCODING, header::CONTENT_ENCODING, header::COOKIE, header::USER_AGENT];

/// Parameters of a query that are lists.
const LISTS: [&str; 2] = ["embed", "tagKeys"];

/// The signature's parameters in the query of a presigned URL.
const PRESIGNED: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// What deployed APIs are called by.
pub(super) const APIS: &str = "deployed APIs are at API.execute-api.REGION.amazonaws.com, by the Host header";

/// The request as it is decided on and passed on.
///
/// # Errors
/// Why it could be read in two ways.
pub(super) fn canonical(parts: &Parts) -> Result<Parts, &'static str> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // Answered by the front itself.
    if execute_api::host(host).is_some() {
        return Ok(parts.clone());
    }
    if goes_round_the_api(host, parts.uri.path()) {
        return Err(APIS);
    }
    if parts.headers.keys().any(|name| !REPEATED.contains(name) && parts.headers.get_all(name).iter().count() > 1) {
        return Err("a header is there twice");
    }
    // What is not signed is refused where signatures are verified.
    let Ok(scope) = caller::scope(&parts.headers, parts.uri.query()) else { return Ok(parts.clone()) };
    let mut parts = parts.clone();
    let service = shape(&scope.service);
    let mut query = query(&parts)?;
    take_signature(&mut parts.headers, &mut query, matches!(service, Some(Shape::S3)))?;
    upstream::sign(&mut parts.headers, &scope);
    let path = match &service {
        None => parts.uri.path().to_owned(),
        Some(service) => shaped(service, &scope.service, &parts, &query)?,
    };
    if decoded(&path).trim_start_matches('/').starts_with('_') {
        return Err("MiniStack's own paths are shut");
    }
    let query: Vec<String> = query.iter().map(|(name, value)| pair(name, value.as_deref())).collect();
    let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    parts.uri = target.parse().map_err(|_| "the request's target is not a path")?;
    Ok(parts)
}

/// Whether MiniStack would invoke a deployed API without its authorization.
fn goes_round_the_api(host: &str, path: &str) -> bool {
    let path = decoded(path).to_ascii_lowercase();
    host.to_ascii_lowercase().contains(".execute-api.") || path.contains("/_user_request_")
}

/// Checks a request against the shape of its service. Returns its path.
fn shaped(shape: &Shape, service: &str, parts: &Parts, query: &[Parameter]) -> Result<String, &'static str> {
    let target = parts.headers.get("x-amz-target").map(|value| value.to_str().unwrap_or_default());
    let is_cbor = parts.headers.contains_key("smithy-protocol");
    let claimed = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_coded = parts.headers.contains_key(header::CONTENT_ENCODING) || claimed.starts_with("STREAMING-");
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // The front answers Transfer Family itself, whatever has been signed for.
    let is_ours = target.is_some_and(|target| target.starts_with(crate::transfer::TARGET_PREFIX));
    match shape {
        Shape::S3 => {}
        _ if is_coded => return Err("only bodies of S3 may be compressed or in chunks"),
        _ => {}
    }
    let at_root = |path: &str| match path {
        "/" if query.is_empty() => Ok("/".to_owned()),
        _ => Err("the service takes its calls at /, without a query"),
    };
    let path = parts.uri.path();
    match (shape, target) {
        _ if is_ours => at_root(path),
        _ if is_cbor && (kind.contains("form") || target.is_some()) => Err("the request is in two protocols"),
        (Shape::Json(_) | Shape::FormOrCbor(_), Some(_)) if kind.contains("form") => {
            Err("the request is in two protocols")
        }
        (Shape::Json(prefixes) | Shape::FormOrCbor(prefixes), Some(target)) => match target.split_once('.') {
            Some((prefix, operation)) if prefixes.contains(&prefix) && is_word(operation) => at_root(path),
            _ => Err("the header x-amz-target does not belong to the service that the request is signed for"),
        },
        (_, Some(_)) => Err("the service takes no header x-amz-target"),
        // It says nothing that could be allowed.
        (Shape::Json(_), None) => at_root(path),
        (Shape::FormOrCbor(_), None) if is_cbor => rest_path(service, path),
        _ if is_cbor => Err("the service takes no CBOR"),
        // A form in the query is a GET, which nothing here sends.
        (Shape::Form | Shape::FormOrCbor(_), None) => at_root(path),
        (Shape::Rest, None) => rest_path(service, path),
        (Shape::S3, None) => s3_path(parts),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A path whose segments are what they are before and after decoding.
fn rest_path(service: &str, path: &str) -> Result<String, &'static str> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let (rest, slash) = rest.strip_suffix('/').map_or((rest, ""), |rest| (rest, "/"));
    let mut segments = Vec::new();
    for segment in rest.split('/') {
        let text = decoded(segment);
        // The path of a tag is an ARN.
        let is_arn = service == "apigateway" && segments.first().is_some_and(|first| first == "tags");
        if text.is_empty() || text == "." || text == ".." || (text.contains('/') && !is_arn) {
            return Err("the path has an empty segment, `.`, `..` or an encoded slash");
        }
        segments.push(encoded(&text));
    }
    Ok(format!("/{}{slash}", segments.join("/")))
}

/// The path of a request to S3 with its bucket, wherever that was.
fn s3_path(parts: &Parts) -> Result<String, &'static str> {
    let path = decoded(parts.uri.path());
    let path = path.strip_prefix('/').unwrap_or(&path);
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bucket = s3_address::bucket_of_host(host)?;
    let path = match (bucket, path) {
        (None, path) if path.starts_with('/') => return Err("the path has no bucket"),
        (None, path) => path.to_owned(),
        (Some(bucket), path) => format!("{bucket}/{path}"),
    };
    let segments: Vec<String> = path.split('/').map(encoded).collect();
    Ok(format!("/{}", segments.join("/")))
}

/// A name and its value, decoded; one without `=` has none.
type Parameter = (String, Option<String>);

/// The parameters of the query, no name of which comes twice.
fn query(parts: &Parts) -> Result<Vec<Parameter>, &'static str> {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let all: Vec<Parameter> = pairs
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decoded(name), Some(decoded(value))),
            None => (decoded(pair), None),
        })
        .collect();
    let mut names = BTreeSet::new();
    // Parsers that ignore the case of a name would read it twice, too.
    let repeated = all.iter().any(|(name, _)| !names.insert(name.to_ascii_lowercase()) && !LISTS.contains(&&**name));
    if repeated { Err("a parameter of the query is there twice") } else { Ok(all) }
}

/// Takes the signature of a presigned URL out of the query, since MiniStack verifies those with keys of its own, and makes
/// headers of the headers that are in the query, as S3 does.
fn take_signature(headers: &mut HeaderMap, query: &mut Vec<Parameter>, is_s3: bool) -> Result<(), &'static str> {
    let is_signed_by_header = headers.contains_key(header::AUTHORIZATION);
    let mut left = Vec::new();
    for (name, value) in query.drain(..) {
        let lower = name.to_ascii_lowercase();
        if !lower.starts_with("x-amz-") {
            left.push((name, value));
            continue;
        }
        let is_signature = PRESIGNED.iter().any(|known| known.eq_ignore_ascii_case(&name));
        if is_signature && (is_signed_by_header || !PRESIGNED.contains(&&*name)) {
            return Err("only one way to sign is allowed");
        }
        // Checksums of presigned URLs are of no body (the SDK for JavaScript), and ignored.
        let is_checksum = lower.starts_with("x-amz-checksum-") && !lower.ends_with("-mode");
        if is_checksum || (is_signature && lower != "x-amz-security-token") {
            continue;
        }
        if !is_s3 {
            return Err("only requests to S3 have headers in the query");
        }
        let header = HeaderName::try_from(lower).map_err(|_| "a parameter of the query is not a header")?;
        let value =
            HeaderValue::try_from(value.unwrap_or_default()).map_err(|_| "a parameter is not a header's value")?;
        if headers.insert(header, value).is_some() {
            return Err("a header is in the query, too");
        }
    }
    *query = left;
    Ok(())
}

fn pair(name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| encoded(name), |value| format!("{}={}", encoded(name), encoded(value)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Whether the body is a form, which names the operation.
pub(super) fn is_form(service: &str, parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    matches!(shape(service), None | Some(Shape::Form | Shape::FormOrCbor(_)))
        && parts.method == Method::POST
        && kind.starts_with(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to a service with these headers, as it is passed on.
    fn read(service: &str, method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Parts, &'static str> {
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential=111111111111/20261123/us-west-2/{service}/aws4_request, SignedHeaders=host, \
             Signature=00"
        );
        let mut request = hyper::Request::builder().method(method).uri(uri).header("authorization", signed);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:4570");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        canonical(&request.body(()).unwrap().into_parts().0)
    }

    const LIST: (&str, &str) = ("x-amz-target", "DynamoDB_20120810.ListTables");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    const CBOR: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
    const ALARMS: &str = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms";

    #[test]
    fn what_sdks_send_stays_as_it_is() {
        for (service, method, uri, headers) in [
            ("dynamodb", "POST", "/", vec![LIST]),
            ("iam", "POST", "/", vec![FORM]),
            ("monitoring", "POST", "/", vec![FORM]),
            ("monitoring", "POST", ALARMS, vec![CBOR]),
            ("transfer", "POST", "/", vec![("x-amz-target", "TransferService.ListServers")]),
            ("s3", "GET", "/bucket/a%20b/%C3%A4?x-id=GetObject&versionId=1", vec![]),
            ("s3", "GET", "/bucket?list-type=2&prefix=a%2F&delimiter=%2F", vec![]),
            ("s3", "GET", "/bucket?versioning", vec![]),
            ("lambda", "DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda?tagKeys=a&tagKeys=b", vec![]),
            ("apigateway", "GET", "/tags/arn%3Aaws%3Aapigateway%3Aus-west-2%3A%3A%2Frestapis%2Fa", vec![]),
            ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", vec![]),
            ("sqs", "GET", "/anything//else?a=1", vec![]),
        ] {
            let parts = read(service, method, uri, &headers).unwrap_or_else(|why| panic!("{service} {uri}: {why}"));
            assert_eq!(parts.uri.to_string(), uri, "{service}");
        }
    }

    #[test]
    fn two_readings_become_one() {
        let host = |host: &'static str| vec![("host", host)];
        for (uri, headers, expected) in [
            ("/secret/k", host("mine.s3.us-west-2.amazonaws.com"), "/mine/secret/k"),
            ("/secret/k", host("mine.127.0.0.1:4570"), "/mine/secret/k"),
            ("/secret/k", host("mine.localhost:4570"), "/mine/secret/k"),
            ("/mine%2F..%2Fsecret/k", vec![], "/mine/../secret/k"),
            ("/%6dine/k", vec![], "/mine/k"),
            ("/mine?%70olicy", vec![], "/mine?policy"),
            ("/mine/k?%76ersionId=1+2", vec![], "/mine/k?versionId=1%2B2"),
        ] {
            let parts = read("s3", "GET", uri, &headers).unwrap_or_else(|why| panic!("{uri}: {why}"));
            assert_eq!(parts.uri.to_string(), expected, "{uri}");
        }
        let parts = read("lambda", "GET", "/2015-03-31/functions/%66", &[]).unwrap();
        assert_eq!(parts.uri.path(), "/2015-03-31/functions/f");
        let parts = read("s3", "PUT", "/mine/k?x-amz-copy-source=secret%2Fk", &[]).unwrap();
        assert_eq!(parts.uri, "/mine/k");
        assert_eq!(parts.headers["x-amz-copy-source"], "secret/k");
        // The front's own reading of the signature.
        let odd = "AWS4-HMAC-SHA256 xCredential=1/2/3/iam/aws4_request, Credential=111111111111/20261123/us-west-2/s3/\
                   aws4_request, SignedHeaders=host, Signature=00";
        let request =
            hyper::Request::get("/").header("host", "localhost").header("authorization", odd).body(()).unwrap();
        let signed = canonical(&request.into_parts().0).unwrap().headers["authorization"].clone();
        assert_eq!(signed.to_str().unwrap().matches("redential=").count(), 1, "{signed:?}");
    }

    #[test]
    fn presigned_urls_are_signed_by_header() {
        let uri = "/mine/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAFAKE%2F20261123%2Fus-west-2%2Fs3%2F\
                   aws4_request&X-Amz-Date=20261123T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00\
                   &X-Amz-Security-Token=a%2Fb&x-amz-checksum-crc32=AAAAAA%3D%3D&x-id=GetObject";
        let read = |uri: &str| {
            canonical(&hyper::Request::get(uri).header("host", "localhost").body(()).unwrap().into_parts().0)
        };
        let parts = read(uri).unwrap();
        assert_eq!(parts.uri, "/mine/k?x-id=GetObject");
        assert_eq!(parts.headers["x-amz-security-token"], "a/b");
        assert!(parts.headers["authorization"].to_str().unwrap().contains("Credential=ASIAFAKE/"));
        assert!(read(&uri.replace("X-Amz-Date", "x-amz-date")).is_err());
        assert!(super::tests::read("s3", "GET", uri, &[]).is_err(), "two signatures");
    }

    #[test]
    fn requests_with_two_readings_are_refused() {
        let host = |host: &'static str| vec![("host", host)];
        let target = |target: &'static str| vec![("x-amz-target", target)];
        for (service, method, uri, headers) in [
            // MiniStack's own doors, also under the name of an operation that is allowed.
            ("dynamodb", "POST", "/_ministack/reset", vec![LIST]),
            ("dynamodb", "POST", "/%5Fministack/reset", vec![LIST]),
            ("s3", "GET", "/_ministack/lambda-code/1/us-west-2/f", vec![]),
            ("sqs", "GET", "//_ministack/config", vec![]),
            ("lambda", "GET", "/_ministack/ready", vec![]),
            ("dynamodb", "GET", "/_aws/execute-api/a/prod/x", vec![LIST]),
            ("dynamodb", "GET", "/restapis/a/prod/_user_request_/x", vec![LIST]),
            ("apigateway", "GET", "/restapis/a/prod/%5Fuser_request_/x", vec![]),
            ("dynamodb", "GET", "/prod/x", vec![LIST, ("host", "a.execute-api.localhost:4570")]),
            ("dynamodb", "GET", "/prod/x", vec![LIST, ("host", "A.EXECUTE-API.us-west-2.amazonaws.com")]),
            // Paths, queries and targets of others.
            ("dynamodb", "POST", "/health", vec![LIST]),
            ("iam", "POST", "/?Action=ListRoles", vec![FORM]),
            ("dynamodb", "POST", "/", target("secretsmanager.ListTables")),
            ("dynamodb", "POST", "/", target("DynamoDB_20120810.ListTables, DynamoDB_20120810.Scan")),
            ("dynamodb", "POST", "/", target("DynamoDB_20120810.x.Scan")),
            ("dynamodb", "POST", "/", vec![LIST, ("x-amz-target", "DynamoDB_20120810.Scan")]),
            ("dynamodb", "POST", "/", vec![LIST, FORM]),
            ("dynamodb", "POST", "/", vec![LIST, CBOR]),
            ("monitoring", "POST", ALARMS, vec![CBOR, FORM]),
            ("lambda", "POST", "/2015-03-31/functions", vec![LIST]),
            ("s3", "GET", "/service/x/operation/ListBuckets", vec![CBOR]),
            ("s3", "GET", "/mine/k", target("DynamoDB_20120810.GetObject")),
            ("iam", "POST", "/", vec![FORM, ("x-amz-target", "IAMService.PutRolePolicy")]),
            // Bodies that are something else once they are unpacked.
            ("lambda", "POST", "/2015-03-31/functions", vec![("content-encoding", "gzip")]),
            ("iam", "POST", "/", vec![FORM, ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")]),
            // Segments that are others once they are decoded.
            ("lambda", "GET", "/2015-03-31/functions/f%2Fpolicy", vec![]),
            ("lambda", "GET", "/2015-03-31/functions/../x", vec![]),
            ("lambda", "GET", "/2015-03-31//functions", vec![]),
            ("s3", "GET", "//secret/k", vec![]),
            // Hosts that are not S3's.
            ("s3", "GET", "/secret/k", host("mine.amazonaws.com")),
            ("s3", "GET", "/secret/k", host("mine.elb.amazonaws.com")),
            // Parameters that are there twice.
            ("s3", "GET", "/mine/k?versionId=1&%76ersionId=2", vec![]),
            ("s3", "PUT", "/mine/k?x-amz-copy-source=a%2Fb", vec![("x-amz-copy-source", "mine/k")]),
            ("lambda", "GET", "/2015-03-31/functions/f?Qualifier=1&qualifier=2", vec![]),
            ("lambda", "GET", "/2015-03-31/functions/f?x-amz-target=a", vec![]),
        ] {
            assert!(read(service, method, uri, &headers).is_err(), "{service} {method} {uri} {headers:?}");
        }
    }

    #[test]
    fn forms_are_read_for_services_that_take_them() {
        for (service, expected) in
            [("iam", true), ("monitoring", true), ("sqs", true), ("lambda", false), ("s3", false)]
        {
            let request = hyper::Request::post("/").header(FORM.0, FORM.1).body(()).unwrap();
            assert_eq!(is_form(service, &request.into_parts().0), expected, "{service}");
        }
    }
}
