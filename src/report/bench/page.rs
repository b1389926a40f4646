//! The report of measurements as a page for a browser and for paper: one file with its charts, which loads nothing.
//! Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sftpctl_bench::plan::Test;
use sftpctl_bench::record::{Outcome, Results};
use sftpctl_bench::runner::problem;
use sftpctl_bench::size::Size;
use sftpctl_bench::stats::{Summary, percentile};
use sftpctl_bench::summary::{Report, Row};

use super::chart::{Axes, Event, Point, Series, lines, time_line};
use super::{COLUMNS, about, cells, outcome, problems, scaling, test, what};
use crate::report::report_file::html;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1a1a1a}\
h1{margin-bottom:.2rem}h2{margin-top:2rem;border-bottom:2px solid #ddd}\
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}td,th{text-align:left;padding:.2rem .5rem;\
border-bottom:1px solid #ddd;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;\
font-variant-numeric:tabular-nums}.note{color:#555}.bad{color:#a00}tr.bad td{background:#fdf0f0}\
figure{margin:0 0 1.5rem;break-inside:avoid;overflow-x:auto}figcaption{font-weight:600;margin-bottom:.3rem}svg{max-width:100%;min-width:36rem;height:auto}\
svg text{font:12px system-ui,sans-serif;fill:#1a1a1a}svg text.axis{fill:#555}.grid{stroke:#e2e2e2}\
polyline{fill:none;stroke-width:2}line[class^=s]{stroke-width:2}line.range{stroke-width:5!important;opacity:.3}rect.good{fill:#1f6f8b}rect.bad{fill:#c62828}\
.s0{stroke:#1f6f8b}.s1{stroke:#c2571a;stroke-dasharray:7 3}.s2{stroke:#4b7f2b;stroke-dasharray:2 3}.s3{stroke:#7b3fa0}\
.s4{stroke:#b8860b;stroke-dasharray:9 3 2 3}.s5{stroke:#555;stroke-dasharray:4 4}.s6{stroke:#c2185b}.s7{stroke:#00796b;\
stroke-dasharray:1 4}circle{fill:#fff;stroke-width:2;stroke-dasharray:none!important}line.range{stroke-dasharray:none}\
circle.bad{fill:#c62828}\
p,li,h1,h2,figcaption{overflow-wrap:anywhere}td:first-child{white-space:nowrap}.wide{overflow-x:auto}\
@page{margin:15mm}@media print{body{margin:0;padding:0;max-width:none;font-size:10pt}h2{margin-top:1.2rem}\
h2,figcaption{break-after:avoid}.wide,figure{overflow:visible}svg{min-width:0}tr,li{break-inside:avoid}thead{display:table-header-group}table{font-size:8pt}\
td,th{padding:.1rem .25rem}th.n{white-space:normal}tr.bad td{font-weight:600}p{orphans:3;widows:3}}";

/// How each page begins.
pub const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";

/// The page of results.
pub fn page(title: &str, results: &Results, report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, title, results);
    found(&mut out, report);
    let by_target = report.rows.chunk_by(|one, other| one.target == other.target && one.key.test == other.key.test);
    for rows in by_target {
        section(&mut out, rows);
    }
    times(&mut out, results);
    latencies(&mut out, report);
    out.push_str("<h2>How to read it</h2>\n");
    for note in [
        "Each value is the median of its repetitions, those that warm up left out. The interval holds the median with a \
         confidence of 95 %, whatever the distribution is; it takes at least six values.",
        "\"Together\" is what all threads of all machines moved in a second; \"per s\" counts operations.",
        "A get is read past the page cache of this machine (posix_fadvise) in a newly opened file; what the program of a \
         mount keeps is not reached. A cached get follows a get of the same file. What came back was compared with what was \
         put by its CRC-64/NVME.",
        "1 MB is 1,000,000 bytes.",
    ] {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", html(note));
    }
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, title: &str, results: &Results) {
    let title = html(title);
    let _ = write!(
        out,
        "{BEGINNING}{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
    );
    for run in results.runs() {
        let began = crate::report::format::time(seconds(run.began));
        let _ = writeln!(out, "<p class=\"note\">{}<br>", html(&format!("begun {began}")));
        let lines: Vec<String> = about(run).iter().map(|line| html(line)).collect();
        let _ = writeln!(out, "{}</p>", lines.join("<br>\n"));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
fn seconds(time: f64) -> i64 {
    time as i64
}

/// What a reader wants to know first: whether all went well, and where it stops growing.
fn found(out: &mut String, report: &Report) {
    let mut list = |title: &str, class: &str, items: &[String]| {
        if items.is_empty() {
            return;
        }
        let _ = writeln!(out, "<h2>{}</h2>\n<ul>", html(title));
        items.iter().for_each(|item| _ = writeln!(out, "<li class=\"{class}\">{}</li>", html(item)));
        out.push_str("</ul>\n");
    };
    list("What did not succeed", "bad", &problems(report));
    list("Not tried", "note", &report.skipped);
    list("Could not be deleted", "bad", &report.left);
    list("Where it stops growing", "", &report.scaling.iter().map(scaling).collect::<Vec<_>>());
    let is_measured = report.rows.iter().any(|row| row.operations.is_some());
    if is_measured && report.problems.is_empty() && report.skipped.is_empty() {
        out.push_str("<p>Every operation succeeded, and everything came back as it was put.</p>\n");
    }
}

/// A target's rows of one test: the chart, and the table.
fn section(out: &mut String, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let title = format!("{}, {}", first.target, test(first.key.test));
    let _ = writeln!(out, "<h2>{}</h2>", html(&title));
    match first.key.test {
        Test::Sizes => sizes(out, rows),
        Test::Threads => threads(out, rows),
        Test::Logins => logins(out, rows),
    }
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for (at, column) in COLUMNS.iter().enumerate() {
        let class = if at == 0 { "" } else { " class=\"n\"" };
        let _ = write!(out, "<th{class}>{}</th>", html(column));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        let class = if has_failures(row) { " class=\"bad\"" } else { "" };
        let _ = write!(out, "<tr{class}>");
        for (at, cell) in cells(row).iter().enumerate() {
            let class = if at == 0 { "" } else { " class=\"n\"" };
            let _ = write!(out, "<td{class}>{}</td>", html(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn has_failures(row: &Row) -> bool {
    row.stuck + row.failed > 0
}

/// Lines of rows that differ in one thing only.
fn series(rows: &[Row], name: impl Fn(&Row) -> String, point: impl Fn(&Row) -> Option<Point>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for row in rows {
        let Some(point) = point(row) else { continue };
        let name = name(row);
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => all.push(Series { name, points: vec![point] }),
        }
    }
    for series in &mut all {
        series.points.sort_by(|one, other| one.x.total_cmp(&other.x));
    }
    all
}

/// The places of the x axis, each once.
fn ticks(rows: &[Row], of: impl Fn(&Row) -> (f64, String)) -> Vec<(f64, String)> {
    let mut all: Vec<(f64, String)> = rows.iter().map(of).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    all.dedup_by(|one, other| one.1 == other.1);
    all
}

fn sizes(out: &mut String, rows: &[Row]) {
    let name = |row: &Row| {
        let content = row.key.content.map_or("", |content| content.as_str());
        format!("{} {content}", row.key.direction.words())
    };
    let series = series(rows, name, |row| {
        let speed = row.speed.as_ref()?;
        Some(Point { x: row.key.size.mb(), y: speed.median, interval: speed.interval, has_failures: has_failures(row) })
    });
    let ticks = ticks(rows, |row| (row.key.size.mb(), row.key.size.to_string()));
    let axes = Axes { title: "Speed by size", x: "size", y: "MB/s", log_x: true, ticks };
    lines(out, &axes, &series);
}

fn threads(out: &mut String, rows: &[Row]) {
    let name = |row: &Row| what(&row.key);
    let ticks = || ticks(rows, |row| (f64::from(row.key.threads), row.key.threads.to_string()));
    let x = |row: &Row| f64::from(row.key.threads);
    let together = series(rows, name, |row| {
        Some(Point { x: x(row), y: row.together?, has_failures: has_failures(row), ..Point::default() })
    });
    let axes = Axes { title: "Together, by threads", x: "threads", y: "MB/s", log_x: false, ticks: ticks() };
    lines(out, &axes, &together);
    let each = series(rows, name, |row| {
        let speed = row.speed.as_ref()?;
        Some(Point { x: x(row), y: speed.median, interval: speed.interval, has_failures: has_failures(row) })
    });
    let axes = Axes { title: "Each thread, by threads", x: "threads", y: "MB/s", log_x: false, ticks: ticks() };
    lines(out, &axes, &each);
}

fn logins(out: &mut String, rows: &[Row]) {
    let x = |row: &Row| f64::from(row.key.threads);
    let ticks = || ticks(rows, |row| (x(row), row.key.threads.to_string()));
    let point = |row: &Row, y: f64| Point { x: x(row), y, has_failures: has_failures(row), ..Point::default() };
    let rate = series(rows, |_| "log-ins".to_owned(), |row| Some(point(row, row.operations?)));
    let axes = Axes { title: "Log-ins a second", x: "threads", y: "log-ins/s", log_x: false, ticks: ticks() };
    lines(out, &axes, &rate);
    let time = |name: &str, of: fn(&Summary) -> f64| {
        let points = rows.iter().filter_map(|row| Some(point(row, of(row.seconds.as_ref()?))));
        Series { name: name.to_owned(), points: points.collect() }
    };
    let all = [time("median", |s| s.median), time("p95", |s| s.p95), time("p99", |s| s.p99)];
    let axes = Axes { title: "Time of a log-in", x: "threads", y: "s", log_x: false, ticks: ticks() };
    lines(out, &axes, &all);
}

/// What happened when, so that what hung is seen with what went on beside it.
fn times(out: &mut String, results: &Results) {
    let began = results.runs().map(|run| run.began).reduce(f64::min).unwrap_or_default();
    let hosts: BTreeMap<&str, (&str, f64)> =
        results.runs().map(|run| (run.run.as_str(), (run.host.as_str(), run.began - began))).collect();
    let mut lanes: Vec<String> = Vec::new();
    let mut events = Vec::new();
    for sample in results.samples().filter(|sample| sample.at > 0.0) {
        let target = sample.cell.split('/').next().unwrap_or_default();
        let (host, later) = hosts.get(sample.run.as_str()).copied().unwrap_or_default();
        let lane = if hosts.len() > 1 { format!("{host} {target}") } else { target.to_owned() };
        let lane = lanes.iter().position(|known| *known == lane).unwrap_or_else(|| {
            lanes.push(lane);
            lanes.len() - 1
        });
        let problem =
            (sample.outcome != Outcome::Ok).then(|| format!("{}: {}", outcome(sample.outcome), problem(sample)));
        events.push(Event { at: sample.at + later, seconds: sample.seconds, lane, problem });
    }
    if events.is_empty() {
        return;
    }
    out.push_str("<h2>When</h2>\n");
    time_line(out, "Operations by time; red: stuck or failed", &lanes, &events);
}

/// How the times of operations are distributed: the curve of each cell with the most threads, by target.
fn latencies(out: &mut String, report: &Report) {
    let rows = report.rows.iter().filter(|row| row.times.len() >= 6);
    let mut chosen: BTreeMap<&str, BTreeMap<(Size, String), &Row>> = BTreeMap::new();
    for row in rows {
        let key = (row.key.size, what(&row.key));
        chosen
            .entry(&row.target)
            .or_default()
            .entry(key)
            .and_modify(|best| {
                if best.key.threads < row.key.threads {
                    *best = row
                }
            })
            .or_insert(row);
    }
    if chosen.is_empty() {
        return;
    }
    out.push_str("<h2>How times are distributed</h2>\n");
    for (target, rows) in chosen {
        let all = rows.into_values().map(|row| {
            let mut seconds = row.times.clone();
            seconds.sort_by(f64::total_cmp);
            let points = [1, 5, 10, 25, 50, 75, 90, 95, 99].map(|percent| {
                let percent = f64::from(percent);
                Point { x: percent, y: percentile(&seconds, percent), ..Point::default() }
            });
            Series { name: format!("{} ({})", what(&row.key), row.key.threads), points: points.to_vec() }
        });
        let all: Vec<Series> = all.collect();
        let ticks = [1, 10, 25, 50, 75, 90, 99].map(|percent| (f64::from(percent), format!("p{percent}")));
        let title = format!("{target}: seconds of an operation by percentile (threads)");
        let axes = Axes { title: &title, x: "percentile", y: "s", log_x: false, ticks: ticks.to_vec() };
        // More curves than colors could not be told apart.
        for some in all.chunks(8) {
            lines(out, &axes, some);
        }
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_bench::compare::worksheet_2019;
    use sftpctl_bench::record::Line;

    use super::*;

    fn is_harmless(page: &str) {
        for part in ["<script", "src=", "href=", "url(", "@import", "\u{202e}", "\u{1b}", "http://", "https://"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        for name in ["svg", "div", "table", "tr", "td", "text", "h2", "figure", "li", "p"] {
            let begun = page.matches(&format!("<{name}>")).count() + page.matches(&format!("<{name} ")).count();
            let ended = page.matches(&format!("</{name}>")).count();
            assert!(begun == ended, "{name}: {begun} {ended}");
        }
    }

    #[test]
    fn a_page_has_charts_and_every_row_and_loads_nothing() {
        let results = worksheet_2019();
        let report = Report::of(&results);
        let page = page("Measurements of 2019", &results, &report);
        is_harmless(&page);
        assert!(!page.contains(" bad\""), "nothing failed");
        assert!(page.matches("<polyline").count() >= 3 + 6, "a line for each direction, and for each size");
        assert_eq!(page.matches("<tr><td>").count(), report.rows.len());
        assert!(page.contains("@media print") && page.contains("t3.medium"));
    }

    #[test]
    fn what_targets_say_is_text() {
        const HOSTILE: &str = "<script src=//x>\"'&\u{202e}\u{1b}";
        let mut results = worksheet_2019();
        for line in &mut results.lines {
            match line {
                Line::Run(run) => {
                    run.host = HOSTILE.into();
                    run.machine.model = HOSTILE.into();
                    run.notes = vec![HOSTILE.into()];
                }
                Line::Sample(sample) if sample.iteration == 2 => {
                    sample.outcome = Outcome::Failed;
                    sample.at = 3.0;
                    sample.message = Some(HOSTILE.into());
                }
                _ => {}
            }
        }
        let report = Report::of(&results);
        let page = page(HOSTILE, &results, &report).replace("src=//x", "");
        is_harmless(&page);
        assert!(page.contains("<rect class=\"bad\""), "what failed is on the time line");
        assert!(page.contains("<circle class=\"s0 bad\"") && page.contains("red: some operations"), "and on charts");
    }
}
