//! Drift as text. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use sftpctl_core::shown::Text;
use sftpctl_engine::drift::model::Report;

pub fn render(report: &Report) -> Text {
    let mut text = Text::default();
    for drifted in &report.drifted {
        let mark = if drifted.counts() { '~' } else { ' ' };
        text.line(format!("{mark} {}  {}", drifted.resource, drifted.title));
        for property in &drifted.properties {
            let ignored = property.ignored.as_ref().map(|why| format!("  (ignored: {why})")).unwrap_or_default();
            let (before, after) = (short(property.before()), short(property.after()));
            text.line(format!("    {}: {before} → {after}{ignored}", property.name));
        }
    }
    // Hundreds of stack resources share a handful of reasons.
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for unread in &report.unseen {
        reasons.entry(&unread.why).or_default().push(&unread.resource);
    }
    for (why, resources) in reasons {
        text.line(format!("? not read ({why}): {}", resources.join(", ")));
    }
    for rule in &report.unused_ignores {
        text.line(format!("! the `ignore` rule {rule} matches nothing"));
    }
    let counted = report.drifted.iter().filter(|drifted| drifted.counts()).count();
    text.line(format!(
        "{}: {} resources read, {counted} drifted, {} ignored, {} not read.",
        report.environment,
        report.seen,
        report.drifted.len() - counted,
        report.unseen.len()
    ));
    text
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > 160 { text.chars().take(157).collect::<String>() + "..." } else { text }
}
