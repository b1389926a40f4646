//! What AWS answers about logs: pages without lines, throttling, groups that are missing or may not be read.

use serde_json::{Value, json};
use sftp_authorizer::Usernames;
use sftpctl_activity::feed::Why;
use sftpctl_activity::latest::Search;
use sftpctl_activity::line::{Activity, Event};
use sftpctl_activity::read::{Question, Reading};

use crate::drive::environment;
use crate::stub::{Reply, Stub};

const WEST: &str = "us-west-2";
const READ: &str = "logs:FilterLogEvents";
/// An hour in milliseconds.
const HOUR: i64 = 3_600_000;
const NOW: i64 = 1_000 * HOUR;

fn page(next: Option<&str>, lines: &[(i64, Value)]) -> Reply {
    let events: Vec<Value> = lines
        .iter()
        .map(|(time, line)| json!({ "eventId": format!("{time}{line}"), "timestamp": time, "message": line.to_string() }))
        .collect();
    Reply::ok(json!({ "events": events, "nextToken": next }).to_string())
}

fn connected(session: &str, user: &str) -> Value {
    json!({ "activity-type": "CONNECTED", "session-id": session, "user": user, "source-ip": "192.0.2.1" })
}

fn closed(session: &str, path: &str) -> Value {
    json!({ "activity-type": "CLOSE", "session-id": session, "path": path, "bytes-in": "5" })
}

fn question() -> Question {
    // A session is not asked of the authorizer, so that one group is read.
    Question {
        regions: vec![WEST.to_owned()],
        path: Some("/b/".to_owned()),
        period: (NOW - HOUR, NOW),
        ..Question::default()
    }
}

async fn read(stub: &Stub, question: Question) -> (Vec<Event>, Reading) {
    let aws = stub.aws(WEST).await;
    let mut reading = Reading::open(&aws, &environment(), Usernames::Exact, question).await;
    let mut events = Vec::new();
    while let Some(event) = reading.next().await {
        events.push(event);
    }
    (events, reading)
}

