//! One cell: all its threads at once, each with its worker.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::{FAILURES, Runner, Shared};
use crate::content::Content;
use crate::host::Counters;
use crate::plan::{Action, Cell};
use crate::record::{Line, Measured, Outcome, Run, Sample};
use crate::supervisor::{Ended, Worker};
use crate::wire::{Failure, File, Order};

/// What a thread says.
enum Said {
    /// All have warmed up; the counters of the machine.
    Warm(Counters),
    Sample(Box<Sample>),
    /// It leaves the rest of the cell.
    Leaves {
        count: u64,
        reason: String,
    },
}

/// A thread of a cell.
struct Thread {
    run: Run,
    clock: Clock,
    cell: Cell,
    /// From 1.
    number: u32,
    worker: Option<Worker>,
    /// Iterations that an earlier run has tried.
    tried: BTreeSet<u32>,
    /// Whether its file is on the target.
    is_stored: bool,
    shared: Arc<Shared>,
    /// Passed when all threads have warmed up.
    warm: Arc<Barrier>,
    says: mpsc::UnboundedSender<Said>,
}

impl Runner<'_> {
    /// Measures what of a cell was not tried yet. `stored` are the files that are known to be whole on the target.
    pub(super) async fn cell(
        &mut self,
        cell: &Cell,
        shared: &Arc<Shared>,
        workers: &mut Vec<Option<Worker>>,
        stored: &mut BTreeSet<String>,
    ) -> io::Result<()> {
        let tried = self.tried.get(&cell.id()).cloned().unwrap_or_default();
        let warm = Arc::new(Barrier::new(usize::try_from(cell.threads).unwrap_or(1)));
        let (says, mut said) = mpsc::unbounded_channel();
        let mut threads = JoinSet::new();
        for number in 1..=cell.threads {
            let at = usize::try_from(number).unwrap_or_default() - 1;
            if workers.len() <= at {
                workers.push(None);
            }
            let thread = Thread {
                run: self.run.clone(),
                clock: self.clock,
                cell: cell.clone(),
                number,
                worker: workers.get_mut(at).and_then(Option::take),
                tried: tried.iter().filter(|(thread, _)| *thread == number).map(|(_, i)| *i).collect(),
                is_stored: stored.contains(&cell.file(number)),
                shared: Arc::clone(shared),
                warm: Arc::clone(&warm),
                says: says.clone(),
            };
            threads.spawn(thread.run());
        }
        drop(says);
        let mut lines = Vec::new();
        let mut counters = None;
        while let Some(heard) = said.recv().await {
            match heard {
                Said::Warm(now) => counters = Some(now),
                heard => self.hear(cell, heard, &mut lines)?,
            }
            if self.stops() {
                shared.stop();
            }
        }
        let load = counters.map(|before| before.until(&Counters::now())).unwrap_or_default();
        while let Some(ended) = threads.join_next().await {
            let Ok((number, worker, is_stored)) = ended else { continue };
            if let Some(place) = workers.get_mut(usize::try_from(number).unwrap_or_default() - 1) {
                *place = worker;
            }
            match is_stored {
                true => stored.insert(cell.file(number)),
                false => stored.remove(&cell.file(number)),
            };
        }
        let good: Vec<&Sample> = lines.iter().filter(|sample| sample.outcome == Outcome::Ok).collect();
        let began = lines.iter().map(|sample| sample.at).reduce(f64::min).unwrap_or_default();
        let end = good.iter().map(|sample| sample.at + sample.seconds).fold(began, f64::max);
        let measured = Measured {
            run: self.run.run.clone(),
            cell: cell.id(),
            seconds: end - began,
            bytes: good.iter().map(|sample| sample.bytes).sum(),
            operations: good.len() as u64,
            load,
        };
        self.add(&Line::Measured(measured))
    }

    /// Writes down what a thread says. Samples that are measured are added to `measured`.
    fn hear(&mut self, cell: &Cell, said: Said, measured: &mut Vec<Sample>) -> io::Result<()> {
        match said {
            Said::Sample(sample) => {
                self.add(&Line::Sample(sample.clone()))?;
                if !sample.warmup {
                    measured.push(*sample);
                }
                Ok(())
            }
            Said::Leaves { count, reason } => self.skip(cell, count, &reason),
            Said::Warm(_) => Ok(()),
        }
    }
}

