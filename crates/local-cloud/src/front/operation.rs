//! Finds the name of a call, `service.Operation`, from its request.
//!
//! JSON protocols name the operation in a header, query protocols in the form. For REST services it is found by method
//! and path in `operations.json`, an extract of botocore's models (Apache-2.0) written by `scripts/transfer-model`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hyper::http::request::Parts;
use serde::Deserialize;

use super::upstream::percent;

static ROUTES: LazyLock<BTreeMap<String, Vec<Route>>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is checked in, and the unit test below reads it")]
    let file: File = serde_json::from_str(include_str!("operations.json")).expect("operations.json is valid");
    let routes = |operations: BTreeMap<String, String>| {
        let mut routes: Vec<Route> = operations.iter().map(|(name, text)| Route::parse(name, text)).collect();
        // The most specific route first.
        routes.sort_by_key(|route| std::cmp::Reverse((route.needs.len(), route.literals())));
        routes
    };
    file.services.into_iter().map(|(service, operations)| (service, routes(operations))).collect()
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    /// By service and operation: method, path, then `?key` and `:header` that the request must have.
    services: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug)]
struct Route {
    name: String,
    method: String,
    segments: Vec<String>,
    needs: Vec<String>,
}

impl Route {
    fn parse(name: &str, text: &str) -> Self {
        let mut words = text.split(' ').map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        Self { name: name.to_owned(), method, segments: segments(&path), needs: words.collect() }
    }

    fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| !segment.starts_with('{')).count()
    }

    fn fits(&self, request: &Parts, path: &[String]) -> bool {
        let query = request.uri.query().unwrap_or_default();
        self.method == request.method.as_str()
            && matches(&self.segments, path)
            && self.needs.iter().all(|need| match need.split_at(1) {
                ("?", key) => query.split('&').any(|part| part.split('=').next() == Some(key)),
                (_, header) => request.headers.contains_key(header),
            })
    }
}

fn matches(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((part, _)), Some(_)) if part == "{+}" => true,
        (Some((part, pattern)), Some((segment, path))) => (part == "{}" || part == segment) && matches(pattern, path),
        _ => false,
    }
}

/// Ignores a trailing slash: botocore's models and SDKs are inconsistent about it.
fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The operation's name, or the HTTP method if it is unknown.
pub(super) fn name(service: &str, request: &Parts, form: Option<&Form>) -> String {
    if let Some(target) = request.headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    if let Some(action) = form.and_then(|form| form.get("Action")) {
        return action.to_owned();
    }
    let path = segments(request.uri.path());
    // <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>
    if let ([first, _, third, operation], true) = (path.as_slice(), request.headers.contains_key("smithy-protocol"))
        && (service, first.as_str(), third.as_str()) == ("monitoring", "service", "operation")
    {
        return operation.clone();
    }
    // The other API of API Gateway has the same signing name.
    if service == "apigateway" && request.method == "GET" && path == ["v2", "apis"] {
        return "GetApis".to_owned();
    }
    let route = ROUTES.get(service).into_iter().flatten().find(|route| route.fits(request, &path));
    route.map_or_else(|| request.method.to_string(), |route| route.name.clone())
}

/// The bucket of a canonical request to S3.
pub(super) fn bucket(request: &Parts) -> Option<String> {
    segments(request.uri.path()).into_iter().next()
}

/// The object key of a canonical request to S3, as encoded in the URL.
pub(super) fn object(request: &Parts) -> Option<String> {
    let (_, key) = request.uri.path().strip_prefix('/')?.split_once('/')?;
    (!key.is_empty()).then(|| key.to_owned())
}

