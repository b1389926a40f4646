//! One log-in in one region, by `TestIdentityProvider`.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::attempt::Attempt;
use super::{admitted, diagnose};
use crate::resources::tags;
use sftp_authorizer::Refusal;
use sftpctl_aws::{Aws, AwsError, IdentityAnswer, ServerFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::model::Environment;

/// The outcome of a log-in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginCheck {
    pub region: String,
    pub server_id: Option<String>,
    /// Whether the customer can log in and reach the home folder.
    pub admitted: bool,
    /// The HTTP status of the identity provider's answer; `None` if it was not called. A refusal of the authorizer has
    /// 200, like an admission.
    pub status: Option<u16>,
    /// The authorizer's reason, as in its log (`wrong-password`), if it refused the log-in.
    pub reason: Option<&'static str>,
    /// One sentence: the result and its most likely cause.
    pub finding: String,
    pub hint: Option<String>,
    /// The time that `TestIdentityProvider` took, in seconds.
    pub seconds: f64,
    /// The account has not reached the region yet, or only after the log-in: the next one may be admitted.
    #[serde(skip)]
    pub(super) replicating: bool,
}

impl LoginCheck {
    /// The result in the form of every other check.
    pub fn as_check(&self) -> Check {
        let (of, region) = (&Definition::LOGIN, Some(self.region.as_str()));
        let check = match self.admitted {
            true => Check::ok(of, region, &self.finding),
            false => Check::failed(of, region, &self.finding),
        };
        match &self.hint {
            Some(hint) => check.hint(hint),
            None => check,
        }
    }
}

/// The environment's server in a region: the server with the ID `known`, which a listing need not show yet, or any that
/// carries the environment's tag.
///
/// # Errors
/// A call to AWS failed.
pub async fn server(
    aws: &Aws,
    environment: &Environment,
    region: &str,
    known: Option<&str>,
) -> Result<Option<ServerFacts>, AwsError> {
    let transfer = aws.transfer(region);
    if let Some(id) = known
        && let Some(server) = transfer.server(id).await?
    {
        return Ok(Some(server));
    }
    for id in transfer.servers().await? {
        let server = transfer.server(&id).await?;
        let ours = |server: &ServerFacts| server.tags.get(tags::ENVIRONMENT) == Some(&environment.name);
        if let Some(server) = server.filter(ours) {
            return Ok(Some(server));
        }
    }
    Ok(None)
}

/// Tries to log in. A failed call to AWS is a finding too, so that the other regions are still checked.
pub async fn check(
    aws: &Arc<Aws>,
    environment: &Environment,
    region: &str,
    known: Option<&str>,
    attempt: Attempt<'_>,
) -> LoginCheck {
    let mut check = LoginCheck {
        region: region.to_owned(),
        server_id: None,
        admitted: false,
        status: None,
        reason: None,
        finding: String::new(),
        hint: None,
        seconds: 0.0,
        replicating: false,
    };
    if let Err(error) = try_login(&mut check, aws, environment, known, attempt).await {
        check.finding = format!("it could not be checked: {error}");
        check.hint = error.hint();
    }
    check
}

async fn try_login(
    check: &mut LoginCheck,
    aws: &Arc<Aws>,
    environment: &Environment,
    known: Option<&str>,
    attempt: Attempt<'_>,
) -> Result<(), AwsError> {
    let region = check.region.clone();
    let region = region.as_str();
    let Some(server) = server(aws, environment, region, known).await? else {
        check.finding = "there is no Transfer server of this environment here".into();
        check.hint = Some(format!("run: sftpctl deploy --env {}", environment.name));
        return Ok(());
    };
    check.server_id = Some(server.id.clone());
    let start = Instant::now();
    let transfer = aws.transfer(region);
    let answer = transfer.test_identity_provider(&server.id, attempt.username, attempt.password, attempt.source_ip);
    let answer = answer.await?;
    check.seconds = start.elapsed().as_secs_f64();
    check.status = Some(answer.status);
    let context = diagnose::Context { aws, environment, region, server: &server, attempt };
    if !has_role(&answer) {
        let diagnosis = diagnose::refusal(&context, &answer).await;
        (check.finding, check.hint) = (diagnosis.finding, diagnosis.hint);
        check.reason = diagnosis.reason.map(Refusal::reason);
        check.replicating = diagnosis.replicating;
        return Ok(());
    }
    let found = match admitted::role_and_bucket(&context, &answer).await {
        // Whoever helps customers need not be allowed to read roles and buckets.
        Err(error) if error.is_access_denied() && server.state == "ONLINE" => {
            check.admitted = true;
            check.finding = "admitted; the role and the bucket behind it were not checked".into();
            check.hint = error.hint();
            return Ok(());
        }
        found => found?,
    };
    match found {
        Some((finding, hint)) => (check.finding, check.hint) = (finding, Some(hint)),
        None if server.state != "ONLINE" => {
            check.finding = format!("the identity provider admits the user, but the server is {}", server.state);
            check.hint = Some(format!("aws transfer start-server --region {region} --server-id {}", server.id));
        }
        None => {
            check.admitted = true;
            check.finding = "admitted".into();
        }
    }
    Ok(())
}

/// Whether an answer admits the user.
pub(super) fn has_role(answer: &IdentityAnswer) -> bool {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    answer.status == 200 && body["Role"].as_str().is_some_and(|role| !role.is_empty())
}
