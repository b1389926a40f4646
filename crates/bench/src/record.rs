//! Results: lines of JSON, of which each is whole on the disk before the next operation of its thread begins. Pure, but
//! for [`Log`], which appends them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::host::{Load, Machine};
use crate::plan::{Action, Cell, Plan};
use crate::stream::Stream;
use crate::wire::Step;

/// The name of the format.
pub const SCHEMA: &str = "sftpctl/bench/1";
/// How the first line begins.
const BEGINNING: &str = "{\"type\":\"run\",";

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Line {
    Run(Box<Run>),
    /// A cell begins, or goes on after an interruption.
    Cell(Box<Begun>),
    Sample(Box<Sample>),
    /// A cell ended, or what of it was measured without an interruption.
    Measured(Measured),
    /// Iterations that were not tried.
    Skipped(Skipped),
    /// What could not be deleted.
    Left(Left),
    End(End),
}

/// The beginning of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub schema: String,
    /// The ID of the run, which the names of its files have.
    pub run: String,
    /// The machine's name in a run of several.
    pub host: String,
    /// Seconds since 1970.
    pub began: f64,
    pub version: String,
    pub machine: Machine,
    pub plan: Plan,
    /// What else belongs to the run: versions of the programs that were used, or where figures are from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    pub run: String,
    pub cell: Cell,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Ok,
    /// With an error.
    Failed,
    /// What came back is not what was put.
    Differs,
    /// Not before its deadline.
    Stuck,
    /// Its process ended.
    Died,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    pub run: String,
    /// The ID of the cell.
    pub cell: String,
    pub action: Action,
    /// From 1.
    pub thread: u32,
    /// From 1; those that warm up come first.
    pub iteration: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub warmup: bool,
    /// Seconds since the run began.
    pub at: f64,
    pub seconds: f64,
    pub bytes: u64,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The process that even a kill did not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u32>,
    /// Processor seconds of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
}

impl Sample {
    /// One of which nothing is known but what it is about: of a cell's ID, and of a thread's iteration.
    pub fn begun(run: &str, cell: &str, action: Action, (thread, iteration): (u32, u32)) -> Self {
        Self {
            run: run.to_owned(),
            cell: cell.to_owned(),
            action,
            thread,
            iteration,
            warmup: false,
            at: 0.0,
            seconds: 0.0,
            bytes: 0,
            outcome: Outcome::Ok,
            step: None,
            errno: None,
            message: None,
            abandoned: None,
            cpu: None,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    pub run: String,
    pub cell: String,
    /// From the first measured operation to the last.
    pub seconds: f64,
    /// Of the operations that succeeded in this time.
    pub bytes: u64,
    pub operations: u64,
    pub load: Load,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    pub run: String,
    pub cell: String,
    pub count: u64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    pub run: String,
    pub target: String,
    pub what: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    pub run: String,
    /// Seconds since the run began.
    pub at: f64,
    /// Whether it was stopped.
    pub stopped: bool,
}

/// A file of results that was read.
#[derive(Clone, Debug, Default)]
pub struct Results {
    pub lines: Vec<Line>,
    /// Bytes that are whole lines.
    whole: u64,
}

/// Why results cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl Line {
    /// What cannot be in it, such as a time before the run began.
    fn fault(&self) -> Option<&'static str> {
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        let is_possible = match self {
            Self::Run(run) => is_time(run.began),
            Self::Sample(sample) => is_time(sample.at) && is_time(sample.seconds) && sample.cpu.is_none_or(is_time),
            Self::Measured(measured) => is_time(measured.seconds),
            Self::End(end) => is_time(end.at),
            Self::Cell(_) | Self::Skipped(_) | Self::Left(_) => true,
        };
        (!is_possible).then_some("seconds must be 0 or more")
    }
}

/// Reads a line.
///
/// # Errors
/// It is not one of results; the message says why.
pub fn line(text: &str) -> Result<Line, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match line.fault() {
        None => Ok(line),
        Some(fault) => Err(fault.to_owned()),
    }
}

