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
    invoke_with(table, username, most, &[]).await
}

/// The same with further variables.
async fn invoke_with(
    table: &str,
    username: &'static str,
    most: Duration,
    more: &[(&'static str, &'static str)],
) -> Invocation {
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
        .envs(more.iter().copied())
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

/// The guard with a threshold of two for an address with a name.
const GUARD: [(&str, &str); 2] = [
    ("GUARD_TABLE", "g"),
    (
        "GUARD_RULES",
        r#"{"window":60,"addressThreshold":4,"loginThreshold":2,"ban":60,"longestBan":3600,
            "points":{"unknownUser":1,"wrongPassword":1,"blockedName":4},"lockUsers":false,"allow":[]}"#,
    ),
];

/// What a fake DynamoDB answers to a call, by its name and body; `None` for never.
type Answer = fn(&str, &Value) -> Option<(u16, Value)>;

/// A fake DynamoDB: its address, and the calls that it gets.
async fn dynamodb(answer: Answer) -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    let (sender, calls) = mpsc::unbounded_channel();
    let router = Router::new().fallback(move |request: Request<Body>| {
        let sender = sender.clone();
        async move {
            let (parts, body) = request.into_parts();
            let target = parts.headers["x-amz-target"].to_str().unwrap().to_owned();
            let body: Value = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap();
            let call = target.rsplit('.').next().unwrap().to_owned();
            let answer = answer(&call, &body);
            let _ = sender.send((call, body));
            let Some((status, body)) = answer else { return std::future::pending().await };
            Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
        }
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, calls)
}

/// The account `my1sftp` with the password of every event, and no other.
fn accounts(body: &Value) -> Option<(u16, Value)> {
    let items = match body["ExpressionAttributeValues"][":name"]["S"].as_str() {
        Some("my1sftp") => json!([{ "orgid": { "N": "7" }, "username": { "S": "my1sftp" },
            "password": { "S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==" }, "HomeDirectory": { "S": "/bucket/7" } }]),
        _ => json!([]),
    };
    Some((200, json!({ "Items": items })))
}

