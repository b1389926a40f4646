//! The live tree on a terminal: finished steps above, regions and their active steps below.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::events::{Event, Outcome, Reporter};
use super::lines::{doing, ended};
use crate::resources::resource::NodeId;

/// The tree.
#[derive(Debug)]
pub(super) struct Live {
    multi: MultiProgress,
    tree: Mutex<Tree>,
}

#[derive(Debug, Default)]
struct Tree {
    places: BTreeMap<String, (ProgressBar, usize)>,
    steps: BTreeMap<NodeId, (ProgressBar, String)>,
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; a wrong one falls back to indicatif's own.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Live {
    pub(super) fn new() -> Self {
        Self { multi: MultiProgress::new(), tree: Mutex::default() }
    }

    fn started(&self, step: &NodeId, words: String, title: &str) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let place = step.place().to_owned();
        let (place_bar, active) = tree.places.entry(place.clone()).or_insert_with(|| {
            let bar = self.multi.add(ProgressBar::new_spinner().with_style(style("{wide_msg}")));
            bar.set_message(place);
            (bar, 0)
        });
        *active += 1;
        let bar = ProgressBar::new_spinner().with_style(style("  {spinner} {wide_msg} {elapsed:>4}"));
        let bar = self.multi.insert_after(place_bar, bar);
        bar.set_message(words);
        bar.enable_steady_tick(Duration::from_millis(120));
        tree.steps.insert(step.clone(), (bar, title.to_owned()));
    }

    fn say(&self, step: &NodeId, words: &str) {
        let tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, title)) = tree.steps.get(step) {
            bar.set_message(format!("{title}: {words}"));
        }
    }

    fn finished(&self, step: &NodeId, outcome: &Outcome, seconds: f64) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let title = match tree.steps.remove(step) {
            Some((bar, title)) => {
                bar.finish_and_clear();
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
        let mut text = format!("{sign} {}  {title}: {words}  {seconds:.1} s", step.place());
        for line in more {
            text.push_str(&format!("\n    {line}"));
        }
        // Only a closed terminal refuses, and then nobody reads it.
        let _ = self.multi.println(text);
    }
}

impl Reporter for Live {
    fn event(&self, event: &Event) {
        match event {
            Event::Observing { .. } | Event::Finished { .. } => {}
            Event::StepStarted { step, title, change, .. } => {
                self.started(step, format!("{title}: {}", doing(change.action)), title);
            }
            Event::StepWaiting { step, status } => self.say(step, status),
            Event::StepNews { step, line } => self.say(step, line),
            Event::StepRetried { step, reason } => self.say(step, &format!("trying again: {reason}")),
            Event::StepFinished { step, outcome, seconds } => self.finished(step, outcome, *seconds),
        }
    }
}