/// Reads lines. The last one may be half of one, from a run that was killed.
///
/// # Errors
/// A line is not one of results.
pub fn parse(text: &str) -> Result<Results, Unreadable> {
    let mut results = Results::default();
    for (number, text) in text.split_inclusive('\n').enumerate() {
        let is_whole = text.ends_with('\n');
        if text.trim().is_empty() {
            results.whole += if is_whole { text.len() as u64 } else { 0 };
            continue;
        }
        match line(text) {
            Ok(read) => results.lines.push(read),
            Err(_) if !is_whole => break,
            Err(message) => return Err(Unreadable { line: number + 1, message }),
        }
        results.whole += text.len() as u64;
    }
    match results.lines.first() {
        None => Err(Unreadable { line: 1, message: "there are no results".to_owned() }),
        Some(Line::Run(run)) if run.schema == SCHEMA => Ok(results),
        Some(Line::Run(run)) => Err(Unreadable { line: 1, message: format!("unknown format `{}`", run.schema) }),
        Some(_) => Err(Unreadable { line: 1, message: "the first line is not the beginning of a run".to_owned() }),
    }
}

impl Results {
    /// The beginnings of the runs.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.lines.iter().filter_map(|line| match line {
            Line::Run(run) => Some(&**run),
            _ => None,
        })
    }

    /// The samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.lines.iter().filter_map(|line| match line {
            Line::Sample(sample) => Some(&**sample),
            _ => None,
        })
    }

    /// The cells that were begun, by their IDs, in the order of their beginning.
    pub fn cells(&self) -> Vec<&Cell> {
        let mut seen = BTreeSet::new();
        let begun = self.lines.iter().filter_map(|line| match line {
            Line::Cell(begun) => Some(&begun.cell),
            _ => None,
        });
        begun.filter(|cell| seen.insert(cell.id())).collect()
    }

    /// The lines of the runs of a machine.
    pub fn of_host(&self, host: &str) -> Vec<Line> {
        let runs: BTreeSet<&str> = self.runs().filter(|run| run.host == host).map(|run| run.run.as_str()).collect();
        self.lines.iter().filter(|line| runs.contains(line.run())).cloned().collect()
    }

    /// What a run that goes on from these results has to know of them: which runs there are, and what they have tried.
    pub fn to_resume(&self) -> Vec<Line> {
        let is_needed = |line: &&Line| matches!(line, Line::Run(_) | Line::Sample(_));
        self.lines.iter().filter(is_needed).cloned().collect()
    }

    /// Whether nothing is left to do of this plan on a machine: every iteration was tried, and the run has ended after
    /// that and could delete what it had put.
    pub fn is_complete(&self, plan: &Plan, host: &str) -> bool {
        let Some(run) = self.runs().find(|run| run.host == host && run.plan == *plan) else { return false };
        let tried = self.tried(&run.run);
        let (mut has_ended, mut is_left) = (false, false);
        for line in self.lines.iter().filter(|line| line.run() == run.run) {
            has_ended = matches!(line, Line::End(_)) && !is_left;
            is_left = match line {
                Line::Left(_) => true,
                Line::End(_) => false,
                _ => is_left,
            };
        }
        has_ended && plan.cells().iter().all(|cell| rest(cell, tried.get(&cell.id())) == 0)
    }

    /// The iterations of a run that were tried: cell, thread, iteration.
    pub fn tried(&self, run: &str) -> BTreeMap<String, BTreeSet<(u32, u32)>> {
        let mut tried: BTreeMap<String, BTreeSet<(u32, u32)>> = BTreeMap::new();
        for sample in self.samples().filter(|sample| sample.run == run) {
            tried.entry(sample.cell.clone()).or_default().insert((sample.thread, sample.iteration));
        }
        tried
    }
}

/// Iterations of a cell that were not tried.
pub fn rest(cell: &Cell, tried: Option<&BTreeSet<(u32, u32)>>) -> u64 {
    let all = u64::from(cell.threads) * u64::from(cell.warmup + cell.iterations);
    // What came before the first iteration is none.
    let tried = tried.map_or(0, |tried| tried.iter().filter(|(_, iteration)| *iteration > 0).count());
    all.saturating_sub(tried as u64)
}

/// The lines of several files as those of one: all runs first, and no line twice.
///
/// # Errors
/// The runs have different plans; the message says which.
pub fn merge(files: Vec<(String, Results)>) -> Result<Vec<Line>, String> {
    let mut runs: Vec<Run> = Vec::new();
    let mut rest = Vec::new();
    for (name, results) in files {
        let mut known: BTreeSet<String> = runs.iter().map(|run| run.run.clone()).collect();
        let mut taken = BTreeSet::new();
        for line in results.lines {
            match line {
                Line::Run(run) if taken.contains(&run.run) => {}
                Line::Run(run) => {
                    if let Some(first) = runs.first().filter(|first| first.plan != run.plan) {
                        return Err(format!("{name} has another plan than the run {} of {}", first.run, first.host));
                    }
                    if known.insert(run.run.clone()) {
                        taken.insert(run.run.clone());
                        runs.push(*run);
                    }
                }
                line if taken.contains(line.run()) => rest.push(line),
                _ => {}
            }
        }
    }
    Ok(runs.into_iter().map(|run| Line::Run(Box::new(run))).chain(rest).collect())
}

