//! The user's choices for the output: format and color.

use std::io::IsTerminal as _;

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: a live tree on a terminal, plain lines elsewhere.
    #[default]
    Human,
    /// One line per event.
    Plain,
    /// One JSON object per line.
    Json,
    /// Comma-separated values; only `users list`.
    Csv,
    /// Markdown for a pull request; only `plan` and `cost`.
    Markdown,
    /// A graph for Graphviz; only `plan`.
    Dot,
    /// A graph for Mermaid, which GitHub and GitLab draw; only `plan`.
    Mermaid,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Everywhere, also into files and pipes.
    Always,
    Never,
}

impl Color {
    /// Whether to color what goes to stderr.
    pub fn is_on(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// A time in seconds since 1970, as RFC 3339.
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
