//! `sftpctl users`: the customers' accounts.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::common::{Look, Place};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use sftp_authorizer::account::parse_range;
use sftp_authorizer::home::Home;
use sftp_authorizer::password::{self, Scheme};
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_accounts::rules::{self, RuleError};
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_engine::clock;
use sftpctl_engine::verify::canary::random;

/// Accounts of customers in the table.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users add --env 99 --orgid 175781 --username my1sftp --cluster 99-5 --generate-password\n  \
    sftpctl users add --env 99 --orgid 175781 --username my1sftp --cluster 99-5 --password-stdin < secret.txt\n  \
    sftpctl users passwd --env 99 --username my1sftp\n  \
    sftpctl users list --env 99 --output csv\n\n\
    A password is read from stdin, asked for on the terminal, or generated; never an argument, which others on the\n\
    machine could see.")]
pub(super) struct UsersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an account and its home folder
    #[command(
        after_help = "Two people who add one user name at the same moment: one of them wins, the other is told. The \
        name is reserved\nin the same transaction, since the table's index on user names is not unique."
    )]
    Add(AddArgs),
    /// Set a new password
    Passwd(PasswdArgs),
    /// Turn an account off; sessions that are open go on, the next log-in is refused
    Disable(Which),
    /// Turn an account on again
    Enable(Which),
    /// Remove an account; its files stay
    Remove(RemoveArgs),
    /// Show an account, without its password
    Show(Which),
    /// List accounts, page by page as they come
    List(ListArgs),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Who {
    /// The user name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The organisation's id
    #[arg(long, value_name = "N")]
    orgid: Option<i64>,
}

#[derive(Debug, Args)]
struct AddArgs {
    #[command(flatten)]
    place: Place,
    /// The organisation's id, the table's key
    #[arg(long, value_name = "N")]
    orgid: i64,
    /// What the customer logs in with
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The cluster whose bucket has the home folder
    #[arg(long, value_name = "CLUSTER", required_unless_present = "home", conflicts_with = "home")]
    cluster: Option<String>,
    /// Home folder, /<bucket>/<folder> [default: the organisation's id in the cluster's bucket]
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

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Read the password from stdin; one line end after it is left out
    #[arg(long, conflicts_with = "generate_password")]
    password_stdin: bool,
    /// Make a password and print it, once
    #[arg(long)]
    generate_password: bool,
}

#[derive(Debug, Args)]
struct PasswdArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    #[command(flatten)]
    which: Which,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Only accounts whose home is in this cluster's bucket
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

/// Does it.
pub(super) async fn run(args: UsersArgs, look: Look) -> Result<Exit, CliError> {
    match args.command {
        Command::Add(args) => add(args, look).await,
        Command::Passwd(args) => passwd(args, look).await,
        Command::Disable(which) => turn(which, look, true).await,
        Command::Enable(which) => turn(which, look, false).await,
        Command::Remove(args) => remove(args, look).await,
        Command::Show(which) => show(which, look).await,
        Command::List(args) => list(args, look).await,
    }
}

fn rule(error: RuleError) -> CliError {
    CliError::from_error(Exit::Usage, &error, None)
}

fn fault(error: AccountError) -> CliError {
    let (exit, hint) = match &error {
        AccountError::Aws(error) => (Exit::Failed, error.hint()),
        AccountError::NameTaken(_) | AccountError::OrgTaken(_) => {
            (Exit::Refused, Some("see who has it with: sftpctl users show".to_owned()))
        }
        AccountError::Changed(_) => (Exit::Refused, Some("run the same command again".to_owned())),
        AccountError::Missing(_) => (Exit::Usage, Some("sftpctl users list shows the accounts".to_owned())),
        AccountError::Duplicate { .. } => {
            (Exit::Refused, Some("remove all but one, by --orgid: sftpctl users remove --orgid N".to_owned()))
        }
        AccountError::Malformed { .. } => {
            (Exit::Refused, Some("correct the item in the table, or take it out: sftpctl users remove".to_owned()))
        }
    };
    CliError::from_error(exit, &error, hint)
}

fn failed(error: &sftpctl_aws::AwsError) -> CliError {
    CliError::from_error(Exit::Failed, error, error.hint())
}

