//! One client's SSH connection: authentication and channels.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, Handler, Msg, PublicKeyOffer, Response, Session as Ssh, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};

use super::abortable_stream::{AbortOnDrop, End};
use super::algorithms;
use super::backlog::{Backlog, WINDOW};
use super::buckets::{Buckets, S3Storage};
use super::budget::Budget;
use super::clock::Clock;
use super::conversation::Conversation;
use super::endpoints::Shared;
use super::guard::Guard;
use super::hello::Hello;
use super::intake::Intake;
use super::places::Seat;
use super::rights::Rights;
use super::session::Session;
use super::told::Teller;
use super::user_key;
use crate::login::{self, Admission, LoginAttempt, NotAdmitted, View};
use crate::place::Place;
use crate::structured_logs::ConnectionLog;
use crate::transfer::{is_user_name, security_policy};
use crate::workflows::OnUpload;

/// Maximum number of SFTP sessions per connection, from the user guide's "Transferring files over a server endpoint
/// using a client".
const MAX_SESSIONS: usize = 10;

/// Maximum length of a role session's name (STS API reference, `RoleSessionName`). User names can be longer; they are
/// ASCII.
const MAX_SESSION_NAME: usize = 64;

pub(super) struct Connection {
    shared: Arc<Shared>,
    place: Place,
    server: String,
    peer: SocketAddr,
    methods: Methods,
    /// The identity provider's answer for a user who offers keys, cached because a client may offer many.
    offered: Option<(String, Result<Admission, NotAdmitted>)>,
    /// The user who has proved possession of a key. A password for another user may follow.
    key_of: Option<String>,
    admitted: Option<(String, Admission)>,
    /// The key that has admitted the user.
    key: Option<PublicKey>,
    log: ConnectionLog,
    hello: Hello,
    seat: Option<Seat>,
    /// Channels without an SFTP session.
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// What each channel has received.
    backlogs: HashMap<ChannelId, Backlog>,
    /// Ends the sessions with the connection.
    sessions: Vec<AbortOnDrop>,
    /// Counts the open sessions: each has a clone until its stream ends.
    seats: Arc<()>,
    /// Shared by the sessions.
    budget: Budget,
    intake: Intake,
    clock: Clock,
    conversation: Conversation,
}

/// `SftpAuthenticationMethods` of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Methods {
    /// Only passwords.
    Password,
    /// Only keys.
    Key,
    Either,
    /// A key, then a password.
    Both,
}

impl Methods {
    /// Parses the API's name.
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "PASSWORD" => Self::Password,
            "PUBLIC_KEY" => Self::Key,
            "PUBLIC_KEY_AND_PASSWORD" => Self::Both,
            _ => Self::Either,
        }
    }

    /// The methods that a client can go on with.
    pub(super) fn offered(self, key_accepted: bool) -> MethodSet {
        let kinds: &[MethodKind] = match self {
            Self::Password => &[MethodKind::Password],
            Self::Key => &[MethodKind::PublicKey],
            Self::Either => &[MethodKind::PublicKey, MethodKind::Password],
            Self::Both if key_accepted => &[MethodKind::Password],
            Self::Both => &[MethodKind::PublicKey],
        };
        kinds.into()
    }
}

