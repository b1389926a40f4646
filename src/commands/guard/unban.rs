//! `sftpctl guard unban`.

use super::selection::{Selection, range};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::format::time;
use crate::report::guard::ForgivenView;
use sftp_authorizer::guard::IpNet;
use sftpctl_accounts::guard::{Forgiven, shown};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl guard unban 203.0.113.7 --env 99\n  \
    sftpctl guard unban --username jan --env 99\n  \
    sftpctl guard unban 203.0.113.7 --username jan --env 99\n\n\
    The exit code is 1 if a ban of a wider range by hand remains.")]
pub(super) struct Args {
    /// An address, or a range with all its addresses
    #[arg(value_name = "RANGE", value_parser = range, required_unless_present = "username")]
    range: Option<IpNet>,
    /// Only bans for this user name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    #[command(flatten)]
    selection: Selection,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let open = args.selection.open(printer).await?;
    let lower = open.environment.accounts.usernames == "case-insensitive";
    let username = args.username.map(|name| if lower { name.to_lowercase() } else { name });
    let who = Forgiven { range: args.range, username };
    let mut exit = Exit::Ok;
    open.each(printer, async |region| {
        let (ended, wider) = open.guards.forgive(region, &who, open.now).await?;
        let view = ForgivenView { region, ended };
        printer.emit("guard-forgiven/1", &view, || view.line());
        if let Some(wider) = wider {
            exit = Exit::Failed;
            let (range, until) = (shown(wider.range), time(wider.until));
            printer.note(|| format!("warning: in {region}, {range} is still banned by hand until {until}"));
        }
        Ok(())
    })
    .await?;
    Ok(exit)
}
