//! The two streams: stdout has data, stderr has messages. A closed pipe (`| head`) is not an error.
//!
//! A string is one line, and harmless whatever is in it. Several lines are a [`Text`].

use std::io::Write as _;

use sftpctl_core::shown::Text;

/// Writes a line or a text to stdout.
pub fn data(text: impl Into<Text>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.into());
}

/// Writes the content of a file to stdout, as it is: to another program, never to a terminal.
///
/// # Errors
/// Standard output cannot be written. `BrokenPipe` is no fault: whoever reads it has enough.
pub fn bytes(content: &[u8]) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(content)
}

/// Writes a line or a text to stderr.
pub fn progress(text: impl Into<Text>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.into());
}

/// The width of stdout in characters; unlimited if it is not a terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}

/// The width of stderr in characters; unlimited if it is not a terminal.
pub fn progress_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}
