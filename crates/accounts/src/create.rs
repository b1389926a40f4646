//! A new account: checked against the rules and the environment, then written with the marker of its home folder.

use jiff::Timestamp;
use sftp_authorizer::Account;
use sftp_authorizer::home::Home;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::text::harms_names;

use super::change::timestamp;
use super::folder_check::{self, Content};
use super::password::{self, HashError};
use super::rules::{self, RuleError};
use super::store::{AccountError, Accounts, usernames};

/// The input for a new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The customer's number.
    pub org_id: i64,
    /// The log-in name; stored in lower case where the environment's setting says so.
    pub username: String,
    /// The folder for the customer's files.
    pub home: HomeChoice,
    /// Public keys as [`rules::public_keys`] returns them.
    pub public_keys: Vec<String>,
    /// Address ranges to admit, such as `192.0.2.0/24`; empty for all addresses.
    pub allowed: Vec<String>,
    /// Regions in which it may log in; empty for all regions.
    pub regions: Vec<String>,
    /// The time from which it is refused, as [`rules::expiry`] reads it.
    pub expires: Option<String>,
    /// Free text for operators.
    pub note: Option<String>,
    /// Whether it is added without being able to log in.
    pub disabled: bool,
}

impl NewAccount {
    /// The account with the defaults of its cluster for what is not given, and the names of those that it took. `now`
    /// is in seconds since 1970.
    #[must_use]
    pub fn with_defaults(mut self, environment: &Environment, now: i64) -> (Self, Vec<&'static str>) {
        let mut taken = Vec::new();
        let Some(defaults) = self.cluster(environment).and_then(|cluster| environment.defaults.get(&cluster)) else {
            return (self, taken);
        };
        if defaults.disabled && !self.disabled {
            self.disabled = true;
            taken.push("status");
        }
        let end = defaults.expires_days.filter(|_| self.expires.is_none());
        let end = end.and_then(|days| Timestamp::from_second(now.checked_add(i64::from(days) * 86_400)?).ok());
        if let Some(end) = end {
            self.expires = Some(end.to_string());
            taken.push("expires_days");
        }
        if self.allowed.is_empty() && !defaults.allow.is_empty() {
            self.allowed.clone_from(&defaults.allow);
            taken.push("allow");
        }
        if self.regions.is_empty() && !defaults.regions.is_empty() {
            self.regions.clone_from(&defaults.regions);
            taken.push("regions");
        }
        if self.note.is_none() && defaults.note.is_some() {
            self.note.clone_from(&defaults.note);
            taken.push("note");
        }
        (self, taken)
    }

    /// The cluster whose bucket has its home.
    fn cluster(&self, environment: &Environment) -> Option<String> {
        match &self.home {
            HomeChoice::Cluster(name) => Some(name.clone()),
            HomeChoice::Path(path) => {
                let bucket = Home::parse(path)?.bucket;
                names::cluster_of(environment, &bucket).map(|(name, _)| name.clone())
            }
        }
    }
}

/// The choice of the home folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeChoice {
    /// The folder named after the organisation in this cluster's bucket.
    Cluster(String),
    /// `/<bucket>/<folder>`, in the bucket of one of the environment's clusters.
    Path(String),
}

/// An account could not be created.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CreateError {
    /// The account, or its password, breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The home is not a folder in a bucket.
    #[error("invalid home folder `{0}`")]
    InvalidHome(String),
    /// The home is in a bucket that the environment does not have.
    #[error("the bucket {bucket} does not belong to a cluster of environment {environment}")]
    UnknownBucket {
        bucket: String,
        environment: String,
        /// All clusters of the environment.
        clusters: Vec<String>,
    },
    /// The environment does not have the cluster.
    #[error("environment {environment} has no cluster `{cluster}`")]
    UnknownCluster {
        cluster: String,
        environment: String,
        /// All clusters of the environment.
        clusters: Vec<String>,
    },
    /// Another organisation has the home folder, or one inside it or around it.
    #[error("the home folder is not free: {0}")]
    SharedFolder(String),
    /// The table could not be read.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The account could not be written.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The account was written, but not the marker of its home folder.
    #[error("the home folder of {username} could not be created")]
    Marker { username: String, source: AwsError },
}

