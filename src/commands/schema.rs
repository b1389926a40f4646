//! `sftpctl schema`: the JSON Schema of environment files.

use crate::exit::Exit;
use crate::report::streams;

pub(super) fn run() -> Exit {
    streams::data(&serde_json::to_string_pretty(&sftpctl_core::spec::schema()).unwrap_or_default());
    Exit::Ok
}
