//! Servers that are not MariaDB: one with MySQL 8's authentication, and one that wants a file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use secrecy::SecretString;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_sources::mysql::{Mysql, Options, Tls};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::mariadb::table;

const PASSWORD: &str = "correct horse";
const NONCE: &[u8; 20] = b"12345678901234567890";
/// CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS,
/// PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 1 << 3 | 1 << 7 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 19;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

/// One end of MySQL's protocol: packets of a length, a number and content (MySQL source documentation, "Client/Server
/// Protocol").
struct Peer {
    stream: TcpStream,
    number: u8,
}

impl Peer {
    async fn send(&mut self, content: &[u8]) {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        self.stream.write_all(&[length[0], length[1], length[2], self.number]).await.unwrap();
        self.stream.write_all(content).await.unwrap();
        self.number = self.number.wrapping_add(1);
    }

    /// The next packet of the client; none if it has closed the connection.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.ok()?;
        let mut content = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        self.stream.read_exact(&mut content).await.ok()?;
        self.number = head[3].wrapping_add(1);
        Some(content)
    }

    async fn error(&mut self, code: u16, text: &str) {
        let code = code.to_le_bytes();
        self.send(&[&[0xff, code[0], code[1]], &b"#HY000"[..], text.as_bytes()].concat()).await;
    }

    /// Greets with caching_sha2_password, and admits the password by the short way, for which the server has its digest
    /// cached ("Caching_sha2_password information").
    async fn admit(&mut self) {
        let capabilities = CAPABILITIES.to_le_bytes();
        let greeting = [
            &[10][..],
            b"8.4.0\0",
            &[1, 0, 0, 0],
            &NONCE[..8],
            &[0],
            &capabilities[..2],
            &[45, 2, 0],
            &capabilities[2..],
            &[21],
            &[0; 10],
            &NONCE[8..],
            b"\0caching_sha2_password\0",
        ];
        self.send(&greeting.concat()).await;
        let answer = self.receive().await.unwrap();
        let once = Sha256::digest(PASSWORD);
        let twice = Sha256::digest(Sha256::digest(once).iter().chain(NONCE).copied().collect::<Vec<u8>>());
        let scramble: Vec<u8> = once.iter().zip(twice).map(|(a, b)| a ^ b).collect();
        if answer.windows(32).any(|window| window == scramble) {
            self.send(&[1, 3]).await;
            self.send(OK).await;
        } else {
            self.error(1045, "Access denied").await;
        }
    }
}

/// Connects to a server that is `serve`. Returns the error, and what the server saw.
async fn with_stub<T>(password: &str, serve: impl AsyncFnOnce(Peer) -> T) -> (RowsError, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mysql://reader@{}/sftp", listener.local_addr().unwrap());
    let password = SecretString::from(password);
    let options = Options { tls: Tls::Off, ..table("t") };
    let client = Mysql::connect(&url, Some(&password), &options);
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        serve(Peer { stream, number: 0 }).await
    };
    let (result, seen) = tokio::join!(client, server);
    (result.err().unwrap(), seen)
}

#[tokio::test]
async fn caching_sha2_password_is_spoken() {
    let serve = async |mut peer: Peer| {
        peer.admit().await;
        if peer.receive().await.is_some() {
            peer.error(1105, "the end of the stub").await;
        }
    };
    let (error, ()) = with_stub(PASSWORD, serve).await;
    assert!(error.message.contains("the end of the stub"), "{error:?}");
    let (error, ()) = with_stub("wrong", serve).await;
    assert!(error.message.contains("Access denied"), "{error:?}");
}

/// A server may answer any statement with a request for a file (`LOAD DATA LOCAL INFILE`).
#[tokio::test]
async fn server_that_asks_for_a_file_gets_none() {
    let (error, sent) = with_stub(PASSWORD, async |mut peer: Peer| {
        peer.admit().await;
        peer.receive().await.unwrap();
        peer.send(b"\xfb/etc/passwd").await;
        let mut sent = Vec::new();
        while let Some(packet) = peer.receive().await {
            sent.extend(packet);
        }
        sent
    })
    .await;
    assert!(error.message.contains("asked for a file"), "{error:?}");
    assert!(error.hint.unwrap().contains("do not trust"));
    assert_eq!(String::from_utf8_lossy(&sent), "");
}

#[tokio::test]
async fn connection_that_is_closed_in_the_greeting() {
    let (error, ()) = with_stub(PASSWORD, async |peer: Peer| drop(peer)).await;
    assert!(error.message.contains("could not be reached"), "{error:?}");
    let (error, ()) = with_stub(PASSWORD, async |mut peer: Peer| {
        peer.stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    })
    .await;
    assert!(error.message.contains("answered something unexpected"), "{error:?}");
}
