//! What happened, over all regions, merged by time. Memory holds a page of each log group and the newest sessions.

use std::collections::{HashSet, VecDeque};

use futures_util::future::join_all;
use sftp_authorizer::Usernames;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;

use crate::feed::{Feed, Unread};
use crate::line::{Event, Log};
use crate::pattern;
use crate::sessions::Sessions;

/// How long before the period a session may have begun, in milliseconds: its log-in says whose it is.
const BEFORE: i64 = 24 * 3_600_000;
/// How late a line may come, in milliseconds: so much is read again each time.
const LATE: i64 = 120_000;
/// Lines whose IDs are remembered while lines are followed.
const REMEMBERED: usize = 200_000;

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub regions: Vec<String>,
    pub user: Option<String>,
    /// The client's address.
    pub source: Option<String>,
    /// A path, or what it contains.
    pub path: Option<String>,
    pub session: Option<String>,
    pub failed: bool,
    /// Also lines that only begin or prepare what another says.
    pub details: bool,
    /// Milliseconds since 1970, both included.
    pub period: (i64, i64),
}

impl Question {
    fn wants(&self, event: &Event, usernames: Usernames) -> bool {
        let same = |wanted: &Option<String>, have: &Option<String>| match wanted {
            None => true,
            Some(wanted) => have.as_ref().is_some_and(|have| have == wanted),
        };
        let user = self.user.as_deref().map(|name| usernames.stored(name));
        let is_user =
            user.is_none_or(|wanted| event.user.as_deref().is_some_and(|have| usernames.stored(have) == wanted));
        let has_path = self
            .path
            .as_deref()
            .is_none_or(|wanted| [&event.path, &event.to].into_iter().flatten().any(|path| path.contains(wanted)));
        event.time >= self.period.0
            && is_user
            && has_path
            && same(&self.source, &event.source)
            && same(&self.session, &event.session)
            && (!self.failed || event.activity.is_failure())
            && (self.details || !event.activity.is_detail())
    }

    fn pattern(&self) -> String {
        match &self.session {
            Some(id) => pattern::session(id),
            None if self.failed => pattern::FAILURES.to_owned(),
            None => String::new(),
        }
    }
}

/// The IDs of lines that were read, the newest.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether it is new.
    fn add(&mut self, id: String) -> bool {
        if id.is_empty() || !self.ids.insert(id.clone()) {
            return id.is_empty();
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// Events that are being read.
pub struct Reading {
    question: Question,
    usernames: Usernames,
    feeds: Vec<Feed>,
    sessions: Sessions,
    seen: Seen,
    /// What could not be read so far.
    pub unread: Vec<Unread>,
}

impl Reading {
    /// Begins with the log-ins before the period. The first lines of all groups are read at once.
    pub async fn open(aws: &Aws, environment: &Environment, usernames: Usernames, question: Question) -> Self {
        let pattern = question.pattern();
        let feeds = question.regions.iter().flat_map(|region| {
            let feed = |log, pattern: &str| Feed::new(aws, environment, (region, log), pattern, question.period);
            // The authorizer knows no sessions and no paths.
            let needs_authorizer = question.session.is_none() && question.path.is_none();
            let authorizer = needs_authorizer.then(|| feed(Log::Authorizer, ""));
            std::iter::once(feed(Log::Server, &pattern)).chain(authorizer)
        });
        let feeds: Vec<Feed> = feeds.collect();
        let before = (question.period.0 - BEFORE, question.period.0 - 1);
        let pattern = if question.session.is_some() { pattern.as_str() } else { pattern::LOG_INS };
        let log_ins = question.regions.iter().map(|region| async move {
            let mut found = Sessions::default();
            let mut feed = Feed::new(aws, environment, (region, Log::Server), pattern, before);
            // What cannot be read is told when the period is read.
            let _ = feed.each(|mut event| found.identify(&mut event)).await;
            found
        });
        let mut sessions = Sessions::default();
        join_all(log_ins).await.into_iter().for_each(|found| sessions.join(found));
        let mut reading = Self { question, usernames, feeds, sessions, seen: Seen::default(), unread: Vec::new() };
        reading.fill().await;
        reading
    }

    async fn fill(&mut self) {
        let filled = join_all(self.feeds.iter_mut().filter(|feed| feed.needs_more()).map(Feed::fill)).await;
        self.unread.extend(filled.into_iter().filter_map(Result::err));
    }

    /// The next event that is wanted, by time; `None` at the end of the period.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            self.fill().await;
            let first = self.feeds.iter().enumerate().filter_map(|(at, feed)| Some((feed.next_time()?, at))).min();
            let (_, at) = first?;
            let (id, event) = self.feeds[at].take()?;
            if !self.seen.add(id) {
                continue;
            }
            let Some(mut event) = event else { continue };
            self.sessions.identify(&mut event);
            if self.question.wants(&event, self.usernames) {
                return Some(event);
            }
        }
    }

    /// Goes on until another time, with lines that have come late.
    pub fn go_on(&mut self, until: i64) {
        let from = (self.question.period.1 - LATE).max(self.question.period.0);
        self.question.period.1 = until;
        self.feeds.iter_mut().for_each(|feed| feed.restart((from, until)));
        self.unread.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.add("a".to_owned()) && seen.add("b".to_owned()) && !seen.add("a".to_owned()));
        // Without an ID nobody can say.
        assert!(seen.add(String::new()) && seen.add(String::new()));
        for id in 0..REMEMBERED {
            assert!(seen.add(id.to_string()));
        }
        assert!(seen.add("a".to_owned()) && seen.ids.len() == REMEMBERED);
    }
}
