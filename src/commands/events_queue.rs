//! The queue with the events of a cluster's files.

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_aws::{Aws, Queue};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// Finds the queue of a cluster, in its region, for an option.
///
/// # Errors
/// The environment has no events, or the queue is not there.
pub(super) async fn open(
    aws: &Aws,
    environment: &Environment,
    (cluster, region): (&str, &str),
    option: &str,
) -> Result<Queue, CliError> {
    let name = names::events_queue(environment, cluster);
    if !environment.files.events {
        let message = format!("{option} needs a queue of events, which this environment does not have");
        return Err(CliError::new(Exit::Usage, message).hint(format!(
            "set `files: {{ events: true }}` in the environment file, and run `sftpctl deploy --env {}`",
            environment.name
        )));
    }
    let queue = aws.queue(region, &name).await;
    let queue = queue.map_err(|error| CliError::from_error(Exit::Failed, &error, error.hint()))?;
    queue.ok_or_else(|| {
        CliError::new(Exit::Failed, format!("there is no queue {name} in {region}"))
            .hint(format!("run `sftpctl deploy --env {}`, which creates it", environment.name))
    })
}
