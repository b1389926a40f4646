//! `sftpctl console`: starts `sftpctl-console`, which runs this program for each answer.

use std::ffi::OsString;
use std::path::Path;

use super::args::StateArgs;
use crate::companion::Companion;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

const COMPANION: Companion = Companion { name: "sftpctl-console", what: "the program of the console" };

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl console --env 99\n  \
    sftpctl console --env 99 --write\n  \
    sftpctl console --env 99 --local --port 8099\n\n\
    Prints the address of a web page, which is for a browser of the same user on this machine: regions and their state, a \
    customer's account, last log-ins and uploads, why log-ins are refused, and bans. With --write it also resets passwords, \
    disables and enables accounts, and ends bans. Each answer is that of a command, run with your credentials; it needs the \
    policies `users`, `logs` and `reader`, and `guard` where there is a guard. Ctrl-C ends it. See docs/console.md.")]
pub(super) struct Args {
    #[command(flatten)]
    env: StateArgs,
    /// Also offer changes: passwords, disabled accounts, bans
    #[arg(long)]
    write: bool,
    /// Port on 127.0.0.1; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// Replaces this process with `sftpctl-console`; returns only if that fails.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    // What is wrong with the file is shown here, and not on the page.
    let environment = args.env.load(printer)?;
    let own = std::env::current_exe()
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot find the path of this program: {error}")))?;
    Err(COMPANION.exec(&args.arguments(&environment.name, &own, printer.is_json())))
}

impl Args {
    /// The arguments of `sftpctl-console`.
    fn arguments(&self, environment: &str, own: &Path, is_json: bool) -> Vec<OsString> {
        let (words, state) = self.env.arguments();
        let mut all: Vec<OsString> = vec!["--program".into(), own.into()];
        all.push(format!("--environment={environment}").into());
        if let Some(state) = state {
            all.extend(["--state".into(), state]);
        }
        all.push(format!("--port={}", self.port).into());
        all.extend(self.write.then(|| "--write".into()));
        all.extend(is_json.then(|| "--json".into()));
        all.push("--".into());
        all.extend(words);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, command};
    use super::*;
    use clap::FromArgMatches as _;

    #[test]
    fn console_gets_every_argument() {
        for (line, passed) in [
            ("--env 99", "--port=0 -- --env 99"),
            ("--env 99 --local --write --port 8099", "--port=8099 --write -- --env 99 --local"),
            (
                "--env-file x/y.yaml --profile p --endpoint-url http://h --state s3://company-state/p/",
                "--state s3://company-state/p/ --port=0 -- --env-file x/y.yaml --profile p --endpoint-url http://h",
            ),
        ] {
            let words = format!("sftpctl console {line}");
            let matches = command().try_get_matches_from(words.split(' ')).unwrap();
            let Command::Console(args) = Cli::from_arg_matches(&matches).unwrap().command else { panic!("{line}") };
            let all = args.arguments("99", Path::new("/x/sftpctl"), false);
            let all: Vec<&str> = all.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(all.join(" "), format!("--program /x/sftpctl --environment=99 {passed}"), "{line}");
        }
    }
}