impl Line {
    /// The run that a line belongs to.
    pub fn run(&self) -> &str {
        match self {
            Self::Run(run) => &run.run,
            Self::Cell(begun) => &begun.run,
            Self::Sample(sample) => &sample.run,
            Self::Measured(measured) => &measured.run,
            Self::Skipped(skipped) => &skipped.run,
            Self::Left(left) => &left.run,
            Self::End(end) => &end.run,
        }
    }
}

/// Opens a file to append results to, and reads what is in it; a half line at its end is cut off. A lock keeps a second
/// run away. A new file is readable by the user alone.
///
/// # Errors
/// It cannot be opened; it is no regular file (`InvalidInput`), such as a device, which may have no end; it is locked
/// (`WouldBlock`); or it is not a file of results (`InvalidData`).
pub fn open(path: &Path) -> io::Result<(File, Results)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if text.trim().is_empty() {
        return Ok((file, Results::default()));
    }
    let results = match parse(&text) {
        Ok(results) => results,
        // A run that ended in the middle of its first line.
        Err(_) if !text.contains('\n') && (text.starts_with(BEGINNING) || BEGINNING.starts_with(&text)) => {
            file.set_len(0)?;
            return Ok((file, Results::default()));
        }
        Err(error) => {
            let message = format!("line {}: {}", error.line, error.message);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    };
    file.set_len(results.whole)?;
    // The last line may lack only its end.
    if !text.get(..usize::try_from(results.whole).unwrap_or_default()).unwrap_or_default().ends_with('\n') {
        file.write_all(b"\n")?;
    }
    Ok((file, results))
}

/// Lines as the text of a file.
///
/// # Errors
/// A line cannot be written as JSON.
pub fn to_text(lines: &[Line]) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    Ok(text)
}

/// Where results go: a file to which they are appended, or a connection.
#[derive(Debug)]
pub struct Log(To);

#[derive(Debug)]
enum To {
    File(File),
    Stream(Stream),
}

impl Log {
    /// Results over a connection.
    pub fn stream(stream: Stream) -> Self {
        Self(To::Stream(stream))
    }

    /// Whether nobody reads the results any more.
    pub fn is_lost(&self) -> bool {
        matches!(&self.0, To::Stream(stream) if stream.is_lost())
    }

