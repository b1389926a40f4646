//! The progress of an import, or of hardening: a line that changes on a terminal, a line now and then elsewhere, events for programs.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use sftpctl_accounts::bulk::watch::{Folders, Progress, Watch};
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;

use super::grouped;
use crate::report::format::Format;
use crate::report::span::span;
use crate::report::{json, streams};

/// The least time between two lines, or two events.
const LINES: Duration = Duration::from_secs(10);
const EVENTS: Duration = Duration::from_secs(1);

/// Shows the progress of a command on many accounts.
pub struct Shown {
    format: Format,
    stop: Stop,
    line: Option<ProgressBar>,
    pace: Mutex<Pace>,
}

/// When something was shown last, and when the writes began.
struct Pace {
    shown: Instant,
    stage: &'static str,
    stage_began: Instant,
}

/// A stage of the work, as an event shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stage {
    pub name: &'static str,
    pub done: u64,
    pub of: Option<u64>,
    pub throttled: Option<u64>,
    pub at_once: Option<u64>,
    pub folders: Option<Folders>,
    pub bytes: Option<u64>,
    /// Whether the rate tells when it ends.
    pub has_rate: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    time: String,
    stage: &'static str,
    done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_once: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folders_throttled: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folders_at_once: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
}

impl Shown {
    /// A display for this format, which asks `stop` whether the user wants to stop.
    pub fn new(format: Format, stop: Stop) -> Self {
        let is_live = format != Format::Json && std::io::stderr().is_terminal();
        let line = is_live.then(|| {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            line.set_style(
                ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            line.enable_steady_tick(Duration::from_millis(120));
            line
        });
        let now = Instant::now();
        Self { format, stop, line, pace: Mutex::new(Pace { shown: now, stage: "", stage_began: now }) }
    }

    /// Shows something else, without the line.
    pub fn between(&self, show: impl FnOnce()) {
        match &self.line {
            Some(line) => line.suspend(show),
            None => show(),
        }
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

impl Shown {
    /// Whether the user asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.requested()
    }

    /// Shows a stage if it is time to; `words` gets the number that is done in a second, and the seconds that are left.
    pub fn stage(&self, stage: Stage, words: impl FnOnce(Option<u64>, Option<u64>) -> String) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage { name: stage, done, of, throttled, at_once, folders, bytes, has_rate } = stage;
        if pace.stage != stage && has_rate {
            pace.stage_began = Instant::now();
        }
        pace.stage = stage;
        let least = if self.line.is_some() {
            Duration::from_millis(100)
        } else if self.format == Format::Json {
            EVENTS
        } else {
            LINES
        };
        let is_last = of == Some(done);
        if pace.shown.elapsed() < least && !is_last {
            return;
        }
        pace.shown = Instant::now();
        let seconds = pace.stage_began.elapsed().as_secs_f64();
        let has_rate = has_rate && seconds > 0.5;
        let rate = has_rate.then(|| rate(done, seconds));
        let left = of.filter(|_| has_rate && done > 0).map(|of| left(done, of, seconds));
        if self.format == Format::Json {
            let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let event = Event {
                time,
                stage,
                done,
                bytes,
                of,
                throttled,
                at_once,
                folders_throttled: folders.map(|folders| folders.throttled),
                folders_at_once: folders.map(|folders| folders.at_once),
                per_second: rate,
                seconds_left: left,
            };
            return streams::data(json::line("progress/1", &event));
        }
        let words = words(rate, left);
        match &self.line {
            Some(line) => line.set_message(Text::from(words).to_string()),
            None => streams::progress(words),
        }
    }
}

impl Watch for Shown {
    fn progress(&self, progress: Progress) {
        let (name, done, of, throttled) = match progress {
            Progress::Reading { rows, expected } => ("reading", rows, expected, None),
            Progress::Scanning { items } => ("scanning", items, None, None),
            Progress::Comparing => ("comparing", 0, None, None),
            Progress::Proving { done } => ("proving", done, None, None),
            Progress::Writing { done, of, throttled, .. } => ("writing", done, Some(of), Some(throttled)),
            Progress::Warming { .. } => ("warming", 0, None, None),
            Progress::Importing { done, of } => ("importing", done, of, None),
            Progress::Hardening { done, of, throttled } => ("hardening", done, Some(of), Some(throttled)),
        };
        let (at_once, folders) = match progress {
            Progress::Writing { at_once, folders, .. } => (Some(at_once), folders),
            _ => (None, None),
        };
        let stage = Stage { name, done, of, throttled, at_once, folders, bytes: None, has_rate: throttled.is_some() };
        self.stage(stage, |rate, left| words(progress, rate, left));
    }

