//! Shows the events of a run: as a live tree on a terminal, plain lines for pipes, JSON lines for programs.

mod json;
pub(super) mod live;
pub(super) mod plain;
mod words;

use std::io::IsTerminal as _;
use std::sync::Arc;

use sftpctl_core::events::Reporter;

use self::json::Json;
use self::live::Live;
use self::plain::Plain;
use super::format::Format;

/// The reporter for a format.
pub(super) fn reporter(format: Format) -> Arc<dyn Reporter> {
    match format {
        Format::Json => Arc::new(Json),
        Format::Human if std::io::stderr().is_terminal() => Arc::new(Live::new()),
        Format::Human | Format::Plain | Format::Csv | Format::Markdown | Format::Dot | Format::Mermaid => {
            Arc::new(Plain::default())
        }
    }
}