    /// Opens a file as [`open`] does.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> io::Result<(Self, Results)> {
        open(path).map(|(file, results)| (Self(To::File(file)), results))
    }

    /// Appends a line.
    ///
    /// # Errors
    /// The file cannot be written. Of a connection, [`Self::is_lost`] says that.
    pub fn add(&mut self, line: &Line) -> io::Result<()> {
        let text = format!("{}\n", serde_json::to_string(line)?);
        match &mut self.0 {
            To::File(file) => file.write_all(text.as_bytes()),
            To::Stream(stream) => {
                stream.write(text.as_bytes());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::content::Content;
    use crate::plan::{Sizes, Target};
    use crate::size::Size;

    pub(crate) fn run(name: &str) -> Run {
        let target = Target {
            name: "mount".into(),
            at: "/sftp".into(),
            region: None,
            identity: None,
            password_file: None,
            ssh_config: None,
        };
        let plan = Plan { sizes: Some(Sizes::default()), ..Plan::of(vec![target]) };
        Run {
            schema: SCHEMA.into(),
            run: name.into(),
            host: name.into(),
            began: 0.0,
            version: "0".into(),
            machine: Machine::default(),
            plan,
            notes: Vec::new(),
        }
    }

    pub(crate) fn sample(run: &str, cell: &str, thread: u32, iteration: u32) -> Sample {
        Sample { seconds: 1.0, bytes: 1, ..Sample::begun(run, cell, Action::Put, (thread, iteration)) }
    }

    #[test]
    fn a_killed_run_is_read_up_to_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.jsonl");
        let (mut log, before) = Log::open(&path).unwrap();
        assert!(before.lines.is_empty());
        let busy = Log::open(&path).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::WouldBlock);
        log.add(&Line::Run(Box::new(run("a")))).unwrap();
        log.add(&Line::Sample(Box::new(sample("a", "c", 1, 1)))).unwrap();
        drop(log);
        let whole = std::fs::read_to_string(&path).unwrap();
        // Cut off at each byte of the last line.
        let first = whole.find('\n').unwrap() + 1;
        for end in [1, BEGINNING.len() - 1, BEGINNING.len(), first / 2, first - 2] {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (_, results) = Log::open(&path).unwrap();
            assert_eq!((results.lines.len(), path.metadata().unwrap().len()), (0, 0), "{end}");
        }
        assert_eq!(open(Path::new("/dev/null")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        std::fs::write(&path, "my notes").unwrap();
        assert_eq!(Log::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for end in first..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (mut log, results) = Log::open(&path).unwrap();
            let has_all = end >= whole.len() - 1;
            assert_eq!(results.samples().count(), usize::from(has_all), "{end}");
            assert_eq!(results.tried("a").len(), usize::from(has_all));
            log.add(&Line::Sample(Box::new(sample("a", "c", 1, 2)))).unwrap();
            drop(log);
            let again = parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(again.samples().count(), 1 + usize::from(has_all), "{end}");
        }
    }

    #[test]
    fn a_machine_is_complete_once_all_was_tried_and_deleted() {
        let mut begun = run("a");
        let sizes = Sizes { sizes: vec![Size(1)], content: vec![Content::Text], repeat: 2, warmup: 0, cached: false };
        begun.plan.sizes = Some(sizes);
        let plan = begun.plan.clone();
        let cells = plan.cells();
        let mut results = Results { lines: vec![Line::Run(Box::new(begun))], whole: 0 };
        let end = || Line::End(End { run: "a".into(), at: 1.0, stopped: false });
        for (cell, iteration) in cells.iter().flat_map(|cell| [(cell, 1), (cell, 2)]) {
            results.lines.push(end());
            assert!(!results.is_complete(&plan, "a"), "not all was tried");
            results.lines.push(Line::Sample(Box::new(sample("a", &cell.id(), 1, iteration))));
        }
        assert!(!results.is_complete(&plan, "a"), "it has not ended");
        let left = Left { run: "a".into(), target: "mount".into(), what: "x".into(), reason: "busy".into() };
        results.lines.extend([Line::Left(left), end()]);
        assert!(!results.is_complete(&plan, "a"), "something could not be deleted");
        results.lines.push(end());
        assert!(results.is_complete(&plan, "a"));
        let other = Plan { deadline: 1, ..plan.clone() };
        assert!(!results.is_complete(&other, "a") && !results.is_complete(&plan, "b"));
        assert_eq!((results.of_host("a").len(), results.of_host("b").len()), (results.lines.len(), 0));
        assert_eq!(results.to_resume().len(), 1 + 2 * cells.len());
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["{\"a\":1}\n", "hello\n", "", "{\"type\":\"end\",\"run\":\"a\",\"at\":0,\"stopped\":false}\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let other = Run { schema: "sftpctl/bench/2".into(), ..run("a") };
        let text = format!("{}\n", serde_json::to_string(&Line::Run(Box::new(other))).unwrap());
        assert!(parse(&text).unwrap_err().message.contains("sftpctl/bench/2"));
        let text = format!("{}\nnot a line\n", serde_json::to_string(&Line::Run(Box::new(run("a")))).unwrap());
        assert_eq!(parse(&text).unwrap_err().line, 2);
    }

    #[test]
    fn runs_of_one_plan_are_merged_without_doubles() {
        let of = |name: &str| Results {
            lines: vec![Line::Run(Box::new(run(name))), Line::Sample(Box::new(sample(name, "c", 1, 1)))],
            whole: 0,
        };
        let files = vec![("a".to_owned(), of("a")), ("b".to_owned(), of("b")), ("again".to_owned(), of("a"))];
        let merged = merge(files).unwrap();
        let names: Vec<&str> = merged.iter().map(Line::run).collect();
        assert_eq!(names, ["a", "b", "a", "b"]);
        let mut other = of("c");
        if let Line::Run(run) = &mut other.lines[0] {
            run.plan.deadline += 1;
        }
        let refused = merge(vec![("a".to_owned(), of("a")), ("c.jsonl".to_owned(), other)]).unwrap_err();
        assert!(refused.contains("c.jsonl has another plan"), "{refused}");
    }
}
