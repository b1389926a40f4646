//! `sftpctl completions`: completion scripts for shells.

use clap_complete::Shell;

use crate::exit::Exit;
use crate::report::streams;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl completions bash > /etc/bash_completion.d/sftpctl")]
pub(super) struct Args {
    #[arg(value_enum, help = "The shell")]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "sftpctl", &mut script);
    streams::data(Text::verbatim(String::from_utf8_lossy(&script).trim_end()));
    Exit::Ok
}
