//! Who wrote or deleted the versions that S3 keeps: a version has no user, but the servers' logs have lines of its file and
//! its time. What was done without the servers, or longer ago than the logs reach, has no author.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use futures_util::future::join_all;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;

use crate::feed::{Feed, Unread};
use crate::line::{Activity, Event, Log};
use crate::pattern;
use crate::sessions::Sessions;

/// How long before a version its session may have begun, and after it its upload may have ended, in milliseconds: an upload
/// in parts has the time at which it began.
const AROUND: i64 = 24 * 3_600_000;
/// How far a version's time and that of the line may be apart, in milliseconds: they are of two clocks, and S3's are seconds.
const APART: i64 = 5_000;

/// Who was in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Author {
    /// `None`: the log-in is not in the logs.
    pub user: Option<String>,
    /// The client's address.
    pub source: Option<String>,
    pub session: Option<String>,
    pub region: String,
}

/// A change of a file: when it began, when it ended, and who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Did {
    began: i64,
    ended: i64,
    is_deletion: bool,
    author: usize,
}

/// The authors of the changes of some files. A change takes a few dozen bytes.
#[derive(Default)]
pub struct Authors {
    /// By the hash of the path `/bucket/key`.
    changes: HashMap<u64, Vec<Did>>,
    hasher: RandomState,
    authors: Vec<Author>,
    numbers: HashMap<Author, usize>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

impl Authors {
    /// Reads the lines of all regions about a file `/bucket/key`, or with a slash at its end a folder, from and until these
    /// times, in milliseconds since 1970, and a day around them.
    pub async fn read(aws: &Aws, environment: &Environment, path: &str, (from, until): (i64, i64)) -> Self {
        let pattern = pattern::changes(path);
        let period = (from.saturating_sub(AROUND), until.saturating_add(AROUND));
        let reads = environment.regions.keys().map(|region| {
            let pattern = &pattern;
            async move {
                let mut feed = Feed::new(aws, environment, (region, Log::Server), pattern, period);
                let mut lines = Lines::default();
                let read = feed.each(|event| lines.add(event)).await;
                (lines.changes, read.err())
            }
        });
        let mut authors = Self::default();
        for (changes, unread) in join_all(reads).await {
            authors.unread.extend(unread);
            changes.into_iter().for_each(|change| authors.add(change));
        }
        authors
    }

    fn add(&mut self, Change { path, began, ended, is_deletion, author }: Change) {
        let number = match self.numbers.get(&author) {
            Some(number) => *number,
            None => {
                self.authors.push(author.clone());
                self.numbers.insert(author, self.authors.len() - 1);
                self.authors.len() - 1
            }
        };
        let did = Did { began, ended, is_deletion, author: number };
        self.changes.entry(self.hasher.hash_one(&path)).or_default().push(did);
    }

    /// Who made a version of `/bucket/key` of this time, in seconds since 1970; `None` if the logs do not say, or name several
    /// who did it at the same time.
    pub fn of(&self, path: &str, modified: i64, is_deletion: bool) -> Option<&Author> {
        // The middle of S3's second.
        let time = modified.saturating_mul(1_000).saturating_add(500);
        let all = self.changes.get(&self.hasher.hash_one(path))?;
        let is_near = |did: &&Did| (did.began - APART..=did.ended + APART).contains(&time);
        let fitting = all.iter().filter(|did| did.is_deletion == is_deletion).filter(is_near);
        let distance = |did: &Did| did.began.abs_diff(time).min(did.ended.abs_diff(time));
        let mut by_distance: Vec<(u64, usize)> = fitting.map(|did| (distance(did), did.author)).collect();
        by_distance.sort_unstable();
        let (nearest, author) = *by_distance.first()?;
        // Within the same second nobody can say.
        let is_other = |(distance, other): &(u64, usize)| *other != author && distance.abs_diff(nearest) < 1_000;
        if by_distance.iter().any(is_other) { None } else { self.authors.get(author) }
    }
}

/// A change of a file, by the lines of a log.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    path: String,
    began: i64,
    ended: i64,
    is_deletion: bool,
    author: Author,
}

