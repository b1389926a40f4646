//! The command line: one file per command, one folder per noun with verbs.

mod args;
#[cfg(target_os = "linux")]
mod bench;
mod clients;
mod completions;
mod connect_info;
mod console;
mod cost;
mod deploy;
mod dns;
mod doctor;
mod drift;
mod environment_file;
mod events_queue;
mod guard;
mod help;
mod history;
#[cfg(target_os = "linux")]
mod homes;
mod import;
mod input_file;
mod local;
mod lock;
mod login_checks;
mod logs;
mod man;
#[cfg(target_os = "linux")]
mod mounts;
mod notify;
mod package;
mod password_prompt;
mod permissions;
mod plan;
mod policy;
mod prompt;
#[cfg(target_os = "linux")]
mod pull;
mod report_form;
mod saved_plan_file;
mod schema;
mod state;
mod status;
mod teardown;
mod test_login;
mod times;
mod usage;
mod users;
mod validate;
mod verify;
mod who;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{FromArgMatches as _, Parser, Subcommand};

pub use self::help::command;
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::report::format::{Color, Format};
use crate::report::{Printer, streams};
use sftpctl_core::shown::Text;

/// Deploy and maintain password SFTP on AWS Transfer Family: one command, several regions
#[derive(Debug, Parser)]
#[command(name = "sftpctl", version = env!("SFTPCTL_VERSION"))]
#[command(after_help = "Examples:\n  \
    sftpctl validate --env 99\n  \
    sftpctl plan --env 99\n  \
    sftpctl deploy --env 99\n  \
    sftpctl deploy --env 99 --local\n\n\
    `sftpctl help COMMAND` shows the options of a command, and the exit codes that it can end with.")]
pub struct Cli {
    /// Output: human (default), plain, json, csv, markdown, dot or mermaid
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    #[arg(global = true, help_heading = help::GLOBAL, hide_possible_values = true, hide_default_value = true)]
    output: Format,
    /// When to color: auto (default), always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    #[arg(global = true, help_heading = help::GLOBAL, hide_possible_values = true, hide_default_value = true)]
    pub color: Color,
    /// More logging: -v logs AWS calls, -vv everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = help::GLOBAL)]
    pub verbose: u8,
    /// The name of the command, such as `users list`
    #[arg(skip)]
    path: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Deploy the environment: bring AWS to what its file says
    Deploy(deploy::Args),
    /// Show what deploy would do, and change nothing
    Plan(plan::Args),
    /// Show what the environment costs in a month, line by line
    Cost(Box<cost::Args>),
    /// Check beforehand whether a deployment would succeed, and change nothing
    Doctor(doctor::Args),
    /// Show what was changed outside sftpctl, also inside the stacks
    Drift(drift::Args),
    /// Adopt resources that were created outside sftpctl, without replacing them
    Import(import::Args),
    /// Show what exists, read from AWS itself
    Status(status::Args),
    /// Delete the environment; customers' data is kept unless --delete-data is given
    Teardown(teardown::Args),
    /// Check that customers can log in: a canary account logs in at every server
    Verify(verify::Args),
    /// Manage the customers' accounts
    Users(Box<users::Args>),
    /// Show, ban and unban addresses that try passwords
    Guard(Box<guard::Args>),
    /// Manage DNS records beyond those of a deployment: customers' host names
    Dns(dns::Args),
    /// Show, restore or export the past of customers' files
    History(history::Args),
    /// Pull customers' files from S3 into a folder: whole, checked, and once
    #[cfg(target_os = "linux")]
    Pull(Box<pull::Args>),
    /// Move customers' home directories from the old server to S3
    #[cfg(target_os = "linux")]
    Homes(Box<homes::Args>),
    /// Mount upload buckets on application servers, watch the mounts, and bring them back
    #[cfg(target_os = "linux")]
    Mounts(mounts::Args),
    /// Show what customers did and why log-ins are refused, in all regions by time
    Logs(logs::Args),
    /// Show who was the last to write, delete or rename a file
    Who(who::Args),
    /// Show which clients customers use, and whom each security policy would shut out
    Clients(clients::Args),
    /// Measure an SFTP server, a bucket or a mount, and what fails or hangs there
    #[cfg(target_os = "linux")]
    Bench(Box<bench::Args>),
    /// Try a customer's log-in, and name the cause if it is refused
    TestLogin(test_login::Args),
    /// Show what a customer needs to connect
    ConnectInfo(connect_info::Args),
    /// Open a web page for the helpdesk, on this machine alone
    Console(console::Args),
    /// Show or break the lock on an environment
    Lock(lock::Args),
    /// Show, rebuild or move what sftpctl remembers between runs
    State(state::Args),
    /// Print the IAM policies for those who use sftpctl on an environment
    Policy(policy::Args),
    /// Check an environment file; needs no network
    Validate(validate::Args),
    /// Build and check the authorizer's zip file
    Package(package::Args),
    /// Run the local cloud, an AWS for rehearsals on this machine
    #[command(disable_help_flag = true)]
    Local(local::Args),
    /// Print the JSON Schema of environment files
    #[command(after_help = "Example:\n  sftpctl schema > environments/environment.schema.json")]
    Schema,
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write one for each command
    Man(man::Args),
}

