//! What an import found and wrote.

pub mod progress;
pub mod report_file;

use std::collections::BTreeMap;

use serde::Serialize;
use sftpctl_accounts::bulk::unwritten::Unwritten;
use sftpctl_accounts::import::estimate::Estimate;
use sftpctl_accounts::import::rejected::Reason;
use sftpctl_accounts::import::review::{Counts, Review};
use sftpctl_accounts::import::write::Written;
use sftpctl_core::shown::Text;

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
        let imported = grouped(self.imported);
        format!(
            "{imported} items were imported by the earlier run; deploy, and import again without --via-s3 to compare"
        )
    }
}

/// The outcomes of a review, a line each, for people.
pub fn outcomes(review: &Review) -> Text {
    let Counts { read, new, changed, same, renewed, newer, kept_out, rejected, .. } = review.counts;
    let Counts {
        removed,
        spared,
        nameless,
        removed_but_newer,
        of_other_sources,
        only_in_table,
        capitals,
        case_variants,
        ..
    } = review.counts;
    let mut text = Text::from(format!("{} rows:", grouped(read)));
    let sample = |of: &str| match review.samples.get(of) {
        Some(samples) if !samples.is_empty() => format!("  {}", samples.join("; ")),
        _ => String::new(),
    };
    let reasons: Vec<String> =
        review.reasons.iter().map(|(reason, count)| format!("{} {}", grouped(*count), reason.words())).collect();
    let rows = [
        (new, "new", sample("new")),
        (changed, "changed in the source", sample("changed")),
        (same, "the same in the table", String::new()),
        (renewed, "of these get a new digest of their row", String::new()),
        (newer, "newer in the table; kept", sample("newer")),
        (kept_out, "removed in the table; kept out", sample("kept-out")),
        (rejected, "rejected", if reasons.is_empty() { String::new() } else { format!("  {}", reasons.join(", ")) }),
    ];
    for (count, words, rest) in rows.iter().filter(|(count, words, _)| *count > 0 || *words == "new") {
        text.line(format!("  {:>10}  {words}{rest}", grouped(*count)));
    }
    for (count, words, samples) in [
        (removed, "accounts were imported, and are not in the source any more", "removed"),
        (spared, "accounts are in the source at most as rejected rows, and are kept", "spared"),
        (nameless, "rejected rows name no account, so that no account counts as gone", "nameless"),
        (
            removed_but_newer,
            "accounts are gone from the source, but were changed in the table, and are kept",
            "removed-but-newer",
        ),
        (of_other_sources, "accounts of the table were brought by other sources, and are kept", "of-other-sources"),
        (only_in_table, "accounts of the table were never imported, and are kept", "only-in-table"),
        (capitals, "user names have capital letters, and are admitted exactly as written", "capitals"),
        (case_variants, "user names differ from another only by case", "case-variants"),
    ] {
        if count > 0 {
            text.line(format!("{} {words}{}", grouped(count), sample(samples)));
        }
    }
    for remark in &review.remarks {
        text.line(format!("note: {remark}"));
    }
    text
}

/// The time and money of the writes, for people.
pub fn estimate(of: &Estimate) -> Text {
    let money = |usd: Option<f64>| match usd {
        None => "whose price is not known here".to_owned(),
        Some(usd) if usd < 0.01 => "less than 0.01 USD".to_owned(),
        Some(usd) => format!("about {usd:.2} USD"),
    };
    let regions = if of.regions == 1 { "1 region".to_owned() } else { format!("each of {} regions", of.regions) };
    let units = format!("{} write units in {regions}, {}", grouped(of.write_units), money(of.usd));
    let folders = match of.folders {
        0 => String::new(),
        folders => format!("; {} empty objects for home folders, {}", grouped(folders), money(of.folders_usd)),
    };
    let mut text = Text::from(format!("the writes take {units}{folders}"));
    text.line(format!(
        "  at least {} at {} write units a second, which a new table takes at once; on demand, prices of {}",
        span(of.seconds),
        grouped(of.write_units_per_second),
        of.prices_of
    ));
    text
}

/// The result of the writes, for people.
pub fn written(result: &Written) -> Text {
    let Written { new, changed, renewed, deleted, throttled, overtaken, failed, interrupted: _ } = result;
    let deleted = if *deleted > 0 { format!(", {} deleted", grouped(*deleted)) } else { String::new() };
    let mut text = Text::from(format!("{} accounts added, {} changed{deleted}", grouped(*new), grouped(*changed)));
    if *renewed > 0 {
        text.line(format!("{} accounts got a digest with the present key", grouped(*renewed)));
    }
    if *throttled > 0 {
        text.line(format!("{} writes were throttled and sent again", grouped(*throttled)));
    }
    for (accounts, words) in [(overtaken, "left as another writer made them"), (failed, "not written")] {
        if !accounts.is_empty() {
            text.line(format!("{} accounts {words}:", grouped(accounts.len() as u64)));
            list(&mut text, accounts);
        }
    }
    text
}

/// Accounts that were not written, a line each.
pub fn list(text: &mut Text, accounts: &[Unwritten]) {
    for account in accounts.iter().take(10) {
        text.line(format!("  {} (organisation {}): {}", account.username, account.org_id, account.why));
    }
    if accounts.len() > 10 {
        text.line(format!("  and {} more", grouped(accounts.len() as u64 - 10)));
    }
}

/// The digits of a number in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
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
             once; on demand, prices of June 2025"
        );
        let little = estimate(&Estimate { regions: 1, usd: None, folders: 0, ..of }).to_string();
        assert!(
            little.starts_with("the writes take 3,000,000 write units in 1 region, whose price is not known"),
            "{little}"
        );
    }
}
