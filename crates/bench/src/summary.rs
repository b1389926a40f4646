//! What results say: a row for each cell and direction, how it scales with threads, and what did not succeed. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::content::Content;
use crate::host::{Load, Machine};
use crate::plan::{Action, Cell, Test};
use crate::record::{Line, Measured, Outcome, Results, Run, Sample};
use crate::runner::problem;
use crate::size::Size;
use crate::stats;

/// What is compared with its like: all but the target and the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub test: Test,
    pub size: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    pub direction: Direction,
    pub threads: u32,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    Put,
    Get,
    GetCached,
    /// The puts of threads that put and get in turn.
    PutOfBoth,
    GetOfBoth,
    Login,
}

impl Direction {
    fn of(cell: &Cell, action: Action) -> Self {
        match (cell.action, action) {
            (Action::Both, Action::Put) => Self::PutOfBoth,
            (Action::Both, _) => Self::GetOfBoth,
            (_, Action::Put | Action::Both) => Self::Put,
            (_, Action::Get) => Self::Get,
            (_, Action::GetCached) => Self::GetCached,
            (_, Action::Login) => Self::Login,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::GetCached => "get, cached",
            Self::PutOfBoth => "put, of both",
            Self::GetOfBoth => "get, of both",
            Self::Login => "log-in",
        }
    }
}

/// The samples of a cell and direction, of all machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub target: String,
    #[serde(flatten)]
    pub key: Key,
    /// Machines that have measured it.
    pub hosts: usize,
    /// MB a second of each transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<stats::Summary>,
    /// Seconds of each operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<stats::Summary>,
    /// MB a second of all threads and machines together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<f64>,
    /// Operations a second of all threads and machines together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<f64>,
    pub stuck: u64,
    pub failed: u64,
    /// Iterations that were not tried.
    pub skipped: u64,
    /// What the busiest of the machines did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Bytes a second of that machine's network, in the direction with more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<f64>,
    /// Processor seconds of the workers for 100 MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Seconds of each operation that succeeded.
    #[serde(skip)]
    pub times: Vec<f64>,
}

/// How the speed of a target changes with threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    pub target: String,
    pub size: Size,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    pub direction: Direction,
    /// The number of threads after which no greater one is shown to be faster.
    pub grows_to: u32,
    /// The most threads that were measured.
    pub measured_to: u32,
    /// What limits it there, with the counters of the machine.
    pub limit: String,
}

/// Something that did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub host: String,
    /// Seconds since the run began.
    pub at: f64,
    pub outcome: Outcome,
    pub text: String,
    /// How often the same was said of the same cell.
    pub count: usize,
    /// How often of them it was an operation that warms up, which no row counts.
    pub warmup: usize,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who measured: the machines and the versions.
    pub runs: Vec<Run>,
    pub rows: Vec<Row>,
    pub scaling: Vec<Scaling>,
    pub problems: Vec<Problem>,
    /// Cells that are not complete, with their reasons.
    pub skipped: Vec<String>,
    /// What could not be deleted.
    pub left: Vec<String>,
}

impl Report {
    /// What these results say.
    pub fn of(results: &Results) -> Self {
        let rows = rows(results);
        let machines: Vec<&Machine> = results.runs().map(|run| &run.machine).collect();
        Self {
            scaling: scaling(&rows, &machines),
            problems: problems(results),
            skipped: skipped(results),
            left: left(results),
            runs: results.runs().cloned().collect(),
            rows,
        }
    }
}

/// Samples that count: those that were measured.
fn measured(sample: &Sample) -> bool {
    !sample.warmup && sample.iteration > 0
}

