//! Connects to an environment's AWS account and to its state.

use std::sync::Arc;
use std::time::Duration;

use sftpctl_aws::{Aws, AwsError, Caller, ConnectOptions, RoleToAssume, RolesToAssume, SessionCredentials};
use sftpctl_core::kind::Kind;
use sftpctl_core::spec::assume_role::AssumeRole;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;

use super::error::RunError;
use crate::state::blob::Blobs;
use crate::state::bucket::Bucket;
use crate::state::folder::Folder;
use crate::state::machine::ThisMachine;
use crate::state::model::State;
use crate::state::store::Store;

/// The store of an environment's state, journal and lock.
pub fn store(aws: &Aws, environment: &Environment, place: &StatePlace) -> Store {
    let blobs: Arc<dyn Blobs> = match place {
        StatePlace::Folder(path) => Arc::new(Folder::new(path)),
        StatePlace::Bucket { bucket, prefix, region } => {
            let s3 = aws.s3(region.as_deref().unwrap_or(&environment.home_region));
            Arc::new(Bucket::new(s3, &environment.account, bucket, prefix, environment.state.kms_key.clone()))
        }
    };
    Store::new(blobs, &environment.name, &environment.account, Arc::new(ThisMachine))
}

/// Where AWS is, and with whose credentials it is called.
#[derive(Clone, Default)]
pub struct AwsPlace {
    /// Named profile; otherwise the standard chain.
    pub profile: Option<String>,
    /// One endpoint for all AWS services.
    pub endpoint_url: Option<String>,
    /// Whether the endpoint is the local cloud.
    pub local: bool,
    /// Its keys.
    pub local_keys: Option<SessionCredentials>,
}

/// AWS, unchecked, in sessions of the environment's roles.
///
/// # Errors
/// A proxy or a certificate in the environment variables cannot be used.
pub async fn session(environment: &Environment, place: AwsPlace) -> Result<Aws, RunError> {
    let options = ConnectOptions {
        profile: place.profile,
        endpoint_url: place.endpoint_url,
        local_account: place.local.then(|| environment.account.clone()),
        home_region: environment.home_region.clone(),
    };
    options.network().map_err(RunError::Network)?;
    let aws = Aws::connect_as(options, place.local_keys, &roles(environment)).await;
    Ok(aws.with_stack_role(environment.stack_role.clone()))
}

/// Connects to an environment's AWS account, and only to that one. If the environment has roles to assume, all calls are
/// made in their sessions.
///
/// # Errors
/// The credentials do not work, belong to another AWS account, or may not assume a role.
pub async fn connect(environment: &Environment, place: AwsPlace) -> Result<Arc<Aws>, RunError> {
    let aws = session(environment, place).await?;
    let callers = match callers(&aws).await {
        Ok(callers) => callers,
        Err(error) if error.operation == "sts:AssumeRole" => return Err(not_assumed(&aws, error).await),
        Err(error) => return Err(RunError::Connect(error)),
    };
    if let Some(caller) = callers.into_iter().find(|caller| caller.account != environment.account) {
        let (environment, account) = (environment.name.clone(), environment.account.clone());
        return Err(RunError::WrongAccount { environment, account, caller });
    }
    Ok(Arc::new(aws))
}

async fn callers(aws: &Aws) -> Result<Vec<Caller>, AwsError> {
    let caller = aws.caller().await?;
    Ok(aws.regional_callers().await?.into_iter().chain([caller]).collect())
}

/// The roles that an environment's file names.
fn roles(environment: &Environment) -> RolesToAssume {
    let of = |role: &AssumeRole| RoleToAssume {
        arn: role.arn.clone(),
        external_id: role.external_id.clone(),
        session_name: role.session_name.clone(),
        duration: role.duration.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let regions = environment.regions.iter();
    RolesToAssume {
        role: environment.assume_role.as_ref().map(of),
        regions: regions.filter_map(|(name, region)| Some((name.clone(), of(region.assume_role.as_ref()?)))).collect(),
    }
}

/// The error, with the caller that tried.
async fn not_assumed(aws: &Aws, error: AwsError) -> RunError {
    if error.is_credentials() {
        return RunError::Connect(error);
    }
    RunError::RoleNotAssumed { caller: aws.own_caller().await.ok(), error: Box::new(error) }
}

/// Fills in the ID of the hosted zone, which a server's tags and every record need. If there is no zone of that name,
/// or several, reading the records reports it.
pub(super) async fn look_up_zone(aws: &Aws, environment: &mut Environment, state: &State) {
    let Some(dns) = environment.dns.as_mut().filter(|dns| dns.zone_id.is_none()) else { return };
    dns.zone_id = match remembered_zone(state, &dns.zone) {
        Some(zone) => Some(zone),
        None => match aws.route53().zones(&dns.zone).await.as_deref() {
            Ok([zone]) => Some(zone.clone()),
            _ => None,
        },
    };
}

/// The zone's ID, from the records in the state.
fn remembered_zone(state: &State, zone: &str) -> Option<String> {
    state.identities.iter().filter(|(id, _)| id.kind() == Some(Kind::Record)).find_map(|(_, identity)| {
        let (id, name) = identity.split_once('/')?;
        name.trim_end_matches('.').ends_with(&format!(".{zone}")).then(|| id.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use sftpctl_core::kind::NodeId;

    use super::*;

    #[test]
    fn zone_is_remembered_by_its_records() {
        let mut state = State::new("99", "111111111111");
        let server = NodeId::new("us-west-2", Kind::Server);
        state.identities.insert(server, "Z0/a.xx.net".to_owned());
        assert_eq!(remembered_zone(&state, "xx.net"), None, "a server is not a record");
        let record = NodeId::named("global", Kind::Record, "a.xx.net");
        state.identities.insert(record, "Z1/a.xx.net".to_owned());
        assert_eq!(remembered_zone(&state, "xx.net").as_deref(), Some("Z1"));
        assert_eq!(remembered_zone(&state, "yy.net"), None);
    }
}
