//! Works a plan off: cell by cell, with a supervised worker for each thread. Nothing here touches a target.

mod cell;
mod clean;
mod clock;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sftpctl_core::text::{counted, either};

use self::clock::{Clock, now};
use crate::alone::Alone;
use crate::host::Machine;
use crate::plan::{Cell, Plan};
use crate::record::{Begun, End, Left, Line, Log, Outcome, Results, Run, SCHEMA, Sample, Skipped, rest};
use crate::size::Size;
use crate::supervisor::{Ended, Program, Worker};
use crate::target::Access;
use crate::wire::{Hello, Order, Step};

/// Failures in a row after which a thread leaves the rest of a cell: the same would be said a hundred times.
const FAILURES: u32 = 5;

/// What a run is told.
pub struct Options {
    pub plan: Plan,
    /// The machine's name in the results.
    pub host: String,
    /// How a worker is started.
    pub program: Program,
    /// What a worker needs, by the target's name.
    pub access: BTreeMap<String, Access>,
    pub version: String,
    pub notes: Vec<String>,
}

/// Who watches a run.
pub trait Watch: Sync {
    /// A cell begins; its number, and that of all cells.
    fn begins(&self, cell: &Cell, number: usize, of: usize);
    /// Something did not succeed.
    fn problem(&self, text: String);
    /// What a target says of its room; `None` where it does not.
    fn room(&self, target: &str, free: Option<u64>);
    /// Whether to stop after the operations in flight.
    fn stops(&self) -> bool;
}

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Operations that were measured or warmed up.
    pub operations: u64,
    /// Of these, those that did not succeed.
    pub problems: u64,
    /// Iterations that were not tried.
    pub skipped: u64,
    /// Files or folders that could not be deleted.
    pub left: u64,
    pub stopped: bool,
}

/// What all threads of a target know.
struct Shared {
    plan: Plan,
    program: Program,
    hello: Hello,
    /// Operations that were stuck in a row.
    stuck: AtomicU32,
    stopped: AtomicBool,
}

impl Shared {
    /// No operation begins from now on.
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Why the target is given up, if it is.
    fn given_up(&self) -> Option<String> {
        let limit = self.plan.give_up_after;
        let is_given_up = self.stuck.load(Ordering::Relaxed) >= limit;
        is_given_up.then(|| {
            format!(
                "given up: {} in a row {} stuck",
                counted(limit.into(), "operation"),
                either(limit.into(), "was", "were")
            )
        })
    }

    /// Has an order carried out by the worker, which is started if there is none.
    async fn carry_out(&self, worker: &mut Option<Worker>, order: &Order, bytes: u64) -> Ended {
        if worker.is_none() {
            match Worker::start(&self.program, &self.hello, Duration::from_secs(self.plan.deadline)).await {
                Ok(started) => *worker = Some(started),
                Err(error) => return Ended::Died { step: Step::Start, bytes: 0, status: error.to_string() },
            }
        }
        let limit = Duration::from_secs_f64(self.plan.limit(bytes));
        let Some(running) = worker.as_mut() else {
            return Ended::Died { step: Step::Start, bytes: 0, status: "there is no worker".to_owned() };
        };
        let ended = running.carry_out(order, limit).await;
        match &ended {
            Ended::Stuck { .. } => {
                self.stuck.fetch_add(1, Ordering::Relaxed);
                *worker = None;
            }
            Ended::Died { .. } => *worker = None,
            Ended::Done(_) | Ended::Failed(_) => self.stuck.store(0, Ordering::Relaxed),
        }
        ended
    }
}

struct Runner<'a> {
    run: Run,
    clock: Clock,
    log: Log,
    watch: &'a dyn Watch,
    tried: BTreeMap<String, BTreeSet<(u32, u32)>>,
    finished: Finished,
}

