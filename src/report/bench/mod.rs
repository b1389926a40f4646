//! What measurements say, as text and CSV; [`page`] is the report for a browser. Pure.

mod chart;
pub mod page;

use serde::Serialize;
use sftpctl_bench::compare::{NAME_2019, Pair};
use sftpctl_bench::plan::{Needs, Plan, Test};
use sftpctl_bench::record::{Outcome, Run};
use sftpctl_bench::runner::Finished;
use sftpctl_bench::size::Size;
use sftpctl_bench::stats::Summary;
use sftpctl_bench::summary::{Key, Report, Row, Scaling};
use sftpctl_core::shown::{Text, csv_cell};
use sftpctl_core::text::counted;

/// The view of a run that has ended, as `bench-run/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView<'a> {
    pub results: String,
    pub operations: u64,
    pub problems: u64,
    pub skipped: u64,
    pub left: u64,
    pub stopped: bool,
    pub report: &'a Report,
}

impl<'a> RunView<'a> {
    pub fn new(results: String, finished: Finished, report: &'a Report) -> Self {
        let Finished { operations, problems, skipped, left, stopped } = finished;
        Self { results, operations, problems, skipped, left, stopped, report }
    }
}

/// The view of a comparison, as `bench-compare/1`.
#[derive(Debug, Serialize)]
pub struct CompareView<'a> {
    pub pairs: &'a [Pair],
}

/// What a plan takes, before it begins.
pub fn needs(plan: &Plan, needs: Needs) -> Text {
    let Needs { operations, transferred, stored } = needs;
    let targets = match plan.targets.len() {
        1 => "the target".to_owned(),
        count => format!("each of {count} targets"),
    };
    let mut text = Text::from(format!(
        "{}, {} in all; at most {} at once on {targets}, deleted again",
        counted(operations, "operation"),
        Size(transferred).about(),
        Size(stored).about()
    ));
    text.line(format!(
        "this machine keeps nothing of it; the program of a mount may keep up to {} in its cache or /tmp",
        Size(stored).about()
    ));
    text.line(format!(
        "an operation is stuck after {} s and {:.0} s for each 100 MB",
        plan.deadline,
        100.0 / plan.slowest
    ));
    text
}

/// A number with three digits that count.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// An interval: `10.1 to 11.9`.
pub(super) fn interval(summary: &Summary) -> String {
    summary.interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high)))
}

/// What a row is about: `5MB text put`.
pub(super) fn what(key: &Key) -> String {
    match key.content {
        Some(content) => format!("{} {} {}", key.size, content.as_str(), key.direction.words()),
        None => key.direction.words().to_owned(),
    }
}

/// The columns of a table.
pub(super) const COLUMNS: [&str; 10] =
    ["what", "threads", "n", "MB/s", "95 % interval", "p95 s", "together MB/s", "per s", "stuck", "failed"];

/// The cells of a row, in the order of [`COLUMNS`].
pub(super) fn cells(row: &Row) -> [String; 10] {
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let threads = match row.hosts {
        0 | 1 => row.key.threads.to_string(),
        hosts => format!("{} × {hosts} hosts", row.key.threads),
    };
    let (median, spread) = match (&row.speed, &row.seconds) {
        (Some(speed), _) => (number(speed.median), interval(speed)),
        // A log-in has no bytes.
        (None, Some(seconds)) => (format!("{} s", number(seconds.median)), format!("{} s", interval(seconds))),
        (None, None) => ("-".to_owned(), "-".to_owned()),
    };
    [
        what(&row.key),
        threads,
        row.seconds.as_ref().map_or(0, |seconds| seconds.count).to_string(),
        median,
        spread,
        optional(row.seconds.as_ref().map(|seconds| seconds.p95)),
        optional(row.together),
        optional(row.operations),
        row.stuck.to_string(),
        row.failed.to_string(),
    ]
}

