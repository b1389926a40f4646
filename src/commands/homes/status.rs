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
    printer.emit("homes-status/1", &view, || view.homes.iter().flat_map(HomeView::lines).collect::<Text>());
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

    /// For people: the home, and its last step.
    fn lines(&self) -> Vec<String> {
        let Self { org_id, bucket, .. } = self;
        let Some(bucket) = bucket else { return vec![format!("home {org_id}: not copied yet")] };
        let pass = match &self.last_pass {
            None => ", no copy has ended".to_owned(),
            Some(pass) if pass.is_complete() => ", complete".to_owned(),
            Some(pass) => format!(", {} left, {} gone", grouped(pass.left), grouped(pass.gone)),
        };
        let verified = match &self.verified {
            Some(verified) => format!(", verified {} (sha256 {})", verified.at, verified.digest),
            None => ", not verified".to_owned(),
        };
        let last = self.steps.last();
        let step = last.map(|last| format!("  last step: {} {}: {}", last.step, last.at, last.meaning));
        let (objects, bytes) = (counted(self.objects, "object"), size(self.bytes));
        let line = format!("home {org_id} in {bucket}: {objects}, {bytes}{pass}{verified}");
        [line].into_iter().chain(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_has_a_line_of_its_own() {
        let home = HomeView {
            org_id: 7,
            bucket: Some("bkt/7".into()),
            objects: 2,
            bytes: 10,
            uploads_in_progress: 0,
            last_pass: None,
            verified: None,
            steps: vec![Step { step: "freeze", at: "2026-11-29T12:00:00Z".into(), meaning: "logins end" }],
        };
        let lines = home.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[1], "  last step: freeze 2026-11-29T12:00:00Z: logins end");
        assert!(!lines[0].contains('\n'), "{lines:?}");
    }
}
