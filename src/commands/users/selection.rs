//! The arguments that select an account.

use std::sync::Arc;

use super::errors;
use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::report::Printer;
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) aws: AwsArgs,
    #[command(flatten)]
    pub(super) key: AccountKey,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct AccountKey {
    /// The account's user name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The account's organisation ID
    #[arg(long, value_name = "N")]
    orgid: Option<i64>,
}

impl Selection {
    pub(super) async fn connect(&self, printer: Printer) -> Result<(Environment, Accounts), CliError> {
        let (environment, aws) = self.aws.connect(Permissions::ManagesUsers, printer).await?;
        let accounts = Accounts::new(Arc::clone(&aws), &environment);
        Ok((environment, accounts))
    }

    pub(super) async fn accounts(&self, printer: Printer) -> Result<Accounts, CliError> {
        self.connect(printer).await.map(|(_, accounts)| accounts)
    }

    pub(super) async fn find(&self, accounts: &Accounts) -> Result<Account, CliError> {
        let found = match (&self.key.username, self.key.orgid) {
            (Some(name), _) => accounts.by_name(name).await,
            (None, id) => accounts.by_org(id.unwrap_or_default()).await,
        };
        found.map_err(|error| self.explain(error))
    }

    /// The selected item, if it is the only one and not a valid account.
    pub(super) async fn find_malformed(&self, accounts: &Accounts) -> Result<Option<Item>, CliError> {
        let mut found = accounts.raw(self.key.orgid, self.key.username.as_deref()).await?;
        let is_alone = found.len() == 1 && Account::from_item(&found[0]).is_err();
        Ok(if is_alone { found.pop() } else { None })
    }

    /// An error with a hint that names this account.
    pub(super) fn explain(&self, error: AccountError) -> CliError {
        errors::explain(error, &self.aws.words(), &self.words())
    }

    fn words(&self) -> String {
        match (&self.key.username, self.key.orgid) {
            (Some(name), _) => format!("--username {}", shell_word(name)),
            (None, id) => format!("--orgid {}", id.unwrap_or_default()),
        }
    }
}

/// A malformed item's user name and organisation ID, `?` for each that is missing.
pub(super) fn label(item: &Item) -> String {
    let text = |name: &str| match item.get(name) {
        Some(Attribute::Text(text) | Attribute::Number(text)) => text.clone(),
        _ => "?".to_owned(),
    };
    format!("{} (organisation {})", text("username"), text("orgid"))
}
