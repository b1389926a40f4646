//! The file systems of Amazon S3 Files, for each cluster with one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::prototype::Fitting;
use super::{TemplateError, cluster_stem, logical_stem};
use crate::spec::model::Environment;
use crate::spec::names;
use crate::spec::s3_files::{PosixUser, access_points};

/// The prototypes of a cluster.
const OWN: [&str; 4] = ["FilesRole", "FilesSystem", "FilesMountTarget", "FilesAccessPoint"];
/// The prototypes, and those of another fragment that they refer to.
const IDS: [&str; 6] = [OWN[0], OWN[1], OWN[2], OWN[3], "UploadBucket", "UploadBucketPolicy"];
/// The parameters in whose place the environment's values are.
pub(super) const PARAMETERS: [&str; 3] = ["FilesSubnet", "FilesSecurityGroup", "FilesUser"];

/// The name of the stack's output with the ID of a cluster's file system.
pub fn file_system_output(environment: &Environment, cluster: &str) -> String {
    format!("FilesSystem{}", cluster_stem(environment, cluster))
}

/// The name of the stack's output with the ID of an access point.
pub fn access_point_output(environment: &Environment, cluster: &str, user: PosixUser) -> String {
    format!("FilesAccessPoint{}u{}g{}", cluster_stem(environment, cluster), user.uid, user.gid)
}

/// Replaces the prototypes by the file system of each cluster of the region that has one. Returns the outputs: name,
/// and the resource and its attribute.
pub(super) fn repeat(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<BTreeMap<String, (&'static str, Value)>, TemplateError> {
    let mut take = |id: &'static str| resources.remove(id).ok_or(TemplateError::Lacks(id));
    let [role, system, target, point] = [take(OWN[0])?, take(OWN[1])?, take(OWN[2])?, take(OWN[3])?];
    let mut outputs = BTreeMap::new();
    for (cluster, settings) in &environment.s3_files {
        if !environment.is_in(cluster, region) {
            continue;
        }
        let bucket = names::upload_bucket(environment, cluster);
        let one = Fitting {
            texts: &[("${UploadBucketName}", &bucket)],
            refs: &[],
            ids: &IDS,
            stem: &cluster_stem(environment, cluster),
        };
        resources.insert(one.id(OWN[0]), one.value(&role));
        resources.insert(one.id(OWN[1]), one.value(&system));
        let id = json!({ "Fn::GetAtt": [one.id(OWN[1]), "FileSystemId"] });
        outputs.insert(file_system_output(environment, cluster), ("File system of the upload bucket", id));
        for subnet in &settings.subnets {
            let mut resource = one.value(&target);
            resource["Properties"]["SubnetId"] = json!(subnet);
            resource["Properties"]["SecurityGroups"] = json!(settings.security_groups);
            resources.insert(one.id(OWN[2]) + &logical_stem(subnet), resource);
        }
        for user in access_points(environment, cluster) {
            let mut resource = one.value(&point);
            resource["Properties"]["PosixUser"] = json!({ "Uid": user.uid.to_string(), "Gid": user.gid.to_string() });
            let name = access_point_output(environment, cluster, user);
            let id = json!({ "Fn::GetAtt": [name, "AccessPointId"] });
            resources.insert(name.clone(), resource);
            outputs.insert(name, ("Access point of the file system, for one user and group", id));
        }
    }
    Ok(outputs)
}

/// Adds the outputs.
pub(super) fn show(outputs: &mut Map<String, Value>, added: BTreeMap<String, (&'static str, Value)>) {
    for (name, (description, value)) in added {
        outputs.insert(name, json!({ "Description": description, "Value": value }));
    }
}
