//! What all measuring commands have in common: the file of results, the deadlines, and the run itself.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::over_ssh::Taken;
use super::{results, worker};
use crate::commands::args::stop_now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::bench::{RunView, needs, text};
use crate::report::{Printer, streams};
use sftpctl_bench::host::Machine;
use sftpctl_bench::plan::{Cell, Plan, Target};
use sftpctl_bench::record::{Log, Results};
use sftpctl_bench::runner::{self, Finished, Watch};
use sftpctl_bench::size::Size;
use sftpctl_bench::stream::Stream;
use sftpctl_bench::summary::Report;
use sftpctl_bench::target::Access;
use sftpctl_bench::versions;
use sftpctl_core::shell_word::shell_word;
use sftpctl_engine::execute::stop::Stop;

/// Where the results go. A file of an interrupted run is resumed.
#[derive(Debug, clap::Args)]
pub(super) struct ResultsArgs {
    /// File for the results; the same file again resumes the run
    #[arg(long, value_name = "FILE", default_value = "bench.jsonl")]
    results: PathBuf,
    /// Name of this machine in the results [default: its host name]
    #[arg(long, value_name = "NAME")]
    host_name: Option<String>,
}

/// When an operation is stuck.
#[derive(Debug, clap::Args)]
pub(super) struct DeadlineArgs {
    /// Seconds that any operation may take, beside what its size needs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    deadline: u64,
    /// MB a second that a transfer has at least
    #[arg(long, value_name = "MB", default_value_t = 1.0, value_parser = speed)]
    slowest: f64,
    /// Operations stuck in a row after which the rest is skipped
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    give_up_after: u32,
    /// Put files that the target has no room for, too: its disk fills up
    #[arg(long)]
    fill: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let is_possible = |speed: &f64| (0.001..=100_000.0).contains(speed);
    text.parse().ok().filter(is_possible).ok_or_else(|| "0.001 to 100000 MB a second are possible".to_owned())
}

impl DeadlineArgs {
    /// A plan for one target with these deadlines.
    pub(super) fn plan(&self, target: Target) -> Plan {
        Plan {
            deadline: self.deadline,
            slowest: self.slowest,
            give_up_after: self.give_up_after,
            fill: self.fill,
            ..Plan::of(vec![target])
        }
    }
}

struct Shown {
    printer: Printer,
    stop: Stop,
    /// The end of the connection that this machine was started over.
    connection: Option<Stop>,
    stored: u64,
    fills: bool,
}

impl Watch for Shown {
    fn begins(&self, cell: &Cell, number: usize, of: usize) {
        self.printer.note(|| format!("[{number}/{of}] {}: {}", cell.target, cell.words()));
    }

    fn problem(&self, text: String) {
        self.printer.note(|| text);
    }

    fn room(&self, target: &str, free: Option<u64>) {
        let Some(free) = free else { return };
        self.printer.note(|| format!("{target}: {} are free there", Size(free).about()));
        if free < self.stored {
            let then = match self.fills {
                true => "writes will fail",
                false => "what does not fit is not tried (--fill tries it)",
            };
            streams::progress(format!(
                "warning: {target} has less free space than the {} that are needed at once: {then}",
                Size(self.stored).about()
            ));
        }
    }

    fn stops(&self) -> bool {
        self.stop.requested() || self.connection.as_ref().is_some_and(Stop::requested)
    }
}

/// Measures the only target of a plan, at once.
pub(super) async fn go_one(plan: Plan, access: Access, args: &ResultsArgs, printer: Printer) -> Result<Exit, CliError> {
    let names = plan.targets.iter().map(|target| target.name.clone());
    let access = names.zip([access]).collect();
    go(plan, access, args, None, printer).await
}

/// Measures, and shows the result. `begins` is when.
pub(super) async fn go(
    plan: Plan,
    access: BTreeMap<String, Access>,
    args: &ResultsArgs,
    begins: Option<jiff::Timestamp>,
    printer: Printer,
) -> Result<Exit, CliError> {
    let path = &args.results;
    let (log, before) = Log::open(path).map_err(|error| unusable(args, &error))?;
    let host = args.host_name.clone().unwrap_or_else(|| Machine::here().name);
    let mut runs = before.runs().peekable();
    let is_begun = runs.peek().is_some();
    if is_begun && !runs.any(|run| run.plan == plan && run.host == host) {
        let name = path.display();
        return Err(CliError::new(
            Exit::Usage,
            format!("{name} has the results of another plan, or of another machine"),
        )
        .hint("name another file with --results, or repeat the command that began it to resume that run"));
    }
    let taken = plan.needs();
    printer.note(|| needs(&plan, taken));
    if is_begun {
        printer.note(|| format!("resuming the run in {}", path.display()));
    }
    let options = options(plan, access, host).await?;
    if let Some(begins) = begins {
        wait_until(begins, None, printer).await;
    }
    let finished = measure(&options, log, &before, None, printer).await.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => goes_on(&error),
        _ => CliError::new(Exit::Failed, format!("the results cannot be written to {}: {error}", path.display()))
            .hint("make room, then rerun the same command to resume: it also deletes what this run has put"),
    })?;
    if finished.stopped {
        streams::progress("stopped: rerun the same command to resume");
    }
    let report = Report::of(&results::read(path)?);
    let view = RunView::new(path.display().to_string(), finished, &report);
    printer.emit("bench-run/1", &view, || text(&report));
    printer.note(|| {
        let word = shell_word(&path.display().to_string());
        format!("a page with charts: sftpctl bench report {word} --html bench.html")
    });
    Ok(exit(finished))
}

