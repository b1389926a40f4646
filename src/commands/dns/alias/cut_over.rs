//! `sftpctl dns alias move`: a cut-over in three steps, and the way back.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::session::{Opened, Session};
use super::work::{WorkArgs, carry_out, confirmed, end};
use crate::commands::args::Yes;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::aliases::AliasesView;
use crate::report::format::time;
use crate::report::span::span;
use sftpctl_core::aliases::decide::{Foreign, Plan, Rule, Ttl, plan};
use sftpctl_core::aliases::memory::{LOW_TTL, Memory, PROPAGATION, Wait};
use sftpctl_core::aliases::name::is_host_name;
use sftpctl_core::aliases::zone::Found;
use sftpctl_core::text::{counted, either};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl dns alias move --env 99 --region us-west-2 --from old.example.com --lower-ttl 60\n  \
    sftpctl dns alias move --env 99 --region us-west-2 --from old.example.com\n  \
    sftpctl dns alias move --env 99 --back\n  \
    sftpctl dns alias move --env 99 --region us-west-2 --from old.example.com --ttl 300\n\n\
    Lower the TTL first, wait until the old one has run out, then move: customers follow within the low TTL, and go back \
    as fast. Without names, all customers' aliases that point to the old host are moved, and --back takes back all that \
    were moved. Keep the old server until the last cached answer is over.\n\n\
    Where an alias pointed before is kept with the state. docs/aliases.md describes it.")]
pub(super) struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// The old host that the aliases point to
    #[arg(long, value_name = "HOST", required_unless_present = "back", value_parser = old_host)]
    from: Option<String>,
    /// The region whose host the aliases get; needed if the environment has several and no latency records
    #[arg(long, value_name = "REGION", conflicts_with = "back")]
    region: Option<String>,
    /// Only lower the TTL, to at most 300 seconds, and say when the old one has run out
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["back", "now", "ttl"])]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=LOW_TTL))]
    lower_ttl: Option<i64>,
    /// Move although caches may keep the old answer for long
    #[arg(long, conflicts_with = "back")]
    now: bool,
    /// Point the aliases to their old hosts again
    #[arg(long)]
    back: bool,
    /// The TTL that the aliases get [default: the one that they have]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=604_800))]
    ttl: Option<i64>,
    #[command(flatten)]
    yes: Yes,
}

fn old_host(text: &str) -> Result<String, String> {
    let host = text.trim_end_matches('.').to_ascii_lowercase();
    if is_host_name(&host) { Ok(host) } else { Err(format!("`{text}` is not a host name")) }
}

/// What the command is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    LowerTtl(i64),
    Move,
    Back,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::LowerTtl(_) => "lower-ttl",
            Self::Move => "move",
            Self::Back => "back",
        }
    }
}

/// Lowers the TTL, moves, or moves back.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let step = match (args.back, args.lower_ttl) {
        (true, _) => Step::Back,
        (false, Some(ttl)) => Step::LowerTtl(ttl),
        (false, None) => Step::Move,
    };
    let session = Session::connect(&args.work.state, printer).await?;
    let host = if step == Step::Back { None } else { Some(session.host(args.region.as_deref())?) };
    if host.is_some() && host == args.from {
        return Err(CliError::new(Exit::Usage, "--from is the environment's host itself")
            .hint("name the host that the aliases point to now"));
    }
    let names = args.work.names.full(&session.pattern, &session.own_names())?;
    let mut memory = session.store.alias_memory().await?;
    let opened = session.open().await?;
    let left = if names.is_empty() && step != Step::Back { left(&session, &opened) } else { Vec::new() };
    tell_left(&session, &left);
    let rules = rules(&args, step, host.as_deref(), (&session, &opened, memory.get()), names)?;
    let plan = plan(&opened.records, rules.iter().map(|(name, rule)| (name.as_str(), rule)));
    let mut view = AliasesView::new(&session.environment.name, step.name(), host.as_deref(), &plan);
    view.left = left;
    if step == Step::Move && !args.now {
        refuse_early(&session, &view, memory.get())?;
    }
    let is_admitted = args.work.admit(&session, &view)?;
    if !is_admitted {
        tell_ttl(&session, step, memory.get(), &plan);
        return Ok(Exit::Ok);
    }
    confirmed(args.yes, || question(step, host.as_deref(), plan.changes.len() as u64)).await?;
    // Before the first change: a run that is killed has remembered what it may have changed.
    let before = memory.get().clone();
    let remembered = |at: i64| match step {
        Step::LowerTtl(_) => before.lowered(&plan.changes, at),
        Step::Move | Step::Back => before.moved(&plan.changes),
    };
    let is_remembered = step != Step::Back;
    if is_remembered {
        memory.replace(remembered(Timestamp::now().as_second() + PROPAGATION)).await?;
    }
    let sent = carry_out(&session, &opened, &plan).await;
    if let (Step::LowerTtl(_), Some(at)) = (step, sent.in_sync.filter(|_| sent.error.is_none() && !sent.interrupted)) {
        memory.replace(remembered(at)).await?;
    }
    let is_complete = sent.error.is_none() && !sent.interrupted;
    let exit = end(&session, view, sent)?;
    if is_complete {
        tell_ttl(&session, step, memory.get(), &plan);
    }
    Ok(exit)
}

