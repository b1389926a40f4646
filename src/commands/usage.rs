//! What is wrong with a command line: clap's own errors in the form of the others, and forms of output that a command does
//! not have. Pure.

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::{ArgMatches, ValueEnum as _};

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::format::Format;

/// Whether the output of a command line that cannot be parsed is to be JSON.
pub(super) fn asks_for_json(arguments: &[OsString]) -> bool {
    let words = arguments.iter().take_while(|word| *word != "--");
    let mut is_json = false;
    let mut is_value = false;
    for word in words {
        if std::mem::take(&mut is_value) {
            is_json = word == "json";
        } else if let Some(value) = word.to_str().and_then(|word| word.strip_prefix("--output=")) {
            is_json = value == "json";
        } else {
            is_value = word == "--output";
        }
    }
    is_json
}

/// The error of clap as the error of a command. Its own text has paragraphs: what is wrong, tips, and the usage.
pub(super) fn of_clap(error: &clap::Error) -> CliError {
    let text = error.render().to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("sftpctl");
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    let command = usage.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ");
    let help = format!("see {command} --help");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return CliError::new(Exit::Usage, format!("`{command}` needs a command or arguments")).hint(help);
    }
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join(" ")
    });
    let (mut message, mut tips) = (Vec::new(), Vec::new());
    for paragraph in paragraphs.filter(|paragraph| !paragraph.is_empty()) {
        if paragraph.starts_with("Usage: ") || paragraph.starts_with("For more information") {
            continue;
        }
        match paragraph.strip_prefix("tip: ") {
            Some(tip) => tips.extend(tip.split(" tip: ").map(str::to_owned)),
            None => message.push(paragraph.strip_prefix("error: ").unwrap_or(&paragraph).to_owned()),
        }
    }
    CliError::new(Exit::Usage, message.join("; ")).hint(if tips.is_empty() { help } else { tips.join("; ") })
}

/// The name of the command without the program's: `users list`.
pub(super) fn path(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut matches = matches;
    while let Some((name, below)) = matches.subcommand() {
        words.push(name);
        matches = below;
    }
    words.join(" ")
}

/// The forms of a command besides those that all have.
fn more_forms(path: &str) -> &'static [Format] {
    match path {
        "plan" => &[Format::Markdown, Format::Dot, Format::Mermaid],
        "cost" | "cost compare" => &[Format::Markdown],
        "users list" | "users export" => &[Format::Csv],
        _ => &[],
    }
}

/// Refuses a form of output that a command does not have.
///
/// # Errors
/// It does not.
pub(super) fn check_form(path: &str, format: Format) -> Result<(), CliError> {
    let all = [Format::Human, Format::Plain, Format::Json];
    // `sftpctl-local` decides by itself.
    if path == "local" || all.contains(&format) || more_forms(path).contains(&format) {
        return Ok(());
    }
    let names = all.iter().chain(more_forms(path)).map(name).collect::<Vec<_>>();
    let error = CliError::new(Exit::Usage, format!("`sftpctl {path}` has no output in the form {}", name(&format)));
    Err(error.hint(format!("pass --output with one of {}", names.join(", "))))
}

fn name(format: &Format) -> String {
    format.to_possible_value().as_ref().map(PossibleValue::get_name).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn json_is_found_wherever_it_is_asked_for() {
        for (line, expected) in [
            ("sftpctl plan --output json --wrong", true),
            ("sftpctl --output=json plan", true),
            ("sftpctl plan --output json --output human", false),
            ("sftpctl plan --output", false),
            ("sftpctl plan json", false),
            ("sftpctl local -- --output json", false),
        ] {
            assert_eq!(asks_for_json(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn errors_of_clap_have_a_message_and_a_hint() {
        for (line, message, hint) in [
            (
                "sftpctl plan --env 99 --ouput json",
                "unexpected argument '--ouput' found",
                "a similar argument exists: '--output'",
            ),
            (
                "sftpctl history show a.csv --env 99",
                "the following required arguments were not provided: <--username <NAME>|--orgid <N>|--cluster <CLUSTER>> \
                 <--version <ID>|--at <TIME>>",
                "see sftpctl history show --help",
            ),
            ("sftpctl plam", "unrecognized subcommand 'plam'", "a similar subcommand exists: 'plan'"),
            ("sftpctl history", "`sftpctl history` needs a command or arguments", "see sftpctl history --help"),
            (
                "sftpctl history list --env 99 --orgid 1 --since soon",
                "invalid value 'soon' for '--since <TIME>': expected a date (2026-11-30) or a time of RFC 3339 \
                 (2026-11-30T18:00:00Z)",
                "see sftpctl --help",
            ),
        ] {
            let error = of_clap(&command().try_get_matches_from(words(line)).unwrap_err());
            assert_eq!((error.message.as_str(), error.hint.as_deref()), (message, Some(hint)), "{line}");
            assert_eq!(error.exit, Exit::Usage);
        }
    }

    #[test]
    fn forms_that_a_command_lacks_are_refused() {
        let refused = |path: &str, format| check_form(path, format).err().map(|error| error.hint.unwrap_or_default());
        for format in [Format::Csv, Format::Markdown, Format::Dot, Format::Mermaid] {
            let hint = refused("history list", format);
            assert_eq!(hint.as_deref(), Some("pass --output with one of human, plain, json"), "{format:?}");
            assert_eq!(refused("local", format), None);
        }
        for format in [Format::Human, Format::Plain, Format::Json] {
            assert_eq!(refused("history list", format), None);
        }
        assert_eq!((refused("plan", Format::Mermaid), refused("users list", Format::Csv)), (None, None));
        let hint = refused("plan", Format::Csv);
        assert_eq!(hint.as_deref(), Some("pass --output with one of human, plain, json, markdown, dot, mermaid"));
        // The paths are those of commands.
        for path in ["plan", "cost", "cost compare", "users list", "users export"] {
            let mut found = command();
            for word in path.split(' ') {
                found = found.find_subcommand(word).unwrap_or_else(|| panic!("{path}")).clone();
            }
        }
    }
}
