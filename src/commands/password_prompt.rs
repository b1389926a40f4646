//! Reads passwords from stdin or the terminal; arguments would be visible to other users of the machine.

use std::io::{IsTerminal as _, Read as _};

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::shown::Text;

/// Longer than any password; keeps a file that was redirected by mistake from being read whole.
const MAX_BYTES: u64 = 64 << 10;

/// Reads all of stdin, and removes one line end after it, and the byte order mark that Windows PowerShell writes before
/// it.
///
/// # Errors
/// Stdin cannot be read, or is not UTF-8.
pub(super) fn read_stdin() -> Result<SecretString, CliError> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    password(bytes).map(SecretString::from)
}

/// The password in what was read.
fn password(bytes: Vec<u8>) -> Result<String, CliError> {
    // Every second byte of ASCII text in UTF-16 is zero.
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0);
    let text = String::from_utf8(bytes).ok().filter(|_| !is_utf16).ok_or_else(|| {
        let error = CliError::new(Exit::Usage, "the password on stdin is not valid UTF-8");
        if is_utf16 {
            error.hint("it looks like UTF-16; in PowerShell, set `$OutputEncoding = [Text.UTF8Encoding]::new()`")
        } else {
            error.hint("convert it: `iconv -f WINDOWS-1252 -t UTF-8`")
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(without_line_end(text).to_owned())
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
    rpassword::prompt_password(Text::from(question).to_string())
        .map(SecretString::from)
        .map_err(|error| unreadable(&error))
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

pub(super) fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

fn unreadable(error: &std::io::Error) -> CliError {
    CliError::new(Exit::Usage, format!("cannot read the password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_is_removed_and_utf16_refused() {
        assert_eq!(password(b"\xef\xbb\xbfHarbour-7\r\n".to_vec()).ok().as_deref(), Some("Harbour-7"));
        assert_eq!(password("Häfen-7".into()).ok().as_deref(), Some("Häfen-7"));
        let wide: Vec<u8> = "Harbour-7\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".as_slice(), &wide].concat();
        for bytes in [wide, marked, b"caf\xe9".to_vec()] {
            assert!(password(bytes.clone()).is_err(), "{bytes:?}");
        }
    }

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
