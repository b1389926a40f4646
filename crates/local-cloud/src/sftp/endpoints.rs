//! The ports of Transfer servers. Only a server that is ONLINE listens.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::{AlgorithmKind, Disconnect};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

use super::abortable_stream::AbortableStream;
use super::algorithms;
use super::backlog::WINDOW;
use super::clock::Clock;
use super::connection::{Connection, Methods};
use super::conversation::{Conversation, Ending, MAX_ATTEMPTS};
use super::emptied::Emptied;
use super::hello::Hello;
use super::intake::Intake;
use super::part::Room;
use super::places::Places;
use super::storage::Memory;
use super::waiting::Waiting;
use crate::cloud::Cloud;
use crate::error::LocalError;
use crate::events::Buses;
use crate::files::{read_json, write_json};
use crate::place::Place;
use crate::settings::SftpLimits as Limits;
use crate::socket_owner::has_our_client;
use crate::structured_logs::{ConnectionLog, StructuredLogs};
use crate::transfer::{KeyFolder, Server, State, Store, security_policy};

/// Number of unanswered keep-alives after which a client counts as unresponsive.
const MAX_KEEPALIVES: u32 = 3;
/// Time for a client to receive the disconnect message.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) keys: Arc<KeyFolder>,
    pub(super) cloud: Arc<Cloud>,
    pub(super) buses: Arc<Buses>,
    pub(super) logs: Arc<StructuredLogs>,
    /// Files in memory, shared by all customers; for measurements only.
    pub(super) memory: Option<Memory>,
    pub(super) emptied: Arc<Emptied>,
    pub(super) room: Room,
    waiting: Waiting,
    /// The places of clients that are logged in.
    pub(super) clients: Arc<Places>,
    limits: Limits,
}

/// What endpoints share with the rest of the local cloud; the last are what is told of log-ins and sessions.
type Parts = (Arc<Store>, Arc<KeyFolder>, Arc<Cloud>, (Arc<Buses>, Arc<StructuredLogs>));

pub(crate) struct Endpoints {
    shared: Arc<Shared>,
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Ports by server ID, stored so that a server has the same port after a restart.
    ports: BTreeMap<String, u16>,
    running: HashMap<String, (u16, AbortHandle)>,
}

impl Endpoints {
    /// Has no open endpoints until [`Self::reconcile`] is called.
    pub(crate) fn new(
        dir: &Path,
        (store, keys, cloud, (buses, logs)): Parts,
        in_memory: bool,
        limits: Limits,
    ) -> Result<Self, LocalError> {
        let path = dir.join("ports.json");
        let ports = read_json(&path)?.unwrap_or_default();
        let memory = in_memory.then(Memory::default);
        let shared = Arc::new(Shared {
            store,
            keys,
            cloud,
            buses,
            logs,
            memory,
            emptied: Arc::default(),
            room: Room::new(dir),
            waiting: Waiting::default(),
            clients: Arc::default(),
            limits,
        });
        Ok(Self { shared, path, inner: Mutex::new(Inner { ports, running: HashMap::new() }) })
    }

    /// Opens and closes endpoints to match the servers' states. Returns the ports of the open ones.
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
                Err(error) => tracing::error!(%error, server = id, "cannot open the SFTP endpoint"),
            }
        }
        if inner.ports != before
            && let Err(error) = write_json(&self.path, &inner.ports)
        {
            tracing::warn!(%error, "cannot save the ports");
        }
        inner.running.iter().map(|(id, (port, _))| (id.clone(), *port)).collect()
    }

    /// Reconciles at short intervals, because servers change state with time.
    pub(crate) async fn watch(&self) {
        loop {
            self.reconcile().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn listen(&self, place: &Place, id: &str, port: Option<u16>) -> std::io::Result<(u16, AbortHandle)> {
        let preferred = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await;
        // Another program may have the port by now.
        let listener = match preferred {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind(("127.0.0.1", 0)).await?,
        };
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(serve(Arc::clone(&self.shared), place.clone(), id.to_owned(), listener));
        tracing::info!(server = id, port, "listening");
        Ok((port, task.abort_handle()))
    }
}

/// A connection that has been accepted.
struct Client {
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    conversation: Conversation,
}

/// Tells that a connection has ended, in whatever way.
struct EndOnDrop(Conversation);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Accepts connections. Aborting this task ends all of them.
async fn serve(shared: Arc<Shared>, place: Place, id: String, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, server = id, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let Ok(server) = shared.store.get(&place, &id) else { return };
        // Here, and not in the task, since tasks do not begin in the order of the connections.
        let conversation = if has_our_client(&stream) { Conversation::default() } else { Conversation::of_stranger() };
        shared.waiting.add(&conversation);
        let client = Client { stream, peer, conversation };
        let (shared, place, id) = (Arc::clone(&shared), place.clone(), id.clone());
        connections.spawn(async move { connection(shared, place, id, &server, client).await });
    }
}