impl Connection {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: SocketAddr,
        methods: Methods,
        (clock, conversation): (Clock, Conversation),
        log: ConnectionLog,
        (hello, intake): (Hello, Intake),
    ) -> Self {
        let (place, server) = log.server();
        let budget = Budget::new(shared.room.clone());
        Self {
            shared,
            place,
            server,
            peer,
            methods,
            offered: None,
            key_of: None,
            admitted: None,
            key: None,
            log,
            hello,
            seat: None,
            channels: HashMap::new(),
            backlogs: HashMap::new(),
            sessions: Vec::new(),
            seats: Arc::default(),
            budget,
            intake,
            clock,
            conversation,
        }
    }

    /// A failed attempt; the client may try again.
    fn refuse(&self, user: &str) -> Auth {
        self.conversation.refused();
        self.offer(user)
    }

    /// The methods that `user` can go on with.
    fn offer(&self, user: &str) -> Auth {
        let methods = self.methods.offered(self.has_shown_a_key(user));
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    fn has_shown_a_key(&self, user: &str) -> bool {
        self.key_of.as_deref() == Some(user)
    }

    pub(super) fn admit(&mut self, user: &str, admission: Admission) -> Auth {
        match self.shared.clients.take(&self.server, user) {
            Ok(seat) => self.seat = Some(seat),
            Err(why) => {
                tracing::warn!(server = self.server, user, ?why, "too many clients are logged in");
                self.conversation.turn_away(why);
                return self.offer(user);
            }
        }
        self.clock.admit(user);
        self.conversation.admit();
        self.admitted = Some((user.to_owned(), admission));
        Auth::Accept
    }

    /// Asks the identity provider, and checks that the role in its answer can be assumed.
    async fn ask(&self, username: &str, password: &str) -> Result<Admission, NotAdmitted> {
        // Transfer does not ask the identity provider about an invalid user name.
        if !is_user_name(username) {
            let reason = format!("`{username}` is not a valid Transfer Family user name");
            return Err(NotAdmitted::Authentication(reason));
        }
        let deleted = |_| NotAdmitted::Provider("the server has been deleted".to_owned());
        let server = self.shared.store.get(&self.place, &self.server).map_err(deleted)?;
        let source_ip = self.peer.ip().to_string();
        let attempt = LoginAttempt { username, password, protocol: "SFTP", source_ip: &source_ip };
        let identity = login::ask(&self.shared.cloud, &self.place, &self.server, &server, &attempt).await;
        let admission = login::admission(username, &identity)?;
        let role = login::may_assume(&self.shared.cloud, &self.place, &self.server, username, &admission.role).await;
        role.map_err(|error| NotAdmitted::Provider(error.to_string()))?;
        Ok(admission)
    }

    /// The identity provider's answer for a user who offers keys, requested once for each user of a connection.
    async fn keys_of(&mut self, username: &str) -> Result<Admission, NotAdmitted> {
        match &self.offered {
            Some((name, result)) if name == username => result.clone(),
            _ => {
                let result = self.ask(username, "").await;
                if let Err(refusal) = &result {
                    self.log_refusal(username, "publickey", refusal);
                }
                self.offered = Some((username.to_owned(), result.clone()));
                result
            }
        }
    }

    async fn has_key(&mut self, username: &str, key: &PublicKey) -> bool {
        let Ok(admission) = self.keys_of(username).await else { return false };
        let known = admission
            .public_keys
            .iter()
            .any(|line| PublicKey::from_openssh(line).is_ok_and(|known| known.key_data() == key.key_data()));
        let reason = match user_key::problem(key) {
            Some(problem) => problem,
            None if !known => "the account does not have this key",
            None => return true,
        };
        self.log_refusal(username, "publickey", &NotAdmitted::Authentication(reason.to_owned()));
        false
    }

    fn log_refusal(&self, user: &str, method: &str, refusal: &NotAdmitted) {
        let (activity, reason) = (refusal.activity(), refusal.to_string());
        tracing::info!(activity, server = self.server, user, reason, "refused");
        self.log.failure(activity, &[("user", user), ("method", method), ("message", &reason)]);
    }

    /// The line of a log-in.
    fn log_connected(&self) {
        let Some((user, admission)) = &self.admitted else { return };
        let Ok(server) = self.shared.store.get(&self.place, &self.server) else { return };
        let policy = security_policy(server.text("SecurityPolicyName"));
        let spoken = policy.map(|policy| self.hello.spoken(&algorithms::preferred(&policy))).unwrap_or_default();
        let home = match &admission.home {
            View::Path(path) => path,
            View::Logical(_) => "/",
        };
        let mut fields = vec![
            ("role", &*admission.role),
            ("home-dir", home),
            ("client", &spoken.client),
            ("kex", &spoken.kex),
            ("ciphers", &spoken.ciphers),
        ];
        let (key, print);
        if let Some(used) = &self.key {
            let line = used.to_openssh().unwrap_or_default();
            (key, print) = (line, used.fingerprint(russh::keys::HashAlg::Sha256).to_string());
            let mut words = key.split(' ');
            fields.extend(words.next().map(|kind| ("ssh-public-key-type", kind)));
            fields.extend(words.next().map(|body| ("ssh-public-key", body)));
            fields.push(("ssh-public-key-fingerprint", &print));
        }
        self.log.connected(user, &fields);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.admitted.is_some() {
            self.log.activity("DISCONNECTED", &[]);
        }
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_succeeded(&mut self, _session: &mut Ssh) -> Result<(), Self::Error> {
        self.log_connected();
        Ok(())
    }

    /// Asks for the methods; not an attempt.
    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        let _attempt = self.conversation.begin_for(user);
        Ok(self.offer(user))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        _response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let _attempt = self.conversation.begin_for(user);
        Ok(self.refuse(user))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let _attempt = self.conversation.begin_for(user);
        if self.conversation.is_exhausted() {
            return Ok(self.offer(user));
        }
        let may = match self.methods {
            Methods::Password | Methods::Either => true,
            Methods::Both => self.has_shown_a_key(user),
            Methods::Key => false,
        };
        if !may {
            return Ok(self.refuse(user));
        }
        // The answer to a password must not contain keys ("Transfer Family also requires that the password response
        // must not include public keys"): such an answer is for an empty password, and admits a client that proves one
        // of the keys.
        let result = self.ask(user, password).await.and_then(|admission| match admission.public_keys.is_empty() {
            true if !password.is_empty() => Ok(admission),
            _ => Err(NotAdmitted::Authentication(
                "no password was given, or the identity provider answered with keys".to_owned(),
            )),
        });
        match result {
            Ok(admission) => {
                tracing::info!(server = self.server, user, "logged in by password");
                Ok(self.admit(user, admission))
            }
            Err(refusal) => {
                self.log_refusal(user, "password", &refusal);
                Ok(self.refuse(user))
            }
        }
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let _attempt = self.conversation.begin_for(user);
        if self.conversation.is_exhausted() {
            return Ok(self.offer(user));
        }
        if self.methods == Methods::Password || !self.has_key(user, offer.public_key).await {
            return Ok(self.refuse(user));
        }
        Ok(Auth::Accept)
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let _attempt = self.conversation.begin_for(user);
        if self.methods == Methods::Password || !self.has_key(user, key.public_key).await {
            return Ok(self.refuse(user));
        }
        let Ok(admission) = self.keys_of(user).await else { return Ok(self.refuse(user)) };
        if self.methods == Methods::Both {
            self.key_of = Some(user.to_owned());
            let methods = Some(self.methods.offered(true));
            return Ok(Auth::Reject { proceed_with_methods: methods, partial_success: true });
        }
        tracing::info!(server = self.server, user, "logged in by key");
        self.key = Some(key.public_key.clone());
        Ok(self.admit(user, admission))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        self.clock.touch();
        if self.channels.len() + Arc::strong_count(&self.seats) > MAX_SESSIONS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.backlogs.insert(channel.id(), Backlog::new(self.intake.clone()));
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Ssh) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        self.backlogs.remove(&channel);
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _session: &mut Ssh) -> Result<(), Self::Error> {
        if self.backlogs.get(&channel).is_none_or(|backlog| backlog.received(data.len())) {
            return Ok(());
        }
        tracing::info!(server = self.server, user = self.clock.user(), "sends more than its window allows; ended");
        Err(russh::Error::Disconnect)
    }

    /// The library has one window for all channels: the smallest that one of them needs.
    fn adjust_window(&mut self, _channel: ChannelId, _current: u32) -> u32 {
        self.backlogs.values().map(Backlog::window).min().unwrap_or(WINDOW)
    }

    /// Reports success at the end of a session; without it `scp` would report a failure.
    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Ssh) -> Result<(), Self::Error> {
        if self.channels.contains_key(&channel) {
            return Ok(());
        }
        session.exit_status_request(channel, 0)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Ssh) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn exec_request(&mut self, channel: ChannelId, _data: &[u8], session: &mut Ssh) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Ssh,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Ssh) -> Result<(), Self::Error> {
        let admitted = self.admitted.clone();
        let (Some((user, admission)), true) = (admitted, name == "sftp") else {
            return session.channel_failure(id);
        };
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        let sftp = match self.begin(&user, &admission).await {
            Ok(sftp) => sftp,
            Err(reason) => {
                tracing::warn!(server = self.server, user, reason, "no session");
                return session.channel_failure(id);
            }
        };
        session.channel_success(id)?;
        let config = russh_sftp::server::Config { max_client_packet_len: super::guard::MAX_PACKET };
        let ((end, at_end), backlog) = (End::new(), self.backlogs.get(&id).cloned().unwrap_or_default());
        self.sessions.push(at_end);
        let stream = Guard::new(channel.into_stream(), self.clock.clone(), Arc::clone(&self.seats), backlog, end);
        russh_sftp::server::run_with_config(stream, sftp, config).await;
        Ok(())
    }
}

