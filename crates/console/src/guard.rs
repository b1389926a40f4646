//! Who may use the console: the page that it serves, with the token of its address, and no other page.
//!
//! A page in a browser on this machine can send requests to loopback, also under a name of its own that resolves there.
//! So the host must be this machine, a request that a browser marks as another page's is refused, and what is asked for
//! with the token in a header, which other pages may not send without this server's permission (CORS), is never
//! permitted to them. Other users of the machine are cut off before (`serve`).

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, StatusCode, Uri};

use crate::token::{HEADER, Token};

/// Why a request is refused.
pub(crate) type Refused = (StatusCode, &'static str);

/// Refuses what the page never asks, whatever it is for.
pub(crate) fn check(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16) -> Result<(), Refused> {
    let forbidden = |why| Err((StatusCode::FORBIDDEN, why));
    let host = one(headers, &header::HOST).filter(|host| is_here(host, port));
    let Some(host) = host.filter(|_| uri.authority().is_none()) else {
        return forbidden("this is not the address of the console: open the one that `sftpctl console` printed");
    };
    // Those of browsers that say it (Fetch Metadata); `none` is a person who opens the address.
    let sites = headers.get_all("sec-fetch-site");
    if !sites.iter().all(|site| site == "same-origin" || (site == "none" && method == Method::GET)) {
        return forbidden("requests of other pages are refused: open the address that `sftpctl console` printed");
    }
    let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().collect();
    let is_own = origins.iter().all(|origin| origin.to_str().is_ok_and(|origin| origin == format!("http://{host}")));
    if !is_own || origins.len() > 1 || (origins.is_empty() && method != Method::GET) {
        return forbidden("requests of other pages are refused: open the address that `sftpctl console` printed");
    }
    Ok(())
}

/// Refuses a request for data without the token, or one for a change that is not JSON.
pub(crate) fn check_data(method: &Method, headers: &HeaderMap, token: &Token) -> Result<(), Refused> {
    let shown = one(headers, &HeaderName::from_static(HEADER));
    if !shown.is_some_and(|shown| token.is(shown)) {
        let why = "the token is missing or wrong: open the address that `sftpctl console` printed last";
        return Err((StatusCode::UNAUTHORIZED, why));
    }
    // A form of another page cannot have it.
    if method == Method::POST && one(headers, &header::CONTENT_TYPE) != Some("application/json") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not application/json"));
    }
    Ok(())
}

/// The only value of a header.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Whether a host header names this port of this machine.
fn is_here(host: &str, port: u16) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|name| host.eq_ignore_ascii_case(&format!("{name}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (&str, &str) = ("host", "127.0.0.1:4123");

    fn status(method: &Method, uri: &str, pairs: &[(&'static str, &str)]) -> Option<u16> {
        let headers = headers(pairs);
        check(method, &uri.parse().unwrap(), &headers, 4123).err().map(|(status, _)| status.as_u16())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn other_hosts_and_pages_are_refused() {
        let (get, post) = (&Method::GET, &Method::POST);
        assert_eq!(status(get, "/", &[HERE]), None);
        assert_eq!(status(get, "/", &[("host", "LOCALHOST:4123"), ("sec-fetch-site", "none")]), None);
        let own = ("origin", "http://127.0.0.1:4123");
        assert_eq!(status(post, "/api/enable", &[HERE, own, ("sec-fetch-site", "same-origin")]), None);
        for host in [
            "evil.example:4123",
            "127.0.0.1",
            "127.0.0.1:4124",
            "127.0.0.1.evil.example:4123",
            "me@127.0.0.1:4123",
            "127.0.0.1:4123.evil.example",
            "0.0.0.0:4123",
            "127.1:4123",
            "",
        ] {
            assert_eq!(status(get, "/", &[("host", host)]), Some(403), "{host}");
        }
        assert_eq!(status(get, "/", &[]), Some(403));
        assert_eq!(status(get, "/", &[HERE, HERE]), Some(403));
        assert_eq!(status(get, "http://evil.example/", &[HERE]), Some(403));
        for origin in
            ["https://evil.example", "null", "http://localhost:4123", "http://127.0.0.1:4124", "https://127.0.0.1:4123"]
        {
            assert_eq!(status(get, "/", &[HERE, ("origin", origin)]), Some(403), "{origin}");
            assert_eq!(status(post, "/api/enable", &[HERE, ("origin", origin)]), Some(403), "{origin}");
        }
        assert_eq!(status(post, "/api/enable", &[HERE]), Some(403), "a browser names the origin of each POST");
        assert_eq!(status(post, "/api/enable", &[HERE, own, own]), Some(403));
        assert_eq!(status(post, "/api/enable", &[HERE, own, ("sec-fetch-site", "none")]), Some(403));
        for site in ["cross-site", "same-site", "x"] {
            assert_eq!(status(get, "/", &[HERE, ("sec-fetch-site", site)]), Some(403), "{site}");
            let twice = [HERE, ("sec-fetch-site", "none"), ("sec-fetch-site", site)];
            assert_eq!(status(get, "/", &twice), Some(403), "{site}");
        }
    }

    #[test]
    fn data_needs_the_token_once_and_a_change_is_json() {
        let token = Token::random();
        let address = token.address(1);
        let right = address.rsplit('=').next().unwrap();
        let json = ("content-type", "application/json");
        let status = |method: &Method, pairs: &[(&'static str, &str)]| {
            check_data(method, &headers(pairs), &token).err().map(|(status, _)| status.as_u16())
        };
        assert_eq!(status(&Method::GET, &[(HEADER, right)]), None);
        assert_eq!(status(&Method::POST, &[(HEADER, right), json]), None);
        assert_eq!(status(&Method::GET, &[]), Some(401));
        assert_eq!(status(&Method::GET, &[(HEADER, "wrong")]), Some(401));
        assert_eq!(status(&Method::GET, &[(HEADER, right), (HEADER, right)]), Some(401));
        assert_eq!(status(&Method::POST, &[(HEADER, right)]), Some(415));
        assert_eq!(status(&Method::POST, &[(HEADER, right), ("content-type", "text/plain")]), Some(415));
    }
}
