//! What is examined, and the answers that several checks share, each asked for once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sftpctl_aws::{AccountConcurrency, Aws, AwsError, Caller, StackFacts};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::state_place::StatePlace;
use tokio::sync::OnceCell;

use super::Options;
use crate::desired::{self, Inputs};
use crate::observe::{Observed, observe};
use crate::package::Package;
use crate::run;
use crate::state::model::State;

/// An answer of AWS that is asked for once.
type Once<T> = OnceCell<Result<T, AwsError>>;

/// Answers of one region.
#[derive(Default)]
struct RegionAnswers {
    stack: Once<Option<StackFacts>>,
    concurrency: Once<Option<AccountConcurrency>>,
}

pub(super) struct Subject {
    pub(super) environment: Environment,
    pub(super) place: StatePlace,
    pub(super) package: Option<PathBuf>,
    pub(super) role: Option<String>,
    aws: Option<Arc<Aws>>,
    pub(super) caller: OnceCell<Caller>,
    state: OnceCell<Result<State, (String, Option<String>)>>,
    summary: Once<BTreeMap<String, u64>>,
    buckets: Once<Vec<String>>,
    zones: Once<Vec<String>>,
    observed: OnceCell<Result<Observed, String>>,
    regions: BTreeMap<String, RegionAnswers>,
}

impl Subject {
    /// `state`: of a run that has read it already.
    pub(super) fn new(aws: Option<Arc<Aws>>, options: Options, state: Option<State>) -> Self {
        let Options { environment, place, package, role } = options;
        let regions = environment.regions.keys().map(|region| (region.clone(), RegionAnswers::default())).collect();
        Self {
            environment,
            place,
            package,
            role,
            aws,
            caller: OnceCell::new(),
            state: OnceCell::new_with(state.map(Ok)),
            summary: OnceCell::new(),
            buckets: OnceCell::new(),
            zones: OnceCell::new(),
            observed: OnceCell::new(),
            regions,
        }
    }

    /// AWS. Only the probes that need none run without it.
    pub(super) fn aws(&self) -> Option<&Arc<Aws>> {
        self.aws.as_ref()
    }

    /// The state; empty where it cannot be read, which the check of its place reports.
    pub(super) async fn state(&self) -> State {
        let empty = || State::new(&self.environment.name, &self.environment.account);
        self.read_state().await.as_ref().cloned().unwrap_or_else(|_| empty())
    }

    /// The state, or why it cannot be read, with a hint.
    pub(super) async fn read_state(&self) -> &Result<State, (String, Option<String>)> {
        self.state
            .get_or_init(async || {
                let Some(aws) = &self.aws else { return Err(("needs AWS".to_owned(), None)) };
                let store = run::store(aws, &self.environment, &self.place);
                match store.load().await {
                    Ok(remembered) => Ok(remembered.state),
                    Err(error) => Err((error.to_string(), error.hint())),
                }
            })
            .await
    }

    /// How many resources of a kind the state remembers.
    pub(super) async fn remembered(&self, kind: Kind) -> u64 {
        self.state().await.identities.keys().filter(|id| id.kind() == Some(kind)).count() as u64
    }

    /// The identity of a resource in the state.
    pub(super) async fn identity(&self, node: &NodeId) -> Option<String> {
        self.state().await.identities.get(node).cloned()
    }

    pub(super) async fn summary(&self, aws: &Aws) -> &Result<BTreeMap<String, u64>, AwsError> {
        self.summary.get_or_init(async || aws.iam().summary().await).await
    }

    pub(super) async fn buckets(&self, aws: &Aws) -> &Result<Vec<String>, AwsError> {
        self.buckets.get_or_init(async || aws.s3(&self.environment.home_region).all_buckets().await).await
    }

    /// IDs of the public hosted zones of the environment's name; the one that the file names.
    pub(super) async fn zones(&self, aws: &Aws) -> &Result<Vec<String>, AwsError> {
        let ask = async || match &self.environment.dns {
            None => Ok(Vec::new()),
            Some(dns) => match &dns.zone_id {
                Some(id) => Ok(vec![id.clone()]),
                None => aws.route53().zones(&dns.zone).await,
            },
        };
        self.zones.get_or_init(ask).await
    }

    /// The stack of a region.
    pub(super) async fn stack(&self, aws: &Aws, region: &str) -> Result<Option<StackFacts>, AwsError> {
        let name = names::stack(&self.environment, region);
        match self.regions.get(region) {
            None => Ok(None),
            Some(answers) => {
                let ask = async || aws.cloudformation(region).stack(&name).await;
                answers.stack.get_or_init(ask).await.clone()
            }
        }
    }

    /// Lambda's concurrency in a region.
    pub(super) async fn concurrency(&self, aws: &Aws, region: &str) -> Result<Option<AccountConcurrency>, AwsError> {
        match self.regions.get(region) {
            None => Ok(None),
            Some(answers) => {
                answers.concurrency.get_or_init(async || aws.lambda(region).concurrency().await).await.clone()
            }
        }
    }

    /// Every resource of the environment as it is. The package's content and the host keys do not matter for owners.
    pub(super) async fn observed(&self, aws: &Arc<Aws>) -> &Result<Observed, String> {
        let ask = async || {
            let mut environment = self.environment.clone();
            if let (Some(dns), Ok([zone])) =
                (environment.dns.as_mut(), self.zones(aws).await.as_ref().map(Vec::as_slice))
            {
                dns.zone_id = Some(zone.clone());
            }
            let state = self.state().await;
            let code = Package::new(&[]).map_err(|error| error.to_string())?;
            let inputs = Inputs {
                code: Arc::new(code),
                host_keys: Vec::new().into(),
                adopted_tags: state.adopted_tags.clone(),
                servers: state.servers().into(),
            };
            let resources = desired::resources(&environment, &inputs).map_err(|error| error.to_string())?;
            Ok(observe(aws, &resources, &state.identities).await)
        };
        self.observed.get_or_init(ask).await
    }
}

/// A check whose answer AWS refused, or that got none.
pub(super) fn unread(of: &Definition, region: Option<&str>, error: &AwsError) -> Check {
    let check = Check::unknown(of, region, error.to_string());
    match error.hint() {
        Some(hint) => check.hint(hint),
        None => check,
    }
}
