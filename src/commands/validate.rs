//! `sftpctl validate`: checks the environment file offline.

use serde::Serialize;

use super::args::FileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::{self, Fault};
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl validate --env 99\n  sftpctl validate --env-file my.yaml --output json")]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
}

/// The checked file, as `validate/1`.
#[derive(Serialize)]
struct ValidateView<'a> {
    path: &'a str,
    faults: &'a [Fault],
    /// Only for a file without faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<&'a [String]>,
}

/// Reports that the file is valid, or all its faults.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (path, source) = args.file.read()?;
    let path = path.display().to_string();
    match spec::load(&source, &path) {
        Ok(environment) => {
            let warnings = spec::warnings(&environment);
            warnings.iter().for_each(|warning| streams::progress(format!("warning: {warning}")));
            let view = ValidateView { path: &path, faults: &[], warnings: Some(&warnings) };
            printer.emit("validate/1", &view, || valid(&path, &environment));
            Ok(Exit::Ok)
        }
        Err(faults) => {
            args.file.annotate(&path, &faults);
            if !printer.is_json() {
                return Err(CliError::from_faults(&faults, printer.has_color()));
            }
            printer.json("validate/1", &ValidateView { path: &path, faults: faults.list(), warnings: None });
            Ok(Exit::Usage)
        }
    }
}

fn valid(path: &str, environment: &Environment) -> String {
    let servers = environment.regions.values().filter(|region| region.server).count();
    format!(
        "{path}: environment {} is valid: {}, {}, {}",
        environment.name,
        counted(environment.regions.len() as u64, "region"),
        counted(servers as u64, "server"),
        counted(environment.clusters.len() as u64, "cluster")
    )
}
