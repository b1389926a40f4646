//! Everything that can be known before the first change: whether a deployment of the environment would succeed, and
//! what would stop it. Changes nothing.
//!
//! Each check of the catalogue (`sftpctl_core::check`) is a probe, an asynchronous function with one result. All run
//! at once, each with a time limit; a probe without an answer is "unknown", which is never a failure.

mod decrypt;
mod dns;
mod given_topics;
mod identity;
mod kms;
mod names;
mod package;
mod permissions;
mod quotas;
mod regions;
mod roles;
mod s3_files;
mod state;
mod subject;
mod subscriptions;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join_all};
use sftpctl_aws::Aws;
use sftpctl_core::check::{Check, Definition, Report};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;

use self::subject::Subject;
use crate::state::model::State;
use crate::wait;

/// How long a probe may take. A service that does not answer by then is "unknown".
const LIMIT: Duration = Duration::from_secs(10);
/// The same for the checks around a deployment, which should not wait for them.
const CHEAP_LIMIT: Duration = Duration::from_secs(4);
/// How many times as long a probe of many calls may take.
const MANY_CALLS: u32 = 6;

/// What is examined.
#[derive(Debug)]
pub struct Options {
    pub environment: Environment,
    pub place: StatePlace,
    /// Path of the authorizer's binary; `None` for the one beside the running program.
    pub package: Option<PathBuf>,
    /// ARN of the user or role whose permissions are checked; `None` for the caller's.
    pub role: Option<String>,
}

/// A check that is under way.
struct Probe<'a> {
    of: &'static Definition,
    region: Option<&'a str>,
    /// How many times the usual limit it may take.
    patience: u32,
    work: LocalBoxFuture<'a, Check>,
}

impl<'a> Probe<'a> {
    fn new(of: &'static Definition, region: Option<&'a str>, work: impl Future<Output = Check> + 'a) -> Self {
        Self { of, region, patience: 1, work: Box::pin(work) }
    }

    /// A probe of many calls, which AWS may throttle.
    fn of_many_calls(self) -> Self {
        Self { patience: MANY_CALLS, ..self }
    }
}

/// Runs every check.
pub async fn examine(aws: &Arc<Aws>, options: Options) -> Report {
    let subject = Subject::new(Some(Arc::clone(aws)), options, None);
    let mut checks = identity::checks(&subject, LIMIT, false).await;
    match identity::obstacle(&checks) {
        Some(why) => checks.extend(without_aws(&subject, why).await),
        None => checks.extend(finish(every(&subject), LIMIT).await),
    }
    report(&subject, checks)
}

/// Runs the checks that need no AWS.
pub async fn examine_offline(options: Options) -> Report {
    let subject = Subject::new(None, options, None);
    let mut checks: Vec<Check> = [&Definition::CREDENTIALS, &Definition::ACCOUNT, &Definition::CLOCK]
        .map(|of| Check::skipped(of, None, "needs AWS"))
        .into();
    checks.extend(without_aws(&subject, "needs AWS").await);
    report(&subject, checks)
}

/// Runs the checks that need few calls, of the credentials and regions of a run.
pub async fn examine_quickly(aws: &Arc<Aws>, environment: Environment, state: &State) -> Report {
    // The run has read the state and the package itself.
    let options = Options { environment, place: StatePlace::Folder(PathBuf::new()), package: None, role: None };
    let subject = Subject::new(Some(Arc::clone(aws)), options, Some(state.clone()));
    let mut checks = identity::checks(&subject, CHEAP_LIMIT, true).await;
    if identity::obstacle(&checks).is_none() {
        let cheap = every(&subject).into_iter().filter(|probe| probe.of.cheap).collect();
        checks.extend(finish(cheap, CHEAP_LIMIT).await);
    }
    report(&subject, checks)
}

/// What a change needs that AWS does not refuse before it is too late: the networks of these regions' servers, and the
/// existing topics that EventBridge publishes to. Asks AWS nothing where there are none.
pub async fn examine_changes(aws: &Arc<Aws>, environment: Environment, state: &State, moving: &[String]) -> Report {
    let options = Options { environment, place: StatePlace::Folder(PathBuf::new()), package: None, role: None };
    let subject = Subject::new(Some(Arc::clone(aws)), options, Some(state.clone()));
    let is_moving = |probe: &Probe<'_>| probe.region.is_some_and(|region| moving.iter().any(|moved| moved == region));
    let networks = regions::networks(&subject).into_iter().filter(is_moving);
    let probes = networks.chain(given_topics::probes(&subject)).collect();
    report(&subject, finish(probes, CHEAP_LIMIT).await)
}

/// The checks that need no AWS; the others are skipped, for this reason.
async fn without_aws(subject: &Subject, why: &str) -> Vec<Check> {
    let mut checks = finish(local(subject), LIMIT).await;
    for of in sftpctl_core::check::ALL.iter().skip(3) {
        if !checks.iter().any(|check| check.id == of.id) {
            checks.push(Check::skipped(of, None, why));
        }
    }
    checks
}

fn report(subject: &Subject, checks: Vec<Check>) -> Report {
    let environment = &subject.environment;
    Report::new(&environment.name, &environment.account, checks, &environment.doctor)
}

/// Every probe but those of the caller's identity.
fn every(subject: &Subject) -> Vec<Probe<'_>> {
    let groups = [
        local(subject),
        regions::probes(subject),
        quotas::probes(subject),
        roles::probes(subject),
        names::probes(subject),
        dns::probes(subject),
        s3_files::probes(subject),
        decrypt::probes(subject),
        subscriptions::probes(subject),
        given_topics::probes(subject),
        state::probes(subject),
        permissions::probes(subject),
    ];
    groups.into_iter().flatten().collect()
}

/// The probes that need no AWS.
fn local(subject: &Subject) -> Vec<Probe<'_>> {
    [package::probes(subject), kms::probes(subject)].into_iter().flatten().collect()
}

/// Waits for all probes at once.
async fn finish(probes: Vec<Probe<'_>>, limit: Duration) -> Vec<Check> {
    let bounded = probes.into_iter().map(|probe| async move {
        let limit = limit.saturating_mul(probe.patience);
        let late = || {
            let why = format!("no answer within {} s", limit.as_secs());
            Check::unknown(probe.of, probe.region, why).hint("rerun the command; AWS may be throttling this account")
        };
        wait::at_most(limit, probe.work).await.unwrap_or_else(late)
    });
    join_all(bounded).await
}
