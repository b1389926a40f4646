//! `sftpctl dns alias remove`.

use super::session::Session;
use super::work::{WorkArgs, carry_out, confirmed, end};
use crate::commands::args::Yes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::aliases::AliasesView;
use sftpctl_core::aliases::decide::{Rule, Ttl, plan};
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl dns alias remove --env 99 --name 17578\n  \
    sftpctl dns alias remove --env 99 --file gone.txt --yes\n\n\
    Only aliases that point to a host of the environment are removed.")]
pub(super) struct Args {
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    yes: Yes,
}

/// Removes what points to the environment.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let session = Session::connect(&args.work.state, printer).await?;
    let names = args.work.names.some(&session.pattern, &session.own_names())?;
    let opened = session.open().await?;
    let rule = Rule { from: session.hosts.clone(), settled: Vec::new(), target: None, ttl: Ttl::Keep, creates: None };
    let plan = plan(&opened.records, names.iter().map(|name| (name.as_str(), &rule)));
    let view = AliasesView::new(&session.environment.name, "remove", None, &plan);
    if !args.work.admit(&session, &view)? {
        return Ok(Exit::Ok);
    }
    let count = plan.changes.len() as u64;
    confirmed(args.yes, || format!("Remove {} from the zone {}? [y/N]", counted(count, "alias"), session.dns.zone))
        .await?;
    let sent = carry_out(&session, &opened, &plan).await;
    end(&session, view, sent)
}
