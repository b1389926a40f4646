//! What a customer needs to connect. Pure.

use serde::Serialize;
use sftpctl_core::shown::Text;

use sftpctl_core::shell_word::shell_word;

/// One server from a customer's point of view.
#[derive(Debug)]
pub struct Endpoint {
    pub region: String,
    pub host: String,
    /// Other names of the server; true for one that resolves to the nearest server, which may be another.
    pub others: Vec<(String, bool)>,
    pub port: u16,
    /// Its fixed IPv4 addresses, which customers' firewalls may name; none if AWS changes them without notice.
    pub addresses: Vec<String>,
    /// AWS's name of the server's endpoint.
    pub server: String,
    /// Type and fingerprint of each host key.
    pub keys: Vec<(String, String)>,
}

/// The endpoints, as `connect/1`.
#[derive(Debug, Serialize)]
pub struct ConnectView<'a> {
    username: &'a str,
    /// AWS's word for what the servers take: `PASSWORD`, `PUBLIC_KEY_OR_PASSWORD`, …
    authentication: &'a str,
    endpoints: Vec<EndpointView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointView<'a> {
    region: &'a str,
    host: &'a str,
    port: u16,
    server: &'a str,
    /// Fixed IPv4 addresses.
    addresses: &'a [String],
    other_hosts: Vec<&'a str>,
    host_keys: Vec<HostKeyView<'a>>,
}

#[derive(Debug, Serialize)]
struct HostKeyView<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    fingerprint: &'a str,
}

impl<'a> ConnectView<'a> {
    pub fn new(username: &'a str, authentication: &'a str, endpoints: &'a [Endpoint]) -> Self {
        let view = |endpoint: &'a Endpoint| EndpointView {
            region: &endpoint.region,
            host: &endpoint.host,
            port: endpoint.port,
            server: &endpoint.server,
            addresses: &endpoint.addresses,
            other_hosts: endpoint.others.iter().map(|(name, _)| name.as_str()).collect(),
            host_keys: endpoint.keys.iter().map(|(kind, fingerprint)| HostKeyView { kind, fingerprint }).collect(),
        };
        Self { username, authentication, endpoints: endpoints.iter().map(view).collect() }
    }
}

/// The destinations of a customer's firewall: `203.0.113.1:22, 203.0.113.2:22`.
fn firewall(addresses: &[String], port: u16) -> String {
    addresses.iter().map(|address| format!("{address}:{port}")).collect::<Vec<_>>().join(", ")
}

/// What every customer has to know.
const NOTES: [&str; 6] = [
    "Notes for customers:",
    "  - SFTP only. `scp` of OpenSSH 9.0 or later speaks SFTP and works; older ones, and `scp -O`, do not.",
    "  - Compare the host key with the one above at the first connection; afterwards it never changes.",
    "  - Files keep the time of their upload, not of the original; clients that set times are not refused.",
    "  - A file appears when its upload is complete. Uploads cannot be resumed or appended to.",
    "  - Turn off several connections for one transfer; folders cannot be renamed.",
];

/// For servers that take passwords: they do not offer `keyboard-interactive`.
const WITH_PASSWORD: &str = "  - Password: choose \"Normal\" or \"password\" as the log-on type, not \"interactive\".";
/// For servers that take keys: each key that an agent offers is an attempt.
const WITH_KEY: [&str; 2] = [
    "  - Many keys in an agent use up the attempts. With a key: sftp -o IdentitiesOnly=yes -i FILE; with a password:",
    "    sftp -o PreferredAuthentications=password",
];