impl Runner<'_> {
    /// Whether to stop after the operations in flight: it is asked for, or nobody reads the results any more.
    fn stops(&self) -> bool {
        self.watch.stops() || self.log.is_lost()
    }

    fn add(&mut self, line: &Line) -> io::Result<()> {
        match line {
            Line::Sample(sample) => {
                self.finished.operations += 1;
                self.finished.problems += u64::from(sample.outcome != Outcome::Ok);
                if sample.outcome != Outcome::Ok {
                    self.watch.problem(problem(sample));
                }
            }
            Line::Skipped(skipped) => self.finished.skipped += skipped.count,
            Line::Left(_) => self.finished.left += 1,
            _ => {}
        }
        self.log.add(line)
    }

    fn skip(&mut self, cell: &Cell, count: u64, reason: &str) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (run, cell) = (self.run.run.clone(), cell.id());
        self.add(&Line::Skipped(Skipped { run, cell, count, reason: reason.to_owned() }))
    }

    fn leave(&mut self, target: &str, what: &str, reason: String) -> io::Result<()> {
        let (run, target) = (self.run.run.clone(), target.to_owned());
        self.watch.problem(format!("{target}: {what} could not be deleted: {reason}"));
        self.add(&Line::Left(Left { run, target, what: what.to_owned(), reason }))
    }

    /// Iterations of a cell that were not tried.
    fn rest(&self, cell: &Cell) -> u64 {
        rest(cell, self.tried.get(&cell.id()))
    }

    async fn target(&mut self, cells: &[(usize, Cell)], of: usize, options: &Options) -> io::Result<()> {
        let Some(name) = cells.first().map(|(_, cell)| cell.target.clone()) else { return Ok(()) };
        let open: Vec<&(usize, Cell)> = cells.iter().filter(|(_, cell)| self.rest(cell) > 0).collect();
        let begun = self.tried.keys().any(|id| id.starts_with(&format!("{name}/")));
        let Some(access) = options.access.get(&name).filter(|_| !open.is_empty() || begun) else { return Ok(()) };
        let shared = Arc::new(Shared {
            plan: self.run.plan.clone(),
            program: options.program.clone(),
            hello: Hello { access: access.clone(), folder: folder(&self.run.run) },
            stuck: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
        });
        let mut workers: Vec<Option<Worker>> = vec![None];
        let has_files = cells.iter().any(|(_, cell)| cell.content.is_some());
        let mut free = None;
        if let (Some((_, first)), true, [worker]) = (open.first(), has_files, workers.as_mut_slice()) {
            let at = self.clock.at();
            match shared.carry_out(worker, &Order::Prepare, 0).await {
                Ended::Done(done) => {
                    free = done.free;
                    self.watch.room(&name, free);
                }
                other => {
                    let sample =
                        cell::sample(&self.run, (at, self.clock.at() - at), first, first.action, (1, 0), true, &other);
                    let reason = problem(&sample);
                    self.begin(first)?;
                    self.add(&Line::Sample(Box::new(sample)))?;
                    for (_, cell) in &open {
                        self.skip(cell, self.rest(cell), &reason)?;
                    }
                    return Ok(());
                }
            }
        }
        // Files of an interrupted run may be there, too.
        let mut present: BTreeSet<String> = BTreeSet::new();
        for (_, cell) in cells.iter().filter(|(_, cell)| self.tried.contains_key(&cell.id())) {
            present.extend((1..=cell.threads).map(|thread| cell.file(thread)));
        }
        let mut stored = BTreeSet::new();
        let mut group = None;
        for (number, cell) in open {
            if self.stops() {
                self.finished.stopped = true;
                break;
            }
            if let Some(reason) = shared.given_up() {
                self.skip(cell, self.rest(cell), &reason)?;
                continue;
            }
            if let Some(reason) = free.filter(|_| !shared.plan.fill).and_then(|free| without_room(cell, free)) {
                self.begin(cell)?;
                self.skip(cell, self.rest(cell), &reason)?;
                continue;
            }
            let this = Some((cell.size, cell.content));
            if group.is_some() && group != this {
                clean::delete(&mut present, &shared, &mut workers).await;
                stored.clear();
            }
            group = this;
            self.watch.begins(cell, *number, of);
            self.begin(cell)?;
            if cell.content.is_some() {
                present.extend((1..=cell.threads).map(|thread| cell.file(thread)));
            }
            self.cell(cell, &shared, &mut workers, &mut stored).await?;
        }
        if has_files {
            self.clean(&name, present, &shared, &mut workers).await?;
        }
        for worker in workers.into_iter().flatten() {
            worker.dismiss().await;
        }
        Ok(())
    }

    fn begin(&mut self, cell: &Cell) -> io::Result<()> {
        let run = self.run.run.clone();
        self.add(&Line::Cell(Box::new(Begun { run, cell: cell.clone() })))
    }
}

/// Why a cell is not tried, if its files do not fit.
fn without_room(cell: &Cell, free: u64) -> Option<String> {
    let needed = cell.content.map_or(0, |_| cell.size.0.saturating_mul(cell.threads.into()));
    (needed > free).then(|| {
        format!(
            "the target has {} free, and {} would fill it up: make room, or measure all the same with --fill (`fill: \
             true` in a plan) and other results",
            Size(free).about(),
            Size(needed).about()
        )
    })
}

