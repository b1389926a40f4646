//! Reads passwords from stdin or the terminal; arguments would be visible to other users of the machine.

use std::io::{IsTerminal as _, Read as _};

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::CliError;
use crate::exit::Exit;

/// Longer than any password; keeps a file that was redirected by mistake from being read whole.
const MAX_BYTES: u64 = 64 << 10;

/// Reads all of stdin, and removes one line end after it.
///
/// # Errors
/// Stdin cannot be read, or is not UTF-8.
pub(super) fn read_stdin() -> Result<SecretString, CliError> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let text =
        String::from_utf8(bytes).map_err(|_| CliError::new(Exit::Usage, "the password on stdin is not valid UTF-8"))?;
    Ok(SecretString::from(without_line_end(&text)))
}

/// Asks for a password on the terminal. `flags` are the options that the error suggests if there is no terminal.
///
/// # Errors
/// There is no terminal, or it cannot be read.
pub(super) fn ask(question: &str, flags: &str) -> Result<SecretString, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new(Exit::Usage, "cannot prompt for the password: stdin is not a terminal")
            .hint(format!("pass {flags}")));
    }
    rpassword::prompt_password(question).map(SecretString::from).map_err(|error| unreadable(&error))
}

/// Asks for a new password, twice.
///
/// # Errors
/// As for [`ask`], or the two differ.
pub(super) fn ask_twice(question: &str, flags: &str) -> Result<SecretString, CliError> {
    let first = ask(question, flags)?;
    if first.expose_secret() == ask("Again: ", flags)?.expose_secret() {
        Ok(first)
    } else {
        Err(CliError::new(Exit::Usage, "the two passwords differ; nothing was changed"))
    }
}

fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

fn unreadable(error: &std::io::Error) -> CliError {
    CliError::new(Exit::Usage, format!("cannot read the password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_end_is_removed() {
        for (text, password) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret\n"),
            (" secret \r", " secret \r"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(without_line_end(text), password, "{text:?}");
        }
    }
}
