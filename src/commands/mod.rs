//! The command line: one file a command.

pub(crate) mod common;
mod connect_info;
mod deploy;
mod drift;
mod import;
mod lock;
mod login;
mod package;
mod plan;
mod shell;
mod state;
mod status;
mod teardown;
mod users;
mod validate;

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum as _};

use crate::exit::{CliError, Exit, LIST};
use crate::local_cloud;
use crate::report::output::{self, Color, Output};

/// Deploys and looks after password SFTP on AWS Transfer Family: one command, several regions.
#[derive(Debug, Parser)]
#[command(name = "sftpctl", version, after_help = LIST, after_long_help = concat!(
    "Examples:\n  sftpctl validate --env 99\n  sftpctl plan --env 99\n  sftpctl deploy --env 99\n  ",
    "sftpctl deploy --env 99 --local\n\nRun `sftpctl help COMMAND` for the exit codes and options of a command."
))]
pub struct Cli {
    /// Form of the output
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    /// When to color
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
    /// Tell more: -v every AWS call, -vv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring AWS to what the environment file says
    Deploy(deploy::Args),
    /// Show what deploy would do; never writes
    Plan(plan::Args),
    /// Show what was changed by hand, in the stacks too
    Drift(drift::Args),
    /// Adopt what was made by hand, without replacing it
    Import(import::Args),
    /// Show what exists, from AWS itself
    Status(common::Target),
    /// Take the environment down; customers' data stays unless told otherwise
    Teardown(teardown::Args),
    /// See whether customers get in: a canary account logs in at every server
    Verify(login::VerifyArgs),
    /// Look after the customers' accounts
    Users(users::UsersArgs),
    /// Try a customer's log-in, and name the broken link where it fails
    TestLogin(login::TestArgs),
    /// Show what a customer needs to connect
    ConnectInfo(connect_info::ConnectArgs),
    /// See who works on an environment, and free it
    Lock(lock::LockArgs),
    /// See, rebuild and move what is remembered between runs
    State(state::StateArgs),
    /// Check an environment file; needs no network
    Validate(validate::Args),
    /// Build and check the authorizer's zip file
    Package(package::PackageArgs),
    /// The local cloud, for rehearsals
    #[command(disable_help_flag = true)]
    Local {
        /// Commands and options of `sftpctl-local`: see `sftpctl local --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<OsString>,
    },
    /// Print the JSON Schema of environment files
    Schema,
    /// Print a completion script for a shell
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(shell::ManArgs),
}

/// Runs the command that was parsed, prints its error, and says how it ended.
pub async fn run(cli: Cli) -> Exit {
    let form = cli.output;
    let look = common::Look { output: form, color: cli.color };
    let result = match cli.command {
        Command::Deploy(args) => deploy::run(args, look).await,
        Command::Plan(args) => plan::run(args, look).await,
        Command::Drift(args) => drift::run(args, look).await,
        Command::Import(args) => import::run(args, look).await,
        Command::Status(args) => status::run(args, look).await,
        Command::Teardown(args) => teardown::run(args, look).await,
        Command::Verify(args) => login::verify(args, look).await,
        Command::Users(args) => users::run(args, look).await,
        Command::TestLogin(args) => login::test(args, look).await,
        Command::ConnectInfo(args) => connect_info::run(args, look).await,
        Command::Lock(args) => lock::run(args, look).await,
        Command::State(args) => state::run(args, look).await,
        Command::Validate(args) => validate::run(&args, look),
        Command::Package(args) => package::run(&args, look),
        Command::Local { arguments } => Err(local(&arguments, look, cli.verbose)),
        Command::Schema => {
            output::data(&serde_json::to_string_pretty(&sftpctl_core::spec::schema()).unwrap_or_default());
            Ok(Exit::Ok)
        }
        Command::Completions(args) => shell::completions(&args, &mut Cli::command()),
        Command::Man(args) => shell::man(&args, Cli::command()),
    };
    result.unwrap_or_else(|error| {
        output::error(&error, form);
        error.exit
    })
}

/// Becomes the local cloud's own program.
fn local(arguments: &[OsString], look: common::Look, verbose: u8) -> CliError {
    let word = |value: Option<PossibleValue>| {
        OsString::from(value.map(|value| value.get_name().to_owned()).unwrap_or_default())
    };
    let (output, color) = (word(look.output.to_possible_value()), word(look.color.to_possible_value()));
    local_cloud::become_it(&local_cloud::arguments(&output, &color, verbose, arguments))
}
