//! Prints results and errors: as JSON with `--output json`, as text otherwise.

use std::sync::Arc;

use serde::Serialize;
use sftpctl_core::events::Reporter;
use sftpctl_core::shown::Text;

use super::format::{Color, Format};
use super::{events, hints, json, streams};
use crate::error::{CliError, Reason};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

impl Printer {
    pub fn new(format: Format, color: Color) -> Self {
        Self { format, color }
    }

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

    /// Prints a result: the view as JSON, or the text unless it is empty. `schema` is the view's name without
    /// `sftpctl/`, such as `plan/1`.
    pub fn emit<T: Into<Text>>(self, schema: &str, view: &impl Serialize, text: impl FnOnce() -> T) {
        if self.is_json() {
            return streams::data(json::line(schema, view));
        }
        let text = text().into();
        if !text.is_empty() {
            streams::data(text);
        }
    }

    /// Prints a result that only programs need.
    pub fn json(self, schema: &str, view: &impl Serialize) {
        self.emit(schema, view, String::new);
    }

    /// Prints text that only people need; for programs, the events of the run have the same content.
    pub fn text<T: Into<Text>>(self, text: impl FnOnce() -> T) {
        if !self.is_json() {
            streams::data(text());
        }
    }

    /// As [`Self::text`], for lines of which there may be none.
    pub fn lines(self, text: Text) {
        if !text.is_empty() {
            self.text(|| text);
        }
    }

    /// Prints a remark on stderr that only people need.
    pub fn note<T: Into<Text>>(self, text: impl FnOnce() -> T) {
        if !self.is_json() {
            streams::progress(text());
        }
    }

    /// Prints the error that ends the command.
    pub fn error(self, error: &CliError) {
        if self.is_json() {
            let CliError { exit, message, causes, hint, reason, .. } = error;
            let hint = hint.as_deref().map(hints::complete);
            let view =
                ErrorView { error: message, causes, hint: hint.as_deref(), exit_code: exit.code(), reason: *reason };
            return streams::data(json::line("error/1", &view));
        }
        match &error.rendered {
            Some(rendered) => streams::progress(rendered.clone()),
            None => streams::progress(format!("error: {}", error.message)),
        }
        for cause in &error.causes {
            streams::progress(format!("  because: {cause}"));
        }
        if let Some(hint) = &error.hint {
            streams::progress(format!("hint: {}", hints::complete(hint)));
        }
    }

    /// A reporter that shows the events of a run.
    pub fn reporter(self) -> Arc<dyn Reporter> {
        events::reporter(self.format)
    }
}
