//! Parses the command line, runs it, and ends with its exit code.

use clap::Parser as _;
use sftpctl::commands::{Cli, run};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() {
    let cli = Cli::parse();
    let level = match cli.verbose {
        0 => "warn",
        1 => "warn,sftpctl=info,sftpctl_engine=info,sftpctl_aws=info,sftpctl_accounts=info",
        _ => "info,sftpctl=debug,sftpctl_engine=debug,sftpctl_aws=debug,sftpctl_accounts=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(cli.color.wanted());
    log.with_env_filter(filter).init();
    let exit = run(cli).await;
    // Not by the end of the runtime: it would wait for a thread that reads an answer which nobody needs any more.
    sftpctl::report::output::leave(exit)
}
