//! What `scripts/fuzz` does with each input. It stands here and not in `fuzz/`, a workspace that the ordinary build never
//! sees, so that the unit tests compile it and run it on the seeds.
//!
//! Whatever comes, there is no panic but from these assertions.

#![expect(clippy::missing_panics_doc, reason = "to panic is how a target tells that it found something")]

use serde_json::Value;

use crate::authorizer::config::HomeType;
use crate::authorizer::password::Scheme;
use crate::authorizer::{Account, Attribute, Config, Item, Question, Refusal, answer, judge, screen};

/// Argon2id of "secret" at its smallest, since here only the decision counts: 19 MiB would be twenty events a second.
const SECRET: &str = "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$4R1PEQPItpvkTH5juMUak3oEb8rtWEdaRzGIjigkYIU";

/// The authorizer's event: there is a `Role` for the right password alone.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    let config = Config {
        server_id: "s-1".into(),
        table: "t".into(),
        index: "i".into(),
        role_arn: "arn:aws:iam::111111111111:role/r".into(),
        block_list: ["root".to_owned()].into(),
        home_type: HomeType::Path,
    };
    let question = Question::parse(&event);
    let decision = match &question {
        Err(_) => Err(Refusal::MalformedEvent),
        Ok(question) => screen(&config, question).and_then(|()| judge(question, &[account(&question.username)])),
    };
    let question = question.ok();
    let line = answer::log_line(question.as_ref(), &decision).to_string();
    assert!(!line.contains('\n') && line.len() < 4_000, "{line}");
    let admitted = answer::body(&config, &decision).get("Role").is_some();
    let right = question.is_some_and(|asked| {
        asked.password == "secret"
            && asked.server_id == "s-1"
            && asked.protocol.eq_ignore_ascii_case("sftp")
            && !asked.username.is_empty()
            && !asked.username.eq_ignore_ascii_case("root")
    });
    assert_eq!(admitted, right, "{event}");
}

/// An account of that name: to be unknown would cost a whole Argon2id.
fn account(username: &str) -> Item {
    let text = |text: &str| Attribute::Text(text.to_owned());
    Item::from([
        ("orgid".to_owned(), Attribute::Number("1".to_owned())),
        ("username".to_owned(), text(username)),
        ("password".to_owned(), text(SECRET)),
        ("HomeDirectory".to_owned(), text("/pl-pt99-5-uploads/1")),
    ])
}

/// An item of the account table: what is read as an account is written as it was, and its policy is one that AWS takes.
pub fn item(data: &[u8]) {
    let Ok(Value::Object(map)) = serde_json::from_slice(data) else { return };
    let item: Item = map.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    let Ok(account) = Account::from_item(&item) else { return };
    let again = Account::from_item(&account.to_item());
    assert_eq!(again.as_ref(), Ok(&account));
    account.admits("192.0.2.1");
    account.password.as_deref().map(Scheme::of);
    let policy = account.home.policy();
    assert!(policy.chars().count() <= 2048, "{policy}");
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    let folder = policy["Statement"][1]["Resource"].as_str().unwrap_or_default();
    assert!(folder.ends_with("/*") && folder.matches('*').count() == 1 + folder.matches("${*}").count(), "{folder}");
}

fn attribute(value: Value) -> Attribute {
    let text = |value: Value| value.as_str().map(str::to_owned);
    match value {
        Value::String(text) => Attribute::Text(text),
        Value::Number(number) => Attribute::Number(number.to_string()),
        Value::Array(values) => {
            values.into_iter().map(text).collect::<Option<_>>().map_or(Attribute::Other, Attribute::Texts)
        }
        _ => Attribute::Other,
    }
}

#[cfg(feature = "cli")]
pub use files::{environment, plan, state};

/// The files of the command line.
#[cfg(feature = "cli")]
mod files {
    use std::sync::Arc;

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use serde_json::{Map, Value};
    use sha2::{Digest as _, Sha256};

    use crate::plan::model::Plan;
    use crate::report::plan_view;
    use crate::state::blob::{Blob, Blobs, Expect, Version};
    use crate::state::error::StateError;
    use crate::state::journal::{Entry, Header, Journal, SUM, sum};
    use crate::state::lease::{Lease, Lock};
    use crate::state::machine::ThisMachine;
    use crate::state::model::State;

    /// The environment file: every fault has a place in the file and can be shown.
    pub fn environment(data: &[u8]) {
        let Ok(source) = str::from_utf8(data) else { return };
        match crate::spec::load(source, "x.yaml") {
            Ok(environment) => assert!(environment.regions.contains_key(&environment.home_region)),
            Err(faults) => {
                assert!(!faults.list().is_empty());
                let lines = source.lines().count() + 1;
                for fault in faults.list() {
                    assert!(
                        fault.line >= 1 && fault.line <= lines,
                        "line {} of {lines}: {}",
                        fault.line,
                        fault.message
                    );
                }
                faults.render(false);
                faults.render(true);
            }
        }
    }

