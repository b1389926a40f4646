//! The help of every command, with the exit codes that it can end with.

use clap::{Command, CommandFactory as _};

use super::Cli;
use super::args::optional_environment;
use crate::exit::{self, Exit};

/// The heading of the options that every command takes.
pub(super) const GLOBAL: &str = "Global options";

/// The command line, with exit codes in every help text.
pub fn command() -> Command {
    // The arguments that select the environment are shared, and only this command takes a folder in their place.
    let teardown = |command: Command| command.mut_arg("env", |env| env.required_unless_present("folder"));
    // A target may stand in the place of an environment; the command says so if it has neither.
    let measure = |command: Command| command.mut_arg("env", |_| optional_environment());
    // Neither folders nor buckets have log-ins.
    let logins = |command: Command| {
        command
            .mut_arg("target", |target| {
                target.help("sftp://USER@HOST:PORT [default: the SFTP server of the environment]")
            })
            .mut_arg("region", |region| {
                region.help("Region of the environment's server [default: the environment's home region]")
            })
    };
    let bench = |command: Command| {
        let command = command.mut_subcommand("logins", logins);
        ["sizes", "threads", "logins"].into_iter().fold(command, |command, verb| command.mut_subcommand(verb, measure))
    };
    with_exit_codes(Cli::command().mut_subcommand("teardown", teardown).mut_subcommand("bench", bench), "")
}

/// Appends the exit codes to the help of a command and of its subcommands. `path` is its name without the program's.
fn with_exit_codes(command: Command, path: &str) -> Command {
    let exits = if path.is_empty() { Exit::ALL.to_vec() } else { exits(&command, path) };
    let help = match command.get_after_help() {
        Some(help) => format!("{help}\n\n{}", exit::list(&exits)),
        None => exit::list(&exits),
    };
    command.after_help(help).mut_subcommands(|below| {
        let path = joined(path, below.get_name());
        with_exit_codes(below, &path)
    })
}

fn joined(path: &str, name: &str) -> String {
    format!("{path} {name}").trim_start().to_owned()
}

/// The exit codes of a command; those of its subcommands, if it has any.
fn exits(command: &Command, path: &str) -> Vec<Exit> {
    if command.has_subcommands() {
        let below = command.get_subcommands().flat_map(|below| exits(below, &joined(path, below.get_name())));
        // A few do something without a subcommand, too.
        let mut all: Vec<Exit> = of_command(path).unwrap_or_default().iter().copied().chain(below).collect();
        all.sort();
        all.dedup();
        return all;
    }
    of_command(path).unwrap_or(&Exit::ALL).to_vec()
}

