//! A log-in check as text. Pure.

use sftpctl_engine::verify::LoginCheck;

use super::hints;

/// One line, and a second one if there is a hint.
pub fn render(check: &LoginCheck) -> String {
    let mark = if check.admitted { "ok" } else { "REFUSED" };
    let server = check.server_id.as_deref().unwrap_or("no server");
    let mut text = format!("{}  {server}  {mark}: {} ({:.2} s)", check.region, check.finding, check.seconds);
    if let Some(hint) = &check.hint {
        text += &format!("\n  hint: {}", hints::complete(hint));
    }
    text
}
