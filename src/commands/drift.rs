//! `sftpctl drift`.

use super::common::{Look, Target};
use crate::exit::{CliError, Exit};
use crate::report::drift::render;
use crate::report::output::{self, Output};
use sftpctl_core::spec::ignore::Ignore;

/// Where to look, and what not to mind.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl drift --env 99\n  sftpctl drift --env 99 --output json\n  \
    sftpctl drift --env 99 --ignore us-west-2/stack/Authorizer:MemorySize\n\n\
    Ends with 4 where something drifted, with 1 where something could not be looked at. `drift: { ignore: […] }` in the environment file ignores for good, with a\n\
    reason. It changes nothing in AWS; `sftpctl deploy` repairs what is outside the stacks.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Do not mind this resource, or this property of it (repeatable)
    #[arg(long, value_name = "RESOURCE[:PROPERTY]")]
    ignore: Vec<String>,
    /// Also look for orphans in this region (repeatable) [default: the regions of the file and of the state]
    #[arg(long = "also-region", value_name = "REGION")]
    also_regions: Vec<String>,
}

/// Shows what was changed by hand.
pub(super) async fn run(args: Args, look: Look) -> Result<Exit, CliError> {
    if let Some(text) = args.ignore.iter().find(|text| !text.split(':').next().unwrap_or_default().contains('/')) {
        return Err(CliError::new(Exit::Usage, format!("--ignore {text} names no resource"))
            .hint("as `sftpctl drift` shows it: us-west-2/server, us-west-2/stack/Authorizer:MemorySize"));
    }
    let mut run = args.target.open(look).await?;
    run.environment.drift.extend(args.ignore.iter().map(|text| Ignore::parse(text)));
    let observed = run.observe().await;
    let report = run.drift(&observed, &args.also_regions).await;
    match look.output {
        Output::Json => output::json("drift/1", &report),
        _ => output::data(&render(&report)),
    }
    Ok(match (report.is_clean(), report.is_whole()) {
        (false, _) => Exit::Changes,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Ok,
    })
}