impl Connection {
    async fn begin(&self, user: &str, admission: &Admission) -> Result<Session, String> {
        let server =
            self.shared.store.get(&self.place, &self.server).map_err(|_| "the server has been deleted".to_owned())?;
        let option = server.settings.get("ProtocolDetails").and_then(|details| details["SetStatOption"].as_str());
        let quiet = option == Some("ENABLE_NO_OP");
        let view = admission.home.clone();
        let (emptied, limits) = (Arc::clone(&self.shared.emptied), (self.budget.clone(), self.intake.clone()));
        if let Some(memory) = &self.shared.memory {
            return Ok(Session::new(Arc::new(memory.clone()), None, None, view, quiet, emptied, limits));
        }
        let (cloud, account) = (&self.shared.cloud, &self.place.account);
        let buckets = |aws| Arc::new(Buckets::new(aws, &self.place.region));
        // What Transfer does for a customer meets faults; how the local cloud finds out what it may do does not.
        let files = buckets(cloud.aws_of_sessions(account).await);
        let rights = Rights::new(
            Arc::clone(cloud),
            account,
            buckets(cloud.aws(account).await),
            &admission.role,
            &user[..user.len().min(MAX_SESSION_NAME)],
            admission.policy.as_deref(),
        )?;
        let (buses, place, server) = (Arc::clone(&self.shared.buses), self.place.clone(), self.server.clone());
        let on_upload = OnUpload::new(Arc::clone(cloud), Arc::clone(&self.shared.store), user, self.log.clone());
        let teller = Teller::new(buses, (place, server), user.to_owned(), self.log.clone(), on_upload);
        Ok(Session::new(Arc::new(S3Storage(files)), Some(rights), Some(teller), view, quiet, emptied, limits))
    }
}
