//! A new password for an account: generated, or from stdin or the terminal.

use secrecy::{ExposeSecret as _, SecretString};

use crate::commands::password_prompt;
use crate::error::CliError;
use sftpctl_accounts::password::{GENERATED_LENGTH, random_text};

#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// Read the password from stdin; one line end after it is cut off
    #[arg(long, conflicts_with = "generate_password")]
    password_stdin: bool,
    /// Generate a password and print it once
    #[arg(long)]
    generate_password: bool,
}

/// A password; a generated one must be shown.
pub(super) struct NewPassword {
    secret: SecretString,
    is_generated: bool,
}

impl PasswordArgs {
    /// Whether an option for the password was given; otherwise the terminal is the only source.
    pub(super) fn are_given(&self) -> bool {
        self.password_stdin || self.generate_password
    }

    /// Generates or reads the password.
    pub(super) fn read(&self, username: &str) -> Result<NewPassword, CliError> {
        let secret = if self.generate_password {
            SecretString::from(random_text(GENERATED_LENGTH))
        } else if self.password_stdin {
            password_prompt::read_stdin()?
        } else {
            password_prompt::ask_twice(
                &format!("Password for {username}: "),
                "--password-stdin or --generate-password",
            )?
        };
        Ok(NewPassword { secret, is_generated: self.generate_password })
    }
}

impl NewPassword {
    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The password, if it was generated.
    pub(super) fn generated(&self) -> Option<&str> {
        self.is_generated.then(|| self.expose())
    }
}