/// The calls so far, by name and the key of an update.
fn made(calls: &mut mpsc::UnboundedReceiver<(String, Value)>) -> Vec<(String, Value)> {
    std::iter::from_fn(|| calls.try_recv().ok()).filter(|(call, _)| call != "Query").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_address_is_refused_with_the_right_password_too() {
    let (address, mut calls) = dynamodb(|call, body| match call {
        "Query" => accounts(body),
        _ => Some((
            200,
            json!({ "Responses": { "g": [{ "subject": { "S": "login#192.0.2.1#my1sftp" },
                "bannedUntil": { "N": "99999999999" } }] } }),
        )),
    })
    .await;
    let Invocation { path, answer, took, log } =
        invoke_with(&address, "my1sftp", Duration::from_secs(10), &GUARD).await;
    assert!(path.ends_with("/invocation/1/response"), "{path}: {answer}");
    // To the customer it is what every refusal is, and not sooner.
    assert_eq!(answer, json!({ "status": 403, "message": "Forbidden" }));
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(log.contains(r#""reason":"banned""#), "{log}");
    let calls = made(&mut calls);
    assert!(calls.len() == 1 && calls[0].0 == "BatchGetItem", "a refusal while banned is not counted: {calls:?}");
    // Without the guard's variables nobody is banned.
    let Invocation { answer, .. } = invoke(&address, "my1sftp", Duration::from_secs(10)).await;
    assert!(answer["Role"].is_string(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_the_guards_table_keeps_a_customer_out() {
    fn error(code: &str) -> Option<(u16, Value)> {
        Some((400, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no" })))
    }
    let faults: [(&str, Answer); 6] = [
        ("is silent", |call, body| if call == "Query" { accounts(body) } else { None }),
        ("throttles", |call, body| match call {
            "Query" => accounts(body),
            _ => error("ProvisionedThroughputExceededException"),
        }),
        ("throttles a part", |call, body| match call {
            "Query" => accounts(body),
            "BatchGetItem" => Some((
                200,
                json!({ "Responses": {}, "UnprocessedKeys": { "g": { "Keys": [{ "subject": { "S": "by-hand" } }] } } }),
            )),
            _ => error("ProvisionedThroughputExceededException"),
        }),
        ("is gone", |call, body| if call == "Query" { accounts(body) } else { error("ResourceNotFoundException") }),
        ("is closed", |call, body| if call == "Query" { accounts(body) } else { error("AccessDeniedException") }),
        ("is odd", |call, body| if call == "Query" { accounts(body) } else { Some((200, json!([1]))) }),
    ];
    for (what, answer_of) in faults {
        let (address, mut calls) = dynamodb(answer_of).await;
        let Invocation { answer, log, .. } = invoke_with(&address, "my1sftp", Duration::from_secs(10), &GUARD).await;
        assert!(answer["Role"].is_string(), "the table {what}: {answer}");
        assert!(log.contains("the guard's table did not answer"), "the table {what}: {log}");
        let names: Vec<String> = made(&mut calls).into_iter().map(|(call, _)| call).collect();
        assert_eq!(names, ["BatchGetItem"], "the table {what}: one call, no retry, no write");
        // Nor does it change a refusal.
        let Invocation { answer, log, .. } = invoke_with(&address, "nobody", Duration::from_secs(10), &GUARD).await;
        assert_eq!(answer, json!({ "status": 403, "message": "Forbidden" }), "the table {what}");
        assert!(log.contains("unknown-user") && log.contains("could not count"), "the table {what}: {log}");
    }
    // Rules of another version.
    let odd = [("GUARD_TABLE", "g"), ("GUARD_RULES", r#"{"window":"soon"}"#)];
    let (address, _calls) = dynamodb(|_, body| accounts(body)).await;
    let Invocation { answer, log, .. } = invoke_with(&address, "my1sftp", Duration::from_secs(10), &odd).await;
    assert!(answer["Role"].is_string() && log.contains("there is no guard"), "{answer}: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_and_log_ins_are_not() {
    // The table has had one point of the address with the name: with the next there are two.
    let (address, mut calls) = dynamodb(|call, body| match call {
        "Query" => accounts(body),
        "BatchGetItem" => Some((200, json!({ "Responses": {} }))),
        _ => Some((
            200,
            json!({ "Attributes": { "points": { "N": "2" }, "bans": { "N": "3" }, "windowEnd": { "N": "1" } } }),
        )),
    })
    .await;
    let Invocation { answer, .. } = invoke_with(&address, "my1sftp", Duration::from_secs(10), &GUARD).await;
    assert!(answer["Role"].is_string(), "{answer}");
    let read = made(&mut calls);
    let wanted = &read[0].1["RequestItems"]["g"]["Keys"];
    let keys =
        ["address#192.0.2.1", "login#192.0.2.1#my1sftp", "by-hand"].map(|key| json!({ "subject": { "S": key } }));
    assert_eq!((read.len(), wanted), (1, &json!(keys)), "one read, and no write");

    let Invocation { answer, log, .. } = invoke_with(&address, "nobody", Duration::from_secs(10), &GUARD).await;
    assert_eq!(answer, json!({ "status": 403, "message": "Forbidden" }));
    assert!(log.contains("the guard has begun a ban") && log.contains("address and user name"), "{log}");
    let mut updates: Vec<(String, String)> = made(&mut calls)
        .into_iter()
        .filter(|(call, _)| call == "UpdateItem")
        .map(|(_, body)| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&body["Key"]["subject"]["S"]), text(&body["UpdateExpression"]).split(' ').nth(1).unwrap().to_owned())
        })
        .collect();
    updates.sort();
    let update = |key: &str, first: &str| (key.to_owned(), first.to_owned());
    assert_eq!(
        updates,
        [
            update("address#192.0.2.1", "points"),
            update("login#192.0.2.1#nobody", "bannedUntil"),
            update("login#192.0.2.1#nobody", "points"),
        ]
    );
    // A blocked name is counted for the address alone, after a look at what operators have decided.
    let Invocation { answer, .. } = invoke_with(&address, "root", Duration::from_secs(10), &GUARD).await;
    assert_eq!(answer["status"], 401);
    let calls = made(&mut calls);
    let names: Vec<&str> = calls.iter().map(|call| call.0.as_str()).collect();
    assert_eq!(names, ["BatchGetItem", "UpdateItem"], "{calls:?}");
    assert_eq!(calls[1].1["Key"]["subject"]["S"], "address#192.0.2.1", "{calls:?}");
}
