//! `files.decrypt`: the clusters whose files are decrypted when they arrive, by a workflow of the region's server.
//! Pure.

use std::collections::BTreeMap;

use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::model::Environment;
use super::raw::RegionSettings;
use crate::yaml::Checker;

/// How the files of a cluster are decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decrypt {
    /// The folder of the upload bucket for decrypted files, with a `/` at its end; in it each user has a folder.
    pub to: String,
}

/// By cluster.
pub(super) type Settings = BTreeMap<String, Spanned<Setting>>;

/// Decryption with PGP of the files that arrive in a cluster: `{}` puts them below `decrypted/`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Decrypt")]
pub(super) struct Setting {
    /// Folder of the upload bucket for decrypted files, with `/` at its end. Each user has a folder in it, and files
    /// keep their names, without those of the folders that they were uploaded to. Default `decrypted/`.
    #[schemars(with = "Option<String>", regex(pattern = FOLDER))]
    to: Option<Spanned<String>>,
}

const TO: &str = "decrypted/";
const FOLDER: &str = "^([A-Za-z0-9_.-]+/)+$";
/// Characters of a folder. S3 has 1,024 bytes for the whole key, with the names of user and file.
const CHARACTERS: usize = 200;

/// The name of a secret with the private key for all users of a server (Transfer Family user guide, "Manage PGP keys").
pub fn default_secret(server: &str) -> String {
    format!("aws/transfer/{server}/@pgp-default")
}

/// The cluster of a region whose files are decrypted: there is one at most.
pub fn of_region<'a>(environment: &'a Environment, region: &str) -> Option<(&'a String, &'a Decrypt)> {
    environment.decrypt.iter().find(|(cluster, _)| environment.is_in(cluster, region))
}

/// Resources in the stack of the cluster's region: the role and the workflow.
pub(super) fn resources(settings: &Settings, cluster: &str) -> usize {
    if settings.contains_key(cluster) { 2 } else { 0 }
}

pub(super) fn fill(settings: Settings) -> BTreeMap<String, Decrypt> {
    let filled = |setting: Setting| Decrypt { to: setting.to.map_or_else(|| TO.to_owned(), |to| to.value) };
    settings.into_iter().map(|(cluster, setting)| (cluster, filled(setting.value))).collect()
}

pub(super) fn check(
    checker: &mut Checker<'_>,
    settings: &Settings,
    clusters: &BTreeMap<String, Spanned<String>>,
    regions: &BTreeMap<String, Spanned<RegionSettings>>,
) {
    for (cluster, setting) in settings {
        let Some(region) = clusters.get(cluster).map(|region| region.value.as_str()) else {
            checker.key_fault(cluster, setting, format!("`{cluster}` is not among `clusters`"));
            continue;
        };
        if !regions.get(region).is_some_and(|settings| settings.value.server.is_there()) {
            let message = format!("cluster {cluster} is in {region}, which has no server that could decrypt its files");
            checker.key_fault(cluster, setting, message).hint = Some(format!("add `{region}: {{ server: true }}`"));
        }
        let others: Vec<&str> = clusters
            .iter()
            .filter(|(other, of)| *other != cluster && of.value == region)
            .map(|(other, _)| other.as_str())
            .collect();
        // Transfer Family API reference, `WorkflowDetails`: one workflow for uploads, and its step has one bucket,
        // whose name takes no variable. `ExecutionError`: one new execution a second.
        if !others.is_empty() {
            let message = format!(
                "cluster {cluster} shares the server of {region} with {}: AWS starts the server's one workflow for \
                 every upload, to whichever cluster, one a second in the long run, and it decrypts into one bucket",
                others.join(", ")
            );
            checker.key_fault(cluster, setting, message).hint =
                Some("give the cluster a region of its own, or an environment".into());
        }
        if let Some(to) = &setting.value.to {
            check_folder(checker, to);
        }
    }
}

