//! Executes a plan and remembers the outcome.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sftpctl_core::events::{Event, Reporter, Summary};
use sftpctl_core::model::{Action, Actual};
use sftpctl_core::plan::graph::Edges;
use sftpctl_core::plan::model::Plan;

use super::Run;
use super::error::RunError;
use super::failure::Watch;
use super::summary::{outcome, summarize};
use crate::execute::deadlines::Deadlines;
use crate::execute::executor::{self, Context, Job, Task, lock};
use crate::state::lease::Machine as _;
use crate::state::machine::ThisMachine;
use crate::state::model::LastRun;

impl Run {
    /// Executes the plan and reports the summary.
    ///
    /// # Errors
    /// The state cannot be written. Failed steps are not errors: they are in the summary.
    pub async fn execute(
        &mut self,
        command: &str,
        (plan, edges): (&Plan, &Edges),
        actual: Actual,
        task: Task,
    ) -> Result<Summary, RunError> {
        self.state.begins(self.this_run(command));
        self.state.learn(&actual);
        let served = self.served();
        match task {
            Task::Apply => self.state.unverified.extend(served),
            Task::Delete(_) => self.state.unverified.retain(|region| !served.contains(region)),
        }
        let Some(store) = &mut self.locked_store else {
            return Err(RunError::NoLock);
        };
        store.save(&mut self.state).await?;
        let journal = Arc::clone(store.journal());
        let jobs: Vec<Job> = self.jobs(plan, edges, &task);
        let watch = Arc::new(Watch::new(Arc::clone(&self.reporter)));
        let reporter: Arc<dyn Reporter> = watch.clone();
        let context = Arc::new(Context {
            aws: Arc::clone(&self.aws),
            reporter,
            deadlines: Deadlines::new(self.environment.deadlines.clone()),
            stop: self.stop.clone(),
            journal,
            credentials_expired: AtomicBool::new(false),
        });
        let stop = self.stop.clone();
        let task_is_apply = matches!(task, Task::Apply);
        self.begun.store(true, Ordering::SeqCst);
        let actual = Arc::new(Mutex::new(actual));
        let outcomes = executor::run(Arc::clone(&context), jobs, task, Arc::clone(&actual)).await;
        self.credentials_expired = context.credentials_expired.load(Ordering::Relaxed);
        let actual = lock(&actual).clone();
        self.state.learn(&actual);
        let left_out = match task_is_apply {
            true => self.left_out(&actual),
            false => Vec::new(),
        };
        let summary = Summary {
            left_out,
            regions: self.regions(&actual).await,
            seconds: self.started.elapsed().as_secs_f64(),
            aws_calls: self.aws.calls(),
            ..summarize(&self.environment.name, command, plan, &outcomes)
        };
        self.state.ends(outcome(&summary, stop.requested()), ThisMachine.now());
        self.reporter.event(&Event::Finished { summary: summary.clone() });
        if let Some(store) = &mut self.locked_store {
            // The summary is correct, but only the journal records the work.
            store
                .save(&mut self.state)
                .await
                .map_err(|error| if summary.changed > 0 { RunError::Unsaved(error) } else { RunError::State(error) })?;
            self.remember_failures(&outcomes, &watch.failed()).await;
        }
        // No step of this run is left: a request to stop ends it at once from now on.
        if !stop.requested() {
            self.begun.store(false, Ordering::SeqCst);
        }
        Ok(summary)
    }

    /// Records a run that found nothing to do, so that `status` shows that a killed run's work is complete.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn nothing_to_do(&mut self, command: &str, actual: &Actual) -> Result<(), RunError> {
        self.state.learn(actual);
        // A saved plan that the previous run completed still counts as done when it is run again.
        let done = self.state.last_run.as_ref().filter(|run| run.outcome == "done");
        self.saved_plan = self.saved_plan.take().or_else(|| done?.plan.clone());
        self.state.begins(self.this_run(command));
        let is_whole = self.selection.is_whole() || self.left_out(actual).is_empty();
        self.state.ends(if is_whole { "done" } else { "partly" }, ThisMachine.now());
        match &mut self.locked_store {
            Some(store) => Ok(store.save(&mut self.state).await?),
            None => Ok(()),
        }
    }

    fn this_run(&self, command: &str) -> LastRun {
        let holder = ThisMachine.holder("", command);
        LastRun {
            command: command.to_owned(),
            started: ThisMachine.now(),
            finished: None,
            outcome: "running".into(),
            by: format!("sftpctl {}", env!("CARGO_PKG_VERSION")),
            who: Some(format!("{} on {}", holder.user, holder.host)),
            plan: self.saved_plan.clone(),
        }
    }

    fn jobs(&self, plan: &Plan, edges: &Edges, task: &Task) -> Vec<Job> {
        let retired = self.retired();
        self.resources
            .iter()
            .chain(retired.iter().filter(|resource| plan.step(resource.id()).is_some()))
            .filter_map(|resource| {
                // What is left out is not changed either because something else was.
                if matches!(task, Task::Apply) && !self.selection.has(resource.id(), &resource.title()) {
                    return None;
                }
                let planned = plan.step(resource.id()).map(|step| step.change.clone());
                let kept = planned.as_ref().is_some_and(|c| c.action == Action::Keep);
                if matches!(task, Task::Delete(_)) && (planned.is_none() || kept) {
                    return None;
                }
                Some(Job {
                    known: self.state.identities.get(resource.id()).cloned(),
                    after: edges.get(resource.id()).cloned().unwrap_or_default(),
                    resource: Arc::clone(resource),
                    planned,
                })
            })
            .collect()
    }
}
