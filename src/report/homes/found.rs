//! What an inventory found.

use std::collections::BTreeMap;

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_files::homes::concern::Concern;
use sftpctl_files::homes::name::{Raw, unseen};
use sftpctl_files::homes::quota::Quota;
use sftpctl_files::homes::totals::{Count, NOT_OVER_SFTP, PRICES, Totals};

use super::size;
use crate::report::import::grouped;
use crate::report::span::span;
use sftpctl_core::text::counted;

/// Users whose quotas are shown to people.
const QUOTAS: usize = 10;

/// The rates that an estimate of the time assumes.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub bytes_per_second: f64,
    pub requests_per_second: f64,
}

/// An inventory for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryView<'a> {
    environment: &'a str,
    homes: u64,
    entries: u64,
    by_kind: BTreeMap<&'static str, u64>,
    bytes: u64,
    objects: u64,
    object_bytes: u64,
    sent_bytes: u64,
    requests: u64,
    skipped: u64,
    left: u64,
    concerns: BTreeMap<&'static str, CountView<'a>>,
    open_files_of_others_are_unknown: bool,
    /// Of the homes' owners that have any, by user ID.
    quotas: BTreeMap<u32, Vec<QuotaView<'a>>>,
    quotas_are_unknown: bool,
    /// Words of what SFTP does not tell, where homes were read over it.
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    not_known: &'static [&'static str],
    estimate: Estimate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuotaView<'a> {
    file_system: &'a str,
    /// What the user has there, not only in the home.
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_bytes: Option<u64>,
    files: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard_files: Option<u64>,
}

fn quota_view(quota: &Quota) -> QuotaView<'_> {
    let Quota { file_system, bytes, soft_bytes, hard_bytes, files, soft_files, hard_files } = quota;
    QuotaView {
        file_system,
        bytes: *bytes,
        soft_bytes: *soft_bytes,
        hard_bytes: *hard_bytes,
        files: *files,
        soft_files: *soft_files,
        hard_files: *hard_files,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountView<'a> {
    entries: u64,
    bytes: u64,
    skipped: u64,
    left: u64,
    samples: &'a [Raw],
    meaning: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Estimate {
    seconds: u64,
    usd_for_requests: f64,
    usd_per_month: f64,
    prices: &'static str,
}

impl<'a> InventoryView<'a> {
    pub fn new(environment: &'a str, totals: &'a Totals, rates: Rates) -> Self {
        let count = |(concern, count): (&Concern, &'a Count)| {
            let Count { entries, bytes, skipped, left, samples } = count;
            let (entries, bytes, skipped, left) = (*entries, *bytes, *skipped, *left);
            (concern.as_str(), CountView { entries, bytes, skipped, left, samples, meaning: concern.words() })
        };
        Self {
            environment,
            homes: totals.homes,
            entries: totals.entries,
            by_kind: totals.by_kind.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            bytes: totals.bytes,
            objects: totals.objects,
            object_bytes: totals.object_bytes,
            sent_bytes: totals.sent_bytes,
            requests: totals.requests,
            skipped: totals.skipped,
            left: totals.left,
            concerns: totals.concerns.iter().map(count).collect(),
            open_files_of_others_are_unknown: totals.is_partly_open,
            quotas: totals.quotas.iter().map(|(uid, all)| (*uid, all.iter().map(quota_view).collect())).collect(),
            quotas_are_unknown: totals.quotas_are_unknown,
            not_known: if totals.is_remote { &NOT_OVER_SFTP } else { &[] },
            estimate: Estimate {
                seconds: seconds(totals, rates),
                usd_for_requests: totals.price_of_requests(),
                usd_per_month: totals.price_of_month(),
                prices: PRICES,
            },
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
fn seconds(totals: &Totals, rates: Rates) -> u64 {
    totals.seconds(rates.bytes_per_second, rates.requests_per_second).ceil() as u64
}

/// A path, and what is not seen of its name.
fn sample(concern: Concern, path: &Raw) -> String {
    match concern {
        Concern::Unseen => format!("{path}, with {}", unseen(path).join(", ")),
        _ => path.to_string(),
    }
}

/// An inventory for people.
pub fn found(totals: &Totals, rates: Rates) -> Text {
    let kinds: Vec<String> =
        totals.by_kind.iter().map(|(kind, count)| format!("{} {}", grouped(*count), kind.as_str())).collect();
    let mut text = Text::from(format!(
        "{} in {} ({}), {} in files",
        counted(totals.entries, "entry"),
        counted(totals.homes, "home"),
        kinds.join(", "),
        size(totals.bytes)
    ));
    let Totals { objects, object_bytes, skipped, left, .. } = totals;
    text.line(format!("  {:>10}  become objects, {}", grouped(*objects), size(*object_bytes)));
    text.line(format!("  {:>10}  stay behind as the options say", grouped(*skipped)));
    text.line(format!("  {:>10}  stay behind, and need a decision", grouped(*left)));
    for (uid, quotas) in totals.quotas.iter().take(QUOTAS) {
        for Quota { file_system, bytes, soft_bytes, hard_bytes, .. } in quotas {
            let limit = hard_bytes.or(*soft_bytes).map_or_else(|| "files only".to_owned(), size);
            text.line(format!("quota: user {uid} has {} of {limit} on {file_system}; S3 has no quotas", size(*bytes)));
        }
    }
    let more = totals.quotas.len().saturating_sub(QUOTAS);
    if more > 0 {
        text.line(format!("quota: more than these have one ({more}); --output json has all"));
    }
    if totals.quotas_are_unknown {
        text.line("quota: unknown, since there is no program `quota`");
    }
    for (concern, count) in &totals.concerns {
        let fate = match (count.left, count.skipped) {
            (0, 0) => "",
            (0, _) => ", skipped",
            _ => ", LEFT",
        };
        let samples: Vec<String> = count.samples.iter().map(|path| sample(*concern, path)).collect();
        let (word, entries) = (concern.as_str(), grouped(count.entries));
        text.line(format!("{word}: {entries}{fate}: {}", concern.words()));
        text.line(format!("    {}", samples.join("; ")));
    }
    if totals.is_partly_open {
        text.line("note: open files of other users' processes are not known; run as root to see them");
    }
    if totals.is_remote {
        text.line(format!("not known over SFTP: {}, quotas; times are whole seconds", NOT_OVER_SFTP.join(", ")));
    }
    text.line(format!(
        "estimate: {} to send {} in {} requests; {:.2} USD for the requests and {:.2} USD a month",
        span(seconds(totals, rates)),
        size(totals.sent_bytes),
        grouped(totals.requests),
        totals.price_of_requests(),
        totals.price_of_month()
    ));
    text.line(format!("  {PRICES}"));
    text
}
