//! The markers of new accounts' home folders: empty objects that show the folders before the first upload.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use sftp_authorizer::home::Home;
use sftpctl_aws::AwsError;
use tokio::task::JoinSet;

use super::super::compare::{HOME, text};
use super::super::wanted::Change;
use super::{Added, Batch, Of, Writer};
use crate::bulk::execute::Resent;
use crate::bulk::pace::Ended;

/// Attempts of a batch: with the pauses between them about ten seconds, if S3 takes nothing at all.
pub(super) const ATTEMPTS: u32 = 9;
/// Attempts at the end of a run: about two minutes.
pub(super) const LAST_ATTEMPTS: u32 = 16;
/// Pauses between attempts, in milliseconds.
const SHORTEST: u64 = 25;
const LONGEST: u64 = 15_000;

/// What became of the markers of some accounts.
#[derive(Default)]
pub(super) struct Marked {
    /// Accounts whose markers were put, or that are to have none.
    pub(super) kept: Vec<Added>,
    /// Accounts whose markers S3 does not take for now, and why.
    pub(super) later: Vec<(Added, AwsError)>,
    /// Accounts whose markers S3 refused, and why.
    pub(super) missed: Vec<(Added, AwsError)>,
    pub(super) resent: Resent,
}

impl Ended for Marked {
    fn sent_again(&self) -> u64 {
        self.resent.all()
    }
}

impl Writer {
    /// Puts the marker of each account's folder. The pause grows as long as S3 throttles most of them.
    pub(super) async fn with_markers(&self, added: Vec<Added>, attempts: u32) -> Marked {
        let (mut marked, mut open) = (Marked::default(), Vec::new());
        for added in added {
            match self.marker(&added) {
                Some(marker) => open.push((added, marker)),
                None => marked.kept.push(added),
            }
        }
        let mut pause = SHORTEST;
        for attempt in 1..=attempts {
            let sent = open.len();
            let mut again = Vec::new();
            for (added, marker, put) in self.put_all(open).await {
                match put {
                    Ok(()) => marked.kept.push(added),
                    Err(error) if !error.is_transient() => marked.missed.push((added, error)),
                    Err(error) if attempt == attempts => marked.later.push((added, error)),
                    Err(error) => {
                        let is_throttled = error.is_throttle();
                        *(if is_throttled { &mut marked.resent.throttled } else { &mut marked.resent.repeated }) += 1;
                        again.push((added, marker));
                    }
                }
            }
            open = again;
            if open.is_empty() {
                break;
            }
            pause = if open.len() * 2 > sent { (pause * 2).min(LONGEST) } else { SHORTEST };
            wait(pause).await;
        }
        marked
    }

    /// The changes whose accounts get no other folder, or one that has its marker. The next run tries the others.
    pub(super) async fn with_new_folders(&self, changes: Vec<Change>, result: &mut Batch) -> Vec<Change> {
        let (moved, mut kept): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(Change::is_moved);
        let marked = self.with_markers(moved.iter().map(Added::of_change).collect(), LAST_ATTEMPTS).await;
        result.folders_resent.add(marked.resent);
        let unmarked = marked.later.into_iter().chain(marked.missed);
        let mut unmarked: HashMap<u64, AwsError> = unmarked.map(|(added, error)| (added.row, error)).collect();
        for change in moved {
            match unmarked.remove(&change.number) {
                Some(error) => result.failed(&Of::change(&change), no_marker(error)),
                None => kept.push(change),
            }
        }
        kept
    }

    /// The marker of an account's folder, unless there is to be none.
    fn marker(&self, added: &Added) -> Option<Marker> {
        let home = text(&added.item, HOME).and_then(Home::parse).filter(|_| self.choices.markers)?;
        let region = self.regions.get(&home.bucket)?.clone();
        Some(Marker { region, key: format!("{}/", home.folder), bucket: home.bucket })
    }

    async fn put_all(&self, all: Vec<(Added, Marker)>) -> Vec<(Added, Marker, Result<(), AwsError>)> {
        let (mut puts, mut ended) = (JoinSet::new(), Vec::new());
        for (added, marker) in all {
            let (s3, account) = (self.aws.s3(&marker.region), self.account.clone());
            puts.spawn(async move {
                let put = s3.put_empty(&marker.bucket, &marker.key, &account).await;
                (added, marker, put)
            });
        }
        while let Some(put) = puts.join_next().await {
            ended.extend(put.ok());
        }
        ended
    }
}

/// Why an account is not written whose folder has no marker.
pub(super) fn no_marker(why: impl Display) -> String {
    format!("its home folder: {why}")
}

/// An empty object.
struct Marker {
    region: String,
    bucket: String,
    key: String,
}

async fn wait(most: u64) {
    #[expect(clippy::disallowed_methods, reason = "the pause between attempts of throttled objects")]
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most / 2..=most))).await;
}