impl CreateError {
    /// A hint, if it does not depend on the caller.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidHome(_) => Some("a home folder has the form /<bucket>/<folder>".to_owned()),
            Self::UnknownBucket { clusters, .. } | Self::UnknownCluster { clusters, .. } => {
                Some(format!("its clusters are {}", clusters.join(", ")))
            }
            Self::Marker { .. } => {
                Some("the account was added and works; its folder appears with the first upload".to_owned())
            }
            Self::Rule(error) => error.hint(),
            Self::SharedFolder(_) => {
                Some("pass another folder with --home, or --cluster for the organisation's own folder".to_owned())
            }
            Self::Aws(error) => error.hint(),
            Self::Hash(_) | Self::Account(_) => None,
        }
    }
}

/// A checked account that is not written yet.
#[derive(Clone, Debug)]
pub struct Draft {
    account: Account,
    /// The region of the home's bucket.
    region: String,
    /// Whether the caller names the folder.
    is_chosen: bool,
}

/// What is in the folder of a new account before it.
#[derive(Clone, Debug)]
pub enum Before {
    /// No files.
    Nothing,
    /// Files, which the account will see.
    Files,
    /// S3 did not say.
    Unknown(AwsError),
}

impl Draft {
    /// Checks everything but the password, without a call to AWS.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn new(environment: &Environment, new: NewAccount) -> Result<Self, CreateError> {
        rules::org_id(new.org_id)?;
        rules::username(&new.username, &environment.authorizer.block_list)?;
        rules::regions(environment, &new.regions)?;
        let is_chosen = matches!(new.home, HomeChoice::Path(_));
        let (home, region) = home(environment, &new.home, new.org_id)?;
        let account = Account {
            org_id: new.org_id,
            username: usernames(environment).stored(&new.username).into_owned(),
            password: None,
            home,
            disabled: new.disabled,
            expires: new.expires.as_deref().map(rules::expiry).transpose()?,
            allowed: new.allowed.iter().map(|text| rules::range(text)).collect::<Result<_, _>>()?,
            regions: new.regions,
            public_keys: new.public_keys,
            note: new.note.as_deref().map(rules::note).transpose()?.flatten(),
            created: None,
            updated: None,
        };
        Ok(Self { account, region, is_chosen })
    }

    /// Whether the customer can log in only with a password.
    pub fn needs_password(&self) -> bool {
        self.account.public_keys.is_empty()
    }

    /// The home folder, as `/<bucket>/<folder>`.
    pub fn home(&self) -> String {
        self.account.home.path()
    }

    /// Finds out whether the folder is free, and what is in it. The table is read for a folder that the caller names, and
    /// unless S3 says that nothing is in it: the organisation's own is another's only by an earlier choice.
    ///
    /// # Errors
    /// Another organisation has the folder, or one inside it or around it; or the table could not be read.
    pub async fn check_folder(&self, aws: &Aws, accounts: &Accounts) -> Result<Before, CreateError> {
        let content = folder_check::content(aws, &self.region, &self.account.home).await;
        if self.is_chosen || !matches!(content, Ok(Content::Nothing)) {
            let rival = accounts.rival(&self.account.home, self.account.org_id).await?;
            rival.map_or(Ok(()), |rival| Err(CreateError::SharedFolder(rival)))?;
        }
        Ok(match content {
            Ok(Content::Nothing | Content::Marker) => Before::Nothing,
            Ok(Content::Files) => Before::Files,
            Err(error) => Before::Unknown(error),
        })
    }

    /// Writes the account with the hash of its password, and the marker that shows its folder before the first upload.
    ///
    /// # Errors
    /// The password breaks a rule, the name or the number is taken, or AWS refused a call. After
    /// [`CreateError::Marker`] the account exists.
    pub async fn create(
        self,
        aws: &Aws,
        environment: &Environment,
        accounts: &Accounts,
        password: Option<&str>,
    ) -> Result<Account, CreateError> {
        let account = with_password(self.account, password)?;
        accounts.add(&account).await?;
        let marker = format!("{}/", account.home.folder);
        aws.s3(&self.region)
            .put_object(&account.home.bucket, &marker, Vec::new(), &environment.account)
            .await
            .map_err(|source| CreateError::Marker { username: account.username.clone(), source })?;
        Ok(account)
    }
}

