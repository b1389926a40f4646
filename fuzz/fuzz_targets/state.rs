//! State and journal: whatever is in the files, there is no panic, and what is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sftpctl::state::journal::Journal;
use sftpctl::state::model::State;

fuzz_target!(|data: &[u8]| {
    if let Ok(state) = State::read("x", data) {
        let text = serde_json::to_vec(&state).unwrap();
        assert_eq!(State::read("x", &text).unwrap(), state);
    }
    if let Ok(journal) = Journal::read("x", data) {
        let again = Journal::read("x", &journal.write()).unwrap();
        assert_eq!(again.entries(), journal.entries());
        assert_eq!(again.unfinished().len(), journal.unfinished().len());
        assert_eq!(again.identities(), journal.identities());
    }
});
