//! One log group of a region, page by page.

use std::collections::VecDeque;

use sftpctl_aws::{Aws, AwsError, LogLine, Logs};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use crate::line::{Event, Log, event};

/// A log group, or the rest of it, that could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    pub region: String,
    pub group: String,
    pub why: Why,
}

#[derive(Clone, Debug)]
pub enum Why {
    /// The group does not exist.
    Missing,
    Failed(AwsError),
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { region, group, why } = self;
        match why {
            Why::Missing => write!(f, "{region}: the log group {group} does not exist"),
            Why::Failed(error) => write!(f, "{region}: {error}"),
        }
    }
}

/// Reads the lines of a group that fit a pattern, in the order of their times. Only one page is in memory.
pub struct Feed {
    logs: Logs,
    pub(crate) region: String,
    pub(crate) log: Log,
    group: String,
    pattern: String,
    /// Milliseconds since 1970, both included.
    period: (i64, i64),
    token: Option<String>,
    lines: VecDeque<LogLine>,
    is_over: bool,
    /// Whether a part of the period could not be read.
    has_failed: bool,
}

impl Feed {
    pub fn new(
        aws: &Aws,
        environment: &Environment,
        (region, log): (&str, Log),
        pattern: &str,
        period: (i64, i64),
    ) -> Self {
        let group = match log {
            Log::Server => names::transfer_log_group(environment, region),
            Log::Authorizer => names::function_log_group(environment, region),
        };
        Self {
            logs: aws.logs(region),
            region: region.to_owned(),
            log,
            group,
            pattern: pattern.to_owned(),
            period,
            token: None,
            lines: VecDeque::new(),
            is_over: false,
            has_failed: false,
        }
    }

    /// Begins again with another period, and with what could not be read of the last one.
    pub(crate) fn restart(&mut self, (from, until): (i64, i64)) {
        let from = if std::mem::take(&mut self.has_failed) { self.period.0.min(from) } else { from };
        (self.period, self.token, self.is_over) = ((from, until), None, false);
        self.lines.clear();
    }

    /// The time of the next line. Only after [`Self::fill`].
    pub(crate) fn next_time(&self) -> Option<i64> {
        self.lines.front().map(|line| line.time)
    }

    pub(crate) fn needs_more(&self) -> bool {
        self.lines.is_empty() && !self.is_over
    }

    /// Reads pages until there is a line or the end.
    pub(crate) async fn fill(&mut self) -> Result<(), Unread> {
        while self.needs_more() {
            let page = self.logs.page(&self.group, &self.pattern, self.period, self.token.take()).await;
            let why = match page {
                Ok(Some(page)) => {
                    self.lines = page.lines.into();
                    self.token = page.next;
                    self.is_over = self.token.is_none();
                    continue;
                }
                Ok(None) => Why::Missing,
                Err(error) => Why::Failed(error),
            };
            (self.is_over, self.has_failed) = (true, true);
            return Err(Unread { region: self.region.clone(), group: self.group.clone(), why });
        }
        Ok(())
    }

    /// Takes the next line, with its ID; the event is `None` for a line that says nothing of customers.
    pub(crate) fn take(&mut self) -> Option<(String, Option<Event>)> {
        let line = self.lines.pop_front()?;
        Some((line.id, event(self.log, &self.region, line.time, &line.message)))
    }

    /// Calls `take` with each event.
    pub async fn each(&mut self, mut take: impl FnMut(Event)) -> Result<(), Unread> {
        loop {
            self.fill().await?;
            match self.take() {
                Some((_, Some(event))) => take(event),
                Some((_, None)) => {}
                None => return Ok(()),
            }
        }
    }
}
