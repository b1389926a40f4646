//! `sftpctl users set`.

use std::path::PathBuf;

use super::selection::Selection;
use super::{errors, key_files, result};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_accounts::change::Changes;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users set --env 99 --username jan --note 'contact: jan@example.com'\n  \
    sftpctl users set --env 99 --username jan --region us-west-2 --allow-cidr 192.0.2.0/24\n  \
    sftpctl users set --env 99 --username jan --public-key old.pub --public-key new.pub\n  \
    sftpctl users set --env 99 --username jan --all-regions --all-addresses --no-keys\n\n\
    What is given replaces what the account has: name every region, range or file that it shall have.")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
    #[command(flatten)]
    changes: ChangeArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// Text for operators, at most 500 characters; an empty one removes it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Admit the customer in this region only (repeatable)
    #[arg(long = "region", value_name = "REGION", conflicts_with = "all_regions")]
    regions: Vec<String>,
    /// Admit the customer in every region
    #[arg(long)]
    all_regions: bool,
    /// Admit the customer from this address range only (repeatable)
    #[arg(long = "allow-cidr", value_name = "CIDR", conflicts_with = "all_addresses")]
    allowed: Vec<String>,
    /// Admit the customer from every address
    #[arg(long)]
    all_addresses: bool,
    /// File with public keys, one a line (repeatable)
    #[arg(long = "public-key", value_name = "FILE", conflicts_with = "no_keys")]
    public_keys: Vec<PathBuf>,
    /// Remove all public keys
    #[arg(long)]
    no_keys: bool,
}

impl ChangeArgs {
    fn read(&self) -> Result<Changes, CliError> {
        let list = |given: &[String], all: bool| (all || !given.is_empty()).then(|| given.to_vec());
        let keys = self.no_keys || !self.public_keys.is_empty();
        Ok(Changes {
            note: self.note.clone(),
            regions: list(&self.regions, self.all_regions),
            allowed: list(&self.allowed, self.all_addresses),
            public_keys: keys.then(|| key_files::read(&self.public_keys)).transpose()?,
        })
    }
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let changes = args.changes.read()?;
    let (environment, accounts) = args.account.connect(printer).await?;
    let before = args.account.find(&accounts).await?;
    let account = accounts
        .set(&environment, &before, changes)
        .await
        .map_err(|error| errors::explain_change(error, |error| args.account.explain(error)))?;
    result::show(printer, &account, if account == before { "unchanged" } else { "changed" }, None);
    result::note_keys(&environment, &account);
    Ok(Exit::Ok)
}
