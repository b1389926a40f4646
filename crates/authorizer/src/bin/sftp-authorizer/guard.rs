//! The guard's table of this region: read beside the accounts, written after a refusal.
//!
//! Nothing of it refuses a customer but a ban that was read. If the table is throttled, slow or gone, or the role may not
//! use it, the log-in goes on without a guard, at most [`GRACE`] later, and the log has a warning.

use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use sftp_authorizer::guard::{self, Asker, Change, Record, Seen, Settings, Standing, Subject};
use sftp_authorizer::{Refusal, dynamodb};
use tokio::time::{Instant, timeout};

use super::table::cause;

/// How much longer than the accounts the guard's table may take: the most that it delays a log-in.
const GRACE: Duration = Duration::from_millis(200);

/// How long a refusal waits until it is counted.
const COUNT: Duration = Duration::from_millis(400);

/// Writes for a subject at most: each after the first one knows what the last one found.
const WRITES: usize = 3;

pub(crate) struct Guard {
    settings: Settings,
    client: Client,
}

impl Guard {
    pub(crate) fn new(settings: Settings, client: Client) -> Self {
        Self { settings, client }
    }

    /// Watches a log-in; `None` if the address is on the allow list.
    pub(crate) fn watch(&self, asker: Asker) -> Option<Watch<'_>> {
        let watched = !self.settings.rules.allows(asker.address);
        watched.then(|| Watch { guard: self, asker, seen: Seen::default(), standing: Standing::Watched })
    }

    /// Reads once, eventually consistent, without a retry.
    async fn read(&self, asker: &Asker) -> Result<Seen, String> {
        let keys = self.settings.rules.keys(asker).into_iter();
        let keys = keys.map(|key| [(guard::KEY.to_owned(), AttributeValue::S(key))].into()).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build().map_err(|error| error.to_string())?;
        let call = self.client.batch_get_item().request_items(&self.settings.table, wanted).customize();
        let answer = call.config_override(once()).send().await.map_err(|error| cause(&error))?;
        // What is throttled may be the ban, or what an operator has allowed.
        if answer.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err("some keys were not read".to_owned());
        }
        let items = answer.responses.unwrap_or_default().into_values().flatten().map(dynamodb::item);
        Ok(Seen::from_items(asker, &items.collect::<Vec<_>>()))
    }

    /// Makes a change: the item afterwards, or the item that did not fit its condition.
    async fn write(&self, key: &str, change: &Change) -> Result<Result<Record, Record>, String> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.settings.table)
            .key(guard::KEY, AttributeValue::S(key.to_owned()))
            .update_expression(change.expression())
            .condition_expression(change.condition())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        for (name, number) in change.values() {
            call = call.expression_attribute_values(name, AttributeValue::N(number.to_string()));
        }
        let record = |attributes| Record::from_item(&dynamodb::item(attributes));
        match call.customize().config_override(once()).send().await {
            Ok(answer) => Ok(Ok(record(answer.attributes.unwrap_or_default()))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Err(record(failed.item().cloned().unwrap_or_default())))
                }
                _ => Err(cause(&error)),
            },
        }
    }
}

/// Without a retry, and else like the client, whose connections it so shares.
fn once() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// A log-in that is watched.
pub(crate) struct Watch<'a> {
    guard: &'a Guard,
    asker: Asker,
    seen: Seen,
    standing: Standing,
}

/// Reads what the guard has of the asker while `other` runs. The guard is left out if it takes much longer.
pub(crate) async fn beside<T>(watch: Option<Watch<'_>>, other: impl Future<Output = T>) -> (Option<Watch<'_>>, T) {
    let Some(mut watch) = watch else { return (None, other.await) };
    let (seen, other) = {
        let read = watch.guard.read(&watch.asker);
        tokio::pin!(read, other);
        tokio::select! {
            seen = &mut read => (seen, other.await),
            other = &mut other => {
                let late = || Err(format!("no answer {} ms after the accounts", GRACE.as_millis()));
                (timeout(GRACE, &mut read).await.unwrap_or_else(|_| late()), other)
            }
        }
    };
    match seen {
        Ok(seen) => {
            watch.standing = watch.guard.settings.rules.standing(&watch.asker, &seen, super::now());
            watch.seen = seen;
        }
        Err(cause) => warn("the guard's table did not answer: nobody is banned", &cause),
    }
    (Some(watch), other)
}

impl Watch<'_> {
    pub(crate) fn is_banned(&self) -> bool {
        matches!(self.standing, Standing::Banned { .. })
    }

    /// Counts a refusal, and bans who has had too many. Ends at `end`, whatever the table does.
    pub(crate) async fn count(&self, refusal: Refusal, has_password: bool, end: Instant) {
        let (points, subjects) = self.guard.settings.rules.scores(refusal, has_password);
        if points == 0 || self.standing != Standing::Watched {
            return;
        }
        let one = |subject: Subject| async move {
            if subjects.contains(&subject) { self.count_one(subject, points).await } else { Ok(true) }
        };
        let all = async {
            // A client that is banned for one name, by what others of its tries have brought, gives its address no points.
            if one(Subject::Login).await? {
                tokio::try_join!(one(Subject::Address), one(Subject::User))?;
            }
            Ok(())
        };
        let within = COUNT.min(end.saturating_duration_since(Instant::now()));
        let counted = match timeout(within, all).await {
            Ok(counted) => counted,
            Err(_) => Err(format!("no answer in {} ms", within.as_millis())),
        };
        if let Err(cause) = counted {
            warn("the guard could not count a refusal", &cause);
        }
    }

    /// Counts for one subject; false if it is banned, or is about to be by others.
    async fn count_one(&self, subject: Subject, points: u32) -> Result<bool, String> {
        let (rules, now, key) = (&self.guard.settings.rules, super::now(), self.asker.key(subject));
        let mut known = self.seen.record(subject).copied();
        for _ in 0..WRITES {
            let Some(change) = guard::next(rules, known.as_ref(), points, now) else { return Ok(false) };
            match self.guard.write(&key, &change).await? {
                Ok(record) => {
                    // Whoever finds it changed meanwhile has been forestalled by another invocation.
                    if let Some(ban) = guard::ban(rules, subject, &record, now)
                        && let Ok(banned) = self.guard.write(&key, &ban).await?
                    {
                        self.announce(subject, &banned);
                    }
                    return Ok(guard::is_first(rules, subject, &record, points));
                }
                Err(found) => known = Some(found),
            }
        }
        Ok(true)
    }

    fn announce(&self, subject: Subject, banned: &Record) {
        let by = match subject {
            Subject::Address => "address",
            Subject::Login => "address and user name",
            Subject::User => "user name",
        };
        super::log(&serde_json::json!({
            "level": "WARN",
            "message": "the guard has begun a ban",
            "by": by,
            "source": self.asker.address.to_string(),
            "username": self.asker.name,
            "until": banned.banned_until,
            "bans": banned.bans,
        }));
    }
}

fn warn(message: &str, cause: &str) {
    super::log(&serde_json::json!({ "level": "WARN", "message": message, "cause": cause }));
}
