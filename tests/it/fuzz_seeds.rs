//! The targets of `scripts/fuzz` take their seeds. `fuzz/` is a workspace that the ordinary build never sees, so its files are
//! compiled here, too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(unreachable_pub, reason = "it is public in the workspace of the fuzzer")]
#[path = "../../fuzz/src/files.rs"]
mod files;
#[expect(unreachable_pub, reason = "it is public in the workspace of the fuzzer")]
#[path = "../../fuzz/src/log_in.rs"]
mod log_in;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sftpctl_core::kind::NodeId;
use sftpctl_engine::state::journal::Journal;
use sftpctl_engine::state::model::State;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("environment", files::environment),
    ("event", log_in::event),
    ("item", log_in::item),
    ("plan", files::plan),
    ("state", files::state),
];

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
        let module = if ["event", "item"].contains(&name.as_str()) { "log_in" } else { "files" };
        let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| sftpctl_fuzz::{module}::{name}(data));");
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
