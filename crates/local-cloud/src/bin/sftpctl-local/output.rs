//! What this program prints, in the forms of `sftpctl`: stdout is data, stderr is for people.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::{Value, json};
use sftpctl_local_cloud::LocalError;

/// Form of the output.
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

/// When to color.
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
    /// Whether to color what goes to stderr.
    pub(crate) fn wanted(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// A line of data. A reader that has gone (`| head`) is no error.
pub(crate) fn data(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line for people.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One JSON object on a line, with the name and version of its form. `form` is what follows `sftpctl/`, such as `local/1`.
pub(crate) fn json(form: &str, value: &impl serde::Serialize) {
    let mut line = json!({ "schema": format!("sftpctl/{form}") });
    match (line.as_object_mut(), serde_json::to_value(value)) {
        (Some(line), Ok(Value::Object(fields))) => line.extend(fields),
        (_, other) => line["value"] = other.unwrap_or_default(),
    }
    data(&line.to_string());
}

/// The error that ends the program, with its exit code.
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
    progress(&format!("error: {error}"));
    for cause in causes {
        progress(&format!("  because: {cause}"));
    }
    if let Some(hint) = error.hint() {
        progress(&format!("hint: {hint}"));
    }
}