    /// A saved plan: what is read is written as it was and can be shown.
    pub fn plan(data: &[u8]) {
        let Ok(plan) = serde_json::from_slice::<Plan>(data) else { return };
        let text = serde_json::to_vec(&plan).unwrap_or_default();
        assert_eq!(serde_json::from_slice::<Plan>(&text).ok().as_ref(), Some(&plan));
        for width in [1, 80, usize::MAX] {
            plan_view::render(&plan, width);
        }
    }

    /// State, journal and lock: what is read is written as it was.
    pub fn state(data: &[u8]) {
        // As it is, which tests the digest; and past the digest, which no mutation gets right.
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
            assert_eq!(super::files::lease(&serde_json::to_vec(&lease).unwrap_or_default()), Some(lease));
        }
    }

    /// A journal with the sums that its lines have, where they have the form of such.
    pub(super) fn summed(data: &[u8]) -> Option<Vec<u8>> {
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

    /// A state with the digest that its content has, where it has the form of one.
    pub(super) fn sealed(data: &[u8]) -> Option<Vec<u8>> {
        let mut state = State { digest: String::new(), ..serde_json::from_slice(data).ok()? };
        let sum = Sha256::digest(serde_json::to_vec(&state).ok()?);
        state.digest = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        serde_json::to_vec(&state).ok()
    }

    /// The lock, read as a run reads it.
    pub(super) fn lease(data: &[u8]) -> Option<Lease> {
        let lock = Lock::new(Arc::new(Only(data.to_vec())), "x", Arc::new(ThisMachine));
        // Nothing here waits, so one poll is all of it.
        let found = lock.look().now_or_never()?.ok()??;
        Some(found.0)
    }

    /// A place where every document is this one.
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
}

#[cfg(all(test, feature = "cli"))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::kind::NodeId;
    use crate::state::journal::Journal;
    use crate::state::model::State;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 5] =
        [("environment", environment), ("event", event), ("item", item), ("plan", plan), ("state", state)];

    fn folder(name: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name);
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn seed(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/state").join(name)).unwrap()
    }

    #[test]
    fn every_target_takes_its_seeds_and_pieces_of_them() {
        for (name, target) in TARGETS {
            let seeds = folder(&format!("seeds/{name}"));
            assert!(!seeds.is_empty(), "{name}");
            for path in seeds {
                let seed = std::fs::read(path).unwrap();
                target(&seed);
                for step in 1..8 {
                    target(&seed[..seed.len() * step / 8]);
                }
            }
        }
    }

    #[test]
    fn the_workspace_of_the_fuzzer_has_these_targets_and_nothing_of_its_own() {
        let mut found = BTreeSet::new();
        for path in folder("fuzz_targets") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let source = std::fs::read_to_string(&path).unwrap();
            let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl::fuzzing::{name}(data));");
            let code: Vec<&str> = source.lines().filter(|line| !line.starts_with("//!") && !line.is_empty()).collect();
            assert_eq!(code, ["#![no_main]", call.as_str()], "{name}");
            found.insert(name);
        }
        assert_eq!(found, TARGETS.map(|(name, _)| name.to_owned()).into());
    }

    /// Otherwise the fuzzer would never get past the digest.
    #[test]
    fn a_state_that_was_changed_anywhere_is_read() {
        let changed = String::from_utf8(seed("one.json")).unwrap().replace("us-west-2/server", "us-west-2/trigger");
        assert!(State::read("x", changed.as_bytes()).is_err());
        let state = State::read("x", &files::sealed(changed.as_bytes()).unwrap()).unwrap();
        assert!(state.identities.contains_key(&"us-west-2/trigger".parse::<NodeId>().unwrap()), "{state:?}");
    }

    #[test]
    fn the_seeds_of_journal_and_lock_are_read() {
        assert_eq!(Journal::read("x", &seed("some.journal")).unwrap().entries().len(), 2);
        let changed = String::from_utf8(seed("some.journal")).unwrap().replace("us-west-2/server", "us-west-2/trigger");
        assert!(Journal::read("x", changed.as_bytes()).is_err());
        let summed = files::summed(changed.as_bytes()).unwrap();
        assert_eq!(Journal::read("x", &summed).unwrap().entries()[0].node.as_str(), "us-west-2/trigger");
        assert_eq!(files::lease(&seed("held.lock")).unwrap().holder.command, "deploy");
    }
}
