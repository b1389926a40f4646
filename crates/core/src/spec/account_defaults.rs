//! `defaults`: what a new account of a cluster gets where nothing else is said. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::guard::check_range;
use super::raw::RegionSettings;
use crate::yaml::Checker;

/// What a new account of a cluster gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDefaults {
    /// Whether it is disabled until somebody enables it.
    pub disabled: bool,
    /// Days from its addition until it is refused.
    pub expires_days: Option<u32>,
    /// Address ranges to admit; empty for all addresses.
    pub allow: Vec<String>,
    /// Regions in which it may log in; empty for all.
    pub regions: Vec<String>,
    /// Text for operators.
    pub note: Option<String>,
}

/// The defaults of a cluster as they are written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccountDefaults")]
pub(super) struct Setting {
    /// `active`, or `disabled` until `users enable`. Default `active`.
    #[schemars(with = "Option<String>")]
    status: Option<Spanned<String>>,
    /// Days from its addition until its log-ins are refused, 1 to 3650. Default: never.
    #[schemars(with = "Option<u32>")]
    expires_days: Option<Spanned<u32>>,
    /// Address ranges from which it is admitted. Default: all.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allow: Vec<Spanned<String>>,
    /// Regions whose server admits it. Default: all.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    regions: Vec<Spanned<String>>,
    /// Text for operators, at most 500 characters.
    #[schemars(with = "Option<String>")]
    note: Option<Spanned<String>>,
}

/// The defaults as they are written, by cluster.
pub(super) type Settings = BTreeMap<String, Spanned<Setting>>;

const STATUSES: [&str; 2] = ["active", "disabled"];
/// Characters of a note.
const LONGEST_NOTE: usize = 500;

/// The defaults with plain values.
pub(super) fn fill(settings: Settings) -> BTreeMap<String, AccountDefaults> {
    let values = |list: Vec<Spanned<String>>| list.into_iter().map(|one| one.value).collect();
    let one = |setting: Setting| AccountDefaults {
        disabled: setting.status.is_some_and(|status| status.value == "disabled"),
        expires_days: setting.expires_days.map(|days| days.value),
        allow: values(setting.allow),
        regions: values(setting.regions),
        note: setting.note.map(|note| note.value),
    };
    settings.into_iter().map(|(cluster, setting)| (cluster, one(setting.value))).collect()
}

/// Finds the faults of all defaults.
pub(super) fn check(
    checker: &mut Checker<'_>,
    settings: &Settings,
    clusters: &BTreeMap<String, Spanned<String>>,
    regions: &BTreeMap<String, Spanned<RegionSettings>>,
) {
    let known = |names: Vec<&str>| Some(format!("known are {}", names.join(", ")));
    for (cluster, place) in settings {
        if !clusters.contains_key(cluster) {
            checker.key_fault(cluster, place, format!("unknown cluster `{cluster}`")).hint =
                known(clusters.keys().map(String::as_str).collect());
        }
        let setting = &place.value;
        if let Some(status) = &setting.status {
            checker.one_of(status, "status", &STATUSES);
        }
        checker.between(setting.expires_days.as_ref(), "`expires_days`", 1, 3650);
        for range in &setting.allow {
            check_range(checker, range);
        }
        for region in setting.regions.iter().filter(|region| !regions.contains_key(&region.value)) {
            checker.fault(region, format!("{} is not among `regions`", region.value)).hint =
                known(regions.keys().map(String::as_str).collect());
        }
        if let Some(note) = setting.note.as_ref().filter(|note| note.value.chars().count() > LONGEST_NOTE) {
            checker.fault(note, format!("the note has more than {LONGEST_NOTE} characters"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{self, Faults};

    fn load(defaults: &str) -> Result<BTreeMap<String, AccountDefaults>, Faults> {
        let file = format!(
            "version: 1\nenvironment: \"99\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions: {{ us-west-2: {{ server: true }} }}\nclusters: {{ 99-5: us-west-2, 99-6: us-west-2 }}\n\
             defaults: {{ {defaults} }}\n"
        );
        spec::load(&file, "99.yaml").map(|environment| environment.defaults)
    }

    #[test]
    fn defaults_are_those_of_a_cluster() {
        assert_eq!(load("").ok(), Some(BTreeMap::new()));
        let given = "99-5: { status: disabled, expires_days: 90, allow: [192.0.2.0/24], regions: [us-west-2], \
                     note: trial }, 99-6: {}";
        let all = load(given).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        let expected = AccountDefaults {
            disabled: true,
            expires_days: Some(90),
            allow: vec!["192.0.2.0/24".into()],
            regions: vec!["us-west-2".into()],
            note: Some("trial".into()),
        };
        assert_eq!((&all["99-5"], &all["99-6"]), (&expected, &AccountDefaults::default()));
    }

    #[test]
    fn defaults_that_no_account_can_have_are_refused() {
        let long = format!("99-5: {{ note: {} }}", "x".repeat(501));
        for (defaults, expected) in [
            ("99-7: {}", "unknown cluster `99-7`"),
            ("99-5: { status: locked }", "invalid status `locked`"),
            ("99-5: { expires_days: 0 }", "`expires_days` is 0"),
            ("99-5: { expires_days: 3651 }", "`expires_days` is 3651"),
            ("99-5: { allow: [192.0.2.1/24] }", "`192.0.2.1/24` is not a range"),
            ("99-5: { regions: [us-east-1] }", "us-east-1 is not among `regions`"),
            (&long, "more than 500 characters"),
            ("99-5: { home: /x }", "unknown setting `home`"),
        ] {
            let faults = load(defaults).err().unwrap_or_else(|| panic!("{defaults} has no fault"));
            assert!(faults.list().iter().any(|fault| fault.message.contains(expected)), "{:?}", faults.list());
        }
    }
}
