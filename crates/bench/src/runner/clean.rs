//! What a run has put is deleted again, with deadlines, too.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering;

use super::{Runner, Shared, folder};
use crate::supervisor::{Ended, Worker};
use crate::wire::Order;

/// Deletes these files; those that could not be deleted stay in the set.
pub(super) async fn delete(names: &mut BTreeSet<String>, shared: &Shared, workers: &mut [Option<Worker>]) {
    let Some(worker) = workers.first_mut() else { return };
    let mut stays = BTreeSet::new();
    for name in std::mem::take(names) {
        if shared.given_up().is_some() {
            stays.insert(name);
            continue;
        }
        let ended = shared.carry_out(worker, &Order::Delete(name.clone()), 0).await;
        if !matches!(ended, Ended::Done(_)) {
            stays.insert(name);
        }
    }
    *names = stays;
}

impl Runner<'_> {
    /// Deletes what is left, and the folder of the run. A target that was given up gets one more chance: what hung may
    /// be back.
    pub(super) async fn clean(
        &mut self,
        target: &str,
        mut names: BTreeSet<String>,
        shared: &Shared,
        workers: &mut [Option<Worker>],
    ) -> io::Result<()> {
        shared.stuck.store(0, Ordering::Relaxed);
        let Some(worker) = workers.first_mut() else { return Ok(()) };
        let mut why = None;
        while let Some(name) = names.pop_first() {
            let ended = shared.carry_out(worker, &Order::Delete(name.clone()), 0).await;
            let reason = match ended {
                Ended::Done(_) => continue,
                Ended::Failed(failure) => failure.message,
                Ended::Died { status, .. } => status,
                Ended::Stuck { .. } => {
                    why = Some(format!("no answer within {} s", shared.plan.deadline));
                    names.insert(name);
                    break;
                }
            };
            self.leave(target, &format!("{}/{name}", folder(&self.run.run)), reason)?;
        }
        let what = folder(&self.run.run);
        if let Some(reason) = why {
            return self.leave(target, &what, reason);
        }
        match shared.carry_out(worker, &Order::Finish, 0).await {
            Ended::Done(_) => Ok(()),
            Ended::Failed(failure) => self.leave(target, &what, failure.message),
            Ended::Died { status, .. } => self.leave(target, &what, status),
            Ended::Stuck { .. } => self.leave(target, &what, format!("no answer within {} s", shared.plan.deadline)),
        }
    }
}
