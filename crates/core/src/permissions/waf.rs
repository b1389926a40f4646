//! `waf`: what CloudFormation calls for the web ACL of AWS WAF, in addition to `stack`, by `handlers.*.permissions` of
//! AWS's resource schemas. One document would not hold both. Also for the deployment after `waf` was left out, which
//! deletes the web ACL.

use serde_json::Value;

use super::arns::Arns;
use super::reader::apis;
use super::statement::{allow, allow_if};
use crate::spec::names;

/// What the read handlers of `AWS::WAFv2::*` call.
pub(super) const READS: [&str; 4] =
    ["wafv2:GetIPSet", "wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:ListTagsForResource"];

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut changes = READS.to_vec();
    changes.extend([
        "wafv2:AssociateWebACL",
        "wafv2:CreateIPSet",
        "wafv2:CreateWebACL",
        "wafv2:DeleteIPSet",
        "wafv2:DeleteWebACL",
        "wafv2:TagResource",
        "wafv2:UntagResource",
        "wafv2:UpdateIPSet",
        "wafv2:UpdateWebACL",
    ]);
    let stages = || apis(&[&format!("/restapis/*/stages/{}", names::STAGE)]);
    vec![
        allow("WebAcls", &changes, arns.web_acls()),
        allow(
            "StagesOfWebAcls",
            &["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACLForResource"],
            stages(),
        ),
        // What decides whose stage it is: AWS WAF asks for both.
        allow_if("WebAclsOfStages", &["apigateway:SetWebACL"], stages(), arns.is_tagged()),
    ]
}
