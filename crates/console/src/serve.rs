//! The server: 127.0.0.1 alone, for processes of this user.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use sftpctl_ownership::connection::is_own_client;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::ask::{self, NoAsk};
use crate::commands::Commands;
use crate::guard::{self, Refused};
use crate::token::Token;
use crate::{StartError, page};

/// How long the head of a request may take, and its body.
const SLOW: Duration = Duration::from_secs(20);
/// Bytes of a head.
const HEAD: usize = 16 << 10;
/// Bytes of a body.
const BODY: usize = 4 << 10;
/// Connections at once.
const CONNECTIONS: usize = 64;
/// How long open connections may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What all requests share.
pub(crate) struct Console {
    pub(crate) port: u16,
    pub(crate) token: Token,
    pub(crate) environment: String,
    pub(crate) is_writable: bool,
    pub(crate) commands: Commands,
}

pub(crate) async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| StartError {
        message: format!("cannot listen on port {port} of 127.0.0.1: {error}"),
        hint: "choose another port, or leave --port out".to_owned(),
    })
}

/// The signals that end the console, caught from now on.
pub(crate) struct End([Signal; 3]);

impl End {
    /// # Errors
    /// The system does not let them be caught.
    pub(crate) fn on_signals() -> Result<Self, StartError> {
        let caught = |kind| {
            signal(kind).map_err(|error| StartError {
                message: format!("cannot catch signals: {error}"),
                hint: "rerun the command".to_owned(),
            })
        };
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(caught);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn came(mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Serves until the end. Then the commands that read are ended, and those that change something are waited for.
pub(crate) async fn run(console: Console, listener: TcpListener, end: End) {
    accept(&Arc::new(console), listener, end.came()).await;
}

/// Accepts connections until `stop` completes.
async fn accept(console: &Arc<Console>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(SLOW).max_buf_size(HEAD);
    let (graceful, seats) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            #[expect(clippy::disallowed_methods, reason = "milliseconds, until a descriptor is free")]
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Before it has a seat: another user could take them all.
        if !has_our_client(&stream) {
            continue;
        }
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let console = Arc::clone(console);
        let service = service_fn(move |request: Request<Incoming>| {
            let console = Arc::clone(&console);
            async move { Ok::<_, Infallible>(handle(&console, request.map(Body::new)).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _seat = seat;
            let _ = connection.await;
        });
    }
    drop(listener);
    console.commands.end().await;
    let _ = timeout(DRAIN, graceful.shutdown()).await;
}

fn has_our_client(stream: &TcpStream) -> bool {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    is_own_client(client, server)
}

async fn handle(console: &Arc<Console>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if let Err(refused) = guard::check(&parts.method, &parts.uri, &parts.headers, console.port) {
        return refusal(refused);
    }
    if let Some((kind, text)) = page::file(&path) {
        if parts.method != Method::GET {
            return refusal((StatusCode::METHOD_NOT_ALLOWED, "this is only for reading"));
        }
        return page::answer(StatusCode::OK, kind, text);
    }
    if !path.starts_with("/api/") {
        return refusal((StatusCode::NOT_FOUND, "there is no such page"));
    }
    if let Err((status, why)) = guard::check_data(&parts.method, &parts.headers, &console.token) {
        return error(status, why, "");
    }
    if path == "/api/about" {
        return data(StatusCode::OK, &about(console));
    }
    if ask::is_change(&path) && !console.is_writable {
        let hint =
            format!("end it, and start it with --write: sftpctl console {} --write", console.commands.selection());
        return error(StatusCode::FORBIDDEN, "this console only reads", &hint);
    }
    let body = match timeout(SLOW, to_bytes(body, BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return error(StatusCode::PAYLOAD_TOO_LARGE, "the request is too long, or broke off", ""),
        Err(_) => return error(StatusCode::REQUEST_TIMEOUT, "the request takes too long", ""),
    };
    let ask = match ask::of(&parts.method, &path, parts.uri.query().unwrap_or_default(), &body) {
        Ok(ask) => ask,
        Err(NoAsk::Path) => return error(StatusCode::NOT_FOUND, "there is no such question", ""),
        Err(NoAsk::Method) => return error(StatusCode::METHOD_NOT_ALLOWED, "this path has another method", ""),
        Err(NoAsk::Value(why)) => return error(StatusCode::BAD_REQUEST, why, ""),
    };
    if !ask.is_change {
        // If the page goes away, so does the command.
        return data(StatusCode::OK, &console.commands.run(&ask).await);
    }
    let console = Arc::clone(console);
    let change = tokio::spawn(async move { console.commands.run(&ask).await });
    match change.await {
        Ok(answer) => data(StatusCode::OK, &answer),
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the change broke off", "find out whether it was done"),
    }
}

fn about(console: &Console) -> Value {
    json!({
        "environment": sftpctl_core::shown::visible(&console.environment),
        "write": console.is_writable,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn refusal((status, why): Refused) -> Response<Body> {
    page::answer(status, TEXT, format!("{why}\n"))
}

fn error(status: StatusCode, why: &str, hint: &str) -> Response<Body> {
    data(status, &json!({ "error": { "error": why, "hint": hint } }))
}

fn data(status: StatusCode, value: &Value) -> Response<Body> {
    page::answer(status, JSON, value.to_string())
}
