//! Snapshots of APIs as they were deployed.
//!
//! MiniStack serves an API as it is configured now. AWS serves the deployment: a method that is changed without a new
//! deployment answers as before. So the front takes a snapshot of an API before any call that may change it, and when
//! it first reads a deployment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::LocalError;
use crate::files::{read_json, write_json};
use sftpctl_aws::{ApiGateway, ApiMethod, AwsError, StageState};

/// Maximum number of deployments kept. The oldest are dropped first, which only matters to a stage that is moved back
/// to one.
const MAX_DEPLOYMENTS: usize = 500;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// `api/deployment`.
    deployments: BTreeMap<String, Vec<ApiMethod>>,
    order: Vec<String>,
}

/// What a stage serves.
pub(crate) struct Deployed {
    pub(crate) methods: Vec<ApiMethod>,
    /// ARN of the web ACL that is asked first.
    pub(crate) web_acl: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Deployments {
    path: PathBuf,
    file: Mutex<File>,
}

impl Deployments {
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        let file: File = read_json(path)?.unwrap_or_default();
        Ok(Self { path: path.to_owned(), file: Mutex::new(File { version: 1, ..file }) })
    }

    /// The deployment that a stage points to, and its web ACL; `None` if the API or the stage does not exist.
    pub(crate) async fn of_stage(
        &self,
        gateway: &ApiGateway,
        api: &str,
        stage: &str,
    ) -> Result<Option<Deployed>, AwsError> {
        let Some(StageState { deployment, web_acl }) = gateway.stage(api, stage).await? else { return Ok(None) };
        if let Some(methods) = self.get(api, &deployment) {
            return Ok(Some(Deployed { methods, web_acl }));
        }
        let methods = gateway.methods(api).await?;
        self.put(api, &deployment, methods.clone());
        Ok(Some(Deployed { methods, web_acl }))
    }

    /// Takes a snapshot of each unknown deployment that a stage of this region points to.
    pub(crate) async fn snapshot(&self, gateway: &ApiGateway) -> Result<(), AwsError> {
        for api in gateway.api_ids().await? {
            for deployment in gateway.stages(&api).await?.values() {
                if self.get(&api, deployment).is_none() {
                    self.put(&api, deployment, gateway.methods(&api).await?);
                }
            }
        }
        Ok(())
    }

    fn get(&self, api: &str, deployment: &str) -> Option<Vec<ApiMethod>> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.deployments.get(&format!("{api}/{deployment}")).cloned()
    }

    fn put(&self, api: &str, deployment: &str, methods: Vec<ApiMethod>) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{api}/{deployment}");
        file.order.push(key.clone());
        file.deployments.insert(key, methods);
        while file.order.len() > MAX_DEPLOYMENTS {
            let oldest = file.order.remove(0);
            file.deployments.remove(&oldest);
        }
        if let Err(error) = write_json(&self.path, &*file) {
            tracing::warn!(%error, "cannot save the deployments");
        }
    }
}