fn rows(results: &Results) -> Vec<Row> {
    let mut ends: BTreeMap<(&str, &str), Vec<&Measured>> = BTreeMap::new();
    let mut samples: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for line in &results.lines {
        match line {
            Line::Measured(end) => ends.entry((&end.cell, &end.run)).or_default().push(end),
            Line::Sample(sample) => samples.entry(&sample.cell).or_default().push(sample),
            _ => {}
        }
    }
    let mut rows = Vec::new();
    for cell in results.cells() {
        let id = cell.id();
        let all = samples.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let counted = all.iter().filter(|sample| measured(sample));
        let mut directions: Vec<Direction> = counted.map(|sample| Direction::of(cell, sample.action)).collect();
        directions.sort();
        directions.dedup();
        // Of a get whose file could not be put, there is a put alone, which is not measured.
        if directions.is_empty() && !all.is_empty() {
            directions.push(Direction::of(cell, cell.action));
        }
        for direction in directions {
            let of: Vec<&Sample> =
                all.iter().copied().filter(|s| measured(s) && Direction::of(cell, s.action) == direction).collect();
            let ends = ends.range((id.as_str(), "")..).take_while(|((cell, _), _)| *cell == id);
            let ends: Vec<&Vec<&Measured>> = ends.map(|(_, ends)| ends).collect();
            rows.push(row(cell, direction, &of, &ends, results));
        }
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "numbers of which four digits are shown")]
fn row(cell: &Cell, direction: Direction, of: &[&Sample], ends: &[&Vec<&Measured>], results: &Results) -> Row {
    let good: Vec<&&Sample> = of.iter().filter(|sample| sample.outcome == Outcome::Ok).collect();
    let speeds: Vec<f64> = good
        .iter()
        .filter(|sample| sample.bytes > 0 && sample.seconds > 0.0)
        .map(|sample| Size(sample.bytes).mb() / sample.seconds)
        .collect();
    let times: Vec<f64> = good.iter().map(|sample| sample.seconds).collect();
    let mut hosts: Vec<&str> = of.iter().map(|sample| sample.run.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    // Of cells in both directions, each has its share of what went through.
    let bytes: u64 = good.iter().map(|sample| sample.bytes).sum();
    let (mut together, mut operations, mut all_bytes) = (0.0, 0.0, 0);
    let mut busiest: Option<(Load, f64)> = None;
    for parts in ends {
        let spent: f64 = parts.iter().map(|end| end.seconds).sum();
        let moved: u64 = parts.iter().map(|end| end.bytes).sum();
        if spent > 0.0 {
            together += Size(moved).mb() / spent;
            operations += parts.iter().map(|end| end.operations).sum::<u64>() as f64 / spent;
        }
        all_bytes += moved;
        for end in *parts {
            if busiest.is_none_or(|(load, _)| end.load.busy > load.busy) {
                let network = end.load.received.max(end.load.sent) as f64 / end.seconds.max(0.001);
                busiest = Some((end.load, network));
            }
        }
    }
    let is_half = matches!(direction, Direction::PutOfBoth | Direction::GetOfBoth);
    let share = if is_half && all_bytes > 0 { (bytes as f64 / all_bytes as f64).min(1.0) } else { 1.0 };
    let cpu: f64 = good.iter().filter_map(|sample| sample.cpu).sum();
    let expected = results.runs().filter(|run| hosts.contains(&run.run.as_str())).count() as u64
        * u64::from(cell.threads)
        * u64::from(cell.iterations);
    let count = |outcome: &[Outcome]| of.iter().filter(|sample| outcome.contains(&sample.outcome)).count() as u64;
    Row {
        target: cell.target.clone(),
        key: Key { test: cell.test, size: cell.size, content: cell.content, direction, threads: cell.threads },
        hosts: hosts.len(),
        speed: stats::Summary::of(&speeds),
        seconds: stats::Summary::of(&times),
        together: (!ends.is_empty() && bytes > 0).then_some(together * share),
        operations: (!ends.is_empty() && !good.is_empty()).then_some(operations * share),
        stuck: count(&[Outcome::Stuck]),
        failed: count(&[Outcome::Failed, Outcome::Differs, Outcome::Died]),
        skipped: if is_half { 0 } else { expected.saturating_sub(of.len() as u64) },
        load: busiest.map(|(load, _)| load),
        network: busiest.map(|(_, network)| network),
        cpu: (bytes > 0 && cpu > 0.0).then(|| cpu / Size(bytes).mb() * 100.0),
        times,
    }
}

/// The interval of what so many threads move together, if each is as fast as the median.
fn moved(row: &Row) -> Option<(f64, f64)> {
    let (low, high) = row.speed.as_ref()?.interval?;
    let threads = f64::from(row.key.threads);
    Some((low * threads, high * threads))
}

fn scaling(rows: &[Row], machines: &[&Machine]) -> Vec<Scaling> {
    let mut groups: BTreeMap<(&str, Size, Option<Content>, Direction), Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.key.test == Test::Threads) {
        let Key { size, content, direction, .. } = row.key;
        groups.entry((&row.target, size, content, direction)).or_default().push(row);
    }
    let mut all = Vec::new();
    for ((target, size, content, direction), mut rows) in groups {
        rows.sort_by_key(|row| row.key.threads);
        let known: Vec<(&&Row, (f64, f64))> = rows.iter().filter_map(|row| Some((row, moved(row)?))).collect();
        let faster = |at: usize, high: f64| known.iter().skip(at + 1).any(|(_, (low, _))| *low > high);
        let Some((at, (row, _))) = known.iter().enumerate().find(|(at, (_, (_, high)))| !faster(*at, *high)) else {
            continue;
        };
        let measured_to = known.last().map_or(row.key.threads, |(row, _)| row.key.threads);
        if known.len() < 2 {
            continue;
        }
        // What limits it shows where more threads bring nothing.
        let beyond = known.get(at + 1).map_or(row, |(next, _)| next);
        let limit = match measured_to > row.key.threads {
            true => limit(beyond, machines),
            false => "it grows as far as it was measured".to_owned(),
        };
        let target = target.to_owned();
        all.push(Scaling { target, size, content, direction, grows_to: row.key.threads, measured_to, limit });
    }
    all
}

