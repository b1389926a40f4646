//! IAM takes a role or policy for attached that was detached a moment ago.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

#[derive(Default)]
pub(super) struct IamDeleteConflict(Countdown<Key>);

impl Manner for IamDeleteConflict {
    fn description(&self) -> &'static Description {
        &Description {
            name: "iam-delete-conflict",
            aws: "DeleteRole and DeletePolicy answer DeleteConflict for a moment after a policy was detached",
            source: "terraform-provider-aws internal/service/iam/role.go retries it; recorded form: LocalStack test_iam \
                     (delete-user-existing-credential)",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let form = request.form();
        let (name, message) = match (request.call.service.as_str(), request.call.operation.as_str()) {
            ("iam", "DeleteRole") => (form.get("RoleName")?, "Cannot delete entity, must detach all policies first."),
            ("iam", "DeletePolicy") => (form.get("PolicyArn")?, "Cannot delete a policy attached to entities."),
            _ => return None,
        };
        self.0.take(&request.global(name)).then(|| refusal::error(request.call, 409, "DeleteConflict", message))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("iam", &["DetachRolePolicy", "DeleteRolePolicy"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let form = request.form();
        if answer.status.is_success() {
            for name in ["RoleName", "PolicyArn"].into_iter().filter_map(|field| form.get(field)) {
                self.0.start(request.global(name), 1);
            }
        }
    }
}
