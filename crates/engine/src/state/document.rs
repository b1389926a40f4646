//! Reads and writes the documents of the state: a document whose version or members are not exactly known is refused.
//! Pure.
//!
//! # How a document's format grows
//!
//! Several releases of sftpctl share one place. An older release that reads a document of a newer one must report it as
//! newer, and leave it unchanged. If it reported damage, people would run `state rebuild`, which loses the members that
//! the older release does not know.
//!
//! So the version belongs to the document, not to the program: each document has the lowest version that covers all of
//! its members (`State::format`, and the same in the journal and the lease). A new member
//!
//! - is left out of the document while it is empty (`default`, `skip_serializing_if`),
//! - raises the version of a document that has it: `format` names every member, so that a new one does not compile
//!   until it is given its version, and
//! - raises the `VERSION` up to which this program reads.
//!
//! Documents without new members keep their bytes, and every release reads them. A document with one is refused as
//! newer by every older release. That includes the first release, since it compares the version before anything else.
//!
//! The alternative, to keep unknown members and write them back, was rejected. A run cannot maintain a member that it
//! does not understand: if it ignored `movedTo`, it would change a state that has moved to another place; if it only
//! copied `unverified`, it would leave servers in it that have admitted a canary since. Besides, the existing releases
//! already refuse unknown members.
//!
//! If a member was added without raising the version, reading detects it: a document must be exactly what this program
//! would write for it. If it is not, but its digest matches, a newer sftpctl wrote it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::StateError;

/// Reads a JSON document with a version from 1 to `newest`.
///
/// # Errors
/// [`StateError::Newer`] for a higher version, or if it has members that `T` does not have; [`StateError::Damaged`] if
/// it is not a `T` at all.
pub(super) fn parse<T>(address: &str, content: &[u8], newest: u32) -> Result<T, StateError>
where
    T: DeserializeOwned + Serialize,
{
    let damaged = |reason: String| StateError::Damaged { address: address.to_owned(), reason };
    let value: Value = serde_json::from_slice(content).map_err(|error| damaged(error.to_string()))?;
    let version = match value["version"].as_u64() {
        Some(version) if version > u64::from(newest) => return Err(newer(address, version, newest)),
        Some(version) if version > 0 => version,
        _ => return Err(damaged("unknown format version".to_owned())),
    };
    let document = T::deserialize(&value).map_err(|error| damaged(error.to_string()))?;
    if is_all(&document, &value) { Ok(document) } else { Err(newer(address, version, newest)) }
}

/// The serial number of the next write. It only makes documents different, so that one that somebody has set to the highest
/// begins anew.
pub(super) fn next(serial: u64) -> u64 {
    serial.wrapping_add(1)
}

/// Whether `document` has every member that was read, so that writing it loses nothing.
pub(super) fn is_all(document: &impl Serialize, read: &Value) -> bool {
    serde_json::to_value(document).is_ok_and(|written| written == *read)
}

/// The error for a document of the format `version`, written by a newer sftpctl.
pub(super) fn newer(address: &str, version: u64, newest: u32) -> StateError {
    StateError::Newer { address: address.to_owned(), version, newest }
}

/// The document as indented JSON, ending with a line break.
pub(super) fn pretty(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The document as JSON on one line. Plain data with string keys cannot fail to serialize.
pub(super) fn compact(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// Removes the white space between the tokens of a JSON document: turns the output of [`pretty`] into that of
/// [`compact`], even if this program does not know all of its members.
pub(super) fn without_spaces(text: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let mut compact = text.to_vec();
    compact.retain(|byte| {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            return true;
        }
        in_string = *byte == b'"';
        !byte.is_ascii_whitespace()
    });
    compact
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    /// A document of the first release.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct First {
        version: u32,
        name: String,
    }

    /// The same document after version 2 added a member by the rules above.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Second {
        version: u32,
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        added: Option<String>,
    }

    fn second(added: Option<&str>) -> Vec<u8> {
        let version = if added.is_some() { 2 } else { 1 };
        pretty(&Second { version, name: "99".into(), added: added.map(str::to_owned) })
    }

    #[test]
    fn a_newer_program_reads_documents_of_an_older_one() {
        let old = pretty(&First { version: 1, name: "99".into() });
        let read: Second = parse("x", &old, 2).unwrap();
        assert_eq!((read.version, read.added), (1, None));
    }

    #[test]
    fn an_older_program_reads_documents_without_new_members_and_calls_the_rest_newer() {
        assert_eq!(second(None), pretty(&First { version: 1, name: "99".into() }), "the same bytes");
        assert!(parse::<First>("x", &second(None), 1).is_ok());
        let error = parse::<First>("x", &second(Some("a")), 1).unwrap_err();
        assert_eq!(error.to_string(), "x was written by a newer sftpctl (format 2); this one reads up to format 1");
    }

    #[test]
    fn an_added_member_whose_version_was_forgotten_is_newer() {
        let forgotten = pretty(&Second { version: 1, name: "99".into(), added: Some("a".into()) });
        let error = parse::<First>("x", &forgotten, 1).unwrap_err();
        assert!(matches!(error, StateError::Newer { version: 1, newest: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("format 1 with additions"), "{error}");
    }

    #[test]
    fn anything_else_is_damaged() {
        for content in [
            "",
            "{",
            "[]",
            "{\"name\": \"99\"}",
            "{\"version\": 0, \"name\": \"99\"}",
            "{\"version\": \"1\", \"name\": \"99\"}",
            "{\"version\": 1}",
            "{\"version\": 1, \"name\": 99}",
        ] {
            let error = parse::<First>("x", content.as_bytes(), 1).unwrap_err();
            assert!(matches!(error, StateError::Damaged { .. }), "{content}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn compact_is_pretty_without_spaces(text in any::<String>(), other in "[ \\\\\"\n]{0,8}") {
            let value = json!({ "a b": { (text.clone()): [text, { "c": other }, {}, []] }, (other.clone()): null });
            prop_assert_eq!(without_spaces(&pretty(&value)), compact(&value));
        }
    }
}
