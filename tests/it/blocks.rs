//! The blocks of code in the documentation: one reader of fences for all tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use sftpctl_testkit::programs::root;

use crate::documents::documents;

/// A block of code between two fences.
#[derive(Debug)]
pub(crate) struct Block {
    /// The document, by its path from the root of the repository.
    pub(crate) document: PathBuf,
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
    /// The word after the opening fence.
    pub(crate) kind: String,
    /// The lines between the fences, without the indentation of the opening one.
    pub(crate) code: String,
}

impl Block {
    /// Where the block is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.document.display(), self.line)
    }
}

/// The blocks of all documents but the changelog. Fails if one has code by indentation, which cannot say what it is.
pub(crate) fn all() -> Vec<Block> {
    let documents = documents(root()).into_iter().filter(|path| path != Path::new("CHANGELOG.md"));
    documents.flat_map(|document| of(&document)).collect()
}

/// The code of the blocks of a kind in a document, in their order.
pub(crate) fn of_kind(document: &str, kind: &str) -> Vec<String> {
    of(Path::new(document)).into_iter().filter(|block| block.kind == kind).map(|block| block.code).collect()
}

/// The blocks of a document, by its path from the root of the repository.
fn of(document: &Path) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let (mut open, mut before, mut in_list) = (None, "", false);
    for (at, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", document.display(), at + 1);
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(kind)) => {
                let (kind, code) = (kind.to_owned(), String::new());
                blocks.push(Block { document: document.to_owned(), line: at + 1, kind, code });
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
    blocks
}