/// The fields of a query-protocol request.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Decodes `application/x-www-form-urlencoded`. Of a field that is there twice the last one counts.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(Self::fields(bytes).into_iter().collect())
    }

    /// As [`Self::parse`]; `None` if a field is there twice.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let fields = Self::fields(bytes);
        let count = fields.len();
        let form = Self(fields.into_iter().collect());
        (form.0.len() == count).then_some(form)
    }

    /// The form as it is sent.
    pub(super) fn encoded(&self) -> String {
        let text = |text: &str| text.bytes().map(percent).collect::<String>();
        let fields: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
        fields.join("&")
    }

    fn fields(bytes: &[u8]) -> Vec<(String, String)> {
        let decode = |text: &[u8]| {
            let mut out = Vec::with_capacity(text.len());
            let mut rest = text;
            while let Some((&byte, after)) = rest.split_first() {
                rest = after;
                let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
                match (byte, after.get(..2).and_then(hex)) {
                    (b'%', Some(decoded)) => {
                        out.push(decoded);
                        rest = &after[2..];
                    }
                    (b'+', _) => out.push(b' '),
                    (byte, _) => out.push(byte),
                }
            }
            String::from_utf8_lossy(&out).into_owned()
        };
        let fields = bytes.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).map(|part| {
            let middle = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            (decode(&part[..middle]), decode(part.get(middle + 1..).unwrap_or_default()))
        });
        fields.collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a field's name ends so, as that of a member of a list does.
    pub(super) fn has_field_ending(&self, end: &str) -> bool {
        self.0.keys().any(|name| name.ends_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str, method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = hyper::Request::builder().method(method).uri(uri).header("host", "127.0.0.1:4570");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        name(service, &request.body(()).unwrap().into_parts().0, None)
    }

    #[test]
    fn rest_operations_are_named() {
        let cases = [
            ("s3", "GET", "/", "ListBuckets"),
            ("s3", "PUT", "/bucket", "CreateBucket"),
            ("s3", "PUT", "/bucket?versioning", "PutBucketVersioning"),
            ("s3", "GET", "/bucket?list-type=2&prefix=", "ListObjectsV2"),
            ("s3", "PUT", "/bucket/a/b%2Fc", "PutObject"),
            ("s3", "PUT", "/bucket/a?partNumber=1&uploadId=x", "UploadPart"),
            ("lambda", "PUT", "/2015-03-31/functions/f/configuration", "UpdateFunctionConfiguration"),
            ("lambda", "POST", "/2015-03-31/functions/f/policy", "AddPermission"),
            ("apigateway", "GET", "/account", "GetAccount"),
            ("apigateway", "GET", "/v2/apis?maxResults=500", "GetApis"),
            ("apigateway", "GET", "/restapis/a/resources/b/methods/GET", "GetMethod"),
            ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", "ChangeResourceRecordSets"),
            ("route53", "GET", "/2013-04-01/hostedzonesbyname?dnsname=x", "ListHostedZonesByName"),
            ("nothing", "PATCH", "/x", "PATCH"),
        ];
        for (service, method, uri, expected) in cases {
            assert_eq!(call(service, method, uri, &[]), expected, "{method} {uri}");
        }
        assert_eq!(call("s3", "PUT", "/b/k", &[("x-amz-copy-source", "b/o")]), "CopyObject");
        assert_eq!(
            call("dynamodb", "POST", "/", &[("x-amz-target", "DynamoDB_20120810.DescribeTable")]),
            "DescribeTable"
        );
        let uri = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms";
        assert_eq!(call("monitoring", "POST", uri, &[("smithy-protocol", "rpc-v2-cbor")]), "DescribeAlarms");
    }

    #[test]
    fn object_keys_are_what_follows_the_bucket() {
        for (uri, expected) in [
            ("/bucket/a/99.journal?x-id=PutObject", Some("a/99.journal")),
            ("/bucket/17578/?x-id=PutObject", Some("17578/")),
            ("/bucket//a", Some("/a")),
            ("/bucket/?versioning", None),
            ("/", None),
        ] {
            let request = hyper::Request::builder().uri(uri).body(()).unwrap();
            assert_eq!(object(&request.into_parts().0).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn forms_are_decoded() {
        let form = Form::parse(b"Action=CreateStack&StackName=a%2Fb+c&x");
        assert_eq!(form.get("Action"), Some("CreateStack"));
        assert_eq!(form.get("StackName"), Some("a/b c"));
        assert_eq!(form.get("x"), Some(""));
    }

    #[test]
    fn forms_with_a_field_twice_are_not_read() {
        let form = Form::read(b"Action=GetRole&RoleName=a%2Fb+c&%43=1").unwrap();
        assert_eq!(form.encoded(), "Action=GetRole&C=1&RoleName=a%2Fb%20c");
        for twice in ["Action=PutRolePolicy&Action=GetRole", "%41ction=PutRolePolicy&Action=GetRole", "a&a=1"] {
            assert!(Form::read(twice.as_bytes()).is_none(), "{twice}");
        }
    }
}
