//! The permissions boundary, the role of the stacks, and the look-up of the hosted zone, on the local cloud.

use crate::site::Site;

const SETTINGS: &str = "\npermissions_boundary: arn:aws:iam::aws:policy/ReadOnlyAccess\n\
    stack_role: arn:aws:iam::111111111111:role/sftp-cloudformation\n";

/// An environment that gets the settings later has the boundary on its user role after one deployment, and nothing left
/// to do. MiniStack's CloudFormation ignores the boundary of a role, which drift finds.
#[test]
fn boundary_is_added_to_an_existing_user_role() {
    let site = Site::deployed("");
    site.edit(|file| format!("{file}{SETTINGS}"));
    let planned = site.planned();
    for node in ["global/user-role", "us-west-2/stack"] {
        assert!(planned.iter().any(|step| step == node), "{planned:?}");
    }
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    let drift = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(drift.contains("6 drifted") && !drift.contains("user-role"), "{drift}");
    let ignored = "PermissionsBoundary: arn:aws:iam::aws:policy/ReadOnlyAccess → (none)";
    assert_eq!(drift.matches(ignored).count(), 6, "{drift}");
}

#[test]
fn hosted_zone_of_a_policy_is_looked_up() {
    let site = Site::new();
    let policy = site.ok(&["policy", "deployer", "--env", "99", "--local"]);
    assert!(policy.contains("arn:aws:route53:::hostedzone/Z") && !policy.contains("hostedzone/*"), "{policy}");
}
