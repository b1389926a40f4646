//! Tests with documents of other releases: `fixtures/` has documents of the first release, which together have every
//! member, and invented newer ones (`newer-…`), all with valid digests and sums. Fixtures are never changed.

use super::error::StateError;
use super::journal::{Event, Journal};
use super::lease::Lease;
use super::model::State;
use sftpctl_core::model::Action;

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => { [$(($name, include_bytes!(concat!("fixtures/", $name)).as_slice())),*] };
}

const STATES: [(&str, &[u8]); 10] = fixtures![
    "empty.json",
    "adopted-tags.json",
    "last-run.json",
    "who.json",
    "plan.json",
    "last-deploy.json",
    "unverified.json",
    "moved-to.json",
    "on-its-way.json",
    "full.json",
];

/// Documents with a higher version, and documents with new members, forms, events or actions without one.
const NEWER_STATES: [(&str, &[u8]); 4] =
    fixtures!["newer-version.json", "newer-member.json", "newer-inner-member.json", "newer-form.json"];

const NEWER_JOURNALS: [(&str, &[u8]); 5] = fixtures![
    "newer-version.journal",
    "newer-event.journal",
    "newer-action.journal",
    "newer-member.journal",
    "newer-header.journal",
];

const NEWER_LOCKS: [(&str, &[u8]); 3] = fixtures!["newer-version.lock", "newer-member.lock", "newer-holder.lock"];

const JOURNAL: &[u8] = include_bytes!("fixtures/all.journal");
const LOCK: &[u8] = include_bytes!("fixtures/held.lock");

/// The document with one byte changed, for each byte, and the byte's index.
fn flipped(whole: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..whole.len()).map(|at| {
        let mut content = whole.to_vec();
        content[at] ^= 1;
        (at, content)
    })
}

/// The error says that the program is too old, and does not suggest `state rebuild` or `lock break`.
fn assert_newer(name: &str, result: Result<(), StateError>) {
    let error = result.expect_err(name);
    assert!(matches!(error, StateError::Newer { .. }), "{name}: {error:?}");
    let (says, hint) = (error.to_string(), error.hint().expect(name));
    assert!(
        says.contains("was written by a newer sftpctl (format ") && says.contains("reads up to format 1"),
        "{says}"
    );
    assert_eq!(hint, "nothing was changed; upgrade sftpctl");
}

#[test]
fn states_of_the_first_release_are_read_and_written_byte_for_byte() {
    let seed = include_bytes!("../../../../fuzz/seeds/state/one.json").as_slice();
    for (name, content) in STATES.into_iter().chain([("one.json", seed)]) {
        let state = State::read(name, content).expect(name);
        assert_eq!(String::from_utf8_lossy(&state.write()), String::from_utf8_lossy(content), "{name}");
    }
    let mut full = State::read("full.json", STATES[9].1).expect("full.json");
    assert!(full.on_its_way && full.last_deploy.is_some() && !full.adopted_tags.is_empty());
    // An unknown kind of resource is kept.
    let unknown = "us-west-2/web-acl".parse().expect("any text is a name");
    full.identities.insert(unknown, "arn:acl".into());
    assert_eq!(State::read("x", &full.write()).expect("x").identities, full.identities);
}

#[test]
fn journals_and_locks_of_the_first_release_are_read_and_written_byte_for_byte() {
    let journal = Journal::read("all.journal", JOURNAL).expect("all.journal");
    assert_eq!(String::from_utf8_lossy(&journal.write()), String::from_utf8_lossy(JOURNAL));
    let actions = journal.entries().iter().filter_map(|entry| match &entry.event {
        Event::Intent { action, .. } => Some(*action),
        _ => None,
    });
    use Action::{Create, Delete, Import, Keep, Recover, Recreate, Update};
    assert!(actions.eq([Create, Import, Update, Recreate, Recover, Delete, Keep]));
    let lock = Lease::parse("held.lock", LOCK).expect("held.lock");
    assert_eq!(String::from_utf8_lossy(&lock.write()), String::from_utf8_lossy(LOCK));
}

#[test]
fn newer_documents_are_called_newer() {
    for (name, content) in NEWER_STATES {
        assert_newer(name, State::read(name, content).map(drop));
    }
    for (name, content) in NEWER_JOURNALS {
        assert_newer(name, Journal::read(name, content).map(drop));
    }
    for (name, content) in NEWER_LOCKS {
        assert_newer(name, Lease::parse(name, content).map(drop));
    }
    let version = State::read("99.json", NEWER_STATES[0].1).unwrap_err().to_string();
    assert_eq!(version, "99.json was written by a newer sftpctl (format 2); this one reads up to format 1");
    let member = State::read("99.json", NEWER_STATES[1].1).unwrap_err().to_string();
    assert!(member.contains("(format 1 with additions)"), "{member}");
}

/// Also for documents with unknown members: a member that was added by hand does not look like a newer release's.
#[test]
fn a_state_with_a_flipped_byte_is_damaged() {
    for (name, whole) in STATES.into_iter().chain(NEWER_STATES.into_iter().skip(1)) {
        for (at, content) in flipped(whole) {
            match State::read(name, &content) {
                // White space between tokens is free, and not part of the digest.
                Ok(state) => assert_eq!(Some(state), State::read(name, whole).ok(), "{name}: {at}"),
                Err(StateError::Newer { .. }) if is_space(whole[at]) => {}
                Err(error) => assert!(matches!(error, StateError::Damaged { .. }), "{name}: {at}: {error:?}"),
            }
        }
    }
    let by_hand = String::from_utf8_lossy(STATES[3].1).replacen("\"serial\"", "\"note\": \"hand\",\n  \"serial\"", 1);
    assert!(matches!(State::read("x", by_hand.as_bytes()), Err(StateError::Damaged { .. })));
}

/// A lease that no sftpctl writes: others would wait for years.
#[test]
fn an_impossible_lease_is_damage() {
    let lock = Lease::parse("held.lock", LOCK).unwrap();
    let error = Lease::parse("x", &Lease { seconds: 901, ..lock }.write()).unwrap_err();
    let is_told = |reason: &str| reason == "901 seconds are longer than a lease may be (900)";
    assert!(matches!(&error, StateError::DamagedLock { reason, .. } if is_told(reason)), "{error:?}");
}

#[test]
fn a_journal_with_a_flipped_byte_is_damaged() {
    for (name, whole) in [("all.journal", JOURNAL)].into_iter().chain(NEWER_JOURNALS.into_iter().skip(1).take(3)) {
        for (at, content) in flipped(whole) {
            match Journal::read(name, &content) {
                Ok(read) => {
                    let lost = whole.iter().rposition(|byte| *byte == b'{').is_some_and(|last| at >= last);
                    assert!(lost || is_space(whole[at]), "{name}: {at}: {read:?}");
                }
                Err(StateError::Newer { .. }) => assert!(is_space(whole[at]) || at < header_end(whole), "{name}: {at}"),
                Err(error) => assert!(matches!(error, StateError::Damaged { .. }), "{name}: {at}: {error:?}"),
            }
        }
    }
}

fn header_end(journal: &[u8]) -> usize {
    journal.iter().position(|byte| *byte == b'\n').unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}
