//! Reads in pages, or in one go, and proves that all was read.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use mysql_async::prelude::{Query as _, Queryable as _};
use mysql_async::{Conn, Row, Value as Raw};
use sftpctl_accounts::import::row::RowsError;

use super::column::Column;
use super::connection::{Connection, answered};
use super::describe::Described;
use super::errors::failed;
use super::key::Key;
use crate::source::{Record, Value};
use sftpctl_core::text::{counted, either};

/// What is still to be read.
enum Cursor {
    /// Page by page, each after the key's last value.
    Pages {
        conn: Conn,
        key: Key,
        after: Option<Vec<u8>>,
    },
    /// In one go, not begun yet.
    Whole(Conn),
    Stream(BoxStream<'static, mysql_async::Result<Row>>),
    Ended,
    /// An error ended it, or it was given up in the middle of a page: what was read so far is not all.
    Failed,
}

/// Reads all rows of one snapshot.
pub(super) struct Reader {
    cursor: Cursor,
    columns: Vec<Column>,
    list: String,
    from: String,
    filter: Option<String>,
    whole: String,
    page_size: u32,
    timeout: Duration,
    /// How many rows the snapshot has, and how many were read.
    pub(super) expected: u64,
    read: u64,
}

impl Reader {
    /// Begins the snapshot and counts its rows.
    pub(super) async fn begin(
        mut connection: Connection,
        described: Described,
        page_size: u32,
    ) -> Result<Self, RowsError> {
        let doing = "the snapshot could not be begun";
        connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", doing).await?;
        let Described { columns, key, list, from, filter, whole, .. } = described;
        let condition = filter.as_ref().map(|filter| format!(" WHERE ({filter}\n)")).unwrap_or_default();
        let count = format!("SELECT COUNT(*) FROM {from}{condition}");
        let Connection { mut conn, timeout, .. } = connection;
        let expected = answered(timeout, "the rows could not be counted", conn.query_first(count)).await?.unwrap_or(0);
        let cursor = match key {
            Some(key) => Cursor::Pages { conn, key, after: None },
            None => Cursor::Whole(conn),
        };
        Ok(Self { cursor, columns, list, from, filter, whole, page_size: page_size.max(1), timeout, expected, read: 0 })
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stopped(&self) -> String {
        let (read, expected) = (self.read, self.expected);
        format!("reading stopped after {read} of {}, from which nothing was concluded", counted(expected, "row"))
    }

    /// The next records; none at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        let (records, cursor) = match std::mem::replace(&mut self.cursor, Cursor::Failed) {
            Cursor::Ended => (Vec::new(), Cursor::Ended),
            Cursor::Failed => return Err(failed(self.stopped(), "rerun the same command")),
            Cursor::Pages { conn, key, after } => self.page(conn, key, after).await?,
            Cursor::Whole(conn) => {
                let doing = self.stopped();
                let stream = answered(self.timeout, &doing, self.whole.clone().stream::<Row, _>(conn)).await?;
                self.batch(stream.boxed()).await?
            }
            Cursor::Stream(stream) => self.batch(stream).await?,
        };
        if matches!(cursor, Cursor::Ended) && self.read != self.expected {
            return Err(failed(
                format!(
                    "{} {} read, and the same snapshot has {}; nothing was concluded from them",
                    counted(self.read, "row"),
                    either(self.read, "was", "were"),
                    self.expected
                ),
                "stop what changes the table if its engine has no snapshots; name a key that no two rows share and that is \
                 never NULL, or none; a query must give the same rows each time; then rerun",
            ));
        }
        self.cursor = cursor;
        Ok(records)
    }

    /// Reads a whole page, so that the server never waits for what is done with its rows.
    async fn page(
        &mut self,
        mut conn: Conn,
        key: Key,
        mut after: Option<Vec<u8>>,
    ) -> Result<(Vec<Record>, Cursor), RowsError> {
        let doing = self.stopped();
        let expression = key.expression();
        let mut conditions: Vec<String> = self.filter.iter().map(|filter| format!("({filter}\n)")).collect();
        if let Some(last) = &after {
            let literal =
                key.literal(last).ok_or_else(|| failed(format!("{doing}: the key is not an integer"), "rerun"))?;
            conditions.push(format!("{expression} > {literal}"));
        }
        let condition =
            if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let (list, from, size) = (&self.list, &self.from, self.page_size);
        let statement =
            format!("SELECT {list}, {expression} FROM {from}{condition} ORDER BY {expression} LIMIT {size}");
        let mut result = answered(self.timeout, &doing, conn.query_iter(statement)).await?;
        let mut records = Vec::new();
        while let Some(row) = answered(self.timeout, &doing, result.next()).await? {
            let mut values = row.unwrap();
            let last = values.pop().and_then(bytes).unwrap_or_default();
            records.push(self.record(key.place(&last), values));
            after = Some(last);
        }
        drop(result);
        self.read += records.len() as u64;
        let cursor = if records.len() < size as usize {
            // The transaction has written nothing, so it makes no difference how the connection ends.
            let _ = conn.disconnect().await;
            Cursor::Ended
        } else {
            Cursor::Pages { conn, key, after }
        };
        Ok((records, cursor))
    }

    /// Reads as many rows as a page has.
    async fn batch(
        &mut self,
        mut stream: BoxStream<'static, mysql_async::Result<Row>>,
    ) -> Result<(Vec<Record>, Cursor), RowsError> {
        let mut records = Vec::new();
        while records.len() < self.page_size as usize {
            let next = async { stream.next().await.transpose() };
            let Some(row) = answered(self.timeout, &self.stopped(), next).await? else {
                return Ok((records, Cursor::Ended));
            };
            self.read += 1;
            records.push(self.record(format!("row {}", self.read), row.unwrap()));
        }
        Ok((records, Cursor::Stream(stream)))
    }

    fn record(&mut self, place: String, values: Vec<Raw>) -> Record {
        let mut record = Record { place, ..Record::default() };
        let values = self.columns.iter_mut().zip(values).map(|(column, raw)| match bytes(raw) {
            Some(bytes) => column.value(bytes, &mut record),
            None => Value::Null,
        });
        let values = values.collect();
        record.values = values;
        record
    }
}

/// The bytes of a value as the text protocol sends them; none for NULL.
fn bytes(raw: Raw) -> Option<Vec<u8>> {
    match raw {
        Raw::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
