//! Runs the Lambda's program against a Runtime API in this test, with a table that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "only the library is pure")]

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

// A part of the program, with its tests.
#[path = "../src/bin/sftp-authorizer/quantum.rs"]
mod quantum;

/// The longest time that a test waits for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program, which is ended with the test, even if the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What became of an invocation.
struct Invocation {
    /// Of the answer, in the Runtime API.
    path: String,
    answer: Value,
    /// From the event to the answer.
    took: Duration,
    log: String,
}

/// One invocation of a log-in with a password, which may take so long, with the table at this address.
async fn invoke(table: &str, username: &'static str, most: Duration) -> Invocation {
    let (sender, mut answers) = mpsc::unbounded_channel();
    let begun = std::sync::Arc::new(std::sync::OnceLock::new());
    let (events, waiting) = mpsc::channel(1);
    events.send(()).await.unwrap();
    let waiting = std::sync::Arc::new(tokio::sync::Mutex::new(waiting));
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (sender, waiting) = (sender.clone(), std::sync::Arc::clone(&waiting));
        let begun = std::sync::Arc::clone(&begun);
        async move {
            let (parts, body) = request.into_parts();
            if !parts.uri.path().ends_with("/invocation/next") {
                let took = begun.get().map(Instant::elapsed).unwrap_or_default();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
                let _ = sender.send((parts.uri.path().to_owned(), body, took));
                return Response::builder().status(202).body(Body::from("{}")).unwrap();
            }
            // There is only one event: a second request waits until the program is ended.
            waiting.lock().await.recv().await.unwrap();
            let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + most;
            begun.set(Instant::now()).unwrap();
            let event = json!({ "username": username, "password": "secret", "protocol": "SFTP", "serverId": "s-1",
                "sourceIp": "192.0.2.1" });
            Response::builder()
                .header("Lambda-Runtime-Aws-Request-Id", "1")
                .header("Lambda-Runtime-Deadline-Ms", end.as_millis().to_string())
                .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-west-2:111111111111:function:f")
                .body(Body::from(event.to_string()))
                .unwrap()
        }
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let child = Command::new(env!("CARGO_BIN_EXE_sftp-authorizer"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
            ("AWS_ENDPOINT_URL", table),
            ("AWS_REGION", "us-west-2"),
            ("AWS_ACCESS_KEY_ID", "AKIAFAKE"),
            ("AWS_SECRET_ACCESS_KEY", "fake-secret"),
            ("SERVER_ID", "s-1"),
            ("TABLE_NAME", "t"),
            ("INDEX_NAME", "username-index"),
            ("HOME_TYPE", "path"),
            ("TAKES_KEYS", "true"),
            ("USER_ROLE_ARN", "arn:aws:iam::111111111111:role/sftp-transfer"),
            ("BLOCK_LIST", "root"),
        ])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Running(child.unwrap());
    let (path, answer, took) = tokio::time::timeout(DEADLINE, answers.recv()).await.unwrap().unwrap();
    let mut output = child.0.stdout.take().unwrap();
    drop(child);
    let mut log = String::new();
    output.read_to_string(&mut log).unwrap();
    Invocation { path, answer, took, log }
}

/// The invocation has failed, which API Gateway answers with 500.
fn failed(path: &str, answer: &Value) {
    assert!(path.ends_with("/invocation/1/error"), "{path}: {answer}");
    assert_eq!(answer["errorMessage"], "the account table did not answer", "{answer}");
    assert_eq!(answer.get("Role"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_stays_silent_is_an_error_before_the_functions_time_is_over() {
    // Takes connections, as far as the kernel is asked, and never answers.
    let table = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let table = (format!("http://{}", table.local_addr().unwrap()), table);
    let begun = Instant::now();
    let Invocation { path, answer, log, .. } = invoke(&table.0, "my1sftp", Duration::from_secs(1)).await;
    // With a time-out that knows nothing of the function's it would be five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    failed(&path, &answer);
    assert!(log.contains("no answer in the") && log.contains("table-unreachable"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_not_logged() {
    let router = Router::new()
        .fallback(async || r#"{"Count":1,"Items":[{"password":{"S":"lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="}"#);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Invocation { path, answer, log, .. } = invoke(&address, "my1sftp", Duration::from_secs(10)).await;
    failed(&path, &answer);
    assert!(log.contains("the answer could not be read") && !log.contains("lcf7yp"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_is_an_answer_and_no_error() {
    let router = Router::new().fallback(async || r#"{"Count":0,"Items":[],"ScannedCount":0}"#);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Invocation { path, answer, took, log } = invoke(&address, "my1sftp", Duration::from_secs(10)).await;
    assert!(path.ends_with("/invocation/1/response"), "{path}: {answer}");
    assert_eq!(answer, json!({ "status": 403, "message": "Forbidden" }));
    assert!(log.contains(r#""reason":"unknown-user""#) && log.contains(r#""status":404"#), "{log}");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    // A blocked name reaches no table.
    let Invocation { path, answer, log, .. } = invoke("http://127.0.0.1:1", "root", Duration::from_secs(10)).await;
    assert!(path.ends_with("/response") && answer["status"] == 401, "{path}: {answer}");
    assert!(log.contains("blocked-name"), "{log}");
}
