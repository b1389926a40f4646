//! Completes the commands in hints with the arguments of this command, so that a copied command works on the same
//! environment.
//!
//! The engine knows only the environment's name, not the options that select the file, AWS and the state.

use std::sync::{PoisonError, RwLock};

use sftpctl_core::shown::Text;

/// The environment that this command works on, and the arguments that select it.
#[derive(Clone, Debug)]
pub struct Target {
    pub environment: String,
    /// The arguments that select the environment and AWS: `--env 99 --local`.
    pub words: String,
    /// The argument for the state, if one was given: `--state s3://company-state/`.
    pub state: Option<String>,
}

static TARGET: RwLock<Option<Target>> = RwLock::new(None);

/// Commands that occur in hints without arguments.
const BARE: [&str; 6] = ["state rebuild", "lock break", "lock show", "status", "deploy", "drift"];
/// Commands without the option `--state`.
const STATELESS: [&str; 7] = ["users", "history", "pull", "test-login", "verify", "connect-info", "clients"];

/// Sets the target for all later hints, unless there is one.
pub fn set(target: Target) {
    TARGET.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(target);
}

/// Forgets the target, for a command that works on one environment after another.
pub fn forget() {
    *TARGET.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// The hint with commands that can be copied and run.
pub fn complete(hint: &str) -> String {
    let target = TARGET.read().unwrap_or_else(PoisonError::into_inner);
    target.as_ref().map_or_else(|| hint.to_owned(), |target| completed(hint, target))
}

/// As [`complete`], for every line of a text.
pub fn completed_lines(text: &Text) -> Text {
    text.flat_map(|line| [complete(line)])
}

fn completed(hint: &str, target: &Target) -> String {
    let named = format!("--env {}", target.environment);
    let mut hint = hint.to_owned();
    for command in BARE {
        hint = hint.replace(&format!("`sftpctl {command}`"), &format!("`sftpctl {command} {named}`"));
    }
    let mut pieces = hint.split("sftpctl ");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let stateless = STATELESS.iter().any(|command| piece.starts_with(command)) || piece.contains("--state ");
        let state = target.state.as_ref().filter(|_| !stateless).map(|state| format!(" {state}"));
        let words = format!("{}{}", target.words, state.unwrap_or_default());
        text += "sftpctl ";
        // A command may have the arguments already.
        text += &piece.replace(&target.words, &named).replace(&named, &words);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_the_given_arguments() {
        let target = |state: Option<&str>| Target {
            environment: "99".into(),
            words: "--env-file e/99.yaml --local".into(),
            state: state.map(str::to_owned),
        };
        for (state, hint, expected) in [
            (None, "run: sftpctl deploy --env 99", "run: sftpctl deploy --env-file e/99.yaml --local"),
            (None, "see `sftpctl lock show`", "see `sftpctl lock show --env-file e/99.yaml --local`"),
            (
                Some("--state s"),
                "`sftpctl lock break`, or sftpctl users show --env 99 --username a",
                "`sftpctl lock break --env-file e/99.yaml --local --state s`, \
                 or sftpctl users show --env-file e/99.yaml --local --username a",
            ),
            (None, "nothing was changed", "nothing was changed"),
        ] {
            assert_eq!(completed(hint, &target(state)), expected);
            assert_eq!(completed(expected, &target(state)), expected, "completed twice");
        }
        let words = "--env 99 --local --endpoint-url http://127.0.0.1:1";
        let short = Target { words: words.to_owned(), ..target(None) };
        for hint in ["sftpctl users list --env 99".to_owned(), format!("sftpctl users list {words}")] {
            assert_eq!(completed(&hint, &short), format!("sftpctl users list {words}"));
        }
    }
}
