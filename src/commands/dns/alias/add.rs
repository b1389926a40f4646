//! `sftpctl dns alias add`.

use super::session::Session;
use super::work::{WorkArgs, carry_out, end};
use crate::commands::args::Yes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::aliases::AliasesView;
use crate::report::import::grouped;
use sftpctl_core::aliases::decide::{Plan, Rule, Ttl, plan};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl dns alias add --env 99 --region us-west-2 --name 17578 --name acme\n  \
    sftpctl dns alias add --env 99 --region us-west-2 --file names.csv --dry-run\n\n\
    An alias that exists and points to the same host stays as it is; with --ttl, it gets that TTL. One that points \
    elsewhere is never changed.")]
pub(super) struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// The region whose host the aliases get; needed if the environment has several and no latency records
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The aliases' TTL [default: `dns.ttl` of the environment file]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=604_800))]
    ttl: Option<i64>,
    // Nothing is asked; taken as by `remove` and `move`, so that scripts can pass it to all three.
    #[command(flatten)]
    yes: Yes,
}

/// Creates what is missing.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let Yes { yes: _ } = args.yes;
    let session = Session::connect(&args.work.state, printer).await?;
    let host = session.host(args.region.as_deref())?;
    let names = args.work.names.some(&session.pattern, &session.own_names())?;
    let opened = session.open().await?;
    let rule = Rule {
        from: Vec::new(),
        settled: Vec::new(),
        target: Some(host.clone()),
        ttl: args.ttl.map_or(Ttl::Keep, Ttl::Set),
        creates: Some(args.ttl.unwrap_or_else(|| session.dns.ttl.into())),
    };
    let plan = plan(&opened.records, names.iter().map(|name| (name.as_str(), &rule)));
    let view = AliasesView::new(&session.environment.name, "add", Some(&host), &plan);
    if !args.work.admit(&session, &view)? {
        return Ok(Exit::Ok);
    }
    let (created, room) = (created(&plan), opened.zone.room(&opened.records).await?);
    if created > room {
        let message = format!(
            "the hosted zone {} takes {} more records, and {} would be created; nothing was changed",
            session.dns.zone,
            grouped(room),
            grouped(created)
        );
        return Err(CliError::new(Exit::Refused, message)
            .hint("ask AWS for a higher quota: Service Quotas, Amazon Route 53, records per hosted zone"));
    }
    let sent = carry_out(&session, &opened, &plan).await;
    end(&session, view, sent)
}

fn created(plan: &Plan) -> u64 {
    plan.changes.iter().filter(|change| change.old.is_none()).count() as u64
}
