//! `sftpctl homes verify`.

use std::sync::{Arc, Mutex};

use super::inventory;
use super::origin::{Machine, blocking};
use super::selection::{Chosen, Selection};
use crate::commands::args::stop_now;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::copied::{VerifyView, compared};
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
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
    let (homes, machine) = args.selection.known_homes(&environment).await?;
    let stop = Stop::on_signals(|| streams::progress("stopping"), stop_now);
    let is_alone = homes.len() == 1 && !args.selection.is_of_all();
    let run = Run { args: &args, environment: &environment, aws: &aws, machine, stop, printer };
    let mut exit = Exit::Ok;
    for home in homes {
        match run.one(home).await {
            Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
            Ok(Exit::Ok) => {}
            Ok(Exit::Partly) if exit == Exit::Ok => exit = Exit::Partly,
            Ok(Exit::Partly) => {}
            Ok(other) => exit = other,
            Err(error) if is_alone || run.machine.is_lost() => return Err(error),
            // Of many homes, one that was not copied yet does not keep the others waiting.
            Err(error) => {
                printer.error(&error);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

struct Run<'a> {
    args: &'a Args,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    machine: Machine,
    stop: Stop,
    printer: Printer,
}

impl Run<'_> {
    /// Compares a home.
    async fn one(&self, home: Chosen) -> Result<Exit, CliError> {
        let Self { args, environment, aws, machine, printer, .. } = self;
        let place = args.selection.place(environment, aws, home.org_id).await?;
        let path = args.selection.manifest(environment, home.org_id);
        let uncopied = || {
            CliError::new(Exit::Failed, format!("no copy of home {} has ended yet", home.org_id)).hint(format!(
                "run: sftpctl homes copy {} --orgid {}",
                args.selection.aws.words(),
                home.org_id
            ))
        };
        // None is begun here.
        if path.symlink_metadata().is_err() {
            return Err(uncopied());
        }
        let journal = Journal::open(&path, &home.line(environment, &place))?;
        if journal.manifest().pass.is_none() {
            return Err(uncopied());
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
        let shown = Shown::new(printer.format(), self.stop.clone());
        let result = verify(&journal, (&aws.s3(&place.region), &place.bucket), &depth, folder, &shown).await;
        shown.finish();
        let result = result?;
        printer.emit("homes-verify/1", &VerifyView::new(org_id, &result), || compared(org_id, &result));
        Ok(match &result {
            result if result.is_interrupted => Exit::Interrupted,
            result if !result.differences.is_empty() => Exit::Failed,
            result if result.signed.is_none() => Exit::Partly,
            _ => Exit::Ok,
        })
    }
}