async fn open(place: &Place, look: Look) -> Result<(Environment, Arc<Aws>, Accounts), CliError> {
    let (environment, aws) = place.connect(look).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    Ok((environment, aws, accounts))
}

async fn find(accounts: &Accounts, who: &Who) -> Result<Account, CliError> {
    let found = match (&who.username, who.orgid) {
        (Some(name), _) => accounts.by_name(name).await,
        (None, id) => accounts.by_org(id.unwrap_or_default()).await,
    };
    found.map_err(fault)
}

/// The password, and whether it was made here and must be told. `None` where none was asked for and keys will do.
fn read_password(args: &PasswordArgs, username: &str, needed: bool) -> Result<Option<(SecretString, bool)>, CliError> {
    let unreadable = |error: std::io::Error| CliError::from_error(Exit::Usage, &error, None);
    let secret = if args.generate_password {
        return Ok(Some((SecretString::from(random(24)), true)));
    } else if args.password_stdin {
        let mut bytes = Vec::new();
        std::io::stdin().take(64 << 10).read_to_end(&mut bytes).map_err(unreadable)?;
        let mut text =
            String::from_utf8(bytes).map_err(|_| CliError::new(Exit::Usage, "the password on stdin is no UTF-8"))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        text
    } else if !needed {
        return Ok(None);
    } else if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("Password for {username}: ")).map_err(unreadable)?;
        let second = rpassword::prompt_password("Again: ").map_err(unreadable)?;
        if first != second {
            return Err(CliError::new(Exit::Usage, "the two passwords differ; nothing was changed"));
        }
        first
    } else {
        return Err(CliError::new(Exit::Usage, "there is no terminal to ask for the password on")
            .hint("say --password-stdin or --generate-password"));
    };
    rules::password(&secret).map_err(rule)?;
    Ok(Some((SecretString::from(secret), false)))
}

fn hashed(secret: &SecretString) -> Result<String, CliError> {
    let mut salt = [0; password::SALT_BYTES];
    rand::fill(&mut salt);
    password::hash(secret.expose_secret(), &salt)
        .map_err(|error| CliError::new(Exit::Failed, format!("the password could not be hashed: {error}")))
}

async fn add(args: AddArgs, look: Look) -> Result<Exit, CliError> {
    let (environment, aws, accounts) = open(&args.place, look).await?;
    rules::org_id(args.orgid).map_err(rule)?;
    rules::username(&args.username, &environment.authorizer.block_list).map_err(rule)?;
    let (home, region) = home(&args, &environment)?;
    let mut public_keys = Vec::new();
    for file in &args.public_keys {
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot read {}: {error}", file.display())))?;
        public_keys.extend(rules::public_keys(&file.display().to_string(), &text).map_err(rule)?);
    }
    let mut allowed = Vec::new();
    for range in &args.allowed {
        allowed.push(parse_range(range).ok_or_else(|| {
            CliError::new(Exit::Usage, format!("`{range}` is no address range")).hint("for example 192.0.2.0/24")
        })?);
    }
    let password = read_password(&args.password, &args.username, public_keys.is_empty())?;
    let account = Account {
        org_id: args.orgid,
        username: args.username.clone(),
        password: password.as_ref().map(|(secret, _)| hashed(secret)).transpose()?,
        home,
        disabled: false,
        allowed,
        public_keys,
        created: Some(clock::now_to_the_microsecond()),
        updated: Some(clock::now_to_the_microsecond()),
    };
    accounts.add(&account).await.map_err(fault)?;
    // The marker makes the folder visible before the first upload. The account works without it.
    let marker = format!("{}/", account.home.folder);
    aws.s3(&region)
        .put_object(&account.home.bucket, &marker, Vec::new(), &environment.account)
        .await
        .map_err(|error| failed(&error).hint("the account was added; only its empty home folder is missing"))?;
    if !account.public_keys.is_empty() && !environment.server.takes_keys() {
        output::progress("note: the servers take passwords only; set `server.authentication` in the environment file");
    }
    told(&account, password, "added", look);
    Ok(Exit::Ok)
}

