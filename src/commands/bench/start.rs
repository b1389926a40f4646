//! `sftpctl bench hosts --start`: the runs of several machines over `ssh`, and their results.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::results;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::report::bench::text as report_text;
use crate::report::report_file::replace;
use crate::report::{Printer, streams};
use sftpctl_bench::hosts::{self, Ended, Hear, Heard, Machine, Stops};
use sftpctl_bench::plan::{Host, Plan, SILENCE};
use sftpctl_bench::record::{Line, Results, merge, open};
use sftpctl_bench::summary::Report;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;

/// Lines of a machine that are held back until it has the plan.
const HELD: usize = 20;

/// How the machines are reached, and where the results go.
#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    /// Start the runs by ssh, bring the results here and merge them
    #[arg(long)]
    start: bool,
    /// File for the merged results
    #[arg(long, value_name = "FILE", default_value = "all.jsonl")]
    pub(super) into: PathBuf,
    /// File for `ssh -F`, in place of your own configuration
    #[arg(short = 'F', long, value_name = "FILE", requires = "start")]
    ssh_config: Option<PathBuf>,
    /// The program sftpctl on the machines, by its path or name [default: that of the plan file, or sftpctl]
    #[arg(long, value_name = "PROGRAM")]
    program: Option<String>,
    /// Seconds that a machine may say nothing before it is given up; each says something every second [default: that of
    /// the plan file, or 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(silence()))]
    silence: Option<u32>,
}

fn silence() -> std::ops::RangeInclusive<i64> {
    i64::from(*SILENCE.start())..=i64::from(*SILENCE.end())
}

/// The result of all machines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    hosts: Vec<HostView>,
    /// The file with the merged results, if there are any.
    into: Option<String>,
    report: Option<Report>,
}

/// The result of a machine.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HostView {
    host: String,
    /// Operations in its results.
    operations: usize,
    /// Those of them that were there already.
    earlier: usize,
    /// Of `sftpctl bench run` there; `None` also if its results were complete already.
    exit_code: Option<i32>,
    /// Why it failed.
    failure: Option<String>,
}

impl StartArgs {
    /// Whether the runs are started, and not only shown.
    pub(super) fn is_asked(&self) -> bool {
        self.start
    }

    /// The program on a machine.
    pub(super) fn program<'a>(&'a self, host: &'a Host) -> &'a str {
        self.program.as_ref().or(host.program.as_ref()).map_or("sftpctl", String::as_str)
    }

    /// The file for one machine's results until they are merged.
    fn of(&self, host: &str) -> PathBuf {
        let mut name = self.into.clone().into_os_string();
        name.push(format!(".{host}"));
        name.into()
    }

    /// Whether there is something to resume.
    fn is_begun(&self, hosts: &[Host]) -> bool {
        let has_text = |path: &Path| path.metadata().is_ok_and(|facts| facts.len() > 0);
        has_text(&self.into) || hosts.iter().any(|host| has_text(&self.of(&host.name)))
    }

    /// The merged results of an earlier run, which these machines have measured with this plan.
    fn merged(&self, hosts: &[Host], plan: &Plan) -> Result<Option<Results>, CliError> {
        if !self.into.exists() {
            return Ok(None);
        }
        let read = results::read(&self.into)?;
        let into = self.into.display();
        let refused = |message: String| {
            Err(CliError::new(Exit::Usage, message)
                .hint("name another file with --into; `sftpctl bench compare` compares two results"))
        };
        if read.runs().any(|run| run.plan != *plan) {
            return refused(format!("{into} has the results of another plan"));
        }
        let other = read.runs().find(|run| !hosts.iter().any(|host| host.name == run.host));
        if let Some(other) = other {
            return refused(format!("{into} has results of {}, which is not among the machines", other.host));
        }
        Ok(Some(read))
    }

    /// The file for a machine's results, locked.
    fn open(&self, host: &str, plan: &Plan) -> Result<(File, Results), CliError> {
        let path = self.of(host);
        let shown = path.display();
        let (file, read) = open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => CliError::new(Exit::Locked, format!("another run writes to {shown}"))
                .hint("wait for its end, or name another file with --into"),
            io::ErrorKind::InvalidData => {
                CliError::new(Exit::Usage, format!("{shown} is not a file of results: {error}"))
                    .hint("name another file with --into")
            }
            _ => CliError::new(Exit::Usage, format!("cannot write {shown}: {error}")),
        })?;
        if read.runs().any(|run| run.plan != *plan || run.host != host) {
            let word = |path: &Path| shell_word(&path.display().to_string());
            let hint = format!(
                "name another file with --into, or keep it: mv {} {}",
                word(&path),
                word(&path.with_added_extension("old"))
            );
            return Err(CliError::new(Exit::Usage, format!("{shown} has the results of another plan")).hint(hint));
        }
        Ok((file, read))
    }

    /// A machine's results: those in its file, or else those that were merged, which its file gets.
    fn earlier(
        &self,
        host: &str,
        file: &mut File,
        read: Results,
        merged: Option<&Results>,
    ) -> Result<Results, CliError> {
        let lines = merged.map(|merged| merged.of_host(host)).unwrap_or_default();
        // If its file has lines, it has these and more.
        if lines.is_empty() || !read.lines.is_empty() {
            return Ok(read);
        }
        let (path, text) = (self.of(host), results::to_text(&lines)?);
        file.write_all(text.as_bytes())
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))?;
        results::of_text(&path, &text)
    }

    /// How a machine is reached.
    fn machine(&self, host: &Host, results: File, earlier: String) -> Machine {
        let silence = self.silence.or(host.silence).unwrap_or(30);
        let silence = Duration::from_secs(silence.into());
        let config = self.ssh_config.as_deref().or(host.ssh_config.as_deref());
        Machine {
            name: host.name.clone(),
            ssh: hosts::ssh(config, silence),
            program: self.program(host).to_owned(),
            silence,
            results,
            earlier,
        }
    }
}

