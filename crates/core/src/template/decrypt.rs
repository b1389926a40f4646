//! The workflow that decrypts what customers upload, and the role that it runs with.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::TemplateError;
use super::prototype::Fitting;
use crate::hex;
use crate::spec::decrypt::of_region;
use crate::spec::model::Environment;
use crate::spec::names;

const ROLE: &str = "DecryptRole";
/// The logical ID of the workflow begins so, and its output, which has the same name.
pub const DECRYPT_WORKFLOW: &str = "DecryptWorkflow";
/// The output with the role's ARN.
pub const DECRYPT_ROLE: &str = "DecryptRoleArn";
/// The folder for decrypted files in the source.
const FOLDER: &str = "decrypted/";

/// Fills in bucket and folder, and names the workflow after its properties; takes everything away if no cluster of
/// the region is decrypted.
pub(super) fn fit(environment: &Environment, region: &str, template: &mut Value) -> Result<(), TemplateError> {
    let mut take = |section: &str, id: &'static str| {
        let section = template[section].as_object_mut();
        section.and_then(|all| all.remove(id)).ok_or(TemplateError::Lacks(id))
    };
    let (role, workflow) = (take("Resources", ROLE)?, take("Resources", DECRYPT_WORKFLOW)?);
    let (arn, mut id) = (take("Outputs", DECRYPT_ROLE)?, take("Outputs", DECRYPT_WORKFLOW)?);
    let Some((cluster, decrypt)) = of_region(environment, region) else { return Ok(()) };
    let bucket = names::upload_bucket(environment, cluster);
    let texts = [("${UploadBucketName}", bucket.as_str()), (FOLDER, &decrypt.to)];
    // Compared with the template that AWS gives back, and with what Transfer Family shows: the name itself.
    let literal = json!(bucket);
    let one = Fitting { texts: &texts, refs: &[("UploadBucketName", &literal)], ids: &[], stem: "" };
    let workflow = one.value(&workflow);
    let digest = hex::encode(&Sha256::digest(workflow["Properties"].to_string().as_bytes()));
    let name = format!("{DECRYPT_WORKFLOW}{}", &digest[..10]);
    id["Value"] = json!({ "Fn::GetAtt": [name, "WorkflowId"] });
    template["Resources"][ROLE] = one.value(&role);
    template["Resources"][&name] = workflow;
    template["Outputs"][DECRYPT_ROLE] = arn;
    template["Outputs"][&name] = id;
    Ok(())
}

/// The name of the output with the workflow's ID, in a rendered template.
pub fn decrypt_output(template: &Value) -> Option<&String> {
    template["Outputs"].as_object()?.keys().find(|name| name.starts_with(DECRYPT_WORKFLOW))
}

#[cfg(test)]
mod tests {
    use super::super::{Code, render};
    use super::*;
    use crate::spec;

    fn rendered(decrypt: &str, region: &str) -> Value {
        let file = "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                    regions: { us-west-2: { server: true }, us-east-1: { server: true } }\n\
                    clusters: { 9-5: us-west-2 }\n";
        let environment = spec::load(&format!("{file}files: {{ {decrypt} }}\n"), "x.yaml").unwrap();
        render(&environment, region, &Code { bucket: "b".into(), key: "k".into() }).unwrap().template
    }

    #[test]
    fn the_workflow_is_named_after_what_it_does() {
        let template = rendered("decrypt: { 9-5: {} }", "us-west-2");
        let name = decrypt_output(&template).unwrap();
        let step = &template["Resources"][name]["Properties"]["Steps"][0]["DecryptStepDetails"];
        let place = &step["DestinationFileLocation"]["S3FileLocation"];
        assert_eq!(place, &json!({ "Bucket": "pl-pt9-5-uploads", "Key": "decrypted/${Transfer:UserName}/" }));
        assert_eq!(template["Outputs"][name]["Value"]["Fn::GetAtt"], json!([name, "WorkflowId"]));
        let role = template["Resources"][ROLE].to_string();
        assert!(role.contains("arn:aws:s3:::pl-pt9-5-uploads/decrypted/*"), "{role}");
        assert!(role.contains("arn:aws:s3:::pl-pt9-5-uploads/*\""), "{role}");

        let other = rendered("decrypt: { 9-5: { to: in/plain/ } }", "us-west-2");
        let renamed = decrypt_output(&other).unwrap();
        assert_ne!(name, renamed);
        let text = other.to_string();
        assert!(text.contains("\"in/plain/${Transfer:UserName}/\"") && !text.contains("decrypted/"), "{text}");
        assert!(text.contains("arn:aws:s3:::pl-pt9-5-uploads/in/plain/*"), "{text}");

        for (decrypt, region) in [("decrypt: { 9-5: {} }", "us-east-1"), ("events: true", "us-west-2")] {
            let without = rendered(decrypt, region);
            assert!(
                decrypt_output(&without).is_none() && !without.to_string().contains("Decrypt"),
                "{decrypt} {region}"
            );
        }
    }
}
