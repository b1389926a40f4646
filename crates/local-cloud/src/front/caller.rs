//! The caller that a request's SigV4 signature names, in its credential scope; the signature is verified in `guard.rs`.

use hyper::HeaderMap;

/// The credential scope of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key: String,
    /// The region signed for.
    pub(super) region: String,
    /// The service signed for, by its signing name.
    pub(super) service: String,
}

/// Why a request has no usable scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// No signature at all.
    Missing,
    /// A signature that cannot be parsed.
    Malformed,
}

/// Reads the scope from the header `Authorization`, or from the query of a presigned URL.
pub(super) fn scope(headers: &HeaderMap, query: Option<&str>) -> Result<Scope, Unsigned> {
    if let Some(header) = headers.get(hyper::header::AUTHORIZATION) {
        let header = header.to_str().map_err(|_| Unsigned::Malformed)?;
        let parameters = header.strip_prefix("AWS4-HMAC-SHA256").ok_or(Unsigned::Malformed)?;
        let find = |name: &str| parameters.split(',').find_map(|part| part.trim().strip_prefix(name));
        if find("SignedHeaders=").is_none_or(str::is_empty) || find("Signature=").is_none_or(str::is_empty) {
            return Err(Unsigned::Malformed);
        }
        return parse(find("Credential=").ok_or(Unsigned::Malformed)?, "/").ok_or(Unsigned::Malformed);
    }
    let credential = query.into_iter().flat_map(|query| query.split('&')).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("X-Amz-Credential").then_some(value)
    });
    match credential {
        None => Err(Unsigned::Missing),
        // SDKs encode the slashes of a presigned URL; URLs written by hand may not.
        Some(value) => parse(value, "%2F").or_else(|| parse(value, "/")).ok_or(Unsigned::Malformed),
    }
}

fn parse(credential: &str, separator: &str) -> Option<Scope> {
    let parts: Vec<&str> = credential.split(separator).collect();
    // An access key may contain a slash; the four parts after it may not.
    let [key @ .., _date, region, service, "aws4_request"] = parts.as_slice() else {
        return None;
    };
    let access_key = key.join("/");
    let complete = !access_key.is_empty() && !region.is_empty() && !service.is_empty();
    complete.then(|| Scope { access_key, region: (*region).to_owned(), service: (*service).to_owned() })
}

/// The account of an access key that is itself a 12-digit account ID.
pub(super) fn account_of(access_key: &str) -> Option<&str> {
    (access_key.len() == 12 && access_key.bytes().all(|byte| byte.is_ascii_digit())).then_some(access_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> Result<Scope, Unsigned> {
        let mut headers = HeaderMap::new();
        headers.insert(hyper::header::AUTHORIZATION, value.parse().unwrap());
        scope(&headers, None)
    }

    #[test]
    fn scope_is_read_from_header_or_query() {
        let expected = Scope {
            access_key: "123456789012".to_owned(),
            region: "us-west-2".to_owned(),
            service: "transfer".to_owned(),
        };
        let credential = "Credential=123456789012/20260101/us-west-2/transfer/aws4_request";
        let signed = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00");
        assert_eq!(header(&signed), Ok(expected.clone()));
        let query = "a=b&X-Amz-Credential=123456789012%2F20260101%2Fus-west-2%2Ftransfer%2Faws4_request";
        assert_eq!(scope(&HeaderMap::new(), Some(query)), Ok(expected));
    }

    #[test]
    fn malformed_signatures_are_refused() {
        assert_eq!(scope(&HeaderMap::new(), Some("a=b")), Err(Unsigned::Missing));
        for value in
            ["Basic eA==", "AWS4-HMAC-SHA256 Credential=a/b", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request"]
        {
            assert_eq!(header(value), Err(Unsigned::Malformed), "{value}");
        }
    }
}
