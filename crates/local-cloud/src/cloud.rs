//! What the front's own services (log-in, execute path, SFTP) use of the rest of the local cloud.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::control::endpoint;
use super::error::LocalError;
use super::execute_api::{Deployments, Sessions};
use super::functions::FunctionKey;
use super::roles::Roles;
use sftpctl_aws::{Aws, ConnectOptions};

/// MiniStack as its accounts see it, and what the front remembers besides.
pub(crate) struct Cloud {
    ministack_port: u16,
    accounts: Mutex<HashMap<String, Arc<Aws>>>,
    /// Role sessions whose keys may sign.
    pub(crate) sessions: Sessions,
    /// What the deployments of APIs were made of.
    pub(crate) deployments: Deployments,
    /// The policies of roles.
    pub(crate) roles: Roles,
    /// What the secrets of functions are made with.
    pub(crate) function_key: FunctionKey,
}

impl Cloud {
    /// The cloud whose MiniStack listens on this port; what it remembers is kept in `dir`.
    pub(crate) fn new(dir: &Path, ministack_port: u16, function_key: FunctionKey) -> Result<Self, LocalError> {
        Ok(Self {
            ministack_port,
            accounts: Mutex::default(),
            sessions: Sessions::default(),
            deployments: Deployments::open(&dir.join("deployments.json"))?,
            roles: Roles::default(),
            function_key,
        })
    }

    /// AWS as this account. Calls go to MiniStack, not through the front: they are not the user's.
    pub(crate) async fn aws(&self, account: &str) -> Arc<Aws> {
        let mut accounts = self.accounts.lock().await;
        if let Some(aws) = accounts.get(account) {
            return Arc::clone(aws);
        }
        let aws = Aws::connect(ConnectOptions {
            profile: None,
            endpoint_url: Some(endpoint(self.ministack_port)),
            local_account: Some(account.to_owned()),
            home_region: "us-east-1".to_owned(),
        })
        .await;
        let aws = Arc::new(aws);
        accounts.insert(account.to_owned(), Arc::clone(&aws));
        aws
    }
}
