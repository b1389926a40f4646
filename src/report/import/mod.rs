//! What an import found and wrote.

pub mod progress;
pub mod report_file;

use std::collections::BTreeMap;

use serde::Serialize;
use sftpctl_accounts::bulk::unwritten::Unwritten;
use sftpctl_accounts::import::estimate::{Estimate, WRITE_UNITS_PER_SECOND};
use sftpctl_accounts::import::rejected::Reason;
use sftpctl_accounts::import::review::{Counts, Review};
use sftpctl_accounts::import::write::Written;
use sftpctl_core::shown::Text;
pub use sftpctl_core::text::grouped;
use sftpctl_core::text::{counted, either};

use super::span::span;

/// An import for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportView<'a> {
    pub environment: &'a str,
    pub counts: Counts,
    pub rejected_by_reason: &'a BTreeMap<Reason, u64>,
    pub samples: &'a BTreeMap<&'static str, Vec<String>>,
    pub remarks: &'a [String],
    pub dry_run: bool,
    pub estimate: Estimate,
    /// What `--pre-warm` raises; absent without it, or if the table takes as much already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_warm: Option<PreWarm>,
    /// Absent if nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<&'a Written>,
}

/// An import by DynamoDB that an earlier run had begun, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumedView<'a> {
    pub environment: &'a str,
    /// Items of the table: two for each account.
    pub imported: u64,
}

impl ResumedView<'_> {
    /// For people.
    pub fn words(&self) -> String {
        let (items, were) = (counted(self.imported, "item"), either(self.imported, "was", "were"));
        format!("{items} {were} imported by the earlier run; deploy, and import again without --via-s3 to compare")
    }
}

/// The outcomes of a review, a line each, for people. `all` says where all rejected rows are.
pub fn outcomes(review: &Review, all: &str) -> Text {
    let Counts { read, new, changed, same, renewed, newer, kept_out, rejected, .. } = review.counts;
    let Counts {
        removed,
        stale_reservations,
        spared,
        nameless,
        removed_but_newer,
        of_other_sources,
        only_in_table,
        capitals,
        case_variants,
        shut_out,
        ..
    } = review.counts;
    let mut text = Text::from(format!("{}:", counted(read, "row")));
    let sample = |of: &str| match review.samples.get(of) {
        Some(samples) if !samples.is_empty() => format!("  {}", samples.join("; ")),
        _ => String::new(),
    };
    let reasons: Vec<String> =
        review.reasons.iter().map(|(reason, count)| format!("{} {}", grouped(*count), reason.words(*count))).collect();
    let rows = [
        (new, "new", sample("new")),
        (changed, "changed in the source", sample("changed")),
        (same, "the same in the table", sample("same")),
        (
            renewed,
            either(
                renewed,
                "of these gets a new digest or its source's name",
                "of these get a new digest or their source's name",
            ),
            String::new(),
        ),
        (newer, "newer in the table; kept", sample("newer")),
        (kept_out, "removed in the table; kept out", sample("kept-out")),
        (rejected, "rejected", by_reason(rejected, review.reasons.values().sum(), &reasons)),
    ];
    let rejected_rows = review.samples.get("rejected").map_or(&[][..], Vec::as_slice);
    for (count, words, rest) in rows.iter().filter(|(count, words, _)| *count > 0 || *words == "new") {
        text.line(format!("  {:>10}  {words}{rest}", grouped(*count)));
    }
    for row in rejected_rows {
        text.line(format!("              {row}"));
    }
    if !rejected_rows.is_empty() && rejected > rejected_rows.len() as u64 {
        text.line(format!("              and others: {all}"));
    }
    for (count, noun, [one, many], samples) in [
        (
            removed,
            "account",
            ["was imported, and is not in the source any more", "were imported, and are not in the source any more"],
            "removed",
        ),
        (
            stale_reservations,
            "user name",
            [
                "is reserved for an account that is gone, and becomes free",
                "are reserved for accounts that are gone, and become free",
            ],
            "stale-reservations",
        ),
        (
            spared,
            "account",
            [
                "is in the source at most as a rejected row, and is kept",
                "are in the source at most as rejected rows, and are kept",
            ],
            "spared",
        ),
        (
            nameless,
            "rejected row",
            [
                "names no account, so that no account counts as gone",
                "name no account, so that no account counts as gone",
            ],
            "nameless",
        ),
        (
            removed_but_newer,
            "account",
            [
                "is gone from the source, but was changed in the table, and is kept",
                "are gone from the source, but were changed in the table, and are kept",
            ],
            "removed-but-newer",
        ),
        (
            of_other_sources,
            "account",
            [
                "of the table was brought by another source, and is kept",
                "of the table were brought by other sources, and are kept",
            ],
            "of-other-sources",
        ),
        (
            only_in_table,
            "account",
            ["of the table was never imported, and is kept", "of the table were never imported, and are kept"],
            "only-in-table",
        ),
        (
            capitals,
            "user name",
            [
                "has capital letters, and is admitted exactly as written",
                "have capital letters, and are admitted exactly as written",
            ],
            "capitals",
        ),
        (
            case_variants,
            "user name",
            ["differs from another only by case", "differ from another only by case"],
            "case-variants",
        ),
        (
            shut_out,
            "new account",
            [
                "admits nobody: its end is over, or there is no server in its regions",
                "admit nobody: their end is over, or there is no server in their regions",
            ],
            "shut-out",
        ),
    ] {
        if count > 0 {
            text.line(format!("{} {}{}", counted(count, noun), either(count, one, many), sample(samples)));
        }
    }
    for remark in &review.remarks {
        text.line(format!("note: {remark}"));
    }
    text
}

