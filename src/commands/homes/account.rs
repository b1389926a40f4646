//! The account of a home.

use std::sync::Arc;

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;

/// Whether the account of an organisation is enabled; `None` if it has none.
pub(super) async fn is_enabled(
    aws: &Arc<Aws>,
    environment: &Environment,
    org_id: i64,
) -> Result<Option<bool>, CliError> {
    match Accounts::new(Arc::clone(aws), environment).by_org(org_id).await {
        Ok(account) => Ok(Some(!account.disabled)),
        Err(AccountError::Missing(_)) => Ok(None),
        Err(error) => Err(CliError::from_error(Exit::Partly, &error, None)),
    }
}

/// Enables or disables the account of an organisation; one without an account is fine.
pub(super) async fn set_account(
    aws: &Arc<Aws>,
    environment: &Environment,
    org_id: i64,
    disabled: bool,
) -> Result<(), CliError> {
    let accounts = Accounts::new(Arc::clone(aws), environment);
    let failed = |error: AccountError| CliError::from_error(Exit::Partly, &error, None);
    match accounts.by_org(org_id).await {
        Ok(account) if account.disabled == disabled => Ok(()),
        Ok(account) => accounts.set_disabled(account, disabled).await.map(drop).map_err(failed),
        Err(AccountError::Missing(_)) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
