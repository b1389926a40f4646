//! The Lambda: maps events to the decision in `sftp_authorizer`, and the decision to an answer and a log line. Its
//! invocation fails only if nothing could be decided.

#![expect(
    clippy::disallowed_methods,
    reason = "only the library is pure; the program reads the clock and the environment"
)]

mod guard;
mod quantum;
mod table;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use sftp_authorizer::guard::{Asker, Settings};
use sftp_authorizer::{Config, Grant, Question, Refusal, answer, judge, screen};
use tokio::time::Instant;

use self::guard::{Guard, Watch};
use self::table::Table;

/// The part of an invocation's time that is kept for the refusal and its log line.
const MARGIN: Duration = Duration::from_millis(300);

/// The part that is kept for the answer alone.
const ANSWER: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::read(|name| std::env::var(name).ok()).inspect_err(|error| log(&start_failure(error)))?;
    let table = Table::connect(&config).inspect_err(|error| log(&start_failure(error)))?;
    let settings = Settings::read(|name| std::env::var(name).ok()).unwrap_or_else(|error| {
        log(&serde_json::json!({ "level": "WARN", "message": "there is no guard", "cause": error.to_string() }));
        None
    });
    let guard = settings.map(|settings| Guard::new(settings, table.client()));
    let shared = Arc::new((config, table, guard));
    run(service_fn(|event: LambdaEvent<Value>| {
        let shared = Arc::clone(&shared);
        async move {
            let (config, table, guard) = &*shared;
            let arrived = Instant::now();
            let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
            let question = Question::parse(&event.payload);
            let decision = match &question {
                Err(_) => Err(Refusal::MalformedEvent),
                Ok(question) => {
                    let watch = guard.as_ref().and_then(|guard| guard.watch(asker(config, question)?));
                    decide(config, table, watch, question, (arrived, left)).await
                }
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

/// Who asks; `None` if the source is not an address.
fn asker(config: &Config, question: &Question) -> Option<Asker> {
    let address = sftp_authorizer::guard::Address::parse(&question.source_ip)?;
    Some(Asker { address, name: question.name_to_look_up(config.usernames).into_owned() })
}

/// Decides on a log-in whose event `arrived` with so much time `left`.
async fn decide(
    config: &Config,
    table: &Table,
    watch: Option<Watch<'_>>,
    question: &Question,
    (arrived, left): (Instant, Duration),
) -> Result<Grant, Refusal> {
    let has_password = !question.password.is_empty();
    let end = arrived + left.saturating_sub(ANSWER);
    if let Err(refusal) = screen(config, question) {
        // The table is read first: an operator may have allowed the address.
        let is_counted = has_password && refusal == Refusal::BlockedName;
        let (watch, ()) = guard::beside(watch.filter(|_| is_counted), async {}).await;
        if let Some(watch) = &watch {
            watch.count(refusal, has_password, end).await;
        }
        return Err(refusal);
    }
    let name = question.name_to_look_up(config.usernames);
    let accounts = table.accounts(&name, left.saturating_sub(MARGIN));
    // At the same time, so that the guard adds nothing to a log-in while its table answers as fast as the other.
    let (watch, found) = guard::beside(watch, accounts).await;
    if watch.as_ref().is_some_and(Watch::is_banned) {
        // Without a hash: a ban saves what is dear. The answer waits like that of any other refusal.
        return held(Err(Refusal::Banned), has_password, arrived, end).await;
    }
    let found = found.map_err(|error| {
        log(&serde_json::json!({ "level": "ERROR", "message": "the table did not answer", "cause": error }));
        Refusal::TableUnreachable
    })?;
    let decision = judge(question, &config.at(now()), &found);
    if let (Err(refusal), Some(watch)) = (&decision, &watch) {
        watch.count(*refusal, has_password, end).await;
    }
    held(decision, has_password, arrived, end).await
}

/// Answers a refusal of a password later.
async fn held(
    decision: Result<Grant, Refusal>,
    has_password: bool,
    arrived: Instant,
    end: Instant,
) -> Result<Grant, Refusal> {
    if has_password { quantum::hold(decision, arrived, end).await } else { decision }
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
