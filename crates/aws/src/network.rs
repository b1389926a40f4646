//! The way to AWS in networks that have a proxy or certificates of their own: the environment variables that AWS's tools
//! read, which the SDK does not.

use std::fmt::{Debug, Formatter};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Proxies for HTTPS, the first one that is set. AWS's endpoints are all HTTPS; plain HTTP is used only on this machine
/// and for instance metadata, which are never behind a proxy.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The variable that names the proxy, if one is set.
pub(super) fn proxy_variable() -> Option<&'static str> {
    PROXY.into_iter().find(|name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty()))
}

/// A setting of the environment that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The value may contain a password, and is not shown.
    #[error("{0} is not the URL of a proxy")]
    Proxy(&'static str),
    #[error("{CA_BUNDLE}: cannot use {path}: {reason}")]
    Bundle { path: String, reason: String },
}

impl NetworkError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Proxy(variable) => format!("write `{variable}=http://HOST:PORT`, or unset it"),
            Self::Bundle { .. } => format!("set {CA_BUNDLE} to a file of certificates in PEM format, or unset it"),
        }
    }
}

/// Proxy and certificates.
#[derive(Clone, Default)]
pub struct Network {
    proxy: Option<ProxyConfig>,
    /// Certificates in PEM format, which replace those of the system, as in AWS's CLI.
    bundle: Option<Vec<u8>>,
}

impl Debug for Network {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let parts = (self.proxy.is_some(), self.bundle.is_some());
        write!(f, "Network {{ proxy: {}, bundle: {} }}", parts.0, parts.1)
    }
}

impl Network {
    /// Reads the environment's settings.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn from_environment() -> Result<Self, NetworkError> {
        Self::read(|variable| std::env::var(variable).ok().filter(|value| !value.trim().is_empty()))
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, NetworkError> {
        let proxy = PROXY.iter().find_map(|variable| Some((*variable, get(variable)?)));
        let proxy = match proxy {
            None => None,
            Some((variable, value)) => Some(
                proxy_at(&value, NO_PROXY.iter().find_map(|name| get(name))).ok_or(NetworkError::Proxy(variable))?,
            ),
        };
        let bundle = get(CA_BUNDLE).map(|path| certificates(&path)).transpose()?;
        Ok(Self { proxy, bundle })
    }

    /// The HTTP client of every call.
    pub(super) fn client(&self) -> SharedHttpClient {
        let provider = Provider::Rustls(CryptoMode::Ring);
        let Self { proxy, bundle } = self.clone();
        if proxy.is_none() && bundle.is_none() {
            return Builder::new().tls_provider(provider).build_https();
        }
        let store = bundle.map(|bundle| TrustStore::empty().with_pem_certificate(bundle)).unwrap_or_default();
        let context = TlsContext::builder().with_trust_store(store).build().unwrap_or_default();
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder();
            connector.set_connector_settings(settings.cloned()).set_proxy_config(proxy.clone());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.tls_provider(provider.clone()).tls_context(context.clone()).build()
        })
    }
}

/// The proxy of a variable's value; without a scheme it is one of plain HTTP, as for curl.
fn proxy_at(value: &str, exceptions: Option<String>) -> Option<ProxyConfig> {
    let value = value.trim();
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let proxy = ProxyConfig::https(url).ok()?;
    Some(match exceptions {
        Some(exceptions) => proxy.no_proxy(exceptions),
        None => proxy,
    })
}

/// Reads a bundle, and checks every certificate in it: the HTTP client would panic.
fn certificates(path: &str) -> Result<Vec<u8>, NetworkError> {
    let error = |reason: String| NetworkError::Bundle { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|cause| error(cause.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|cause| error(format!("it is not in PEM format: {cause}")))?;
        roots.add(certificate).map_err(|cause| error(cause.to_string()))?;
    }
    if roots.is_empty() { Err(error("it contains no certificate".to_owned())) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Network, NetworkError> {
        Network::read(|name| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn proxies_are_read_as_other_programs_do() {
        assert!(read(&[]).unwrap().proxy.is_none());
        // Only plain HTTP goes through this one.
        assert!(read(&[("HTTP_PROXY", "http://proxy:3128")]).unwrap().proxy.is_none());
        for value in ["http://proxy:3128", "proxy:3128", " http://me:secret@proxy:3128/ ", "https://proxy"] {
            assert!(read(&[("https_proxy", value), ("NO_PROXY", "127.0.0.1")]).unwrap().proxy.is_some(), "{value}");
        }
        let error = read(&[("HTTPS_PROXY", "http://me:secret@")]).unwrap_err();
        assert_eq!(error, NetworkError::Proxy("HTTPS_PROXY"));
        assert!(!format!("{error} {}", error.hint()).contains("secret"));
    }

    #[test]
    fn unusable_bundles_are_refused_with_their_path() {
        let dir = std::env::temp_dir().join(format!("bundle-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (name, content, reason) in [
            ("missing.pem", None, "No such file"),
            ("empty.pem", Some(""), "no certificate"),
            ("bad.pem", Some(bad), ""),
            ("cut.pem", Some("-----BEGIN CERTIFICATE-----\nAAAA"), ""),
        ] {
            let path = dir.join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let path = path.display().to_string();
            let error = read(&[(CA_BUNDLE, &path)]).unwrap_err().to_string();
            assert!(error.contains(&path) && error.contains(reason), "{error}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