/// Measures for another machine: the results go to standard output as they are measured, and nothing else does.
pub(super) async fn go_over_ssh(
    plan: Plan,
    access: BTreeMap<String, Access>,
    args: &ResultsArgs,
    begins: Option<jiff::Timestamp>,
    taken: Taken,
    printer: Printer,
) -> Result<Exit, CliError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => goes_on(&error),
        _ => CliError::new(Exit::Failed, format!("the results cannot be sent: {error}")),
    };
    let Taken { before, connection, .. } = taken;
    let host = args.host_name.clone().unwrap_or_else(|| Machine::here().name);
    if before.runs().any(|run| run.plan != plan || run.host != host) {
        return Err(CliError::new(Exit::Usage, "the earlier results are of another plan, or of another machine"));
    }
    let log = Log::stream(Stream::stdout().map_err(failed)?);
    let options = options(plan, access, host).await?;
    if let Some(begins) = begins
        && !wait_until(begins, Some(&connection), printer).await
    {
        return Ok(Exit::Interrupted);
    }
    measure(&options, log, &before, Some(connection), printer).await.map(exit).map_err(failed)
}

/// Another process has the run that is to be resumed.
fn goes_on(error: &io::Error) -> CliError {
    CliError::new(Exit::Locked, error.to_string())
        .hint("it ends once it notices that its connection is lost; rerun the same command then")
}

/// What a run is told, with the versions of the programs that it uses.
async fn options(plan: Plan, access: BTreeMap<String, Access>, host: String) -> Result<runner::Options, CliError> {
    let (program, notes) = (worker::program()?, versions::of(&plan).await);
    Ok(runner::Options { plan, host, program, access, version: env!("CARGO_PKG_VERSION").to_owned(), notes })
}

/// The run itself.
async fn measure(
    options: &runner::Options,
    log: Log,
    before: &Results,
    connection: Option<Stop>,
    printer: Printer,
) -> io::Result<Finished> {
    let plan = &options.plan;
    let longest = plan.cells().iter().map(|cell| plan.limit(cell.size.0)).fold(0.0, f64::max);
    let stop = Stop::on_signals(
        move || {
            streams::progress(format!(
                "stopping after the operations in flight, for at most {longest:.0} s; then what was put is deleted. Ctrl-C \
                 again stops at once, and leaves it"
            ));
        },
        stop_now,
    );
    let (stored, fills) = (options.plan.needs().stored, options.plan.fill);
    let shown = Shown { printer, stop, connection, stored, fills };
    runner::run(options, log, before, &shown).await
}

fn unusable(args: &ResultsArgs, error: &io::Error) -> CliError {
    let path = args.results.display();
    match error.kind() {
        io::ErrorKind::WouldBlock => CliError::new(Exit::Locked, format!("another run writes to {path}"))
            .hint("name another file with --results"),
        io::ErrorKind::InvalidData => CliError::new(Exit::Usage, format!("{path} is not a file of results: {error}"))
            .hint("name another file with --results"),
        io::ErrorKind::InvalidInput => {
            CliError::new(Exit::Usage, format!("cannot write {path}: {error}")).hint("name a file with --results")
        }
        _ => CliError::new(Exit::Usage, format!("cannot write {path}: {error}")),
    }
}

fn exit(finished: Finished) -> Exit {
    match finished {
        Finished { stopped: true, .. } => Exit::Interrupted,
        Finished { skipped: 0, left: 0, problems: 0, .. } => Exit::Ok,
        Finished { skipped: 0, left: 0, .. } => Exit::Failed,
        _ => Exit::Partly,
    }
}

/// Waits for the time at which all machines begin. `false` if the connection ended before.
async fn wait_until(begins: jiff::Timestamp, connection: Option<&Stop>, printer: Printer) -> bool {
    let left = begins.duration_since(jiff::Timestamp::now());
    let Ok(left) = Duration::try_from(left) else {
        streams::progress(format!("warning: {begins} has passed; the other machines began without this one"));
        return true;
    };
    printer.note(|| format!("waiting for {begins}"));
    let ended = async {
        match connection {
            Some(connection) => connection.canceled().await,
            None => std::future::pending().await,
        }
    };
    tokio::time::timeout(left, ended).await.is_err()
}
