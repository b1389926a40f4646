//! The record of a run's mutations: a line before each call, the intent, and a line after it, the outcome.
//!
//! A killed run leaves intents without an outcome. The next run reads them, finds the result of each in AWS, and
//! continues. Lines are JSON. The first line names the run. Each of the others has a sum of itself and of all lines
//! before it, so that a line that was edited, inserted or removed by hand is detected. Lines missing at the end are
//! not an error: a killed writer leaves such a journal. Pure: the store reads and writes it. How the format grows:
//! [`super::document`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::document::{self, compact};
use super::error::StateError;
use sftpctl_core::hex;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Action;

/// The newest version of a journal that this program reads.
const VERSION: u32 = 1;

/// The member of a line that is its sum.
pub const SUM: &str = "sum";

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version as it was read; a journal is written in the lowest that has all of its lines.
    pub version: u32,
    pub environment: String,
    pub account: String,
    /// The run that writes the journal.
    pub run: String,
}

impl Header {
    pub fn new(environment: &str, account: &str, run: &str) -> Self {
        let own = str::to_owned;
        Self { version: 1, environment: own(environment), account: own(account), run: own(run) }
    }

    fn format(&self) -> u32 {
        let Self { version: _, environment: _, account: _, run: _ } = self;
        1
    }
}

/// One line after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The operation's name, and its client token if the AWS call takes one.
    pub operation: String,
    pub node: NodeId,
    /// The time, RFC 3339.
    pub at: String,
    pub event: Event,
}

impl Entry {
    /// The lowest version of a journal that may have this line.
    fn format(&self) -> u32 {
        // Without `..` and `_`: a new member or event does not compile until it is given a version here.
        let Self { operation: _, node: _, at: _, event } = self;
        match event {
            Event::Intent { action, title: _ } => match action {
                Action::Create
                | Action::Import
                | Action::Update
                | Action::Recreate
                | Action::Recover
                | Action::Delete
                | Action::Keep => 1,
            },
            Event::Made { identity: _ } | Event::Done { identity: _ } | Event::Failed { error: _ } => 1,
        }
    }
}

/// A step in the life of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Event {
    /// The call is about to be made.
    Intent {
        action: Action,
        /// The resource's title, for people.
        title: String,
    },
    /// AWS answered with the identity of the new resource, which need not be visible yet.
    Made { identity: String },
    /// The operation took effect.
    Done {
        /// The identity of the resource; `None` if it is gone.
        identity: Option<String>,
    },
    /// The operation was refused or failed.
    Failed {
        /// The message, usually AWS's.
        error: String,
    },
}

/// The progress of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has an intent and no outcome yet.
    Intended,
    /// AWS has answered, and the resource is not known to be visible yet.
    Made,
    /// It has an outcome.
    Settled,
}

/// The standing after an event; fails if the event cannot follow the standing before it.
fn advance(standing: Option<&Standing>, event: &Event) -> Result<Standing, &'static str> {
    match (standing, event) {
        (None, Event::Intent { .. }) => Ok(Standing::Intended),
        (Some(Standing::Intended), Event::Made { .. }) => Ok(Standing::Made),
        (Some(Standing::Intended | Standing::Made), Event::Done { .. } | Event::Failed { .. }) => Ok(Standing::Settled),
        (None, Event::Made { .. } | Event::Done { .. } | Event::Failed { .. }) => Err("an outcome without its intent"),
        (Some(_), Event::Intent { .. }) => Err("an intent that was announced before"),
        (Some(Standing::Made), Event::Made { .. }) => Err("a second answer"),
        (Some(Standing::Settled), Event::Made { .. } | Event::Done { .. } | Event::Failed { .. }) => {
            Err("a second outcome")
        }
    }
}

/// The sum of a line, without its own member, that follows a line with the sum `previous`: the first 16 hexadecimal
/// digits of a SHA-256.
pub fn sum(previous: &str, line: &[u8]) -> String {
    let digest = Sha256::new().chain_update(previous).chain_update(line).finalize();
    hex::encode(&digest[..8])
}