/// Whether the machine or the service limits, by the machine's own counters.
fn limit(row: &Row, machines: &[&Machine]) -> String {
    let Some(load) = row.load else { return "unknown: there are no counters of the machine".to_owned() };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let processors =
        format!("its processors were busy to {}, the busiest to {}", percent(load.busy), percent(load.busiest));
    if load.busy >= 0.9 {
        return format!("the host: {processors}");
    }
    if load.busiest >= 0.95 {
        return format!("the host, probably a program with one busy thread: {processors}");
    }
    let network = row.network.unwrap_or_default();
    let mbit = network * 8.0 / 1e6;
    #[expect(clippy::cast_precision_loss, reason = "Mbit a second")]
    let link = machines.iter().filter_map(|machine| machine.link).min().map(|link| link as f64);
    match link {
        Some(link) if mbit >= 0.8 * link => {
            format!("the host's network: {mbit:.0} of {link:.0} Mbit/s; {processors}")
        }
        Some(link) => format!("the service, or the way there: {processors}; network {mbit:.0} of {link:.0} Mbit/s"),
        None => format!(
            "the service, or the way there: {processors}; network {mbit:.0} Mbit/s, the limit of which the machine does not say"
        ),
    }
}

fn problems(results: &Results) -> Vec<Problem> {
    let hosts: BTreeMap<&str, &str> = results.runs().map(|run| (run.run.as_str(), run.host.as_str())).collect();
    let mut all: Vec<Problem> = Vec::new();
    let mut seen: BTreeMap<(&str, &str, Outcome, Option<&str>), usize> = BTreeMap::new();
    for sample in results.samples().filter(|sample| sample.outcome != Outcome::Ok) {
        // What comes before the first iteration warms nothing up.
        let warmup = usize::from(sample.warmup && sample.iteration > 0);
        // What hung has a line each; the same error of the same cell is counted.
        let key = (sample.run.as_str(), sample.cell.as_str(), sample.outcome, sample.message.as_deref());
        if sample.outcome != Outcome::Stuck
            && let Some(problem) = seen.get(&key).and_then(|at| all.get_mut(*at))
        {
            problem.count += 1;
            problem.warmup += warmup;
            continue;
        }
        seen.insert(key, all.len());
        let host = hosts.get(sample.run.as_str()).copied().unwrap_or_default().to_owned();
        all.push(Problem { host, at: sample.at, outcome: sample.outcome, text: problem(sample), count: 1, warmup });
    }
    all
}

fn skipped(results: &Results) -> Vec<String> {
    let mut reasons: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in &results.lines {
        if let Line::Skipped(skipped) = line {
            reasons.insert((&skipped.run, &skipped.cell), &skipped.reason);
        }
    }
    let mut all = Vec::new();
    for run in results.runs() {
        let tried = results.tried(&run.run);
        for cell in run.plan.cells() {
            let id = cell.id();
            let expected = u64::from(cell.threads) * u64::from(cell.warmup + cell.iterations);
            let tried = tried.get(&id).map_or(0, |tried| tried.iter().filter(|(_, i)| *i > 0).count()) as u64;
            if tried < expected {
                let reason = reasons.get(&(run.run.as_str(), id.as_str())).copied().unwrap_or("the run has not ended");
                let left = expected - tried;
                all.push(format!("{}: {}: {left} of {expected} not tried: {reason}", cell.target, cell.words()));
            }
        }
    }
    all
}

