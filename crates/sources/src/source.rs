//! What every source does.

use async_trait::async_trait;
use sftpctl_accounts::import::row::{Refused, Remark, RowsError};

use super::mapping::Mapping;

/// Records of a batch.
pub(crate) const BATCH: usize = 5_000;

/// A system whose accounts can be read.
#[async_trait]
pub trait Source: Send {
    /// The names of the columns, in the source's order; the values of a [`Record`] are in the same order.
    fn columns(&self) -> &[String];

    /// The mapping that fits this kind of source, or these columns, if the user gives none. `None` if the columns do
    /// not show what they hold.
    fn default_mapping(&self) -> Option<Mapping>;

    /// The next records, at most some ten thousand; none at the end.
    ///
    /// # Errors
    /// The source could not be read to its end.
    async fn next(&mut self) -> Result<Vec<Record>, RowsError>;

    /// Columns that the source has and that are not read, since the mapping names none of them.
    fn unread(&self) -> &[String] {
        &[]
    }

    /// Whether its remarks are about accounts rather than values: they are told even if the column is not imported.
    fn remarks_on_accounts(&self) -> bool {
        false
    }

    /// Whether a first line without names was taken for a record, although nobody said that there is no header.
    fn has_no_header(&self) -> bool {
        false
    }

    /// About how many records there are, if that is known.
    fn expected(&self) -> Option<u64> {
        None
    }

    /// What the operator should know about the source as a whole, complete after the last record.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The column, or field, by which an export of `users export` is known, and its value.
pub const SCHEMA: &str = "schema";
pub const EXPORT: &str = "sftpctl/export/1";

/// A record as the source has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where it is in the source, as a person finds it: `line 5`, `nr = 17578`.
    pub place: String,
    /// One for each column.
    pub values: Vec<Value>,
    /// What was read in another form than it is stored, such as a value in another encoding.
    pub remarks: Vec<Remark>,
    /// Why the source says that this is not a customer who can be moved.
    pub refusal: Option<Refused>,
    /// Whether it is of an export of ours: its values are as they are, and no spreadsheet has marked or trimmed them.
    pub is_exact: bool,
}

/// Whether values of these columns are of an export of ours.
pub(crate) fn is_export(columns: &[String], values: &[Value]) -> bool {
    let is_named =
        |(column, value): (&String, &Value)| column == SCHEMA && matches!(value, Value::Text(text) if text == EXPORT);
    columns.iter().zip(values).any(is_named)
}

/// A value of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// The source has no value, which is not the empty text.
    #[default]
    Null,
    Text(String),
    /// Several texts, such as public keys.
    Texts(Vec<String>),
    /// None can be made of what the source has: why, and what to do. A row that needs the value is refused with it.
    Missing(String),
}
