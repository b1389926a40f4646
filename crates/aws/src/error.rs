//! One error for all calls: the operation, its object, and AWS's own words.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::calls::FENCED;
use super::network::proxy_variable;

/// Our own code for a call that could not be signed: the session has expired, or the credentials program failed.
const NO_CREDENTIALS: &str = "NoCredentials";

/// A call that failed after the SDK's retries.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} {object}: {message}{}", .code.as_ref().map(|c| format!(" ({c})")).unwrap_or_default())]
pub struct AwsError {
    /// `transfer:CreateServer`.
    pub operation: &'static str,
    /// The resource of the call.
    pub object: String,
    /// AWS's error code; `None` without an answer.
    pub code: Option<String>,
    /// AWS's message, or the fault of the connection.
    pub message: String,
    pub status: Option<u16>,
}

/// Calls on what a step has just created, and the errors of services that do not know it yet: operation, code, words of the
/// message. IAM is read from replicas (terraform-provider-aws#127, #5409, #6709), S3 spreads a new bucket
/// (terraform-provider-aws, `bucketPropagationTimeout`), and API Gateway tries a new log role at once, with two sentences
/// (terraform-provider-aws, `internal/service/apigateway/account.go`).
const NOT_YET: [(&str, &str, &str); 11] = [
    ("iam:AttachRolePolicy", "NoSuchEntity", ""),
    ("iam:CreatePolicyVersion", "NoSuchEntity", ""),
    ("iam:PutRolePermissionsBoundary", "NoSuchEntity", ""),
    ("iam:TagPolicy", "NoSuchEntity", ""),
    ("iam:TagRole", "NoSuchEntity", ""),
    ("iam:UpdateAssumeRolePolicy", "NoSuchEntity", ""),
    ("s3:PutBucketPublicAccessBlock", "NoSuchBucket", ""),
    ("s3:PutBucketTagging", "NoSuchBucket", ""),
    ("s3:PutObject", "NoSuchBucket", ""),
    ("apigateway:UpdateAccount", "BadRequest", "role ARN"),
    ("apigateway:UpdateAccount", "BadRequest", "using the ARN specified"),
];

impl AwsError {
    /// Whether AWS answered with this code. `ResourceNotFound` also matches `ResourceNotFoundException`.
    pub fn is(&self, code: &str) -> bool {
        self.code
            .as_deref()
            .is_some_and(|have| have == code || have.strip_suffix("Exception").is_some_and(|have| have == code))
    }

    /// Whether AWS throttled the call; it then had no effect. The codes are those of the SDKs' retry data, which differ
    /// by service (botocore's `_retry.json`, `__throttling_codes__`), except `LimitExceeded`, which most services use for
    /// a quota.
    pub fn is_throttle(&self) -> bool {
        const THROTTLES: [&str; 11] = [
            "BandwidthLimitExceeded",
            "EC2Throttled",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceeded",
            "RequestLimitExceeded",
            "RequestThrottled",
            "SlowDown",
            "Throttled",
            "Throttling",
            "TooManyRequests",
            "TransactionInProgress",
        ];
        THROTTLES.iter().any(|code| self.is(code))
    }

    /// Whether the call was not sent, because this run may no longer hold its lock.
    pub fn is_fenced(&self) -> bool {
        self.code.is_none() && self.message.contains(FENCED)
    }

