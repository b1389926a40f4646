//! The two streams: stdout has data, stderr has messages. A closed pipe (`| head`) is not an error.

use std::io::Write as _;

/// Writes a line to stdout.
pub fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to stderr.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The width of stdout in characters; unlimited if it is not a terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}

/// The width of stderr in characters; unlimited if it is not a terminal.
pub fn progress_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}
