//! A log-in check as text. Pure.

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
