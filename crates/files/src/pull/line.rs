//! Lines of JSON that end with a checksum of themselves: a line that was cut or changed is recognised. Pure.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checksum;

const SUM: &str = ",\"sum\":\"";

/// The line of an object, with its end.
pub fn written(record: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(record)?;
    let body = text.strip_suffix('}').unwrap_or(&text);
    Ok(format!("{body}{SUM}{:016x}\"}}\n", checksum::of(body.as_bytes())))
}

/// The object of a line without its end; `None` if the line is not as it was written.
pub fn read<T: DeserializeOwned>(line: &str) -> Option<T> {
    let (body, sum) = line.rsplit_once(SUM)?;
    let sum = sum.strip_suffix("\"}").filter(|sum| sum.len() == 16)?;
    let is_whole = u64::from_str_radix(sum, 16).is_ok_and(|sum| sum == checksum::of(body.as_bytes()));
    if is_whole { serde_json::from_str(&format!("{body}}}")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_read_back_whole_or_not_at_all(text: String, at: usize) {
            let record = json!({ "key": text });
            let line = written(&record).unwrap();
            prop_assert!(!line.trim_end_matches('\n').contains('\n'));
            let line = line.trim_end_matches('\n');
            prop_assert_eq!(read::<Value>(line), Some(record));
            // Still JSON for any other tool.
            prop_assert!(serde_json::from_str::<Value>(line).unwrap()["sum"].is_string());
            let cut = (0..line.len()).filter(|at| line.is_char_boundary(*at)).nth(at % line.chars().count()).unwrap();
            prop_assert_eq!(read::<Value>(&line[..cut]), None);
            let mut changed = line.as_bytes().to_vec();
            changed[at % line.len()] ^= 1;
            if let Ok(changed) = String::from_utf8(changed) {
                prop_assert_eq!(read::<Value>(&changed), None);
            }
        }
    }
}