    /// Whether AWS carried out the call but the answer was cut short, so that its result is unknown.
    pub fn is_cut_short(&self) -> bool {
        self.code.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether a retry may succeed: throttling, a fault of AWS, a lost connection, or no answer in time.
    pub fn is_transient(&self) -> bool {
        self.is_throttle()
            || match self.status {
                _ if self.is_fenced() => false,
                // S3 and EC2 send it with status 400: the request did not arrive in time.
                Some(400) if self.is("RequestTimeout") => true,
                Some(501) => false,
                Some(status) => status >= 500,
                None => self.code.is_none(),
            }
    }

    /// Whether the proxy did not lead to AWS: the words of the HTTP client, which drops the proxy's status.
    fn is_refused_by_proxy(&self) -> bool {
        self.code.is_none() && self.message.starts_with("tunnel error: ")
    }

    /// Whether the caller lacks a permission.
    pub fn is_access_denied(&self) -> bool {
        ["AccessDenied", "UnauthorizedOperation"].iter().any(|code| self.is(code))
    }

    /// Whether no call will succeed with these credentials: they have expired, are unknown, or could not be found.
    pub fn is_credentials(&self) -> bool {
        const OVER: [&str; 5] =
            ["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId", NO_CREDENTIALS];
        // EC2's words for the first two.
        let is_of_ec2 = self.operation.starts_with("ec2:") && (self.is("RequestExpired") || self.is("AuthFailure"));
        is_of_ec2 || OVER.iter().any(|code| self.is(code))
    }

    /// Whether AWS rejects the time of the signature. Most services report it as a signature that does not match (IAM
    /// user guide, "Troubleshoot Signature Version 4").
    pub fn is_clock(&self) -> bool {
        let late = ["Signature expired", "Signature not yet current"];
        self.is("RequestTimeTooSkewed")
            || (self.is("RequestExpired") && !self.operation.starts_with("ec2:"))
            || (["SignatureDoesNotMatch", "InvalidSignature"].iter().any(|code| self.is(code))
                && late.iter().any(|words| self.message.contains(words)))
    }

    /// Whether AWS refuses it only for now, because the resource or one that it names is still changing. A stale
    /// revision of a function is among them: the step reads the new one before it calls again. So is a role or policy
    /// that IAM still counts as used after what used it was detached, and a resource that AWS does not know yet
    /// ([`NOT_YET`]).
    pub fn is_busy(&self) -> bool {
        const BUSY: [&str; 11] = [
            "DependencyViolation",
            "InvalidIPAddress.InUse",
            "ResourceInUse",
            "Conflict",
            "ResourceConflict",
            "OperationAborted",
            "ConcurrentModification",
            "DeleteConflict",
            "OperationInProgress",
            "ContinuousBackupsUnavailable",
            "PreconditionFailedException",
        ];
        (BUSY.iter().any(|code| self.is(code)) || self.is_limit_of_concurrent_changes())
            && !self.message.contains("last 24 hours")
            || NOT_YET.iter().any(|(operation, code, words)| {
                self.operation == *operation && self.is(code) && self.message.contains(words)
            })
            // The endpoint of a server in a VPC goes some time after the server (terraform-provider-aws, `server.go`).
            || self.message.contains("Unable to delete VPC endpoint")
            || self.message.contains("until all writes are replicated")
            || self.message.contains("cannot be assumed")
            || self.message.contains("Invalid principal in policy")
            || self.message.contains("role defined for the function")
    }

    /// Whether too many changes are in progress at once. Elsewhere, as in IAM, KMS, CloudFormation or CloudWatch Logs,
    /// the same code means that a quota is used up, and waiting does not help. DynamoDB uses it for both, and tells them
    /// apart by a word (terraform-provider-aws#2274): "There is a limit of 256 tables per subscriber", "Only 10 tables
    /// can be created, updated, or deleted simultaneously".
    fn is_limit_of_concurrent_changes(&self) -> bool {
        let service = self.operation.split(':').next().unwrap_or_default();
        self.is("LimitExceeded")
            && match service {
                "transfer" => true,
                "dynamodb" => self.message.contains("simultaneous"),
                _ => false,
            }
    }

    /// The action that AWS names in a refusal: one call may need several, such as `iam:PassRole` besides its own.
    fn denied_action(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("is not authorized to perform: ")?;
        rest.split_whitespace().next()
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let action = self.operation;
        let code = self.code.as_deref().unwrap_or_default();
        Some(match code {
            _ if self.is_access_denied() => {
                let action = self.denied_action().unwrap_or(action);
                format!("allow `{action}`; `sftpctl policy` prints the policies (docs/permissions.md)")
            }
            _ if self.is_clock() => {
                "the clock of this machine is off by more than the five minutes that AWS allows; set it \
                    (`timedatectl set-ntp true`), then rerun the command"
                    .to_owned()
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired: sign in again (for SSO: \
                `aws sso login`), then rerun the same command to resume"
                    .to_owned()
            }
            NO_CREDENTIALS => no_credentials_hint(|name| std::env::var(name).ok()),
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "InvalidAccessKeyId"
            | "AuthFailure" => {
                "AWS does not accept these credentials; check which ones are in use with `aws sts get-caller-identity`"
                    .to_owned()
            }
            "UnknownOperationException" | "NotImplemented" | "InvalidAction" => {
                format!("this endpoint does not support `{action}`")
            }
            _ if self.status == Some(501) => format!("this endpoint does not support `{action}`"),
            _ if self.is_fenced() => {
                "another run may have taken the lock; rerun the same command when that run has finished".to_owned()
            }
            _ if self.is_refused_by_proxy() => {
                let variable = proxy_variable().unwrap_or("HTTPS_PROXY");
                format!(
                    "the proxy of {variable} gave no way to AWS; its status and reason: `curl -v \
                     https://sts.amazonaws.com`. Ask for *.amazonaws.com to be allowed there, or correct {variable} or \
                     NO_PROXY"
                )
            }
            _ if self.code.is_none() && self.status.is_none() => {
                "check the network, the region, HTTPS_PROXY and, with --endpoint-url, that a server listens there"
                    .to_owned()
            }
            // Without `apigateway:GET` on the API, AWS answers an internal error (docs/open-questions.md).
            _ if self.operation == "transfer:CreateServer" && self.status == Some(500) => {
                "AWS reported an internal error, which is also its answer if the invocation role or the caller may not \
                 read the API: check that both have `apigateway:GET` on it, then rerun the command"
                    .to_owned()
            }
            _ if self.is_transient() => "AWS reported a temporary problem; rerun the command".to_owned(),
            _ => return None,
        })
    }
}

/// What to do without credentials: the SDK reports the last place where it looked, which is rarely the one that the user
/// has set up.
fn no_credentials_hint(variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let resume = "then rerun the same command to resume";
    if set("AWS_ACCESS_KEY_ID").is_some() && set("AWS_SECRET_ACCESS_KEY").is_none() {
        return format!("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: set both, or unset it, {resume}");
    }
    if let Some(file) = set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        return format!(
            "AWS_WEB_IDENTITY_TOKEN_FILE names {file}: check that this file has a token of the pipeline, and that \
             AWS_ROLE_ARN is set, {resume}"
        );
    }
    if let Some(profile) = set("AWS_PROFILE") {
        return format!(
            "AWS_PROFILE is {profile}: check that `aws configure list-profiles` has it, sign in again (for SSO: `aws sso \
             login --profile {profile}`), {resume}"
        );
    }
    format!(
        "no credentials were found: sign in again (for SSO: `aws sso login`), set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, or choose a profile with --profile, {resume}"
    )
}