/// Runs a plan, which is that of the text, on all machines.
pub(super) async fn start(
    args: &StartArgs,
    hosts: &[Host],
    (plan, text_of_plan): (Plan, String),
    begins: jiff::Timestamp,
    printer: Printer,
) -> Result<Exit, CliError> {
    let has_passed = begins <= jiff::Timestamp::now();
    if has_passed && !args.is_begun(hosts) {
        return Err(CliError::new(Exit::Usage, format!("{begins} has passed"))
            .hint("name a later time with --start-at: until then, each machine has to be reached"));
    }
    // Before there are files of machines. What another run merges in the meantime is read when all of them are locked.
    args.merged(hosts, &plan)?;
    let opened: Vec<_> = hosts.iter().map(|host| args.open(&host.name, &plan)).collect::<Result<_, _>>()?;
    let merged_before = args.merged(hosts, &plan)?;
    let (mut machines, mut all, mut locks) = (Vec::new(), Vec::new(), Vec::new());
    for (host, (mut file, read)) in hosts.iter().zip(opened) {
        let before = args.earlier(&host.name, &mut file, read, merged_before.as_ref())?;
        locks.push(file.try_clone().map_err(|error| CliError::new(Exit::Usage, error.to_string()))?);
        let earlier = before.samples().count();
        if earlier > 0 {
            printer.note(|| format!("{}: has {} already", host.name, counted(earlier as u64, "operation")));
        }
        if before.is_complete(&plan, &host.name) {
            all.push((host.name.clone(), earlier, None));
            continue;
        }
        let lines = results::to_text(&before.to_resume())?;
        machines.push(args.machine(host, file, lines));
        all.push((host.name.clone(), earlier, Some(Ended::Failed("it was not started".to_owned()))));
    }
    let options = hosts::Options { plan: text_of_plan, start_at: (!has_passed).then(|| begins.to_string()) };
    // What a machine says before it has the plan may be why it fails, which is shown at the end, and once.
    let held: BTreeMap<String, Vec<String>> =
        machines.iter().map(|machine| (machine.name.clone(), Vec::new())).collect();
    let held = Arc::new(Mutex::new(held));
    let until_ready = Arc::clone(&held);
    let hear: Hear = Arc::new(move |host, heard| {
        let mut held = until_ready.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<String> = match heard {
            Heard::Ready => {
                let mut lines = held.remove(host).unwrap_or_default();
                lines.push("has the plan".to_owned());
                lines
            }
            Heard::Said(line) => match held.get_mut(host) {
                Some(lines) => {
                    lines.push(line);
                    let too_many = lines.len().saturating_sub(HELD);
                    lines.drain(..too_many).collect()
                }
                None => vec![line],
            },
        };
        drop(held);
        pass_on(printer, host, &said);
    });
    let stop = Stop::on_signals(
        || streams::progress("stopping after the operations in flight; each machine deletes what it has put"),
        || {
            streams::progress("stopped; the machines delete what they have put when they notice it");
            exit::leave(Exit::Interrupted)
        },
    );
    let stops = || -> Stops {
        let stop = stop.clone();
        Box::pin(async move { stop.canceled().await })
    };
    for (host, ended) in hosts::run(options, machines, hear, stops).await {
        let mut said = held.lock().unwrap_or_else(PoisonError::into_inner).remove(&host).unwrap_or_default();
        if let Ended::Failed(reason) = &ended {
            said.retain(|line| !reason.contains(line.trim_end_matches('.')));
        }
        pass_on(printer, &host, &said);
        if let Some((.., of_host)) = all.iter_mut().find(|(name, ..)| *name == host) {
            *of_host = Some(ended);
        }
    }
    let view = merged(args, all)?;
    // A run that waits for them finds the merged results.
    drop(locks);
    let exit = exit_of(&view.hosts, stop.requested());
    printer.emit("bench-hosts-start/1", &view, || text(&view));
    Ok(exit)
}

/// Shows what a machine says.
fn pass_on(printer: Printer, host: &str, lines: &[String]) {
    for line in lines {
        printer.note(|| format!("{host}: {line}"));
    }
}

