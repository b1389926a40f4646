//! The last line of a kind. FilterLogEvents reads forwards only, so that the last day is read first, then the week before
//! it, then the rest.

use futures_util::future::join_all;
use sftp_authorizer::Usernames;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;

use crate::feed::{Feed, Unread};
use crate::line::{Activity, Event, Log};
use crate::pattern;

const DAY: i64 = 24 * 3_600_000;
/// How long before a line its session may have begun.
const BEFORE: i64 = 7 * DAY;

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub struct Latest {
    pub event: Option<Event>,
    pub unread: Vec<Unread>,
}

/// Where and how far back to search.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    pub aws: &'a Aws,
    pub environment: &'a Environment,
    pub regions: &'a [String],
    /// Milliseconds since 1970, both included.
    pub period: (i64, i64),
}

impl Search<'_> {
    /// The last to write, delete or rename the file `/bucket/key`, or to give a file this name.
    pub async fn change(&self, path: &str) -> Latest {
        let pattern = pattern::path(path);
        let concerns = |event: &Event| {
            let is_it = |other: &Option<String>| other.as_deref() == Some(path);
            event.activity.is_change() && (is_it(&event.path) || is_it(&event.to))
        };
        let mut found = self.latest(&pattern, concerns).await;
        if let Some(event) = &mut found.event {
            found.unread.extend(self.identify(event).await);
        }
        found
    }

    /// The last log-in of a user.
    pub async fn log_in(&self, user: &str, usernames: Usernames) -> Latest {
        let pattern = match usernames {
            Usernames::Exact => pattern::log_ins_of(user),
            // The log has the name as it was typed.
            Usernames::CaseInsensitive => pattern::LOG_INS.to_owned(),
        };
        let wanted = usernames.stored(user);
        self.latest(&pattern, |event| {
            let is_user = event.user.as_deref().is_some_and(|have| usernames.stored(have) == wanted);
            event.activity == Activity::LoggedIn && is_user
        })
        .await
    }

    /// The last whole upload below a folder, `/bucket/folder/`.
    pub async fn upload(&self, folder: &str) -> Latest {
        let pattern = pattern::closed_below(folder);
        let is_below = |event: &Event| event.path.as_deref().is_some_and(|path| path.starts_with(folder));
        let is_it = |event: &Event| event.activity == Activity::Uploaded && is_below(event);
        let mut found = self.latest(&pattern, is_it).await;
        if let Some(event) = &mut found.event {
            found.unread.extend(self.identify(event).await);
        }
        found
    }

    /// The last event of the servers' logs for which `is_it` holds.
    async fn latest(&self, pattern: &str, is_it: impl Fn(&Event) -> bool + Copy) -> Latest {
        let mut latest = Latest::default();
        for period in periods(self.period) {
            let regions = self.regions.iter().map(|region| async move {
                let mut feed = Feed::new(self.aws, self.environment, (region, Log::Server), pattern, period);
                let mut last: Option<Event> = None;
                let read = feed.each(|event| {
                    if is_it(&event) && last.as_ref().is_none_or(|last| last.time <= event.time) {
                        last = Some(event);
                    }
                });
                let unread = read.await.err();
                (last, unread)
            });
            for (last, unread) in join_all(regions).await {
                latest.event = [latest.event.take(), last].into_iter().flatten().max_by_key(|event| event.time);
                let is_known = |of: &Unread| latest.unread.iter().any(|known| known.group == of.group);
                if let Some(unread) = unread.filter(|of| !is_known(of)) {
                    latest.unread.push(unread);
                }
            }
            if latest.event.is_some() {
                break;
            }
        }
        latest
    }

    /// Adds to an event who it was.
    async fn identify(&self, event: &mut Event) -> Option<Unread> {
        let id = event.session.clone()?;
        let period = (event.time - BEFORE, event.time);
        let pattern = pattern::session(&id);
        let mut feed = Feed::new(self.aws, self.environment, (&event.region, Log::Server), &pattern, period);
        let mut log_in = None;
        let read = feed.each(|other| {
            if other.activity == Activity::LoggedIn && other.session.as_deref() == Some(&id) {
                log_in = Some(other);
            }
        });
        let unread = read.await.err();
        if let Some(log_in) = log_in {
            (event.user, event.source, event.client) = (log_in.user, log_in.source, log_in.client);
        }
        unread
    }
}

/// Parts of a period, the newest first.
fn periods((from, until): (i64, i64)) -> Vec<(i64, i64)> {
    let (day, week) = ((until - DAY).max(from), (until - 8 * DAY).max(from));
    [(day, until), (week, day - 1), (from, week - 1)].into_iter().filter(|(from, until)| from <= until).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_in_one_part() {
        for length in [0, 1, DAY, DAY + 1, 8 * DAY, 8 * DAY + 1, 30 * DAY] {
            let (from, until) = (1_000, 1_000 + length);
            let parts = periods((from, until));
            assert_eq!((parts[0].1, parts.last().unwrap().0), (until, from), "{length}");
            assert!(parts.windows(2).all(|pair| pair[0].0 == pair[1].1 + 1), "{length}: {parts:?}");
        }
    }
}
