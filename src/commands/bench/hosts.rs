//! `sftpctl bench hosts`: measures from several machines at the same time, or shows the commands for that.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::run::parse;
use super::start::{StartArgs, start};
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::plan::{File, Host, NAME_HINT, is_name};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench hosts --start --plan plan.yaml --start-at 2027-01-15T02:00:00Z\n  \
    sftpctl bench hosts --start --plan plan.yaml --host a --host jan@b --start-at 2027-01-15T02:00:00Z\n  \
    sftpctl bench hosts --plan plan.yaml --host app-1 --host app-2 --start-at 2027-01-15T02:00:00Z\n\n\
    Each machine needs sftpctl. With --start, the runs are started by your ssh, which must log in without a \
    question; the plan goes over the connection, and results come back over it. A machine that cannot be reached, or \
    hangs, is named with the reason, and the others go on. Ctrl-C, or the end of a connection, stops the runs, which \
    delete what they have put. Rerun the same command to resume: a machine whose results are complete is skipped, and the \
    others measure what is missing, also when the time has passed.\n\n\
    Without --start, the commands are shown: each machine needs the plan file, too. Start them by hand, copy the \
    results here and merge them.")]
pub(super) struct Args {
    /// Plan file, which is checked
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Name of a machine (repeatable) [default: those of the plan file]
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Time at which all machines begin, in UTC
    #[arg(long, value_name = "TIME")]
    start_at: jiff::Timestamp,
    #[command(flatten)]
    start: StartArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    commands: Vec<HostCommand>,
    merge: String,
}

#[derive(Serialize)]
struct HostCommand {
    host: String,
    command: String,
}

impl Args {
    /// The machines of the command line, or else of the plan file. What the file says of a machine holds for one of the
    /// command line, too.
    fn hosts(&self, of_file: Vec<Host>) -> Result<Vec<Host>, CliError> {
        if self.hosts.is_empty() && of_file.is_empty() {
            let message = format!("{} names no machines", self.plan.display());
            return Err(CliError::new(Exit::Usage, message)
                .hint("add `hosts: { MACHINE: {} }` to it, or pass --host MACHINE for each"));
        }
        if self.hosts.is_empty() {
            return Ok(of_file);
        }
        if let Some(odd) = self.hosts.iter().find(|name| !is_name(name)) {
            return Err(CliError::new(Exit::Usage, format!("`{odd}` is not a machine for ssh")).hint(NAME_HINT));
        }
        let names: BTreeSet<&String> = self.hosts.iter().collect();
        if names.len() != self.hosts.len() {
            return Err(CliError::new(Exit::Usage, "a machine is named twice").hint("name each once"));
        }
        let of = |name: &String| of_file.iter().find(|host| host.name == *name).cloned();
        let hosts = self.hosts.iter();
        Ok(hosts.map(|name| of(name).unwrap_or_else(|| Host { name: name.clone(), ..Host::default() })).collect())
    }
}

/// Shows the commands, or starts them.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let text = input_file::named(&args.plan, input_file::SMALL)?;
    let File { plan, hosts } = parse(&text, &args.plan.display().to_string(), printer)?;
    let hosts = args.hosts(hosts)?;
    if args.start.is_asked() {
        return start(&args.start, &hosts, (plan, text), args.start_at, printer).await;
    }
    let plan = shell_word(&args.plan.display().to_string());
    let results = |host: &str| shell_word(&format!("{host}.jsonl"));
    let commands = hosts.iter().map(|host| HostCommand {
        host: host.name.clone(),
        command: format!(
            "{} bench run --plan {plan} --host-name {} --results {} --start-at {}",
            shell_word(args.start.program(host)),
            shell_word(&host.name),
            results(&host.name),
            args.start_at
        ),
    });
    let files: Vec<String> = hosts.iter().map(|host| results(&host.name)).collect();
    let merge = format!(
        "sftpctl bench merge {} --into {}",
        files.join(" "),
        shell_word(&args.start.into.display().to_string())
    );
    let view = View { commands: commands.collect(), merge };
    printer.emit("bench-hosts/1", &view, || {
        let mut text = Text::default();
        for HostCommand { host, command } in &view.commands {
            text.line(format!("on {host}:"));
            text.line(format!("  {command}"));
        }
        text.line("then here:");
        text.line(format!("  {}", view.merge));
        text
    });
    Ok(Exit::Ok)
}