/// Merges what there is, and deletes the files that it was in. Of each machine: how many operations there were before,
/// and how it ended, if it was not complete.
fn merged(args: &StartArgs, all: Vec<(String, usize, Option<Ended>)>) -> Result<View, CliError> {
    let (mut hosts, mut files, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    for (host, earlier, ended) in all {
        let path = args.of(&host);
        let is_empty = path.metadata().is_ok_and(|facts| facts.len() == 0);
        let (read, unreadable) = match is_empty {
            true => (None, None),
            false => match results::read(&path) {
                Ok(read) => (Some(read), None),
                Err(error) => (None, Some(error.message)),
            },
        };
        let (exit_code, failure) = match (ended, unreadable) {
            (Some(Ended::Failed(reason)), _) => (None, Some(reason)),
            (Some(Ended::Code(code)), Some(error)) => (Some(code), Some(error)),
            // It was stopped while it waited for its time.
            (Some(Ended::Code(code @ 130)), None) => (Some(code), None),
            (Some(Ended::Code(code)), None) => (Some(code), read.is_none().then(|| "it sent no results".to_owned())),
            (None, unreadable) => (None, unreadable),
        };
        let operations = read.as_ref().map_or(0, |read: &Results| read.samples().count());
        hosts.push(HostView { host, operations, earlier, exit_code, failure });
        if is_empty || read.is_some() {
            paths.push(path.clone());
        }
        files.extend(read.map(|read| (path.display().to_string(), read)));
    }
    let mut view = View { hosts, into: None, report: None };
    if !files.is_empty() {
        let lines: Vec<Line> = merge(files).map_err(|error| {
            CliError::new(Exit::Failed, format!("the results cannot be merged: {error}"))
                .hint("the results of each machine are in files of their own beside that of --into")
        })?;
        let text = results::to_text(&lines)?;
        replace(&args.into, &text)
            .map_err(|error| CliError::new(Exit::Failed, format!("cannot write {}: {error}", args.into.display())))?;
        view.into = Some(args.into.display().to_string());
        view.report = Some(Report::of(&results::of_text(&args.into, &text)?));
    }
    for path in paths {
        // One that stays is named by the next run.
        let _ = std::fs::remove_file(path);
    }
    Ok(view)
}

/// The exit code of all machines together.
fn exit_of(hosts: &[HostView], is_stopped: bool) -> Exit {
    let has = |code: i32| hosts.iter().any(|host| host.exit_code == Some(code));
    let failed = hosts.iter().filter(|host| host.failure.is_some()).count();
    match () {
        () if is_stopped => Exit::Interrupted,
        () if failed == hosts.len() => Exit::Failed,
        () if failed > 0 || has(6) || has(130) => Exit::Partly,
        () if has(1) => Exit::Failed,
        () => Exit::Ok,
    }
}

fn text(view: &View) -> Text {
    let mut text = Text::default();
    if let Some(report) = &view.report {
        text.extend(report_text(report));
        text.line("");
    }
    for HostView { host, operations, earlier, exit_code, failure } in &view.hosts {
        let mut operations = counted(*operations as u64, "operation");
        if *earlier > 0 {
            operations.push_str(&format!(" ({earlier} of an earlier run)"));
        }
        text.line(match (failure, exit_code) {
            (Some(reason), _) => format!("{host}: failed after {operations}: {reason}"),
            (None, Some(130)) => format!("{host}: stopped after {operations}"),
            (None, Some(1)) => format!("{host}: {operations}, not all of which succeeded"),
            (None, Some(6)) => format!("{host}: {operations}; others were not tried, or files could not be deleted"),
            (None, _) => format!("{host}: {operations}"),
        });
    }
    if let Some(into) = &view.into {
        text.line(format!("a page with charts: sftpctl bench report {} --html bench.html", shell_word(into)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_machine_decides_the_exit_code() {
        let host = |exit_code: Option<i32>| HostView {
            host: "app".into(),
            operations: 0,
            earlier: 0,
            exit_code,
            failure: exit_code.is_none().then(|| "refused".into()),
        };
        let of = |codes: &[Option<i32>]| exit_of(&codes.iter().copied().map(host).collect::<Vec<_>>(), false);
        assert_eq!(of(&[Some(0), Some(0)]), Exit::Ok);
        assert_eq!(of(&[Some(0), Some(1)]), Exit::Failed);
        assert_eq!(of(&[Some(1), Some(6)]), Exit::Partly);
        assert_eq!(of(&[Some(0), Some(130)]), Exit::Partly);
        assert_eq!(of(&[Some(0), None]), Exit::Partly);
        assert_eq!(of(&[None, None]), Exit::Failed);
        assert_eq!(exit_of(&[host(Some(130))], true), Exit::Interrupted);
        let complete = HostView { failure: None, ..host(None) };
        assert_eq!(exit_of(&[complete, host(Some(0))], false), Exit::Ok);
    }
}
