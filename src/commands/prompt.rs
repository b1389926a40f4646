//! Confirmation prompts on the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::shown::Text;

/// Asks a question that ends with `[y/N]`.
///
/// # Errors
/// An answer other than yes, or no terminal: both are refusals.
pub(super) async fn confirm(question: &str) -> Result<(), CliError> {
    expect_answer(question, &["y", "yes"], "--yes").await
}

/// Asks for the environment's name, or takes it from `--confirm`. Production requires it before deletions.
///
/// # Errors
/// Another name, or no terminal: both are refusals.
pub(super) async fn confirm_by_name(name: &str, typed: Option<&str>, what: &str) -> Result<(), CliError> {
    match typed {
        Some(typed) if typed == name => Ok(()),
        Some(typed) => {
            Err(CliError::new(Exit::Refused, format!("`--confirm {typed}` does not name environment {name}"))
                .hint(format!("nothing was changed; to {what}, pass --confirm {name}")))
        }
        None => {
            let question = format!("This is production. Type {name} to {what}:");
            expect_answer(&question, &[name], &format!("--confirm {name}")).await
        }
    }
}

async fn expect_answer(question: &str, accepted: &[&str], flag: &str) -> Result<(), CliError> {
    let question = question.to_owned();
    // On a separate thread: while the prompt waits, the lock is renewed, and Ctrl-C is handled.
    match tokio::task::spawn_blocking(move || ask(&question)).await.ok().flatten() {
        Some(answer) if accepted.iter().any(|accepted| answer.eq_ignore_ascii_case(accepted)) => Ok(()),
        Some(_) => Err(CliError::new(Exit::Refused, "not confirmed; nothing was changed")),
        None => Err(CliError::new(Exit::Refused, "cannot prompt: stdin is not a terminal; nothing was changed")
            .hint(format!("pass {flag} to skip the prompt"))),
    }
}

/// `None` if there is no terminal.
fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    // Not locked while the prompt waits: other threads may write to stderr, such as the message after Ctrl-C.
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{} ", Text::from(question)).and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}
