//! A table, a view or a query of MySQL or MariaDB.
//!
//! All is read in one snapshot, of which the rows are counted: fewer or more of them are an error, as is a connection that
//! is lost. Pages by a key are each read as a whole, so that the server never waits for the import, however slow the
//! table that it writes to is; servers end such a connection after a minute (`net_write_timeout`). Without a key the rows
//! come in one go, and the server may wait for an hour, to which the session sets that limit.
//!
//! The session only reads: its transactions are read only, and the client sends the server no file, whatever it asks for.

mod collation;
mod column;
mod connection;
mod describe;
mod errors;
mod key;
mod names;
mod options;
mod reader;
mod text;
mod url;

use async_trait::async_trait;
use secrecy::SecretString;
use sftpctl_accounts::import::row::RowsError;

use self::connection::Connection;
pub use self::options::{Latin1, Options, Tls};
use self::reader::Reader;
use self::url::{Place, Target};
use crate::mapping::Mapping;
use crate::source::{Record, Source};

/// The rows of a database.
pub struct Mysql {
    columns: Vec<String>,
    unread: Vec<String>,
    reader: Reader,
    remarks: Vec<String>,
}

/// Checks the URL of a database, before its password is asked for.
///
/// # Errors
/// It is not such a URL, or has a password in it.
pub fn check_url(url: &str) -> Result<(), RowsError> {
    Target::parse(url).map(drop)
}

/// Where a database is, as host and port or socket, and its name; and whether it is on this machine.
///
/// # Errors
/// As of [`check_url`].
pub(crate) fn place(url: &str) -> Result<(String, bool), RowsError> {
    let Target { place, database, .. } = Target::parse(url)?;
    let is_local = place.is_local();
    let host = match place {
        Place::Socket(path) => path,
        Place::Host { name, port } => format!("{}:{port}", name.to_ascii_lowercase()),
    };
    Ok((format!("{host}/{database}"), is_local))
}

impl Mysql {
    /// Connects, describes what is to be read, and begins the snapshot.
    ///
    /// `url`: `mysql://USER@HOST:PORT/DATABASE`, or `mysql://USER@/DATABASE?socket=/PATH`, never with the password.
    ///
    /// # Errors
    /// The URL or an option is wrong, the server cannot be reached or refuses the account, or it has no such table or
    /// column.
    pub async fn connect(url: &str, password: Option<&SecretString>, options: &Options) -> Result<Self, RowsError> {
        let target = Target::parse(url)?;
        let mut connection = Connection::open(&target, password, options).await?;
        let mut described = describe::describe(&mut connection, options).await?;
        let mut remarks = std::mem::take(&mut connection.remarks);
        remarks.append(&mut described.remarks);
        let columns = described.columns.iter().map(|column| column.name.clone()).collect();
        let unread = std::mem::take(&mut described.unread);
        let reader = Reader::begin(connection, described, options.page_size).await?;
        Ok(Self { columns, unread, reader, remarks })
    }
}

#[async_trait]
impl Source for Mysql {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn unread(&self) -> &[String] {
        &self.unread
    }

    fn default_mapping(&self) -> Option<Mapping> {
        names::mapping(&self.columns)
    }

    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        self.reader.next().await
    }

    fn expected(&self) -> Option<u64> {
        Some(self.reader.expected)
    }

    fn remarks(&self) -> Vec<String> {
        let columns = self.reader.columns().iter().flat_map(column::Column::remarks);
        self.remarks.iter().cloned().chain(columns).collect()
    }
}
