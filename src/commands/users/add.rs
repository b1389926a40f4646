//! `sftpctl users add`.

use std::path::PathBuf;
use std::sync::Arc;

use super::new_password::{NewPassword, PasswordArgs};
use super::{errors, key_files, result};
use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_accounts::Accounts;
use sftpctl_accounts::create::{Before, Draft, HomeChoice, NewAccount};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --generate-password\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --password-stdin < file\n  \
    sftpctl users add --env 99 --orgid 17578 --username jan --cluster 99-5 --public-key jan.pub\n\n\
    If two people add one user name at the same moment, one of them wins and the other gets an error: the name is \
    reserved in the same transaction, since the table's index on user names is not unique.\n\n\
    A folder that another organisation has, or one inside or around it, is refused. If the folder has files already, which \
    an organisation may have left that had it before, a warning says so.\n\n\
    What `defaults` of the environment file has for the cluster is taken where no option says otherwise; each is named on \
    stderr.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// The organisation's ID
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
    /// Admit the customer in this region only (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Refuse the customer from this time on: a date, to its end in UTC, or a time of RFC 3339
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Text for operators, at most 500 characters
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Leave the `defaults` of the environment file aside
    #[arg(long)]
    no_defaults: bool,
}

/// Adds the account and its home folder.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ManagesUsers, printer).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let explain = |error| errors::explain_create(error, &args.aws.words(), &args.username, args.orgid);
    let new = match args.no_defaults {
        true => new_account(&args)?,
        false => with_defaults(new_account(&args)?, &environment),
    };
    let draft = Draft::new(&environment, new).map_err(explain)?;
    let (home, before) = (draft.home(), draft.check_folder(&aws, &accounts).await.map_err(explain)?);
    let asks = draft.needs_password() || args.password.are_given();
    let password = asks.then(|| args.password.read(&args.username)).transpose()?;
    let secret = password.as_ref().map(NewPassword::expose);
    let account = draft.create(&aws, &environment, &accounts, secret).await.map_err(explain)?;
    result::note_keys(&environment, &account);
    note_files(&home, &before);
    result::show(printer, &account, "added", password.as_ref().and_then(NewPassword::generated));
    Ok(Exit::Ok)
}

/// Says if the folder had files before the account.
fn note_files(home: &str, before: &Before) {
    match before {
        Before::Nothing => {}
        Before::Files => streams::progress(format!(
            "warning: the folder {home} has files already, which the account sees; find out whether they are another \
             organisation's: aws s3 ls {}",
            shell_word(&format!("s3:/{home}/"))
        )),
        Before::Unknown(error) => {
            streams::progress(format!("warning: whether files are in the folder {home} already is not known: {error}"));
        }
    }
}

/// The account with what its cluster's defaults add, which are named.
fn with_defaults(new: NewAccount, environment: &Environment) -> NewAccount {
    let (new, taken) = new.with_defaults(environment, result::now());
    if !taken.is_empty() {
        streams::progress(format!("note: taken from `defaults` of the environment file: {}", taken.join(", ")));
    }
    new
}

fn new_account(args: &Args) -> Result<NewAccount, CliError> {
    let home = match (&args.home, &args.cluster) {
        (Some(path), _) => HomeChoice::Path(path.clone()),
        (None, cluster) => HomeChoice::Cluster(cluster.clone().unwrap_or_default()),
    };
    Ok(NewAccount {
        org_id: args.orgid,
        username: args.username.clone(),
        home,
        public_keys: key_files::read(&args.public_keys)?,
        allowed: args.allowed.clone(),
        regions: args.regions.clone(),
        expires: args.expires_at.clone(),
        note: args.note.clone(),
        disabled: false,
    })
}
