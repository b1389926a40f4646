//! Connections to the local cloud, only to a server of this user: another user of the machine may take the port of a
//! local cloud that has stopped, and would get what a command that still runs sends.

use std::error::Error;
use std::fmt::{Debug, Formatter};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::ErrorKind;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::connection::{Found, find};
use super::owner::is_own;

/// Time limit for a connection to be made, without the wait for its acceptance.
const CONNECT: Duration = Duration::from_secs(5);
/// When it is looked again who serves a connection that no process has accepted yet.
const PAUSE: Duration = Duration::from_millis(10);

/// An HTTP client for the local cloud.
pub(super) fn client() -> SharedHttpClient {
    let mut tcp = Tcp::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(Ours(tcp));
    let connector = SharedHttpConnector::new(Adapter(client));
    http_client_fn(move |_, _| connector.clone())
}

/// The port is another user's.
#[derive(Debug, thiserror::Error)]
#[error(
    "a program of another user answers on {0}, so the local cloud has stopped; nothing was sent to it: run `sftpctl local \
     start`, and the same command again"
)]
struct NotOurs(SocketAddr);

/// Makes connections, and looks whose the other end is.
#[derive(Clone)]
struct Ours(Tcp);

impl Service<Uri> for Ours {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let stream = connecting.await?;
            let (here, there) = (stream.inner().local_addr()?, stream.inner().peer_addr()?);
            if is_own_server(there, here).await? { Ok(stream) } else { Err(NotOurs(there).into()) }
        })
    }
}

/// Whether a process of this user serves a connection, where the system says so. Waits until one has accepted it; the
/// caller has a time limit.
///
/// # Errors
/// The connection is gone.
#[expect(clippy::disallowed_methods, reason = "milliseconds, for the answer of the system")]
pub async fn is_own_server(server: SocketAddr, client: SocketAddr) -> io::Result<bool> {
    loop {
        let found = tokio::task::spawn_blocking(move || find(server, client)).await.map_err(io::Error::other)?;
        match found {
            Found::Unknown => return Ok(true),
            Found::Gone => return Err(io::ErrorKind::ConnectionReset.into()),
            Found::Owner { is_accepted: false, .. } => tokio::time::sleep(PAUSE).await,
            Found::Owner { user: owner, .. } => return Ok(is_own(owner)),
        }
    }
}

/// The SDK's interface of an HTTP client.
struct Adapter(Client<Ours, SdkBody>);

impl Debug for Adapter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("the local cloud's client")
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(|error| connector_error(error.into()))?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Says what may be repeated, as the SDK's own client does: a lost connection, but not a request to another user's
/// server.
fn connector_error(error: BoxError) -> ConnectorError {
    if source::<NotOurs>(error.as_ref()).is_some() {
        return ConnectorError::user(error);
    }
    let is_lost = source::<hyper_util::client::legacy::Error>(error.as_ref())
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
        || source::<io::Error>(error.as_ref()).is_some();
    if is_lost {
        return ConnectorError::io(error);
    }
    // Such as an answer that ends too early.
    ConnectorError::other(error, Some(ErrorKind::TransientError))
}

/// The first error of this kind in a chain.
fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aws, ConnectOptions};

    #[tokio::test]
    async fn own_server_is_ours_once_it_has_accepted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, here) = (client.peer_addr().unwrap(), client.local_addr().unwrap());
        assert!(matches!(find(server, here), Found::Owner { is_accepted: false, .. }));
        let (accepted, ours) = tokio::join!(listener.accept(), is_own_server(server, here));
        assert!(ours.unwrap());
        drop((accepted, client));
    }

    /// Another user who has taken the port gets nothing, and the call is not repeated.
    #[tokio::test]
    async fn calls_are_only_for_a_server_of_this_user() {
        use std::io::{BufRead as _, Read as _};
        use std::os::unix::process::CommandExt as _;
        use std::process::{Command, Stdio};
        let script = "import socket, sys\nserver = socket.create_server(('127.0.0.1', 0))\n\
                      print(server.getsockname()[1], flush=True)\nclient = server.accept()[0]\n\
                      print('got', len(client.recv(9999)) > 0, flush=True)\n\
                      client.sendall(b'HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n')";
        let answer = async |uid: u32| {
            let mut server = Command::new("/usr/bin/python3");
            server.args(["-c", script]).uid(uid).gid(uid).stdout(Stdio::piped());
            let mut server = server.spawn().unwrap();
            let mut said = std::io::BufReader::new(server.stdout.take().unwrap());
            let mut port = String::new();
            said.read_line(&mut port).unwrap();
            let options = ConnectOptions {
                endpoint_url: Some(format!("http://127.0.0.1:{}", port.trim())),
                local_account: Some("111111111111".to_owned()),
                home_region: "us-west-2".to_owned(),
                ..ConnectOptions::default()
            };
            let found = Aws::connect(options).await.s3("us-west-2").head("a-bucket", "a-key").await;
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            server.wait().unwrap();
            (found.map(|object| object.is_some()).map_err(|error| error.message), rest)
        };
        assert_eq!(answer(rustix::process::geteuid().as_raw()).await, (Ok(false), "got True\n".to_owned()));
        // Only root can start a process of another user.
        if rustix::process::geteuid().is_root() {
            let (found, got) = answer(65_534).await;
            assert!(found.unwrap_err().contains("a program of another user answers on 127.0.0.1:"));
            assert_eq!(got, "got False\n");
        }
    }
}