/// The names of a step, each with its rule.
fn rules(
    args: &Args,
    step: Step,
    host: Option<&str>,
    (session, opened, memory): (&Session, &Opened, &Memory),
    names: Vec<String>,
) -> Result<BTreeMap<String, Rule>, CliError> {
    let ttl = args.ttl.map_or(Ttl::Keep, Ttl::Set);
    if step == Step::Back {
        let is_wanted = |name: &str, from: &str| {
            (names.is_empty() || names.iter().any(|wanted| wanted == name))
                && args.from.as_deref().is_none_or(|wanted| wanted == from)
        };
        if let Some(unknown) = names.iter().find(|name| memory.from(name).is_none()) {
            return Err(CliError::new(Exit::Usage, format!("where {unknown} pointed before is not known"))
                .hint("only aliases that `dns alias move` has moved can be moved back; check --state"));
        }
        let rule = |from: &str| Rule {
            from: session.hosts.clone(),
            settled: Vec::new(),
            target: Some(from.to_owned()),
            ttl,
            creates: None,
        };
        let wanted = memory.iter().filter(|(name, from)| is_wanted(name, from));
        return Ok(wanted.map(|(name, from)| (name.to_owned(), rule(from))).collect());
    }
    let from = args.from.clone().unwrap_or_default();
    let others = session.hosts.iter().filter(|host| **host != from).cloned();
    let rule = match step {
        Step::LowerTtl(ttl) => Rule {
            from: Vec::new(),
            settled: others.collect(),
            target: Some(from.clone()),
            ttl: Ttl::AtMost(ttl),
            creates: None,
        },
        Step::Move | Step::Back => {
            Rule { from: vec![from.clone()], settled: Vec::new(), target: host.map(str::to_owned), ttl, creates: None }
        }
    };
    let names = if names.is_empty() { pointing_to(&from, args.ttl.and(host), session, opened, memory) } else { names };
    Ok(names.into_iter().map(|name| (name, rule.clone())).collect())
}

/// Customers' aliases that point to the old host; with a new TTL, also those that were moved from there already.
fn pointing_to(from: &str, moved_to: Option<&str>, session: &Session, opened: &Opened, memory: &Memory) -> Vec<String> {
    let own = session.own_names();
    let is_chosen = |name: &str, found: &Found| match found {
        Found::Cname(cname) => {
            let target = cname.target();
            target == from || (Some(target.as_str()) == moved_to && memory.from(name) == Some(from))
        }
        Found::Other(_) => false,
    };
    let all = opened.records.iter().filter(|(name, found)| {
        session.pattern.fits(name) && !own.iter().any(|own| own == name) && is_chosen(name, found)
    });
    all.map(|(name, _)| name.to_owned()).collect()
}

/// Aliases that were not looked at, since they are not plain CNAMEs: where they lead is not known here.
fn left(session: &Session, opened: &Opened) -> Vec<Foreign> {
    let own = session.own_names();
    let is_ours = |name: &str| session.pattern.fits(name) && !own.iter().any(|own| own == name);
    let all = opened.records.iter().filter_map(|(name, found)| match found {
        Found::Other(what) if is_ours(name) => Some(Foreign { name: name.to_owned(), reason: what.clone() }),
        _ => None,
    });
    all.collect()
}