/// Turns the SDK's errors into ours.
pub(super) trait Call<T> {
    /// Names the operation and its object.
    fn call(self, operation: &'static str, object: &str) -> Result<T, AwsError>;
}

impl<T, E> Call<T> for Result<T, SdkError<E, Response>>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn call(self, operation: &'static str, object: &str) -> Result<T, AwsError> {
        self.map_err(|error| {
            if let Some(refused) = role_not_assumed(&error) {
                return refused;
            }
            let status = error.raw_response().map(|r| r.status().as_u16());
            let code = error.code().or(no_credentials(&error).then_some(NO_CREDENTIALS)).map(str::to_owned);
            let message = match (error.message(), &error) {
                (Some(message), _) => message.to_owned(),
                (None, SdkError::ServiceError(_)) => match status {
                    Some(200) => "the answer could not be parsed".to_owned(),
                    Some(status) => format!("HTTP status {status} without a message"),
                    None => "no message".to_owned(),
                },
                (None, other) => innermost(other),
            };
            AwsError { operation, object: object.to_owned(), code, message, status }
        })
    }
}

/// Why the call could not be signed, if a role had to be assumed for it.
fn role_not_assumed(error: &(dyn Error + 'static)) -> Option<AwsError> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(refused) = inner.downcast_ref::<AwsError>() {
            return Some(refused.clone());
        }
        source = inner.source();
    }
    None
}

