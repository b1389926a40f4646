//! Finds the method of a request among those deployed, and the parameters of its path.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use sftpctl_aws::ApiMethod;

/// The method of a request, and its path parameters.
#[derive(Debug, PartialEq)]
pub(crate) struct Found<'a> {
    pub(crate) method: &'a ApiMethod,
    /// Path parameters, still percent-encoded: API Gateway does not decode them.
    pub(crate) path: BTreeMap<String, String>,
}

/// Finds the method for a path below the stage.
pub(crate) fn find<'a>(methods: &'a [ApiMethod], http_method: &str, path: &str) -> Option<Found<'a>> {
    methods
        .iter()
        .filter(|method| method.http_method == http_method || method.http_method == "ANY")
        .find_map(|method| fit(&method.path, path).map(|path| Found { method, path }))
}

fn fit(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    if pattern.len() != segments.len() {
        return None;
    }
    let mut found = BTreeMap::new();
    for (pattern, segment) in pattern.into_iter().zip(segments) {
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => {
                found.insert(name.to_owned(), segment.to_owned());
            }
            None if pattern == segment => {}
            _ => return None,
        }
    }
    Some(found)
}

/// The decoded parameters of a query. Of a repeated parameter the last one counts, as on API Gateway.
pub(crate) fn query(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_parameters() {
        let pattern = "/servers/{serverId}/users/{username}/config";
        let found = fit(pattern, "/servers/s-1/users/a%40b/config").unwrap();
        assert_eq!(found["serverId"], "s-1");
        assert_eq!(found["username"], "a%40b");
        for other in ["/servers/s-1/users//config", "/servers/s-1/users/a", "/servers/s-1/users/a/config/x", "/"] {
            assert_eq!(fit(pattern, other), None, "{other}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = query("protocol=SFTP&sourceIp=2001%3Adb8%3A%3A1&x&protocol=FTP");
        assert_eq!(query["sourceIp"], "2001:db8::1");
        assert_eq!(query["protocol"], "FTP");
        assert_eq!(query["x"], "");
    }
}