/// The folder of a run on its target.
pub fn folder(run: &str) -> String {
    format!("sftpctl-bench-{run}")
}

/// What did not succeed, for people: `mount: stuck at 5MB text put, thread 14 of 15, iteration 3: aborted after 65 s
/// while writing after 1.0 MB`.
pub fn problem(sample: &Sample) -> String {
    let Sample { cell, thread, iteration, seconds, bytes, .. } = sample;
    let target = cell.split('/').next().unwrap_or_default();
    let what = match cell.split('/').collect::<Vec<_>>()[..] {
        [_, _, size, content, "both", _] => format!("{size} {content} {}, of both", sample.action.as_str()),
        [_, _, size, content, _, _] => format!("{size} {content} {}", sample.action.as_str()),
        _ => "log-in".to_owned(),
    };
    // The same may happen with 2 threads and with 3.
    let thread = match cell.rsplit('/').next() {
        None | Some("1") => format!("thread {thread}"),
        Some(threads) => format!("thread {thread} of {threads}"),
    };
    let place = match iteration {
        0 => format!("{what}, {thread}, before the first iteration"),
        iteration => format!("{what}, {thread}, iteration {iteration}"),
    };
    let step = sample.step.map_or("", Step::words);
    let after = match bytes {
        0 => String::new(),
        bytes => format!(" after {}", crate::size::Size(*bytes).about()),
    };
    let message = sample.message.as_deref().unwrap_or_default();
    let abandoned = sample.abandoned.map(|pid| format!("; process {pid} cannot be killed and was abandoned"));
    let abandoned = abandoned.unwrap_or_default();
    match sample.outcome {
        Outcome::Stuck => {
            format!("{target}: stuck at {place}: aborted after {seconds:.0} s while {step}{after}{abandoned}")
        }
        Outcome::Died => format!("{target}: the worker of {place} died while {step}{after}: {message}"),
        Outcome::Differs => format!("{target}: wrong content at {place}: {message}"),
        Outcome::Failed => format!("{target}: failed at {place}: {message}, while {step}{after}"),
        Outcome::Ok => format!("{target}: {place} succeeded"),
    }
}

/// An ID for a run, which no other run has.
pub fn new_id() -> String {
    format!("{:08x}", fastrand::u32(..))
}

/// Runs what of the plan is not in the results yet.
///
/// # Errors
/// The results cannot be written, or another process goes on with the same run (`WouldBlock`).
pub async fn run(options: &Options, log: Log, before: &Results, watch: &dyn Watch) -> io::Result<Finished> {
    let resumed = before.runs().find(|run| run.host == options.host && run.plan == options.plan).cloned();
    let is_new = resumed.is_none();
    let run = resumed.unwrap_or_else(|| Run {
        schema: SCHEMA.to_owned(),
        run: new_id(),
        host: options.host.clone(),
        began: now(),
        version: options.version.clone(),
        machine: Machine::here(),
        plan: options.plan.clone(),
        notes: options.notes.clone(),
    });
    // What another process of the run has in flight ends by its deadline, and is deleted then.
    let longest = options.plan.cells().iter().map(|cell| options.plan.limit(cell.size.0)).fold(0.0, f64::max);
    let limit = Duration::from_secs_f64(longest) + Duration::from_secs(options.plan.deadline);
    let Some(_alone) = Alone::claim(&run.run, limit, || watch.stops() || log.is_lost()).await? else {
        return Ok(Finished { stopped: true, ..Finished::default() });
    };
    let tried = before.tried(&run.run);
    let clock = Clock::of(run.began, before.samples().filter(|sample| sample.run == run.run));
    let mut runner = Runner { run, clock, log, watch, tried, finished: Finished::default() };
    if is_new {
        let line = Line::Run(Box::new(runner.run.clone()));
        runner.add(&line)?;
    }
    let cells: Vec<(usize, Cell)> = options.plan.cells().into_iter().enumerate().map(|(at, c)| (at + 1, c)).collect();
    let of = cells.len();
    for of_target in cells.chunk_by(|one, other| one.1.target == other.1.target) {
        if runner.stops() {
            runner.finished.stopped = true;
            break;
        }
        runner.target(of_target, of, options).await?;
    }
    // Also in the last cell.
    runner.finished.stopped |= runner.stops() && runner.finished.skipped > 0;
    let end = End { run: runner.run.run.clone(), at: runner.clock.at(), stopped: runner.finished.stopped };
    runner.add(&Line::End(end))?;
    Ok(runner.finished)
}

#[cfg(test)]
mod tests;
