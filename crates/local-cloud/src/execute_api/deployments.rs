//! What each deployment of an API was made of.
//!
//! MiniStack shows an API as it is set up, not as it was deployed. AWS serves the deployment: a method changed without a
//! new deployment answers as before. So the front takes a snapshot of an API before anything may change it, and when a
//! deployment is first seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::LocalError;
use crate::files::{read_json, write_json};
use sftpctl_aws::{ApiGateway, ApiMethod, AwsError};

/// The most deployments that are kept; the oldest ids go first, which only matters to stages that go back to them.
const MOST: usize = 500;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// `api/deployment`.
    deployments: BTreeMap<String, Vec<ApiMethod>>,
    order: Vec<String>,
}

/// The snapshots.
#[derive(Debug)]
pub(crate) struct Deployments {
    path: PathBuf,
    file: Mutex<File>,
}

impl Deployments {
    /// Reads the file.
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        let file: File = read_json(path)?.unwrap_or_default();
        Ok(Self { path: path.to_owned(), file: Mutex::new(File { version: 1, ..file }) })
    }

    /// The methods of what a stage shows; `None` without the API or the stage.
    pub(crate) async fn of_stage(
        &self,
        gateway: &ApiGateway,
        api: &str,
        stage: &str,
    ) -> Result<Option<Vec<ApiMethod>>, AwsError> {
        let Some(deployment) = gateway.deployment_of(api, stage).await? else { return Ok(None) };
        if let Some(known) = self.get(api, &deployment) {
            return Ok(Some(known));
        }
        let methods = gateway.methods(api).await?;
        self.put(api, &deployment, methods.clone());
        Ok(Some(methods))
    }

    /// Takes snapshots of every deployment that a stage of this region shows and that is not known yet.
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
        while file.order.len() > MOST {
            let oldest = file.order.remove(0);
            file.deployments.remove(&oldest);
        }
        if let Err(error) = write_json(&self.path, &*file) {
            tracing::warn!(%error, "deployments were not saved");
        }
    }
}
