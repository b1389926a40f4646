//! Drift as text. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use sftpctl_engine::drift::model::Report;

pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for drifted in &report.drifted {
        let _ = writeln!(text, "{} {}  {}", if drifted.counts() { '~' } else { ' ' }, drifted.resource, drifted.title);
        for property in &drifted.properties {
            let ignored = property.ignored.as_ref().map(|why| format!("  (ignored: {why})")).unwrap_or_default();
            let (before, after) = (short(&property.before), short(&property.after));
            let _ = writeln!(text, "    {}: {before} → {after}{ignored}", property.name);
        }
    }
    // Hundreds of stack resources share a handful of reasons.
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for unread in &report.unseen {
        reasons.entry(&unread.why).or_default().push(&unread.resource);
    }
    for (why, resources) in reasons {
        let _ = writeln!(text, "? not read ({why}): {}", resources.join(", "));
    }
    for rule in &report.unused_ignores {
        let _ = writeln!(text, "! the `ignore` rule {rule} matches nothing");
    }
    let counted = report.drifted.iter().filter(|drifted| drifted.counts()).count();
    let _ = write!(
        text,
        "{}: {} resources read, {counted} drifted, {} ignored, {} not read.",
        report.environment,
        report.seen,
        report.drifted.len() - counted,
        report.unseen.len()
    );
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
