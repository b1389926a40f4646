//! Whose session a line is of: only the line of the log-in names the user and the address. Pure.

use std::collections::{HashMap, VecDeque};

use crate::line::{Activity, Event};

/// Sessions that are remembered, the newest.
const MOST: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Person {
    user: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: HashMap<String, Person>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Sessions {
    /// Adds those of another region.
    pub(crate) fn join(&mut self, other: Self) {
        self.by_id.extend(other.by_id);
        self.order.extend(other.order);
        self.forget();
    }

    fn forget(&mut self) {
        while self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    /// Takes note of a log-in, and adds to any other line of a session who it is.
    pub(crate) fn identify(&mut self, event: &mut Event) {
        let Some(id) = &event.session else { return };
        if event.activity == Activity::LoggedIn {
            let person = Person { user: event.user.clone(), source: event.source.clone() };
            if self.by_id.insert(id.clone(), person).is_none() {
                self.order.push_back(id.clone());
            }
            self.forget();
            return;
        }
        let Some(person) = self.by_id.get(id) else { return };
        event.user = event.user.take().or_else(|| person.user.clone());
        event.source = event.source.take().or_else(|| person.source.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Log, event};

    fn line(activity: &str, session: usize, user: &str) -> Event {
        let user = if user.is_empty() { String::new() } else { format!(r#","user":"{user}","source-ip":"192.0.2.1""#) };
        let line = format!(r#"{{"activity-type":"{activity}","session-id":"{session}"{user}}}"#);
        event(Log::Server, "us-west-2", 0, &line).unwrap()
    }

    #[test]
    fn memory_stays_bounded_and_the_newest_sessions_are_known() {
        let mut sessions = Sessions::default();
        for session in 0..=MOST {
            sessions.identify(&mut line("CONNECTED", session, &format!("u{session}")));
        }
        assert_eq!((sessions.by_id.len(), sessions.order.len()), (MOST, MOST));
        let mut of = |session| {
            let mut event = line("DELETE", session, "");
            sessions.identify(&mut event);
            event.user
        };
        assert_eq!((of(0), of(1), of(MOST)), (None, Some("u1".to_owned()), Some(format!("u{MOST}"))));
    }
}
