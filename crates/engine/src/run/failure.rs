//! What a run remembers of its failures, for `status --why`.

use std::sync::{Arc, Mutex, PoisonError};

use sftpctl_core::events::{Event, Outcome, Reporter};
use sftpctl_core::kind::NodeId;

use super::Run;
use crate::clock;
use crate::execute::executor::Outcomes;
use crate::state::failure::{FailedStep, Failure};

/// Passes all events on, and notes when steps failed.
pub(super) struct Watch {
    to: Arc<dyn Reporter>,
    failed: Mutex<Vec<(NodeId, String)>>,
}

impl Watch {
    pub(super) fn new(to: Arc<dyn Reporter>) -> Self {
        Self { to, failed: Mutex::default() }
    }

    /// The steps that failed with their times, RFC 3339, in this order.
    pub(super) fn failed(&self) -> Vec<(NodeId, String)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reporter for Watch {
    fn event(&self, event: &Event) {
        // What can only be completed later makes a run fail, too.
        if let Event::StepFinished { step, outcome, .. } = event
            && matches!(outcome, Outcome::Failed { .. } | Outcome::Later { .. } | Outcome::Incomplete { .. })
        {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push((step.clone(), clock::now()));
        }
        self.to.event(event);
    }

    fn note(&self, line: &str) {
        self.to.note(line);
    }
}

/// The failed steps in the order of `times`, and those that were not begun. `title` is the name of a step in messages.
fn failed_steps(
    outcomes: &Outcomes,
    times: &[(NodeId, String)],
    title: impl Fn(&NodeId) -> String,
) -> (Vec<FailedStep>, Vec<NodeId>) {
    let step = |(id, at): &(NodeId, String)| match outcomes.get(id) {
        Some(Outcome::Failed { error, causes, left, hint }) => Some(FailedStep {
            step: id.clone(),
            title: title(id),
            at: at.clone(),
            error: error.clone(),
            causes: causes.clone(),
            left: left.clone(),
            hint: hint.clone(),
        }),
        Some(Outcome::Later { reason } | Outcome::Incomplete { reason }) => Some(FailedStep {
            step: id.clone(),
            title: title(id),
            at: at.clone(),
            error: reason.clone(),
            causes: Vec::new(),
            left: "it is not complete".to_owned(),
            hint: None,
        }),
        _ => None,
    };
    let is_left = |outcome: &Outcome| matches!(outcome, Outcome::Blocked { .. } | Outcome::Stopped);
    let not_begun = outcomes.iter().filter(|(_, outcome)| is_left(outcome)).map(|(id, _)| id.clone());
    (times.iter().filter_map(step).collect(), not_begun.collect())
}

impl Run {
    /// Remembers why this run failed, if it did. Without it, `status --why` knows less, and nothing else suffers.
    pub(super) async fn remember_failures(&self, outcomes: &Outcomes, times: &[(NodeId, String)]) {
        let retired = self.retired();
        let title = |id: &NodeId| {
            let named = self.resources.iter().chain(&retired).find(|resource| resource.id() == id);
            named.map_or_else(|| id.to_string(), |resource| resource.title())
        };
        let (steps, not_begun) = failed_steps(outcomes, times, title);
        let Some(run) = self.state.last_run.clone().filter(|_| !steps.is_empty() || !not_begun.is_empty()) else {
            return;
        };
        let failure = Failure::new(&self.environment.name, &self.environment.account, run);
        let failure = Failure { steps, not_begun, ..failure };
        if let Err(error) = self.store.remember_failure(&failure).await {
            tracing::warn!(%error, "the failure was not written; `status --why` will not show it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_core::kind::Kind;

    struct Silent;

    impl Reporter for Silent {
        fn event(&self, _event: &Event) {}

        fn note(&self, _line: &str) {}
    }

    fn failed(error: &str) -> Outcome {
        let hint = Some("rerun".to_owned());
        Outcome::Failed { error: error.into(), causes: vec!["c".into()], left: "nothing".into(), hint }
    }

    #[test]
    fn failures_are_told_in_their_order_with_what_was_not_begun() {
        let node = |place: &str| NodeId::new(place, Kind::Server);
        let (watch, mut outcomes) = (Watch::new(Arc::new(Silent)), Outcomes::new());
        for (place, outcome) in [
            ("b", failed("second name, first failure")),
            ("c", Outcome::Changed),
            ("a", failed("later")),
            ("d", Outcome::Blocked { by: node("a") }),
            ("e", Outcome::Stopped),
            ("f", Outcome::Later { reason: "in 24 hours".into() }),
        ] {
            watch.event(&Event::StepFinished { step: node(place), outcome: outcome.clone(), seconds: 1.0 });
            outcomes.insert(node(place), outcome);
        }
        let (steps, not_begun) = failed_steps(&outcomes, &watch.failed(), |id| format!("the {id}"));
        let told: Vec<_> = steps.iter().map(|step| (step.title.as_str(), step.error.as_str())).collect();
        let expected = [
            ("the b/server", "second name, first failure"),
            ("the a/server", "later"),
            ("the f/server", "in 24 hours"),
        ];
        assert_eq!(told, expected);
        assert!(steps.iter().all(|step| step.at.ends_with('Z')), "{steps:?}");
        assert_eq!(steps[0].hint.as_deref(), Some("rerun"));
        assert_eq!(not_begun, [node("d"), node("e")]);
        assert_eq!(failed_steps(&Outcomes::new(), &[], ToString::to_string), (Vec::new(), Vec::new()));
    }
}
