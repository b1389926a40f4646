//! `sftpctl clients`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::args::{AwsArgs, optional_environment};
use super::logs::{now, regions, unread_views, warn};
use super::permissions::Permissions;
use super::times::{self, Time};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::clients::{self as view, ClientView, MismatchView, PolicyView, SummaryView};
use sftpctl_accounts::store::usernames;
use sftpctl_activity::clients::{Question, clients};
use sftpctl_core::clients::census::Census;
use sftpctl_core::clients::sshd::{Sshd, Told};
use sftpctl_core::clients::{policies, programs};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::counted;

/// Longest line of a log that is read, in bytes.
const LONGEST: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl clients --env 99\n  \
    sftpctl clients --env 99 --since 7d --user jan --region us-west-2\n  \
    sftpctl clients --from-log /var/log/secure-20261123 --from-log /var/log/secure\n  \
    zcat /var/log/auth.log.*.gz | sftpctl clients --env 99 --from-log - --output json > clients.jsonl\n  \
    sftpctl clients --policies\n\n\
    Shows the programs that customers connect with, the algorithms that were agreed on, and whom each of AWS's \
    security policies would shut out: by what the log says that a client offers, or else by a built-in table of \
    well-known clients. AWS's logs name the client and what was agreed on, and the offer of clients without a common \
    algorithm; they are read by FilterLogEvents, which AWS does not charge for. The log of an OpenSSH server has the \
    client from `LogLevel DEBUG` on, and its whole offer from `LogLevel DEBUG2` on. --from-log and --policies need no \
    AWS, and no environment.")]
#[command(mut_arg("env", |_| environment()))]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Only of this user name
    #[arg(long, value_name = "NAME", conflicts_with = "policies")]
    user: Option<String>,
    /// From this time on: 12h, 7d, a date or a time
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = times::since)]
    since: Time,
    /// Only this region (repeatable)
    #[arg(long = "region", value_name = "REGION", conflicts_with_all = ["from_log", "policies"])]
    regions: Vec<String>,
    /// Read this log of an OpenSSH server, in place of AWS's; `-` is the standard input (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "policies")]
    from_log: Vec<PathBuf>,
    /// Show the tables of security policies and of well-known clients
    #[arg(long)]
    policies: bool,
}

/// `--env`, which commands without AWS can do without.
fn environment() -> clap::Arg {
    optional_environment().required_unless_present_any(["env_file", "from_log", "policies"])
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    if !args.policies && args.from_log.is_empty() {
        return from_aws(args, printer).await;
    }
    let environment = if args.aws.names_an_environment() { Some(args.aws.load(None, printer)?) } else { None };
    if args.policies {
        show_tables(environment.as_ref(), printer);
        return Ok(Exit::Ok);
    }
    let mut census = Census::of(args.user.clone());
    let mut sshd = Sshd::default();
    for path in &args.from_log {
        read(path, &mut sshd, &mut census)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display())))?;
    }
    if sshd.known == 0 {
        let hint = "sshd logs to /var/log/secure, /var/log/auth.log, or the journal: journalctl -u ssh -u sshd";
        return Err(CliError::new(Exit::Usage, "there is no line of sshd in it").hint(hint));
    }
    census.finish();
    let unnamed = census.unnamed.0;
    show(environment.as_ref(), &census, Vec::new(), printer);
    if unnamed > 0 {
        let log_ins = counted(unnamed, "log-in");
        printer.note(|| {
            format!(
                "warning: the log does not name the client of {log_ins}: sshd does so from `LogLevel DEBUG` on, and \
                 names what the client offers from `LogLevel DEBUG2` on"
            )
        });
    }
    Ok(Exit::Ok)
}

async fn from_aws(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ReadsLogs, printer).await?;
    let (now, names) = (now(), usernames(&environment));
    let question = Question {
        regions: regions(&environment, &args.regions)?,
        user: args.user.as_deref().map(|user| names.stored(user).into_owned()),
        period: (args.since.seconds(now / 1_000) * 1_000, now),
    };
    let (census, unread) = clients(&aws, &environment, names, &question).await;
    show(Some(&environment), &census, unread_views(&unread), printer);
    warn(printer, &unread);
    Ok(if unread.is_empty() { Exit::Ok } else { Exit::Partly })
}

fn show(
    environment: Option<&Environment>,
    census: &Census,
    unread: Vec<crate::report::logs::UnreadView>,
    printer: Printer,
) {
    for (client, seen) in &census.seen {
        let of = ClientView::new(client, seen);
        printer.emit("client/1", &of, || view::client(&of));
    }
    for (mismatch, failed) in &census.failed {
        let of = MismatchView::new(mismatch, failed);
        printer.emit("client-mismatch/1", &of, || view::mismatch(&of));
    }
    let name = environment.map(|environment| environment.name.as_str());
    let policy = environment.map(|environment| environment.server.security_policy.as_str());
    let summary = SummaryView::new((name, policy), census, unread);
    printer.emit("clients/1", &summary, || view::summary(&summary));
}

fn show_tables(environment: Option<&Environment>, printer: Printer) {
    let current = environment.map(|environment| environment.server.security_policy.as_str());
    for policy in policies::all() {
        let of = PolicyView::new(policy, current);
        printer.emit("security-policy/1", &of, || view::policy(&of));
    }
    for known in programs::all().iter().flat_map(view::known) {
        printer.json("known-client/1", &known);
    }
}

/// Reads a log into the census. A line that is too long or is not text is none of sshd's.
fn read(path: &Path, sshd: &mut Sshd, census: &mut Census) -> std::io::Result<()> {
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(std::fs::File::open(path)?))
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = std::io::Read::take(&mut input, LONGEST).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        if line.starts_with(&[0x1f, 0x8b]) {
            let hint = "it is compressed: zcat FILE | sftpctl clients --from-log -";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, hint));
        }
        match sshd.line(String::from_utf8_lossy(&line).trim_end()) {
            Some(Told::LogIn(log_in)) => census.log_in(log_in),
            Some(Told::Failure(failure)) => census.failure(failure),
            None => {}
        }
    }
}
