//! `sftpctl drift`: shows changes made outside sftpctl.

use super::args::EnvArgs;
use super::notify;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::drift::render;
use sftpctl_core::notification::Drift;
use sftpctl_core::spec::ignore::Ignore;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl drift --env 99\n  \
    sftpctl drift --env 99 --output json\n  \
    sftpctl drift --env 99 --ignore us-west-2/stack/Authorizer:MemorySize\n\n\
    The exit code is 4 if there is drift, 1 if something could not be read. Nothing in AWS is changed; \
    `sftpctl deploy` repairs what is outside the stacks. `drift: { ignore: […] }` in the environment file ignores \
    drift permanently, with a reason.")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    /// Ignore drift in this resource or property (repeatable)
    #[arg(long, value_name = "RESOURCE[:PROPERTY]")]
    ignore: Vec<String>,
    /// Also look for orphans in this region (repeatable) [default: those of the file and the state]
    #[arg(long = "also-region", value_name = "REGION")]
    also_regions: Vec<String>,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let told = notify::Told::new("drift");
    let result = drift(&args, &told, printer).await;
    told.end(&args.env.aws, result, printer).await
}

async fn drift(args: &Args, told: &notify::Told, printer: Printer) -> Result<Exit, CliError> {
    if let Some(text) = args.ignore.iter().find(|text| !text.split(':').next().unwrap_or_default().contains('/')) {
        return Err(CliError::new(Exit::Usage, format!("`--ignore {text}` does not name a resource"))
            .hint("name it as `sftpctl drift` does: us-west-2/server, us-west-2/stack/Authorizer:MemorySize"));
    }
    let mut run = args.env.open(Permissions::Reads, printer).await?;
    run.environment.drift.extend(args.ignore.iter().map(|text| Ignore::parse(text)));
    let observed = run.observe().await;
    let report = run.drift(&observed, &args.also_regions).await;
    let resources = report.drifted.iter().filter(|drifted| drifted.counts()).count();
    let unread = report.unseen.iter().filter(|unseen| unseen.failed).count();
    told.learn(|facts| facts.drift = Some(Drift { resources, unread }));
    printer.emit("drift/1", &report, || render(&report));
    Ok(match (report.is_clean(), report.is_whole()) {
        (false, _) => Exit::Changes,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Ok,
    })
}
