//! The source of the region template: fragments by purpose in `templates/region/`, merged into one document.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::TemplateError;

/// A file of `templates/region/`.
#[derive(Clone, Copy)]
struct Fragment {
    file: &'static str,
    text: &'static str,
}

macro_rules! fragments {
    ($($name:literal),* $(,)?) => {
        [$(Fragment {
            file: concat!("templates/region/", $name, ".yaml"),
            text: include_str!(concat!("../../../../templates/region/", $name, ".yaml")),
        }),*]
    };
}

/// Every fragment. A new one is added here; a test compares the list with the folder.
const FRAGMENTS: [Fragment; 14] = fragments![
    "base",
    "buckets",
    "events",
    "arrivals",
    "malware",
    "s3-files",
    "authorizer",
    "guard",
    "api",
    "waf",
    "transfer",
    "decrypt",
    "alarms",
    "queries"
];

/// The sections that are merged from several fragments. Everything else (`Description`) is in one fragment.
const SECTIONS: [&str; 5] = ["Parameters", "Mappings", "Conditions", "Resources", "Outputs"];

/// Merged once; the template of every region starts with a copy.
static MERGED: LazyLock<Result<Value, TemplateError>> = LazyLock::new(|| merge(&FRAGMENTS));

/// The region template: all fragments, merged, without the changes that [`render`](super::render) makes for an
/// environment.
///
/// # Errors
/// A fragment is not a YAML mapping, or two fragments have the same key. Both are faults of the build, which the tests
/// rule out.
pub fn source() -> Result<&'static Value, TemplateError> {
    MERGED.as_ref().map_err(Clone::clone)
}

fn merge(fragments: &[Fragment]) -> Result<Value, TemplateError> {
    let mut merged = Map::new();
    // Section (empty for the top level) and key → the file that has it.
    let mut files: BTreeMap<(String, String), &'static str> = BTreeMap::new();
    let mut claim = |section: &str, key: &str, file| match files.insert((section.to_owned(), key.to_owned()), file) {
        None => Ok(()),
        Some(first) => Err(TemplateError::Duplicate { key: format!("{section}{key}"), files: [first, file] }),
    };
    for Fragment { file, text } in fragments.iter().copied() {
        let syntax = |error: serde_saphyr::Error| TemplateError::Syntax { file, message: error.to_string() };
        let fragment: Map<String, Value> = serde_saphyr::from_str(text).map_err(syntax)?;
        for (key, value) in fragment {
            if !SECTIONS.contains(&key.as_str()) {
                claim("", &key, file)?;
                merged.insert(key, value);
                continue;
            }
            let Value::Object(entries) = value else { return Err(TemplateError::NotMapping { file, section: key }) };
            let section = merged.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
            for (name, value) in entries {
                claim(&format!("{key}."), &name, file)?;
                section[name] = value;
            }
        }
    }
    Ok(Value::Object(merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(one: &'static str, two: &'static str) -> Result<Value, TemplateError> {
        merge(&[Fragment { file: "one.yaml", text: one }, Fragment { file: "two.yaml", text: two }])
    }

    #[test]
    fn sections_are_united() {
        let one = "Description: d\nParameters: { A: { Type: String } }\nResources: { X: { Type: T } }\n";
        let two = "Resources: { Y: { Type: T } }\nOutputs: { X: { Value: 1 } }\n";
        let expected = json!({
            "Description": "d",
            "Parameters": { "A": { "Type": "String" } },
            "Resources": { "X": { "Type": "T" }, "Y": { "Type": "T" } },
            "Outputs": { "X": { "Value": 1 } },
        });
        assert_eq!(merged(one, two), Ok(expected.clone()));
        assert_eq!(merged(two, one), Ok(expected), "the order of the fragments makes no difference");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the crate is pure, this test is not")]
    fn every_file_of_the_folder_is_a_fragment() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/region");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.map(|name| format!("templates/region/{name}")).collect();
        files.sort();
        let mut listed = FRAGMENTS.map(|fragment| fragment.file);
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn duplicate_key_names_both_files() {
        for (one, two, key) in [
            ("Resources: { X: { Type: T } }", "Resources: { Y: {}, X: { Type: T } }", "Resources.X"),
            ("Parameters: { X: 1 }", "Parameters: { X: 2 }", "Parameters.X"),
            ("Description: d", "Description: d", "Description"),
        ] {
            let error = merged(one, two).unwrap_err();
            assert_eq!(error.to_string(), format!("one.yaml and two.yaml both define {key}"));
        }
        let error = merged("Resources: {}", "Resources: { X: 1, X: 2 }").unwrap_err().to_string();
        assert!(error.starts_with("two.yaml: ") && error.contains("duplicate"), "{error}");
    }

    #[test]
    fn malformed_fragment_is_an_error() {
        for (text, message) in [
            ("Resources: [X]", "two.yaml: Resources is not a mapping"),
            ("Resources: { X: 1", "two.yaml: "),
            ("- X", "two.yaml: "),
        ] {
            let error = merged("Resources: {}", text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