async fn connection(shared: Arc<Shared>, place: Place, id: String, server: &Server, client: Client) {
    let Client { stream, peer, conversation } = client;
    let _ended = EndOnDrop(conversation.clone());
    let methods = server.settings.get("IdentityProviderDetails");
    let methods = methods.and_then(|details| details["SftpAuthenticationMethods"].as_str()).unwrap_or_default();
    let methods = Methods::parse(methods);
    let config = match configuration(&shared, &id, server, methods) {
        Ok(config) => Arc::new(config),
        Err(why) => {
            tracing::error!(why, server = id, "cannot serve the connection");
            return;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let clock = Clock::new(shared.limits);
    let (logs, store) = (Arc::clone(&shared.logs), Arc::clone(&shared.store));
    let (hello, intake) = (Hello::default(), Intake::default());
    let told = (hello.clone(), intake.clone());
    let log = ConnectionLog::new(logs, store, (place.clone(), id.clone()), peer.ip());
    let (handler, (stream, _guard)) = (
        Connection::new(shared, peer, methods, (clock.clone(), conversation.clone()), log.clone(), told),
        AbortableStream::new(stream, conversation.clone(), hello, intake),
    );
    let session = tokio::select! {
        session = russh::server::run_stream(config, stream, handler) => session,
        why = clock.over() => return tracing::info!(why, server = id, %peer, "ended"),
        _ = conversation.over() => return,
    };
    let mut session = match session {
        Ok(session) => session,
        Err(error) => {
            log_mismatch(&log, &error);
            return tracing::debug!(%error, server = id, "handshake failed");
        }
    };
    let handle = session.handle();
    let ended = tokio::select! {
        ended = &mut session => ended,
        why = clock.over() => {
            tracing::info!(why, server = id, user = clock.user(), "ended");
            let farewell = async {
                let text = format!("connection closed: {why}");
                handle.disconnect(Disconnect::ByApplication, text, String::new()).await?;
                session.await
            };
            tokio::time::timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
        }
        ending = conversation.over() => {
            if ending == Ending::CrowdedOut {
                // Without a farewell, for which it would keep its place. The log has a line about all of them.
                return;
            }
            let (code, text) = ending.message();
            tracing::info!(why = text, server = id, %peer, "ended");
            let farewell = async {
                handle.disconnect(code, text.to_owned(), String::new()).await?;
                session.await
            };
            tokio::time::timeout(FAREWELL, farewell).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = &ended {
        log_mismatch(&log, error);
    }
    match ended {
        Err(russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) => {
            tracing::info!(why = "unresponsive", server = id, user = clock.user(), "ended");
        }
        // The library takes user names and passwords as text, and ends the connection if they are not UTF-8.
        Err(russh::Error::SshEncoding(error)) if clock.user().is_none() => {
            let why = "malformed authentication request, or a user name or password that is not UTF-8";
            tracing::info!(why, %error, server = id, %peer, "ended");
        }
        Err(error) if clock.user().is_none() && !is_hang_up(&error) => {
            tracing::info!(why = "before the log-in", %error, server = id, %peer, "ended");
        }
        Err(error) => tracing::debug!(%error, server = id, "connection ended"),
        Ok(()) => {}
    }
}

/// Logs that the client has no algorithm of the server, as in the user guide's "Example log entries for Key exchange
/// algorithm failures": `kex` is what the client offers, also for another kind of algorithm.
fn log_mismatch(log: &ConnectionLog, error: &russh::Error) {
    let russh::Error::NoCommonAlgo { kind, theirs, .. } = error else { return };
    let kind = match kind {
        AlgorithmKind::Kex => "key exchange method",
        AlgorithmKind::Key => "host key type",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Mac => "MAC",
        AlgorithmKind::Compression => "compression",
    };
    log.failure("KEX_FAILURE", &[("message", &format!("no matching {kind} found")), ("kex", &theirs.join(","))]);
}

/// Whether the client just went away.
fn is_hang_up(error: &russh::Error) -> bool {
    matches!(error, russh::Error::IO(_) | russh::Error::HUP | russh::Error::Disconnect)
}

fn configuration(
    shared: &Shared,
    id: &str,
    server: &Server,
    methods: Methods,
) -> Result<russh::server::Config, String> {
    let name = server.text("SecurityPolicyName");
    let policy = security_policy(name).ok_or_else(|| format!("unknown security policy {name}"))?;
    let keys = shared.keys.active(id, server);
    let unresponsive = shared.limits.unresponsive();
    if keys.is_empty() {
        return Err("the server has no readable host keys".to_owned());
    }
    Ok(russh::server::Config {
        server_id: russh::SshId::Standard("SSH-2.0-AWS_SFTP_1.1".into()),
        keys,
        preferred: algorithms::preferred(&policy),
        // What the library refuses by itself.
        methods: methods.offered(false),
        // The library counts the initial `none`, which is not an attempt; `Conversation` does not.
        max_auth_attempts: MAX_ATTEMPTS + 1,
        auth_rejection_time: Duration::from_millis(100),
        auth_rejection_time_initial: Some(Duration::ZERO),
        // Only for writes that the client does not receive; otherwise the keep-alives decide.
        inactivity_timeout: Some(unresponsive),
        // `MAX_KEEPALIVES` intervals, and one more for the last answer.
        keepalive_interval: Some(unresponsive / (MAX_KEEPALIVES + 1)),
        keepalive_max: MAX_KEEPALIVES as usize,
        nodelay: true,
        // With the library's default of 100, a client with more reads in flight would hang; `Backlog` bounds the memory.
        channel_buffer_size: 100_000,
        window_size: WINDOW,
        maximum_packet_size: 65_535,
        ..russh::server::Config::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::places::{MAX_CLIENTS, NoPlace};
    use super::*;

    use crate::front::Upstream;
    use crate::function_key::FunctionKey;
    use crate::login::{Admission, View};
    use crate::secret::Secret;

    #[tokio::test]
    async fn clients_beyond_the_limit_are_turned_away_with_words() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = (Secret::random(), Secret::random());
        let parts = (
            Arc::new(Store::open(&dir.path().join("transfer.json")).unwrap()),
            Arc::new(KeyFolder::new(dir.path())),
            Arc::new(Cloud::new(dir.path(), (1, 2), secrets, FunctionKey::random()).unwrap()),
            {
                let upstream = Arc::new(Upstream::new(2, Secret::random()));
                (Arc::new(Buses::new(Arc::clone(&upstream))), Arc::new(StructuredLogs::new(upstream)))
            },
        );
        let endpoints = Endpoints::new(dir.path(), parts, true, Limits::default());
        let shared = endpoints.unwrap().shared;
        let client = |user: &str| {
            let (clock, conversation) = (Clock::new(shared.limits), Conversation::default());
            let place = Place { account: "111111111111".to_owned(), region: "us-west-2".to_owned() };
            let peer: SocketAddr = ([127, 0, 0, 1], 1).into();
            let (logs, store) = (Arc::clone(&shared.logs), Arc::clone(&shared.store));
            let log = ConnectionLog::new(logs, store, (place, "s-1".to_owned()), peer.ip());
            let both = (clock, conversation.clone());
            let mut connection =
                Connection::new(Arc::clone(&shared), peer, Methods::Either, both, log, Default::default());
            let home = View::Path("/".to_owned());
            let admission = Admission { role: String::new(), policy: None, home, public_keys: Vec::new() };
            let is_admitted = matches!(connection.admit(user, admission), russh::server::Auth::Accept);
            (connection, conversation, is_admitted)
        };
        let mut admitted: Vec<_> = (0..MAX_CLIENTS).map(|user| client(&user.to_string())).collect();
        assert!(admitted.iter().all(|(_, _, is_admitted)| *is_admitted));
        let (_, conversation, is_admitted) = client("one more");
        assert!(!is_admitted);
        let ending = conversation.over().await;
        assert_eq!(ending, Ending::NoPlace(NoPlace::Full));
        assert!(ending.message().1.contains("too many clients"));
        // The place of one that has gone is free.
        drop(admitted.pop());
        assert!(client("one more").2);
    }

    #[test]
    fn unresponsive_client_is_disconnected_at_transfers_limit() {
        let limit = Limits::default().unresponsive();
        // One interval for each keep-alive, and one after the last.
        assert_eq!(limit / (MAX_KEEPALIVES + 1) * (MAX_KEEPALIVES + 1), Duration::from_secs(300));
    }
}
