//! Pulls as files arrive: by the messages of the cluster's queue, and now and then by a listing, since a message can be lost.
//!
//! A message says where to look; what is there, and whether it was fetched before, S3 and the ledger say. So a message that
//! comes twice, late or out of order does nothing wrong. It is deleted when what it tells of is in the ledger, or was told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sftpctl_aws::{Queue, QueueMessage, S3};
use tokio::time::{Instant, sleep};

use super::ledger::{Entry, Record};
use super::run::{Options, Pulled, Run, Source};
use super::{PullError, Watch};
use crate::notice::{self, Notice};

/// How long a call waits for messages.
const WAIT: Duration = Duration::from_secs(20);
/// For how long nobody gets a message that was received. Short, since a killed pull's come again only after that, also
/// those that its last call was still waiting for. While this pull handles messages, it receives none.
const HIDDEN: Duration = Duration::from_secs(30);
/// Messages that are handled together.
const TOGETHER: usize = 1000;
/// How often it is asked whether to stop.
const ASKED: Duration = Duration::from_millis(100);

/// How to follow.
#[derive(Clone, Copy, Debug)]
pub struct Following {
    /// Time from one listing to the next.
    pub list_every: Duration,
    /// How long a new object waits for Transfer to say whether it is whole.
    pub settle: Duration,
}

/// What to do about some messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// To be looked at.
    keys: Vec<String>,
    /// Of these, the ones that Transfer says are whole, and when it said so (seconds since 1970).
    whole: Vec<(String, i64)>,
    /// What is known not to be a whole file.
    partial: Vec<Broken>,
    /// Messages that are settled by then.
    settled: Vec<String>,
    /// Messages that come again later.
    later: Vec<String>,
}

/// An upload that failed: see [`Notice::Partial`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broken {
    key: String,
    etag: Option<String>,
    since: i64,
    until: i64,
}

impl Broken {
    fn record(&self) -> Record {
        let Self { key, etag, since, until } = self.clone();
        let since = etag.is_none().then_some(since);
        Record::Partial { key, etag: etag.unwrap_or_default(), until, since }
    }
}

impl Plan {
    /// `prefix`: that of the keys that are pulled. `is_partial`: whether this content of a key is known not to be the whole
    /// file.
    fn of(
        messages: Vec<QueueMessage>,
        (bucket, prefix): (&str, &str),
        is_partial: impl Fn(&str, &str) -> bool,
    ) -> Self {
        let mut plan = Self::default();
        for QueueMessage { receipt, body, receives } in messages {
            let notice = notice::read(&body, bucket);
            match notice {
                // A listing of a pull of all files finds it.
                _ if notice.key().is_some_and(|key| !key.starts_with(prefix)) => {}
                Notice::Created { .. } if receives <= 1 => {
                    plan.later.push(receipt);
                    continue;
                }
                Notice::Created { key, etag } if is_partial(&key, &etag) => {}
                Notice::Created { key, .. } => plan.keys.push(key),
                Notice::Whole { key, at } => {
                    plan.keys.push(key.clone());
                    plan.whole.push((key, at));
                }
                Notice::Partial { key, etag, since, until } => plan.partial.push(Broken { key, etag, since, until }),
                Notice::Other => {}
            }
            plan.settled.push(receipt);
        }
        plan.keys.sort_unstable();
        plan.keys.dedup();
        plan
    }
}

/// Pulls what is there, and what arrives, until it is to stop.
///
/// # Errors
/// The target folder or the ledger cannot be used: nothing was done.
pub async fn follow(
    s3: &S3,
    queue: &Queue,
    options: &Options,
    following: Following,
    watch: &dyn Watch,
) -> Result<Pulled, PullError> {
    let run = Run::open(s3, options, watch)?;
    if let Err(error) = run.recover().await {
        run.fail(error);
    }
    let mut listed: Option<Instant> = None;
    while !run.is_stopping() {
        let is_due = listed.is_none_or(|listed| listed.elapsed() >= following.list_every);
        let messages = match unless_stopped(&run, messages(queue, if is_due { Duration::ZERO } else { WAIT })).await {
            None => break,
            Some(Ok(messages)) => messages,
            Some(Err(error)) => {
                run.fail(error.into());
                break;
            }
        };
        // What the queue knows of broken uploads comes before the listing, which does not know it.
        if messages.is_empty() && is_due {
            run.round(Source::Listing { until: Some(now() - seconds(following.settle)) }).await;
            listed = Some(Instant::now());
        } else if messages.is_empty() {
            // Something may have made room since.
            run.round(Source::Keys(run.postponed())).await;
        } else if let Err(error) = handle(&run, queue, messages, following.settle).await {
            run.fail(error);
        }
    }
    Ok(run.end())
}