/// A table whose columns are as wide as they need to be, the first to the left.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Text {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let cells = cells.iter().zip(widths).enumerate().map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(line(&head.map(str::to_owned))).chain(rows.iter().map(line)).collect()
}

/// The whole report as text: a table for each target and test, then what is to be said of them.
pub fn text(report: &Report) -> Text {
    let mut text = Text::default();
    let groups = report.rows.chunk_by(|one, other| one.target == other.target && one.key.test == other.key.test);
    for rows in groups {
        if !text.is_empty() {
            text.line("");
        }
        let Some(first) = rows.first() else { continue };
        text.line(format!("{}, {}", first.target, test(first.key.test)));
        let cells: Vec<[String; 10]> = rows.iter().map(cells).collect();
        text.extend(table(COLUMNS, &cells));
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.line("");
            text.line(title);
            lines.iter().for_each(|line| text.line(format!("  {line}")));
        }
    };
    section("Where it stops growing:", report.scaling.iter().map(scaling).collect());
    section("What did not succeed:", problems(report));
    section("Not tried:", report.skipped.clone());
    section("Could not be deleted:", report.left.clone());
    section("Measured by:", report.runs.iter().flat_map(about).collect());
    text
}

pub(super) fn test(test: Test) -> &'static str {
    match test {
        Test::Sizes => "by size",
        Test::Threads => "by threads",
        Test::Logins => "log-ins",
    }
}

/// A sentence on how a target scales.
pub(super) fn scaling(scaling: &Scaling) -> String {
    let content = scaling.content.map_or("", |content| content.as_str());
    let what = format!("{} {content} {}", scaling.size, scaling.direction.words());
    let Scaling { target, grows_to, measured_to, limit, .. } = scaling;
    match grows_to == measured_to {
        true => format!("{target}, {what}: {limit}, {measured_to} threads"),
        false => format!(
            "{target}, {what}: no growth is shown from {grows_to} to {measured_to} threads; what limits it: {limit}"
        ),
    }
}

pub(super) fn problems(report: &Report) -> Vec<String> {
    let lines = report.problems.iter().map(|problem| {
        let to_warm_up = match (problem.warmup, problem.count) {
            (0, _) => String::new(),
            (warmup, count) if warmup == count => ", to warm up".to_owned(),
            (warmup, _) => format!(", {warmup} of them to warm up"),
        };
        match problem.count {
            1 if to_warm_up.is_empty() => problem.text.clone(),
            1 => format!("{} (to warm up)", problem.text),
            count => format!("{} ({count} times{to_warm_up})", problem.text),
        }
    });
    lines.collect()
}

/// Every row as CSV, for a spreadsheet.
pub fn csv(report: &Report) -> Text {
    const HEAD: &str = "target,test,size,content,direction,threads,hosts,count,median_mb_s,low_mb_s,high_mb_s,least_mb_s,\
        most_mb_s,median_s,p90_s,p95_s,p99_s,together_mb_s,operations_s,stuck,failed,skipped,cpu_s_per_100_mb";
    let line = |row: &Row| {
        let of = |summary: &Option<Summary>, value: fn(&Summary) -> f64| {
            summary.as_ref().map_or_else(String::new, |summary| format!("{:.6}", value(summary)))
        };
        let limits = row.speed.as_ref().and_then(|speed| speed.interval);
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
        let test = match row.key.test {
            Test::Sizes => "sizes",
            Test::Threads => "threads",
            Test::Logins => "logins",
        };
        let cells = [
            csv_cell(&row.target).to_string(),
            test.to_owned(),
            row.key.size.0.to_string(),
            row.key.content.map_or("", |content| content.as_str()).to_owned(),
            csv_cell(row.key.direction.words()).to_string(),
            row.key.threads.to_string(),
            row.hosts.to_string(),
            row.seconds.as_ref().map_or(0, |seconds| seconds.count).to_string(),
            of(&row.speed, |speed| speed.median),
            number(limits.map(|(low, _)| low)),
            number(limits.map(|(_, high)| high)),
            of(&row.speed, |speed| speed.least),
            of(&row.speed, |speed| speed.most),
            of(&row.seconds, |seconds| seconds.median),
            of(&row.seconds, |seconds| seconds.p90),
            of(&row.seconds, |seconds| seconds.p95),
            of(&row.seconds, |seconds| seconds.p99),
            number(row.together),
            number(row.operations),
            row.stuck.to_string(),
            row.failed.to_string(),
            row.skipped.to_string(),
            number(row.cpu),
        ];
        cells.join(",")
    };
    std::iter::once(HEAD.to_owned()).chain(report.rows.iter().map(line)).collect()
}

