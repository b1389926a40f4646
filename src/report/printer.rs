//! The one way to put out a result: as JSON where that was asked for, as text everywhere else.

use std::sync::Arc;

use serde::Serialize;
use sftpctl_core::events::Reporter;

use super::format::{Color, Format};
use super::{events, hints, json, streams};
use crate::error::CliError;

/// The output that the user chose.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    format: Format,
    color: Color,
}

/// An error as `--output json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorView<'a> {
    error: &'a str,
    causes: &'a [String],
    hint: Option<&'a str>,
    exit_code: u8,
}

impl Printer {
    /// A printer for these choices.
    pub fn new(format: Format, color: Color) -> Self {
        Self { format, color }
    }

    /// The output format, for commands with a format of their own.
    pub fn format(self) -> Format {
        self.format
    }

    /// Whether the output is for programs.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether to color what goes to stderr.
    pub fn has_color(self) -> bool {
        self.color.is_on()
    }

    /// Puts out a result: the view as JSON, or the text, of which nothing is printed if it is empty. `schema` is what
    /// follows `sftpctl/`, such as `plan/1`.
    pub fn emit(self, schema: &str, view: &impl Serialize, text: impl FnOnce() -> String) {
        if self.is_json() {
            return streams::data(&json::line(schema, view));
        }
        let text = text();
        if !text.is_empty() {
            streams::data(&text);
        }
    }

    /// Puts out a result that only programs need.
    pub fn json(self, schema: &str, view: &impl Serialize) {
        self.emit(schema, view, String::new);
    }

    /// Puts out text that only people need: as JSON it is in the events of the run.
    pub fn text(self, text: impl FnOnce() -> String) {
        if !self.is_json() {
            streams::data(&text());
        }
    }

    /// Puts out a remark on stderr that only people need.
    pub fn note(self, text: impl FnOnce() -> String) {
        if !self.is_json() {
            streams::progress(&text());
        }
    }

    /// Puts out the error that ends the command.
    pub fn error(self, error: &CliError) {
        if self.is_json() {
            let CliError { exit, message, causes, hint } = error;
            let hint = hint.as_deref().map(hints::complete);
            let view = ErrorView { error: message, causes, hint: hint.as_deref(), exit_code: exit.code() };
            return streams::data(&json::line("error/1", &view));
        }
        // Rendered faults begin with "error:" themselves.
        let already = error.message.starts_with("error") || error.message.starts_with('\u{1b}');
        streams::progress(&if already { error.message.clone() } else { format!("error: {}", error.message) });
        for cause in &error.causes {
            streams::progress(&format!("  because: {cause}"));
        }
        if let Some(hint) = &error.hint {
            streams::progress(&format!("hint: {}", hints::complete(hint)));
        }
    }

    /// Shows the events of a run.
    pub fn reporter(self) -> Arc<dyn Reporter> {
        events::reporter(self.format)
    }
}
