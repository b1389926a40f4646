//! A connection that can only read.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, SslOpts};
use secrecy::{ExposeSecret as _, SecretString};
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;
use sftpctl_core::text::nearest;

use super::errors::{self, failed, usage};
use super::options::{Options, Tls};
use super::url::{Place, Target};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);

/// The largest answer, which is a row, in bytes: MySQL's default for its servers. A server that is not to be trusted
/// fills no more memory.
const LARGEST_PACKET: usize = 64 << 20;

/// What the session needs. Every text in the character set of its column, timestamps in UTC, CHAR without padding.
/// Transactions read only, also one that a query of several statements would begin.
const SETTINGS: [&str; 4] = [
    "SET SESSION character_set_results = NULL",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
];

/// Limits of time and number that would cut a long read short. Which of them there are depends on the server.
const LIMITS: [&str; 10] = [
    "net_write_timeout = 3600",
    "net_read_timeout = 3600",
    "wait_timeout = 28800",
    "lock_wait_timeout = 60",
    "innodb_lock_wait_timeout = 60",
    "sql_select_limit = 18446744073709551615",
    "max_statement_time = 0",
    "max_execution_time = 0",
    "idle_transaction_timeout = 0",
    "idle_readonly_transaction_timeout = 0",
];

/// Unknown system variable; variable that cannot be set for a session.
const NO_SUCH_VARIABLE: [u16; 2] = [1193, 1238];

/// With this name the client takes a certificate of any name, as [`Tls::VerifyCa`] wants it.
///
/// mysql_async 0.37 compares no names if it is told so (`with_danger_skip_domain_validation`) and the text of the error
/// contains `NotValidForName`. That was the text of rustls until its version 0.23.17; since then it has the name that was
/// expected instead. So the name that is expected is this. All else was verified before the name is (rustls,
/// `WebPkiServerVerifier`), and no text of another error has a name. With a library that words it otherwise, the
/// certificate is refused.
const ANY_NAME: &str = "NotValidForName.invalid";

/// A connection, with the limit of the server's silence.
pub(super) struct Connection {
    pub(super) conn: Conn,
    pub(super) timeout: Duration,
    /// What the operator should know about how it is protected.
    pub(super) remarks: Vec<String>,
}

/// Waits for the server, as long as it may be silent.
pub(super) async fn answered<T>(
    timeout: Duration,
    doing: &str,
    answer: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T, RowsError> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(result) => result.map_err(|error| errors::statement(&error, doing)),
        Err(_) => Err(failed(
            format!("{doing}: the server was silent for {} s", timeout.as_secs()),
            "rerun with a longer timeout, or when the server is less busy",
        )),
    }
}

impl Connection {
    /// Connects, and opens the database.
    pub(super) async fn open(
        target: &Target,
        password: Option<&SecretString>,
        options: &Options,
    ) -> Result<Self, RowsError> {
        let (conn, remarks) = connect(target, password, options).await?;
        let mut connection = Self { conn, timeout: options.timeout, remarks };
        connection.enter(&target.database).await?;
        for setting in SETTINGS {
            connection.run(setting, "the session could not be set up").await?;
        }
        for limit in LIMITS {
            match connection.conn.query_drop(format!("SET SESSION {limit}")).await {
                Err(Error::Server(error)) if NO_SUCH_VARIABLE.contains(&error.code) => {}
                result => result.map_err(|error| errors::statement(&error, "the session could not be set up"))?,
            }
        }
        Ok(connection)
    }

    async fn enter(&mut self, database: &str) -> Result<(), RowsError> {
        let doing = format!("the database `{}` could not be opened", visible(database));
        match self.conn.query_drop(format!("USE {}", quoted(database))).await {
            Err(Error::Server(error)) if error.code == 1049 => {
                let all: Vec<String> = self.conn.query("SHOW DATABASES").await.unwrap_or_default();
                Err(unknown("the server", "database", database, &all))
            }
            result => result.map_err(|error| errors::statement(&error, &doing)),
        }
    }

    /// Runs a statement without a result.
    pub(super) async fn run(&mut self, statement: &str, doing: &str) -> Result<(), RowsError> {
        answered(self.timeout, doing, self.conn.query_drop(statement)).await
    }

