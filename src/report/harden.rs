//! What hardening finds, how long it takes, and what it wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sftp_authorizer::password::Scheme;
use sftpctl_accounts::bulk::unwritten::Unwritten;
use sftpctl_accounts::harden::Options;
use sftpctl_accounts::harden::run::Written;
use sftpctl_accounts::harden::survey::Survey;
use sftpctl_core::shown::Text;
use sftpctl_core::text::{counted, either};

use super::import::{grouped, list, sent_again};
use super::span::span;

/// Hardening for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HardenView<'a> {
    environment: &'a str,
    part: String,
    memory_kib: u32,
    passes: u32,
    cores: usize,
    accounts: u64,
    /// By form, as for the next two.
    to_harden: BTreeMap<&'static str, u64>,
    strong: BTreeMap<&'static str, u64>,
    /// Weaker than asked for, and not to be hardened: they need a new password.
    full: BTreeMap<&'static str, u64>,
    /// By the kind of what is wrong.
    unusable: &'a BTreeMap<&'static str, u64>,
    keys_only: u64,
    samples: &'a [Unwritten],
    estimated_seconds: u64,
    dry_run: bool,
    /// Absent if nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Written>,
}

impl<'a> HardenView<'a> {
    pub fn new(
        environment: &'a str,
        options: &Options,
        survey: &'a Survey,
        estimated: Duration,
        (dry_run, written): (bool, Option<&'a Written>),
    ) -> Self {
        Self {
            environment,
            part: options.part.to_string(),
            memory_kib: options.cost.memory_kib(),
            passes: options.cost.passes(),
            cores: options.cores.get(),
            accounts: survey.accounts,
            to_harden: by_name(&survey.weak),
            strong: by_name(&survey.strong),
            full: by_name(&survey.full),
            unusable: &survey.unusable,
            keys_only: survey.keys_only,
            samples: &survey.samples,
            estimated_seconds: estimated.as_secs(),
            dry_run,
            written,
        }
    }
}

fn by_name(counts: &BTreeMap<Scheme, u64>) -> BTreeMap<&'static str, u64> {
    counts.iter().map(|(scheme, count)| (scheme.as_str(), *count)).collect()
}

/// What was found, a line each, for people.
pub fn found(options: &Options, survey: &Survey) -> Text {
    let mut text = Text::from(format!("{}:", counted(survey.accounts, "account")));
    let mut row = |count: u64, words: &str, rest: String| {
        if count > 0 {
            text.line(format!("  {:>10}  {words}{rest}", grouped(count)));
        }
    };
    let forms = |counts: &BTreeMap<Scheme, u64>| words(by_name(counts).into_iter());
    row(survey.to_harden(), "to harden", forms(&survey.weak));
    row(survey.strong.values().sum(), "strong already; kept", forms(&survey.strong));
    let full = survey.full.values().sum();
    row(
        full,
        either(
            full,
            "cannot get another layer; kept, it needs a new password",
            "cannot get another layer; kept, they need a new password",
        ),
        forms(&survey.full),
    );
    let unusable = survey.unusable.values().sum();
    let kinds = words(survey.unusable.iter().map(|(kind, count)| (*kind, *count)));
    let words = either(
        unusable,
        "admits nobody; kept, it needs a new password",
        "admit nobody; kept, they need a new password",
    );
    row(unusable, words, kinds);
    let words = either(survey.keys_only, "has public keys only", "have public keys only");
    row(survey.keys_only, words, String::new());
    if full + unusable > 0 {
        text.line("some of those that need a new password:");
        list(&mut text, survey.samples.iter(), survey.samples.len() as u64);
    }
    let (memory, passes) = (options.cost.memory_kib(), options.cost.passes());
    let passes = counted(passes.into(), "pass");
    text.line(format!("the cost is Argon2id with {memory} KiB of memory and {passes}"));
    text
}

/// `  sha224: 12, md5-crypt: 3`.
fn words(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    let counts: Vec<String> = counts.map(|(name, count)| format!("{name}: {}", grouped(count))).collect();
    if counts.is_empty() { String::new() } else { format!("  {}", counts.join(", ")) }
}

/// `about 9 h on 1 core of this machine (32 ms for each)`.
pub fn estimate(all: Duration, one: Duration, options: &Options) -> String {
    let cores = counted(options.cores.get() as u64, "core");
    format!("about {} on {cores} of this machine ({} ms for each)", span(all.as_secs()), one.as_millis())
}

/// The result of the writes, for people.
pub fn written(result: &Written) -> Text {
    let Written { hardened, overtaken, throttled, repeated, failed, interrupted: _ } = result;
    let mut text = Text::from(format!("{} hardened", counted(*hardened, "password")));
    if *overtaken > 0 {
        let (accounts, were) = (
            counted(*overtaken, "account"),
            either(*overtaken, "was removed; left as it is", "were removed; left as they are"),
        );
        text.line(format!("{accounts} got another password meanwhile, or {were}"));
    }
    if *throttled > 0 {
        let were = either(*throttled, "was", "were");
        text.line(format!("{} {were} throttled and sent again", counted(*throttled, "write")));
    }
    if *repeated > 0 {
        text.line(sent_again(*repeated, &counted(*repeated, "write")));
    }
    if !failed.is_empty() {
        let count = failed.len() as u64;
        text.line(format!("{} not written:", counted(count, "account")));
        list(&mut text, failed.iter(), count);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use sftp_authorizer::password::{Cost, Form};
    use sftpctl_accounts::harden::part::Part;

    use super::*;

    fn options(cores: usize) -> Options {
        let cores = NonZeroUsize::new(cores).unwrap();
        Options { cost: Cost::DEFAULT, cores, part: Part::ALL, writes_per_second: None }
    }

    #[test]
    fn each_outcome_is_counted_by_form() {
        let scheme = |form| Scheme { form, hardened: false };
        let survey = Survey {
            accounts: 1_200_007,
            weak: [(scheme(Form::Sha224), 1_000_000), (scheme(Form::Md5Crypt), 3)].into(),
            strong: [(scheme(Form::Yescrypt), 2), (Scheme { form: Form::Sha224, hardened: true }, 200_000)].into(),
            full: BTreeMap::new(),
            unusable: [("cut-short", 1)].into(),
            keys_only: 1,
            samples: vec![Unwritten { username: "jan".into(), org_id: "7".into(), why: "is cut".into() }],
        };
        let text = found(&options(1), &survey).to_string();
        for line in [
            "1,200,007 accounts:",
            "   1,000,003  to harden  md5-crypt: 3, sha224: 1,000,000",
            "     200,002  strong already; kept  argon2id over sha224: 200,000, yescrypt: 2",
            "           1  admits nobody; kept, it needs a new password  cut-short: 1",
            "  jan (organisation 7): is cut",
            "           1  has public keys only",
            "the cost is Argon2id with 19456 KiB of memory and 2 passes",
        ] {
            assert!(text.lines().any(|shown| shown.trim() == line.trim()), "{line}\n{text}");
        }
        let shown = estimate(Duration::from_secs(32_400), Duration::from_millis(32), &options(1));
        assert_eq!(shown, "about 9 h on 1 core of this machine (32 ms for each)");
        assert!(estimate(Duration::ZERO, Duration::ZERO, &options(8)).contains("on 8 cores"));
    }
}
