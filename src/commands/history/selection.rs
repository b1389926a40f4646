//! The arguments that select a customer's folder, or a cluster's bucket.

use std::sync::Arc;

use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::commands::users::errors;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftp_authorizer::Account;
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_aws::Aws;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_files::history::selection::Selection;
use sftpctl_files::history::source::Bucket;

#[derive(Debug, clap::Args)]
pub(super) struct Where {
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The files of the account with this user name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The files of this organisation's account
    #[arg(long, value_name = "N")]
    orgid: Option<i64>,
    /// The files of all customers of a cluster; paths begin with a customer's folder
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

/// A folder that was found.
pub(super) struct Found {
    pub(super) environment: Environment,
    pub(super) aws: Arc<Aws>,
    pub(super) cluster: String,
    pub(super) bucket: Bucket,
    pub(super) selection: Selection,
}

impl Where {
    /// Connects to AWS, and finds the folder.
    pub(super) async fn open(
        &self,
        path: &str,
        permissions: Permissions,
        printer: Printer,
    ) -> Result<(Environment, Bucket, Selection), CliError> {
        let Found { environment, bucket, selection, .. } = self.find(path, permissions, printer).await?;
        Ok((environment, bucket, selection))
    }

    /// Connects to AWS, and finds the folder and its cluster.
    pub(super) async fn find(&self, path: &str, permissions: Permissions, printer: Printer) -> Result<Found, CliError> {
        let (environment, aws) = self.aws.connect(permissions, printer).await?;
        let (cluster, home) = match &self.whose.cluster {
            Some(cluster) => (cluster.clone(), String::new()),
            None => {
                let account = self.account(&aws, &environment).await?;
                let cluster = cluster_of(&environment, &account)?;
                (cluster, format!("{}/", account.home.folder))
            }
        };
        let region = environment.clusters.get(&cluster).map(|cluster| cluster.region.clone()).ok_or_else(|| {
            let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
            CliError::new(Exit::Usage, format!("environment {} has no cluster {cluster}", environment.name))
                .hint(format!("its clusters are {}", known.join(", ")))
        })?;
        let bucket = Bucket { s3: aws.s3(&region), name: names::upload_bucket(&environment, &cluster) };
        let selection = Selection { bucket: bucket.name.clone(), region, home, path: path.to_owned() };
        Ok(Found { environment, aws, cluster, bucket, selection })
    }

    async fn account(&self, aws: &Arc<Aws>, environment: &Environment) -> Result<Account, CliError> {
        let accounts = Accounts::new(Arc::clone(aws), environment);
        let found = match (&self.whose.username, self.whose.orgid) {
            (Some(name), _) => accounts.by_name(name).await,
            (None, id) => accounts.by_org(id.unwrap_or_default()).await,
        };
        found.map_err(|error| match error {
            AccountError::Missing(_) => CliError::from_error(
                Exit::Usage,
                &error,
                Some(
                    "the files of a removed account: --cluster CLUSTER, and a path that begins with its folder".into(),
                ),
            ),
            error => errors::explain(error, &self.aws.words(), &self.whose()),
        })
    }

    fn whose(&self) -> String {
        match &self.whose {
            Whose { username: Some(name), .. } => format!("--username {}", shell_word(name)),
            Whose { orgid: Some(id), .. } => format!("--orgid {id}"),
            Whose { cluster, .. } => format!("--cluster {}", shell_word(cluster.as_deref().unwrap_or_default())),
        }
    }

    /// These arguments as text, for another command line.
    pub(super) fn words(&self) -> String {
        format!("{} {}", self.aws.words(), self.whose())
    }
}

fn cluster_of(environment: &Environment, account: &Account) -> Result<String, CliError> {
    let cluster = names::cluster_of(environment, &account.home.bucket);
    cluster.map(|(name, _)| name.clone()).ok_or_else(|| {
        let (bucket, name) = (&account.home.bucket, &environment.name);
        CliError::new(
            Exit::Refused,
            format!("the folder of {} is in {bucket}, which is not a bucket of {name}", account.username),
        )
        .hint("add its cluster to the environment file")
    })
}
