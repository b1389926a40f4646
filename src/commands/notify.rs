//! Tells the end of a command to those whom the environment file names (`notify`).

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::args::AwsArgs;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, hints, streams};
use sftpctl_core::events::Summary;
use sftpctl_core::notification::{Ended, Facts, Logins, Steps};
use sftpctl_engine::verify::LoginCheck;
use sftpctl_engine::{clock, notify};

/// What a command learns while it runs, for those who are told its end.
#[derive(Debug)]
pub(super) struct Told {
    command: &'static str,
    started: Instant,
    facts: Mutex<Facts>,
}

impl Told {
    pub(super) fn new(command: &'static str) -> Self {
        Self { command, started: Instant::now(), facts: Mutex::default() }
    }

    pub(super) fn learn(&self, learn: impl FnOnce(&mut Facts)) {
        learn(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The steps of a run.
    pub(super) fn learn_steps(&self, summary: &Summary) {
        let Summary { changed, failed, not_begun, .. } = *summary;
        let (later, left_out) = (summary.later.len(), summary.left_out.len());
        let steps = Steps { changed, failed, not_begun, later, left_out };
        self.learn(|facts| facts.steps = Some(steps));
    }

    /// The log-ins of a canary.
    pub(super) fn learn_logins(&self, checks: &[LoginCheck]) {
        let of = |admitted| {
            let regions = checks.iter().filter(|check| check.admitted == admitted);
            regions.map(|check| check.region.clone()).collect()
        };
        let logins = Logins { admitted: of(true), refused: of(false) };
        self.learn(|facts| facts.logins = Some(logins));
    }

    /// Tells how the command ended, and returns that, whatever becomes of the message.
    pub(super) async fn end(
        self,
        aws: &AwsArgs,
        result: Result<Exit, CliError>,
        printer: Printer,
    ) -> Result<Exit, CliError> {
        let exit = result.as_ref().copied().unwrap_or_else(|error| error.exit);
        let error = result.as_ref().err().map(|error| error.message.as_str());
        self.tell(aws, exit, error, printer).await;
        result
    }

    /// Tells how the command ended.
    pub(super) async fn tell(self, aws: &AwsArgs, exit: Exit, error: Option<&str>, printer: Printer) {
        let ended = Ended {
            command: self.command,
            exit_code: exit.code(),
            error,
            facts: self.facts.into_inner().unwrap_or_else(PoisonError::into_inner),
            finished: clock::rfc3339(jiff::Timestamp::now()),
            seconds: self.started.elapsed().as_secs(),
            job_url: job_url(|name| std::env::var(name).ok()),
        };
        // A file that cannot be read names nobody.
        let Some(environment) = aws.quietly_loaded() else { return };
        let connect = async {
            let connected = aws.connect(Permissions::Notifies, printer).await;
            connected.map(|(_, aws)| aws).map_err(|error| error.message)
        };
        for unheard in notify::tell(connect, &environment, &ended).await {
            streams::progress(format!("warning: the end of this run was not told to {}: {}", unheard.who, unheard.why));
            if let Some(hint) = unheard.hint {
                streams::progress(format!("hint: {}", hints::complete(&hint)));
            }
        }
    }
}

/// The page of the job, as GitHub and GitLab say it ("Variables reference"; "Predefined CI/CD variables reference").
fn job_url(get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        let (server, repository, run) = (get("GITHUB_SERVER_URL")?, get("GITHUB_REPOSITORY")?, get("GITHUB_RUN_ID")?);
        Some(format!("{server}/{repository}/actions/runs/{run}"))
    };
    github().or_else(|| get("CI_JOB_URL")).filter(|url| url.starts_with("http") && url.len() <= 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_named_where_a_pipeline_says_it() {
        let github = |name: &str| match name {
            "GITHUB_SERVER_URL" => Some("https://github.com".to_owned()),
            "GITHUB_REPOSITORY" => Some("me/sftp".to_owned()),
            "GITHUB_RUN_ID" => Some("17".to_owned()),
            _ => None,
        };
        assert_eq!(job_url(github).as_deref(), Some("https://github.com/me/sftp/actions/runs/17"));
        let gitlab = |name: &str| (name == "CI_JOB_URL").then(|| "https://gitlab.com/me/-/jobs/1".to_owned());
        assert_eq!(job_url(gitlab).as_deref(), Some("https://gitlab.com/me/-/jobs/1"));
        assert_eq!(job_url(|_| None), None);
    }
}