impl Thread {
    async fn run(mut self) -> (u32, Option<Worker>, bool) {
        let last = self.cell.warmup + self.cell.iterations;
        let mut to_do: Vec<u32> = (1..=last).filter(|iteration| !self.tried.contains(iteration)).collect();
        let measured = to_do.iter().position(|iteration| *iteration > self.cell.warmup).unwrap_or(to_do.len());
        let measured = to_do.split_off(measured);
        let mut failures = 0;
        let mut reason = None;
        let reads = self.cell.action != Action::Put && self.cell.action != Action::Login;
        if reads && !self.is_stored && !(to_do.is_empty() && measured.is_empty()) {
            let sample = self.operation(Action::Put, 0, true).await;
            if sample.outcome != Outcome::Ok {
                reason = Some(format!("thread {} has no file to read", self.number));
                let _ = self.says.send(Said::Sample(Box::new(sample)));
            }
        }
        let mut tried = 0;
        for iteration in to_do.iter().copied() {
            self.iterate(iteration, &mut failures, &mut reason, &mut tried).await;
        }
        if self.warm.wait().await.is_leader() {
            let _ = self.says.send(Said::Warm(Counters::now()));
        }
        for iteration in measured.iter().copied() {
            self.iterate(iteration, &mut failures, &mut reason, &mut tried).await;
        }
        if let Some(reason) = reason {
            let count = (to_do.len() + measured.len()) as u64 - tried;
            let _ = self.says.send(Said::Leaves { count, reason });
        }
        (self.number, self.worker, self.is_stored)
    }

    async fn iterate(&mut self, iteration: u32, failures: &mut u32, reason: &mut Option<String>, tried: &mut u64) {
        if reason.is_none() {
            let stopped = || self.shared.is_stopped().then(|| "the run was stopped".to_owned());
            let failed = || (*failures >= FAILURES).then(|| format!("it failed {FAILURES} times in a row"));
            *reason = stopped().or_else(|| self.shared.given_up()).or_else(failed);
        }
        if reason.is_some() {
            return;
        }
        let action = self.cell.action_of(self.number, iteration);
        let is_warmup = iteration <= self.cell.warmup;
        let sample = self.operation(action, iteration, is_warmup).await;
        *failures = if sample.outcome == Outcome::Ok { 0 } else { *failures + 1 };
        *tried += 1;
        let _ = self.says.send(Said::Sample(Box::new(sample)));
    }

    async fn operation(&mut self, action: Action, iteration: u32, is_warmup: bool) -> Sample {
        let file = || File {
            name: self.cell.file(self.number),
            size: self.cell.size,
            content: self.cell.content.unwrap_or(Content::Text),
            seed: seed(&self.run.run, self.number),
        };
        let order = match action {
            Action::Put | Action::Both => Order::Put(file()),
            Action::Get => Order::Get(file()),
            Action::GetCached => Order::GetCached(file()),
            Action::Login => Order::Login,
        };
        let at = self.clock.at();
        let ended = self.shared.carry_out(&mut self.worker, &order, self.cell.size.0).await;
        let time = (at, self.clock.at() - at);
        let sample = sample(&self.run, time, &self.cell, action, (self.number, iteration), is_warmup, &ended);
        if action == Action::Put {
            self.is_stored = sample.outcome == Outcome::Ok;
        }
        sample
    }
}

/// The content of a thread's file in a run.
fn seed(run: &str, thread: u32) -> u64 {
    run.bytes().fold(u64::from(thread), |seed, byte| seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(byte.into()))
}

/// What is written down of an operation: when it began, in seconds since the run did, and the seconds until it was known
/// how it ended.
pub(super) fn sample(
    run: &Run,
    (at, seconds): (f64, f64),
    cell: &Cell,
    action: Action,
    (thread, iteration): (u32, u32),
    warmup: bool,
    ended: &Ended,
) -> Sample {
    let begun = Sample::begun(&run.run, &cell.id(), action, (thread, iteration));
    let mut sample = Sample { warmup, at, seconds, ..begun };
    match ended {
        Ended::Done(done) => {
            (sample.seconds, sample.bytes, sample.cpu) = (done.seconds, done.bytes, Some(done.cpu));
        }
        Ended::Failed(Failure { step, bytes, errno, message, differs }) => {
            sample.outcome = if *differs { Outcome::Differs } else { Outcome::Failed };
            (sample.step, sample.bytes, sample.errno) = (Some(*step), *bytes, *errno);
            sample.message = Some(message.clone());
        }
        Ended::Stuck { step, bytes, seconds, abandoned } => {
            (sample.outcome, sample.seconds) = (Outcome::Stuck, *seconds);
            (sample.step, sample.bytes, sample.abandoned) = (Some(*step), *bytes, *abandoned);
        }
        Ended::Died { step, bytes, status } => {
            sample.outcome = Outcome::Died;
            (sample.step, sample.bytes, sample.message) = (Some(*step), *bytes, Some(status.clone()));
        }
    }
    sample
}