/// The text for the customer; `authentication` as in [`ConnectView`].
pub fn render(username: &str, authentication: &str, endpoints: &[Endpoint]) -> Text {
    let mut text = Text::default();
    for endpoint in endpoints {
        let (host, port) = (&endpoint.host, endpoint.port);
        text.line(format!("{} ({})", endpoint.region, endpoint.server));
        text.line(format!("  host       {host}"));
        text.line(format!("  port       {port}"));
        text.line(format!("  user       {username}"));
        for (name, nearest) in &endpoint.others {
            let note = if *nearest { "  (the nearest server answers: give customers every host key)" } else { "" };
            text.line(format!("  also       {name}{note}"));
        }
        for address in &endpoint.addresses {
            text.line(format!("  address    {address}"));
        }
        for (kind, fingerprint) in &endpoint.keys {
            text.line(format!("  host key   {kind} {fingerprint}"));
        }
        // WinSCP decodes the user name of a URL. FileZilla does not, and takes the last @ for the end of the name: 3.63
        // was refused with `%40`, and admitted with the name as it is.
        let encoded = username.replace('@', "%40");
        let flag = if port == 22 { String::new() } else { format!(" -P {port}") };
        if !endpoint.addresses.is_empty() {
            text.line(format!("  firewall   allow outgoing TCP to {}", firewall(&endpoint.addresses, port)));
        }
        text.line(format!("  OpenSSH    sftp{flag} {}", shell_word(&format!("{username}@{host}"))));
        text.line(format!("  WinSCP     winscp.exe sftp://{encoded}@{host}:{port}/"));
        text.line(format!("  FileZilla  filezilla sftp://{username}@{host}:{port}"));
        text.line("");
    }
    NOTES.iter().for_each(|note| text.line(note));
    if authentication.contains("PASSWORD") {
        text.line(WITH_PASSWORD);
    }
    if authentication.contains("PUBLIC_KEY") {
        WITH_KEY.iter().for_each(|note| text.line(note));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_pasted() {
        let endpoint = Endpoint {
            region: "us-west-2".into(),
            host: "99-uploads-us-west-2.xx.net".into(),
            others: vec![("files.xx.net".into(), false), ("99-uploads.xx.net".into(), true)],
            port: 22,
            addresses: vec!["203.0.113.1".into(), "203.0.113.2".into()],
            server: "s-1.server.transfer.us-west-2.amazonaws.com".into(),
            keys: vec![("ssh-ed25519".into(), "SHA256:abc".into())],
        };
        let text = render("a@b.c", "PASSWORD", &[endpoint]).to_string();
        assert!(text.contains("  OpenSSH    sftp a@b.c@99-uploads-us-west-2.xx.net\n"));
        assert!(text.contains("  WinSCP     winscp.exe sftp://a%40b.c@99-uploads-us-west-2.xx.net:22/\n"));
        assert!(text.contains("  FileZilla  filezilla sftp://a@b.c@99-uploads-us-west-2.xx.net:22\n"));
        assert!(text.contains("  address    203.0.113.1\n  address    203.0.113.2\n"));
        assert!(text.contains("  firewall   allow outgoing TCP to 203.0.113.1:22, 203.0.113.2:22\n"));
        assert!(text.contains("  also       files.xx.net\n  also       99-uploads.xx.net  (the nearest"));
        assert!(text.contains("ssh-ed25519 SHA256:abc"));
    }

    #[test]
    fn notes_name_unsupported_operations() {
        let text = render("a", "PASSWORD", &[]).to_string();
        for note in [
            "  - SFTP only. `scp` of OpenSSH 9.0 or later speaks SFTP and works; older ones, and `scp -O`, do not.\n",
            "  - Files keep the time of their upload, not of the original; clients that set times are not refused.\n",
        ] {
            assert!(text.contains(note), "{text}");
        }
    }

    #[test]
    fn notes_are_those_of_what_the_servers_take() {
        for (authentication, password, key) in [
            ("PASSWORD", true, false),
            ("PUBLIC_KEY", false, true),
            ("PUBLIC_KEY_OR_PASSWORD", true, true),
            ("PUBLIC_KEY_AND_PASSWORD", true, true),
        ] {
            let text = render("a", authentication, &[]).to_string();
            assert_eq!(text.contains("\"Normal\" or \"password\""), password, "{authentication}");
            let has_options = ["IdentitiesOnly=yes", "PreferredAuthentications=password"].map(|it| text.contains(it));
            assert_eq!(has_options, [key, key], "{authentication}");
            let json = serde_json::to_value(ConnectView::new("a", authentication, &[])).unwrap();
            assert_eq!(json["authentication"], authentication);
        }
    }
}