/// The lines of a region, in their order.
#[derive(Default)]
struct Lines {
    sessions: Sessions,
    /// When a session opened a file to write: the session, and the path.
    opened: HashMap<(String, String), i64>,
    changes: Vec<Change>,
}

impl Lines {
    fn add(&mut self, mut event: Event) {
        self.sessions.identify(&mut event);
        let Event { time, activity, region, user, source, session, path, to, .. } = event;
        let Some(path) = path else { return };
        let file = (session.clone().unwrap_or_default(), path.clone());
        let author = Author { user, source, session, region };
        let mut add = |path, began, is_deletion| {
            self.changes.push(Change { path, began, ended: time, is_deletion, author: author.clone() });
        };
        match activity {
            Activity::Opened => drop(self.opened.insert(file, time)),
            Activity::Uploaded | Activity::UploadBroken => {
                add(path, self.opened.remove(&file).unwrap_or(time), false);
            }
            Activity::Closed | Activity::Downloaded | Activity::DownloadBroken => drop(self.opened.remove(&file)),
            Activity::Deleted => add(path, time, true),
            Activity::Renamed => {
                if let Some(to) = to {
                    add(to, time, false);
                }
                add(path, time, true);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::event;

    fn authors(lines: &[(i64, &str)]) -> Authors {
        let mut all = Lines::default();
        for (time, line) in lines {
            all.add(event(Log::Server, "us-west-2", *time, line).unwrap());
        }
        let mut authors = Authors::default();
        all.changes.into_iter().for_each(|change| authors.add(change));
        authors
    }

    fn of(authors: &Authors, path: &str, modified: i64, is_deletion: bool) -> Option<String> {
        authors.of(path, modified, is_deletion).map(|author| author.user.clone().unwrap_or_else(|| "?".to_owned()))
    }

    #[test]
    fn versions_have_the_authors_of_their_lines() {
        let jan = r#"{"activity-type":"CONNECTED","session-id":"1","user":"jan","source-ip":"192.0.2.1"}"#;
        let els = r#"{"activity-type":"CONNECTED","session-id":"2","user":"els"}"#;
        let line = |what: &str, session: u8, more: &str| {
            format!(r#"{{"activity-type":"{what}","session-id":"{session}","path":"/b/a"{more}}}"#)
        };
        let [open, close, down] = [("OPEN", ""), ("CLOSE", r#","bytes-in":"5""#), ("CLOSE", r#","bytes-out":"5""#)]
            .map(|(what, more)| move |session| line(what, session, more));
        let (delete, rename) = (line("DELETE", 1, ""), line("RENAME", 2, r#","new-path":"/b/c""#));
        let lines = authors(&[
            (1_000, jan),
            (1_000, els),
            (10_000, &open(1)),
            (500_000, &close(1)),
            (600_000, &down(2)),
            (700_000, &delete),
            (800_000, &open(2)),
            (800_400, &close(2)),
            (900_000, &rename),
            (950_000, &line("DELETE", 9, "")),
            (960_000, &close(1)),
            (960_200, &close(2)),
        ]);
        for (path, modified, is_deletion, expected) in [
            // An upload in parts: at its beginning, at its end, and in between.
            ("/b/a", 10, false, Some("jan")),
            ("/b/a", 499, false, Some("jan")),
            ("/b/a", 200, false, Some("jan")),
            ("/b/a", 4, false, None),
            ("/b/a", 506, false, None),
            // Who downloads it has not written it.
            ("/b/a", 600, false, None),
            ("/b/a", 700, true, Some("jan")),
            ("/b/a", 700, false, None),
            ("/b/a", 803, false, Some("els")),
            // A rename is a copy and a deletion.
            ("/b/c", 900, false, Some("els")),
            ("/b/a", 901, true, Some("els")),
            // A session whose log-in is not there, and two at once.
            ("/b/a", 950, true, Some("?")),
            ("/b/a", 960, false, None),
            ("/b/other", 700, true, None),
        ] {
            assert_eq!(of(&lines, path, modified, is_deletion).as_deref(), expected, "{path} {modified} {is_deletion}");
        }
        let author = lines.of("/b/a", 700, true).unwrap();
        assert_eq!((author.source.as_deref(), author.session.as_deref()), (Some("192.0.2.1"), Some("1")));
    }
}
