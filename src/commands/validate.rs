//! `sftpctl validate`: the environment file, offline.

use serde_json::json;

use super::common::{FileArgs, Look};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};

/// Which file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl validate --env 99\n  sftpctl validate --env-file my.yaml --output json")]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
}

/// Says that it is sound, or every fault.
pub(super) fn run(args: &Args, look: Look) -> Result<Exit, CliError> {
    let (path, source) = args.file.read()?;
    let shown = path.display().to_string();
    match sftpctl_core::spec::load(&source, &shown) {
        Ok(environment) => {
            let warnings = sftpctl_core::spec::warnings(&environment);
            warnings.iter().for_each(|warning| output::progress(&format!("warning: {warning}")));
            let servers = environment.regions.values().filter(|region| region.server).count();
            match look.output {
                Output::Json => {
                    output::json("validate/1", &json!({ "path": shown, "faults": [], "warnings": warnings }))
                }
                _ => output::data(&format!(
                    "{shown}: environment {} is sound: {} regions, {servers} servers, {} clusters",
                    environment.name,
                    environment.regions.len(),
                    environment.clusters.len()
                )),
            }
            Ok(Exit::Ok)
        }
        Err(faults) => {
            args.file.annotate(&shown, &faults);
            refused(&shown, &faults, look)
        }
    }
}

fn refused(shown: &str, faults: &sftpctl_core::spec::Faults, look: Look) -> Result<Exit, CliError> {
    if look.output != Output::Json {
        return Err(CliError::new(Exit::Usage, faults.render(look.color.wanted())));
    }
    output::json("validate/1", &json!({ "path": shown, "faults": faults.list() }));
    Ok(Exit::Usage)
}