/// Whether a line's sum matches its text, even if the line has unknown members.
fn is_whole(previous: &str, line: &str) -> bool {
    line.trim_end().rsplit_once(&format!(",\"{SUM}\":\"")).is_some_and(|(members, read)| {
        read.strip_suffix("\"}") == Some(&sum(previous, format!("{members}}}").as_bytes()))
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    header: Header,
    entries: Vec<Entry>,
    standings: BTreeMap<String, Standing>,
}

impl Journal {
    pub fn new(header: Header) -> Self {
        Self { header, entries: Vec::new(), standings: BTreeMap::new() }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The line cannot follow those before it.
    pub fn add(&mut self, entry: Entry) -> Result<(), &'static str> {
        let standing = advance(self.standings.get(&entry.operation), &entry.event)?;
        self.standings.insert(entry.operation.clone(), standing);
        self.entries.push(entry);
        Ok(())
    }

    /// Reads a journal. An incomplete last line is ignored: a killed writer leaves one.
    ///
    /// # Errors
    /// A newer sftpctl wrote it, or a line other than an incomplete last one is not as sftpctl wrote it.
    pub fn read(address: &str, content: &[u8]) -> Result<Self, StateError> {
        let damaged = |line: usize, reason: String| StateError::Damaged {
            address: address.to_owned(),
            reason: format!("line {}: {reason}", line + 1),
        };
        // The incomplete line may end inside a character.
        let last_line = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = match std::str::from_utf8(content) {
            Ok(text) => text,
            Err(error) if last_line > 0 && error.valid_up_to() >= last_line => {
                std::str::from_utf8(&content[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => return Err(damaged(0, error.to_string())),
        };
        let mut lines = text.split_inclusive('\n').enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let header: Header = document::parse(address, first.as_bytes(), VERSION)?;
        let version = u64::from(header.version);
        let mut before = sum("", &compact(&header));
        let mut journal = Self::new(header);
        for (number, line) in lines {
            let mut members: Map<String, Value> = match serde_json::from_str(line) {
                Ok(members) => members,
                Err(_) if !line.ends_with('\n') => break,
                Err(error) => return Err(damaged(number, error.to_string())),
            };
            let sum_read = members.remove(SUM);
            let members = Value::from(members);
            let entry = match Entry::deserialize(&members) {
                Ok(entry) if document::is_all(&entry, &members) => entry,
                _ if is_whole(&before, line) => return Err(document::newer(address, version, VERSION)),
                Ok(_) => return Err(damaged(number, "it has members that sftpctl does not write".to_owned())),
                Err(error) => return Err(damaged(number, error.to_string())),
            };
            before = sum(&before, &compact(&entry));
            if sum_read.as_ref().and_then(Value::as_str) != Some(&before) {
                let reason = "its sum does not match: it, or a line before it, was changed by hand";
                return Err(damaged(number, reason.to_owned()));
            }
            journal.add(entry).map_err(|reason| damaged(number, reason.to_owned()))?;
        }
        Ok(journal)
    }

    /// The journal's text, each line with its sum.
    pub fn write(&self) -> Vec<u8> {
        let version = self.entries.iter().map(Entry::format).max().unwrap_or(1).max(self.header.format());
        let mut text = compact(&Header { version, ..self.header.clone() });
        let mut before = sum("", &text);
        for entry in &self.entries {
            let mut line = compact(entry);
            before = sum(&before, &line);
            line.pop();
            line.extend(format!(",\"{SUM}\":\"{before}\"}}").bytes());
            text.push(b'\n');
            text.extend(line);
        }
        text.push(b'\n');
        text
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All lines but the first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Intents without an outcome, oldest first.
    pub fn unfinished(&self) -> Vec<&Entry> {
        self.open_lines().filter(|entry| matches!(entry.event, Event::Intent { .. })).collect()
    }

    /// All lines of the operations without an outcome: the next run's journal takes them over.
    pub fn open_lines(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.standings.get(&entry.operation) != Some(&Standing::Settled))
    }

    /// Identities from AWS's answers, newest last; `None` if the resource is gone.
    pub fn identities(&self) -> Vec<(&NodeId, Option<&str>)> {
        let identities = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Made { identity } => Some((&entry.node, Some(identity.as_str()))),
            Event::Done { identity } => Some((&entry.node, identity.as_deref())),
            Event::Intent { .. } | Event::Failed { .. } => None,
        });
        identities.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sftpctl_core::kind::Kind;

    fn intent() -> Event {
        Event::Intent { action: Action::Create, title: "Transfer server".into() }
    }

    fn done() -> Event {
        Event::Done { identity: Some("s-1".into()) }
    }

    fn made() -> Event {
        Event::Made { identity: "s-1".into() }
    }

    fn failed() -> Event {
        Event::Failed { error: "refused".into() }
    }

    fn entry(operation: &str, event: Event) -> Entry {
        let node = NodeId::new("us-west-2", Kind::Server);
        Entry { operation: operation.into(), node, at: "2026-11-24T09:00:00Z".into(), event }
    }

    fn journal(entries: &[Entry]) -> Journal {
        let mut journal = Journal::new(Header::new("99", "111111111111", "run-1"));
        for entry in entries {
            journal.add(entry.clone()).unwrap();
        }
        journal
    }

    #[test]
    fn an_operation_is_one_intent_and_one_outcome() {
        for (before, event, legal) in [
            (vec![], intent(), true),
            (vec![], done(), false),
            (vec![], failed(), false),
            (vec![intent()], intent(), false),
            (vec![intent()], done(), true),
            (vec![intent()], failed(), true),
            (vec![intent(), done()], done(), false),
            (vec![intent(), failed()], failed(), false),
            (vec![intent(), done()], intent(), false),
            (vec![], made(), false),
            (vec![intent()], made(), true),
            (vec![intent(), made()], made(), false),
            (vec![intent(), made()], intent(), false),
            (vec![intent(), made()], done(), true),
            (vec![intent(), made()], failed(), true),
            (vec![intent(), made(), done()], made(), false),
            (vec![intent(), failed()], made(), false),
        ] {
            let before: Vec<Entry> = before.into_iter().map(|event| entry("a", event)).collect();
            assert_eq!(journal(&before).add(entry("a", event.clone())).is_ok(), legal, "{before:?} {event:?}");
        }
    }

    #[test]
    fn incomplete_last_line_is_ignored() {
        let whole = journal(&[entry("a", intent()), entry("a", done()), entry("b", intent())]);
        let text = whole.write();
        assert_eq!(Journal::read("j", &text).unwrap(), whole);
        assert_eq!(whole.unfinished().iter().map(|e| e.operation.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(whole.identities(), [(&NodeId::new("us-west-2", Kind::Server), Some("s-1"))]);
        let last = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        for cut in last + 1..text.len() - 1 {
            let read = Journal::read("j", &text[..cut]).unwrap();
            assert_eq!(read.entries().len(), 2, "cut at {cut}");
        }
        let inside_a_character = [&text[..=last], b"{\"operation\":\"\xc3"].concat();
        assert_eq!(Journal::read("j", &inside_a_character).unwrap().entries().len(), 2);
        let before = [b"\xc3".as_slice(), &text].concat();
        assert!(Journal::read("j", &before).is_err());
    }

    #[test]
    fn answered_operation_is_open_and_has_an_identity() {
        let lines = [entry("a", intent()), entry("b", intent()), entry("b", failed()), entry("a", made())];
        let read = Journal::read("j", &journal(&lines).write()).unwrap();
        assert_eq!(read.unfinished(), [&lines[0]]);
        assert_eq!(read.open_lines().collect::<Vec<_>>(), [&lines[0], &lines[3]]);
        assert_eq!(read.identities(), [(&NodeId::new("us-west-2", Kind::Server), Some("s-1"))]);
    }

    #[test]
    fn changed_lines_are_refused() {
        let text = String::from_utf8(journal(&[entry("a", intent()), entry("a", done())]).write()).unwrap();
        for (from, to, says) in [
            ("\"version\":1", "\"version\":2", "newer sftpctl (format 2)"),
            ("\"version\":1", "\"version\":0", "unknown format version"),
            ("intent", "intended", "line 2"),
            ("\"is\":\"done\"", "\"is\":\"done\",\"by\":\"hand\"", "line 3"),
            // Valid lines that differ from the ones that were written.
            ("\"identity\":\"s-1\"", "\"identity\":\"s-2\"", "line 3: its sum does not match"),
            ("Transfer server", "Transfer servant", "line 2: its sum does not match"),
            ("111111111111", "222222222222", "line 2: its sum does not match"),
            ("\"sum\"", "\"sun\"", "line 2"),
        ] {
            let error = Journal::read("j", text.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(says), "{from} {to}: {error}");
            assert!(error.hint().is_some());
        }
        let two = journal(&[entry("a", intent()), entry("b", intent()), entry("a", done())]).write();
        let lines: Vec<&str> = std::str::from_utf8(&two).unwrap().split_inclusive('\n').collect();
        let without = [lines[0], lines[1], lines[3]].concat();
        assert!(Journal::read("j", without.as_bytes()).unwrap_err().to_string().contains("line 3: its sum"));
        // No run writes this, though its sums match.
        let illegal = Journal { entries: vec![entry("c", done())], ..Journal::new(Header::new("99", "1", "run-1")) };
        let error = Journal::read("j", &illegal.write()).unwrap_err();
        assert!(error.to_string().contains("line 2: an outcome without its intent"), "{error}");
        assert!(Journal::read("j", b"").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Journal::read("j", &bytes);
        }

        #[test]
        fn every_beginning_of_a_journal_is_read(cut in 60_usize..400) {
            let lines = [entry("a", intent()), entry("b", intent()), entry("a", failed()), entry("b", done())];
            let text = journal(&lines).write();
            let header = text.iter().position(|byte| *byte == b'\n').unwrap();
            if cut > header {
                prop_assert!(Journal::read("j", &text[..cut.min(text.len())]).is_ok());
            }
        }
    }
}