/// Says which aliases are left.
fn tell_left(session: &Session, left: &[Foreign]) {
    if !left.is_empty() {
        let count = left.len() as u64;
        let are = either(
            count,
            "is not a plain CNAME, and is left as it is",
            "are not plain CNAMEs, and are left as they are",
        );
        let count = counted(count, "alias");
        let some: Vec<_> = left.iter().take(NAMED).map(|one| format!("{} {}", one.name, one.reason)).collect();
        let more = if left.len() > NAMED { "; … (--output json has all)" } else { "" };
        let some = some.join("; ");
        session.printer.note(|| format!("warning: {count} {are}: {some}{more}"));
    }
}

/// Aliases that a warning names.
const NAMED: usize = 5;

/// Refuses to move while caches may keep the old answer for long.
fn refuse_early(session: &Session, view: &AliasesView<'_>, memory: &Memory) -> Result<(), CliError> {
    let now = Timestamp::now().as_second();
    let moved: Vec<_> = view.plan.changes.iter().filter(|change| change.is_new_target()).cloned().collect();
    let Some(wait) = memory.wait(&moved, now) else { return Ok(()) };
    session.printer.json("dns-alias/1", view);
    let (message, hint) = match wait {
        Wait::NotLowered { aliases, ttl } => (
            format!(
                "{} {} a TTL of up to {}: customers would reach the old host for so long after the move; \
                 nothing was changed",
                counted(aliases as u64, "alias"),
                either(aliases as u64, "has", "have"),
                span(ttl.unsigned_abs())
            ),
            "lower it first, with --lower-ttl 60, or pass --now".to_owned(),
        ),
        Wait::Cached { aliases, until } => (
            format!(
                "caches may have {} with an earlier TTL until {}, in {}; nothing was changed",
                counted(aliases as u64, "alias"),
                time(until),
                span((until - now).unsigned_abs())
            ),
            "wait until then, or pass --now".to_owned(),
        ),
    };
    Err(CliError::new(Exit::Refused, message).hint(hint))
}

fn question(step: Step, host: Option<&str>, count: u64) -> String {
    let (aliases, host) = (counted(count, "alias"), host.unwrap_or_default());
    match step {
        Step::LowerTtl(ttl) => {
            format!("Lower the TTL of {aliases} to {}? [y/N]", counted(ttl.unsigned_abs(), "second"))
        }
        Step::Move => format!("Move {aliases} to {host}? [y/N]"),
        Step::Back => format!("Point {aliases} to the old hosts again? [y/N]"),
    }
}

/// Says when the old answers are over, and what comes next.
fn tell_ttl(session: &Session, step: Step, memory: &Memory, plan: &Plan) {
    let printer = session.printer;
    match step {
        Step::LowerTtl(_) => {
            let changed = plan.changes.iter().map(|change| change.name.as_str());
            let names = changed.chain(plan.same.iter().map(String::as_str));
            if let Some(until) = memory.until(names) {
                printer.text(|| {
                    let now = Timestamp::now().as_second();
                    let rest = if until > now {
                        format!(", in {}", span((until - now).unsigned_abs()))
                    } else {
                        String::new()
                    };
                    format!("the old TTL has run out at {}{rest}; then move the aliases", time(until))
                });
            }
        }
        Step::Move | Step::Back => {
            let now = Timestamp::now().as_second();
            // Forwards the earlier TTL counts as well. Backwards what it led to is what the aliases get again.
            let ttls = plan.changes.iter().filter(|change| change.is_new_target());
            let ttl = ttls.filter_map(|change| change.old.as_ref()).map(|old| old.ttl).max();
            let earlier = memory.forgotten(&plan.changes, now).filter(|_| step == Step::Move);
            let Some(ttl) = ttl else { return };
            let rest = match earlier.filter(|end| *end > now.saturating_add(ttl)) {
                Some(end) => format!("until {}, in {}", time(end), span((end - now).unsigned_abs())),
                None => format!("for another {}", span(ttl.unsigned_abs())),
            };
            printer.text(|| format!("caches may answer as before {rest}; keep both servers until then"));
        }
    }
}