    /// The rows of a statement about the schema.
    pub(super) async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        statement: &str,
        parameters: impl Into<Params> + Send,
    ) -> Result<Vec<T>, RowsError> {
        answered(self.timeout, "the schema could not be read", self.conn.exec(statement, parameters.into())).await
    }
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `whose` has no such thing, and which it has.
pub(super) fn unknown(whose: &str, what: &str, name: &str, all: &[String]) -> RowsError {
    let shown = all.iter().map(|name| visible(name).into_owned()).collect::<Vec<_>>();
    let hint = match nearest(name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`? It has {}", visible(near), shown.join(", ")),
        None if all.is_empty() => format!("it shows none to this account: GRANT SELECT ON the {what} that is meant"),
        None => format!("it has {}", shown.join(", ")),
    };
    usage(format!("{whose} has no {what} `{}`", visible(name)), hint)
}

async fn connect(
    target: &Target,
    password: Option<&SecretString>,
    options: &Options,
) -> Result<(Conn, Vec<String>), RowsError> {
    let place = target.place.to_string();
    let mut builder = OptsBuilder::default()
        .user(Some(&target.user))
        .pass(password.map(|password| password.expose_secret()))
        // It would leave the connection that was protected for another one.
        .prefer_socket(false)
        .stmt_cache_size(0)
        .max_allowed_packet(Some(LARGEST_PACKET))
        .wait_timeout(Some(28_800))
        .tcp_keepalive(Some(Duration::from_secs(60)));
    let mut remarks = Vec::new();
    match &target.place {
        Place::Socket(path) => builder = builder.socket(Some(path)),
        Place::Host { name, port } => {
            builder = builder.ip_or_hostname(name).tcp_port(*port).ssl_opts(protection(options)?);
            match options.tls {
                Tls::Off if !target.place.is_local() => remarks.push(format!(
                    "the connection to {place} is not encrypted (--tls off): whoever is on the way reads the hashes, \
                     unless it is a tunnel"
                )),
                Tls::AcceptAny => remarks.push(format!(
                    "the certificate of the server at {place} was not verified (--tls accept-any): whoever is on the way \
                     can read the hashes and change the rows"
                )),
                _ => {}
            }
        }
    }
    let limit = CONNECT.min(options.timeout);
    let attempt = async |builder: OptsBuilder| {
        tokio::time::timeout(limit, Conn::new(Opts::from(builder))).await.map_err(|_| {
            failed(
                format!("the database at {place} could not be reached within {} s", limit.as_secs()),
                "check the host's name and port, and the firewalls and security groups in between",
            )
        })
    };
    let mut result = attempt(builder.clone()).await?;
    if options.tls == Tls::VerifyCa
        && options.ca_file.is_some()
        && result.as_ref().is_err_and(errors::is_of_another_name)
    {
        let any_name = protection(options)?
            .map(|tls| tls.with_danger_skip_domain_validation(true).with_danger_tls_hostname_override(Some(ANY_NAME)));
        result = attempt(builder.ssl_opts(any_name)).await?;
        remarks.push(format!(
            "the certificate of the server at {place} is of the authority in the CA file, but has another name \
             (`tls: verify-full` would refuse it)"
        ));
    }
    let conn = result.map_err(|error| errors::connecting(&place, &target.user, &error))?;
    Ok((conn, remarks))
}

/// What TLS is wanted.
fn protection(options: &Options) -> Result<Option<SslOpts>, RowsError> {
    let tls = SslOpts::default();
    let tls = match options.tls {
        Tls::Off => return Ok(None),
        Tls::AcceptAny => tls.with_danger_accept_invalid_certs(true),
        Tls::VerifyFull | Tls::VerifyCa => tls.with_danger_tls_hostname_override(options.server_name.clone()),
    };
    let Some(file) = &options.ca_file else { return Ok(Some(tls)) };
    let authorities = certificates(file)?;
    Ok(Some(tls.with_root_certs(vec![authorities.into()]).with_disable_built_in_roots(true)))
}

fn certificates(file: &Path) -> Result<Vec<u8>, RowsError> {
    let shown = visible(&file.display().to_string()).into_owned();
    let bytes = std::fs::read(file)
        .map_err(|error| usage(format!("the CA file {shown} could not be read: {error}"), "check its path"))?;
    if memmem(&bytes, b"-----BEGIN CERTIFICATE-----") {
        return Ok(bytes);
    }
    Err(usage(
        format!("the CA file {shown} has no certificate"),
        "give a file of PEM certificates (-----BEGIN CERTIFICATE-----) of the authority that signed the server's",
    ))
}

fn memmem(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
