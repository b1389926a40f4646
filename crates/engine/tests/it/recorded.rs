//! Answers that AWS gave to other projects, put back on the wire and read by the client code. They are data to test
//! against and not part of the repository: they are read where they are there. What each of them taught is a test of
//! our own in [`crate::wire_answers`] or beside the code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sftpctl_aws::AwsError;

use crate::playback::{Playback, Wire};
use crate::programs::{installed, oracle, succeeded};
use crate::recorded_calls::{REGION, Read, read, strict};

/// An answer in the form that `tests/oracle/wire.py` prints.
#[derive(Debug, Deserialize)]
struct Recorded {
    file: String,
    label: Option<String>,
    svc: String,
    op: String,
    status: u16,
    headers: BTreeMap<String, String>,
    wire: String,
    last: Option<String>,
    code: Option<String>,
    message: Option<String>,
    /// botocore's opinion on an error: `throttle`, `transient` or `final`.
    class: Option<String>,
}

impl Recorded {
    fn answers(&self) -> Vec<Wire> {
        let wire = |body: &String| Wire {
            status: self.status,
            headers: self.headers.clone(),
            body: STANDARD.decode(body).unwrap(),
        };
        [Some(&self.wire), self.last.as_ref()].into_iter().flatten().map(wire).collect()
    }

    fn name(&self) -> String {
        let label = self.label.as_deref().unwrap_or_default();
        format!("{}:{} {} {label} {}", self.svc, self.op, self.code.as_deref().unwrap_or("ok"), self.file)
    }
}

