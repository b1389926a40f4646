//! One error for every call: which operation, on what, and AWS's own words.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::calls::FENCED;

/// Our code where no call was made, because there are no credentials: a session that is over, a program that failed.
const NO_CREDENTIALS: &str = "NoCredentials";

/// A call that failed after the SDK's retries.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} {object}: {message}{}", .code.as_ref().map(|c| format!(" ({c})")).unwrap_or_default())]
pub struct AwsError {
    /// `transfer:CreateServer`.
    pub operation: &'static str,
    /// What it was called for.
    pub object: String,
    /// AWS's error code; `None` where no answer came.
    pub code: Option<String>,
    /// AWS's message, or what happened to the connection.
    pub message: String,
    /// HTTP status of the answer.
    pub status: Option<u16>,
}

impl AwsError {
    /// Whether AWS answered with this code. `ResourceNotFound` also matches `ResourceNotFoundException`.
    pub fn is(&self, code: &str) -> bool {
        self.code
            .as_deref()
            .is_some_and(|have| have == code || have.strip_suffix("Exception").is_some_and(|have| have == code))
    }

    /// Whether AWS refused it because calls come too fast; then it had no effect.
    pub fn is_throttle(&self) -> bool {
        const THROTTLES: [&str; 7] = [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
        ];
        self.code.as_deref().is_some_and(|code| THROTTLES.contains(&code))
    }

    /// Whether it was not sent, because this run's lock may be over.
    pub fn is_fenced(&self) -> bool {
        self.code.is_none() && self.message.contains(FENCED)
    }

    /// Whether AWS did it and the answer broke off, so that nobody was told what came of it.
    pub fn is_cut_short(&self) -> bool {
        self.code.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether it may pass by itself: throttling, AWS's own trouble, a lost connection, or no answer in time.
    pub fn is_transient(&self) -> bool {
        self.is_throttle()
            || match self.status {
                _ if self.is_fenced() => false,
                Some(501) => false,
                Some(status) => status >= 500,
                None => self.code.is_none(),
            }
    }

    /// Whether these credentials will never do again, whatever is called: expired, unknown, or not to be had.
    pub fn is_credentials(&self) -> bool {
        const OVER: [&str; 5] =
            ["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId", NO_CREDENTIALS];
        OVER.iter().any(|code| self.is(code))
    }

    /// Whether AWS takes the time of the signature for wrong. Most services say so in the words of a signature that does not
    /// match (IAM user guide, "Troubleshoot Signature Version 4").
    fn is_clock(&self) -> bool {
        let late = ["Signature expired", "Signature not yet current"];
        self.is("RequestTimeTooSkewed")
            || self.is("RequestExpired")
            || (["SignatureDoesNotMatch", "InvalidSignature"].iter().any(|code| self.is(code))
                && late.iter().any(|words| self.message.contains(words)))
    }

    /// Whether AWS refuses it only now, because the object or something it names is still changing. A stale revision of
    /// a function is among them: the step reads the new one before it calls again.
    pub fn is_busy(&self) -> bool {
        const BUSY: [&str; 9] = [
            "ResourceInUse",
            "Conflict",
            "ResourceConflict",
            "OperationAborted",
            "ConcurrentModification",
            "LimitExceeded",
            "OperationInProgress",
            "ContinuousBackupsUnavailable",
            "PreconditionFailedException",
        ];
        BUSY.iter().any(|code| self.is(code)) && !self.message.contains("last 24 hours")
            || self.message.contains("cannot be assumed")
            || self.message.contains("Invalid principal in policy")
            || self.message.contains("role defined for the function")
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let action = self.operation;
        let code = self.code.as_deref().unwrap_or_default();
        Some(match code {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                format!(
                    "the credentials lack `{action}`; docs/deployer-policy.json holds every permission that is needed"
                )
            }
            _ if self.is_clock() => {
                "the clock of this machine is off: AWS takes five minutes. Set it (`timedatectl set-ntp true`) and run again"
                    .to_owned()
            }
            "ExpiredToken" | "ExpiredTokenException" => "the credentials have expired: sign in again (for SSO: \
                `aws sso login`) and run the same command, it goes on where this one stopped"
                .to_owned(),
            NO_CREDENTIALS => "no credentials could be had: sign in again (for SSO: `aws sso login`), or see what the \
                profile says, and run the same command, it goes on where this one stopped"
                .to_owned(),
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "InvalidAccessKeyId" => {
                "AWS does not accept these credentials; see which ones are used with `aws sts get-caller-identity`"
                    .to_owned()
            }
            "UnknownOperationException" | "NotImplemented" | "InvalidAction" => {
                format!("this endpoint does not offer `{action}`")
            }
            _ if self.status == Some(501) => format!("this endpoint does not offer `{action}`"),
            _ if self.is_fenced() => {
                "another run may have taken it; when that has finished, run the same command again".to_owned()
            }
            _ if self.code.is_none() && self.status.is_none() => {
                "check the network, the region and, with --endpoint-url, that something listens there".to_owned()
            }
            _ if self.is_transient() => "it is AWS's own trouble and passes: run the same command again".to_owned(),
            _ => return None,
        })
    }
}

/// Turns what the SDK returns into our error.
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
            let status = error.raw_response().map(|r| r.status().as_u16());
            let code = error.code().or(no_credentials(&error).then_some(NO_CREDENTIALS)).map(str::to_owned);
            let message = match (error.message(), &error) {
                (Some(message), _) => message.to_owned(),
                (None, SdkError::ServiceError(_)) => match status {
                    Some(200) => "an answer that is not in AWS's form".to_owned(),
                    Some(status) => format!("HTTP status {status} without a message"),
                    None => "no message".to_owned(),
                },
                (None, other) => innermost(other),
            };
            AwsError { operation, object: object.to_owned(), code, message, status }
        })
    }
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

/// The words that say most: an SDK wraps a refused connection four times.
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

/// Makes "not found" an ordinary answer.
pub(super) trait OrMissing<T> {
    /// `None` where AWS answered with one of these codes.
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

    #[test]
    fn a_wrong_clock_is_told_from_wrong_credentials() {
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