/// The exit codes of a command without subcommands.
fn of_command(path: &str) -> Option<&'static [Exit]> {
    use Exit::{Changes, Failed, Interrupted, Locked, Ok, Partly, Refused, Usage};
    Some(match path {
        "schema" | "completions" | "man" | "validate" | "package" | "cost compare" => &[Ok, Usage],
        // Those of `sftpctl-console`.
        "console" => &[Ok, Usage],
        "doctor" => &[Ok, Failed, Usage],
        "cost" => &[Ok, Failed, Usage, Refused],
        // Those of `sftpctl-local`.
        "local" => &[Ok, Usage],
        "policy boundary"
        | "policy deployer"
        | "policy stack"
        | "policy reader"
        | "policy teardown"
        | "policy users"
        | "policy users-reader"
        | "policy test-login"
        | "policy guard"
        | "policy canary"
        | "policy aliases"
        | "policy history"
        | "policy restore"
        | "policy agent"
        | "policy mount"
        | "policy homes"
        | "policy provisioning"
        | "policy table-import"
        | "policy pre-warm"
        | "policy logs"
        | "policy s3-files"
        | "policy waf"
        | "policy topics"
        | "policy malware-scan"
        | "policy decrypt"
        | "policy notify"
        | "policy addresses"
        | "policy state" => &[Ok, Usage],
        "plan" | "drift" => &[Ok, Failed, Usage, Refused, Changes],
        "status" | "verify" | "test-login" | "connect-info" | "state list" | "state show" => {
            &[Ok, Failed, Usage, Refused]
        }
        "users add" | "users passwd" | "users disable" | "users enable" | "users expire" | "users set"
        | "users remove" | "users list" => &[Ok, Failed, Usage, Refused],
        "users show" => &[Ok, Failed, Usage, Refused, Partly],
        "users silent" => &[Ok, Failed, Usage, Refused, Partly],
        "logs" => &[Ok, Failed, Usage, Refused, Partly, Interrupted],
        "who" | "clients" => &[Ok, Failed, Usage, Refused, Partly],
        "users audit" => &[Ok, Failed, Usage, Refused, Changes],
        "users sync" => &[Ok, Failed, Usage, Refused, Changes, Locked, Partly, Interrupted],
        "users import" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "guard list" | "guard unban" => &[Ok, Failed, Usage, Refused],
        "guard allow" | "guard ban" => &[Ok, Failed, Usage, Refused, Partly],
        "dns alias list" => &[Ok, Failed, Usage, Refused],
        "dns alias add" | "dns alias remove" => &[Ok, Failed, Usage, Refused, Partly, Interrupted],
        "dns alias move" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "users export" => &[Ok, Failed, Usage, Refused, Interrupted],
        "users harden" => &[Ok, Failed, Usage, Refused, Partly, Interrupted],
        "history list" | "history show" => &[Ok, Failed, Usage, Refused, Partly],
        "history restore" => &[Ok, Failed, Usage, Refused, Partly, Interrupted],
        "history watch" => &[Ok, Failed, Usage, Refused, Locked, Partly],
        "history export" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "pull" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "homes inventory" => &[Ok, Usage, Interrupted],
        "homes copy" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "homes verify" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "homes cutover" | "homes rollback" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "homes status" => &[Ok, Usage],
        "bench sizes" | "bench threads" | "bench logins" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        "bench run" => &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted],
        // The process that uses a target.
        "bench worker" => &[Ok, Usage],
        "bench hosts" => &[Ok, Failed, Usage, Locked, Partly, Interrupted],
        "bench merge" | "bench report" | "bench compare" | "bench schema" => &[Ok, Usage],
        "mounts plan" => &[Ok, Usage],
        "mounts install" => &[Ok, Failed, Usage, Refused],
        "mounts remove" => &[Ok, Failed, Usage, Refused, Locked],
        "mounts status" => &[Ok, Usage],
        "mounts check" => &[Ok, Failed, Usage],
        "mounts heal" => &[Ok, Failed, Usage, Refused, Locked],
        // The helper process of `mounts check`.
        "mounts probe" => &[Ok, Usage],
        "lock show" | "lock break" => &[Ok, Failed, Usage, Refused, Locked],
        "state move" => &[Ok, Failed, Usage, Refused, Locked, Partly],
        "deploy" | "teardown" | "import" | "state rebuild" => {
            &[Ok, Failed, Usage, Refused, Locked, Partly, Interrupted]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects a command and all its subcommands, with their paths.
    fn paths(command: &Command, path: &str, all: &mut Vec<(String, Command)>) {
        all.push((path.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            paths(below, &joined(path, below.get_name()), all);
        }
    }

    fn every_command() -> Vec<(String, Command)> {
        let mut all = Vec::new();
        paths(&command(), "", &mut all);
        all
    }

    /// The output of `--help`, 100 columns wide.
    fn help(path: &str) -> String {
        let words = std::iter::once("sftpctl").chain(path.split_whitespace()).chain(["--help"]);
        command().term_width(100).try_get_matches_from(words).unwrap_err().to_string()
    }

    #[test]
    fn every_command_has_its_exit_codes() {
        for (path, command) in every_command() {
            if !path.is_empty() && !command.has_subcommands() {
                assert!(of_command(&path).is_some(), "{path} is not in the table");
            }
        }
        assert!(help("").ends_with(&format!("{}\n", exit::list(&Exit::ALL))));
        assert!(help("validate").ends_with(&format!("{}\n", exit::list(&[Exit::Ok, Exit::Usage]))));
        assert!(help("lock").contains("\n  3 ") && !help("lock").contains("\n  130 "));
    }

    #[test]
    fn every_command_without_subcommands_has_examples() {
        for (path, command) in every_command().iter().filter(|(path, command)| {
            // `sftpctl-local` prints that help.
            path != "local" && !command.has_subcommands()
        }) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "{path}: {help}");
        }
    }

    #[test]
    fn no_line_of_an_example_is_broken() {
        for (path, command) in every_command().iter().filter(|(path, _)| path != "local") {
            let shown = help(path);
            let source = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in source.lines().filter(|line| line.starts_with("  ")) {
                assert!(shown.lines().any(|shown| shown == line), "{path}: `{line}` is broken in\n{shown}");
            }
        }
    }

    #[test]
    fn global_options_take_three_lines() {
        for (path, _) in every_command().iter().filter(|(path, _)| path != "local") {
            let help = help(path);
            let (_, global) = help.split_once(&format!("{GLOBAL}:\n")).expect(path);
            let global = global.split_once("\n\n").map_or(global, |(global, _)| global);
            assert_eq!(global.lines().count(), 3, "{path}: {help}");
        }
    }
}
