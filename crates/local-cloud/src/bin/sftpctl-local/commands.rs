//! The commands of the local cloud.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::{Value, json};
use sftpctl_core::shown::Text;
use sftpctl_local_cloud::{self as local, DEFAULT_DIR, Delays, LocalError, SftpLimits, StartOptions, Status, zone};

use super::faults::FaultsArgs;
use super::manners::MannersArgs;
use super::output::{self, Color, Output, data, progress};
use super::shell;

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";
/// The exit codes of every command.
const EXIT_CODES: &str = "Exit codes:\n  0    done\n  2    wrong usage or configuration, or the local cloud refused";

/// The command line, with the exit codes in the help of every command.
pub(super) fn command() -> clap::Command {
    with_exit_codes(LocalArgs::command())
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let help = match command.get_after_help() {
        Some(help) => format!("{help}\n\n{EXIT_CODES}"),
        None => EXIT_CODES.to_owned(),
    };
    command.after_help(help).mut_subcommands(with_exit_codes)
}

/// Run a local AWS for rehearsals: Transfer Family and everything a deployment needs, on loopback only
#[derive(Debug, Parser)]
#[command(name = "sftpctl-local", bin_name = "sftpctl local", version = env!("SFTPCTL_VERSION"))]
#[command(after_help = "Examples:\n  \
    sftpctl local start\n  \
    eval \"$(sftpctl local env)\" && aws transfer list-servers\n  \
    sftpctl deploy --env 99 --local\n  \
    sftpctl local stop")]
pub(super) struct LocalArgs {
    /// Output as human (default), plain or json
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    #[arg(global = true, help_heading = GLOBAL, hide_possible_values = true, hide_default_value = true)]
    pub(super) output: Output,
    /// When to color: auto (default), always or never
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    #[arg(global = true, help_heading = GLOBAL, hide_possible_values = true, hide_default_value = true)]
    pub(super) color: Color,
    /// More logging: -v logs AWS calls, -vv everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = GLOBAL)]
    pub(super) verbose: u8,
    /// Folder of the local cloud [default: .sftpctl/local]
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    #[arg(global = true, help_heading = GLOBAL, hide_default_value = true)]
    dir: PathBuf,
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, Subcommand)]
enum LocalCommand {
    /// Start the local cloud in the background and wait until it answers; the first start installs MiniStack
    #[command(after_help = "Examples:\n  \
        sftpctl local start\n  \
        sftpctl local start --port 4600 --server-start-time 20s")]
    Start(StartArgs),
    /// Stop the local cloud; deployments are kept for the next start
    #[command(after_help = "Example:\n  sftpctl local stop")]
    Stop,
    /// Show the endpoint and the Transfer servers
    #[command(after_help = "Example:\n  sftpctl local status --output json")]
    Status,
    /// Print the settings with which the AWS CLI and SDKs use the local cloud, for a shell
    #[command(after_help = "Examples:\n  \
        eval \"$(sftpctl local env)\"\n  \
        eval \"$(sftpctl local env --account 222222222222)\" && aws transfer list-servers")]
    Env {
        /// The account: any 12 digits
        #[arg(long, value_name = "ID", default_value = "111111111111", value_parser = account)]
        account: String,
        /// The region of calls that name none
        #[arg(long, value_name = "REGION", default_value = "us-west-2")]
        region: String,
    },
    /// Print the last lines of the log files
    #[command(after_help = "Examples:\n  sftpctl local logs --lines 50\n  sftpctl local logs --follow")]
    Logs {
        /// Keep printing new lines
        #[arg(short, long)]
        follow: bool,
        /// Number of last lines of each file
        #[arg(long, value_name = "N", default_value_t = 20)]
        lines: usize,
    },
    /// List the ways in which AWS is less friendly than its emulators, or turn some off
    Manners(MannersArgs),
    /// Make calls fail on purpose, to rehearse failures
    #[command(after_help = "Examples:\n  \
        sftpctl local faults add transfer.CreateServer reset-after --count 1\n  \
        sftpctl local faults list\n  \
        sftpctl local faults clear")]
    Faults(FaultsArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  sftpctl local completions bash > /etc/bash_completion.d/sftpctl-local")]
    Completions {
        /// Shell to print the script for
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(after_help = "Examples:\n  \
        sftpctl local man | man -l -\n  \
        sftpctl local man --into ~/.local/share/man/man1")]
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Run the background process
    #[command(hide = true)]
    Serve(StartArgs),
}

