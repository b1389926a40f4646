//! IAM does not know what it has just created.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Calls until a new role, policy or version is known.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct IamPropagation(Countdown<Key>);

impl Manner for IamPropagation {
    fn description(&self) -> &'static Description {
        &Description {
            name: "iam-propagation",
            aws: "For some seconds after CreateRole, CreatePolicy or CreatePolicyVersion, calls that name what was created \
                  answer NoSuchEntity",
            source: "terraform-provider-aws#127, #5409 and #6709: NoSuchEntity right after a creation",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        if request.call.service != "iam" || request.call.operation.starts_with("Create") {
            return None;
        }
        let form = request.form();
        let names = ["RoleName", "PolicyArn"].into_iter().filter_map(|field| form.get(field));
        let version = form.get("PolicyArn").zip(form.get("VersionId")).map(|(arn, version)| of_version(arn, version));
        let mut names = names.map(str::to_owned).chain(version);
        let unknown = names.find(|name| self.0.take(&request.global(name)))?;
        let what = if unknown.starts_with("arn:") { "Policy" } else { "The role with name" };
        Some(refusal::error(request.call, 404, "NoSuchEntity", &format!("{what} {unknown} cannot be found.")))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("iam", &["CreateRole", "CreatePolicy", "CreatePolicyVersion"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let form = request.form();
        let between = |tag: &str| {
            let (_, rest) = answer.text.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let created = match request.call.operation.as_str() {
            "CreateRole" => form.get("RoleName").map(str::to_owned),
            "CreatePolicy" => between("Arn"),
            _ => form.get("PolicyArn").zip(between("VersionId")).map(|(arn, version)| of_version(arn, &version)),
        };
        if let Some(created) = created {
            self.0.start(request.global(&created), CALLS);
        }
    }
}

fn of_version(arn: &str, version: &str) -> String {
    format!("{arn} version {version}")
}
