//! The words for plain lines and the live tree. Pure.

use sftpctl_core::events::Outcome;
use sftpctl_core::model::Action;

/// The word for an action that begins.
pub(super) fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Import => "importing",
        Action::Update => "updating",
        Action::Recreate => "recreating",
        Action::Recover => "recovering",
        Action::Delete => "deleting",
        Action::Keep => "keeping",
    }
}

/// Sign and words for the end of a step, and further lines.
pub(super) fn ended(outcome: &Outcome) -> (char, String, Vec<String>) {
    match outcome {
        Outcome::Changed => ('✓', "done".into(), Vec::new()),
        Outcome::Incomplete { reason } => ('!', format!("done, but {reason}"), Vec::new()),
        Outcome::Unchanged => ('·', "up to date".into(), Vec::new()),
        Outcome::Deleted => ('✓', "deleted".into(), Vec::new()),
        Outcome::Kept { reason } => ('=', format!("kept: {reason}"), Vec::new()),
        Outcome::Later { reason } => ('…', format!("later: {reason}"), Vec::new()),
        Outcome::Failed { error, causes, left, hint } => {
            let mut more: Vec<String> = causes.iter().map(|cause| format!("cause: {cause}")).collect();
            more.push(format!("left: {left}"));
            more.extend(hint.iter().map(|hint| format!("hint: {hint}")));
            ('✗', format!("failed: {error}"), more)
        }
        Outcome::Blocked { by } => ('-', format!("not begun: {by} is not finished"), Vec::new()),
        Outcome::Stopped => ('-', "not begun: stopped".into(), Vec::new()),
    }
}

/// The message after the first Ctrl-C.
pub(super) const STOPPING: &str =
    "stopping after the calls in flight; AWS continues what it has started. Press Ctrl-C again to exit now";

/// The duration of a step, if it was started.
pub(super) fn took(outcome: &Outcome, seconds: f64) -> String {
    match outcome {
        Outcome::Blocked { .. } | Outcome::Stopped => String::new(),
        _ => format!(" ({seconds:.1} s)"),
    }
}
