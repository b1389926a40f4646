//! The parts that the front's own services (log-in, execute path, SFTP) share: clients of MiniStack, and stored
//! sessions and policies.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::error::LocalError;
use super::execute_api::{Deployments, Sessions};
use super::front::Upstream;
use super::roles::Roles;
use super::waf::Waf;
use crate::function_key::FunctionKey;
use crate::secret::{HEADER, Secret};
use crate::settings::endpoint;
use sftpctl_aws::{Aws, ConnectOptions, SessionCredentials};

/// AWS clients for the accounts of MiniStack, and the state that the front itself stores.
pub(crate) struct Cloud {
    ministack_port: u16,
    front_port: u16,
    /// By port and account.
    clients: Mutex<HashMap<(u16, String), Arc<Aws>>>,
    /// Role sessions whose keys may sign.
    pub(crate) sessions: Sessions,
    /// Snapshots of deployed APIs.
    pub(crate) deployments: Deployments,
    pub(crate) roles: Roles,
    pub(crate) waf: Waf,
    upstream: Arc<Upstream>,
    /// The secret key of every account.
    pub(crate) secret: Secret,
    /// What MiniStack wants to see of those who may call it.
    pub(crate) ministack_secret: Secret,
    /// The key that the secret keys of functions are derived from.
    pub(crate) function_key: FunctionKey,
}

impl Cloud {
    /// A cloud for the MiniStack on `ministack_port` behind the front on `front_port`, with its files in `dir`.
    pub(crate) fn new(
        dir: &Path,
        (front_port, ministack_port): (u16, u16),
        (secret, ministack_secret): (Secret, Secret),
        function_key: FunctionKey,
    ) -> Result<Self, LocalError> {
        let upstream = Arc::new(Upstream::new(ministack_port, ministack_secret.clone()));
        Ok(Self {
            ministack_port,
            front_port,
            clients: Mutex::default(),
            sessions: Sessions::default(),
            deployments: Deployments::open(&dir.join("deployments.json"))?,
            roles: Roles::default(),
            waf: Waf::new(Arc::clone(&upstream)),
            upstream,
            secret,
            ministack_secret,
            function_key,
        })
    }

    /// AWS clients for `account`. Their calls bypass the front, because they are not the user's.
    pub(crate) async fn aws(&self, account: &str) -> Arc<Aws> {
        self.clients(self.ministack_port, account).await
    }

    /// AWS clients for the files of `account` that a customer reads and writes. Their calls pass through the front, so
    /// that they are logged, and faults and manners strike them.
    pub(crate) async fn aws_of_sessions(&self, account: &str) -> Arc<Aws> {
        self.clients(self.front_port, account).await
    }

    /// MiniStack itself, for calls that no client has.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// AWS clients with the keys of a role session, which the front asks the policies for.
    pub(crate) async fn aws_with(&self, account: &str, keys: SessionCredentials) -> Aws {
        let aws = Aws::connect(ConnectOptions {
            profile: None,
            endpoint_url: Some(endpoint(self.front_port)),
            local_account: Some(account.to_owned()),
            home_region: "us-east-1".to_owned(),
        });
        aws.await.with_credentials(keys)
    }

    async fn clients(&self, port: u16, account: &str) -> Arc<Aws> {
        let mut clients = self.clients.lock().await;
        let key = (port, account.to_owned());
        if let Some(aws) = clients.get(&key) {
            return Arc::clone(aws);
        }
        let aws = Aws::connect(ConnectOptions {
            profile: None,
            endpoint_url: Some(endpoint(port)),
            local_account: Some(account.to_owned()),
            home_region: "us-east-1".to_owned(),
        })
        .await;
        let keys = SessionCredentials::of_account(account, self.secret.as_str());
        let aws = Arc::new(aws.with_credentials(keys).with_header(HEADER, self.ministack_secret.as_str()));
        clients.insert(key, Arc::clone(&aws));
        aws
    }
}
