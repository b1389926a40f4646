//! Prints one policy, or a part of it.

use std::num::NonZeroUsize;

use serde_json::Value;

use crate::commands::args::{AwsArgs, only_cluster};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_core::permissions::{self, Policy, Site};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_core::spec::model::{Dns, Environment};
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Where the state is: a folder, or s3://BUCKET/PREFIX [default: as for deploy]
    #[arg(long, value_name = "PLACE")]
    state: Option<StatePlace>,
    /// ID of the hosted zone [default: `dns.zone_id` of the environment file, else looked up]
    #[arg(long, value_name = "ID")]
    zone_id: Option<String>,
    /// Do not look up the hosted zone
    #[arg(long)]
    offline: bool,
    /// Print this part of a policy that is too long for one managed policy; from 1
    #[arg(long, value_name = "N")]
    part: Option<NonZeroUsize>,
}

impl Args {
    /// The command that prints the whole policy.
    fn command(&self, policy: Policy, cluster: Option<&str>) -> String {
        let state = self.state.as_ref().map(ToString::to_string);
        let options = [("--state", state.as_deref()), ("--zone-id", self.zone_id.as_deref()), ("--cluster", cluster)];
        let options = options.into_iter().filter_map(|(name, value)| Some(format!(" {name} {}", shell_word(value?))));
        let offline = if self.offline { " --offline" } else { "" };
        format!("sftpctl policy {policy} {}{}{offline}", self.aws.words(), options.collect::<String>())
    }
}

/// Prints the document on stdout, and on stderr what else a role needs and why it allows more than the environment
/// needs. With a `cluster` for that one alone.
pub(super) async fn run(
    policy: Policy,
    args: &Args,
    cluster: Option<&str>,
    printer: Printer,
) -> Result<Exit, CliError> {
    let mut environment = args.aws.load(args.state.as_ref(), printer)?;
    if let Some(cluster) = cluster {
        only_cluster(&mut environment, cluster)?;
    }
    let state = args.aws.state_place(args.state.as_ref(), &environment);
    let zone_id = match environment.dns.as_ref().filter(|_| permissions::reads_zone(policy)) {
        Some(dns) => zone_id(args, dns, printer).await,
        None => None,
    };
    let site = Site { environment: &environment, zone_id: zone_id.as_deref(), state: Some(&state) };
    let document = permissions::document(policy, site).ok_or_else(|| needs_none(policy, &environment, &state))?;
    let others = permissions::companions(policy, site);
    if !others.is_empty() {
        let others = others.iter().map(|other| format!("`{}`", args.command(*other, None)));
        streams::progress(format!("note: the same role also needs {}", others.collect::<Vec<_>>().join(", ")));
    }
    for warning in permissions::warnings(policy, site) {
        streams::progress(format!("warning: {warning}"));
    }
    let command = args.command(policy, cluster);
    let parts = permissions::parts(&document);
    let printed = match args.part.map(NonZeroUsize::get) {
        Some(number) => parts.get(number - 1).ok_or_else(|| no_part(number, parts.len(), &command))?,
        None => {
            too_long(&document, parts.len(), &command);
            &document
        }
    };
    streams::data(Text::pretty_json(printed));
    Ok(Exit::Ok)
}

/// Says how to attach a policy that is too long for one managed policy.
fn too_long(document: &Value, parts: usize, command: &str) {
    if parts < 2 {
        return;
    }
    let size = document.to_string().len();
    let each = (1..=parts).map(|part| format!("`{command} --part {part}`")).collect::<Vec<_>>();
    streams::progress(format!(
        "warning: this policy has {size} characters, and IAM allows {} for a managed policy: print it in {parts} parts, \
         and attach each as a managed policy: {}",
        permissions::CHARACTERS,
        each.join(", ")
    ));
}

fn no_part(number: usize, parts: usize, command: &str) -> CliError {
    let in_all = counted(parts.try_into().unwrap_or(u64::MAX), "part");
    let error = CliError::new(Exit::Usage, format!("the policy has no part {number}: it has {in_all}"));
    error.hint(match parts {
        1 => command.to_owned(),
        _ => format!("{command} --part {parts}"),
    })
}

/// The zone's ID from the arguments, the file or AWS. `None`, with a warning, if AWS cannot be asked or has no answer.
async fn zone_id(args: &Args, dns: &Dns, printer: Printer) -> Option<String> {
    let given = args.zone_id.clone().or_else(|| dns.zone_id.clone());
    if given.is_some() || args.offline {
        return given;
    }
    let zones = match args.aws.connect(Permissions::Reads, printer).await {
        Ok((_, aws)) => aws.route53().zones(&dns.zone).await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    match zones.as_deref() {
        Ok([id]) => return Some(id.clone()),
        Ok(ids) => streams::progress(format!(
            "warning: the account has {} public hosted zones {}; set `dns.zone_id`",
            ids.len(),
            dns.zone
        )),
        Err(error) => {
            streams::progress(format!("warning: the hosted zone {} could not be looked up: {error}", dns.zone));
        }
    }
    None
}

fn needs_none(policy: Policy, environment: &Environment, state: &StatePlace) -> CliError {
    if policy == Policy::Aliases {
        return CliError::new(Exit::Usage, format!("environment {} has no `dns:` in its file", environment.name))
            .hint("name its hosted zone there: dns: { zone: example.com }");
    }
    if policy == Policy::Notify {
        let message = format!("environment {} tells no topic the end of a run: no policy allows it", environment.name);
        return CliError::new(Exit::Usage, message).hint("name one in its file: notify: { topics: [arn:aws:sns:…] }");
    }
    let message =
        format!("the state of environment {} is in the folder {state}: no policy allows it", environment.name);
    CliError::new(Exit::Usage, message).hint(format!(
        "set `state.place`, or pass it: sftpctl policy state --env {} --state s3://BUCKET/PREFIX",
        environment.name
    ))
}
