//! `ttl`: the life of an environment that is thrown away. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use crate::span;
use crate::yaml::{Checker, Long, OneOr};

/// How long an environment lives after its last deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ttl {
    pub seconds: u64,
    /// The span as the file has it: `8h`.
    pub written: String,
    /// Whether customers' files and accounts are deleted with it.
    pub delete_data: bool,
}

/// The setting as it is written: a span, or a mapping.
pub(super) type Setting = OneOr<String, Mapping>;

/// How long an environment lives, and what goes with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TtlSettings")]
pub(super) struct Mapping {
    /// Time from the last deployment on: `90m`, `8h`, `7d`.
    #[schemars(with = "String", regex(pattern = PATTERN))]
    after: Spanned<String>,
    /// Whether `teardown --expired` also deletes customers' files, with all versions, and the accounts. Default false.
    #[serde(default)]
    delete_data: bool,
}

impl Long for Mapping {
    const NAME: &'static str = "Ttl";
    const EXPECTED: &'static str = "a span as `8h`, or a mapping with `after`";

    fn one() -> Value {
        json!({ "type": "string", "pattern": PATTERN })
    }
}

const PATTERN: &str = "^[1-9][0-9]{0,5}[mhd]$";
/// Seconds of the shortest span: a first deployment takes minutes.
const SHORTEST: u64 = 10 * 60;
/// Seconds of the longest span.
const LONGEST: u64 = 365 * 24 * 60 * 60;

impl Setting {
    fn span(&self) -> &str {
        match self {
            Self::One(text) => text,
            Self::Mapping(mapping) => &mapping.after.value,
        }
    }

    /// The setting with its defaults.
    pub(super) fn fill(self) -> Ttl {
        let seconds = span::seconds(self.span()).unwrap_or(LONGEST);
        let (written, delete_data) = match self {
            Self::One(text) => (text, false),
            Self::Mapping(mapping) => (mapping.after.value, mapping.delete_data),
        };
        Ttl { seconds, written, delete_data }
    }
}

/// Finds the faults of the setting. `production`: whether the environment is one that must stay.
pub(super) fn check(checker: &mut Checker<'_>, setting: Option<&Spanned<Setting>>, production: bool) {
    let Some(setting) = setting else { return };
    if production {
        let message = "an environment in production does not expire".to_owned();
        checker.fault(setting, message).hint = Some("remove `ttl`".to_owned());
    }
    let text = setting.value.span();
    let message = match span::seconds(text) {
        Some(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => return,
        Some(_) => format!("`{text}` is not between 10 minutes and 365 days"),
        None => format!("invalid span `{text}`"),
    };
    let hint = Some("a number with m, h or d, from 10m to 365d, as `8h`".to_owned());
    match &setting.value {
        Setting::One(_) => checker.fault(setting, message).hint = hint,
        Setting::Mapping(mapping) => checker.fault(&mapping.after, message).hint = hint,
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{self, Faults};

    use super::*;

    fn load(more: &str) -> Result<crate::spec::model::Environment, Faults> {
        let file = format!(
            "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions: {{ us-west-2: {{ server: true }} }}\nclusters: {{ a: us-west-2 }}\n{more}\n"
        );
        spec::load(&file, "9.yaml")
    }

    #[test]
    fn life_is_a_span_or_a_mapping() {
        for (setting, seconds, written, delete_data) in [
            ("ttl: 10m", 600, "10m", false),
            ("ttl: 8h", 28_800, "8h", false),
            ("ttl: { after: 7d }", 604_800, "7d", false),
            ("ttl: { after: \"365d\", delete_data: true }", 31_536_000, "365d", true),
        ] {
            let ttl = load(setting).unwrap_or_else(|faults| panic!("{setting}: {}", faults.render(false))).ttl;
            assert_eq!(ttl, Some(Ttl { seconds, written: written.to_owned(), delete_data }), "{setting}");
        }
        assert_eq!(load("").ok().and_then(|environment| environment.ttl), None);
    }

    #[test]
    fn spans_that_are_none_and_production_are_refused() {
        for (setting, expected) in [
            ("ttl: 8", "a span as `8h`"),
            ("ttl: \"\"", "invalid span ``"),
            ("ttl: h", "invalid span `h`"),
            ("ttl: 0h", "`0h` is not between 10 minutes and 365 days"),
            ("ttl: 1w", "invalid span `1w`"),
            ("ttl: +8h", "invalid span `+8h`"),
            ("ttl: 9999999h", "invalid span `9999999h`"),
            ("ttl: 9m", "is not between 10 minutes and 365 days"),
            ("ttl: { after: 366d }", "is not between 10 minutes and 365 days"),
            ("ttl: { after: soon }", "invalid span `soon`"),
            ("ttl: { delete_data: true }", "`after` is missing"),
            ("ttl: 8h\nproduction: true", "an environment in production does not expire"),
        ] {
            let faults = load(setting).err().unwrap_or_else(|| panic!("{setting} has no fault"));
            let faults = faults.list();
            assert!(faults.iter().any(|fault| fault.message.contains(expected)), "{setting}: {faults:?}");
            assert!(faults.iter().any(|fault| fault.line == 7), "{setting}: {faults:?}");
        }
    }
}
