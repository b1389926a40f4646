//! The queues with the events of a cluster's files.

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_aws::{Aws, Queue};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// Finds the queue of a cluster for `pull`, in its region, for an option.
///
/// # Errors
/// The environment has no events, or the queue is not there.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
pub(super) async fn of_pull(
    aws: &Aws,
    environment: &Environment,
    (cluster, region): (&str, &str),
    option: &str,
) -> Result<Queue, CliError> {
    if !environment.files.events {
        let message = format!("{option} needs a queue of events, which this environment does not have");
        return Err(unset(environment, message, "events: true"));
    }
    open(aws, environment, region, &names::events_queue(environment, cluster)).await
}

/// As [`of_pull`], the queue for `history watch`: a message has one reader.
///
/// # Errors
/// As for [`of_pull`].
pub(super) async fn of_history(
    aws: &Aws,
    environment: &Environment,
    (cluster, region): (&str, &str),
    option: &str,
) -> Result<Queue, CliError> {
    if !environment.files.history_events {
        let message = match environment.files.events {
            true => format!("{option} needs a queue of its own: it would take the messages of `pull --watch`"),
            false => format!("{option} needs a queue of events, which this environment does not have"),
        };
        return Err(unset(environment, message, "events: true, history_events: true"));
    }
    open(aws, environment, region, &names::history_queue(environment, cluster)).await
}

fn unset(environment: &Environment, message: String, settings: &str) -> CliError {
    CliError::new(Exit::Usage, message).hint(format!(
        "set `files: {{ {settings} }}` in the environment file, and run `sftpctl deploy --env {}`",
        environment.name
    ))
}

async fn open(aws: &Aws, environment: &Environment, region: &str, name: &str) -> Result<Queue, CliError> {
    let queue = aws.queue(region, name).await;
    let queue = queue.map_err(|error| CliError::from_error(Exit::Failed, &error, error.hint()))?;
    queue.ok_or_else(|| {
        CliError::new(Exit::Failed, format!("there is no queue {name} in {region}"))
            .hint(format!("run `sftpctl deploy --env {}`, which creates it", environment.name))
    })
}
