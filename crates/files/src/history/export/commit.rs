//! Commits, as `git fast-import` reads them. Pure.
//!
//! The stream is that of git's documentation, `git-fast-import`. Everything in a commit comes from the bucket, so that
//! the same history always has the same commit IDs.

use sftpctl_core::{hex, shown};
use sha2::{Digest as _, Sha256};

use super::paths::quoted;
use super::sessions::{Op, Session};
use super::timeline::NULL;

/// The branch that an export writes.
pub(crate) const BRANCH: &str = "refs/heads/main";
/// The line of a commit's message with the digest of its changes.
pub(crate) const TRAILER: &str = "Sftpctl-Changes";
/// Changes that a message lists; a commit may have thousands.
const LISTED: usize = 100;

/// A file's content, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    Whole(Vec<u8>),
    /// A pointer in the form of Git LFS, with the version that has the content.
    Pointer {
        sha256: String,
        size: u64,
        version: String,
    },
}

impl Blob {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => bytes,
            // The keys are sorted, as the specification of Git LFS wants.
            Self::Pointer { sha256, size, version } => format!(
                "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\nx-s3-version-id {version}\n"
            )
            .into_bytes(),
        }
    }
}

/// The digest of a session's changes, by which a later run recognizes its commit.
pub(crate) fn digest(session: &Session) -> String {
    let mut sha = Sha256::new();
    for change in &session.changes {
        // A length cannot be confused with what follows it.
        for part in [&change.key, &change.version, &format!("{:?}", change.step)] {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part);
        }
        // Another content may get this ID while versioning is suspended.
        if change.version == NULL {
            sha.update(change.time.to_be_bytes());
            sha.update(change.what.content().etag.as_bytes());
        }
    }
    let digest = hex::encode(&sha.finalize());
    digest.get(..32).unwrap_or(&digest).to_owned()
}

/// Whether a text is the ID of a commit. What a file of the repository calls one could be an option of git's.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The committer of all commits: name and address.
pub(crate) fn committer(bucket: &str) -> String {
    format!("sftpctl <sftpctl@{}>", identity(bucket))
}

/// The head of a commit. `from` is the commit before it, if that is not from the same stream.
pub(crate) fn head(session: &Session, bucket: &str, ops: &[Op<'_>], digest: &str, from: Option<&str>) -> Vec<u8> {
    // A date before 1970 would make the commit unreadable (git 2.47.3).
    let time = session.last.max(0);
    let name = identity(&session.author);
    let (committer, bucket) = (committer(bucket), identity(bucket));
    let message = message(ops, digest);
    let mut head = format!(
        "commit {BRANCH}\nauthor {name} <{name}@{bucket}> {time} +0000\ncommitter {committer} {time} +0000\ndata \
         {}\n{message}\n",
        message.len()
    );
    if let Some(from) = from {
        head.push_str(&format!("from {from}\n"));
    }
    head.into_bytes()
}

/// An operation without content.
pub(crate) fn line(op: &Op<'_>) -> Vec<u8> {
    match op {
        Op::Delete { change, .. } => format!("D {}\n", quoted(&change.path)),
        Op::Rename { from, to } => format!("R {} {}\n", quoted(&from.path), quoted(&to.path)),
        Op::Write(..) => String::new(),
    }
    .into_bytes()
}

/// A file with its content.
pub(crate) fn file(path: &str, blob: Blob) -> Vec<u8> {
    let bytes = blob.bytes();
    let mut out = format!("M 100644 inline {}\ndata {}\n", quoted(path), bytes.len()).into_bytes();
    out.extend_from_slice(&bytes);
    out.push(b'\n');
    out
}

/// A name in a commit: git ends it at `<`, `>` and line ends, and refuses one without characters.
fn identity(name: &str) -> String {
    let name = shown::visible(name).replace(['<', '>', '@'], "_");
    let name = name.trim_matches(|c: char| c.is_whitespace() || ".,:;\"'\\".contains(c));
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

fn message(ops: &[Op<'_>], digest: &str) -> String {
    let count = |is: fn(&Op<'_>) -> bool| ops.iter().filter(|op| is(op)).count();
    let counts = [
        (count(|op| matches!(op, Op::Write(..))), "written"),
        (count(|op| matches!(op, Op::Rename { .. })), "renamed"),
        (count(|op| matches!(op, Op::Delete { .. })), "deleted"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let mut text = match ops {
        [one] => what(one),
        _ => format!("{} files: {}", ops.len(), counts.collect::<Vec<_>>().join(", ")),
    };
    text.push_str("\n\n");
    for op in ops.iter().take(LISTED) {
        text.push_str(&format!("{} ({})\n", what(op), versions(op)));
    }
    if ops.len() > LISTED {
        text.push_str(&format!("and {} more\n", ops.len() - LISTED));
    }
    text.push_str(&format!("\n{TRAILER}: {digest}\n"));
    text
}

/// An operation in words.
fn what(op: &Op<'_>) -> String {
    match op {
        Op::Delete { change, written: None } => format!("delete {}", shown::visible(&change.path)),
        Op::Delete { change, written: Some(_) } => format!("write and delete {}", shown::visible(&change.path)),
        Op::Rename { from, to } => format!("rename {} to {}", shown::visible(&from.path), shown::visible(&to.path)),
        Op::Write(change, _) => format!("write {}", shown::visible(&change.path)),
    }
}

/// The versions in S3 that an operation comes from.
fn versions(op: &Op<'_>) -> String {
    match op {
        Op::Delete { change, written: Some(written) } => {
            format!("versions {} and {}", shown::visible(&written.version), shown::visible(&change.version))
        }
        Op::Delete { change, .. } | Op::Write(change, _) | Op::Rename { to: change, .. } => {
            format!("version {}", shown::visible(&change.version))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_nothing() {
        for (name, expected) in [
            ("17578", "17578"),
            ("a <b@c>\nx", "a _b_c_\\u{a}x"),
            ("", "unknown"),
            (" .\"", "unknown"),
            ("Müller", "Müller"),
        ] {
            assert_eq!(identity(name), expected);
        }
    }

    #[test]
    fn file_has_its_length() {
        let whole = file("a\"b", Blob::Whole(b"x\ny".to_vec()));
        assert_eq!(String::from_utf8(whole).unwrap(), "M 100644 inline \"a\\\"b\"\ndata 3\nx\ny\n");
        let pointer = Blob::Pointer { sha256: "00".into(), size: 7, version: "v".into() };
        let text = String::from_utf8(pointer.bytes()).unwrap();
        assert_eq!(text, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\nx-s3-version-id v\n");
    }
}
