//! Checks of the files that `sftpctl` reads: no input may cause a panic, except in the assertions here.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use sftpctl::report::plan_view;
use sftpctl_core::hex;
use sftpctl_core::plan::model::Plan;
use sftpctl_engine::state::blob::{Blob, Blobs, Expect, Version};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::journal::{Entry, Header, Journal, SUM, sum};
use sftpctl_engine::state::lease::{Lease, Lock};
use sftpctl_engine::state::machine::ThisMachine;
use sftpctl_engine::state::model::State;

/// The environment file: every fault has a position in the file and can be rendered.
pub fn environment(data: &[u8]) {
    let Ok(source) = str::from_utf8(data) else { return };
    match sftpctl_core::spec::load(source, "x.yaml") {
        Ok(environment) => assert!(environment.regions.contains_key(&environment.home_region)),
        Err(faults) => {
            assert!(!faults.list().is_empty());
            let lines = source.lines().count() + 1;
            for fault in faults.list() {
                assert!(fault.line >= 1 && fault.line <= lines, "line {} of {lines}: {}", fault.line, fault.message);
            }
            faults.render(false);
            faults.render(true);
        }
    }
}

/// A saved plan: a parsed plan is unchanged after writing and parsing, and can be rendered.
pub fn plan(data: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(data) else { return };
    let text = serde_json::to_vec(&plan).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Plan>(&text).ok().as_ref(), Some(&plan));
    for width in [1, 80, usize::MAX] {
        plan_view::render(&plan, &plan.steps, width);
    }
}

/// State, journal and lock: a parsed document is unchanged after writing and parsing.
pub fn state(data: &[u8]) {
    // First unchanged, which tests the check of the digest; then with a correct digest, which no mutation would have.
    for content in [Some(data.to_vec()), sealed(data)].into_iter().flatten() {
        let Ok(state) = State::read("x", &content) else { continue };
        let text = serde_json::to_vec(&state).unwrap_or_default();
        assert_eq!(State::read("x", &text).ok().as_ref(), Some(&state));
    }
    for content in [Some(data.to_vec()), summed(data)].into_iter().flatten() {
        let Ok(journal) = Journal::read("x", &content) else { continue };
        let again = Journal::read("x", &journal.write()).ok();
        let again = again.as_ref();
        assert_eq!(again.map(Journal::entries), Some(journal.entries()));
        assert_eq!(again.map(Journal::unfinished), Some(journal.unfinished()));
        assert_eq!(again.map(Journal::identities), Some(journal.identities()));
    }
    if let Some(lease) = lease(data) {
        assert!(!lease.holder.describe().is_empty());
        assert_eq!(self::lease(&serde_json::to_vec(&lease).unwrap_or_default()), Some(lease));
    }
}

/// The journal with correct sums, if its lines are valid otherwise.
pub fn summed(data: &[u8]) -> Option<Vec<u8>> {
    let mut lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let header: Header = serde_json::from_slice(lines.next()?).ok()?;
    let mut text = serde_json::to_vec(&header).ok()?;
    let mut before = sum("", &text);
    for line in lines {
        let mut members: Map<String, Value> = serde_json::from_slice(line).ok()?;
        members.remove(SUM);
        let entry: Entry = serde_json::from_value(members.clone().into()).ok()?;
        before = sum(&before, &serde_json::to_vec(&entry).ok()?);
        members.insert(SUM.to_owned(), before.clone().into());
        text.push(b'\n');
        text.extend(serde_json::to_vec(&members).ok()?);
    }
    text.push(b'\n');
    Some(text)
}

/// The state with a correct digest, if it is valid otherwise.
pub fn sealed(data: &[u8]) -> Option<Vec<u8>> {
    let mut state = State { digest: String::new(), ..serde_json::from_slice(data).ok()? };
    let sum = Sha256::digest(serde_json::to_vec(&state).ok()?);
    state.digest = hex::encode(&sum);
    serde_json::to_vec(&state).ok()
}

/// The lock, read in the same way as by a run.
pub fn lease(data: &[u8]) -> Option<Lease> {
    let lock = Lock::new(Arc::new(Only(data.to_vec())), "x", Arc::new(ThisMachine));
    // `Only` never waits, so one poll is enough.
    let found = lock.read().now_or_never()?.ok()??;
    Some(found.0)
}

/// A store in which every document has this content.
#[derive(Debug)]
struct Only(Vec<u8>);

#[async_trait]
impl Blobs for Only {
    fn address(&self, name: &str) -> String {
        name.to_owned()
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn get(&self, _: &str) -> Result<Option<Blob>, StateError> {
        Ok(Some(Blob { content: self.0.clone(), version: Version("1".into()) }))
    }

    async fn put(&self, _: &str, _: &[u8], _: Expect<'_>) -> Result<Version, StateError> {
        Ok(Version("2".into()))
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<(), StateError> {
        Ok(())
    }
}
