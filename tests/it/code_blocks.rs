//! The code of the documentation: each block says what it is, and holds what the program, AWS and the shell take.
//! Blocks of the kind `console` are run, by `on_local_cloud::tutorial`; docs/testing.md has the list of kinds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::error::ErrorKind;
use sftpctl_testkit::programs::{installed, oracle, root, shown, tool};

use crate::blocks::{self, Block};
use crate::shell_script::commands;
use crate::site::Site;

/// The kinds of blocks, as docs/testing.md lists them.
const KINDS: [&str; 10] = ["console", "ini", "java", "json", "php", "python", "sh", "text", "toml", "yaml"];

/// What a shell would run of a block: `sh` as it stands, and what was typed in `text`.
fn script(block: &Block) -> String {
    match block.kind.as_str() {
        "sh" => block.code.clone(),
        "text" => {
            let joined = block.code.replace("\\\n", " ");
            joined.lines().filter_map(|line| line.strip_prefix("$ ")).map(|line| format!("{line}\n")).collect()
        }
        _ => String::new(),
    }
}

/// The commands of all blocks by the program that they start, with their places.
fn started(blocks: &[Block], program: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for block in blocks {
        for words in commands(&script(block)) {
            // Variables may stand before the program.
            let at = words.iter().position(|word| !word.split_once('=').is_some_and(|(name, _)| is_name(name)));
            if let Some(at) = at.filter(|at| words[*at] == program) {
                all.push((block.place(), words[at..].to_vec()));
            }
        }
    }
    all
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn each_block_says_what_it_is() {
    let blocks = blocks::all();
    for block in &blocks {
        assert!(KINDS.contains(&block.kind.as_str()), "{}: no kind of block: {:?}", block.place(), block.kind);
    }
    assert!(blocks.len() > 150, "{}", blocks.len());
    let documented = std::fs::read_to_string(root().join("docs/testing.md")).unwrap();
    for kind in KINDS {
        assert!(documented.contains(&format!("`{kind}`")), "docs/testing.md does not say what {kind} is");
    }
}

/// A shell can read each block, and the program takes each of its own commands.
#[test]
fn commands_are_those_of_the_program() {
    let blocks = blocks::all();
    for block in blocks.iter().filter(|block| block.kind == "sh") {
        let read = tool("bash", "bash").args(["-n", "-c", &block.code]).output().unwrap();
        assert!(read.status.success(), "{}: {}", block.place(), shown(&read));
    }
    let commands = started(&blocks, "sftpctl");
    assert!(commands.len() > 200, "{}", commands.len());
    let mut refused = Vec::new();
    for (place, words) in commands {
        match sftpctl::commands::command().try_get_matches_from(&words) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
            Err(error) => refused.push(format!("{place}: {}\n{error}", words.join(" "))),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// The AWS CLI takes each of its commands, as far as AWS's own models say.
#[test]
fn commands_are_those_of_the_aws_cli() {
    let commands = started(&blocks::all(), "aws");
    assert!(commands.len() > 40, "{}", commands.len());
    let mut check = Command::new(installed("tools/bin/python"));
    let mut check = check.arg(oracle("aws_commands.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(serde_json::to_string(&commands).unwrap().as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{}", shown(&output));
}

/// A file without its top-level `keys`.
fn without(file: &str, keys: &[&str]) -> String {
    let mut left = String::new();
    let mut skips = false;
    for line in file.lines() {
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            skips = keys.contains(&line.split(':').next().unwrap());
        }
        if !skips {
            left.push_str(line);
            left.push('\n');
        }
    }
    left
}

/// Blocks of YAML that are not a part of an environment file, by their document and first key after `version`. Other
/// tests have the first four in files of their own.
const OTHER_FILES: [(&str, &str); 5] = [
    ("docs/bench.md", "targets"),
    ("docs/ci.md", "include"),
    ("docs/cost.md", "log_ins"),
    ("docs/import.md", "source"),
    ("docs/import.md", "source"),
];

/// A part of an environment file is taken by the program, in the place of what a valid file has there. What is not one
/// is listed, so that a misspelt setting is not taken for something else.
#[test]
fn parts_of_environment_files_are_valid() {
    let (mut checked, mut refused, mut others) = (0, Vec::new(), Vec::new());
    for block in blocks::all().iter().filter(|block| block.kind == "yaml") {
        let tops = block.code.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
        let keys: Vec<&str> =
            tops.map(|line| line.split(':').next().unwrap()).filter(|key| *key != "version").collect();
        assert!(!keys.is_empty(), "{}: no setting begins a line", block.place());
        let other = (block.document.to_str().unwrap(), keys[0]);
        if OTHER_FILES.contains(&other) {
            others.push((block.document.display().to_string(), keys[0].to_owned()));
            continue;
        }
        let site = Site::stopped();
        site.edit(|file| without(&file, &keys) + &block.code);
        let output = site.run(&["validate", "--env", "99"]);
        checked += 1;
        if !output.status.success() {
            refused.push(format!("{}: {}", block.place(), shown(&output)));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(checked > 20, "{checked}");
    let listed = OTHER_FILES.map(|(document, key)| (document.to_owned(), key.to_owned()));
    assert_eq!(others, listed, "OTHER_FILES lists blocks that are not there");
}

#[test]
fn json_is_json() {
    for block in blocks::all().iter().filter(|block| block.kind == "json") {
        for value in serde_json::Deserializer::from_str(&block.code).into_iter::<serde_json::Value>() {
            value.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        }
    }
}
