//! Stores the Transfer servers of the local cloud, by account and region, in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::host_key::HostKey;
use crate::error::LocalError;
use crate::files::{read_json, write_json};
use crate::place::Place;

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// By account, region and server ID.
    servers: BTreeMap<String, BTreeMap<String, BTreeMap<String, Server>>>,
}

impl Default for File {
    fn default() -> Self {
        Self { version: VERSION, servers: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// The members that CreateServer and UpdateServer set, by their names in the API, without `Tags` and `HostKey`.
    pub(crate) settings: Map<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The public parts of the host keys, the oldest first.
    pub(crate) host_keys: Vec<HostKey>,
    /// The security groups of its endpoint in a VPC, which DescribeServer does not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) security_groups: Vec<String>,
    /// When its endpoint in a VPC is available, in milliseconds since 1970.
    #[serde(default)]
    endpoint_settles_at: u64,
    state: State,
    /// When a STARTING or STOPPING server reaches its next state, in milliseconds since 1970.
    settles_at: u64,
}

/// The states of a server, as in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Online,
    Offline,
    /// Becomes ONLINE.
    Starting,
    /// Becomes OFFLINE.
    Stopping,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
            Self::Starting => "STARTING",
            Self::Stopping => "STOPPING",
        }
    }
}

impl Server {
    /// A new server, which is ONLINE after `takes`.
    pub(crate) fn starting(
        settings: Map<String, Value>,
        tags: BTreeMap<String, String>,
        host_keys: Vec<HostKey>,
        takes: Duration,
    ) -> Self {
        let settles_at = now_plus(takes);
        let security_groups = Vec::new();
        let endpoint_settles_at = settles_at;
        Self { settings, tags, host_keys, security_groups, endpoint_settles_at, state: State::Starting, settles_at }
    }

    /// Begins to create an endpoint in a VPC, which is available after `takes`.
    pub(crate) fn begin_endpoint(&mut self, takes: Duration) {
        self.endpoint_settles_at = now_plus(takes);
    }

    /// Whether its endpoint in a VPC is still being created.
    pub(crate) fn has_pending_endpoint(&self) -> bool {
        !self.vpc_endpoint().is_empty() && self.endpoint_settles_at > now_plus(Duration::ZERO)
    }

    /// The ID of its endpoint in a VPC; "" if it has none.
    pub(crate) fn vpc_endpoint(&self) -> &str {
        self.detail("VpcEndpointId")
    }

    /// The VPC of its endpoint; "" if it has none.
    pub(crate) fn vpc(&self) -> &str {
        self.detail("VpcId")
    }

    pub(crate) fn subnets(&self) -> Vec<&str> {
        self.details("SubnetIds")
    }

    /// Allocation IDs of its addresses.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        self.details("AddressAllocationIds")
    }

    fn detail(&self, name: &str) -> &str {
        self.settings.get("EndpointDetails").and_then(|details| details[name].as_str()).unwrap_or_default()
    }

    fn details(&self, name: &str) -> Vec<&str> {
        let list = self.settings.get("EndpointDetails").and_then(|details| details[name].as_array());
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The current state.
    pub(crate) fn state(&self) -> State {
        match self.state {
            State::Starting if self.settles_at <= now_plus(Duration::ZERO) => State::Online,
            State::Stopping if self.settles_at <= now_plus(Duration::ZERO) => State::Offline,
            state => state,
        }
    }

    /// Begins a change of state that ends after `takes`.
    pub(crate) fn begin(&mut self, state: State, takes: Duration) {
        self.state = state;
        self.settles_at = now_plus(takes);
    }

    /// A setting that is a string; "" if it is not set.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.settings.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn now_plus(time: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_add(time).as_millis()).unwrap_or(u64::MAX)
}

/// All servers, in memory. The whole file is written after each change.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    file: Mutex<File>,
}

impl Store {
    /// Reads the file. If it does not exist, there are no servers.
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        let file: File = read_json(path)?.unwrap_or_default();
        if file.version != VERSION {
            let what = format!("format version {} is not supported, expected {VERSION}", file.version);
            return Err(LocalError::file("parsing", path)(std::io::Error::other(what)));
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// The servers of an account and region, by ID.
    pub(crate) fn list(&self, place: &Place) -> BTreeMap<String, Server> {
        let file = self.lock();
        file.servers.get(&place.account).and_then(|regions| regions.get(&place.region)).cloned().unwrap_or_default()
    }

    pub(crate) fn get(&self, place: &Place, id: &str) -> Result<Server, ApiError> {
        let file = self.lock();
        let servers = file.servers.get(&place.account).and_then(|regions| regions.get(&place.region));
        servers.and_then(|servers| servers.get(id)).cloned().ok_or_else(|| ApiError::unknown("Server", id))
    }

    /// The servers of all accounts and regions.
    pub(crate) fn all(&self) -> Vec<(Place, String, State)> {
        let file = self.lock();
        let mut all = Vec::new();
        for (account, regions) in &file.servers {
            for (region, servers) in regions {
                for (id, server) in servers {
                    let place = Place { account: account.clone(), region: region.clone() };
                    all.push((place, id.clone(), server.state()));
                }
            }
        }
        all
    }

    pub(crate) fn add(&self, place: &Place, id: &str, server: Server) -> Result<(), ApiError> {
        self.change(place, |servers| {
            servers.insert(id.to_owned(), server);
            Ok(())
        })
    }

    /// Changes a server. If `change` fails, or the file cannot be written, the server is unchanged.
    pub(crate) fn update<T>(
        &self,
        place: &Place,
        id: &str,
        change: impl FnOnce(&mut Server) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.change(place, |servers| change(servers.get_mut(id).ok_or_else(|| ApiError::unknown("Server", id))?))
    }

    pub(crate) fn remove(&self, place: &Place, id: &str) -> Result<(), ApiError> {
        self.change(place, |servers| servers.remove(id).map(|_| ()).ok_or_else(|| ApiError::unknown("Server", id)))
    }

    fn change<T>(
        &self,
        place: &Place,
        change: impl FnOnce(&mut BTreeMap<String, Server>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut file = self.lock();
        let servers = file.servers.entry(place.account.clone()).or_default().entry(place.region.clone()).or_default();
        let before = servers.clone();
        let result = change(servers);
        let unchanged = *servers == before;
        if unchanged {
            return result;
        }
        // After a partial change that was refused, or a failed write, memory must match the file again.
        let failure = match result {
            Ok(value) => match write_json(&self.path, &*file) {
                Ok(()) => return Ok(value),
                Err(error) => ApiError::internal(format!("the local cloud could not save its servers: {error}")),
            },
            Err(refusal) => refusal,
        };
        if let Some(servers) = file.servers.get_mut(&place.account).and_then(|regions| regions.get_mut(&place.region)) {
            *servers = before;
        }
        Err(failure)
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
