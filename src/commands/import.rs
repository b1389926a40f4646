//! `sftpctl import`: adopts resources that were created outside sftpctl.

use serde::Serialize;

use super::args::{EnvArgs, LockTimeout, Yes};
use super::permissions::Permissions;
use super::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::Text;
use sftpctl_engine::run::Run;
use sftpctl_engine::run::adopt::Adoption;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl import --env 99\n  \
    sftpctl import --env 99 us-west-2/server=s-0123456789abcdef0\n  \
    sftpctl import --env 99 global/user-role us-west-2/bucket/pl-pt99-5-uploads --yes\n\n\
    Without a RESOURCE it lists what could be adopted.\n\n\
    An adopted resource gets the tag sftpctl:environment; a DNS record, which has no tags, is remembered in the state. \
    Nothing else is changed: endpoint, host keys, accounts and files stay. The next plan shows what differs from the \
    environment file.")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    /// Name of the resource as `sftpctl status` shows it; for a server also its ID
    #[arg(value_name = "RESOURCE[=ID]")]
    resources: Vec<String>,
    #[command(flatten)]
    yes: Yes,
}

/// The list of candidates, as `import/1`.
#[derive(Serialize)]
struct CandidatesView<'a> {
    candidates: Vec<CandidateView<'a>>,
    unreadable: Vec<&'a NodeId>,
}

#[derive(Serialize)]
struct CandidateView<'a> {
    resource: &'a NodeId,
    what: &'a str,
}

/// The adopted resources, as `import/1`.
#[derive(Serialize)]
struct AdoptedView<'a> {
    adopted: Vec<&'a NodeId>,
}

/// Adopts resources under the lock, or lists the candidates.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let mut run = args.env.open(Permissions::Deploys, printer).await?;
    if args.resources.is_empty() {
        return Ok(list(&args, &mut run, printer).await);
    }
    run.locked("import", args.lock_timeout.seconds, async |run| adopt(&args, run, printer).await).await
}

async fn list(args: &Args, run: &mut Run, printer: Printer) -> Exit {
    let observed = run.observe().await;
    let found = run.candidates(&observed);
    for (id, error) in &observed.unreadable {
        streams::progress(format!("{id} could not be read: {error}"));
    }
    let view = CandidatesView {
        candidates: found.iter().map(|(resource, what)| CandidateView { resource, what }).collect(),
        unreadable: observed.unreadable.keys().collect(),
    };
    printer.emit("import/1", &view, || {
        let mut lines: Vec<String> = found.iter().map(|(id, what)| format!("{id}: {what}")).collect();
        lines.push(match found.len() {
            0 if !observed.unreadable.is_empty() => "Nothing to adopt among what could be read.".to_owned(),
            0 => format!(
                "Nothing to adopt. Servers cannot be found by name; \
                 adopt one with `sftpctl import {} REGION/server=ID`.",
                args.env.words()
            ),
            count => format!("{count} to adopt: sftpctl import {} RESOURCE …", args.env.words()),
        });
        Text::from_iter(lines)
    });
    if observed.unreadable.is_empty() { Exit::Ok } else { Exit::Failed }
}

async fn adopt(args: &Args, run: &mut Run, printer: Printer) -> Result<Exit, CliError> {
    let mut adoptions = look_up(args, run).await?;
    for adoption in &adoptions {
        printer.text(|| preview(adoption));
    }
    adoptions.retain(|adoption| !adoption.ours);
    if adoptions.is_empty() {
        printer.json("import/1", &AdoptedView { adopted: Vec::new() });
        streams::progress("Nothing to do: everything named already belongs to the environment.");
        return Ok(Exit::Ok);
    }
    if !args.yes.yes {
        let name = &run.environment.name;
        confirm(&format!("Adopt {} for environment {name}? [y/N]", adoptions.len())).await?;
    }
    for adoption in &adoptions {
        run.adopt(adoption).await?;
        streams::progress(format!("adopted {}", adoption.id));
    }
    printer.json("import/1", &AdoptedView { adopted: adoptions.iter().map(|adoption| &adoption.id).collect() });
    Ok(Exit::Ok)
}

/// Reads all named resources, before the first is changed.
async fn look_up(args: &Args, run: &mut Run) -> Result<Vec<Adoption>, CliError> {
    let observed = run.observe().await;
    let mut adoptions = Vec::new();
    for text in &args.resources {
        let (name, identity) = match text.split_once('=') {
            Some((name, identity)) => (name, Some(identity)),
            None => (text.as_str(), None),
        };
        let id: NodeId = name.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        adoptions.push(run.adoption(&id, identity, &observed.actual).await?);
    }
    Ok(adoptions)
}

fn preview(adoption: &Adoption) -> Text {
    if adoption.ours {
        return format!("= {}  {}: already belongs to the environment", adoption.id, adoption.live.identity).into();
    }
    let mut text = Text::from(format!("← {}  {} ({})", adoption.id, adoption.title, adoption.live.identity));
    let names: Vec<&str> =
        adoption.then.iter().flat_map(|change| &change.properties).map(|property| property.name.as_str()).collect();
    if !names.is_empty() {
        text.line(format!("    the next deploy changes: {}", names.join(", ")));
    }
    text
}