#[derive(Debug, Args)]
struct StartArgs {
    /// Listen on this port of 127.0.0.1 [default: 4570]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Time a Transfer server takes to start or stop, for example 1s, 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = seconds)]
    server_start_time: f64,
    /// Time a stack operation takes, as DescribeStacks shows it
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = seconds)]
    stack_time: f64,
    /// Time the creation of a table or replica takes, as DescribeTable shows it
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = seconds)]
    table_time: f64,
    /// Python virtual environment [default: ~/.cache/sftpctl/ministack-VERSION]
    #[arg(long, value_name = "DIR", env = "SFTPCTL_LOCAL_VENV")]
    venv: Option<PathBuf>,
    /// Turn off one of AWS's manners; see `sftpctl local manners`
    #[arg(long = "without-manner", value_name = "NAME")]
    without_manners: Vec<String>,
    /// Keep SFTP files in memory and skip authorization, to measure the endpoint by itself
    #[arg(long, hide = true)]
    files_in_memory: bool,
    /// Create this public hosted zone if it is missing; on AWS it exists before any deployment
    #[arg(long, hide = true, value_name = "NAME", requires = "account")]
    zone: Option<String>,
    /// Account of the zone
    #[arg(long, hide = true, value_name = "ID", requires = "zone")]
    account: Option<String>,
    /// Issue keys with the permissions of these policies: `{"account": ID, "purpose": TEXT, "policies": [DOCUMENT]}` on
    /// standard input
    #[arg(long, hide = true)]
    grant: bool,
    /// Disconnect SFTP clients that are idle for this long
    #[arg(long, hide = true, value_name = "TIME", default_value = "1800s", value_parser = seconds)]
    sftp_idle_time: f64,
    /// Disconnect SFTP clients that do not answer for this long
    #[arg(long, hide = true, value_name = "TIME", default_value = "300s", value_parser = seconds)]
    sftp_unresponsive_time: f64,
    /// Disconnect SFTP clients that have not logged in after this long
    #[arg(long, hide = true, value_name = "TIME", default_value = "120s", value_parser = seconds)]
    sftp_log_in_time: f64,
}

impl StartArgs {
    fn options(&self) -> StartOptions {
        StartOptions {
            port: self.port,
            delays: Delays {
                server_start_seconds: self.server_start_time,
                stack_operation_seconds: self.stack_time,
                table_creation_seconds: self.table_time,
            },
            venv: self.venv.clone(),
            files_in_memory: self.files_in_memory,
            without_manners: self.without_manners.clone(),
            sftp_limits: SftpLimits {
                idle_seconds: self.sftp_idle_time,
                unresponsive_seconds: self.sftp_unresponsive_time,
                log_in_seconds: self.sftp_log_in_time,
            },
        }
    }
}

/// Parses `1s`, `500ms`, `2m`, or plain seconds.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err(format!("unknown unit `{unit}`: use ms, s or m")),
    };
    let value = number.parse::<f64>().map_err(|_| format!("`{number}` is not a number"))? * factor;
    Duration::try_from_secs_f64(value).map_err(|error| error.to_string())?;
    Ok(value)
}

