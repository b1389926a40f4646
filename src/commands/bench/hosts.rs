//! `sftpctl bench hosts`: measures from several machines at the same time, or shows the commands for that.

use std::path::PathBuf;

use serde::Serialize;

use super::run::parse;
use super::start::{StartArgs, start};
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench hosts --start --plan plan.yaml --host a --host jan@b --start-at 2027-01-15T02:00:00Z\n  \
    sftpctl bench hosts --plan plan.yaml --host app-1 --host app-2 --start-at 2027-01-15T02:00:00Z\n\n\
    Each machine needs sftpctl. With --start, the runs are started by your ssh, which must log in without a \
    question; the plan goes over the connection, and results come back over it. A machine that cannot be reached, or \
    hangs, is named with the reason, and the others go on. Ctrl-C, or the end of a connection, stops the runs, which \
    delete what they have put.\n\n\
    Without --start, the commands are shown: each machine needs the plan file, too. Start them by hand, copy the \
    results here and merge them.")]
pub(super) struct Args {
    /// Plan file, which is checked
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Name of a machine (repeatable)
    #[arg(long = "host", value_name = "NAME", required = true)]
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

/// Shows the commands, or starts them.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let text = input_file::named(&args.plan, input_file::SMALL)?;
    parse(&text, &args.plan.display().to_string(), printer)?;
    let mut names = args.hosts.clone();
    names.sort();
    names.dedup();
    if names.len() != args.hosts.len() {
        return Err(CliError::new(Exit::Usage, "a machine is named twice").hint("name each once"));
    }
    if args.start.is_asked() {
        return start(&args.start, &args.hosts, text, args.start_at, printer).await;
    }
    let plan = shell_word(&args.plan.display().to_string());
    let results = |host: &str| shell_word(&format!("{host}.jsonl"));
    let commands = args.hosts.iter().map(|host| HostCommand {
        host: host.clone(),
        command: format!(
            "sftpctl bench run --plan {plan} --host-name {} --results {} --start-at {}",
            shell_word(host),
            results(host),
            args.start_at
        ),
    });
    let files: Vec<String> = args.hosts.iter().map(|host| results(host)).collect();
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
