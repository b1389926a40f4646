//! How the documents of the state are read and written: the version first, then every member, and nothing guessed.
//! Pure.
//!
//! # How a document's format grows
//!
//! Several releases of sftpctl share one place. An older one that meets what a newer one wrote must say that, and leave
//! it alone: "damaged" would send people to `state rebuild`, which loses what the older one does not know.
//!
//! So a version belongs to the document, not to the program: each document carries the lowest version that has all of
//! its members (`State::format`, and the same in the journal and the lease). A
//! member that is added
//!
//! - is left out of the document while it is empty (`default`, `skip_serializing_if`),
//! - raises the version of a document that has it: `format` names every member, so that a new one does not compile
//!   until it is given its version, and
//! - raises the `VERSION` up to which this program reads.
//!
//! Documents that use nothing new keep the bytes they had, and every release reads them. One that does is refused by
//! every older release as newer; the first release can do that, too, since it compares the version before anything
//! else.
//!
//! The other way, to keep members that are not known and to write them back, is not taken. A run cannot keep true what
//! it does not understand: one that ignored `movedTo` would change a state that is somewhere else now, one that only
//! copied `unverified` would leave servers in it that have admitted somebody since. And the releases that are out
//! already refuse what they do not know.
//!
//! Where a member was added and its version was forgotten, reading notices it: a document must be exactly what this
//! program would write of it. If it is not, and it is whole by its digest, then a newer sftpctl wrote it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::StateError;

/// Reads a document of JSON whose version is from 1 to `newest`.
///
/// # Errors
/// [`StateError::Newer`] for a higher version, or if it has members that `T` does not have; [`StateError::Damaged`] if it
/// is not a `T` at all.
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

/// Whether `document` holds all that was read: nothing is lost when it is written again.
pub(super) fn is_all(document: &impl Serialize, read: &Value) -> bool {
    serde_json::to_value(document).is_ok_and(|written| written == *read)
}

/// A newer sftpctl wrote it, in this version.
pub(super) fn newer(address: &str, version: u64, newest: u32) -> StateError {
    StateError::Newer { address: address.to_owned(), version, newest }
}

/// The document's text.
pub(super) fn pretty(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The document's text on one line. Plain data with text keys cannot fail to serialize.
pub(super) fn compact(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// The text of a JSON document without the white space between its tokens: what [`compact`] gives for the document of
/// which [`pretty`] gave `text`, whether its members are known here or not.
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

    /// A document as the first release had it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct First {
        version: u32,
        name: String,
    }

    /// The same document after version 2 brought a member, as the head of this module says.
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
    fn a_newer_program_reads_what_an_older_one_wrote() {
        let old = pretty(&First { version: 1, name: "99".into() });
        let read: Second = parse("x", &old, 2).unwrap();
        assert_eq!((read.version, read.added), (1, None));
    }

    #[test]
    fn an_older_program_reads_what_uses_nothing_new_and_calls_the_rest_newer() {
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
