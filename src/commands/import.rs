//! `sftpctl import`.

use serde_json::json;

use super::common::{Look, Patience, Target, confirm};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use sftpctl_core::kind::NodeId;
use sftpctl_engine::run::Run;
use sftpctl_engine::run::adopt::Adoption;

/// What to adopt.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl import --env 99                      what could be adopted\n  \
    sftpctl import --env 99 us-west-2/server=s-0123456789abcdef0\n  \
    sftpctl import --env 99 global/user-role us-west-2/table us-west-2/bucket/pl-pt99-5-uploads --yes\n\n\
    What is adopted gets the tag sftpctl:environment, which says whose it is; a DNS record, which has no tags, is\n\
    remembered in the state. Nothing else of it changes: endpoint, host keys, accounts and files stay. The next plan\n\
    shows what differs from the environment file.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    patience: Patience,
    /// Name of the resource as in `sftpctl status`; for a server also its id
    #[arg(value_name = "RESOURCE[=ID]")]
    resources: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Shows what would be adopted, asks, does it.
pub(super) async fn run(args: Args, look: Look) -> Result<Exit, CliError> {
    let mut run = args.target.open(look).await?;
    if args.resources.is_empty() {
        return list(&mut run, look).await;
    }
    run.locked("import", args.patience.lock_timeout, async |run| work(&args, run, look).await).await
}

async fn list(run: &mut Run, look: Look) -> Result<Exit, CliError> {
    let observed = run.observe().await;
    let found = run.candidates(&observed);
    if look.output == Output::Json {
        let found: Vec<_> = found.iter().map(|(id, what)| json!({ "resource": id, "what": what })).collect();
        let unreadable: Vec<_> = observed.unreadable.keys().collect();
        output::json("import/1", &json!({ "candidates": found, "unreadable": unreadable }));
    }
    let looked = if observed.unreadable.is_empty() { Exit::Ok } else { Exit::Failed };
    for (id, error) in &observed.unreadable {
        output::progress(&format!("{id} could not be looked at: {error}"));
    }
    if look.output == Output::Json {
        return Ok(looked);
    }
    for (id, what) in &found {
        output::data(&format!("{id}: {what}"));
    }
    output::data(&match found.len() {
        0 if looked != Exit::Ok => "Nothing of what could be looked at is another's.".into(),
        0 => "Nothing of this environment's names is another's. Servers have no names: import REGION/server=ID.".into(),
        count => format!("{count} to adopt: sftpctl import --env {} RESOURCE …", run.environment.name),
    });
    Ok(looked)
}

async fn work(args: &Args, run: &mut Run, look: Look) -> Result<Exit, CliError> {
    let observed = run.observe().await;
    // Everything is looked at before anything is changed.
    let mut adoptions = Vec::new();
    for text in &args.resources {
        let (name, identity) = match text.split_once('=') {
            Some((name, identity)) => (name, Some(identity)),
            None => (text.as_str(), None),
        };
        let id: NodeId = name.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        adoptions.push(run.adoption(&id, identity, &observed.actual).await?);
    }
    if look.output != Output::Json {
        for adoption in &adoptions {
            output::data(&preview(adoption));
        }
    }
    adoptions.retain(|adoption| !adoption.ours);
    if adoptions.is_empty() {
        if look.output == Output::Json {
            output::json("import/1", &json!({ "adopted": [] }));
        }
        output::progress("Nothing to do: all of it belongs to the environment already.");
        return Ok(Exit::Ok);
    }
    if !args.yes {
        let name = &run.environment.name;
        confirm(&format!("Adopt {} for environment {name}? [y/N]", adoptions.len()), &["y", "yes"], "--yes").await?;
    }
    for adoption in &adoptions {
        run.adopt(adoption).await?;
        output::progress(&format!("adopted {}", adoption.id));
    }
    if look.output == Output::Json {
        let ids: Vec<_> = adoptions.iter().map(|adoption| &adoption.id).collect();
        output::json("import/1", &json!({ "adopted": ids }));
    }
    Ok(Exit::Ok)
}

fn preview(adoption: &Adoption) -> String {
    if adoption.ours {
        return format!("= {}  {}: belongs to the environment already", adoption.id, adoption.live.identity);
    }
    let mut text = format!("← {}  {} ({})", adoption.id, adoption.title, adoption.live.identity);
    let names: Vec<&str> =
        adoption.then.iter().flat_map(|change| &change.properties).map(|property| property.name.as_str()).collect();
    if !names.is_empty() {
        text.push_str(&format!("\n    the next deploy changes: {}", names.join(", ")));
    }
    text
}
