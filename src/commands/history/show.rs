//! `sftpctl history show`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::selection::{Found, Where};
use super::who::Who;
use super::{errors, values};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::history::SavedView;
use crate::report::{Printer, streams};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_files::history::show::{Proof, ShowError, Which, content, find};

/// Bytes of a version that a terminal shows.
const TERMINAL: usize = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history show in/orders.csv --env 99 --orgid 17578 --at 2026-11-30T18:00:00Z\n  \
    sftpctl history show in/orders.csv --env 99 --orgid 17578 --version ID --to orders.csv\n\n\
    The content is compared with the checksum that S3 keeps of it. A file that is given with --to appears only after \
    that, and replaces none.")]
pub(super) struct Args {
    /// The file, below the customer's folder
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    files: Where,
    #[command(flatten)]
    which: WhichArgs,
    /// Save it in this new file, in place of stdout
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhichArgs {
    /// The version with this ID, as `history list` shows it
    #[arg(long, value_name = "ID")]
    version: Option<String>,
    /// The version that was current at this time; at the end of a date
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    at: Option<i64>,
}

impl WhichArgs {
    pub(super) fn which(&self) -> Which {
        match (&self.version, self.at) {
            (Some(version), _) => Which::Version(version.clone()),
            (None, at) => Which::At(at.unwrap_or_default()),
        }
    }
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    if printer.is_json() && args.to.is_none() {
        return Err(CliError::new(Exit::Usage, "with --output json the content needs a file").hint("pass --to FILE"));
    }
    let opened = args.files.find(&args.path, args.who.permissions(), printer).await?;
    let Found { environment, aws, bucket, selection, .. } = opened;
    let list = format!("sftpctl history list {} --path {}", args.files.words(), shell_word(&args.path));
    let failed = |error| errors::of_show(error, &list);
    let key = selection.prefix();
    let facts = find(&bucket, &key, &args.which.which(), values::shown).await.map_err(failed)?;
    let modified = Some(facts.modified);
    let authors = args.who.read((&aws, &environment), &selection, (modified, modified)).await;
    let who = authors.as_ref().map(|found| found.of(&facts.key, facts.modified, facts.deleted));
    let proof = match &args.to {
        Some(path) => {
            let mut file = New::create(path)?;
            let proof = content(&bucket.s3, &bucket.name, &facts, |bytes| file.0.write_all(bytes));
            let proof = proof.await.map_err(failed)?;
            file.persist(path)?;
            proof
        }
        None if std::io::stdout().is_terminal() => {
            let mut all = Vec::new();
            let proof = content(&bucket.s3, &bucket.name, &facts, |bytes| {
                all.extend_from_slice(&bytes[..bytes.len().min((TERMINAL + 1).saturating_sub(all.len()))]);
                Ok(())
            });
            let proof = proof.await.map_err(failed)?;
            streams::data(text(all)?);
            proof
        }
        None => match content(&bucket.s3, &bucket.name, &facts, streams::bytes).await {
            // `| head` has enough: nothing more is downloaded, and nobody waits for a comparison.
            Err(ShowError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Ok),
            result => result.map_err(failed)?,
        },
    };
    let compared = match proof {
        Proof::Crc64Nvme => "CRC-64/NVME",
        Proof::Md5 => "MD5",
        Proof::Length => "length only",
    };
    let view = SavedView {
        path: selection.path_of(&key),
        version: &facts.id,
        time: values::shown(facts.modified),
        size: facts.size,
        compared,
        who,
        to: args.to.as_deref().map(|path| path.display().to_string()),
    };
    match &args.to {
        Some(_) => printer.emit("history-saved/1", &view, || view.line()),
        None => printer.note(|| view.line()),
    }
    Ok(authors.as_ref().map_or(Exit::Ok, |found| found.warn(printer)))
}

/// A file's content as a terminal may show it.
fn text(content: Vec<u8>) -> Result<Text, CliError> {
    let refused = |what: &str| {
        CliError::new(Exit::Refused, format!("the content is {what}, which a terminal does not show"))
            .hint("pass --to FILE")
    };
    if content.len() > TERMINAL {
        return Err(refused("larger than 1 MiB"));
    }
    let content = String::from_utf8(content).map_err(|_| refused("not text in UTF-8"))?;
    if content.contains('\0') { Err(refused("binary")) } else { Ok(content.lines().collect()) }
}

/// A file that appears once it is complete.
struct New(tempfile::NamedTempFile);

impl New {
    fn create(path: &Path) -> Result<Self, CliError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        tempfile::NamedTempFile::new_in(folder).map(Self).map_err(|error| unwritten(path, &error))
    }

    fn persist(self, path: &Path) -> Result<(), CliError> {
        self.0.as_file().sync_all().map_err(|error| unwritten(path, &error))?;
        match self.0.persist_noclobber(path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
            Err(error) => Err(unwritten(path, &error.error)),
        }
    }
}

fn exists(path: &Path) -> CliError {
    CliError::new(Exit::Refused, format!("{} exists", path.display())).hint("pass the name of a new file")
}

fn unwritten(path: &Path, error: &std::io::Error) -> CliError {
    let error = CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display()));
    error.hint("check that its folder exists and is writable")
}
