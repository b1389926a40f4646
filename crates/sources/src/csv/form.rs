//! The form of a file of separated values: what the options say, and what its beginning shows. Pure.

use super::tokens::Form;
use crate::options::{Dialect, Options};

/// The separators that are recognised.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The form of a file that begins with `sample`.
///
/// # Errors
/// The separator is not clear: why, and what to do.
pub(super) fn of(sample: &[u8], options: &Options) -> Result<Form, (String, String)> {
    let quote = options.quote.or((options.dialect == Dialect::Rfc4180).then_some(b'"'));
    let separator = match (options.separator, options.dialect) {
        (Some(separator), _) => separator,
        (None, Dialect::Rfc4180) => recognised(sample)?,
        (None, Dialect::Outfile | Dialect::MysqlBatch) => b'\t',
    };
    Ok(Form {
        separator,
        quote,
        has_escapes: options.dialect != Dialect::Rfc4180,
        has_null_word: options.dialect == Dialect::MysqlBatch,
    })
}

/// Whether the first line of a file of this dialect names the columns.
pub(super) fn has_header(dialect: Dialect) -> bool {
    dialect != Dialect::Outfile
}

/// The separator that the first line has most of, outside of quotes.
fn recognised(sample: &[u8]) -> Result<u8, (String, String)> {
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut is_quoted = false;
    let start = sample.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or_default();
    for byte in sample.iter().skip(start) {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\r' | b'\n' if !is_quoted => break,
            byte if !is_quoted => {
                for (count, _) in counts.iter_mut().zip(SEPARATORS).filter(|(_, separator)| separator == byte) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.into_iter().max().unwrap_or_default();
    let mut best =
        SEPARATORS.into_iter().zip(counts).filter(|(_, count)| *count == most).map(|(separator, _)| separator);
    match (most, best.next(), best.next()) {
        (0, ..) | (_, None, _) => Ok(b','),
        (_, Some(separator), None) => Ok(separator),
        (_, Some(first), Some(second)) => Err((
            format!("the first line has as many {} as {}", named(first), named(second)),
            format!(
                "name the one between two fields in a mapping file: `version: 1` and `source: {{ separator: \"{}\" }}`",
                char::from(first)
            ),
        )),
    }
}

fn named(separator: u8) -> String {
    match separator {
        b'\t' => "tabs".to_owned(),
        separator => format!("`{}`", char::from(separator)),
    }
}
