//! `sftpctl users export`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use crate::commands::args::{AwsArgs, stop_now};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::export::{self, PrivateFile, Sink, Unix};
use crate::report::format::Format;
use crate::report::import::grouped;
use crate::report::{Printer, streams};
use sftp_authorizer::Account;
use sftpctl_accounts::Accounts;
use sftpctl_core::shown::Text;
use sftpctl_core::text::{counted, either};
use sftpctl_engine::execute::stop::Stop;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users export --env 99 > accounts.jsonl\n  \
    sftpctl users export --env 99 --format csv --with-hashes --out accounts.csv\n  \
    sftpctl users export --env 99 --format shadow --with-hashes --out old-server\n\n\
    An export as JSON lines or CSV is a source of `users import`. Password hashes are written only into a file, which is \
    readable by you alone, and never to a terminal or a pipe.\n\n\
    Passwords that crypt(3) does not know, hardened ones among them, are locked in shadow; they are counted.\n\n\
    The exit code is 1 if an item is malformed or cannot be exported; each is named on stderr.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// json (default; an object to a line), csv, or shadow (the files passwd and shadow of a Unix server)
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    format: Option<Form>,
    /// Export the password hashes too; requires --out
    #[arg(long)]
    with_hashes: bool,
    /// Write to this file, or for shadow into this folder, in place of stdout
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object per line.
    Json,
    /// Comma-separated values.
    Csv,
    /// The files passwd and shadow.
    Shadow,
}

/// Exports the accounts page by page.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let by_output = if printer.format() == Format::Csv { Form::Csv } else { Form::Json };
    let form = args.format.unwrap_or(by_output);
    refuse_open_hashes(&args, form)?;
    let (environment, aws) = args.aws.connect(Permissions::ReadsUsers, printer).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let stop = Stop::on_signals(|| streams::progress("stopping; nothing is kept"), stop_now);
    let out = args.out.as_deref();
    let mut writer = Writer::new(form, args.with_hashes, out).map_err(|error| unwritten(out, &error))?;
    let (mut count, mut left_out, mut from) = (0_u64, 0_u64, None);
    loop {
        let (page, next) = accounts.page(from).await?;
        for account in page {
            let written = match &account {
                Ok(account) => writer.write(account).map_err(|error| unwritten(out, &error))?,
                Err(error) => Err(error.to_string()),
            };
            match written {
                Ok(()) => count += 1,
                Err(why) => {
                    left_out += 1;
                    streams::progress(format!("warning: not exported: {why}"));
                }
            }
        }
        from = next;
        if from.is_none() {
            break;
        }
        if stop.requested() {
            return Err(CliError::new(Exit::Interrupted, "interrupted; no file was written"));
        }
    }
    let locked = writer.finish().map_err(|error| unwritten(out, &error))?;
    let locked_count: u64 = locked.values().sum();
    if locked_count > 0 {
        let (accounts, forms) = (counted(locked_count, "account"), export::locked(&locked));
        let are = either(locked_count, "is", "are");
        let their = either(locked_count, "its password", "their passwords");
        streams::progress(format!(
            "warning: {accounts} {are} locked in shadow, since crypt(3) does not know {their}: {forms}"
        ));
    }
    printer.note(|| format!("{} exported, {} left out", counted(count, "account"), grouped(left_out)));
    Ok(if left_out == 0 { Exit::Ok } else { Exit::Failed })
}

/// Refuses to write hashes to anything but a file.
fn refuse_open_hashes(args: &Args, form: Form) -> Result<(), CliError> {
    let hint = "pass --with-hashes --out PATH; the file will be readable by you alone";
    if args.with_hashes && args.out.is_none() {
        let message = "password hashes are written only into a file, never to a terminal or a pipe";
        return Err(CliError::new(Exit::Usage, message).hint(hint));
    }
    if form == Form::Shadow && !args.with_hashes {
        return Err(CliError::new(Exit::Usage, "a shadow file consists of password hashes").hint(hint));
    }
    Ok(())
}

fn unwritten(out: Option<&Path>, error: &std::io::Error) -> CliError {
    let place = out.unwrap_or(Path::new("stdout"));
    CliError::new(Exit::Usage, format!("cannot write {}: {error}", place.display()))
}

/// The files of an export.
enum Writer {
    Lines { form: Form, with_hashes: bool, sink: Sink },
    Unix { passwd: Sink, shadow: Sink, locked: BTreeMap<&'static str, u64> },
}

impl Writer {
    fn new(form: Form, with_hashes: bool, out: Option<&Path>) -> std::io::Result<Self> {
        if let (Form::Shadow, Some(folder)) = (form, out) {
            std::fs::create_dir_all(folder)?;
            let file = |name| PrivateFile::new(&folder.join(name)).map(Sink::File);
            return Ok(Self::Unix { passwd: file("passwd")?, shadow: file("shadow")?, locked: BTreeMap::new() });
        }
        let mut sink = match out {
            Some(path) => Sink::File(PrivateFile::new(path)?),
            None => Sink::Stdout,
        };
        if form == Form::Csv {
            sink.write(export::csv_header(with_hashes))?;
        }
        Ok(Self::Lines { form, with_hashes, sink })
    }

    /// Writes an account; or says why it cannot be in this form.
    fn write(&mut self, account: &Account) -> std::io::Result<Result<(), String>> {
        match self {
            Self::Lines { form: Form::Csv, with_hashes, sink } => sink.write(export::csv(account, *with_hashes))?,
            Self::Lines { with_hashes, sink, .. } => sink.write(export::json_line(account, *with_hashes))?,
            Self::Unix { passwd, shadow, locked } => {
                let lines = match export::unix(account) {
                    Ok(lines) => lines,
                    Err(why) => {
                        return Ok(Err(format!("{} (organisation {}): {why}", account.username, account.org_id)));
                    }
                };
                let Unix { passwd: line, shadow: secret, locked: form } = lines;
                passwd.write(Text::from(line))?;
                shadow.write(Text::from(secret))?;
                if let Some(form) = form {
                    *locked.entry(form).or_default() += 1;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Completes the files; the forms of the passwords that are locked.
    fn finish(self) -> std::io::Result<BTreeMap<&'static str, u64>> {
        match self {
            Self::Lines { sink, .. } => sink.finish().map(|()| BTreeMap::new()),
            Self::Unix { passwd, shadow, locked } => {
                shadow.finish()?;
                passwd.finish()?;
                Ok(locked)
            }
        }
    }
}
