//! The table at the end of a run. Pure.

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use super::fold::fold;
use sftpctl_core::events::{RegionRow, Summary};

/// The summary as text, in lines of at most `width` characters.
pub fn render(summary: &Summary, width: usize) -> String {
    let mut text = String::new();
    if summary.command == "deploy" {
        let _ = writeln!(text, "{}", regions(&summary.regions, width));
    }
    for (word, reasons) in [("kept", &summary.kept), ("later", &summary.later)] {
        for reason in reasons {
            let _ = writeln!(text, "{}", fold(&format!("{word}: {reason}"), width));
        }
    }
    let amount = format!(
        "{} of environment {}: {} changed, {} failed, {} not begun, {:.1} s, {} AWS calls",
        summary.command,
        summary.environment,
        summary.changed,
        summary.failed,
        summary.not_begun,
        summary.seconds,
        summary.aws_calls
    );
    text.push_str(&fold(&amount, width));
    if summary.failed + summary.not_begun > 0 {
        text.push('\n');
        text.push_str(&fold("Rerun the same command to resume.", width));
    }
    text
}

/// One row per region, or one block per region if a row would be longer than `width` characters.
pub fn regions(rows: &[RegionRow], width: usize) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["region", "stack", "server", "state", "host name"]);
    for row in rows {
        let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        let host = row.host.clone().or_else(|| row.endpoint.clone());
        table.add_row([row.region.clone(), cell(&row.stack), cell(&row.server), cell(&row.state), cell(&host)]);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim().to_owned()).collect();
    if lines.iter().all(|line| line.chars().count() <= width) {
        return lines.join("\n");
    }
    let mut text = String::new();
    for row in rows {
        let host = row.host.as_ref().or(row.endpoint.as_ref());
        let _ = writeln!(text, "{}", row.region);
        for (word, value) in [("stack", row.stack.as_ref()), ("server", row.server.as_ref()), ("host", host)] {
            let Some(value) = value else { continue };
            let state = row.state.as_ref().filter(|_| word == "server").map(|state| format!(" {state}"));
            let _ = writeln!(text, "  {word:<7}{value}{}", state.unwrap_or_default());
        }
    }
    text.trim_end().to_owned()
}
