//! `sftpctl dns alias list`.

use super::session::Session;
use crate::commands::args::StateArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::aliases::AliasView;
use sftpctl_core::aliases::zone::Found;
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl dns alias list --env 99\n  \
    sftpctl dns alias list --env 99 --from old.example.com --output json")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    /// Only aliases that point to this host
    #[arg(long, value_name = "HOST")]
    from: Option<String>,
}

/// Lists what the zone has under the pattern.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let session = Session::connect(&args.state, printer).await?;
    let (opened, own, mut count) = (session.open().await?, session.own_names(), 0_u64);
    let from = args.from.map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    for (name, found) in opened.records.iter() {
        if !session.pattern.fits(name) || own.iter().any(|own| own == name) {
            continue;
        }
        let target = match found {
            Found::Cname(cname) => Some(cname.target()),
            Found::Other(_) => None,
        };
        if from.is_some() && from != target {
            continue;
        }
        let view = AliasView::new(name, found, target.as_ref().is_some_and(|host| session.hosts.contains(host)));
        printer.emit("alias/1", &view, || view.row());
        count += 1;
    }
    printer.note(|| counted(count, "alias"));
    Ok(Exit::Ok)
}
