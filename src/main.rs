//! Parses the command line, runs it, and ends with its exit code.

use sftpctl::commands::{self, Cli};
use sftpctl::exit;
use sftpctl_core::shown;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() {
    let cli = commands::parse(std::env::args_os().collect());
    log_to_stderr(&cli);
    let exit = commands::run(cli).await;
    // Dropping the runtime would wait for the thread that reads the answer to an abandoned prompt.
    exit::leave(exit)
}

/// At the level `trace` the SDK logs answers as they are, and those of DynamoDB contain stored passwords.
fn without_secrets() -> FilterFn {
    FilterFn::new(|event| !event.target().starts_with("aws_") || *event.level() <= LevelFilter::DEBUG)
}

fn log_to_stderr(cli: &Cli) {
    let level = match cli.verbose {
        // The SDK reports every provider of credentials that fails, in a form for programmers; the error is shown anyway.
        0 => "warn,aws_config=error",
        1 => "warn,sftpctl=info,sftpctl_engine=info,sftpctl_aws=info,sftpctl_accounts=info,sftpctl_files=info",
        _ => "info,sftpctl=debug,sftpctl_engine=debug,sftpctl_aws=debug,sftpctl_accounts=debug,sftpctl_files=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let fields = debug_fn(|out, field, value| shown::log_field(out, field.name(), value)).delimited(" ");
    let log =
        tracing_subscriber::fmt::layer().fmt_fields(fields).with_writer(std::io::stderr).with_ansi(cli.color.is_on());
    tracing_subscriber::registry().with(log.with_filter(filter).with_filter(without_secrets())).init();
}
