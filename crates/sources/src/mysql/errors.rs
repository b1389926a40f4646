//! What the client and the server say, in words, with what to do.

use mysql_async::{DriverError, Error, IoError, ServerError, TlsError};
use rustls::{AlertDescription, CertificateError, Error as Rustls};
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;
use std::io::ErrorKind;

pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> RowsError {
    RowsError { message: message.into(), hint: Some(hint.into()), is_usage: true }
}

pub(super) fn failed(message: impl Into<String>, hint: impl Into<String>) -> RowsError {
    RowsError { message: message.into(), hint: Some(hint.into()), is_usage: false }
}

const TUNNEL: &str = "over a Unix socket, or through an SSH tunnel (ssh -L 3307:127.0.0.1:3306 HOST) with --tls off";

/// The error of the TLS library, wherever the client's error has it.
fn tls_error(error: &Error) -> Option<&Rustls> {
    match error {
        Error::Io(IoError::Tls(TlsError::Tls(error))) => Some(error),
        Error::Io(IoError::Io(error)) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// Whether a certificate is refused for its name alone.
pub(super) fn is_of_another_name(error: &Error) -> bool {
    let is_name = |error: &Rustls| {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        matches!(error, Rustls::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
    };
    matches!(error, Error::Io(IoError::Tls(TlsError::InvalidDnsName(_)))) || tls_error(error).is_some_and(is_name)
}

/// What is wrong with a server's certificate, and what to do.
fn certificate(error: &CertificateError) -> (String, String) {
    use CertificateError as E;
    let (what, hint) = match error {
        E::UnknownIssuer => (
            "it is not of a trusted authority",
            "give the file of the authority's certificate (MySQL: ca.pem in the server's data directory; AWS RDS: its \
             global bundle) as the CA file",
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            let hint = "use a name of the certificate in the URL or as the server name, or give its authority's CA file \
                        with `tls: verify-ca`, which does not compare names";
            return (error.to_string(), hint.to_owned());
        }
        E::Expired | E::ExpiredContext { .. } => {
            ("it has expired", "renew it on the server, and check this machine's clock")
        }
        E::NotValidYet | E::NotValidYetContext { .. } => ("it is not valid yet", "check this machine's clock"),
        other => {
            let details = format!("{other:?}");
            if details.contains("CaUsedAsEndEntity") {
                (
                    "it is the certificate of an authority (CA:TRUE, as `openssl req -x509` makes it), which a server may \
                     not have",
                    "let an authority sign one with CA:FALSE for the server",
                )
            } else if details.contains("UnsupportedCertVersion") {
                (
                    "it is of X.509 version 1, as `openssl x509 -req` makes it without -extfile",
                    "sign it again as version 3, with an extension file that has subjectAltName",
                )
            } else {
                let hint = format!("create a new certificate for the server, or read {TUNNEL}");
                return (format!("{other}"), hint);
            }
        }
    };
    (what.to_owned(), format!("{hint}; or read {TUNNEL}"))
}

/// An error of TLS while connecting.
fn tls(place: &str, error: &Rustls) -> RowsError {
    let old = || {
        failed(
            format!("the server at {place} speaks no TLS that is safe: 1.2 and 1.3 are"),
            format!("enable TLS 1.2 on the server (MySQL 5.7 and later have it, 5.6 often does not), or read {TUNNEL}"),
        )
    };
    match error {
        Rustls::InvalidCertificate(error) => {
            let (what, hint) = certificate(error);
            failed(format!("the certificate of the server at {place} is refused: {}", visible(&what)), hint)
        }
        Rustls::PeerIncompatible(_)
        | Rustls::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => old(),
        other => failed(
            format!("no TLS connection to {place}: {}", visible(&other.to_string())),
            format!("check the server's settings for TLS, or read {TUNNEL}"),
        ),
    }
}

/// An error of the operating system while connecting.
fn io(place: &str, error: &std::io::Error) -> RowsError {
    let hint = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "check the port, that the server runs, and that it listens on this address (bind-address, skip-networking)"
        }
        ErrorKind::NotFound => "check the socket's path (`SELECT @@socket` on the server shows it)",
        ErrorKind::PermissionDenied => "run as a user who may use the socket",
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the server closed the connection: its log says why; check that the port is MySQL's"
        }
        _ => "check the host's name, the route to it, and the firewalls and security groups in between",
    };
    failed(format!("the database at {place} could not be reached: {error}"), hint)
}

