//! AWS's own models of its resources, as cfn-lint and botocore contain them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::programs::{installed, packaged, succeeded};

/// The schema of a resource type in CloudFormation's registry (`aws cloudformation describe-type`), from cfn-lint.
pub fn resource_schema(kind: &str) -> Value {
    let region = read(&packaged("cfnlint/data/schemas/providers/us-east-1.json"));
    let digest = region[kind].as_str().unwrap_or_else(|| panic!("cfn-lint knows no type {kind}"));
    read(&packaged(&format!("cfnlint/data/schemas/resources/{digest}.json")))
}

/// The waiters of a service, from botocore: name → `acceptors` and more. `version`: of the service's API.
pub fn waiters(service: &str, version: &str) -> Value {
    read(&packaged(&format!("botocore/data/{service}/{version}/waiters-2.json")))["waiters"].clone()
}

/// The values of an enumeration in a service's model, from botocore.
pub fn states(service: &str, shape: &str) -> Vec<String> {
    let program = "import botocore.session, json, sys; service, shape = sys.argv[1:]; \
                   model = botocore.session.Session().get_service_model(service); \
                   print(json.dumps(model.shape_for(shape).enum))";
    let output = Command::new(installed("tools/bin/python")).args(["-c", program, service, shape]).output().unwrap();
    serde_json::from_str(&succeeded("botocore", &output)).unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
