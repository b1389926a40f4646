//! The code of the documentation: each block says what it is, and holds what the program, AWS and the shell take. Blocks
//! of the kind `console` are run, by `on_local_cloud::tutorial`; docs/testing.md has the list of kinds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::error::ErrorKind;
use sftpctl_testkit::programs::{installed, oracle, root, shown, tool};

use crate::documents::documents;
use crate::site::Site;

/// The kinds of blocks, as docs/testing.md lists them.
const KINDS: [&str; 10] = ["console", "ini", "java", "json", "php", "python", "sh", "text", "toml", "yaml"];

/// A block of code between two fences.
#[derive(Debug)]
struct Block {
    document: PathBuf,
    /// The line of the opening fence, from 1.
    line: usize,
    kind: String,
    code: String,
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }
}

/// The blocks of all documents. Fails if one has code by indentation, which cannot say what it is.
fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for document in documents(root()).into_iter().filter(|path| path != Path::new("CHANGELOG.md")) {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        let (mut open, mut before, mut in_list) = (None, "", false);
        for (at, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", document.display(), at + 1);
            let fence = line.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(kind)) => {
                    let (kind, code) = (kind.to_owned(), String::new());
                    blocks.push(Block { document: document.clone(), line: at + 1, kind, code });
                    open = line.find('`');
                }
                (Some(_), Some(rest)) => {
                    assert_eq!(rest, "", "{}: a fence within a block", place());
                    open = None;
                }
                (Some(indent), None) => {
                    let code = &mut blocks.last_mut().unwrap().code;
                    code.push_str(line.get(*indent..).unwrap_or_default());
                    code.push('\n');
                }
                (None, None) => {
                    let by_indentation = before.is_empty() && line.starts_with("    ") && !in_list;
                    assert!(!by_indentation, "{}: code without fences: {line}", place());
                    if !line.is_empty() && !line.starts_with(' ') {
                        in_list = line.starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit());
                    }
                }
            }
            before = line;
        }
        assert!(open.is_none(), "{}: a block without an end", document.display());
    }
    blocks
}

/// The commands of a block that a shell would run: `sh` as they stand, and what was typed in `text`.
fn lines(block: &Block) -> Vec<String> {
    let joined = block.code.replace("\\\n", " ");
    match block.kind.as_str() {
        "sh" => joined.lines().map(str::to_owned).collect(),
        "text" => joined.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The words of each command of a line, without redirections. A loop `for NAME in …` has each of its commands once for
/// each word, so `loops` keeps it from line to line.
fn commands(line: &str, loops: &mut Option<(String, Vec<String>)>) -> Vec<Vec<String>> {
    // A command in `$(…)` is one of its own.
    let line = line.replace("$(", " ; ").replace(')', " ) ");
    let mut found = vec![Vec::new()];
    let mut words = shlex::Shlex::new(&line).peekable();
    while let Some(word) = words.next() {
        match word.as_str() {
            "&&" | "||" | "|" | ";" | ")" | "do" | "then" | "else" | "{" | "}" | "!" | "sudo" | "eval" | "exec" => {
                found.push(Vec::new());
            }
            ">" | "<" | ">>" | "2>" => drop(words.next()),
            word if word.starts_with(['>', '<']) || word.starts_with("2>") => {}
            word => {
                let (word, ends) = match word.strip_suffix(';') {
                    Some(word) => (word, true),
                    None => (word, false),
                };
                found.last_mut().unwrap().push(word.to_owned());
                if ends {
                    found.push(Vec::new());
                }
            }
        }
    }
    found.retain(|words: &Vec<String>| !words.is_empty());
    for words in &found {
        match &words[..] {
            [first, name, of, values @ ..] if first == "for" && of == "in" => {
                *loops = Some((format!("${name}"), values.to_vec()));
            }
            [first, ..] if first == "done" => *loops = None,
            _ => {}
        }
    }
    match loops {
        Some((name, values)) => {
            let with = |value: &String| {
                let set = |words: &Vec<String>| words.iter().map(|word| word.replace(&*name, value)).collect();
                found.iter().map(set).collect::<Vec<Vec<String>>>()
            };
            values.iter().flat_map(with).collect()
        }
        None => found,
    }
}

/// The commands of all blocks by the program that they start, with their places.
fn started(blocks: &[Block], program: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for block in blocks {
        let mut loops = None;
        for line in lines(block) {
            for words in commands(&line, &mut loops) {
                // Variables may stand before the program.
                let at = words.iter().position(|word| !word.split_once('=').is_some_and(|(name, _)| is_name(name)));
                if let Some(at) = at.filter(|at| words[*at] == program) {
                    all.push((block.place(), words[at..].to_vec()));
                }
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
    let blocks = blocks();
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
    let blocks = blocks();
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
    let commands = started(&blocks(), "aws");
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

/// A part of an environment file is taken by the program, in the place of what a valid file has there.
#[test]
fn parts_of_environment_files_are_valid() {
    let schema = std::fs::read_to_string(root().join("environments/environment.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let known = schema["properties"].as_object().unwrap();
    let (mut checked, mut refused) = (0, Vec::new());
    for block in blocks().iter().filter(|block| block.kind == "yaml") {
        let tops = block.code.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
        let keys: Vec<&str> = tops.map(|line| line.split(':').next().unwrap()).collect();
        if !keys.iter().all(|key| known.contains_key(*key)) || keys.contains(&"version") {
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
}

#[test]
fn json_is_json() {
    for block in blocks().iter().filter(|block| block.kind == "json") {
        for value in serde_json::Deserializer::from_str(&block.code).into_iter::<serde_json::Value>() {
            value.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        }
    }
}