/// Writes a line that the test runner does not hold back, unlike that of `println!`.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The recorded answers, where they are there.
fn recorded() -> Option<Vec<Recorded>> {
    let answers: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recorded/answers.jsonl");
    if !answers.exists() {
        say(&format!("no recorded answers were held against the client code: there is no {}", answers.display()));
        return None;
    }
    let output = Command::new(installed("tools/bin/python")).arg(oracle("wire.py")).arg(&answers).output().unwrap();
    let lines = succeeded("wire.py", &output);
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Operations whose answer, if it is no error, has what was asked for.
const FULL: [&str; 12] = [
    "DescribeServer",
    "DescribeTable",
    "GetBucketLocation",
    "GetBucketTagging",
    "GetMethod",
    "GetObject",
    "GetPolicy",
    "GetRestApi",
    "GetRole",
    "GetTemplate",
    "HeadObject",
    "ListAttachedRolePolicies",
];

/// The answer to DeleteObjects, of status 200, that names a key which could not be deleted.
const LOCKED: &str = "delete-objects-locked";

#[tokio::test]
async fn every_recorded_answer_is_read() {
    let Some(recorded) = recorded() else { return };
    let playback = Playback::new().await;
    let aws = playback.aws(REGION).await;
    let (mut count, mut operations, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for answer in recorded.iter().filter(|answer| answer.code.is_none()) {
        match read(&playback, &aws, (&answer.svc, &answer.op), answer.answers()).await {
            None => panic!("{}: no function reads it", answer.name()),
            Some(Ok(read)) if read == "None" && FULL.contains(&answer.op.as_str()) => {
                wrong.push(format!("{}: nothing was found in it", answer.name()))
            }
            Some(found) if answer.label.as_deref() == Some(LOCKED) => match found {
                Err(error) if error.is("AccessDenied") => {}
                other => wrong.push(format!("{}: a key that was not deleted is read as {other:?}", answer.name())),
            },
            Some(Ok(_)) => {}
            Some(Err(error)) => wrong.push(format!("{}: {error}", answer.name())),
        }
        count += 1;
        operations.insert((&answer.svc, &answer.op));
    }
    assert!(recorded.iter().any(|answer| answer.label.as_deref() == Some(LOCKED)));
    say(&format!("{count} recorded answers of {} operations were held against the client code", operations.len()));
    assert_eq!(wrong, Vec::<String>::new());
}

/// What the code of an error means for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Throttle,
    Transient,
    Busy,
    /// An ordinary result: what was asked for does not exist, or is done already.
    Result,
    Other,
}

fn class_of(read: &Result<String, AwsError>) -> Class {
    match read {
        Ok(_) => Class::Result,
        Err(error) if error.is_throttle() => Class::Throttle,
        Err(error) if error.is_transient() => Class::Transient,
        Err(error) if error.is_busy() => Class::Busy,
        Err(_) => Class::Other,
    }
}

/// Codes of resources that are changing, or that something else still uses.
const BUSY: [&str; 4] =
    ["ConflictException", "DeleteConflict", "PreconditionFailedException", "ResourceConflictException"];

/// Errors that are results: operation and code.
const RESULTS: [(&str, &str); 25] = [
    ("AbortMultipartUpload", "NoSuchUpload"),
    ("CreateBucket", "BucketAlreadyOwnedByYou"),
    ("CreateRole", "EntityAlreadyExists"),
    ("DeleteBucket", "NoSuchBucket"),
    ("DeletePolicy", "NoSuchEntity"),
    ("DeleteServer", "ResourceNotFoundException"),
    ("DeleteTable", "ResourceNotFoundException"),
    ("DetachRolePolicy", "NoSuchEntity"),
    ("GetAccount", "NotFoundException"),
    ("GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("GetBucketOwnershipControls", "OwnershipControlsNotFoundError"),
    // Of a bucket in another account, which the plan reports as foreign.
    ("GetBucketPolicy", "AccessDenied"),
    ("GetBucketPolicy", "NoSuchBucketPolicy"),
    ("GetBucketTagging", "NoSuchTagSet"),
    ("GetFunction", "ResourceNotFoundException"),
    ("GetObject", "NoSuchKey"),
    ("GetParameter", "ParameterNotFound"),
    ("GetPolicy", "NoSuchEntity"),
    ("GetPolicy", "ResourceNotFoundException"),
    ("GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("GetRestApi", "NotFoundException"),
    ("GetRole", "NoSuchEntity"),
    ("GetSecretValue", "ResourceNotFoundException"),
    ("GetStage", "NotFoundException"),
    ("RemovePermission", "ResourceNotFoundException"),
];

/// The class of an error, from its code and from botocore's opinion.
fn expected(operation: &str, answer: &Recorded) -> Class {
    let message = answer.message.as_deref().unwrap_or_default();
    let code = answer.code.as_deref().unwrap_or_default();
    match answer.class.as_deref() {
        _ if RESULTS.contains(&(operation, code)) => Class::Result,
        // AWS has deleted what the listing still showed, or the version is not there.
        _ if operation == "GetObject" && answer.status == 404 => Class::Result,
        _ if operation == "ListObjectVersions" && code == "NoSuchBucket" => Class::Result,
        // botocore retries it for every service; it is a quota in all but a few.
        Some("throttle") if code == "LimitExceededException" => Class::Other,
        Some("throttle") => Class::Throttle,
        Some("transient") => Class::Transient,
        _ if BUSY.contains(&code) || message.contains("is invalid or cannot be assumed") => Class::Busy,
        _ => Class::Other,
    }
}

#[tokio::test]
async fn every_recorded_error_is_in_its_class() {
    let Some(recorded) = recorded() else { return };
    let playback = Playback::new().await;
    let aws = playback.aws(REGION).await;
    let (mut count, mut codes, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for answer in &recorded {
        let Some(code) = answer.code.as_deref() else { continue };
        let head = code.parse::<u16>().is_ok();
        let mut operation = if head { "HeadObject" } else { answer.op.as_str() };
        let mut found: Read = read(&playback, &aws, (&answer.svc, operation), answer.answers()).await;
        if found.is_none() {
            // An operation that the client code does not call; the code means the same.
            operation = strict(&answer.svc);
            found = read(&playback, &aws, (&answer.svc, operation), answer.answers()).await;
        }
        let found = found.unwrap();
        let missing_by_head = head && answer.status == 404;
        let class = if missing_by_head { Class::Result } else { expected(operation, answer) };
        let as_recorded = match &found {
            Ok(_) => true,
            Err(error) => error.status == Some(answer.status) && (head || error.code.as_deref() == Some(code)),
        };
        if class_of(&found) != class || !as_recorded {
            wrong.push(format!("{}: {class:?} as {operation}, but read as {found:?}", answer.name()));
        }
        count += 1;
        codes.insert((&answer.svc, code));
    }
    say(&format!("{count} recorded errors with {} codes were held against the client code", codes.len()));
    assert_eq!(wrong, Vec::<String>::new());
}
