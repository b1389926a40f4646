//! Changes to an account: a new password, disabling and enabling, its limits.

use sftp_authorizer::Account;
use sftpctl_core::spec::model::Environment;

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

/// New values of attributes; `None` leaves an attribute as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Free text for operators; empty removes it.
    pub note: Option<String>,
    /// Regions in which the account may log in; empty for all.
    pub regions: Option<Vec<String>>,
    /// Address ranges to admit; empty for all addresses.
    pub allowed: Option<Vec<String>>,
    /// Public keys as [`rules::public_keys`] returns them; empty for none.
    pub public_keys: Option<Vec<String>>,
}

impl Changes {
    /// The changed account.
    ///
    /// # Errors
    /// A value breaks a rule, or nobody could log in.
    fn apply(self, environment: &Environment, before: &Account) -> Result<Account, RuleError> {
        let mut account = before.clone();
        if let Some(note) = self.note {
            account.note = rules::note(&note)?;
        }
        if let Some(regions) = self.regions {
            rules::regions(environment, &regions)?;
            account.regions = regions;
        }
        if let Some(allowed) = self.allowed {
            account.allowed = allowed.iter().map(|text| rules::range(text)).collect::<Result<_, _>>()?;
        }
        if let Some(public_keys) = self.public_keys {
            account.public_keys = public_keys;
        }
        if account.password.is_none() && account.public_keys.is_empty() {
            return Err(RuleError::NoCredential);
        }
        Ok(account)
    }
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
        let account = Account { disabled, ..before.clone() };
        self.change(&before, account).await
    }

    /// Sets the time from which an account is refused, or removes it. Writes nothing if it is that time already.
    ///
    /// # Errors
    /// The time cannot be read, or the account has changed since it was read.
    pub async fn set_expiry(&self, before: &Account, expires: Option<&str>) -> Result<Account, ChangeError> {
        let expires = expires.map(rules::expiry).transpose()?;
        Ok(self.change(before, Account { expires, ..before.clone() }).await?)
    }

    /// Sets attributes of an account; writes nothing if they are so already.
    ///
    /// # Errors
    /// A value breaks a rule, or the account has changed since it was read.
    pub async fn set(
        &self,
        environment: &Environment,
        before: &Account,
        changes: Changes,
    ) -> Result<Account, ChangeError> {
        Ok(self.change(before, changes.apply(environment, before)?).await?)
    }

    /// Writes the account with the time, if it differs.
    async fn change(&self, before: &Account, account: Account) -> Result<Account, AccountError> {
        if account == *before {
            return Ok(account);
        }
        let account = Account { updated: Some(timestamp()), ..account };
        self.replace(before, &account).await?;
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::home::Home;

    use super::*;

    fn account() -> Account {
        Account {
            org_id: 7,
            username: "jan".into(),
            password: Some("hash".into()),
            home: Home { bucket: "bucket".into(), folder: "7".into() },
            disabled: false,
            expires: None,
            allowed: Vec::new(),
            regions: vec!["us-east-1".into()],
            public_keys: vec!["key".into()],
            note: Some("pays late".into()),
            created: None,
            updated: None,
        }
    }

    #[test]
    fn only_what_is_given_changes() {
        let environment = sftpctl_core::spec::load(include_str!("../../../environments/99.yaml"), "99.yaml").unwrap();
        let apply = |changes: Changes| changes.apply(&environment, &account());
        assert_eq!(apply(Changes::default()), Ok(account()));
        let changes = Changes {
            note: Some(String::new()),
            regions: Some(Vec::new()),
            allowed: Some(vec!["192.0.2.0/24".into()]),
            public_keys: Some(Vec::new()),
        };
        let changed = apply(changes).unwrap();
        let allowed = vec![rules::range("192.0.2.0/24").unwrap()];
        let expected = Account { note: None, regions: vec![], allowed, public_keys: vec![], ..account() };
        assert_eq!(changed, expected);
        let none = Changes { public_keys: Some(Vec::new()), ..Changes::default() };
        let keys_only = Account { password: None, ..account() };
        assert_eq!(none.apply(&environment, &keys_only), Err(RuleError::NoCredential));
        let regions = Some(vec!["eu-west-1".to_owned()]);
        assert!(matches!(apply(Changes { regions, ..Changes::default() }), Err(RuleError::UnknownRegion { .. })));
    }
}
