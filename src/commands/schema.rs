//! `sftpctl schema`: the JSON Schema of environment files.

use crate::exit::Exit;
use crate::report::streams;
use sftpctl_core::shown::Text;

pub(super) fn run() -> Exit {
    streams::data(Text::pretty_json(&sftpctl_core::spec::schema()));
    Exit::Ok
}
