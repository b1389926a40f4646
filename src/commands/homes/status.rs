//! `sftpctl homes status`.

use serde::Serialize;

use super::selection::Selection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::homes::size;
use crate::report::import::grouped;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_files::homes::journal::look;
use sftpctl_files::homes::record::{Line, Manifest, Pass, Verified};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes status --env 99 --orgid 17578\n  \
    sftpctl homes status --env 99 --all --output json\n\n\
    The manifests alone are read: nothing is asked of AWS, and a run that works on a home is not disturbed.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    environment: &'a str,
    homes: Vec<HomeView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HomeView {
    org_id: i64,
    /// Absent before the first copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    objects: u64,
    bytes: u64,
    uploads_in_progress: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_pass: Option<Pass>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Verified>,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    step: &'static str,
    at: String,
    meaning: &'static str,
}

/// Shows the homes.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let environment = args.selection.load(printer)?;
    let (known, _) = args.selection.known_homes(&environment).await?;
    let is_alone = known.len() == 1 && !args.selection.is_of_all();
    let (mut homes, mut exit) = (Vec::new(), Exit::Ok);
    for home in known {
        let found = match look(&args.selection.manifest(&environment, home.org_id)) {
            Ok(found) => found,
            Err(error) if is_alone => return Err(error.into()),
            // A damaged manifest does not keep the others from being shown.
            Err(error) => {
                printer.error(&error.into());
                exit = Exit::Partly;
                continue;
            }
        };
        let (first, manifest) = found.unzip();
        homes.push(HomeView::new(home.org_id, first, &manifest.unwrap_or_default()));
    }
    let view = View { environment: &environment.name, homes };
    printer.emit("homes-status/1", &view, || view.homes.iter().map(HomeView::text).collect::<Text>());
    Ok(exit)
}

impl HomeView {
    fn new(org_id: i64, first: Option<Line>, manifest: &Manifest) -> Self {
        let bucket = match first {
            Some(Line::Home { bucket, prefix, .. }) => Some(format!("{bucket}/{prefix}")),
            _ => None,
        };
        let steps = manifest.steps.iter();
        let steps = steps.map(|(step, at, _)| Step { step: step.as_str(), at: at.clone(), meaning: step.words() });
        Self {
            org_id,
            bucket,
            objects: manifest.objects.len() as u64,
            bytes: manifest.bytes(),
            uploads_in_progress: manifest.begun.len(),
            last_pass: manifest.pass.clone(),
            verified: manifest.verified.clone().filter(|_| !manifest.is_newer_than_verified),
            steps: steps.collect(),
        }
    }

    fn text(&self) -> String {
        let Self { org_id, bucket, .. } = self;
        let Some(bucket) = bucket else { return format!("home {org_id}: not copied yet") };
        let pass = match &self.last_pass {
            None => ", no copy has ended".to_owned(),
            Some(pass) if pass.is_complete() => ", complete".to_owned(),
            Some(pass) => format!(", {} left, {} gone", grouped(pass.left), grouped(pass.gone)),
        };
        let verified = match &self.verified {
            Some(verified) => format!(", verified {} (sha256 {})", verified.at, verified.digest),
            None => ", not verified".to_owned(),
        };
        let step = self
            .steps
            .last()
            .map_or_else(String::new, |last| format!("\n  last step: {} {}: {}", last.step, last.at, last.meaning));
        let (objects, bytes) = (counted(self.objects, "object"), size(self.bytes));
        format!("home {org_id} in {bucket}: {objects}, {bytes}{pass}{verified}{step}")
    }
}