/// The reasons of rejected rows. A row with several faults counts for each of them.
fn by_reason(rows: u64, faults: u64, reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        reasons if faults > rows => format!(", with {}: {}", counted(faults, "fault"), reasons.join(", ")),
        reasons => format!("  {}", reasons.join(", ")),
    }
}

/// Seconds of writes from which on pre-warming is offered.
const LONG: u64 = 60;

/// The time and money of the writes, for people.
pub fn estimate(of: &Estimate) -> Text {
    let money = |usd: Option<f64>| match usd {
        None => "whose price is not known here".to_owned(),
        Some(usd) if usd < 0.01 => "less than 0.01 USD".to_owned(),
        Some(usd) => format!("about {usd:.2} USD"),
    };
    let regions = if of.regions == 1 { "1 region".to_owned() } else { format!("each of {} regions", of.regions) };
    let units = format!("{} in {regions}, {}", counted(of.write_units, "write unit"), money(of.usd));
    let folders = match of.folders {
        0 => String::new(),
        folders => format!("; {} for home folders, {}", counted(folders, "empty object"), money(of.folders_usd)),
    };
    let mut text = Text::from(format!("the writes take {units}{folders}"));
    text.line(format!(
        "  at least {} at {} write units a second, which {} takes at once; on demand, prices of {}",
        span(of.seconds),
        grouped(of.write_units_per_second),
        if of.write_units_per_second > WRITE_UNITS_PER_SECOND { "a table with --pre-warm" } else { "a new table" },
        of.prices_of
    ));
    if of.seconds >= LONG && of.write_units_per_second == WRITE_UNITS_PER_SECOND {
        text.line("  --pre-warm UNITS has the table take more at once: AWS charges for it once, at a price that is not known here");
    }
    text
}

/// What pre-warming changes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreWarm {
    /// Write units a second that the table and its index take at once, now and then.
    pub now: u64,
    pub writes: u64,
    pub regions: u64,
}

/// What pre-warming changes, for people.
pub fn pre_warming(of: &PreWarm) -> Text {
    let regions = if of.regions == 1 { "1 region".to_owned() } else { format!("each of {} regions", of.regions) };
    let mut text = Text::from(format!(
        "--pre-warm raises what the table and its index take at once from {} to {} write units a second in {regions}",
        grouped(of.now),
        grouped(of.writes)
    ));
    text.line("  AWS charges for it once, at a price that is not known here: see \"Amazon DynamoDB pricing\"");
    text.line("  it takes some minutes, and cannot be lowered again");
    text
}

