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

/// One row per region, or one block per region if a row would be longer than `width` characters.
pub fn regions(rows: &[RegionRow], width: usize) -> Text {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["region", "stack", "server", "state", "host name"]);
    for row in rows {
        let cell = |value: &Option<String>| value.as_deref().map_or("–".into(), visible).into_owned();
        let host = row.host.clone().or_else(|| row.endpoint.clone());
        table.add_row([
            visible(&row.region).into_owned(),
            cell(&row.stack),
            cell(&row.server),
            cell(&row.state),
            cell(&host),
        ]);
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim().to_owned()).collect();
    if lines.iter().all(|line| line.chars().count() <= width) {
        return lines.into_iter().collect();
    }
    let mut text = Text::default();
    for row in rows {
        let host = row.host.as_ref().or(row.endpoint.as_ref());
        text.line(&row.region);
        for (word, value) in [("stack", row.stack.as_ref()), ("server", row.server.as_ref()), ("host", host)] {
            let Some(value) = value else { continue };
            let state = row.state.as_ref().filter(|_| word == "server").map(|state| format!(" {state}"));
            text.line(format!("  {word:<7}{value}{}", state.unwrap_or_default()));
        }
    }
    text
}
