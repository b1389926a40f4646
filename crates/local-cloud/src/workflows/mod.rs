//! Runs a server's workflow for each uploaded file, as Transfer Family does: with the rights of the execution role,
//! and with lines in the server's log (Transfer Family user guide, "Use predefined steps", "Manage PGP keys",
//! "Troubleshoot workflow issues").
//!
//! Only steps that decrypt are run. AWS documents neither the stream of a log group that the lines are in, here the
//! workflow's ID, nor most messages of errors; and a decrypted file keeps its name, as that of the user guide's copy
//! step.

mod gpg;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::execute_api::{self, Session, SessionGuard};
use crate::front::uuid;
use crate::place::{Place, workflow_arn};
use crate::structured_logs::ConnectionLog;
use crate::transfer::{Store, TARGET_PREFIX, Workflow};
use gpg::NotDecrypted;
use sftpctl_aws::{Aws, AwsError};

/// Files that are larger are not decrypted here: they are in memory.
const MOST: usize = 64 << 20;

/// What a session starts when a file is uploaded.
#[derive(Clone)]
pub(crate) struct OnUpload {
    cloud: Arc<Cloud>,
    store: Arc<Store>,
    user: String,
    log: ConnectionLog,
}

impl OnUpload {
    pub(crate) fn new(cloud: Arc<Cloud>, store: Arc<Store>, user: &str, log: ConnectionLog) -> Self {
        Self { cloud, store, user: user.to_owned(), log }
    }

    /// Starts the server's workflow, if it has one, for the object that an upload has made.
    pub(crate) fn start(&self, bucket: String, key: String, etag: Option<&str>) {
        let (place, server) = self.log.server();
        let Ok(found) = self.store.get(&place, &server) else { return };
        let Some(workflow) = Workflow::on_upload(&found.settings) else { return };
        let etag = etag.map(str::to_owned);
        let file = File { bucket, key, etag };
        let execution = Execution { on: self.clone(), place, server, workflow, file, id: uuid() };
        tokio::spawn(async move { execution.run().await });
    }
}

struct File {
    bucket: String,
    key: String,
    etag: Option<String>,
}

impl File {
    fn shown(&self) -> Value {
        let mut shown = json!({ "backingStore": "S3", "bucket": self.bucket, "key": self.key });
        if let Some(etag) = &self.etag {
            shown["etag"] = json!(etag.trim_matches('"'));
        }
        shown
    }
}

