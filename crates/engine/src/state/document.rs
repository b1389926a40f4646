//! How documents are read: version first, then every field, and nothing guessed. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::StateError;

/// A document of JSON in a version that is known.
pub(super) fn parse<T: DeserializeOwned>(address: &str, content: &[u8], version: u32) -> Result<T, StateError> {
    let damaged = |reason: String| StateError::Damaged { address: address.to_owned(), reason };
    let value: Value = serde_json::from_slice(content).map_err(|error| damaged(error.to_string()))?;
    match value["version"].as_u64() {
        Some(have) if have > u64::from(version) => {
            Err(StateError::Newer { address: address.to_owned(), version: have })
        }
        Some(have) if have == u64::from(version) => {
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
        }
        _ => Err(damaged("it says no version that ever was".to_owned())),
    }
}

/// A document as it is written.
pub(super) fn pretty(document: &impl Serialize) -> Vec<u8> {
    // Plain data with text keys cannot fail to serialize.
    let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
    text.push(b'\n');
    text
}
