//! `moved`: clusters that have another name now. Pure.
//!
//! S3 renames no bucket, and CloudFormation no resource: under new names, an empty bucket would stand beside the old
//! one, and no customer would find its files. So a renamed cluster is the same cluster in AWS, by the names that it had
//! first, and only people and commands call it by its new name.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::yaml::Checker;

/// A cluster's former name, and the one that followed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Moved")]
pub(super) struct Setting {
    /// The cluster's name so far, which `clusters` no longer has.
    #[schemars(with = "String")]
    from: Spanned<String>,
    /// Its name in `clusters`; or one that it had in between, with a line of its own.
    #[schemars(with = "String")]
    to: Spanned<String>,
}

/// The former names by those that followed.
pub(super) fn fill(settings: Vec<Setting>) -> BTreeMap<String, String> {
    settings.into_iter().map(|setting| (setting.to.value, setting.from.value)).collect()
}

/// The first name of a cluster. `before` gives the former one of a name, and `most` is how many names have one.
pub(super) fn origin<'a>(cluster: &'a str, before: impl Fn(&str) -> Option<&'a str>, most: usize) -> &'a str {
    let mut name = cluster;
    for _ in 0..most {
        let Some(former) = before(name) else { break };
        name = former;
    }
    name
}

/// The first name of a cluster of the file.
pub(super) fn of<'a>(settings: &'a [Setting], cluster: &'a str) -> &'a str {
    let before = |name: &str| {
        let setting = settings.iter().find(|setting| setting.to.value == name);
        setting.map(|setting| setting.from.value.as_str())
    };
    origin(cluster, before, settings.len())
}

/// Finds the faults of all lines.
pub(super) fn check(checker: &mut Checker<'_>, settings: &[Setting], clusters: &BTreeMap<String, Spanned<String>>) {
    let (mut left, mut reached) = (BTreeSet::new(), BTreeSet::new());
    for Setting { from, to } in settings {
        if from.value.is_empty() {
            checker.fault(from, "a cluster has a name").hint = Some("its name so far, as `99-5`".into());
        } else if clusters.contains_key(&from.value) {
            let message = format!("cluster {} is still in `clusters`, with its bucket", from.value);
            checker.fault(from, message).hint = Some("rename it there, or remove this line".into());
        } else if !left.insert(from.value.as_str()) {
            checker.fault(from, format!("cluster {} moves twice", from.value));
        }
        if !reached.insert(to.value.as_str()) {
            checker.fault(to, format!("two clusters become {}", to.value));
        } else if !arrives(settings, clusters, &to.value) {
            let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
            let message = format!("cluster {} becomes {}, which is not in `clusters`", from.value, to.value);
            checker.fault(to, message).hint = Some(format!("its clusters are {}", known.join(", ")));
        }
    }
}

/// Whether a name is that of a cluster now, or becomes it.
fn arrives(settings: &[Setting], clusters: &BTreeMap<String, Spanned<String>>, name: &str) -> bool {
    let mut name = name;
    for _ in 0..=settings.len() {
        if clusters.contains_key(name) {
            return true;
        }
        match settings.iter().find(|setting| setting.from.value == name) {
            Some(next) => name = &next.to.value,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::spec::model::Environment;
    use crate::spec::{self, Faults, names};

    fn load(moved: &str) -> Result<Environment, Faults> {
        let file = format!(
            "version: 1\nenvironment: \"99\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions: {{ us-west-2: {{ server: true }} }}\nclusters: {{ 99-7: us-west-2, 99-8: us-west-2 }}\n\
             moved: {moved}\n"
        );
        spec::load(&file, "99.yaml")
    }

    #[test]
    fn a_renamed_cluster_keeps_its_first_names_in_aws() {
        for (moved, bucket, queue) in [
            ("[]", "pl-pt99-7-uploads", "99-upload-99-7-events"),
            ("[{ from: 99-5, to: 99-7 }]", "pl-pt99-5-uploads", "99-upload-99-5-events"),
            ("[{ from: 99-6, to: 99-7 }, { from: 99-5, to: 99-6 }]", "pl-pt99-5-uploads", "99-upload-99-5-events"),
        ] {
            let environment = load(moved).unwrap_or_else(|faults| panic!("{moved}: {}", faults.render(false)));
            assert_eq!(names::upload_bucket(&environment, "99-7"), bucket, "{moved}");
            assert_eq!(names::events_queue(&environment, "99-7"), queue, "{moved}");
            assert_eq!(names::upload_bucket(&environment, "99-8"), "pl-pt99-8-uploads", "{moved}");
        }
    }

    #[test]
    fn moves_that_lose_or_share_a_bucket_are_refused() {
        for (moved, expected) in [
            ("[{ from: 99-8, to: 99-7 }]", "cluster 99-8 is still in `clusters`"),
            ("[{ from: 99-7, to: 99-7 }]", "cluster 99-7 is still in `clusters`"),
            ("[{ from: 99-5, to: 99-9 }]", "cluster 99-5 becomes 99-9, which is not in `clusters`"),
            ("[{ from: 99-5, to: 99-7 }, { from: 99-5, to: 99-8 }]", "cluster 99-5 moves twice"),
            ("[{ from: 99-5, to: 99-7 }, { from: 99-6, to: 99-7 }]", "two clusters become 99-7"),
            ("[{ from: 99-5, to: 99-6 }, { from: 99-6, to: 99-5 }]", "becomes 99-6, which is not in `clusters`"),
            ("[{ from: \"\", to: 99-7 }]", "a cluster has a name"),
            ("[{ from: a_b, to: 99-7 }]", "bucket name"),
            ("[{ from: 99-5, two: 99-7 }]", "unknown setting `two`"),
        ] {
            let faults = load(moved).err().unwrap_or_else(|| panic!("{moved} has no fault"));
            let faults = faults.list();
            assert!(faults.iter().any(|fault| fault.message.contains(expected)), "{moved}: {faults:?}");
        }
    }

    /// Its logical IDs in the templates, the policies and the alarms stay, too: nothing is replaced.
    #[test]
    fn the_template_of_a_renamed_cluster_is_the_same() {
        use crate::template::{Code, render};
        let of = |clusters: &str, more: &str| {
            let file = format!(
                "version: 1\nenvironment: \"99\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                 regions: {{ us-west-2: {{ server: true }}, us-east-1: {{ server: true }} }}\n\
                 clusters: {{ {clusters} }}\nfiles: {{ events: true, malware_scan: {{}} }}\n\
                 alarms: {{ dead_letters: true }}\n{more}\n"
            );
            let environment = spec::load(&file, "99.yaml").unwrap();
            ["us-west-2", "us-east-1"].map(|region| {
                let code = Code { bucket: format!("code-{region}"), key: "a.zip".into() };
                render(&environment, region, &code).unwrap().digest
            })
        };
        let s3_files = |cluster: &str| {
            format!(
                "s3_files: {{ {cluster}: {{ subnets: [subnet-01234567], security_groups: [sg-01234567] }} }}\n\
                 mounts: {{ main: [{{ kind: s3files, cluster: {cluster}, at: /a, uid: 48, gid: 48 }}] }}"
            )
        };
        let before = of("99-5: us-west-2, 99-6: us-east-1", &s3_files("99-5"));
        let moved = "\nmoved: [{ from: 99-5, to: 99-7 }]";
        let after = of("99-7: us-west-2, 99-6: us-east-1", &(s3_files("99-7") + moved));
        assert_eq!(after, before);
        assert_ne!(of("99-7: us-west-2, 99-6: us-east-1", &s3_files("99-7")), before, "without the line");
    }
}