#[tokio::test(start_paused = true)]
async fn pages_without_lines_and_throttled_calls_lose_nothing() {
    let stub = Stub::new().await;
    let throttled = || Reply::json_error(400, "ThrottlingException", "Rate exceeded");
    let line = |at: i64, name: &str| (NOW - at, closed("1", &format!("/b/{name}")));
    stub.on(
        READ,
        [
            throttled(),
            throttled(),
            // The log-ins before the period.
            page(None, &[(NOW - 2 * HOUR, connected("1", "jan"))]),
            page(Some("a"), &[]),
            throttled(),
            page(Some("b"), &[line(9, "1"), line(8, "2")]),
            page(Some("c"), &[]),
            page(None, &[line(7, "3")]),
        ],
    );
    let (events, reading) = read(&stub, question()).await;
    let paths: Vec<_> = events.iter().map(|event| event.path.as_deref().unwrap()).collect();
    assert_eq!(paths, ["/b/1", "/b/2", "/b/3"]);
    // The log-in before the period says who it was.
    assert!(events.iter().all(|event| event.user.as_deref() == Some("jan")), "{events:?}");
    assert!(reading.unread.is_empty(), "{:?}", reading.unread);
    let tokens: Vec<Value> = stub
        .asked(READ)
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            body["nextToken"].clone()
        })
        .collect();
    assert_eq!(tokens[4..], [json!("a"), json!("a"), json!("b"), json!("c")]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_named_and_the_rest_is_there() {
    for (reply, is_missing) in [
        (Reply::json_error(400, "ResourceNotFoundException", "The specified log group does not exist."), true),
        (Reply::json_error(400, "AccessDeniedException", "not authorized to perform logs:FilterLogEvents"), false),
    ] {
        let stub = Stub::new().await;
        // The group ends in the middle.
        let first = page(Some("a"), &[(NOW - 9, closed("1", "/b/1"))]);
        stub.on(READ, [page(None, &[]), first, reply]);
        let (events, reading) = read(&stub, question()).await;
        assert_eq!(events.len(), 1);
        let [unread] = &reading.unread[..] else { panic!("{:?}", reading.unread) };
        assert_eq!((unread.region.as_str(), matches!(unread.why, Why::Missing)), (WEST, is_missing));
        assert!(unread.to_string().contains(if is_missing { "does not exist" } else { "not authorized" }), "{unread}");
    }
}

/// Lines that come late, or again, are shown once.
#[tokio::test(start_paused = true)]
async fn late_lines_are_found_and_known_ones_are_not_repeated() {
    let stub = Stub::new().await;
    let [first, late, last] = [3, 4, 1].map(|at| (NOW - at, closed("1", &format!("/b/{at}"))));
    stub.on(READ, [page(None, &[]), page(None, &[first.clone(), last.clone()]), page(None, &[late, first, last])]);
    let (events, mut reading) = read(&stub, question()).await;
    assert_eq!(events.len(), 2);
    reading.go_on(NOW + 2_000);
    let event = reading.next().await.unwrap();
    assert_eq!(event.path.as_deref(), Some("/b/4"));
    assert_eq!(reading.next().await, None);
    let body: Value = serde_json::from_str(&stub.asked(READ)[2].body).unwrap();
    assert_eq!((&body["startTime"], &body["endTime"]), (&json!(NOW - 120_000), &json!(NOW + 2_000)));
}

/// What could not be read is read again, however long that lasted.
#[tokio::test(start_paused = true)]
async fn what_was_not_read_is_read_when_it_can_be() {
    let stub = Stub::new().await;
    let denied = || Reply::json_error(400, "AccessDeniedException", "not authorized to perform logs:FilterLogEvents");
    let found = (NOW - HOUR + 5, closed("1", "/b/1"));
    stub.on(READ, [page(None, &[]), denied(), denied(), page(None, &[found]), page(None, &[])]);
    let (events, mut reading) = read(&stub, question()).await;
    assert_eq!((events.len(), reading.unread.len()), (0, 1));
    let five_minutes = 300_000;
    reading.go_on(NOW + five_minutes);
    assert_eq!(reading.next().await, None);
    assert_eq!(reading.unread.len(), 1);
    reading.go_on(NOW + 2 * five_minutes);
    assert_eq!(reading.next().await.unwrap().path.as_deref(), Some("/b/1"));
    assert_eq!(reading.next().await, None);
    assert!(reading.unread.is_empty());
    reading.go_on(NOW + 3 * five_minutes);
    assert_eq!(reading.next().await, None);
    let starts: Vec<i64> = stub
        .asked(READ)
        .iter()
        .map(|request| serde_json::from_str::<Value>(&request.body).unwrap()["startTime"].as_i64().unwrap())
        .collect();
    assert_eq!(starts[1..], [NOW - HOUR, NOW - HOUR, NOW - HOUR, NOW + 2 * five_minutes - 120_000]);
}

#[tokio::test(start_paused = true)]
async fn the_last_change_is_searched_in_the_newest_lines_first() {
    let stub = Stub::new().await;
    let renamed = json!({ "activity-type": "RENAME", "session-id": "2", "path": "/b/x", "new-path": "/b/1" });
    stub.on(
        READ,
        [
            // The last day has other files only.
            page(None, &[(NOW - 5, closed("1", "/b/2"))]),
            page(None, &[(NOW - 30 * HOUR, closed("1", "/b/1")), (NOW - 26 * HOUR, renamed)]),
            page(None, &[(NOW - 27 * HOUR, connected("2", "els"))]),
        ],
    );
    let aws = stub.aws(WEST).await;
    let (environment, regions) = (environment(), [WEST.to_owned()]);
    let search = Search { aws: &aws, environment: &environment, regions: &regions, period: (NOW - 900 * HOUR, NOW) };
    let found = search.change("/b/1").await;
    let event = found.event.unwrap();
    assert_eq!((event.activity, event.user.as_deref()), (Activity::Renamed, Some("els")));
    assert!(found.unread.is_empty());
    assert_eq!(stub.count(READ), 3, "the lines before that week are not read");
}