fn left(results: &Results) -> Vec<String> {
    let left = results.lines.iter().filter_map(|line| match line {
        Line::Left(left) => Some(format!("{}: {}: {}", left.target, left.what, left.reason)),
        _ => None,
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Threads;
    use crate::record::tests::{run, sample};
    use crate::record::{Begun, parse};

    /// Results of threads whose transfers have these seconds, at 5 MB.
    fn threads(seconds: &[(u32, f64)], busy: f64) -> Results {
        let mut plan = run("a").plan;
        plan.sizes = None;
        plan.threads = Some(Threads {
            threads: seconds.iter().map(|(threads, _)| *threads).collect(),
            iterations: 10,
            warmup: 0,
            operations: vec![crate::plan::Operation::Put],
            ..Threads::default()
        });
        let cells = plan.cells();
        let mut lines = vec![Line::Run(Box::new(Run { plan, ..run("a") }))];
        for (cell, (threads, seconds)) in cells.iter().zip(seconds) {
            lines.push(Line::Cell(Box::new(Begun { run: "a".into(), cell: cell.clone() })));
            for thread in 1..=*threads {
                for iteration in 1..=10 {
                    let base = sample("a", &cell.id(), thread, iteration);
                    lines.push(Line::Sample(Box::new(Sample { bytes: 5_000_000, seconds: *seconds, ..base })));
                }
            }
            lines.push(Line::Measured(Measured {
                run: "a".into(),
                cell: cell.id(),
                seconds: seconds * 10.0,
                bytes: u64::from(*threads) * 50_000_000,
                operations: u64::from(*threads) * 10,
                load: Load { busy, busiest: busy, ..Load::default() },
            }));
        }
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        parse(&text).unwrap()
    }

    #[test]
    fn speed_grows_until_more_threads_bring_nothing() {
        // 5 MB/s, 10 MB/s, then no more than 12.
        let results = threads(&[(1, 1.0), (2, 1.0), (3, 1.25), (4, 1.667), (8, 3.334)], 0.2);
        let report = Report::of(&results);
        let [scaling] = &report.scaling[..] else { panic!("{:?}", report.scaling) };
        assert_eq!((scaling.grows_to, scaling.measured_to), (3, 8));
        assert!(scaling.limit.starts_with("the service"), "{}", scaling.limit);
        assert!(Report::of(&threads(&[(1, 1.0), (2, 2.0)], 0.97)).scaling[0].limit.starts_with("the host: "));
        let grows = &Report::of(&threads(&[(1, 1.0), (2, 1.0)], 0.97)).scaling[0];
        assert_eq!((grows.grows_to, grows.limit.as_str()), (2, "it grows as far as it was measured"));
        let row = &report.rows[1];
        assert!((row.together.unwrap() - 10.0).abs() < 0.01 && (row.operations.unwrap() - 2.0).abs() < 0.01, "{row:?}");
        assert_eq!((row.speed.as_ref().unwrap().count, row.skipped), (20, 0));
        assert!(report.skipped.is_empty() && report.problems.is_empty());
    }

    #[test]
    fn what_did_not_succeed_is_said_and_what_was_not_tried_counted() {
        let mut results = threads(&[(1, 1.0)], 0.0);
        let cell = results.cells()[0].id();
        results.lines.retain(|line| !matches!(line, Line::Sample(sample) if sample.iteration > 5));
        let base = sample("a", &cell, 1, 6);
        let stuck = Sample {
            outcome: Outcome::Stuck,
            seconds: 60.0,
            bytes: 2_000_000,
            step: Some(crate::wire::Step::Write),
            ..base.clone()
        };
        let dead = |iteration| Sample {
            iteration,
            outcome: Outcome::Failed,
            step: Some(crate::wire::Step::Open),
            errno: Some(107),
            message: Some("Transport endpoint is not connected".into()),
            bytes: 0,
            ..base.clone()
        };
        results.lines.extend([stuck, dead(7), dead(8)].map(|sample| Line::Sample(Box::new(sample))));
        let report = Report::of(&results);
        let said: Vec<(&str, usize)> = report.problems.iter().map(|p| (p.text.as_str(), p.count)).collect();
        assert_eq!(
            said,
            [
                (
                    "mount: stuck at 5MB text put, thread 1, iteration 6: aborted after 60 s while writing after 2.0 MB",
                    1
                ),
                (
                    "mount: failed at 5MB text put, thread 1, iteration 7: Transport endpoint is not connected, while opening \
                     the file",
                    2
                ),
            ]
        );
        let row = &report.rows[0];
        assert_eq!((row.stuck, row.failed, row.skipped), (1, 2, 2));
        assert_eq!(report.skipped, ["mount: 5MB text put: 2 of 10 not tried: the run has not ended"]);
    }

    #[test]
    fn machines_are_added_up() {
        let one = threads(&[(2, 1.0)], 0.5);
        let other: String = one
            .lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap().replace(r#""run":"a""#, r#""run":"b""#) + "\n")
            .collect();
        let files = vec![("a".to_owned(), one), ("b".to_owned(), parse(&other).unwrap())];
        let lines = crate::record::merge(files).unwrap();
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        let report = Report::of(&parse(&text).unwrap());
        let [row] = &report.rows[..] else { panic!("{:?}", report.rows) };
        assert_eq!((row.hosts, row.speed.as_ref().unwrap().count), (2, 40));
        assert!((row.together.unwrap() - 20.0).abs() < 0.01, "{row:?}");
    }
}
