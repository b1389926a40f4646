//! Events as lines: plain ones for pipes, JSON ones for programs, and the words that the live tree shares.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::output;
use sftpctl_core::events::{Event, Outcome, Reporter};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Action;

/// The word for an action that begins.
pub(super) fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Import => "taking back",
        Action::Update => "updating",
        Action::Recreate => "making anew",
        Action::Recover => "recovering",
        Action::Delete => "deleting",
        Action::Keep => "keeping",
    }
}

/// Sign and words for the end of a step, and further lines below.
pub(super) fn ended(outcome: &Outcome) -> (char, String, Vec<String>) {
    match outcome {
        Outcome::Changed => ('✓', "done".into(), Vec::new()),
        Outcome::Unchanged => ('·', "as wanted".into(), Vec::new()),
        Outcome::Deleted => ('✓', "gone".into(), Vec::new()),
        Outcome::Kept { reason } => ('=', format!("kept: {reason}"), Vec::new()),
        Outcome::Later { reason } => ('…', format!("later: {reason}"), Vec::new()),
        Outcome::Failed { error, causes, left, hint } => {
            let mut more: Vec<String> = causes.iter().map(|cause| format!("cause: {cause}")).collect();
            more.push(format!("left: {left}"));
            more.extend(hint.iter().map(|hint| format!("hint: {hint}")));
            ('✗', format!("failed: {error}"), more)
        }
        Outcome::Blocked { by } => ('-', format!("not begun: {by} is not finished"), Vec::new()),
        Outcome::Stopped => ('-', "not begun: stopped".into(), Vec::new()),
    }
}

/// What the first Ctrl-C is answered with.
pub(super) const STOPPING: &str =
    "stopping: calls in flight are finished, nothing else begins, AWS goes on by itself; once more stops at once";

/// Seconds behind a step that was begun.
pub(super) fn took(outcome: &Outcome, seconds: f64) -> String {
    match outcome {
        Outcome::Blocked { .. } | Outcome::Stopped => String::new(),
        _ => format!(" ({seconds:.1} s)"),
    }
}

/// Titles by step, remembered from the step's start.
pub(super) type Titles = Mutex<BTreeMap<NodeId, String>>;

pub(super) fn title(titles: &Titles, step: &NodeId) -> String {
    let titles = titles.lock().unwrap_or_else(PoisonError::into_inner);
    titles.get(step).cloned().unwrap_or_else(|| step.local_name().to_owned())
}

/// One line per event.
#[derive(Debug, Default)]
pub(super) struct Plain {
    titles: Titles,
}

impl Reporter for Plain {
    fn event(&self, event: &Event) {
        let line = match event {
            Event::Observing { environment, resources } => {
                format!("environment {environment}: reading {resources} resources")
            }
            Event::StepStarted { step, title, change, .. } => {
                self.titles.lock().unwrap_or_else(PoisonError::into_inner).insert(step.clone(), title.clone());
                format!("{}: {title}: {}", step.place(), doing(change.action))
            }
            Event::StepWaiting { step, status } => format!("{}: {}: {status}", step.place(), title(&self.titles, step)),
            Event::StepNews { step, line } => format!("{}:   {line}", step.place()),
            Event::StepRetried { step, reason } => {
                format!("{}: {}: trying again: {reason}", step.place(), title(&self.titles, step))
            }
            Event::StepFinished { step, outcome, seconds } => {
                let (_, words, more) = ended(outcome);
                let took = took(outcome, *seconds);
                let mut line = format!("{}: {}: {words}{took}", step.place(), title(&self.titles, step));
                for more in more {
                    line.push_str(&format!("\n  {more}"));
                }
                line
            }
            Event::Stopping => STOPPING.to_owned(),
            Event::Finished { .. } => return,
        };
        output::progress(&line);
    }

    fn note(&self, line: &str) {
        output::progress(line);
    }
}

/// One JSON object per event.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) now: fn() -> String,
}

impl Reporter for Json {
    fn event(&self, event: &Event) {
        let mut line = json!({ "time": (self.now)() });
        if let (Some(line), Ok(serde_json::Value::Object(event))) = (line.as_object_mut(), serde_json::to_value(event))
        {
            line.extend(event);
        }
        output::json("events/1", &line);
    }

    fn note(&self, line: &str) {
        output::progress(line);
    }
}
