//! `sftpctl state`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::common::{Look, Patience, Records, Target, confirm};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::run::{self, Run};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::relocate;

/// What is remembered of environments.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sftpctl state list --env 99\n  sftpctl state show --env 99\n  \
    sftpctl state rebuild --env 99\n  sftpctl state move --env 99 --to s3://company-sftpctl/state\n\n\
    State is a help, never the truth: everything in it is found in AWS again by name and tag.")]
pub(super) struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, Subcommand)]
enum StateCommand {
    /// List the environments that have state in the place of this one
    List(Records),
    /// Show what is remembered, and what a killed run left unfinished
    Show(Records),
    /// Make the state anew from AWS alone; a damaged one is put aside
    Rebuild(Rebuild),
    /// Move the state to another place; every interruption is mended by saying it again
    Move(Move),
}

#[derive(Debug, Args)]
struct Rebuild {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Debug, Args)]
struct Move {
    #[command(flatten)]
    records: Records,
    /// The new place: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    to: StatePlace,
    #[command(flatten)]
    patience: Patience,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Lists, shows, rebuilds or moves it.
pub(super) async fn run(args: StateArgs, look: Look) -> Result<Exit, CliError> {
    match args.command {
        StateCommand::List(records) => list(&records, look).await,
        StateCommand::Show(records) => show(&records, look).await,
        StateCommand::Rebuild(args) => rebuild(&args, look).await,
        StateCommand::Move(args) => relocate(&args, look).await,
    }
}

async fn list(records: &Records, look: Look) -> Result<Exit, CliError> {
    let (_, _, store) = records.open(look).await?;
    let environments = store.environments().await?;
    match look.output {
        Output::Json => output::json("states/1", &json!({ "environments": environments })),
        _ => environments.iter().for_each(|name| output::data(name)),
    }
    Ok(Exit::Ok)
}

async fn show(records: &Records, look: Look) -> Result<Exit, CliError> {
    let (environment, _, store) = records.open(look).await?;
    let remembered = store.load().await?;
    if look.output == Output::Json {
        output::json("state/1", &json!({ "state": remembered.state, "unfinished": remembered.unfinished }));
        return Ok(Exit::Ok);
    }
    output::data(&format!("Environment {} in account {}: {}", environment.name, environment.account, store.address()));
    match &remembered.state.last_run {
        None if !remembered.found => output::data("nothing is remembered"),
        None => {}
        Some(run) => output::data(&format!("last run: {} {}, begun {}", run.command, run.outcome, run.started)),
    }
    for (node, identity) in &remembered.state.identities {
        output::data(&format!("  {node:<44} {identity}"));
    }
    for entry in &remembered.unfinished {
        output::data(&format!("unfinished: {} ({}, {})", entry.node, entry.operation, entry.at));
    }
    Ok(Exit::Ok)
}

async fn rebuild(args: &Rebuild, look: Look) -> Result<Exit, CliError> {
    if !args.target.regions.is_empty() {
        return Err(CliError::new(Exit::Usage, "the state is of all regions, and so is what it is made anew from")
            .hint("say it without --region; nothing was touched"));
    }
    let patience = args.patience.lock_timeout;
    let (environment, aws) = args.target.connect(look).await?;
    let store = run::store(&aws, &environment, &args.target.state_place(&environment));
    match store.load().await {
        Ok(_) => {}
        Err(StateError::Damaged { .. }) => {
            let terms = sftpctl_engine::state::store::terms(environment.state.lease_seconds, patience);
            for address in store.put_aside(terms, &output::progress).await? {
                output::progress(&format!("put aside: {address}"));
            }
        }
        Err(error) => return Err(error.into()),
    }
    let run = args.target.open(look).await?;
    run.locked("state rebuild", patience, async |run: &mut Run| run.rebuild().await).await?;
    match look.output {
        Output::Json => output::json("state/1", &json!({ "address": store.address(), "rebuilt": true })),
        _ => output::data(&format!("{} was made anew from AWS.", store.address())),
    }
    Ok(Exit::Ok)
}

async fn relocate(args: &Move, look: Look) -> Result<Exit, CliError> {
    let (environment, aws, from) = args.records.open(look).await?;
    let (from_place, to) = (args.records.place(&environment), run::store(&aws, &environment, &args.to));
    if from_place.is_same(&args.to) {
        return Err(CliError::new(Exit::Usage, format!("the state is at {} already", to.address())));
    }
    if !args.yes {
        confirm(&format!("Move {} to {}? [y/N]", from.address(), to.address()), &["y", "yes"], "--yes").await?;
    }
    let terms = sftpctl_engine::state::store::terms(environment.state.lease_seconds, args.patience.lock_timeout);
    relocate::relocate((&from, &from_place), (&to, &args.to), terms, &output::progress).await?;
    match look.output {
        Output::Json => output::json("state/1", &json!({ "address": to.address(), "place": args.to.to_string() })),
        _ => {
            output::data(&format!("The state is at {} now.", to.address()));
            output::data(&format!("Write it into the environment file: state: {{ place: \"{}\" }}", args.to));
        }
    }
    Ok(Exit::Ok)
}
