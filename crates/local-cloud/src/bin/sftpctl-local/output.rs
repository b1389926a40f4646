//! Prints in `sftpctl`'s output formats: data to stdout, messages for people to stderr.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::{Value, json};
use sftpctl_core::shown::Text;
use sftpctl_local_cloud::LocalError;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Human,
    /// The same without color
    Plain,
    /// One JSON object per line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to color text on stderr.
    pub(crate) fn wanted(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Prints a line or a text of data. A closed pipe (`| head`) is not an error.
pub(crate) fn data(text: impl Into<Text>) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.into());
}

/// Prints a line or a text for people.
pub(crate) fn progress(text: impl Into<Text>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.into());
}

/// Prints one JSON object on a line, with its schema. `form` is the part after `sftpctl/`, such as `local/1`.
pub(crate) fn json(form: &str, value: &impl serde::Serialize) {
    let mut line = json!({ "schema": format!("sftpctl/{form}") });
    match (line.as_object_mut(), serde_json::to_value(value)) {
        (Some(line), Ok(Value::Object(fields))) => line.extend(fields),
        (_, other) => line["value"] = other.unwrap_or_default(),
    }
    data(Text::json(&line));
}

/// Prints what is wrong with the arguments.
pub(crate) fn usage_error(error: &clap::Error) {
    let rendered = error.render();
    progress(Text::styled(&if Color::Auto.wanted() { rendered.ansi().to_string() } else { rendered.to_string() }));
}

/// Prints the error that ends the program.
pub(crate) fn error(error: &LocalError, output: Output, exit_code: u8) {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    if output == Output::Json {
        let (message, hint) = (error.to_string(), error.hint());
        let view = json!({ "error": message, "causes": causes, "hint": hint, "exitCode": exit_code });
        return json("error/1", &view);
    }
    lines("error: ", &error.to_string());
    for cause in causes {
        lines("  because: ", &cause);
    }
    if let Some(hint) = error.hint() {
        lines("hint: ", &hint);
    }
}

/// Prints a text that may have several lines, such as the end of a log: each of them is made harmless by itself.
fn lines(head: &str, text: &str) {
    let mut lines = text.lines();
    progress(format!("{head}{}", lines.next().unwrap_or_default()));
    lines.for_each(|line| progress(format!("  {line}")));
}
