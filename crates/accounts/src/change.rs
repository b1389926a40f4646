//! Changes to an account: a new password, disabling and enabling.

use sftp_authorizer::Account;

use super::password::{self, HashError};
use super::rules::{self, RuleError};
use super::store::{AccountError, Accounts};

/// An account could not be changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The password breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The account could not be written.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// The current time in RFC 3339, with microseconds so that two changes have different times.
pub(crate) fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

impl Accounts {
    /// Sets the password of an account.
    ///
    /// # Errors
    /// The password breaks a rule, or the account has changed since it was read.
    pub async fn set_password(&self, before: &Account, password: &str) -> Result<Account, ChangeError> {
        rules::password(password)?;
        let stored = password::hash(password)?;
        let account = Account { password: Some(stored), updated: Some(timestamp()), ..before.clone() };
        self.replace(before, &account).await?;
        Ok(account)
    }

    /// Disables or enables an account; writes nothing if it is in that state already.
    ///
    /// # Errors
    /// The account has changed since it was read.
    pub async fn set_disabled(&self, before: Account, disabled: bool) -> Result<Account, AccountError> {
        if before.disabled == disabled {
            return Ok(before);
        }
        let account = Account { disabled, updated: Some(timestamp()), ..before.clone() };
        self.replace(&before, &account).await?;
        Ok(account)
    }
}
