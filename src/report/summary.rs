//! The table at the end of a run. Pure.

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use super::events::{RegionRow, Summary};

/// The summary for people.
pub fn render(summary: &Summary) -> String {
    let mut text = String::new();
    if summary.command == "deploy" {
        let _ = writeln!(text, "{}", regions(&summary.regions));
    }
    for kept in &summary.kept {
        let _ = writeln!(text, "kept: {kept}");
    }
    let _ = write!(
        text,
        "{} of environment {}: {} changed, {} failed, {} not begun, {:.1} s, {} AWS calls",
        summary.command,
        summary.environment,
        summary.changed,
        summary.failed,
        summary.not_begun,
        summary.seconds,
        summary.aws_calls
    );
    if summary.failed + summary.not_begun > 0 {
        text.push_str("\nRun the same command again: it goes on where this one stopped.");
    }
    text
}

/// One row per region.
pub fn regions(rows: &[RegionRow]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["region", "stack", "server", "state", "host name"]);
    for row in rows {
        let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        let host = row.host.clone().or_else(|| row.endpoint.clone());
        table.add_row([row.region.clone(), cell(&row.stack), cell(&row.server), cell(&row.state), cell(&host)]);
    }
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}
