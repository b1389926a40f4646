//! `sftpctl guard allow`.

use super::selection::Decision;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftp_authorizer::guard::by_hand::Verb;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl guard allow 203.0.113.7 --env 99\n  \
    sftpctl guard allow 203.0.113.0/24 --for 7d --env 99 --region us-west-2\n\n\
    Bans of the range are lifted for this time. For good, name the range in `guard.allow` of the environment file.")]
pub(super) struct Args {
    #[command(flatten)]
    decision: Decision,
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    args.decision.write(Verb::Allow, printer).await
}
