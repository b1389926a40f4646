//! `sftpctl guard ban`.

use super::selection::Decision;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftp_authorizer::guard::IpNet;
use sftp_authorizer::guard::by_hand::Verb;
use sftpctl_accounts::guard::shown;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl guard ban 198.51.100.7 --env 99\n  \
    sftpctl guard ban 198.51.100.0/24 --for 7d --env 99\n\n\
    A banned address is refused whether the password is right or not. Ranges wider than /8, or /16 of IPv6, are not banned: \
    they would shut customers out.")]
pub(super) struct Args {
    #[command(flatten)]
    decision: Decision,
}

/// The shortest prefix of a ban.
fn narrowest(range: IpNet) -> u8 {
    match range {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 16,
    }
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let range = args.decision.range;
    if range.prefix_len() < narrowest(range) {
        let message = format!("a ban of {} would shut customers out", shown(range));
        return Err(
            CliError::new(Exit::Usage, message).hint(format!("name a range of /{} or narrower", narrowest(range)))
        );
    }
    args.decision.write(Verb::Ban, printer).await
}
