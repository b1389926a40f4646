//! The table at the end of a run. Pure.

use comfy_table::{Table, presets};

use super::fold::folded;
use sftpctl_core::events::{RegionRow, Summary};
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::{Text, visible};

/// The summary as text, in lines of at most `width` characters.
pub fn render(summary: &Summary, width: usize) -> Text {
    let mut text = Text::default();
    if summary.command == "deploy" {
        text.extend(regions(&summary.regions, width));
    }
    for (word, reasons) in [("kept", &summary.kept), ("later", &summary.later)] {
        reasons.iter().for_each(|reason| text.line(format!("{word}: {reason}")));
    }
    if !summary.left_out.is_empty() {
        let names: Vec<&str> = summary.left_out.iter().map(NodeId::as_str).collect();
        text.line(format!("left out: {}", names.join(", ")));
        text.line(format!("Run `sftpctl deploy --env {}` to do that, too.", summary.environment));
    }
    text.line(format!(
        "{} of environment {}: {} changed, {} failed, {} not begun, {:.1} s, {} AWS calls",
        summary.command,
        summary.environment,
        summary.changed,
        summary.failed,
        summary.not_begun,
        summary.seconds,
        summary.aws_calls
    ));
    if summary.failed + summary.not_begun > 0 {
        text.line("Rerun the same command to resume.");
    }
    folded(&text, width)
}

/// The fixed addresses of a server, if it has any.
fn addresses(row: &RegionRow) -> Option<String> {
    (!row.addresses.is_empty()).then(|| row.addresses.join(", "))
}

/// One row per region, or one block per region if a row would be longer than `width` characters.
pub fn regions(rows: &[RegionRow], width: usize) -> Text {
    let mut table = Table::new();
    let has_addresses = rows.iter().any(|row| !row.addresses.is_empty());
    let mut header = vec!["region", "stack", "server", "state", "host name"];
    header.extend(has_addresses.then_some("fixed addresses"));
    table.load_preset(presets::NOTHING).set_header(header);
    for row in rows {
        let cell = |value: &Option<String>| value.as_deref().map_or("–".into(), visible).into_owned();
        let host = row.host.clone().or_else(|| row.endpoint.clone());
        let mut cells =
            vec![visible(&row.region).into_owned(), cell(&row.stack), cell(&row.server), cell(&row.state), cell(&host)];
        cells.extend(has_addresses.then(|| cell(&addresses(row))));
        table.add_row(cells);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim().to_owned()).collect();
    if lines.iter().all(|line| line.chars().count() <= width) {
        return lines.into_iter().collect();
    }
    let mut text = Text::default();
    for row in rows {
        let host = row.host.as_ref().or(row.endpoint.as_ref());
        text.line(&row.region);
        let fixed = addresses(row);
        let (stack, server) = (row.stack.as_ref(), row.server.as_ref());
        for (word, value) in [("stack", stack), ("server", server), ("host", host), ("fixed", fixed.as_ref())] {
            let Some(value) = value else { continue };
            let state = row.state.as_ref().filter(|_| word == "server").map(|state| format!(" {state}"));
            text.line(format!("  {word:<7}{value}{}", state.unwrap_or_default()));
        }
    }
    text
}
