//! IAM.

use super::need::{Asked, Need, tag_form};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("AttachRolePolicy", "iam:AttachRolePolicy", "role"),
    ("CreatePolicy", "iam:CreatePolicy", "policy"),
    ("CreatePolicyVersion", "iam:CreatePolicyVersion", "policy"),
    ("CreateRole", "iam:CreateRole", "role"),
    ("CreateServiceLinkedRole", "iam:CreateServiceLinkedRole", "role"),
    ("DeletePolicy", "iam:DeletePolicy", "policy"),
    ("DeletePolicyVersion", "iam:DeletePolicyVersion", "policy"),
    ("DeleteRole", "iam:DeleteRole", "role"),
    ("DeleteRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary", "role"),
    ("DeleteRolePolicy", "iam:DeleteRolePolicy", "role"),
    ("DetachRolePolicy", "iam:DetachRolePolicy", "role"),
    ("GetAccountSummary", "iam:GetAccountSummary", ""),
    ("GetPolicy", "iam:GetPolicy", "policy"),
    ("GetPolicyVersion", "iam:GetPolicyVersion", "policy"),
    ("GetRole", "iam:GetRole", "role"),
    ("GetRolePolicy", "iam:GetRolePolicy", "role"),
    ("ListAttachedRolePolicies", "iam:ListAttachedRolePolicies", "role"),
    ("ListEntitiesForPolicy", "iam:ListEntitiesForPolicy", "policy"),
    ("ListPolicies", "iam:ListPolicies", ""),
    ("ListPolicyTags", "iam:ListPolicyTags", "policy"),
    ("ListPolicyVersions", "iam:ListPolicyVersions", "policy"),
    ("ListRolePolicies", "iam:ListRolePolicies", "role"),
    ("ListRoleTags", "iam:ListRoleTags", "role"),
    ("ListRoles", "iam:ListRoles", ""),
    ("PutRolePermissionsBoundary", "iam:PutRolePermissionsBoundary", "role"),
    ("PutRolePolicy", "iam:PutRolePolicy", "role"),
    ("SetDefaultPolicyVersion", "iam:SetDefaultPolicyVersion", "policy"),
    ("SimulateCustomPolicy", "iam:SimulateCustomPolicy", ""),
    ("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", "role"),
    ("TagPolicy", "iam:TagPolicy", "policy"),
    ("TagRole", "iam:TagRole", "role"),
    ("UntagPolicy", "iam:UntagPolicy", "policy"),
    ("UntagRole", "iam:UntagRole", "role"),
    ("UpdateAssumeRolePolicy", "iam:UpdateAssumeRolePolicy", "role"),
    ("UpdateRole", "iam:UpdateRole", "role"),
    ("UpdateRoleDescription", "iam:UpdateRoleDescription", "role"),
];

/// The actions that the boundary of an existing role is a condition of. CreateRole and PutRolePermissionsBoundary have
/// it in the request.
const OF_A_BOUNDED_ROLE: [&str; 8] = [
    "AttachRolePolicy",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let tags = tag_form(asked.form);
    let keys = (1..).map_while(|number| asked.form.get(&format!("TagKeys.member.{number}"))).map(str::to_owned);
    let resource = resource(kind, asked)?;
    let mut own = Need::new(action, kind, &resource);
    own = if tags.is_empty() { own.with_keys(keys) } else { own.with_tags(&tags) };
    if let Some(policy) = asked.form.get("PolicyArn").filter(|_| kind == "role") {
        own = own.with("iam:PolicyARN", policy);
    }
    if let Some(service) = asked.form.get("AWSServiceName") {
        own = own.with("iam:AWSServiceName", service);
    }
    let of_role = asked.known.boundary.as_deref().filter(|_| OF_A_BOUNDED_ROLE.contains(&asked.operation));
    if let Some(boundary) = asked.form.get("PermissionsBoundary").or(of_role) {
        own = own.with("iam:PermissionsBoundary", boundary);
    }
    // Tags on creation need the permission to tag as well (IAM user guide, "Tagging IAM resources").
    let tagging = match asked.operation {
        "CreateRole" if !tags.is_empty() => Some(Need::new("iam:TagRole", "role", resource).with_tags(&tags)),
        "CreatePolicy" if !tags.is_empty() => Some(Need::new("iam:TagPolicy", "policy", resource).with_tags(&tags)),
        _ => None,
    };
    Ok(std::iter::once(own).chain(tagging).collect())
}

