//! Events as plain lines, for pipes and logs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::words::{STOPPING, doing, ended, took};
use crate::report::streams;
use sftpctl_core::events::{Event, Reporter};
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::Text;

/// Titles by step, from the events of their start.
type Titles = Mutex<BTreeMap<NodeId, String>>;

fn title(titles: &Titles, step: &NodeId) -> String {
    let titles = titles.lock().unwrap_or_else(PoisonError::into_inner);
    titles.get(step).cloned().unwrap_or_else(|| step.local_name().to_owned())
}

#[derive(Debug, Default)]
pub(in crate::report) struct Plain {
    titles: Titles,
}

impl Plain {
    /// The lines for an event.
    pub(in crate::report) fn lines(&self, event: &Event) -> Option<Text> {
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
                format!("{}: {}: retrying: {reason}", step.place(), title(&self.titles, step))
            }
            Event::StepFinished { step, outcome, seconds } => {
                let (_, words, more) = ended(outcome);
                let took = took(outcome, *seconds);
                let mut text = Text::from(format!("{}: {}: {words}{took}", step.place(), title(&self.titles, step)));
                more.iter().for_each(|more| text.line(format!("  {more}")));
                return Some(text);
            }
            Event::Stopping => STOPPING.to_owned(),
            Event::Finished { .. } => return None,
        };
        Some(line.into())
    }
}

impl Reporter for Plain {
    fn event(&self, event: &Event) {
        if let Some(lines) = self.lines(event) {
            streams::progress(lines);
        }
    }

    fn note(&self, line: &str) {
        streams::progress(line);
    }
}
