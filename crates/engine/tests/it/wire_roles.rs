//! The permissions boundary of roles, and the role with which CloudFormation works.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use sftpctl_aws::StackRequest;
use sftpctl_core::kind::Kind;
use sftpctl_core::model::{Actual, Change, compare};
use sftpctl_engine::resources::resource::Resource;

use crate::drive::{environment, resource, resources};
use crate::stub::{Reply, Stub};
use crate::wire::REGION;

const STACK_ROLE: &str = "arn:aws:iam::111111111111:role/sftp-cloudformation";
const BOUNDARY: &str = "arn:aws:iam::111111111111:policy/sftp-boundary";

#[tokio::test]
async fn every_change_of_a_stack_names_the_stack_role() {
    let stub = Stub::new().await;
    let changes = ["CreateStack", "UpdateStack", "CreateChangeSet", "ContinueUpdateRollback", "DeleteStack"];
    for change in changes {
        stub.on(
            &format!("cloudformation:{change}"),
            [Reply::ok(format!("<{change}Response><{change}Result/></{change}Response>"))],
        );
    }
    let aws = Arc::into_inner(stub.aws(REGION).await).unwrap().with_stack_role(Some(STACK_ROLE.into()));
    let cloudformation = aws.cloudformation(REGION);
    let (parameters, tags) = (BTreeMap::new(), BTreeMap::new());
    let request = StackRequest { name: "s", token: "t", body: "{}", url: None, parameters: &parameters, tags: &tags };
    cloudformation.create(&request).await.unwrap();
    cloudformation.update(&request).await.unwrap();
    cloudformation.plan_import(&request, "c", &BTreeMap::new()).await.unwrap();
    cloudformation.continue_rollback("s", "t").await.unwrap();
    cloudformation.delete("s", "t").await.unwrap();
    for change in changes {
        let asked = stub.asked(&format!("cloudformation:{change}"));
        let role = "RoleARN=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fsftp-cloudformation";
        assert!(asked.len() == 1 && asked[0].body.contains(role), "{change}: {asked:?}");
    }
}

/// The user role of the environment with a boundary.
fn user_role() -> Arc<dyn Resource> {
    let mut environment = environment();
    environment.permissions_boundary = Some(BOUNDARY.into());
    resources(&environment).into_iter().find(|resource| resource.kind() == Kind::UserRole).unwrap()
}

#[tokio::test]
async fn user_role_is_created_with_the_boundary() {
    let stub = Stub::new().await;
    stub.on("iam:CreateRole", [Reply::ok("<CreateRoleResponse><CreateRoleResult/></CreateRoleResponse>")]);
    let (aws, role) = (stub.aws(REGION).await, user_role());
    let change = role.diff(None, &BTreeMap::new()).unwrap();
    let _ = role.apply(&aws, "call", &change, None, &BTreeMap::new()).await;
    let asked = stub.asked("iam:CreateRole");
    let boundary = "PermissionsBoundary=arn%3Aaws%3Aiam%3A%3A111111111111%3Apolicy%2Fsftp-boundary";
    assert!(asked.len() == 1 && asked[0].body.contains(boundary), "{asked:?}");
}

/// The printed policies allow changes only of a role with the boundary, so it comes first.
#[tokio::test]
async fn existing_role_gets_the_boundary_before_anything_else() {
    let stub = Stub::new().await;
    stub.on("iam:PutRolePermissionsBoundary", [Reply::ok("<PutRolePermissionsBoundaryResponse/>")]);
    let (aws, role) = (stub.aws(REGION).await, user_role());
    let live = sftpctl_core::model::Live::new("arn:aws:iam::111111111111:role/sftp-transfer");
    let properties = compare(&role.wanted(&BTreeMap::new()), &live.properties);
    assert_eq!(properties.len(), 3, "boundary, tags and trust policy: {properties:?}");
    let change = Change { action: sftpctl_core::model::Action::Update, reason: None, properties };
    role.apply(&aws, "call", &change, Some(&live), &BTreeMap::new()).await.unwrap();
    assert_eq!(stub.operations(), ["iam:PutRolePermissionsBoundary"]);
}

/// Otherwise a server of another account, whose owner knows the role's ARN, could have its customers read our files.
#[test]
fn user_role_is_assumed_for_servers_of_this_account_only() {
    let wanted = resource("global/user-role").wanted(&Actual::new());
    let sftpctl_core::model::Want::Is(trust) = &wanted["trust policy"] else { panic!("{wanted:?}") };
    let condition = &trust["Statement"][0]["Condition"];
    assert_eq!(condition["StringEquals"]["aws:SourceAccount"], "111111111111", "{trust}");
    let users = condition["ArnLike"]["aws:SourceArn"].as_array().unwrap();
    let is_ours = |arn: &serde_json::Value| {
        let arn = arn.as_str().unwrap_or_default();
        arn.starts_with("arn:aws:transfer:us-") && arn.ends_with(":111111111111:user/*")
    };
    assert!(!users.is_empty() && users.iter().all(is_ours), "{trust}");
}
