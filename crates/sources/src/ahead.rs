//! Rows that are read on a thread of their own, a batch ahead: a pipe whose other end says nothing holds up that thread
//! alone, so that a request to stop is heeded.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sftpctl_accounts::import::row::{Field, Row, Rows, RowsError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// The rows of a source, from its thread.
pub struct Ahead {
    batches: mpsc::Receiver<Result<Vec<Row>, RowsError>>,
    attributes: Vec<Field>,
    expected: Option<u64>,
    /// There from the end of the source on.
    remarks: Arc<OnceLock<Vec<String>>>,
}

impl Ahead {
    /// Begins to read, in a runtime that has threads for what blocks.
    pub fn of(mut rows: Box<dyn Rows>) -> Self {
        let (attributes, expected) = (rows.attributes(), rows.expected());
        let (sender, batches) = mpsc::channel(1);
        let remarks = Arc::new(OnceLock::new());
        let (told, runtime) = (Arc::clone(&remarks), Handle::current());
        tokio::task::spawn_blocking(move || {
            loop {
                let batch = runtime.block_on(rows.next());
                let is_last = batch.as_ref().map_or(true, Vec::is_empty);
                if is_last {
                    // There is only one end.
                    let _ = told.set(rows.remarks());
                }
                if sender.blocking_send(batch).is_err() || is_last {
                    return;
                }
            }
        });
        Self { batches, attributes, expected, remarks }
    }
}

#[async_trait]
impl Rows for Ahead {
    async fn next(&mut self) -> Result<Vec<Row>, RowsError> {
        match self.batches.recv().await {
            Some(batch) => batch,
            None if self.remarks.get().is_some() => Ok(Vec::new()),
            None => Err(RowsError {
                message: "the source could not be read to its end".to_owned(),
                hint: None,
                is_usage: false,
            }),
        }
    }

    fn attributes(&self) -> Vec<Field> {
        self.attributes.clone()
    }

    fn expected(&self) -> Option<u64> {
        self.expected
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.get().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many batches; then the end, or a panic.
    struct Counted(u32, bool);

    #[async_trait]
    impl Rows for Counted {
        async fn next(&mut self) -> Result<Vec<Row>, RowsError> {
            assert!(self.0 > 0 || self.1, "broken");
            self.0 = self.0.saturating_sub(1);
            Ok(if self.0 == 0 && self.1 { Vec::new() } else { vec![Row::default()] })
        }

        fn attributes(&self) -> Vec<Field> {
            Field::ALL.to_vec()
        }

        fn remarks(&self) -> Vec<String> {
            vec![format!("{} left", self.0)]
        }
    }

    #[tokio::test]
    async fn the_end_is_that_of_the_source() {
        let mut rows = Ahead::of(Box::new(Counted(4, true)));
        let mut batches = 0;
        while !rows.next().await.unwrap().is_empty() {
            batches += 1;
        }
        assert_eq!((batches, rows.remarks()), (3, vec!["0 left".to_owned()]));
        assert!(rows.next().await.unwrap().is_empty());
        // A reader that has failed is no source that has ended: what it lacks would be deleted.
        let mut rows = Ahead::of(Box::new(Counted(1, false)));
        assert_eq!(rows.next().await.unwrap().len(), 1);
        assert!(rows.next().await.is_err());
    }
}
