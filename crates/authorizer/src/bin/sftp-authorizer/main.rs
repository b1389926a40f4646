//! The Lambda: maps events to the decision in `sftp_authorizer`, and the decision to an answer and a log line. Its
//! invocation fails only if nothing could be decided.

#![expect(
    clippy::disallowed_methods,
    reason = "only the library is pure; the program reads the clock and the environment"
)]

mod quantum;
mod table;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use sftp_authorizer::{Config, Grant, Question, Refusal, answer, judge, screen};
use tokio::time::Instant;

use self::table::Table;

/// The part of an invocation's time that is kept for the refusal and its log line.
const MARGIN: Duration = Duration::from_millis(300);

/// The part that is kept for the answer alone.
const ANSWER: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::read(|name| std::env::var(name).ok()).inspect_err(|error| log(&start_failure(error)))?;
    let table = Table::connect(&config).inspect_err(|error| log(&start_failure(error)))?;
    let shared = Arc::new((config, table));
    run(service_fn(|event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move {
            let (config, table) = &*shared;
            let arrived = Instant::now();
            let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
            let question = Question::parse(&event.payload);
            let decision = match &question {
                Err(_) => Err(Refusal::MalformedEvent),
                Ok(question) => decide(config, table, question, arrived, left).await,
            };
            log(&answer::log_line(question.as_ref().ok(), &decision));
            answer::body(config, &decision).map_err(|error| Diagnostic {
                error_type: "TableUnreachable".to_owned(),
                error_message: error.to_string(),
            })
        }
    }))
    .await
}

/// Decides on a log-in whose event `arrived` with so much time `left`.
async fn decide(
    config: &Config,
    table: &Table,
    question: &Question,
    arrived: Instant,
    left: Duration,
) -> Result<Grant, Refusal> {
    screen(config, question)?;
    let found = table.accounts(&question.name_to_look_up(config.usernames), left.saturating_sub(MARGIN)).await;
    let found = found.map_err(|error| {
        log(&serde_json::json!({ "level": "ERROR", "message": "the table did not answer", "cause": error }));
        Refusal::TableUnreachable
    })?;
    let decision = judge(question, &config.at(now()), &found);
    if question.password.is_empty() {
        return decision;
    }
    quantum::hold(decision, arrived, arrived + left.saturating_sub(ANSWER)).await
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn start_failure(error: &dyn std::fmt::Display) -> Value {
    serde_json::json!({ "level": "ERROR", "message": "cannot start", "cause": error.to_string() })
}

/// Writes one line of JSON, which Lambda adds to the log group.
fn log(line: &Value) {
    // A log that cannot be written to must not stop log-ins.
    let _ = writeln!(std::io::stdout(), "{line}");
}