/// The home, and its bucket's region.
fn home(args: &AddArgs, environment: &Environment) -> Result<(Home, String), CliError> {
    let known = || environment.clusters.keys().cloned().collect::<Vec<_>>().join(", ");
    if let Some(path) = &args.home {
        let home = Home::parse(path).ok_or_else(|| {
            CliError::new(Exit::Usage, format!("`{path}` is no home folder")).hint("it has the form /<bucket>/<folder>")
        })?;
        let cluster =
            environment.clusters.iter().find(|(name, _)| names::upload_bucket(environment, name) == home.bucket);
        let (_, cluster) = cluster.ok_or_else(|| {
            CliError::new(
                Exit::Usage,
                format!("the bucket {} belongs to no cluster of {}", home.bucket, environment.name),
            )
            .hint(format!("clusters: {}", known()))
        })?;
        return Ok((home, cluster.region.clone()));
    }
    let name = args.cluster.as_deref().unwrap_or_default();
    let cluster = environment.clusters.get(name).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("environment {} has no cluster `{name}`", environment.name))
            .hint(format!("clusters: {}", known()))
    })?;
    let home = Home { bucket: names::upload_bucket(environment, name), folder: args.orgid.to_string() };
    Ok((home, cluster.region.clone()))
}

async fn passwd(args: PasswdArgs, look: Look) -> Result<Exit, CliError> {
    let (_, _, accounts) = open(&args.which.place, look).await?;
    let before = find(&accounts, &args.which.who).await?;
    let password = read_password(&args.password, &before.username, true)?;
    let Some((secret, _)) = &password else { return Ok(Exit::Ok) };
    let account =
        Account { password: Some(hashed(secret)?), updated: Some(clock::now_to_the_microsecond()), ..before.clone() };
    accounts.replace(&before, &account).await.map_err(fault)?;
    told(&account, password, "has a new password", look);
    Ok(Exit::Ok)
}

/// An item that is no account, but the only one of those that were asked for.
async fn malformed(accounts: &Accounts, who: &Who) -> Result<Option<Item>, CliError> {
    let mut found = accounts.raw(who.orgid, who.username.as_deref()).await.map_err(|error| failed(&error))?;
    let alone = found.len() == 1 && Account::from_item(&found[0]).is_err();
    Ok(if alone { found.pop() } else { None })
}

/// Who an item would be.
fn named(item: &Item) -> String {
    let text = |name: &str| match item.get(name) {
        Some(Attribute::Text(text) | Attribute::Number(text)) => text.clone(),
        _ => "?".to_owned(),
    };
    format!("{} (organisation {})", text("username"), text("orgid"))
}

async fn turn(which: Which, look: Look, disabled: bool) -> Result<Exit, CliError> {
    let (_, _, accounts) = open(&which.place, look).await?;
    if let (true, Some(item)) = (disabled, malformed(&accounts, &which.who).await?) {
        accounts.end_malformed(&item, false).await.map_err(fault)?;
        output::progress(&format!("{}: disabled; it is still malformed", named(&item)));
        return Ok(Exit::Ok);
    }
    let before = find(&accounts, &which.who).await?;
    let word = if disabled { "disabled" } else { "enabled" };
    if before.disabled != disabled {
        let account = Account { disabled, updated: Some(clock::now_to_the_microsecond()), ..before.clone() };
        accounts.replace(&before, &account).await.map_err(fault)?;
    }
    told(&Account { disabled, ..before }, None, word, look);
    Ok(Exit::Ok)
}

async fn remove(args: RemoveArgs, look: Look) -> Result<Exit, CliError> {
    let (_, _, accounts) = open(&args.which.place, look).await?;
    if let Some(item) = malformed(&accounts, &args.which.who).await? {
        if !args.yes {
            let question = format!("Remove the malformed item of {}? [y/N]", named(&item));
            super::common::confirm(&question, &["y", "yes"], "--yes").await?;
        }
        accounts.end_malformed(&item, true).await.map_err(fault)?;
        output::progress(&format!("{}: removed", named(&item)));
        return Ok(Exit::Ok);
    }
    let account = find(&accounts, &args.which.who).await?;
    if !args.yes {
        let question = format!("Remove the account {} (organisation {})? [y/N]", account.username, account.org_id);
        super::common::confirm(&question, &["y", "yes"], "--yes").await?;
    }
    accounts.remove(&account).await.map_err(fault)?;
    told(&account, None, &format!("removed; its files in {} stay", account.home.path()), look);
    Ok(Exit::Ok)
}

