//! `sftpctl local`: passes its arguments on to `sftpctl-local`.

use std::ffi::OsString;

use crate::error::CliError;
use crate::local_cloud;
use crate::report::format::{Color, Format};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Commands and options of `sftpctl-local`; `sftpctl local --help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Replaces this process with `sftpctl-local`; returns only if that fails.
pub(super) fn run(args: &Args, format: Format, color: Color, verbose: u8) -> CliError {
    local_cloud::exec(&arguments(format, color, verbose, &args.arguments))
}

/// The options given before `local`, then its arguments, so that the latter override the former.
fn arguments(format: Format, color: Color, verbose: u8, rest: &[OsString]) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    // `sftpctl-local` has the same defaults.
    if format != Format::default() {
        all.extend(["--output".into(), name(&format)]);
    }
    if color != Color::default() {
        all.extend(["--color".into(), name(&color)]);
    }
    all.extend((0..verbose).map(|_| OsString::from("--verbose")));
    all.extend(rest.iter().cloned());
    all
}

fn name(value: &impl clap::ValueEnum) -> OsString {
    value.to_possible_value().map(|value| value.get_name().into()).unwrap_or_default()
}

/// Rewrites `sftpctl help local …` as `sftpctl local help …`: only `sftpctl-local` has that help.
pub(super) fn rewritten(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if let [_, help, local, ..] = &mut *arguments
        && help == "help"
        && local == "local"
    {
        std::mem::swap(help, local);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, command};
    use super::*;
    use clap::FromArgMatches as _;

    /// The arguments that `sftpctl-local` gets.
    fn passed_on(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let matches = command().try_get_matches_from(rewritten(words)).unwrap();
        let cli = Cli::from_arg_matches(&matches).unwrap();
        let Command::Local(args) = cli.command else { panic!("{line} is another command") };
        let words = arguments(cli.output, cli.color, cli.verbose, &args.arguments);
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_argument_is_passed_on() {
        for (line, passed) in [
            ("sftpctl local", ""),
            ("sftpctl local start --port 4600", "start --port 4600"),
            ("sftpctl local --help", "--help"),
            ("sftpctl local -h", "-h"),
            ("sftpctl local --version", "--version"),
            ("sftpctl local start --help", "start --help"),
            ("sftpctl help local", "help"),
            ("sftpctl help local start", "help start"),
            ("sftpctl local help start", "help start"),
            ("sftpctl --output json local status", "--output json status"),
            ("sftpctl local --output json status", "--output json status"),
            ("sftpctl local status --output json", "status --output json"),
            ("sftpctl --output plain local status --output json", "--output plain status --output json"),
            ("sftpctl -v local start -v", "--verbose start -v"),
            ("sftpctl --color never local logs -f", "--color never logs -f"),
            ("sftpctl local --dir x start", "--dir x start"),
            ("sftpctl local --dir x --output json status", "--dir x --output json status"),
            ("sftpctl local faults add sts.Nothing -- -x", "faults add sts.Nothing -- -x"),
        ] {
            assert_eq!(passed_on(line), passed, "{line}");
        }
    }
}
