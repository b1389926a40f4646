//! Counts the passwords of the table by what hardening does with them.

use std::collections::BTreeMap;

use sftp_authorizer::password::{Kept, Scheme};
use sftpctl_aws::AwsError;

use super::Options;
use super::found::{Found, found};
use crate::bulk::pages::Pages;
use crate::bulk::unwritten::Unwritten;
use crate::bulk::watch::{Progress, Watch};
use crate::store::Accounts;

/// Samples that are kept of the accounts that need a person.
const SAMPLES: usize = 5;

/// How many passwords there are of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Accounts of the share.
    pub accounts: u64,
    /// To be hardened.
    pub weak: BTreeMap<Scheme, u64>,
    /// As strong as asked for.
    pub strong: BTreeMap<Scheme, u64>,
    /// Weaker, but another layer is not possible: they need a new password.
    pub full: BTreeMap<Scheme, u64>,
    /// Nobody can log in with them, by kind.
    pub unusable: BTreeMap<&'static str, u64>,
    /// Accounts that have keys only.
    pub keys_only: u64,
    /// Some of the accounts that need a new password, with the reason.
    pub samples: Vec<Unwritten>,
}

impl Survey {
    /// How many are to be hardened.
    pub fn to_harden(&self) -> u64 {
        self.weak.values().sum()
    }

    fn sample(&mut self, item: &sftp_authorizer::Item, why: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES {
            self.samples.push(Unwritten::new(item, why()));
        }
    }
}

/// A survey that was not made.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// Reads the table and counts.
///
/// # Errors
/// The table cannot be read, or the user asked to stop.
pub async fn survey(accounts: &Accounts, options: &Options, watch: &dyn Watch) -> Result<Survey, SurveyError> {
    let mut survey = Survey::default();
    let mut pages = Pages::of(accounts);
    while let Some(items) = pages.next().await? {
        if watch.is_stopping() {
            return Err(SurveyError::Interrupted);
        }
        for item in items {
            let found = found(&item, options);
            survey.accounts += u64::from(found != Found::Other);
            match found {
                Found::Other => {}
                Found::KeysOnly => survey.keys_only += 1,
                Found::Weak(scheme) => *survey.weak.entry(scheme).or_default() += 1,
                Found::Kept(scheme, Kept::Strong) => *survey.strong.entry(scheme).or_default() += 1,
                Found::Kept(scheme, Kept::Full) => {
                    *survey.full.entry(scheme).or_default() += 1;
                    survey.sample(&item, || "another layer of Argon2id is not possible".to_owned());
                }
                Found::Unusable(problem) => {
                    *survey.unusable.entry(problem.kind()).or_default() += 1;
                    survey.sample(&item, || format!("the stored password {problem}"));
                }
            }
        }
        watch.progress(Progress::Scanning { items: survey.accounts });
    }
    Ok(survey)
}
