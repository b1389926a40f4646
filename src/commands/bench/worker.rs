//! `sftpctl bench worker`: the process that uses a target for the other commands.

use std::io::{self, BufReader};

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::streams;
use sftpctl_bench::supervisor::Program;
use sftpctl_bench::worker;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    sftpctl bench worker < orders\n\n\
    Each line of input is an order, and each line of output what it is at. The other commands of `bench` start it and end \
    it.")]
pub(super) struct Args {}

/// How this program starts its workers.
pub(super) fn program() -> Result<Program, CliError> {
    let path = std::env::current_exe()
        .map_err(|error| CliError::new(Exit::Usage, format!("this program cannot find itself: {error}")))?;
    Ok(Program { path, arguments: vec!["bench".to_owned(), "worker".to_owned()] })
}

/// Takes orders from standard input until it ends.
pub(super) async fn run() -> Result<Exit, CliError> {
    let askpass = program()?.path;
    let said = worker::run(BufReader::new(io::stdin()), askpass, |line| streams::data(Text::json(line))).await;
    said.map(|()| Exit::Ok)
        .map_err(|error| CliError::new(Exit::Usage, format!("the orders of a worker cannot be read: {error}")))
}
