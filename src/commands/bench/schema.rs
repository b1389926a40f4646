//! `sftpctl bench schema`: the JSON Schema of plan files.

use crate::exit::Exit;
use crate::report::streams;
use sftpctl_core::shown::Text;

pub(super) fn run() -> Exit {
    streams::data(Text::pretty_json(&sftpctl_bench::plan::schema()));
    Exit::Ok
}