/// An error while connecting to `place` as `user`.
pub(super) fn connecting(place: &str, user: &str, error: &Error) -> RowsError {
    let user = visible(user);
    if let Some(error) = tls_error(error) {
        return tls(place, error);
    }
    match error {
        Error::Io(IoError::Io(error)) if !matches!(error.kind(), ErrorKind::Other | ErrorKind::InvalidData) => {
            io(place, error)
        }
        Error::Io(IoError::Tls(TlsError::InvalidDnsName(_))) => usage(
            format!("{place} is not a name that a certificate can have"),
            "set the server name to a name of the certificate",
        ),
        Error::Io(IoError::Tls(_)) => usage(
            "the CA file has no certificate that can be used",
            "give a file of PEM certificates (-----BEGIN CERTIFICATE-----) of the authority",
        ),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => failed(
            format!(
                "the server at {place} has no TLS, and the hashes of passwords should not cross a network in clear"
            ),
            format!("set up TLS on the server (ssl_cert, ssl_key), or read {TUNNEL}"),
        ),
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => plugin(&user, name),
        Error::Driver(DriverError::MysqlOldPasswordDisabled) => plugin(&user, "mysql_old_password"),
        Error::Driver(DriverError::CleartextPluginDisabled) => plugin(&user, "mysql_clear_password"),
        Error::Server(error) => server(error, &format!("the database at {place} refused the connection")),
        Error::Driver(DriverError::LocalInfile(_)) => statement(error, &format!("no connection to {place}")),
        other => failed(
            format!("the database at {place} answered something unexpected: {}", visible(&other.to_string())),
            "check that the host and port are those of MySQL or MariaDB",
        ),
    }
}

fn plugin(user: &str, name: &str) -> RowsError {
    let name = visible(name);
    let why = match &*name {
        "auth_socket" | "unix_socket" => "admits operating system users without a password",
        "mysql_old_password" => "is broken: it was MySQL 4.0's",
        "mysql_clear_password" | "dialog" => "would send the password to the server in clear",
        _ => "is not supported",
    };
    failed(
        format!("the account `{user}` authenticates by the plugin {name}, which {why}"),
        "create an account for the import with mysql_native_password, caching_sha2_password, ed25519 or parsec: \
         CREATE USER 'import'@'HOST' IDENTIFIED BY '…'; GRANT SELECT ON DATABASE.TABLE TO 'import'@'HOST'",
    )
}

/// An error that the server reports, with its words, which name what is missing.
///
/// Numbers: MySQL's and MariaDB's server error reference.
pub(super) fn server(error: &ServerError, doing: &str) -> RowsError {
    let hint = match error.code {
        1045 => {
            "check the user's name and password, and that the account may connect from this machine \
                 ('USER'@'HOST' in mysql.user)"
        }
        1698 => {
            "the account authenticates by the operating system's user, without a password: create one for the import \
                 with a password"
        }
        1044 | 1142 | 1143 | 1227 => "let an administrator run GRANT SELECT ON DATABASE.TABLE TO 'USER'@'HOST'",
        1040 | 1203 | 1226 => {
            "the server has no connection left (max_connections, max_user_connections): close some, or \
                               rerun later"
        }
        1129 => "the server has blocked this machine after failed connections: run FLUSH HOSTS on it",
        1130 => "the account may not connect from this machine: create 'USER'@'HOST' for it",
        1205 => "another session holds the table, such as an ALTER TABLE: rerun when it has ended",
        1251 | 1275 | 2059 => {
            "the account's authentication plugin is too old: create one for the import with \
                        mysql_native_password, caching_sha2_password or ed25519"
        }
        1290 | 3159 => "the server wants TLS for this account: leave --tls off out",
        1412 => "the table was altered while it was read: rerun when the change is done",
        1820 | 1862 => "the account's password has expired: set a new one",
        3118 | 4151 => "the account is locked: ALTER USER … ACCOUNT UNLOCK",
        1969 | 3024 => {
            "the server's limit of a statement's time ended it (max_statement_time, max_execution_time): raise it \
                        for this account, or page by an indexed key"
        }
        1053 | 1077 | 1079 | 1317 | 1927 | 4031 => {
            "the connection was ended on the server's side; nothing was concluded from what had been read: rerun the same \
             command"
        }
        1055 | 1060 | 1064 | 1149 => {
            "correct the query, or the condition of `where`; each column of a query needs a name of its own (AS)"
        }
        _ => "the server's log may say more",
    };
    RowsError {
        message: format!("{doing}: {} (error {})", visible(&error.message), error.code),
        hint: Some(hint.to_owned()),
        is_usage: matches!(error.code, 1054 | 1055 | 1060 | 1064 | 1146 | 1149),
    }
}

/// An error of a statement while `doing` something.
pub(super) fn statement(error: &Error, doing: &str) -> RowsError {
    match error {
        Error::Server(error) => server(error, doing),
        Error::Driver(DriverError::LocalInfile(_)) => failed(
            format!("{doing}: the server asked for a file of this machine, which it was not given"),
            "do not trust this server: it is not the database, or it was taken over; check its address and certificate",
        ),
        other => failed(
            format!("{doing}: the connection was lost: {}", visible(&other.to_string())),
            "rerun the same command; the server's log says why it was closed",
        ),
    }
}
