//! The table, page by page, from several segments at once.

use sftp_authorizer::Item;
use sftpctl_aws::AwsError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::store::Accounts;

/// Segments of the table that are read at once.
const SEGMENTS: i32 = 2;

/// All items of the table, strongly consistent. At most a page of each segment waits in memory.
pub(crate) struct Pages {
    read: mpsc::Receiver<Result<Vec<Item>, AwsError>>,
    tasks: JoinSet<()>,
}

impl Pages {
    /// Begins to read.
    pub(crate) fn of(accounts: &Accounts) -> Self {
        let (pages, read) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        for segment in 0..SEGMENTS {
            let (home, table, pages) = (accounts.home().clone(), accounts.table().to_owned(), pages.clone());
            tasks.spawn(async move {
                let mut from = None;
                loop {
                    let page = home.page_of_segment(&table, (segment, SEGMENTS), from).await;
                    from = page.as_ref().ok().and_then(|(_, next)| next.clone());
                    // Nobody waits for it any more, or it was the last.
                    if pages.send(page.map(|(items, _)| items)).await.is_err() || from.is_none() {
                        return;
                    }
                }
            });
        }
        Self { read, tasks }
    }

    /// The next page of any segment; `None` when all are read. May be dropped while it waits.
    ///
    /// # Errors
    /// AWS's. Nothing may be concluded from the pages so far.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Item>>, AwsError> {
        if let Some(page) = self.read.recv().await {
            return page.map(Some);
        }
        // A panic of a task must not be taken for the end of its segment.
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(None)
    }
}
