//! What can be said about a source besides its mapping.

use super::encoding::Encoding;

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Csv,
    Json,
    Mysql,
    Shadow,
    Sftpgo,
    Proftpd,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Json, Self::Mysql, Self::Shadow, Self::Sftpgo, Self::Proftpd];

    /// The name, as in `--from csv:FILE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Mysql => "mysql",
            Self::Shadow => "shadow",
            Self::Sftpgo => "sftpgo",
            Self::Proftpd => "proftpd",
        }
    }

    /// The options that this kind has, by their names in a mapping file. Every source has `double_encoded`.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &["separator", "quote", "dialect", "header", "encoding", "double_encoded"],
            Self::Json => &["pointer", "columns", "double_encoded"],
            Self::Mysql => &["table", "query", "key", "encoding", "double_encoded"],
            Self::Shadow | Self::Sftpgo | Self::Proftpd => &["double_encoded"],
        }
    }
}

/// The options of all kinds of sources. The default leaves each to the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub encoding: Encoding,
    /// CSV: the character between two fields. Default: what the first line has.
    pub separator: Option<u8>,
    /// CSV: the character around a field that contains others. Default: `"` in RFC 4180, none in the others.
    pub quote: Option<u8>,
    /// CSV: how values are written.
    pub dialect: Dialect,
    /// CSV: whether the first line names the columns. Default: the dialect's, with a fault if it does not look like it.
    pub header: Option<bool>,
    /// CSV: whether a first line that is not known as names is taken for a record, as for a look at the source.
    pub inspects: bool,
    /// JSON: where the array is inside an object, as a JSON pointer (RFC 6901).
    pub pointer: Option<String>,
    /// JSON: names of columns that the first records may lack.
    pub columns: Vec<String>,
    /// CSV, JSON: the columns that the mapping names, so that names are known as such.
    pub mapped: Vec<String>,
    /// MySQL: the table.
    pub table: Option<String>,
    /// MySQL: a query in place of a table.
    pub query: Option<String>,
    /// MySQL: the column that the rows are ordered by, unique and not null.
    pub key: Option<String>,
}

/// How values are written in a file of separated values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Quotes around what contains separators, doubled inside (RFC 4180).
    #[default]
    Rfc4180,
    /// MySQL's `SELECT … INTO OUTFILE` and `mysqldump --tab`: tabs, backslashes, `\N` for no value, no header.
    Outfile,
    /// `mysql --batch`: tabs, backslashes, `NULL` for no value, a header.
    MysqlBatch,
}

impl Dialect {
    /// Every dialect, by its name in a mapping file.
    pub const NAMES: [(&str, Self); 3] =
        [("rfc4180", Self::Rfc4180), ("outfile", Self::Outfile), ("mysql-batch", Self::MysqlBatch)];

    /// The dialect of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, dialect)| dialect)
    }
}