async fn show(which: Which, look: Look) -> Result<Exit, CliError> {
    let (_, _, accounts) = open(&which.place, look).await?;
    let account = find(&accounts, &which.who).await?;
    let shown = public(&account);
    if look.output == Output::Json {
        output::json("account/1", &shown);
        return Ok(Exit::Ok);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => continue,
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        output::data(&format!("{name:<15} {text}"));
    }
    Ok(Exit::Ok)
}

async fn list(args: ListArgs, look: Look) -> Result<Exit, CliError> {
    let (environment, _, accounts) = open(&args.place, look).await?;
    let bucket = args.cluster.as_ref().map(|cluster| names::upload_bucket(&environment, cluster));
    if look.output == Output::Csv {
        output::data("orgid,username,status,password,home,allowed,keys,created,updated");
    }
    let (mut count, mut bad, mut from) = (0_u64, 0_u64, None);
    loop {
        let (page, next) = accounts.page(from).await.map_err(|error| failed(&error))?;
        for account in page {
            match account {
                Ok(account) if bucket.as_ref().is_none_or(|bucket| *bucket == account.home.bucket) => {
                    count += 1;
                    output::data(&line(&account, look.output));
                }
                Ok(_) => {}
                Err(error) => {
                    bad += 1;
                    output::progress(&format!("warning: {error}"));
                }
            }
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    if !matches!(look.output, Output::Json | Output::Csv) {
        output::progress(&format!("{count} accounts, {bad} malformed"));
    }
    Ok(Exit::Ok)
}

fn line(account: &Account, form: Output) -> String {
    let status = if account.disabled { "disabled" } else { "active" };
    match form {
        Output::Json => output::json_line("account/1", &public(account)),
        Output::Csv => {
            let allowed: Vec<String> = account.allowed.iter().map(ToString::to_string).collect();
            let fields = [
                account.org_id.to_string(),
                account.username.clone(),
                status.to_owned(),
                scheme(account).unwrap_or_default().to_owned(),
                account.home.path(),
                allowed.join(" "),
                account.public_keys.len().to_string(),
                account.created.clone().unwrap_or_default(),
                account.updated.clone().unwrap_or_default(),
            ];
            fields.map(|field| csv(&field)).join(",")
        }
        _ => {
            let home = account.home.path();
            format!(
                "{:<10} {:<24} {status:<9} {:<20} {home}",
                account.org_id,
                account.username,
                scheme(account).unwrap_or("keys")
            )
        }
    }
}

/// A field of RFC 4180.
fn csv(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn scheme(account: &Account) -> Option<&'static str> {
    account.password.as_deref().map(|stored| Scheme::of(stored).map_or("unknown", Scheme::as_str))
}

/// An account without its secrets.
fn public(account: &Account) -> Value {
    json!({
        "orgid": account.org_id,
        "username": account.username,
        "status": if account.disabled { "disabled" } else { "active" },
        "home": account.home.path(),
        "password": scheme(account),
        "allowed": account.allowed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "publicKeys": account.public_keys,
        "created": account.created,
        "updated": account.updated,
    })
}

fn told(account: &Account, password: Option<(SecretString, bool)>, what: &str, look: Look) {
    let generated = password.and_then(|(secret, made)| made.then_some(secret));
    if look.output == Output::Json {
        let mut shown = public(account);
        if let Some(secret) = &generated {
            shown["generatedPassword"] = json!(secret.expose_secret());
        }
        output::json("account/1", &shown);
        return;
    }
    output::progress(&format!("{} (organisation {}): {what}", account.username, account.org_id));
    if let Some(secret) = &generated {
        // The only data of this command: it can be piped to where it belongs.
        output::data(secret.expose_secret());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(csv("a"), "a");
        assert_eq!(csv("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
