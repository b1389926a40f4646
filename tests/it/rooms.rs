//! The pure rooms stay pure: no AWS, no runtime, no clock, no file system, no environment, no randomness. Clippy's
//! disallowed methods hold for a whole crate, so this reads the modules instead.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// Files and folders below `src`.
const PURE: [&str; 16] = [
    "spec",
    "kind.rs",
    "model.rs",
    "node.rs",
    "template.rs",
    "user_policies.rs",
    "desired.rs",
    "plan",
    "authorizer",
    "accounts/rules.rs",
    "local/iam",
    "resources/stack_diff.rs",
    "report/events.rs",
    "report/plan_view.rs",
    "report/summary.rs",
    "report/fold.rs",
];

/// What none of them may name.
const FORBIDDEN: [(&str, &str); 17] = [
    ("aws_sdk_", "only src/aws names an SDK"),
    ("aws_config", "only src/aws connects"),
    ("aws_smithy", "only src/aws names an SDK"),
    ("tokio::", "a pure room has no runtime"),
    ("std::fs", "the caller reads and writes files"),
    ("std::env::", "the caller reads the environment"),
    ("std::net::Tcp", "a pure room has no network"),
    ("std::process", "a pure room starts nothing"),
    ("std::thread", "a pure room has no threads"),
    ("SystemTime", "the time is handed in"),
    ("Instant::now", "the time is handed in"),
    ("Timestamp::now", "the time is handed in"),
    ("Zoned::now", "the time is handed in"),
    ("fastrand", "randomness is handed in"),
    ("use rand", "randomness is handed in"),
    ("OsRng", "randomness is handed in"),
    ("println!", "only src/report/output.rs prints"),
];

/// Outside of these nothing names an SDK crate. The Lambda has a client of its own and none of the command line's.
const NAMES_SDKS: [&str; 2] = ["aws", "bin/sftp-authorizer"];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            sources(&path, found);
        }
    }
}

/// The lines of code of a file, numbered: without comments, and without tests, which may do as they like.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}

/// Whether the module is declared for tests only.
fn is_test_module(file: &Path) -> bool {
    let declared = std::fs::read_to_string(file.with_file_name("mod.rs")).unwrap_or_default();
    let name = file.file_stem().unwrap().to_string_lossy();
    declared.contains(&format!("#[cfg(test)]\nmod {name};"))
}

fn slips(files: &[PathBuf], forbidden: &[(&str, &str)]) -> Vec<String> {
    let mut slips = Vec::new();
    for file in files {
        for (number, line) in code(file) {
            for (word, why) in forbidden.iter().filter(|(word, _)| line.contains(word)) {
                slips.push(format!("{}:{number} names {word}: {why}", file.display()));
            }
        }
    }
    slips
}

#[test]
fn the_pure_rooms_reach_for_nothing() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for room in PURE {
        sources(&src.join(room), &mut files);
    }
    files.retain(|file| !is_test_module(file));
    assert!(files.len() > 30, "the rooms have moved: {files:?}");
    assert_eq!(slips(&files, &FORBIDDEN), Vec::<String>::new());
}

#[test]
fn only_the_aws_room_names_an_sdk() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut allowed) = (Vec::new(), Vec::new());
    sources(&src, &mut files);
    for room in NAMES_SDKS {
        sources(&src.join(room), &mut allowed);
    }
    files.retain(|file| !allowed.contains(file));
    assert_eq!(slips(&files, &FORBIDDEN[..1]), Vec::<String>::new());
}

#[test]
fn a_slip_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slip.rs");
    std::fs::write(&file, "// std::fs is fine in a comment\nlet now = SystemTime::now();\n#[cfg(test)]\nstd::fs\n")
        .unwrap();
    let slips = slips(&[file], &FORBIDDEN);
    assert_eq!(slips.len(), 1, "{slips:?}");
    assert!(slips[0].contains("slip.rs:2 names SystemTime"), "{slips:?}");
}
