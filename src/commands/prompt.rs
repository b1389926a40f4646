//! Questions on the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::error::CliError;
use crate::exit::Exit;

/// Asks a question that ends with `[y/N]`.
///
/// # Errors
/// Any other answer than yes, or no terminal to ask on: both are refusals.
pub(super) async fn confirm(question: &str) -> Result<(), CliError> {
    expect_answer(question, &["y", "yes"], "--yes").await
}

/// Asks for the environment's name, or takes it from `--confirm`: what production wants before anything of it is deleted.
///
/// # Errors
/// Another name, or no terminal to ask on: both are refusals.
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
    let asked = question.to_owned();
    // On a thread of its own: while the user thinks, the lock is renewed, and Ctrl-C is heard.
    match tokio::task::spawn_blocking(move || ask(&asked)).await.ok().flatten() {
        Some(answer) if accepted.iter().any(|accepted| answer.eq_ignore_ascii_case(accepted)) => Ok(()),
        Some(_) => Err(CliError::new(Exit::Refused, "not confirmed; nothing was changed")),
        None => Err(CliError::new(Exit::Refused, "cannot prompt: stdin is not a terminal; nothing was changed")
            .hint(format!("pass {flag} to skip the prompt"))),
    }
}

/// `None` where there is no terminal to ask on.
fn ask(question: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    // Not locked while the user thinks: others may have to write meanwhile, such as the answer to Ctrl-C.
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}
