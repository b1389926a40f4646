//! The two streams: stdout has data, stderr has messages. A closed pipe (`| head`) is not an error.
//!
//! A string is one line, and harmless whatever is in it. Several lines are a [`Text`].

use std::io::{ErrorKind, Write as _};
use std::sync::OnceLock;

use sftpctl_core::shown::Text;

use crate::exit::Exit;

/// Why a part of the output is not where it should be: the first error.
static LOST: OnceLock<String> = OnceLock::new();

fn note(result: std::io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// Writes a line or a text to stdout. What fails is said at the [`end`].
pub fn data(text: impl Into<Text>) {
    note(writeln!(std::io::stdout().lock(), "{}", text.into()));
}

/// The exit code of a command, once stdout is written: a full disk must not look like success.
pub fn end(exit: Exit) -> Exit {
    note(std::io::stdout().lock().flush());
    let Some(why) = LOST.get() else { return exit };
    progress(format!("error: standard output could not be written: {why}"));
    progress("hint: what it was to get is not complete; everything else was done. Make room where it goes");
    if exit == Exit::Ok { Exit::Failed } else { exit }
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
