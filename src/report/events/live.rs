//! The live tree on a terminal: finished steps above, regions and their active steps below.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words::{STOPPING, doing, ended, took};
use crate::report::fold::folded;
use crate::report::streams;
use sftpctl_core::events::{Event, Outcome, Reporter};
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::Text;

#[derive(Debug)]
pub(in crate::report) struct Live {
    multi: MultiProgress,
    tree: Mutex<Tree>,
}

#[derive(Debug, Default)]
struct Tree {
    places: BTreeMap<String, (ProgressBar, usize)>,
    steps: BTreeMap<NodeId, Step>,
}

/// A step in flight: its line, its title, and the line below for its latest event.
#[derive(Debug)]
struct Step {
    line: ProgressBar,
    title: String,
    news: Option<ProgressBar>,
}

/// Title and words in one line. On a narrow terminal the title is cut, because the words change and it does not.
fn fitted(title: &str, words: &str) -> String {
    // The spinner, the elapsed time and the spaces take 12 columns.
    let room = streams::progress_width().saturating_sub(12);
    let (title, words) = (harmless(title), harmless(words));
    let (long, wanted) = (title.chars().count(), words.chars().count() + 2);
    if long + wanted <= room || room < 30 {
        return format!("{title}: {words}");
    }
    let kept = room.saturating_sub(wanted + 1).max(12);
    if long <= kept {
        return format!("{title}: {words}");
    }
    format!("{}…: {words}", title.chars().take(kept).collect::<String>())
}

fn harmless(line: &str) -> String {
    Text::from(line).to_string()
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; a wrong one falls back to indicatif's own.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Live {
    pub(super) fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    pub(in crate::report) fn on(target: ProgressDrawTarget) -> Self {
        Self { multi: MultiProgress::with_draw_target(target), tree: Mutex::default() }
    }

    fn started(&self, step: &NodeId, words: &str, title: &str) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let place = step.place().to_owned();
        let (place_bar, active) = tree.places.entry(place.clone()).or_insert_with(|| {
            let bar = self.multi.add(ProgressBar::new_spinner().with_style(style("{wide_msg}")));
            bar.set_message(harmless(&place));
            (bar, 0)
        });
        *active += 1;
        let bar = ProgressBar::new_spinner().with_style(style("  {spinner} {wide_msg} {elapsed:>4}"));
        let bar = self.multi.insert_after(place_bar, bar);
        bar.set_message(fitted(title, words));
        bar.enable_steady_tick(Duration::from_millis(120));
        tree.steps.insert(step.clone(), Step { line: bar, title: title.to_owned(), news: None });
    }

    fn show_words(&self, step: &NodeId, words: &str) {
        let tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = tree.steps.get(step) {
            step.line.set_message(fitted(&step.title, words));
        }
    }

    /// Shows the latest event inside a step in a line below it.
    fn news(&self, step: &NodeId, line: &str) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(step) = tree.steps.get_mut(step) else { return };
        let bar = step.news.get_or_insert_with(|| {
            self.multi.insert_after(&step.line, ProgressBar::new_spinner().with_style(style("      {wide_msg}")))
        });
        bar.set_message(harmless(line));
        bar.tick();
    }

    fn finished(&self, step: &NodeId, outcome: &Outcome, seconds: f64) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let title = match tree.steps.remove(step) {
            Some(Step { line, title, news }) => {
                if let Some(news) = news {
                    news.finish_and_clear();
                }
                line.finish_and_clear();
                title
            }
            None => step.local_name().to_owned(),
        };
        if let Some((bar, active)) = tree.places.get_mut(step.place()) {
            *active = active.saturating_sub(1);
            if *active == 0 {
                bar.finish_and_clear();
                tree.places.remove(step.place());
            }
        }
        let (sign, words, more) = ended(outcome);
        let mut text = Text::from(format!("{sign} {}  {title}: {words}{}", step.place(), took(outcome, seconds)));
        more.iter().for_each(|line| text.line(format!("    {line}")));
        self.above(&text);
    }

    /// Shows lines above the tree, which stay.
    fn above(&self, text: &Text) {
        // Fails only if the terminal is closed; the output has no reader then.
        let _ = self.multi.println(folded(text, streams::progress_width()).to_string());
    }
}

impl Reporter for Live {
    fn event(&self, event: &Event) {
        match event {
            Event::Observing { .. } | Event::Finished { .. } => {}
            Event::StepStarted { step, title, change, .. } => {
                self.started(step, doing(change.action), title);
            }
            Event::StepWaiting { step, status } => self.show_words(step, status),
            Event::StepNews { step, line } => self.news(step, line),
            Event::Stopping => self.above(&STOPPING.into()),
            Event::StepRetried { step, reason } => self.show_words(step, &format!("retrying: {reason}")),
            Event::StepFinished { step, outcome, seconds } => self.finished(step, outcome, *seconds),
        }
    }

    fn note(&self, line: &str) {
        self.above(&line.into());
    }
}
