//! A log-in check as text. Pure.

use sftpctl_core::check::{Check, Status};
use sftpctl_core::shown::Text;
use sftpctl_engine::verify::LoginCheck;

use super::hints;

/// One line, and a second one if there is a hint.
pub fn render(check: &LoginCheck) -> Text {
    let mark = if check.admitted { "ok" } else { "REFUSED" };
    let server = check.server_id.as_deref().unwrap_or("no server");
    let line = format!("{}  {server}  {mark}: {} ({:.2} s)", check.region, check.finding, check.seconds);
    let mut text = Text::from(line);
    if let Some(hint) = &check.hint {
        text.line(format!("  hint: {}", hints::complete(hint)));
    }
    text
}

/// A check of a region beside its log-in, in the same form.
pub fn check(check: &Check) -> Text {
    let mark = match check.status {
        Status::Ok => "ok",
        Status::Failed => "FAILED",
        _ => "unknown",
    };
    let region = check.region.as_deref().unwrap_or_default();
    let mut text = Text::from(format!("{region}  {}  {mark}: {}", check.title, check.evidence));
    if let Some(hint) = &check.hint {
        text.line(format!("  hint: {}", hints::complete(hint)));
    }
    text
}
