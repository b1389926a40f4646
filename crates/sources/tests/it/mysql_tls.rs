//! Certificates as servers have them.

use secrecy::SecretString;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_sources::mysql::{Mysql, Options, Tls};
use sftpctl_sources::source::Source as _;

use crate::mariadb::{PASSWORD, server, table};

/// Connects by this host name with the CA file, reads the session's cipher, and returns the remarks.
async fn connected(user: &str, host: &str, tls: Tls, ca: Option<&str>) -> Result<Vec<String>, RowsError> {
    connected_with(user, host, Options { tls, ca_file: ca.map(|name| server().file(name)), ..table("") }).await
}

async fn connected_with(user: &str, host: &str, options: Options) -> Result<Vec<String>, RowsError> {
    let text =
        "SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'";
    let options = Options { table: None, query: Some(text.to_owned()), ..options };
    let url = format!("mysql://{user}@{host}:{}/information_schema", server().port);
    let mut source = Mysql::connect(&url, Some(&SecretString::from(PASSWORD)), &options).await?;
    let records = source.next().await?;
    let cipher = crate::mariadb::short(&records[0].values[0]);
    assert_eq!(cipher.is_empty(), options.tls == Tls::Off, "{cipher}");
    Ok(source.remarks())
}

#[track_caller]
fn is_refused(result: Result<Vec<String>, RowsError>, what: &str, hint: &str) {
    let Err(error) = result else { panic!("not refused: {what}") };
    assert!(error.message.contains(what), "{what}: {error:?}");
    assert!(error.hint.as_ref().is_some_and(|text| text.contains(hint)), "{hint}: {error:?}");
}

const CA: Option<&str> = Some("ca.pem");

#[tokio::test]
async fn certificate_of_the_authority_in_the_file_by_name_and_address() {
    let _guard = server().with_certificate("good").await;
    for user in ["reader", "modern"] {
        for host in ["localhost", "127.0.0.1"] {
            for tls in [Tls::VerifyFull, Tls::VerifyCa] {
                assert_eq!(connected(user, host, tls, CA).await.unwrap(), [""; 0], "{user} {host} {tls:?}");
            }
        }
    }
    is_refused(
        connected("reader", "localhost", Tls::VerifyCa, Some("other-ca.pem")).await,
        "trusted authority",
        "CA file",
    );
    is_refused(connected("reader", "localhost", Tls::VerifyCa, None).await, "trusted authority", "CA file");
    is_refused(connected("reader", "localhost", Tls::VerifyCa, Some("ca.key")).await, "no certificate", "PEM");
    is_refused(connected("reader", "localhost", Tls::VerifyCa, Some("nowhere")).await, "could not be read", "path");
    let remarks = connected("reader", "localhost", Tls::AcceptAny, None).await.unwrap();
    assert!(remarks[0].contains("was not verified"), "{remarks:?}");
    assert_eq!(connected("reader", "localhost", Tls::Off, None).await.unwrap(), [""; 0], "loopback needs no warning");
}

/// A name that the certificate lacks is refused by `verify-full`, and told by `verify-ca`; the authority never is a matter
/// of choice.
#[tokio::test]
async fn certificates_of_other_names_and_without_names() {
    for (certificate, host) in [("good", "127.0.0.2"), ("nameless", "127.0.0.1"), ("nameless", "localhost")] {
        let _guard = server().with_certificate(certificate).await;
        // The server listens on one address only, so the other name is one that is expected.
        let is_other = host == "127.0.0.2";
        let options = |tls, ca: &str| Options {
            tls,
            ca_file: Some(server().file(ca)),
            server_name: is_other.then(|| "db.example.com".to_owned()),
            ..table("")
        };
        let host = if is_other { "127.0.0.1" } else { host };
        let full = connected_with("reader", host, options(Tls::VerifyFull, "ca.pem")).await;
        is_refused(full, "certificate not valid for name", "verify-ca");
        let remarks = connected_with("reader", host, options(Tls::VerifyCa, "ca.pem")).await.unwrap();
        assert!(remarks[0].contains("another name"), "{certificate}: {remarks:?}");
        let other = connected_with("reader", host, options(Tls::VerifyCa, "other-ca.pem")).await;
        is_refused(other, "trusted authority", "CA file");
    }
}

#[tokio::test]
async fn expected_name_may_be_another_than_the_hosts() {
    let _guard = server().with_certificate("good").await;
    let options = |name: &str| Options {
        tls: Tls::VerifyFull,
        ca_file: Some(server().file("ca.pem")),
        server_name: Some(name.to_owned()),
        ..table("")
    };
    assert!(connected_with("reader", "127.0.0.1", options("localhost")).await.is_ok());
    is_refused(connected_with("reader", "localhost", options("db.example.com")).await, "db.example.com", "verify-ca");
}

/// A server's own certificate as its authority, and one of version 1: refused, with the words that help.
#[tokio::test]
async fn certificates_that_no_server_should_have() {
    {
        let _guard = server().with_certificate("authority").await;
        is_refused(connected("reader", "localhost", Tls::VerifyCa, Some("authority.pem")).await, "CA:TRUE", "CA:FALSE");
        assert!(connected("reader", "localhost", Tls::AcceptAny, None).await.is_ok());
    }
    let _guard = server().with_certificate("v1").await;
    is_refused(connected("reader", "localhost", Tls::VerifyCa, CA).await, "version 1", "version 3");
    is_refused(connected("reader", "localhost", Tls::AcceptAny, None).await, "version 1", "version 3");
}

/// ed25519 without TLS, as native passwords in all other tests.
#[tokio::test]
async fn ed25519_needs_no_tls() {
    assert!(connected("modern", "127.0.0.1", Tls::Off, None).await.is_ok());
}
