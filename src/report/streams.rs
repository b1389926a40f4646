//! The two streams: stdout is data, stderr is for people. A reader that has gone away (`| head`) is not an error.

use std::io::Write as _;

/// Writes a line of data.
pub fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line for people.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How many characters fit into a line of stdout; any number where it is not a terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}

/// How many characters fit into a line of stderr; any number where it is not a terminal.
pub fn progress_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}
