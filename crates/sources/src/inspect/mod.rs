//! A look at a source before its import: what its columns hold, and a first mapping file. Passwords and their hashes
//! are shown nowhere.

mod column;
mod draft;
mod guess;

use std::hash::RandomState;

use serde::Serialize;
use sftpctl_accounts::import::row::RowsError;

pub use column::Column;
use column::Counter;
pub(crate) use guess::named as attribute_named;

use crate::options::{Kind, Options};
use crate::source::Source;

/// What was found in a source.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Records that were read.
    pub records: u64,
    /// Whether these were all.
    pub is_complete: bool,
    pub columns: Vec<Column>,
    /// A first mapping file, which [`mapping_file::load`](crate::mapping_file::load) reads.
    pub mapping: String,
    /// What the source itself has to say.
    pub remarks: Vec<String>,
}

/// Reads up to about `limit` records of a source. The kind, and the options with which it was opened, are for the
/// mapping file.
///
/// # Errors
/// The source could not be read.
pub async fn inspect(
    source: &mut dyn Source,
    limit: u64,
    kind: Kind,
    options: &Options,
) -> Result<Inspection, RowsError> {
    let hasher = RandomState::new();
    let mut counters: Vec<Counter> = source.columns().iter().map(|name| Counter::new(name)).collect();
    let (mut records, mut is_complete) = (0, false);
    while records < limit {
        let batch = source.next().await?;
        is_complete = batch.is_empty();
        if is_complete {
            break;
        }
        for record in batch {
            records += 1;
            for (counter, value) in counters.iter_mut().zip(&record.values) {
                counter.add(value, &hasher);
            }
        }
    }
    let found: Vec<(Column, Vec<(String, u64)>)> = counters.into_iter().map(|counter| counter.finish(kind)).collect();
    let header = if source.has_no_header() { Some(false) } else { options.header };
    let mapping = draft::mapping(&found, kind, &Options { header, ..options.clone() });
    let columns = found.into_iter().map(|(column, _)| column).collect();
    Ok(Inspection { records, is_complete, columns, mapping, remarks: source.remarks() })
}

#[cfg(test)]
mod tests;