/// Why a step failed: its type (Transfer Family API reference, `ExecutionError`), and a message.
struct Failed(&'static str, String);

impl Failed {
    fn of_call(error: &AwsError) -> Self {
        let kind =
            if error.status == Some(403) || error.is("AccessDenied") { "PERMISSION_DENIED" } else { "BAD_REQUEST" };
        Self(kind, error.to_string())
    }

    fn bad(message: impl Into<String>) -> Self {
        Self("BAD_REQUEST", message.into())
    }
}

/// One run of a workflow.
struct Execution {
    on: OnUpload,
    place: Place,
    server: String,
    workflow: Workflow,
    file: File,
    id: String,
}

impl Execution {
    fn log(&self, kind: &str, details: &Value) {
        let line = json!({
            "type": kind,
            "details": details,
            "workflowId": self.workflow.id,
            "executionId": self.id,
            "transferDetails": {
                "serverId": self.server,
                "username": self.on.user,
                "sessionId": self.on.log.session(),
            },
        });
        self.on.log.line(&self.workflow.id, &line);
    }

    async fn run(&self) {
        let steps = match self.steps().await {
            Ok(steps) => steps,
            Err(error) => {
                tracing::warn!(workflow = self.workflow.id, error, "the workflow of a server cannot be read");
                return;
            }
        };
        self.log("ExecutionStarted", &json!({ "input": { "initialFileLocation": self.file.shown() } }));
        let aws = self.assume().await;
        for step in &steps {
            let details = &step["DecryptStepDetails"];
            let named = |more: Value| {
                let mut all = json!({ "stepType": "DECRYPT", "stepName": details["Name"] });
                if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
                    all.extend(more);
                }
                all
            };
            self.log("StepStarted", &named(json!({ "input": { "fileLocation": self.file.shown() } })));
            let result = match &aws {
                Ok(session) => self.decrypt(session, details).await,
                Err(why) => Err(Failed("PERMISSION_DENIED", why.clone())),
            };
            match result {
                Ok(()) => self.log("StepCompleted", &named(json!({ "output": {} }))),
                Err(Failed(kind, message)) => {
                    tracing::info!(workflow = self.workflow.id, kind, message, "a step of a workflow failed");
                    self.log("StepErrored", &named(json!({ "errorType": kind, "errorMessage": message })));
                    self.log("ExecutionErrored", &json!({}));
                    return;
                }
            }
        }
        self.log("ExecutionCompleted", &json!({}));
    }

    async fn steps(&self) -> Result<Vec<Value>, String> {
        let (target, kind) = (format!("{TARGET_PREFIX}DescribeWorkflow"), "application/x-amz-json-1.1");
        let body = json!({ "WorkflowId": self.workflow.id }).to_string();
        let upstream = self.on.cloud.upstream();
        let Place { account, region } = &self.place;
        let answer = upstream.ask(account, region, "transfer", Some(&target), kind, &body).await?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        Ok(answer["Workflow"]["Steps"].as_array().cloned().unwrap_or_default())
    }

    /// Assumes the execution role. Its calls pass through the front, which asks its policies.
    async fn assume(&self) -> Result<Assumed<'_>, String> {
        let (cloud, account) = (&self.on.cloud, &self.place.account);
        let (role, arn) = (&self.workflow.role, workflow_arn(&self.place, &self.workflow.id));
        let own = cloud.aws(account).await;
        let keys = execute_api::assume_for_server(&own, account, &arn, role, "transfer-workflow").await;
        let keys = keys.map_err(|error| error.to_string())?;
        let session = Session {
            role_arn: role.clone(),
            name: "transfer-workflow".to_owned(),
            secret: keys.secret_key.clone(),
            token: keys.token.clone(),
            policy: None,
            granted: None,
        };
        let held = cloud.sessions.hold(&keys.access_key, session);
        Ok(Assumed { aws: cloud.aws_with(account, keys).await, _held: held })
    }

    async fn decrypt(&self, session: &Assumed<'_>, details: &Value) -> Result<(), Failed> {
        let File { bucket, key, .. } = &self.file;
        let s3 = session.aws.s3(&self.place.region);
        let object = s3.open(bucket, key, 0, None).await.map_err(|error| Failed::of_call(&error))?;
        let Some(mut object) = object else { return Err(Failed("NOT_FOUND", "The file does not exist".into())) };
        let mut content = Vec::new();
        while let Some(bytes) = object.next().await.map_err(|error| Failed::of_call(&error))? {
            content.extend_from_slice(&bytes);
            if content.len() > MOST {
                return Err(Failed::bad(format!("the local cloud decrypts files of at most {MOST} bytes")));
            }
        }
        let secret = self.key(&session.aws).await?;
        let decrypting = tokio::task::spawn_blocking(move || gpg::decrypt(&secret, &content));
        let decrypted = decrypting.await.unwrap_or_else(|error| Err(NotDecrypted::Broken(error.to_string())));
        let decrypted = decrypted.map_err(|error| match error {
            NotDecrypted::NotInstalled | NotDecrypted::Broken(_) => Failed("INTERNAL_SERVER_ERROR", error.to_string()),
            NotDecrypted::Refused(_) => Failed::bad(error.to_string()),
        })?;
        let place = &details["DestinationFileLocation"]["S3FileLocation"];
        let (bucket, to) = (place["Bucket"].as_str().unwrap_or_default(), self.destination(&place["Key"]));
        let overwrites = details["OverwriteExisting"] == "TRUE";
        match s3.put(bucket, &to, Bytes::from(decrypted), !overwrites).await {
            Ok(_) => Ok(()),
            Err(error) if error.is(sftpctl_aws::PRECONDITION_FAILED) => {
                Err(Failed("ALREADY_EXISTS", format!("{bucket}/{to} exists already")))
            }
            Err(error) => Err(Failed::of_call(&error)),
        }
    }

    /// The key of the decrypted object. A destination with a `/` at its end is a folder, in which the file keeps its
    /// name.
    fn destination(&self, key: &Value) -> String {
        let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
        let key = filled(key.as_str().unwrap_or_default(), &self.on.user, &date);
        match key.ends_with('/') {
            true => key + self.file.key.rsplit('/').next().unwrap_or_default(),
            false => key,
        }
    }

    /// The secret of the user, and without one that of all users of the server.
    async fn key(&self, aws: &Aws) -> Result<gpg::Key, Failed> {
        let secret = |owner: &str| format!("aws/transfer/{}/{owner}", self.server);
        let of_all = secret("@pgp-default");
        for name in [&secret(&self.on.user), &of_all] {
            let found = aws.secret(&self.place.region, name).await.map_err(|error| Failed::of_call(&error))?;
            if let Some(secret) = found {
                return gpg::Key::parse(&secret).ok_or_else(|| {
                    Failed::bad(format!("the secret {name} has no PGPPrivateKey, or is not a JSON object"))
                });
            }
        }
        Err(Failed("NOT_FOUND", format!("there is no secret {of_all}")))
    }
}

/// A destination with its variables replaced. AWS writes them in two ways: `${Transfer:UserName}` in the API reference
/// (DecryptStepDetails, CopyStepDetails), `${transfer:UserName}` in the user guide ("Create a workflow from a
/// template").
fn filled(key: &str, user: &str, date: &str) -> String {
    ["Transfer", "transfer"].iter().fold(key.to_owned(), |key, prefix| {
        let key = key.replace(&format!("${{{prefix}:UserName}}"), user);
        key.replace(&format!("${{{prefix}:UploadDate}}"), date)
    })
}

/// Clients with the rights of the execution role, whose keys are valid while this lives.
struct Assumed<'a> {
    aws: Aws,
    _held: SessionGuard<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_have_variables_in_both_spellings() {
        for (key, expected) in [
            ("plain/", "plain/"),
            ("a/${Transfer:UserName}/${Transfer:UploadDate}/", "a/jan/2026-11-30/"),
            ("a/${transfer:UserName}/${transfer:UploadDate}/x", "a/jan/2026-11-30/x"),
            ("${TRANSFER:UserName}/", "${TRANSFER:UserName}/"),
        ] {
            assert_eq!(filled(key, "jan", "2026-11-30"), expected);
        }
    }
}
