//! `sftpctl guard list`.

use super::selection::Selection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::guard::{GuardView, views};
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl guard list --env 99\n  \
    sftpctl guard list --env 99 --region us-west-2 --top 100 --output json")]
pub(super) struct Args {
    /// How many to list of those who are counted and not banned, in each region
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    selection: Selection,
}

/// Lists bans, entries by hand, and the highest scores of each region.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let open = args.selection.open(printer).await?;
    let mut bans = 0_u64;
    let listed = open.each(printer, async |region| {
        let listed = open.guards.list(region, open.now).await?;
        for view in views(region, &listed, args.top, open.now) {
            bans += u64::from(view.state == "banned");
            printer.emit("guard/1", &view, || GuardView::row(&view));
        }
        Ok(())
    });
    listed.await?;
    printer.note(|| counted(bans, "ban"));
    Ok(Exit::Ok)
}
