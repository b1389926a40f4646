//! The exchange of a frozen home, and the copies before and after it.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::{Failure, Home, Run};
use crate::commands::homes::{copy, inventory};
use crate::error::CliError;
use crate::report::homes::copied::{compared, copied};
use crate::report::import::progress::Shown;
use sftpctl_core::text::counted;
use sftpctl_files::homes::copy::{Copied, Options};
use sftpctl_files::homes::record::{Pass, Step};
use sftpctl_files::homes::source::Source;
use sftpctl_files::homes::swap;
use sftpctl_files::homes::verify::{Comparison, Depth, verify};
use sftpctl_files::homes::watch::Watch;

/// Entries that are named.
const SHOWN: usize = 5;

/// What a copy has not brought into S3, and what it has not removed there.
fn left_and_gone(left: u64, gone: u64) -> String {
    format!("{} left, {} gone", counted(left, "entry"), counted(gone, "object"))
}

impl Run<'_> {
    /// A copy of the home, which is the folder at this path now.
    async fn copy(&self, home: Home<'_>, folder: &Path, options: &Options) -> Result<Copied, CliError> {
        let shown = Arc::new(Shown::new(self.printer.format(), self.stop.clone()));
        let watch: Arc<dyn Watch> = Arc::<Shown>::clone(&shown);
        let rights = home.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
        let opened = inventory::open_as((folder, &home.chosen.path), &options.plan)?.with_rights(rights);
        let how = (home.place, options);
        let result = copy::one(self.aws, Source::Here(opened), how, home.journal, watch).await;
        shown.finish();
        let result = result?;
        self.printer.note(|| copied(home.chosen.org_id, &result));
        Ok(result)
    }

    /// Compares the objects with S3, and the folder with the manifest.
    async fn verify(&self, home: Home<'_>, folder: &Path) -> Result<Comparison, CliError> {
        let rights = home.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
        let opened = inventory::open_as((folder, &home.chosen.path), &home.options.plan)?.with_rights(rights);
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let s3 = self.aws.s3(&home.place.region);
        let result =
            verify(home.journal, (&s3, &home.place.bucket), &Depth::Stored, Some(Source::Here(opened)), &shown).await;
        shown.finish();
        let result = result?;
        self.printer.note(|| compared(home.chosen.org_id, &result));
        Ok(result)
    }

    /// The last copy, the comparison and the exchange.
    pub(super) async fn while_frozen(&self, home: Home<'_>) -> Result<Option<Failure>, CliError> {
        let path = &home.chosen.path;
        if let Err(refusal) = swap::check_closed(path) {
            return Ok(Some(refusal.to_string()));
        }
        let result = self.copy(home, path, home.options).await?;
        if result.is_interrupted {
            return Ok(Some("interrupted".to_owned()));
        }
        if !result.is_complete() {
            return Ok(Some(left_and_gone(result.pass.left, result.pass.gone)));
        }
        home.note(Step::Copied, String::new())?;
        let result = self.verify(home, path).await?;
        if result.is_interrupted {
            return Ok(Some("interrupted".to_owned()));
        }
        let Some(signed) = result.signed else {
            let changed = result.changed.unwrap_or_default();
            let why = match result.differences.is_empty() {
                false => "objects in S3 differ from the home".to_owned(),
                true => format!(
                    "the home has changed since the last copy ({}): it is not frozen",
                    counted(changed, "entry")
                ),
            };
            return Ok(Some(why));
        };
        home.note(Step::Verified, signed.digest)?;
        if let Err(refusal) = swap::check_closed(path) {
            return Ok(Some(refusal.to_string()));
        }
        Ok(swap::exchange(path, home.target).err().map(|error| format!("the exchange failed: {error}")))
    }

    /// Brings over what was written into the folder after it was read: by a process that has a file of it open, or that
    /// opened one between the last look and the exchange. Returns what is still only there.
    pub(super) async fn late(&self, home: Home<'_>) -> Result<Vec<String>, CliError> {
        let folder = swap::kept(&home.chosen.path);
        // A process that goes on is given a second chance to end.
        let mut notes = Vec::new();
        for _ in 0..2 {
            let open = swap::check_closed(&folder);
            // Customers go on in S3 already: what they delete there is not sent again.
            let options = Options { compares: false, ..home.options.clone() };
            let result = self.copy(home, &folder, &options).await?;
            notes.clear();
            if let Err(refusal) = open {
                notes.push(format!("late writes are possible: {refusal}"));
            }
            if !result.is_complete() {
                let Pass { left, gone, .. } = result.pass;
                notes.push(format!("{}: {}", folder.display(), left_and_gone(left, gone)));
                notes.extend(result.left.iter().take(SHOWN).map(|left| format!("{}: {}", left.path, left.why.words())));
            }
            if notes.is_empty() {
                // Whatever was brought over is compared, and signed off again.
                let signed = self.verify(home, &folder).await?.signed;
                if let Some(signed) = signed {
                    home.note(Step::Late, signed.digest)?;
                    return Ok(Vec::new());
                }
                notes.push(format!("{} has changed again, or S3 differs from it", folder.display()));
            }
        }
        notes.push("end the processes, and rerun the same command: it brings over what is missing".to_owned());
        Ok(notes)
    }
}
