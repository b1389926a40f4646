//! `sftpctl homes verify`.

use std::sync::{Arc, Mutex};

use super::inventory;
use super::origin::blocking;
use super::selection::Selection;
use crate::commands::args::stop_now;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::copied::{VerifyView, compared};
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::plan::Options;
use sftpctl_files::homes::verify::{Depth, verify};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes verify --env 99 --orgid 17578\n  \
    sftpctl homes verify --env 99 --all --deep\n  \
    sftpctl homes verify --env 99 --all --quick\n\n\
    S3 keeps a checksum (CRC-64/NVME) of each object as a whole, which it has compared with what it received. It is \
    compared with that of the file, which was computed as it was read; nothing is downloaded. With --deep every object is \
    read back. With --quick a call looks at 1,000 objects instead of one: an ETag that is still the one with which S3 \
    answered the copy stands for the content whose checksum S3 compared then; other objects are looked at one by one.\n\n\
    A manifest whose objects are all the same is signed off with a SHA-256 over their keys, sizes and checksums: unless \
    the last copy left entries, or entries of the home have changed since, which ends with 6. Whatever a later copy \
    stores, leaves or skips ends the sign-off.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Download every object, and compare its content
    #[arg(long, conflicts_with = "quick")]
    deep: bool,
    /// Take an object for the same if S3 lists it with the ETag and the size that it had when it was stored
    #[arg(long)]
    quick: bool,
}

/// Compares the homes one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let (homes, machine) = args.selection.homes(&environment).await?;
    let stop = Stop::on_signals(|| streams::progress("stopping"), stop_now);
    let mut exit = Exit::Ok;
    for home in homes {
        let place = args.selection.place(&environment, &aws, home.org_id).await?;
        let path = args.selection.manifest(&environment, home.org_id);
        let journal = Journal::open(&path, &home.line(&environment, &place))?;
        if journal.manifest().pass.is_none() {
            return Err(CliError::new(Exit::Failed, format!("no copy of home {} has ended yet", home.org_id))
                .hint(format!("run: sftpctl homes copy {} --orgid {}", args.selection.aws.words(), home.org_id)));
        }
        let journal = Arc::new(Mutex::new(journal));
        // After the cut-over a link is in its place, and customers go on in S3.
        let (from, options, org_id) = (machine.clone(), Options::default(), home.org_id);
        let opened = blocking(move || inventory::open(&from, &home, &options, None)).await?;
        let folder = match opened {
            Err(error) if machine.is_lost() => return Err(error),
            opened => opened.ok(),
        };
        let depth = match (args.deep, args.quick) {
            (true, _) => Depth::Content,
            (_, true) => Depth::Listing { account: environment.account.to_string() },
            _ => Depth::Stored,
        };
        let shown = Shown::new(printer.format(), stop.clone());
        let result = verify(&journal, (&aws.s3(&place.region), &place.bucket), &depth, folder, &shown).await;
        shown.finish();
        let result = result?;
        printer.emit("homes-verify/1", &VerifyView::new(org_id, &result), || compared(org_id, &result));
        if result.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        if !result.differences.is_empty() {
            exit = Exit::Failed;
        } else if result.signed.is_none() && exit == Exit::Ok {
            exit = Exit::Partly;
        }
    }
    Ok(exit)
}