fn check_folder(checker: &mut Checker<'_>, to: &Spanned<String>) {
    let fits = Regex::new(FOLDER).is_ok_and(|pattern| pattern.is_match(&to.value)) && to.value.len() <= CHARACTERS;
    let mut parts = to.value.split('/');
    let first = parts.clone().next().unwrap_or_default();
    if !fits || parts.any(|part| part == "." || part == "..") {
        checker.fault(to, format!("invalid folder `{}` for decrypted files", to.value)).hint = Some(format!(
            "for example `decrypted/`: letters, digits and `_.-`, a `/` at its end, at most {CHARACTERS} characters"
        ));
    } else if first.bytes().all(|byte| byte.is_ascii_digit()) {
        let message =
            format!("decrypted files in `{}` could be in a customer's folder, whose name is a number", to.value);
        checker.fault(to, message).hint = Some("use a name with letters, for example `decrypted/`".into());
    }
}

/// Regions with a server where files of a cluster arrive and are not decrypted, since their bucket is in another
/// region.
pub(super) fn servers_elsewhere<'a>(environment: &'a Environment, cluster: &str) -> Vec<&'a str> {
    let home = environment.clusters.get(cluster).map(|cluster| cluster.region.as_str());
    let servers = environment.regions.iter().filter(|(_, settings)| settings.server);
    servers.map(|(region, _)| region.as_str()).filter(|region| Some(*region) != home).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;
    use crate::spec::Faults;

    const FILE: &str = "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                        regions: { us-west-2: { server: true }, us-east-1: { server: true }, us-east-2: {} }\n\
                        clusters: { 9-5: us-west-2, 9-6: us-east-1, 9-7: us-east-1, 9-8: us-east-2 }\n";

    fn load(decrypt: &str) -> Result<Environment, Faults> {
        spec::load(&format!("{FILE}files: {{ decrypt: {decrypt} }}\n"), "x.yaml")
    }

    #[test]
    fn a_cluster_of_its_own_is_decrypted() {
        let environment = load("{ 9-5: {} }").unwrap();
        let of = |region: &str| {
            of_region(&environment, region).map(|(cluster, decrypt)| (cluster.as_str(), decrypt.to.as_str()))
        };
        assert_eq!((of("us-west-2"), of("us-east-1")), (Some(("9-5", "decrypted/")), None));
        assert_eq!(load("{ 9-5: { to: in/plain/ } }").unwrap().decrypt["9-5"].to, "in/plain/");
        let warnings = spec::warnings(&environment);
        let said = warnings.iter().find(|warning| warning.contains("`files.decrypt`")).unwrap();
        assert!(said.contains("9-5") && said.contains("us-east-1") && !said.contains("us-east-2"), "{said}");
        assert_eq!(default_secret("s-1"), "aws/transfer/s-1/@pgp-default");
    }

    #[test]
    fn faults_name_the_value_and_the_reason() {
        for (decrypt, message) in [
            ("{ 9-9: {} }", "`9-9` is not among `clusters`"),
            (
                "{ 9-6: {} }",
                "cluster 9-6 shares the server of us-east-1 with 9-7: AWS starts the server's one workflow",
            ),
            ("{ 9-8: {} }", "cluster 9-8 is in us-east-2, which has no server"),
            ("{ 9-5: { to: plain } }", "invalid folder `plain`"),
            ("{ 9-5: { to: /plain/ } }", "invalid folder `/plain/`"),
            ("{ 9-5: { to: a/../b/ } }", "invalid folder `a/../b/`"),
            ("{ 9-5: { to: \"${Transfer:UserName}/\" } }", "invalid folder `${Transfer:UserName}/`"),
            ("{ 9-5: { to: 17578/plain/ } }", "could be in a customer's folder"),
        ] {
            let faults = load(decrypt).unwrap_err();
            assert!(faults.list().iter().any(|fault| fault.message.contains(message)), "{decrypt}: {faults:?}");
        }
        let long = format!("{{ 9-5: {{ to: {}/ }} }}", "a".repeat(CHARACTERS));
        assert!(load(&long).is_err());
    }
}