    fn is_stopping(&self) -> bool {
        self.stop.requested()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate to show"
)]
fn rate(done: u64, seconds: f64) -> u64 {
    (done as f64 / seconds) as u64
}

/// The seconds until the rest is done, at the rate so far.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a time to show"
)]
fn left(done: u64, of: u64, seconds: f64) -> u64 {
    (of.saturating_sub(done) as f64 * seconds / done as f64) as u64
}

fn words(progress: Progress, rate: Option<u64>, left: Option<u64>) -> String {
    match progress {
        Progress::Reading { rows, expected: Some(of) } => {
            format!("reading the source: {} of about {}", grouped(rows), counted(of, "row"))
        }
        Progress::Reading { rows, expected: None } => format!("reading the source: {}", counted(rows, "row")),
        Progress::Scanning { items } => format!("reading the table: {}", counted(items, "account")),
        Progress::Comparing => "comparing".to_owned(),
        Progress::Proving { done } => format!("comparing: {} computed", counted(done, "hardened password")),
        Progress::Writing { done, of, throttled, at_once, folders } => {
            let batches = if at_once == 1 { "1 batch".to_owned() } else { format!("{at_once} batches") };
            let folders = folders.filter(|folders| folders.throttled > 0).map_or_else(String::new, |folders| {
                format!("; {} throttled by S3", counted(folders.throttled, "home folder"))
            });
            format!("writing: {}, {batches} at once{folders}", written(done, of, throttled, (rate, left)))
        }
        Progress::Warming { writes } => {
            format!("DynamoDB prepares the table for {} a second", counted(writes, "write unit"))
        }
        Progress::Importing { done, of } => {
            let of = of.map_or_else(String::new, |of| format!(" of {}", grouped(of)));
            format!("DynamoDB imports items: {}{of}", grouped(done))
        }
        Progress::Hardening { done, of, throttled } => {
            format!("hardening: {}", written(done, of, throttled, (rate, left)))
        }
    }
}

/// `1,000 of 12,000, 24 a second, 8 min left, 3 throttled`.
fn written(done: u64, of: u64, throttled: u64, (rate, left): (Option<u64>, Option<u64>)) -> String {
    let rate = rate.map_or_else(String::new, |rate| format!(", {} a second", grouped(rate)));
    let left = left.map_or_else(String::new, |left| format!(", {} left", span(left)));
    let throttled = if throttled > 0 { format!(", {} throttled", grouped(throttled)) } else { String::new() };
    format!("{} of {}{rate}{left}{throttled}", grouped(done), grouped(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_rest_are_shown_once_known() {
        let hardening = |rate, left| words(Progress::Hardening { done: 1000, of: 12_000, throttled: 3 }, rate, left);
        assert_eq!(hardening(None, None), "hardening: 1,000 of 12,000, 3 throttled");
        assert_eq!(hardening(Some(24), Some(458)), "hardening: 1,000 of 12,000, 24 a second, 7 min left, 3 throttled");
        assert_eq!(left(1000, 12_000, 41.7), 458);
        let writing = |throttled| {
            let folders = Some(Folders { throttled, at_once: 2 });
            words(Progress::Writing { done: 1000, of: 12_000, throttled: 3, at_once: 8, folders }, None, None)
        };
        assert_eq!(writing(0), "writing: 1,000 of 12,000, 3 throttled, 8 batches at once");
        assert_eq!(
            writing(20),
            "writing: 1,000 of 12,000, 3 throttled, 8 batches at once; 20 home folders throttled by S3"
        );
    }
}
