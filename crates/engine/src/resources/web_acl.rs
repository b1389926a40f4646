//! The web ACL of another owner on the stage of a region's API. A stage has one web ACL, and AWS puts a new one in the place
//! of another without a word (pulumi-aws, issue 4782): so it is looked for before a stack gets its own.

use serde_json::Value;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::spec::names::STAGE;

use super::stack::Stack;

/// The property of a stack whose stage is behind it.
pub(super) const FOREIGN: &str = "web ACL of another owner";
/// The template's web ACL.
const LOGICAL_ID: &str = "WebAcl";

impl Stack {
    /// The ARN of a web ACL on the stage that is not the template's; `None` also if the template has none.
    pub(super) async fn foreign_web_acl(&self, aws: &Aws, api: Option<&str>) -> Result<Option<String>, AwsError> {
        let Some(api) = api.filter(|_| self.template["Resources"].get(LOGICAL_ID).is_some()) else { return Ok(None) };
        let stage = aws.apigateway(&self.region).stage(api, STAGE).await?;
        let own = self.parameters.get("ResourceStem").map_or("", String::as_str);
        Ok(stage.and_then(|stage| stage.web_acl).filter(|arn| !is_named(arn, own)))
    }

    /// Why no web ACL can be deployed to a stage that has another owner's.
    pub(super) fn refusal_of_foreign_web_acl(&self, arn: &Value) -> String {
        let arn = arn.as_str().unwrap_or_default();
        format!(
            "the API of {} is behind the web ACL {arn}, which was associated outside sftpctl, perhaps by AWS Firewall Manager; \
             a stage has only one. Leave `waf` out of the environment file, or let the owner of that web ACL take it off the \
             stage {STAGE}",
            self.name,
        )
    }
}

/// Whether an ARN, `…:regional/webacl/NAME/ID`, is that of a web ACL of this name.
fn is_named(arn: &str, name: &str) -> bool {
    arn.split(':').nth(2) == Some("wafv2") && arn.split('/').nth(2) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_acl_is_ours_by_its_name() {
        let arn = |name: &str| format!("arn:aws:wafv2:us-west-2:111111111111:regional/webacl/{name}/0123");
        assert!(is_named(&arn("99-upload-us-west-2"), "99-upload-us-west-2"));
        for other in
            [arn("FMManagedWebACLV2-x").as_str(), "arn:aws:waf-regional:us-west-2:1:webacl/99-upload-us-west-2", ""]
        {
            assert!(!is_named(other, "99-upload-us-west-2"), "{other}");
        }
    }
}
