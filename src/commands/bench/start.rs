//! `sftpctl bench hosts --start`: the runs of several machines over `ssh`, and what came of them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::results;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::report::bench::text as report_text;
use crate::report::report_file::replace;
use crate::report::{Printer, streams};
use sftpctl_bench::hosts::{self, Ended, Hear, Heard};
use sftpctl_bench::record::{Line, Results, merge};
use sftpctl_bench::summary::Report;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;

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
    /// The program sftpctl on the machines, by its path or name
    #[arg(long, value_name = "PROGRAM", default_value = "sftpctl")]
    program: String,
    /// Seconds that a machine may say nothing before it is given up; each says something every second
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=3600))]
    silence: u64,
}

/// What came of all machines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    hosts: Vec<HostView>,
    /// The file with the merged results, if there are any.
    into: Option<String>,
    report: Option<Report>,
}

/// What came of a machine.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HostView {
    host: String,
    /// Operations in its results.
    operations: usize,
    /// Of `sftpctl bench run` there.
    exit_code: Option<i32>,
    /// Why it failed.
    failure: Option<String>,
}

impl StartArgs {
    /// Whether the runs are started, and not only shown.
    pub(super) fn is_asked(&self) -> bool {
        self.start
    }

    /// The file for one machine's results until they are merged.
    fn of(&self, host: &str) -> PathBuf {
        let mut name = self.into.clone().into_os_string();
        name.push(format!(".{host}"));
        name.into()
    }

    /// Files for the results of all machines, none of which is there yet.
    fn files(&self, names: &[String]) -> Result<Vec<(String, File)>, CliError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "@._-:%[]".contains(c);
        if let Some(odd) = names.iter().find(|name| name.starts_with('-') || !name.chars().all(is_name)) {
            return Err(CliError::new(Exit::Usage, format!("`{odd}` is not a machine for ssh"))
                .hint("write MACHINE, USER@MACHINE or an alias of your ssh_config, which also takes a port"));
        }
        let into = self.into.display();
        if self.into.exists() {
            return Err(CliError::new(Exit::Usage, format!("{into} exists already"))
                .hint("name another file with --into; `sftpctl bench compare` compares two results"));
        }
        let word = |path: &Path| shell_word(&path.display().to_string());
        let left: Vec<PathBuf> = names.iter().map(|name| self.of(name)).filter(|path| path.exists()).collect();
        if let Some(old) = left.first() {
            let all: Vec<String> = left.iter().map(|path| word(path)).collect();
            return Err(CliError::new(Exit::Usage, format!("{} is left from an earlier run", old.display())).hint(
                format!("keep it: sftpctl bench merge {} --into {}; or delete them", all.join(" "), word(&self.into)),
            ));
        }
        let open = |name: &String| {
            let path = self.of(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.map(|file| (name.clone(), file))
                .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
        };
        names.iter().map(open).collect()
    }
}

/// Runs the text of a plan on all machines.
pub(super) async fn start(
    args: &StartArgs,
    names: &[String],
    plan: String,
    begins: jiff::Timestamp,
    printer: Printer,
) -> Result<Exit, CliError> {
    if begins <= jiff::Timestamp::now() {
        return Err(CliError::new(Exit::Usage, format!("{begins} has passed"))
            .hint("name a later time with --start-at: until then, each machine has to be reached"));
    }
    let files = args.files(names)?;
    let silence = Duration::from_secs(args.silence);
    let options = hosts::Options {
        ssh: hosts::ssh(args.ssh_config.as_ref(), silence),
        program: args.program.clone(),
        plan,
        start_at: begins.to_string(),
        silence,
    };
    let hear: Hear = Arc::new(move |host, heard| match heard {
        Heard::Ready => printer.note(|| format!("{host}: has the plan")),
        Heard::Said(line) => printer.note(|| format!("{host}: {line}")),
    });
    let stop = Stop::on_signals(
        || streams::progress("stopping after the operations in flight; each machine deletes what it has put"),
        || {
            streams::progress("stopped; the machines delete what they have put when they notice it");
            exit::leave(Exit::Interrupted)
        },
    );
    let (asks, asked) = watch::channel(false);
    let canceled = stop.clone();
    tokio::spawn(async move {
        canceled.canceled().await;
        asks.send_replace(true);
        // The receivers need the sender.
        asks.closed().await;
    });
    let ended = hosts::run(options, files, hear, asked).await;
    let view = merged(args, ended)?;
    let exit = exit_of(&view.hosts, stop.requested());
    printer.emit("bench-hosts-start/1", &view, || text(&view));
    Ok(exit)
}

/// Merges what there is, and deletes the files that it was in.
fn merged(args: &StartArgs, ended: Vec<(String, Ended)>) -> Result<View, CliError> {
    let (mut hosts, mut files, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    for (host, ended) in ended {
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
            (Ended::Failed(reason), _) => (None, Some(reason)),
            (Ended::Code(code), Some(error)) => (Some(code), Some(error)),
            (Ended::Code(code), None) => (Some(code), read.is_none().then(|| "it sent no results".to_owned())),
        };
        let operations = read.as_ref().map_or(0, |read: &Results| read.samples().count());
        hosts.push(HostView { host, operations, exit_code, failure });
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

/// What came of all machines as an exit code.
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
    for HostView { host, operations, exit_code, failure } in &view.hosts {
        let operations = counted(*operations as u64, "operation");
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
    }
}