/// All messages that are there, up to [`TOGETHER`]; waits for the first.
async fn messages(queue: &Queue, wait: Duration) -> Result<Vec<QueueMessage>, sftpctl_aws::AwsError> {
    let mut all = queue.receive(wait, HIDDEN).await?;
    while !all.is_empty() && all.len() < TOGETHER {
        let more = queue.receive(Duration::ZERO, HIDDEN).await?;
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    Ok(all)
}

async fn handle(run: &Run<'_>, queue: &Queue, messages: Vec<QueueMessage>, settle: Duration) -> Result<(), PullError> {
    let plan = {
        let file = run.ledger();
        let is_partial = |key: &str, etag: &str| file.ledger().is_partial(key, etag, 0);
        Plan::of(messages, (&run.options.bucket.name, &run.options.prefix), is_partial)
    };
    queue.hide(&plan.later, settle).await?;
    for broken in plan.partial {
        let record = broken.record();
        let Broken { key, etag, since, until } = broken;
        let (is_told, was_pulled) = {
            let file = run.ledger();
            let ledger = file.ledger();
            let is_it = |entry: &Entry| etag.as_ref().map_or(entry.was_written(since, until), |etag| entry.has(etag));
            (ledger.has_partial(&record), ledger.get(&key).is_some_and(is_it))
        };
        if was_pulled {
            run.left(&key, "its upload broke off before the end, which was told only after it had been pulled");
        } else if !is_told {
            run.append(record).await?;
            run.left(&key, super::run::PARTIAL);
        }
    }
    // After those that are not: the same content may have been uploaded again, within the same second. What was told to be
    // whole before another upload failed says nothing about that.
    for (key, at) in plan.whole {
        let was_partial = run.ledger().ledger().partial_until(&key);
        if was_partial.is_some_and(|until| until <= at) {
            run.append(Record::Whole { key }).await?;
        }
    }
    run.round(Source::Keys(plan.keys)).await;
    // After an error, or a stop in the middle, the messages come again.
    if !run.is_stopping() {
        queue.delete(&plan.settled).await?;
    }
    Ok(())
}

/// The result of `work`; `None` if the run is to stop before.
#[expect(clippy::disallowed_methods, reason = "a signal only sets a flag, which is asked for now and then")]
async fn unless_stopped<T>(run: &Run<'_>, work: impl Future<Output = T>) -> Option<T> {
    let stopped = async {
        while !run.is_stopping() {
            sleep(ASKED).await;
        }
    };
    tokio::select! {
        result = work => Some(result),
        () = stopped => None,
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, seconds)
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(receipt: &str, kind: &str, detail: &serde_json::Value, receives: u32) -> QueueMessage {
        let source = if kind == "Object Created" { "aws.s3" } else { "aws.transfer" };
        let body = json!({ "source": source, "detail-type": kind, "detail": detail }).to_string();
        QueueMessage { receipt: receipt.to_owned(), body, receives }
    }

    fn created(receipt: &str, key: &str, receives: u32) -> QueueMessage {
        let detail = json!({ "bucket": { "name": "b" }, "object": { "key": key, "etag": "e" } });
        message(receipt, "Object Created", &detail, receives)
    }

    #[test]
    fn a_new_object_waits_for_the_word_that_it_is_whole() {
        let uploaded = message("1", "SFTP Server File Upload Completed", &json!({ "file-path": "/b/1/a" }), 1);
        let renamed = message("2", "SFTP Server File Rename Completed", &json!({ "renamed-file-path": "/b/1/a" }), 1);
        let broken = json!({ "file-path": "/b/1/x", "failure-code": "PARTIAL_UPLOAD", "etag": "e" });
        let broken = message("3", "SFTP Server File Upload Failed", &broken, 1);
        let messages = vec![
            created("4", "1/a", 1),
            uploaded,
            renamed,
            broken,
            created("5", "1/by-others", 2),
            created("6", "1/broken", 2),
            message("8", "SFTP Server File Delete Completed", &json!({ "file-path": "/b/1/a" }), 1),
            message("9", "SFTP Server File Upload Failed", &json!({ "file-path": "/b/1/y" }), 1),
            // Of an organisation that is not pulled.
            created("10", "12/a", 1),
        ];
        let plan = Plan::of(messages, ("b", "1/"), |key, etag| key == "1/broken" && etag == "\"e\"");
        assert_eq!(plan.keys, ["1/a", "1/by-others"]);
        assert_eq!(plan.whole, [("1/a".to_owned(), i64::MAX), ("1/a".to_owned(), i64::MAX)]);
        let etag = |etag: &str| Some(format!("\"{etag}\""));
        let broken = |key: &str, etag| Broken { key: key.to_owned(), etag, since: i64::MIN, until: i64::MAX };
        assert_eq!(plan.partial, [broken("1/x", etag("e")), broken("1/y", None)]);
        assert_eq!(plan.later, ["4"]);
        assert_eq!(plan.settled, ["1", "2", "3", "5", "6", "8", "9", "10"]);
    }
}
