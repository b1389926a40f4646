//! `sftpctl logs`.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

use super::args::{AwsArgs, stop_now};
use super::permissions::Permissions;
use super::times::{self, Time};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::logs::{EventView, SummaryView, UnreadView, line};
use sftpctl_accounts::store::usernames;
use sftpctl_activity::feed::Unread;
use sftpctl_activity::read::{Question, Reading};
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::run::error::RunError;

/// Between two polls of `--follow`.
const INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl logs --env 99\n  \
    sftpctl logs --env 99 --user jan --since 2d\n  \
    sftpctl logs --env 99 --failed --source 192.0.2.7 --since 7d\n  \
    sftpctl logs --env 99 --since 2026-11-30T08:00:00Z --until 2026-11-30T08:30:00Z\n  \
    sftpctl logs --env 99 --follow\n  \
    sftpctl logs --env 99 --since 7d --output json > week.jsonl\n\n\
    Reads the servers' structured logs and the reasons of refusals in the authorizers' logs, in all regions, by \
    FilterLogEvents, which AWS does not charge for. AWS takes seconds to a minute to write a line. --follow asks again \
    every two seconds until Ctrl-C; it does not use Live Tail, which is charged by the minute. A region that cannot be read \
    is named, the others are shown, and the exit code is 6. docs/logs.md says how far back the logs reach.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Only of this user name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only from this address
    #[arg(long, value_name = "IP")]
    source: Option<String>,
    /// Only what concerns a path with this text in it, such as /BUCKET/FOLDER/
    #[arg(long, value_name = "TEXT")]
    path: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only what failed or was refused
    #[arg(long)]
    failed: bool,
    /// Also show that files are opened, closed without a byte, or get attributes
    #[arg(long)]
    details: bool,
    /// From this time on: 30m, 1h, 7d, a date or a time
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = times::since)]
    since: Time,
    /// Up to this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = times::until, conflicts_with = "follow")]
    until: Option<Time>,
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Only this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Show at most so many, the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: Option<u32>,
}

/// The regions that are asked for; all without any.
pub(crate) fn regions(environment: &Environment, chosen: &[String]) -> Result<Vec<String>, CliError> {
    if let Some(unknown) = chosen.iter().find(|region| !environment.regions.contains_key(*region)) {
        let known = environment.regions.keys().cloned().collect();
        let error = RunError::UnknownRegion { environment: environment.name.clone(), region: unknown.clone(), known };
        return Err(error.into());
    }
    let all = environment.regions.keys();
    Ok(all.filter(|region| chosen.is_empty() || chosen.contains(region)).cloned().collect())
}

/// Names what could not be read.
pub(crate) fn warn(printer: Printer, unread: &[Unread]) {
    for unread in unread {
        printer.note(|| format!("warning: not read: {unread}"));
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Shows events as they are read; with a limit, when all are.
struct Shown {
    printer: Printer,
    limit: Option<usize>,
    kept: VecDeque<EventView>,
    count: u64,
    left_out: u64,
}

impl Shown {
    fn add(&mut self, view: EventView) {
        self.count += 1;
        match self.limit {
            None => emit(self.printer, &view),
            Some(limit) => {
                self.kept.push_back(view);
                if self.kept.len() > limit {
                    self.kept.pop_front();
                    self.left_out += 1;
                }
            }
        }
    }

    /// Shows what was kept. What follows is shown as it is read.
    fn flush(&mut self) {
        self.kept.drain(..).for_each(|view| emit(self.printer, &view));
        self.limit = None;
    }
}

fn emit(printer: Printer, view: &EventView) {
    printer.emit("log-event/1", view, || line(view));
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ReadsLogs, printer).await?;
    let now_ms = now();
    let since = args.since.seconds(now_ms / 1_000) * 1_000;
    let until = args.until.map_or(now_ms, |until| until.seconds(now_ms / 1_000) * 1_000 + 999);
    if since > until {
        return Err(CliError::new(Exit::Usage, "--since is later than --until").hint("exchange the two times"));
    }
    let question = Question {
        regions: regions(&environment, &args.regions)?,
        user: args.user,
        source: args.source,
        path: args.path,
        session: args.session,
        failed: args.failed,
        details: args.details,
        period: (since, until),
    };
    let stop = Stop::on_signals(|| {}, stop_now);
    let mut reading = tokio::select! {
        reading = Reading::open(&aws, &environment, usernames(&environment), question) => reading,
        () = stop.canceled() => return Ok(Exit::Interrupted),
    };
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let mut shown = Shown { printer, limit, kept: VecDeque::new(), count: 0, left_out: 0 };
    read(&mut reading, &mut shown, &stop).await;
    shown.flush();
    warn(printer, &reading.unread);
    let mut unread = reading.unread.clone();
    while args.follow && !stop.requested() {
        let _ = timeout(INTERVAL, stop.canceled()).await;
        if stop.requested() {
            break;
        }
        reading.go_on(now());
        read(&mut reading, &mut shown, &stop).await;
        // Each is named once, not every two seconds.
        let is_new = |of: &&Unread| !unread.iter().any(|known| known.group == of.group && known.region == of.region);
        let new: Vec<Unread> = reading.unread.iter().filter(is_new).cloned().collect();
        warn(printer, &new);
        unread.extend(new);
    }
    if !args.follow && stop.requested() {
        return Ok(Exit::Interrupted);
    }
    let view = SummaryView::new(&environment.name, shown.count, shown.left_out, &unread);
    printer.json("logs/1", &view);
    if shown.count == 0 && unread.is_empty() && !args.follow {
        printer.note(|| "nothing of this kind in this time; --since goes further back");
    } else if shown.left_out > 0 {
        printer.note(|| format!("{} older events are not shown (--limit)", shown.left_out));
    }
    Ok(if unread.is_empty() { Exit::Ok } else { Exit::Partly })
}

async fn read(reading: &mut Reading, shown: &mut Shown, stop: &Stop) {
    loop {
        let event = tokio::select! {
            event = reading.next() => event,
            () = stop.canceled() => None,
        };
        let Some(event) = event else { break };
        shown.add(EventView::new(event));
    }
}

/// What could not be read, for programs.
pub(crate) fn unread_views(unread: &[Unread]) -> Vec<UnreadView> {
    unread.iter().map(UnreadView::new).collect()
}