/// Completes the account with the time and the hash of its password.
fn with_password(account: Account, password: Option<&str>) -> Result<Account, CreateError> {
    if let Some(password) = password {
        rules::password(password)?;
    }
    let (password, now) = (password.map(password::hash).transpose()?, timestamp());
    Ok(Account { password, created: Some(now.clone()), updated: Some(now), ..account })
}

/// The home folder, and the region of its bucket.
fn home(environment: &Environment, choice: &HomeChoice, org_id: i64) -> Result<(Home, String), CreateError> {
    let clusters = || environment.clusters.keys().cloned().collect();
    match choice {
        HomeChoice::Cluster(name) => {
            let cluster = environment.clusters.get(name).ok_or_else(|| CreateError::UnknownCluster {
                cluster: name.clone(),
                environment: environment.name.clone(),
                clusters: clusters(),
            })?;
            let home = Home { bucket: names::upload_bucket(environment, name), folder: org_id.to_string() };
            Ok((home, cluster.region.clone()))
        }
        HomeChoice::Path(path) => {
            let home = Some(path).filter(|path| !path.contains(harms_names)).and_then(|path| Home::parse(path));
            let home = home.ok_or_else(|| CreateError::InvalidHome(path.clone()))?;
            match names::cluster_of(environment, &home.bucket) {
                Some((_, cluster)) => Ok((home, cluster.region.clone())),
                None => Err(CreateError::UnknownBucket {
                    bucket: home.bucket,
                    environment: environment.name.clone(),
                    clusters: clusters(),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::password::{Verdict, verify};

    use super::*;

    fn environment() -> Environment {
        sftpctl_core::spec::load(include_str!("../../../environments/99.yaml"), "99.yaml").unwrap()
    }

    fn new(home: HomeChoice) -> NewAccount {
        NewAccount {
            org_id: 175_781,
            username: "my1sftp".into(),
            home,
            public_keys: Vec::new(),
            allowed: vec!["192.0.2.0/24".into()],
            regions: Vec::new(),
            expires: None,
            note: None,
            disabled: false,
        }
    }

    #[test]
    fn home_is_the_organisations_folder_or_the_path() {
        let environment = environment();
        let by_cluster = Draft::new(&environment, new(HomeChoice::Cluster("99-5".into()))).unwrap();
        let bucket = names::upload_bucket(&environment, "99-5");
        assert_eq!(by_cluster.account.home.path(), format!("/{bucket}/175781"));
        assert_eq!(by_cluster.region, "us-west-2");
        assert_eq!(by_cluster.account.allowed[0].to_string(), "192.0.2.0/24");
        let path = format!("/{bucket}/other/folder");
        let by_path = Draft::new(&environment, new(HomeChoice::Path(path.clone()))).unwrap();
        assert_eq!(by_path.account.home.path(), path);
    }

    #[test]
    fn name_is_stored_in_lower_case_only_by_the_setting() {
        let mut environment = environment();
        for (setting, stored) in [("exact", "Jan@X.de"), ("case-insensitive", "jan@x.de")] {
            environment.accounts.usernames = setting.into();
            let new = NewAccount { username: "Jan@X.de".into(), ..new(HomeChoice::Cluster("99-5".into())) };
            assert_eq!(Draft::new(&environment, new).unwrap().account.username, stored);
        }
    }

    #[test]
    fn accounts_that_break_a_rule_are_refused() {
        let environment = environment();
        let refused = |new: NewAccount| Draft::new(&environment, new).unwrap_err().to_string();
        assert_eq!(refused(new(HomeChoice::Cluster("5".into()))), "environment 99 has no cluster `5`");
        assert_eq!(refused(new(HomeChoice::Path("/x".into()))), "invalid home folder `/x`");
        for odd in ["\u{202e}", "\u{200b}", "\u{2028}", "\n"] {
            let path = format!("/{}/a{odd}b", names::upload_bucket(&environment, "99-5"));
            assert!(refused(new(HomeChoice::Path(path))).starts_with("invalid home folder"), "{odd:?}");
        }
        let elsewhere = refused(new(HomeChoice::Path("/another-bucket/175781".into())));
        assert_eq!(elsewhere, "the bucket another-bucket does not belong to a cluster of environment 99");
        let here = || HomeChoice::Cluster("99-5".into());
        let wrong = refused(NewAccount { allowed: vec!["192.0.2.0/33".into()], ..new(here()) });
        assert_eq!(wrong, "invalid address range `192.0.2.0/33`");
        let regions = vec!["us-west-2".into(), "eu-west-1".into()];
        let elsewhere = NewAccount { regions, ..new(here()) };
        assert_eq!(refused(elsewhere), "environment 99 has no region `eu-west-1`");
        assert_eq!(refused(NewAccount { expires: Some("soon".into()), ..new(here()) }), "invalid time `soon`");
        assert!(refused(NewAccount { note: Some("x".repeat(501)), ..new(here()) }).contains("500"));
        assert!(refused(NewAccount { org_id: 0, ..new(here()) }).contains('0'));
        assert!(refused(NewAccount { username: "ab".into(), ..new(here()) }).contains("`ab`"));
    }

    #[test]
    fn defaults_of_the_cluster_fill_what_is_not_given() {
        let source = include_str!("../../../environments/99.yaml").to_owned()
            + "\ndefaults:\n  99-5: { status: disabled, expires_days: 30, allow: [198.51.100.0/24], \
               regions: [us-west-2], note: trial }\n";
        let environment = sftpctl_core::spec::load(&source, "99.yaml").unwrap();
        let plain = |home: HomeChoice| NewAccount { allowed: Vec::new(), ..new(home) };
        let path = format!("/{}/other", names::upload_bucket(&environment, "99-5"));
        for home in [HomeChoice::Cluster("99-5".into()), HomeChoice::Path(path)] {
            let (account, taken) = plain(home).with_defaults(&environment, 86_400);
            assert_eq!(taken, ["status", "expires_days", "allow", "regions", "note"]);
            let account = Draft::new(&environment, account).unwrap().account;
            assert!(account.disabled && account.expires.as_ref().unwrap().is_over(31 * 86_400));
            assert!(!account.expires.as_ref().unwrap().is_over(31 * 86_400 - 1));
            assert_eq!(account.allowed[0].to_string(), "198.51.100.0/24");
            assert_eq!((account.regions, account.note.as_deref()), (vec!["us-west-2".to_owned()], Some("trial")));
        }
        let given = NewAccount {
            regions: vec!["us-east-2".into()],
            expires: Some("2027-01-01".into()),
            note: Some(String::new()),
            ..new(HomeChoice::Cluster("99-5".into()))
        };
        let (account, taken) = given.clone().with_defaults(&environment, 0);
        assert_eq!(taken, ["status"], "what is given stays");
        assert_eq!((account.regions, account.expires), (given.regions, given.expires));
        let (elsewhere, taken) = plain(HomeChoice::Cluster("99-4".into())).with_defaults(&environment, 0);
        assert!(taken.is_empty() && !elsewhere.disabled && elsewhere.allowed.is_empty());
    }

    #[test]
    fn passwords_are_checked_and_hashed() {
        let draft = Draft::new(&environment(), new(HomeChoice::Cluster("99-5".into()))).unwrap();
        assert!(draft.needs_password());
        let account = with_password(draft.account.clone(), Some("a password")).unwrap();
        assert_eq!(verify("a password", account.password.as_deref().unwrap()), Verdict::Right);
        assert!(account.created.is_some() && account.created == account.updated);
        assert!(matches!(with_password(draft.account.clone(), Some("")), Err(CreateError::Rule(_))));
        assert_eq!(with_password(draft.account, None).unwrap().password, None);
    }
}