/// Parses the arguments of the process. `--help` and invalid arguments end the process.
pub fn parse(arguments: Vec<OsString>) -> Cli {
    let arguments = local::rewritten(arguments);
    let parsed = command().try_get_matches_from(arguments.clone()).and_then(|matches| {
        let path = usage::path(&matches);
        Cli::from_arg_matches(&matches).map(|cli| Cli { path, ..cli })
    });
    parsed.unwrap_or_else(|error| end(&error, &arguments))
}

/// Ends the process with the help that was asked for, or with what is wrong with the arguments.
fn end(error: &clap::Error, arguments: &[OsString]) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    let is_json = usage::asks_for_json(arguments);
    let on_linux = only_on_linux(error).filter(|_| !cfg!(target_os = "linux"));
    if is_json || on_linux.is_some() {
        let format = if is_json { Format::Json } else { Format::Human };
        let error = on_linux.map_or_else(
            || usage::of_clap(error),
            |name| CliError::new(Exit::Usage, format!("`sftpctl {name}` runs on Linux only")),
        );
        Printer::new(format, Color::Never).error(&error);
        exit::leave(streams::end(Exit::Usage))
    }
    let rendered = error.render();
    let text = if Color::Auto.is_on() { rendered.ansi().to_string() } else { rendered.to_string() };
    streams::progress(Text::styled(&text));
    exit::leave(Exit::Usage)
}

/// Commands that other systems do not have: they need openat2(2), syncfs(2), statx(2) or `/proc`.
const ON_LINUX: [&str; 4] = ["bench", "homes", "mounts", "pull"];

/// The command that is unknown because it is on Linux alone.
fn only_on_linux(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    // Of a command below another, the usage begins with both.
    let usage = usage.to_string();
    let mut words = usage.trim_start_matches("Usage:").split_whitespace().skip(1);
    let is_first = words.next().is_none_or(|word| word.starts_with(['[', '<']));
    ON_LINUX.into_iter().find(|name| is_first && name == unknown)
}

/// Runs the parsed command, prints its error, and returns the exit code.
pub async fn run(cli: Cli) -> Exit {
    let printer = Printer::new(cli.output, cli.color);
    if let Err(error) = usage::check_form(&cli.path, cli.output) {
        printer.error(&error);
        return streams::end(error.exit);
    }
    let result = match cli.command {
        Command::Deploy(args) => deploy::run(args, printer).await,
        Command::Plan(args) => plan::run(args, printer).await,
        Command::Cost(args) => cost::run(&args, printer).await,
        Command::Doctor(args) => doctor::run(args, printer).await,
        Command::Drift(args) => drift::run(args, printer).await,
        Command::Import(args) => import::run(args, printer).await,
        Command::Status(args) => status::run(args, printer).await,
        Command::Teardown(args) => teardown::run(args, printer).await,
        Command::Verify(args) => verify::run(args, printer).await,
        Command::Users(args) => users::run(*args, printer).await,
        Command::Guard(args) => guard::run(*args, printer).await,
        Command::Dns(args) => dns::run(args, printer).await,
        Command::History(args) => history::run(args, printer).await,
        #[cfg(target_os = "linux")]
        Command::Pull(args) => pull::run(*args, printer).await,
        #[cfg(target_os = "linux")]
        Command::Homes(args) => homes::run(*args, printer).await,
        #[cfg(target_os = "linux")]
        Command::Mounts(args) => mounts::run(args, printer).await,
        Command::Logs(args) => logs::run(args, printer).await,
        Command::Clients(args) => clients::run(args, printer).await,
        #[cfg(target_os = "linux")]
        Command::Bench(args) => bench::run(*args, printer).await,
        Command::Who(args) => who::run(args, printer).await,
        Command::TestLogin(args) => test_login::run(args, printer).await,
        Command::ConnectInfo(args) => connect_info::run(args, printer).await,
        Command::Console(args) => console::run(&args, printer),
        Command::Lock(args) => lock::run(args, printer).await,
        Command::State(args) => state::run(args, printer).await,
        Command::Policy(args) => policy::run(args, printer).await,
        Command::Validate(args) => validate::run(&args, printer),
        Command::Package(args) => package::run(&args, printer),
        Command::Local(args) => Err(local::run(&args, cli.output, cli.color, cli.verbose)),
        Command::Schema => Ok(schema::run()),
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Man(args) => man::run(&args),
    };
    let exit = result.unwrap_or_else(|error| {
        printer.error(&error);
        error.exit
    });
    streams::end(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_on_linux_alone_is_named() {
        let named = |line: &str| {
            // As on another system, where these are unknown.
            let users = clap::Command::new("users").subcommand(clap::Command::new("list"));
            let command = clap::Command::new("sftpctl").subcommand(users).arg(clap::arg!(--env <NAME>));
            only_on_linux(&command.try_get_matches_from(line.split(' ')).unwrap_err())
        };
        assert_eq!((named("sftpctl bench"), named("sftpctl --env 99 pull")), (Some("bench"), Some("pull")));
        for line in ["sftpctl plam", "sftpctl users pull", "sftpctl --env bench plam", "sftpctl users --bench"] {
            assert_eq!(named(line), None, "{line}");
        }
        for name in ON_LINUX {
            assert_eq!(command().find_subcommand(name).is_some(), cfg!(target_os = "linux"), "{name}");
        }
    }
}