fn resource(kind: &str, asked: &Asked<'_>) -> Result<String, String> {
    let account = asked.account;
    let path = asked.form.get("Path").unwrap_or("/");
    Ok(match (kind, asked.operation) {
        ("", _) => "*".to_owned(),
        ("role", "CreateServiceLinkedRole") => {
            let service = asked.field("AWSServiceName")?;
            // The name is the service's secret; policies end in `*`.
            format!("arn:aws:iam::{account}:role/aws-service-role/{service}/AWSServiceRole")
        }
        ("role", "SimulatePrincipalPolicy") => asked.field("PolicySourceArn")?.to_owned(),
        ("role", "CreateRole") => format!("arn:aws:iam::{account}:role{path}{}", asked.field("RoleName")?),
        ("role", _) => match &asked.known.arn {
            Some(arn) => arn.clone(),
            None => format!("arn:aws:iam::{account}:role/{}", asked.field("RoleName")?),
        },
        (_, "CreatePolicy") => format!("arn:aws:iam::{account}:policy{path}{}", asked.field("PolicyName")?),
        _ => asked.field("PolicyArn")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::need::Known;
    use super::super::table::tests::{asked, asked_with, shown};

    fn post(form: &str) -> hyper::Request<String> {
        hyper::Request::post("/").body(form.to_owned()).unwrap()
    }

    const POLICY: &str = "arn:aws:iam::111111111111:policy/p";

    #[test]
    fn creation_with_tags_needs_tagging() {
        let form =
            format!("RoleName=r&Path=/a/&PermissionsBoundary={POLICY}&Tags.member.1.Key=k&Tags.member.1.Value=v");
        let needs = asked("iam", "CreateRole", post(&form));
        let role = "arn:aws:iam::111111111111:role/a/r";
        assert_eq!(shown(&needs), [("iam:CreateRole", role), ("iam:TagRole", role)]);
        assert_eq!(needs[0].context["iam:PermissionsBoundary"], [POLICY]);
        assert_eq!(needs[0].context["aws:RequestTag/k"], ["v"]);
        let needs = asked("iam", "CreatePolicy", post("PolicyName=p"));
        assert_eq!(shown(&needs), [("iam:CreatePolicy", POLICY)]);
    }

    #[test]
    fn attaching_depends_on_the_policy_and_the_roles_path() {
        let arn = "arn:aws:iam::111111111111:role/team/r";
        let known = Known { arn: Some(arn.to_owned()), boundary: Some("arn:aws:iam::1:policy/b".to_owned()) };
        let form = format!("RoleName=r&PolicyArn={POLICY}");
        let needs = asked_with("iam", "AttachRolePolicy", post(&form), &known);
        assert_eq!(shown(&needs), [("iam:AttachRolePolicy", arn)]);
        assert_eq!(needs[0].context["iam:PolicyARN"], [POLICY]);
        assert_eq!(needs[0].context["iam:PermissionsBoundary"], ["arn:aws:iam::1:policy/b"]);
    }

    #[test]
    fn service_linked_roles_name_their_service() {
        let needs = asked("iam", "CreateServiceLinkedRole", post("AWSServiceName=replication.dynamodb.amazonaws.com"));
        assert_eq!(needs[0].context["iam:AWSServiceName"], ["replication.dynamodb.amazonaws.com"]);
        assert!(needs[0].resource.contains(":role/aws-service-role/replication.dynamodb.amazonaws.com/"));
    }
}
