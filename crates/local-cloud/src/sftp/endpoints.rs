//! Ports and servers together: a server that is ONLINE listens, any other does not.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::Disconnect;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

use super::algorithms;
use super::clock::{Clock, Limits};
use super::connection::{Connection, Methods};
use super::line::Line;
use super::storage::Memory;
use crate::cloud::Cloud;
use crate::error::LocalError;
use crate::files::{read_json, write_json};
use crate::transfer::{KeyFolder, Place, Server, State, Store, security_policy};

/// How often a silent client is asked before it counts as unresponsive.
const ASKED: u32 = 3;
/// How long a client has to take note of its end.
const FAREWELL: Duration = Duration::from_secs(2);
/// Wrong passwords in one connection.
const MOST_ATTEMPTS: usize = 6;

/// What every connection needs.
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) keys: Arc<KeyFolder>,
    pub(super) cloud: Arc<Cloud>,
    /// For measurements: files in memory, for every customer.
    pub(super) memory: Option<Memory>,
    /// How long clients may take.
    limits: Limits,
}

/// The listening endpoints.
pub(crate) struct Endpoints {
    shared: Arc<Shared>,
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Ports by server id, kept so that a server has the same one after a restart.
    ports: BTreeMap<String, u16>,
    running: HashMap<String, (u16, AbortHandle)>,
}

impl Endpoints {
    /// No endpoint yet; [`Self::reconcile`] makes them.
    pub(crate) fn new(
        dir: &Path,
        store: Arc<Store>,
        keys: Arc<KeyFolder>,
        cloud: Arc<Cloud>,
        in_memory: bool,
        limits: Limits,
    ) -> Result<Self, LocalError> {
        let path = dir.join("ports.json");
        let ports = read_json(&path)?.unwrap_or_default();
        let memory = in_memory.then(Memory::default);
        let shared = Arc::new(Shared { store, keys, cloud, memory, limits });
        Ok(Self { shared, path, inner: Mutex::new(Inner { ports, running: HashMap::new() }) })
    }

    /// Makes the endpoints what the servers' states say, and tells the ports of those that listen.
    pub(crate) async fn reconcile(&self) -> BTreeMap<String, u16> {
        let mut inner = self.inner.lock().await;
        let servers = self.shared.store.all();
        let online: Vec<(&Place, &str)> = servers
            .iter()
            .filter(|(_, _, state)| *state == State::Online)
            .map(|(place, id, _)| (place, id.as_str()))
            .collect();
        inner.running.retain(|id, (_, task)| {
            let stays = online.iter().any(|(_, other)| other == id) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        let before = inner.ports.clone();
        inner.ports.retain(|id, _| servers.iter().any(|(_, other, _)| other == id));
        for (place, id) in online {
            if inner.running.contains_key(id) {
                continue;
            }
            match self.listen(place, id, inner.ports.get(id).copied()).await {
                Ok((port, task)) => {
                    inner.ports.insert(id.to_owned(), port);
                    inner.running.insert(id.to_owned(), (port, task));
                }
                Err(error) => tracing::error!(%error, server = id, "no SFTP endpoint"),
            }
        }
        if inner.ports != before
            && let Err(error) = write_json(&self.path, &inner.ports)
        {
            tracing::warn!(%error, "ports were not saved");
        }
        inner.running.iter().map(|(id, (port, _))| (id.clone(), *port)).collect()
    }

    /// Looks at the servers' states again and again, since they change by time alone.
    pub(crate) async fn watch(&self) {
        loop {
            self.reconcile().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn listen(&self, place: &Place, id: &str, port: Option<u16>) -> std::io::Result<(u16, AbortHandle)> {
        let wished = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await;
        // Somebody else may have the port by now.
        let listener = match wished {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(("127.0.0.1", 0)).await?,
        };
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(serve(Arc::clone(&self.shared), place.clone(), id.to_owned(), listener));
        tracing::info!(server = id, port, "listening");
        Ok((port, task.abort_handle()))
    }
}

/// Accepts connections; ended, it ends them all.
async fn serve(shared: Arc<Shared>, place: Place, id: String, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, server = id, "not accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let Ok(server) = shared.store.get(&place, &id) else { return };
        let (shared, place, id) = (Arc::clone(&shared), place.clone(), id.clone());
        connections.spawn(async move { connection(shared, place, id, &server, stream, peer).await });
    }
}

async fn connection(
    shared: Arc<Shared>,
    place: Place,
    id: String,
    server: &Server,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
) {
    let config = match configuration(&shared, &id, server) {
        Ok(config) => Arc::new(config),
        Err(why) => {
            tracing::error!(why, server = id, "no connection");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay");
    }
    let methods = server.settings.get("IdentityProviderDetails");
    let methods = methods.and_then(|details| details["SftpAuthenticationMethods"].as_str()).unwrap_or_default();
    let clock = Clock::new(shared.limits);
    let handler = Connection::new(shared, place, id.clone(), peer, Methods::parse(methods), clock.clone());
    let (line, _end) = Line::new(stream);
    let session = tokio::select! {
        session = russh::server::run_stream(config, line, handler) => session,
        why = clock.over() => return tracing::info!(why, server = id, "ended"),
    };
    let mut session = match session {
        Ok(session) => session,
        Err(error) => return tracing::debug!(%error, server = id, "no handshake"),
    };
    let handle = session.handle();
    let ended = tokio::select! {
        ended = &mut session => ended,
        why = clock.over() => {
            tracing::info!(why, server = id, user = clock.user(), "ended");
            let farewell = async {
                let text = format!("the connection is ended: {why}");
                handle.disconnect(Disconnect::ByApplication, text, String::new()).await?;
                session.await
            };
            tokio::time::timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
        }
    };
    match ended {
        Err(russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) => {
            tracing::info!(why = "unresponsive", server = id, user = clock.user(), "ended");
        }
        Err(error) => tracing::debug!(%error, server = id, "connection ended"),
        Ok(()) => {}
    }
}

fn configuration(shared: &Shared, id: &str, server: &Server) -> Result<russh::server::Config, String> {
    let name = server.text("SecurityPolicyName");
    let policy = security_policy(name).ok_or_else(|| format!("unknown security policy {name}"))?;
    let keys = shared.keys.active(id, server);
    let unresponsive = shared.limits.unresponsive();
    if keys.is_empty() {
        return Err("the server's host keys are gone".to_owned());
    }
    Ok(russh::server::Config {
        server_id: russh::SshId::Standard("SSH-2.0-AWS_SFTP_1.1".into()),
        keys,
        preferred: algorithms::preferred(&policy),
        max_auth_attempts: MOST_ATTEMPTS,
        auth_rejection_time: Duration::from_millis(100),
        auth_rejection_time_initial: Some(Duration::ZERO),
        // Only for writes that the client does not take: otherwise it is asked meanwhile.
        inactivity_timeout: Some(unresponsive),
        // Asked so many times, and one interval more for the last answer.
        keepalive_interval: Some(unresponsive / (ASKED + 1)),
        keepalive_max: ASKED as usize,
        nodelay: true,
        // With the library's 100 a client with more reads in flight waits for ever; the window bounds the memory.
        channel_buffer_size: 100_000,
        window_size: 4 << 20,
        maximum_packet_size: 65_535,
        ..russh::server::Config::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_answer_ends_when_transfer_ends_it() {
        let limit = Limits::default().unresponsive();
        // Asked `ASKED` times, it ends with the interval after the last.
        assert_eq!(limit / (ASKED + 1) * (ASKED + 1), Duration::from_secs(300));
    }
}