impl LocalArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// See [`LocalError`].
    pub(super) async fn run(&self) -> Result<(), LocalError> {
        match &self.command {
            LocalCommand::Start(args) => {
                let status = local::start(&self.dir, &args.options(), &|line: &str| progress(line)).await?;
                if let (Some(account), Some(zone)) = (&args.account, &args.zone) {
                    zone::ensure(&self.dir, account, zone).await?;
                }
                match args.grant {
                    true => output::json("local/1", &granted(&self.dir, &status).await?),
                    false => show(&status, self.output),
                }
            }
            LocalCommand::Stop => {
                let stopped = local::stop(&self.dir).await?;
                match self.output {
                    Output::Json => output::json("local/1", &json!({ "stopped": stopped })),
                    Output::Human | Output::Plain => data(if stopped { "stopped" } else { "not running" }),
                }
            }
            LocalCommand::Status => show(&local::status(&self.dir).await?, self.output),
            LocalCommand::Env { account, region } => env(&self.dir, account, region, self.output).await?,
            LocalCommand::Logs { follow, lines } => logs(local::logs(&self.dir)?, *lines, *follow).await,
            LocalCommand::Manners(args) => args.run(&self.dir, self.output).await?,
            LocalCommand::Faults(args) => args.run(&self.dir, self.output).await?,
            LocalCommand::Completions { shell } => shell::completions(*shell),
            LocalCommand::Man { into } => shell::man(into.as_deref())?,
            LocalCommand::Serve(args) => local::serve(&self.dir, &args.options()).await?,
        }
        Ok(())
    }
}

/// Twelve digits.
fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("an account ID has 12 digits".to_owned()) }
}

/// Prints the environment variables of SDKs. The secret key goes to standard output only.
async fn env(dir: &Path, account: &str, region: &str, output: Output) -> Result<(), LocalError> {
    let status = local::status(dir).await?;
    let endpoint = status.endpoint.ok_or_else(|| LocalError::NotRunning { dir: status.dir.clone() })?;
    let secret = local::secret_key(dir)?;
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", account),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_DEFAULT_REGION", region),
    ];
    match output {
        Output::Json => output::json("local/1", &json!({ "env": BTreeMap::from(variables) })),
        Output::Human | Output::Plain => {
            data("unset AWS_PROFILE AWS_SESSION_TOKEN");
            variables.iter().for_each(|(name, value)| data(format!("export {name}={value}")));
        }
    }
    Ok(())
}

/// The status, with keys that have the permissions of the policies on standard input.
async fn granted(dir: &Path, status: &Status) -> Result<Value, LocalError> {
    let request = std::io::read_to_string(std::io::stdin()).map_err(LocalError::file("reading", "standard input"))?;
    let answer = local::manage(dir, "POST", "grants", &request).await?;
    let answer: Value =
        serde_json::from_str(&answer).map_err(|error| LocalError::Refused { words: error.to_string() })?;
    let mut status = json!(status);
    status["keys"] = answer["keys"].clone();
    Ok(status)
}

fn show(status: &Status, output: Output) {
    match output {
        Output::Json => output::json("local/1", status),
        Output::Human | Output::Plain => data(human(status)),
    }
}

fn human(status: &Status) -> Text {
    let Some(endpoint) = &status.endpoint else {
        return "not running; start it with: sftpctl local start".into();
    };
    let mut first = format!("running on {endpoint}");
    if let Some(ministack) = &status.ministack {
        first += &format!(" (MiniStack {} behind it on {})", ministack.version, ministack.endpoint);
    }
    let mut text = Text::from(first);
    for server in &status.servers {
        text.line(format!("  {:<15} {}  {}", server.region, server.server_id, server.state));
    }
    text
}

/// Prints the last lines of each log file, and with `follow` every later line, until interrupted.
async fn logs(mut logs: [local::LogFile; 2], lines: usize, follow: bool) {
    for log in &mut logs {
        data(format!("==> {} <==", log.path().display()));
        log.last(lines).into_iter().for_each(data);
    }
    if !follow {
        return;
    }
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        logs.iter_mut().flat_map(local::LogFile::added).for_each(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in
            [("1s", Ok(1.0)), ("500ms", Ok(0.5)), ("2m", Ok(120.0)), ("0", Ok(0.0)), ("1.5", Ok(1.5))]
        {
            assert_eq!(seconds(text), expected, "{text}");
        }
        for text in ["", "s", "-1s", "1h", "nan"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