/// The result of the writes, for people.
pub fn written(result: &Written) -> Text {
    let Written { new, changed, renewed, deleted, throttled, folders_throttled, .. } = result;
    let Written { freed, repeated, folders_repeated, overtaken, failed, unchecked, missed, .. } = result;
    let deleted = if *deleted > 0 { format!(", {} deleted", grouped(*deleted)) } else { String::new() };
    let mut text = Text::from(format!("{} added, {} changed{deleted}", counted(*new, "account"), grouped(*changed)));
    if *renewed > 0 {
        text.line(format!("{} got a new digest or the source's name", counted(*renewed, "account")));
    }
    if *freed > 0 {
        let of = either(*freed, "of an account that is gone is free again", "of accounts that are gone are free again");
        text.line(format!("{} {of}", counted(*freed, "user name")));
    }
    if *throttled > 0 {
        let were = either(*throttled, "was", "were");
        text.line(format!("{} {were} throttled and sent again", counted(*throttled, "write")));
    }
    let objects =
        |count: u64| format!("{} {}", counted(count, "object"), either(count, "for a home folder", "for home folders"));
    if *folders_throttled > 0 {
        let were = either(*folders_throttled, "was", "were");
        text.line(format!("{} {were} throttled by S3 and sent again", objects(*folders_throttled)));
    }
    if *repeated > 0 {
        text.line(sent_again(*repeated, &counted(*repeated, "write")));
    }
    if *folders_repeated > 0 {
        text.line(sent_again(*folders_repeated, &objects(*folders_repeated)));
    }
    for (count, of, words) in [
        (*overtaken, (true, false), "left as another writer made it"),
        (*failed, (false, false), "not written"),
        (
            *unchecked,
            (false, true),
            "added whose user name may be another's by now (`sftpctl users audit` finds two accounts of one name)",
        ),
    ] {
        if count > 0 {
            text.line(format!("{} {words}:", counted(count, "account")));
            let some = missed.iter().filter(|missed| (missed.overtaken, missed.unchecked) == of);
            list(&mut text, some.map(|missed| &missed.account), count);
        }
    }
    text
}

/// `3 writes were sent again, since their answers were lost or AWS could not carry them out`.
pub fn sent_again(count: u64, counted: &str) -> String {
    let why = either(
        count,
        "was sent again, since its answer was lost or AWS could not carry it out",
        "were sent again, since their answers were lost or AWS could not carry them out",
    );
    format!("{counted} {why}")
}

/// Some of `count` accounts that were not written, a line each.
pub fn list<'a>(text: &mut Text, accounts: impl Iterator<Item = &'a Unwritten>, count: u64) {
    /// Accounts that are shown.
    const SHOWN: u64 = 10;
    for (account, _) in accounts.zip(0..SHOWN) {
        text.line(format!("  {} (organisation {}): {}", account.username, account.org_id, account.why));
    }
    if count > SHOWN {
        text.line(format!("  and {} more", grouped(count - SHOWN)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_where_they_are_more_than_the_rows() {
        let reasons = ["1 refused by the source".to_owned(), "4 unknown clusters".to_owned()];
        let words = ", with 5 faults: 1 refused by the source, 4 unknown clusters";
        assert_eq!(by_reason(4, 5, &reasons), words);
        assert_eq!(by_reason(5, 5, &reasons), "  1 refused by the source, 4 unknown clusters");
        assert_eq!(by_reason(0, 0, &[]), "");
    }

    #[test]
    fn estimate_says_what_it_assumes() {
        let of = Estimate {
            write_units: 3_000_000,
            regions: 3,
            usd: Some(5.625),
            folders: 1_000_000,
            folders_usd: Some(5.0),
            seconds: 500,
            write_units_per_second: 4_000,
            prices_of: "June 2025",
        };
        assert_eq!(
            estimate(&of).to_string(),
            "the writes take 3,000,000 write units in each of 3 regions, about 5.62 USD; 1,000,000 empty objects for \
             home folders, about 5.00 USD\n  at least 8 min at 4,000 write units a second, which a new table takes at \
             once; on demand, prices of June 2025\n  --pre-warm UNITS has the table take more at once: AWS charges for it \
             once, at a price that is not known here"
        );
        let warm = estimate(&Estimate { write_units_per_second: 20_000, seconds: 150, ..of }).to_string();
        assert!(warm.contains("at 20,000 write units a second, which a table with --pre-warm takes"), "{warm}");
        assert!(!warm.contains("UNITS"), "{warm}");
        let little = estimate(&Estimate { regions: 1, usd: None, folders: 0, ..of }).to_string();
        assert!(
            little.starts_with("the writes take 3,000,000 write units in 1 region, whose price is not known"),
            "{little}"
        );
    }
}
