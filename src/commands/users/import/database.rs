//! The options of a database as the source of an import.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use secrecy::SecretString;

use super::source::Secrets;
use crate::commands::{input_file, password_prompt};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::streams;
use sftpctl_core::shell_word::shell_word;
use sftpctl_sources::encoding::Encoding;
use sftpctl_sources::mapping::Mapping;
use sftpctl_sources::mysql::{self, Latin1};
use sftpctl_sources::options::Options;

/// The heading of these options in the help.
const HEADING: &str = "MySQL and MariaDB";

#[derive(Debug, clap::Args)]
pub(super) struct DatabaseArgs {
    /// The table or view
    #[arg(help_heading = HEADING, long, value_name = "TABLE", conflicts_with = "query")]
    table: Option<String>,
    /// A SELECT in place of a table
    #[arg(help_heading = HEADING, long, value_name = "SQL")]
    query: Option<String>,
    /// The column to page by, unique and not null [default: the primary key]
    #[arg(help_heading = HEADING, long, value_name = "COLUMN")]
    key: Option<String>,
    /// A condition on the table's rows, in SQL
    #[arg(help_heading = HEADING, long = "where", value_name = "SQL", conflicts_with = "query")]
    filter: Option<String>,
    /// File with the database password [default: asks for it]
    #[arg(help_heading = HEADING, long, value_name = "FILE", group = "database_password")]
    password_file: Option<PathBuf>,
    /// Environment variable with the database password
    #[arg(help_heading = HEADING, long, value_name = "NAME", group = "database_password")]
    password_env: Option<String>,
    /// Secret of Secrets Manager with the database password, in the home region; `policy users` allows names that begin
    /// with sftpctl/ENV/
    #[arg(help_heading = HEADING, long, value_name = "NAME", group = "database_password")]
    password_secret: Option<String>,
    /// The account needs no password
    #[arg(help_heading = HEADING, long, group = "database_password")]
    no_password: bool,
    /// How the server is authenticated: verify-full, verify-ca, accept-any, off [default: verify-ca]
    #[arg(help_heading = HEADING, long, value_name = "MODE", value_enum, hide_possible_values = true)]
    tls: Option<Tls>,
    /// PEM certificates of the authorities that are trusted, and no others
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The name in the server's certificate, if it is not the host
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    server_name: Option<String>,
}

/// Whether a file, other than a pipe, is open to every user of the machine.
fn is_open_to_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o004 != 0)
}

/// The names of the modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tls {
    /// A trusted authority, and the host's name
    VerifyFull,
    /// An authority of --ca-file, whatever the name; without one, as verify-full
    VerifyCa,
    /// Encrypted, but anybody in between can read along
    AcceptAny,
    /// Not encrypted
    Off,
}

impl DatabaseArgs {
    /// The options that were given, with their values.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        let Self { table, query, key, filter, password_file, password_env, password_secret, .. } = self;
        let Self { no_password, tls, ca_file, server_name, .. } = self;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let tls = tls.and_then(|tls| Some(tls.to_possible_value()?.get_name().to_owned()));
        let with_values = [
            ("--table", table.clone()),
            ("--query", query.clone()),
            ("--key", key.clone()),
            ("--where", filter.clone()),
            ("--password-file", path(password_file)),
            ("--password-env", password_env.clone()),
            ("--password-secret", password_secret.clone()),
            ("--tls", tls),
            ("--ca-file", path(ca_file)),
            ("--server-name", server_name.clone()),
        ];
        let with_values = with_values.into_iter().filter(|(_, value)| value.is_some());
        with_values.chain(no_password.then_some(("--no-password", None)))
    }

    /// The files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.password_file, &self.ca_file].into_iter().flatten().map(PathBuf::as_path)
    }

    /// The table that the command line names.
    pub(super) fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// Whether the password is a secret of AWS.
    pub(super) fn needs_aws(&self) -> bool {
        self.password_secret.is_some()
    }

    /// The password; `None` if the account has none.
    pub(super) async fn password(&self, secrets: Secrets<'_>) -> Result<Option<SecretString>, CliError> {
        if self.no_password {
            return Ok(None);
        }
        if let Some(path) = &self.password_file {
            if is_open_to_all(path) {
                streams::progress(format!(
                    "warning: every user of this machine may read the password in {}; close it: chmod 600 {}",
                    path.display(),
                    shell_word(&path.display().to_string())
                ));
            }
            let read = {
                let path = path.clone();
                // A pipe is waited for.
                tokio::task::spawn_blocking(move || input_file::read(&path, input_file::SMALL)).await
            };
            let text = read.map_err(std::io::Error::other).flatten().map_err(|error| {
                CliError::new(Exit::Usage, format!("cannot read the password in {}: {error}", path.display()))
            })?;
            return Ok(Some(SecretString::from(password_prompt::without_line_end(&text).to_owned())));
        }
        if let Some(name) = &self.password_env {
            let missing = || CliError::new(Exit::Usage, format!("the environment variable {name} is not set"));
            return std::env::var(name).map(|password| Some(SecretString::from(password))).map_err(|_| missing());
        }
        if let (Some(name), Some((aws, region))) = (&self.password_secret, secrets) {
            let found = aws.secret(region, name).await?;
            let missing = || CliError::new(Exit::Usage, format!("there is no secret {name} with text in {region}"));
            return found.map(Some).ok_or_else(missing);
        }
        const FLAGS: &str = "--password-file, --password-env, --password-secret or --no-password";
        password_prompt::ask("Password of the database account: ", FLAGS).map(Some)
    }

    /// The options of the source: those of the command line before those of the mapping file.
    pub(super) fn options(&self, file: &Options, mapping: Option<Mapping>) -> mysql::Options {
        let is_query = self.query.is_some() || (self.table.is_none() && file.query.is_some());
        mysql::Options {
            table: self.table.clone().or_else(|| file.table.clone()).filter(|_| !is_query),
            query: self.query.clone().or_else(|| file.query.clone()).filter(|_| is_query),
            key: self.key.clone().or_else(|| file.key.clone()),
            filter: self.filter.clone(),
            mapping,
            tls: match self.tls.unwrap_or(Tls::VerifyCa) {
                Tls::VerifyFull => mysql::Tls::VerifyFull,
                Tls::VerifyCa => mysql::Tls::VerifyCa,
                Tls::AcceptAny => mysql::Tls::AcceptAny,
                Tls::Off => mysql::Tls::Off,
            },
            ca_file: self.ca_file.clone(),
            server_name: self.server_name.clone(),
            latin1: if file.encoding == Encoding::Cp1252 { Latin1::AsDeclared } else { Latin1::Detect },
            ..mysql::Options::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};

    use super::*;

    #[test]
    fn file_that_everybody_may_read_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        write(&path, "x").unwrap();
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_all(&path), is_open, "{mode:o}");
        }
        // As the pipe of `<(…)`, and a terminal.
        assert!(!is_open_to_all(Path::new("/dev/null")) && !is_open_to_all(Path::new("/nowhere")));
    }
}