/// Whether the call could not be signed.
fn no_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<CredentialsError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The most specific message: an SDK wraps a refused connection four times.
fn innermost<E>(error: &SdkError<E, Response>) -> String
where
    E: Error + Send + Sync + 'static,
{
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    let mut words = None;
    while let Some(inner) = source {
        words = Some(inner.to_string());
        source = inner.source();
    }
    match error {
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        _ => words.unwrap_or_else(|| DisplayErrorContext(error).to_string()),
    }
}

/// Turns "not found" into an ordinary result.
pub(super) trait OrMissing<T> {
    /// `None` if AWS answered with one of these codes.
    fn or_missing(self, codes: &[&str]) -> Result<Option<T>, AwsError>;
}

impl<T> OrMissing<T> for Result<T, AwsError> {
    fn or_missing(self, codes: &[&str]) -> Result<Option<T>, AwsError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if codes.iter().any(|code| error.is(code)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(operation: &'static str, status: u16, code: &str, message: &str) -> AwsError {
        let (code, message) = (Some(code.to_owned()), message.to_owned());
        AwsError { operation, object: "x".into(), code, message, status: Some(status) }
    }

    /// Codes of throttling in the retry data that AWS's SDKs share, in each service's spelling.
    #[test]
    fn every_service_throttles_in_its_own_words() {
        for code in [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "TransactionInProgressException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
            "EC2ThrottledException",
        ] {
            let error = error("x:Y", 400, code, "Rate exceeded");
            assert!(error.is_throttle() && error.is_transient() && !error.is_busy(), "{code}");
        }
        assert!(error("s3:PutObject", 400, "RequestTimeout", "Your socket connection …").is_transient());
        assert!(!error("s3:PutObject", 400, "InvalidRequest", "no").is_transient());
    }

    #[test]
    fn a_quota_is_not_waited_for() {
        for (operation, code, message, busy) in [
            ("iam:AttachRolePolicy", "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", false),
            ("kms:CreateGrant", "LimitExceededException", "Cannot exceed the limit of grants", false),
            ("logs:PutResourcePolicy", "LimitExceededException", "Resource limit exceeded.", false),
            ("cloudformation:CreateStack", "LimitExceededException", "The quota has already been reached.", false),
            (
                "dynamodb:UpdateTable",
                "LimitExceededException",
                "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
                true,
            ),
            (
                "dynamodb:CreateTable",
                "LimitExceededException",
                "Subscriber limit exceeded: There is a limit of 256 tables per subscriber",
                false,
            ),
            ("iam:DeletePolicy", "DeleteConflict", "Cannot delete a policy attached to entities.", true),
            ("iam:AttachRolePolicy", "NoSuchEntity", "The role with name r cannot be found.", true),
            ("iam:GetRole", "NoSuchEntity", "The role with name r cannot be found.", false),
            ("s3:PutBucketTagging", "NoSuchBucket", "The specified bucket does not exist", true),
            ("s3:PutBucketPolicy", "NoSuchBucket", "The specified bucket does not exist", false),
            (
                "apigateway:UpdateAccount",
                "BadRequestException",
                "The role ARN does not have required permissions",
                true,
            ),
            (
                "apigateway:UpdateAccount",
                "BadRequestException",
                "API Gateway could not successfully write to CloudWatch Logs using the ARN specified",
                true,
            ),
            ("apigateway:UpdateAccount", "BadRequestException", "Invalid patch path", false),
            (
                "dynamodb:DeleteTable",
                "ValidationException",
                "The last active replica of table 't' in region 'us-east-1' cannot be deleted until all writes are \
                 replicated.",
                true,
            ),
            (
                "dynamodb:DeleteTable",
                "ResourceInUseException",
                "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to \
                 the table in the last 24 hours",
                false,
            ),
            ("dynamodb:DeleteTable", "ValidationException", "One or more parameter values were invalid", false),
        ] {
            assert_eq!(error(operation, 400, code, message).is_busy(), busy, "{operation} {code}");
        }
    }

    #[test]
    fn hint_without_credentials_names_what_was_set() {
        let hint = |set: &'static [(&str, &str)]| {
            no_credentials_hint(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(hint(&[("AWS_ACCESS_KEY_ID", "AKIAX")]).contains("without AWS_SECRET_ACCESS_KEY"));
        assert!(hint(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent")]).contains("names /nonexistent"));
        assert!(hint(&[("AWS_PROFILE", "nosuch")]).contains("AWS_PROFILE is nosuch"));
        assert!(hint(&[("AWS_PROFILE", "")]).starts_with("no credentials were found"));
    }

    /// EC2 has words of its own, and one of them is another service's word for a wrong clock.
    #[test]
    fn ec2_says_that_credentials_are_over_in_its_own_words() {
        let error = |operation: &'static str, code: &str| AwsError {
            operation,
            object: String::new(),
            code: Some(code.into()),
            message: "Request has expired.".into(),
            status: Some(400),
        };
        let expired = error("ec2:DescribeAddresses", "RequestExpired");
        assert!(expired.is_credentials() && !expired.is_clock());
        assert!(expired.hint().is_some_and(|hint| hint.contains("sign in again")));
        let unknown = error("ec2:DescribeAddresses", "AuthFailure");
        assert!(unknown.is_credentials() && unknown.hint().is_some_and(|hint| hint.contains("does not accept")));
        let clock = error("sts:GetCallerIdentity", "RequestExpired");
        assert!(clock.is_clock() && !clock.is_credentials());
    }

    #[test]
    fn hint_names_the_action_that_aws_refuses() {
        let error = |message: &str| AwsError {
            operation: "transfer:CreateServer",
            object: "a server".into(),
            code: Some("AccessDeniedException".into()),
            message: message.into(),
            status: Some(400),
        };
        let words = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: iam:PassRole on resource: a";
        for (message, action) in [(words, "`iam:PassRole`"), ("Access denied", "`transfer:CreateServer`")] {
            let hint = error(message).hint().unwrap_or_default();
            assert!(hint.contains(action), "{message}: {hint}");
        }
    }

    #[test]
    fn wrong_clock_and_wrong_credentials_get_different_hints() {
        for (code, message, clock) in [
            (
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                true,
            ),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20261127T090000Z is now earlier than 20261127T091000Z (20261127T091500Z - 5 min.)",
                true,
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: 20261127T093000Z is still later than 20261127T092000Z (… + 5 min.)",
                true,
            ),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key.",
                false,
            ),
            ("InvalidClientTokenId", "The security token included in the request is invalid.", false),
        ] {
            let error = AwsError {
                operation: "sts:GetCallerIdentity",
                object: "credentials".into(),
                code: Some(code.into()),
                message: message.into(),
                status: Some(403),
            };
            let hint = error.hint().unwrap_or_default();
            assert_eq!(hint.contains("clock"), clock, "{message}: {hint}");
            assert_eq!(hint.contains("does not accept these credentials"), !clock, "{message}: {hint}");
        }
    }
}
