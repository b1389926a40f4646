//! Authorizes calls made by Lambda functions: a function calls AWS as a session of its execution role.
//!
//! MiniStack has no such sessions. `launch.py` issues them, the front verifies their signatures, and this module asks the
//! role's policies about each table of the call, as for every other session. Only DynamoDB is modelled; calls to other
//! services are refused with an error that says so.

use serde_json::Value;

use super::cloud::Cloud;
use super::execute_api::sigv4::Unverified;
use crate::front::authorize::{Judge, NotJudged, dynamodb};
use crate::function_key::Execution;

/// The Python script that starts MiniStack: one file, since what else is in the local cloud's folder may have come with it.
pub(crate) fn launcher() -> String {
    let launcher = include_str!("launch.py").replace("# KEPT\n", include_str!("kept.py"));
    let launcher = launcher.replace("# FILE SYSTEMS\n", include_str!("s3_files.py"));
    let launcher = launcher.replace("# DASHBOARDS\n", include_str!("dashboards.py"));
    let launcher = launcher.replace("# WEB ACLS\n", include_str!("waf.py"));
    let launcher = launcher.replace("# TOPICS\n", include_str!("topics.py"));
    let launcher = launcher.replace("# MALWARE\n", include_str!("malware.py"));
    let launcher = launcher.replace("# WORKFLOWS\n", include_str!("workflows.py"));
    launcher.replace("# SAVED QUERIES\n", include_str!("saved_queries.py"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_file_is_in_the_launcher_once() {
        for class in [
            "Kept:",
            "FileSystems:",
            "Dashboards:",
            "WebAcls:",
            "SavedQueries(Kept):",
            "Topics:",
            "MalwareProtection(Kept):",
            "Workflows(Kept):",
        ] {
            assert_eq!(super::launcher().matches(&format!("class {class}")).count(), 1, "{class}");
        }
    }
}

/// Why a function's call is refused: AWS's code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// `AccessDeniedException`, …
    pub(crate) code: &'static str,
    /// In AWS's words where AWS documents them.
    pub(crate) message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", message)
    }
}

/// Checks whether a function's call is allowed.
///
/// # Errors
/// AWS's code and message for the refusal.
pub(crate) async fn authorize(
    cloud: &Cloud,
    execution: &Execution,
    (service, operation, region): (&str, &str, &str),
    body: &[u8],
) -> Result<(), Refused> {
    if service != "dynamodb" {
        let text = format!("the local cloud lets functions call DynamoDB only, not {service}:{operation}");
        return Err(Refused::denied(text));
    }
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let needs = dynamodb::needs(operation, &call, region, &execution.account).map_err(Refused::denied)?;
    let session = (execution.role_arn.as_str(), execution.name.as_str());
    let judge = Judge::of(cloud, session, None, region).await.map_err(|error| match error {
        // Keys of a deleted role are no longer valid.
        NotJudged::NoRole => Refused::new("UnrecognizedClientException", Unverified::Token.to_string()),
        NotJudged::Broken(text) => Refused::denied(text),
    })?;
    needs.iter().try_for_each(|need| judge.decide(need)).map_err(Refused::denied)
}
