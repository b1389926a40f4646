//! `sftpctl users add`.

use std::path::PathBuf;
use std::sync::Arc;

use super::new_password::{NewPassword, PasswordArgs};
use super::{errors, result};
use crate::commands::args::AwsArgs;
use crate::commands::input_file;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_accounts::create::{Draft, HomeChoice, NewAccount};
use sftpctl_accounts::{Accounts, rules};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --generate-password\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --password-stdin < file\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --public-key jan.pub\n\n\
    If two people add one user name at the same moment, one of them wins and the other gets an error: the name is \
    reserved in the same transaction, since the table's index on user names is not unique.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// The organisation's ID, the table's key
    #[arg(long, value_name = "N")]
    orgid: i64,
    /// The user name that the customer logs in with
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The cluster whose bucket has the home folder
    #[arg(long, value_name = "CLUSTER", required_unless_present = "home", conflicts_with = "home")]
    cluster: Option<String>,
    /// Home folder, /<bucket>/<folder> [default: the organisation's ID in the cluster's bucket]
    #[arg(long, value_name = "PATH")]
    home: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// File with public keys, one a line; an account with keys needs no password (repeatable)
    #[arg(long = "public-key", value_name = "FILE")]
    public_keys: Vec<PathBuf>,
    /// Admit the customer from this address range only (repeatable)
    #[arg(long = "allow-cidr", value_name = "CIDR")]
    allowed: Vec<String>,
}

/// Adds the account and its home folder.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ManagesUsers, printer).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let explain = |error| errors::explain_create(error, &args.aws.words(), &args.username, args.orgid);
    let draft = Draft::new(&environment, new_account(&args)?).map_err(explain)?;
    let asks = draft.needs_password() || args.password.are_given();
    let password = asks.then(|| args.password.read(&args.username)).transpose()?;
    let secret = password.as_ref().map(NewPassword::expose);
    let account = draft.create(&aws, &environment, &accounts, secret).await.map_err(explain)?;
    if !account.public_keys.is_empty() && !environment.server.takes_keys() {
        streams::progress("note: the servers take passwords only; set `server.authentication` in the environment file");
    }
    result::show(printer, &account, "added", password.as_ref().and_then(NewPassword::generated));
    Ok(Exit::Ok)
}

fn new_account(args: &Args) -> Result<NewAccount, CliError> {
    let mut public_keys = Vec::new();
    for file in &args.public_keys {
        let text = input_file::read(file, input_file::SMALL)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
        let keys = rules::public_keys(&file.display().to_string(), &text);
        public_keys.extend(keys.map_err(|error| CliError::from_error(Exit::Usage, &error, None))?);
    }
    let home = match (&args.home, &args.cluster) {
        (Some(path), _) => HomeChoice::Path(path.clone()),
        (None, cluster) => HomeChoice::Cluster(cluster.clone().unwrap_or_default()),
    };
    let (username, allowed) = (args.username.clone(), args.allowed.clone());
    Ok(NewAccount { org_id: args.orgid, username, home, public_keys, allowed })
}
