//! What is read, and how the connection is protected.

use std::path::PathBuf;
use std::time::Duration;

use crate::mapping::Mapping;

/// What to read from the database.
#[derive(Clone, Debug)]
pub struct Options {
    /// The table or view. Either this or `query` is needed.
    pub table: Option<String>,
    /// A `SELECT`, instead of a table. With a key it is run once for each page, without one once, in one go.
    pub query: Option<String>,
    /// The column to page by. By default the table's primary key, or another unique index, of one column: an integer
    /// or binary one first, then a text.
    pub key: Option<String>,
    /// A condition in SQL, for a table: `active = 1`.
    pub filter: Option<String>,
    /// The columns that it names are read from a table; without it, or from a query, all are. It also says which columns
    /// hold the user names and the passwords, for the remarks on them; without it their names do.
    pub mapping: Option<Mapping>,
    /// Rows of a page, which is read as a whole.
    pub page_size: u32,
    pub tls: Tls,
    /// A file of PEM certificates of the authorities that are trusted, and no others. Without one, the public
    /// authorities are.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate must have, if it is not the URL's host: with [`Tls::VerifyFull`].
    pub server_name: Option<String>,
    /// How long the server may be silent.
    pub timeout: Duration,
    pub latin1: Latin1,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            table: None,
            query: None,
            key: None,
            filter: None,
            mapping: None,
            page_size: 20_000,
            tls: Tls::default(),
            ca_file: None,
            server_name: None,
            timeout: Duration::from_secs(300),
            latin1: Latin1::default(),
        }
    }
}

/// How the server is authenticated. It has no meaning for a Unix socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// The certificate is of a trusted authority and has the host's name.
    VerifyFull,
    /// The certificate is of an authority in the CA file, whatever its name: the certificates that MySQL creates have
    /// none. Without a CA file this is [`Tls::VerifyFull`], since a public authority gives everybody a certificate.
    #[default]
    VerifyCa,
    /// Encrypted, but anybody in between can read along.
    AcceptAny,
    /// Not encrypted.
    Off,
}

/// How columns of the character set latin1 are read, which often hold UTF-8 that was stored without conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latin1 {
    /// Each value that is valid UTF-8 is UTF-8, with a remark; all others are what MySQL calls latin1, Windows-1252.
    #[default]
    Detect,
    /// All are Windows-1252.
    AsDeclared,
}
