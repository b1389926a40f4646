//! The gate to the terminal: stdout is data, stderr is for people. A reader that has gone (`| head`) is no error.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::json;

use super::lines::{Json, Plain};
use super::live::Live;
use crate::exit::CliError;
use sftpctl_core::events::Reporter;
use sftpctl_engine::clock;

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: a live tree on a terminal, plain lines elsewhere
    #[default]
    Human,
    /// One line per event
    Plain,
    /// One JSON object per line
    Json,
    /// Comma-separated values; only `users list`
    Csv,
    /// Markdown for a pull request; only `plan`
    Markdown,
}

/// When to color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to color what goes to stderr.
    pub fn wanted(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// A line of data.
pub fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// One JSON object on a line, with the name and version of its form, which every line of `--output json` has. Fields are
/// only ever added within one version.
pub fn json(form: &str, value: &impl serde::Serialize) {
    data(&json_line(form, value));
}

/// The line of [`json`].
///
/// `form` is what follows `sftpctl/`, such as `plan/1`.
pub fn json_line(form: &str, value: &impl serde::Serialize) -> String {
    let mut line = json!({ "schema": format!("sftpctl/{form}") });
    match (line.as_object_mut(), serde_json::to_value(value)) {
        (Some(line), Ok(serde_json::Value::Object(fields))) => line.extend(fields),
        (_, other) => line["value"] = other.unwrap_or_default(),
    }
    line.to_string()
}

/// A line for people.
pub fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// How many characters fit into a line of stdout: as many as there are where it is no terminal.
pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}

/// The same of stderr.
pub fn progress_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(usize::MAX, |(width, _)| usize::from(width.0.max(20)))
}

/// What takes the events of a run.
pub fn reporter(output: Output) -> Arc<dyn Reporter> {
    match output {
        Output::Json => Arc::new(Json { now: clock::now }),
        Output::Human if std::io::stderr().is_terminal() => Arc::new(Live::new()),
        Output::Human | Output::Plain | Output::Csv | Output::Markdown => Arc::new(Plain::default()),
    }
}

/// The error that ends a run.
pub fn error(error: &CliError, output: Output) {
    if output == Output::Json {
        json(
            "error/1",
            &json!({
                "error": error.message, "causes": error.causes, "hint": error.hint, "exitCode": error.exit.code(),
            }),
        );
        return;
    }
    // Rendered faults begin with "error:" themselves.
    let already = error.message.starts_with("error") || error.message.starts_with('\u{1b}');
    progress(&if already { error.message.clone() } else { format!("error: {}", error.message) });
    for cause in &error.causes {
        progress(&format!("  because: {cause}"));
    }
    if let Some(hint) = &error.hint {
        progress(&format!("hint: {hint}"));
    }
}

/// Ends the process at once, the cursor restored: at the end of `main`, and at the second Ctrl-C.
#[expect(clippy::exit, reason = "the end of the runtime would wait for a question that nobody needs answered")]
pub fn leave(exit: crate::exit::Exit) -> ! {
    // A progress display hides the cursor.
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr().lock(), "\x1b[?25h");
    }
    std::process::exit(i32::from(exit.code()))
}

/// Asks on the terminal; `None` where there is none.
pub fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    // Not locked while somebody thinks: others have something to say meanwhile, such as that Ctrl-C was heard.
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}
