//! The authorizer's package: what S3 keeps under its key, and the code that the function has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use sftpctl_core::model::{Actual, Live};

use crate::drive::{deploy, resource, resources};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, node};

const BUCKET: &str = "/lambda-pl-upload-us-west-2";

/// The key of the wanted object, and the SHA-256 of its content in base64.
fn wanted() -> (String, String) {
    let package = resource("us-west-2/package");
    let wanted = package.wanted(&Actual::new());
    let text = |name: &str| match &wanted[name] {
        sftpctl_core::model::Want::Is(value) => value.as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    (text("object"), text("SHA-256"))
}

fn head(version: Option<&str>, sha256: Option<&str>) -> Reply {
    let mut reply = Reply::ok("");
    if let Some(version) = version {
        reply = reply.header("x-amz-version-id", version);
    }
    if let Some(sha256) = sha256 {
        reply = reply.header("x-amz-checksum-sha256", sha256);
    }
    reply
}

#[tokio::test]
async fn object_is_ours_only_with_our_content() {
    let (key, ours) = wanted();
    let stub = Stub::new().await;
    let object = format!("{BUCKET}/{key}");
    stub.on(
        &format!("s3:HEAD {object}"),
        [
            head(Some("v1"), Some(&ours)),
            head(Some("v2"), Some("AAAA")),
            // Parts that were uploaded separately have a digest of digests.
            head(Some("v3"), Some(&format!("{ours}-2"))),
            // Written without a digest: the content is read.
            head(Some("v4"), None),
        ],
    )
    .on(&format!("s3:GET {object}"), [Reply::ok("other code")]);
    let aws = stub.aws(REGION).await;
    let package = resource("us-west-2/package");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let live = package.read(&aws, None).await.unwrap().unwrap();
        let differs = package.diff(Some(&live), &Actual::new()).map(|change| change.properties);
        let names: Vec<_> = differs.into_iter().flatten().map(|property| property.name).collect();
        seen.push((live.outputs.get("VersionId").cloned(), names.join(" ")));
    }
    let other = || (None, "SHA-256".to_owned());
    assert_eq!(seen, [(Some("v1".to_owned()), String::new()), other(), other(), other()]);
}

/// AWS advises to wait for 15 minutes after versioning is turned on, before objects are written.
#[tokio::test]
async fn object_without_a_version_is_written_again_and_then_used() {
    let (key, ours) = wanted();
    let stub = Stub::new().await;
    stub.on(&format!("s3:HEAD {BUCKET}/{key}"), [head(Some("null"), Some(&ours))])
        .on(&format!("s3:PUT {BUCKET}?versioning"), [Reply::ok("")])
        .on(&format!("s3:PUT {BUCKET}/{key}"), [Reply::ok("")]);
    let all: Vec<_> = resources(&crate::drive::environment())
        .into_iter()
        .filter(|resource| resource.id().as_str() == "us-west-2/package")
        .collect();
    let ended = deploy(&stub.aws(REGION).await, &all, BTreeMap::new()).await;
    assert_eq!(ended.outcome(&node("us-west-2/package"))["outcome"], "changed");
    assert_eq!(stub.count(&format!("s3:PUT {BUCKET}/{key}")), 2);
    let live: &Live = ended.actual[&node("us-west-2/package")].as_ref().unwrap();
    assert_eq!(live.outputs["VersionId"], "");
}
