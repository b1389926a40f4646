//! Who made the versions, by the servers' logs.

use crate::commands::logs::{now, warn};
use crate::commands::permissions::Permissions;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::history::WhoView;
use sftpctl_activity::authors::Authors;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_files::history::selection::Selection;

#[derive(Debug, clap::Args)]
pub(super) struct Who {
    /// Also show who made it, by the servers' logs of all regions: user, address
    #[arg(long)]
    who: bool,
}

impl Who {
    /// What the command needs, which otherwise only reads versions.
    pub(super) fn permissions(&self) -> Permissions {
        if self.who { Permissions::ReadsAuthors } else { Permissions::ReadsHistory }
    }

    /// Reads the authors of the versions of this period, in seconds since 1970, if they are asked for.
    pub(super) async fn read(
        &self,
        (aws, environment): (&Aws, &Environment),
        selection: &Selection,
        (since, until): (Option<i64>, Option<i64>),
    ) -> Option<Found> {
        if !self.who {
            return None;
        }
        let now_ms = now();
        let kept = now_ms - i64::from(environment.logs.retention_days) * 86_400_000;
        let since = since.map_or(kept, |since| since.saturating_mul(1_000).max(kept));
        let until = until.map_or(now_ms, |until| until.saturating_mul(1_000).min(now_ms));
        if until < since {
            // Older than the logs.
            return Some(Found { bucket: selection.bucket.clone(), authors: Authors::default() });
        }
        let path = format!("/{}/{}", selection.bucket, selection.prefix());
        Some(Found {
            bucket: selection.bucket.clone(),
            authors: Authors::read(aws, environment, &path, (since, until)).await,
        })
    }
}

/// Authors that were found.
pub(super) struct Found {
    bucket: String,
    authors: Authors,
}

impl Found {
    pub(super) fn of(&self, key: &str, modified: i64, is_deletion: bool) -> WhoView<'_> {
        WhoView(self.authors.of(&format!("/{}/{key}", self.bucket), modified, is_deletion))
    }

    /// Names what could not be read. Returns what it means for the exit code.
    pub(super) fn warn(&self, printer: Printer) -> Exit {
        warn(printer, &self.authors.unread);
        if self.authors.unread.is_empty() { Exit::Ok } else { Exit::Partly }
    }
}