/// Two results beside each other: a table for each test.
pub fn comparison(pairs: &[Pair]) -> Text {
    let side = |value: f64, interval: Option<(f64, f64)>| match interval {
        Some((low, high)) => format!("{} ({} to {})", number(value), number(low), number(high)),
        None => number(value),
    };
    let row = |pair: &Pair| {
        [
            what(&pair.key),
            pair.key.threads.to_string(),
            format!("{} / {}", pair.first_target, pair.second_target),
            side(pair.first, pair.first_interval),
            side(pair.second, pair.second_interval),
            format!("{:.2}", pair.ratio),
            pair.verdict.words().to_owned(),
        ]
    };
    let mut text = Text::default();
    for (of, unit) in [(Test::Sizes, "MB/s"), (Test::Threads, "MB/s of a thread"), (Test::Logins, "seconds")] {
        let rows: Vec<[String; 7]> = pairs.iter().filter(|pair| pair.key.test == of).map(row).collect();
        if rows.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.line("");
        }
        text.line(format!("{}, {unit}", test(of)));
        text.extend(table(["what", "threads", "targets", "first", "second", "ratio", "the second is"], &rows));
    }
    text
}

/// What is said of a run: the machine and the versions.
pub(super) fn about(run: &Run) -> Vec<String> {
    let machine = &run.machine;
    let link = machine.link.map_or_else(String::new, |link| format!(", network {link} Mbit/s"));
    let facts = [
        match run.run == NAME_2019 {
            true => run.host.clone(),
            false => format!("run {} on {} by sftpctl {}", run.run, run.host, run.version),
        },
        format!(
            "machine {}: {} × {}, {} of memory{link}",
            machine.name,
            machine.processors,
            if machine.model.is_empty() { "processor" } else { &machine.model },
            Size(machine.memory).about()
        ),
        format!("{} {}", machine.system, machine.kernel).trim().to_owned(),
    ];
    let targets = run.plan.targets.iter().map(|target| format!("target {}: {}", target.name, target.at));
    let all = facts.into_iter().chain(targets).chain(run.notes.iter().cloned());
    all.filter(|line| !line.is_empty()).collect()
}

/// The word of an outcome on a page.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Differs => "wrong content",
        Outcome::Stuck => "stuck",
        Outcome::Died => "worker died",
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_bench::compare::{compare, worksheet_2019};

    use super::*;

    #[test]
    fn tables_have_every_row() {
        let report = Report::of(&worksheet_2019());
        let shown = text(&report).to_string();
        assert!(shown.starts_with("s3fs-2019, by size\nwhat "), "{shown}");
        assert!(shown.contains("10MB text get, cached"), "{shown}");
        assert_eq!(csv(&report).to_string().lines().count(), report.rows.len() + 1);
        let pairs = compare(&report, &report);
        let shown = comparison(&pairs).to_string();
        assert!(shown.contains("no verdict: too few values"));
        // Both have a row of 50 MB put by one thread.
        assert!(
            shown.starts_with("by size, MB/s\nwhat") && shown.contains("\n\nby threads, MB/s of a thread\nwhat"),
            "{shown}"
        );
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        for (value, shown) in [(123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.012")] {
            assert_eq!(number(value), shown);
        }
    }
}
