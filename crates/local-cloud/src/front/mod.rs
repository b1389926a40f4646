//! The HTTP endpoint of the local cloud.
//!
//! It answers AWS Transfer Family itself and streams nearly everything else to MiniStack unchanged;
//! `docs/local-cloud.md` lists the exceptions.

mod admin;
mod answers;
pub(crate) mod authorize;
mod bucket_tags;
mod call;
mod caller;
mod calls;
mod canonical;
mod conditional_copy;
mod ec2;
mod faults;
mod grants;
mod guard;
mod inbox;
mod manners;
mod neighbors;
mod operation;
mod pending;
mod permit;
mod price_lists;
mod quotas;
mod refusal;
mod s3_address;
mod simulation;
mod stack_call;
mod stack_request;
mod tokens;
mod upstream;
mod wire;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use faults::{Fault, Only, Rule};

pub(crate) use self::answers::request_id as uuid;
use self::answers::{request_id, rewritten, xml};
use self::call::Call;
use self::caller::{Scope, Unsigned};
use self::calls::Calls;
use self::faults::Faults;
use self::grants::Grants;
use self::inbox::Inbox;
use self::manners::{Manners, SOURCE_HEADER};
use self::operation::Form;
use self::pending::Pending;
use self::permit::{Permit, permitted};
use self::stack_call::stack_call;
use self::tokens::Tokens;
pub(crate) use self::upstream::Upstream;
use self::upstream::{MAX_REQUEST, plain};
use self::wire::Wire;
use super::cloud::Cloud;
use super::delay::Delays;
use super::error::LocalError;
use super::events::Buses;
use super::execute_api;
use super::sftp::Endpoints;
use super::structured_logs::StructuredLogs;
use super::transfer::{self, ApiError, Context, KeyFolder, Store};
use crate::addresses::Addresses;
use crate::function_key::FunctionKey;
use crate::place::Place;
use crate::secret::Secret;
use crate::settings::{MinistackStatus, StartOptions, endpoint};
use crate::socket_owner::has_our_client;

/// How long the head of a request may take, also the first byte of the next one.
const HEAD: Duration = Duration::from_secs(30);
/// Bytes of a request that are read ahead, its head among them.
const BUFFER: usize = 128 << 10;
/// Connections at once. A program that opens more is refused the rest.
const CONNECTIONS: usize = 1024;

/// The state that all requests share.
pub(super) struct Front {
    dir: PathBuf,
    port: u16,
    ministack: MinistackStatus,
    upstream: Arc<Upstream>,
    buses: Arc<Buses>,
    logs: Arc<StructuredLogs>,
    store: Arc<Store>,
    addresses: Addresses,
    keys: Arc<KeyFolder>,
    cloud: Arc<Cloud>,
    endpoints: Endpoints,
    calls: Calls,
    faults: Faults,
    manners: Manners,
    grants: Grants,
    pending: Pending,
    tokens: Tokens,
    delays: RwLock<Delays>,
    inbox: Inbox,
}

impl Front {
    /// A front for the MiniStack on `ministack_port`, with its servers kept in `dir`.
    pub(super) fn new(
        dir: &Path,
        port: u16,
        ministack_port: u16,
        ministack: MinistackStatus,
        options: &StartOptions,
        secrets: (Secret, Secret),
        function_key: FunctionKey,
    ) -> Result<Arc<Self>, LocalError> {
        let store = Arc::new(Store::open(&dir.join("transfer.json"))?);
        let addresses = Addresses::open(&dir.join("addresses.json"))?;
        let keys = Arc::new(KeyFolder::new(dir));
        let cloud = Arc::new(Cloud::new(dir, (port, ministack_port), secrets, function_key)?);
        let (in_memory, limits) = (options.files_in_memory, options.sftp_limits);
        let manners = Manners::without(&options.without_manners).map_err(LocalError::UnknownManner)?;
        cloud.waf.tell_the_address(manners.has(SOURCE_HEADER));
        let upstream = Arc::new(Upstream::new(ministack_port, cloud.ministack_secret.clone()));
        let buses = Arc::new(Buses::new(Arc::clone(&upstream)));
        let logs = Arc::new(StructuredLogs::new(Arc::clone(&upstream)));
        let told = (Arc::clone(&buses), Arc::clone(&logs));
        let parts = (Arc::clone(&store), Arc::clone(&keys), Arc::clone(&cloud), told);
        let endpoints = Endpoints::new(dir, parts, in_memory, limits)?;
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            port,
            ministack,
            upstream,
            buses,
            logs,
            store,
            addresses,
            keys,
            cloud,
            endpoints,
            calls: Calls::default(),
            faults: Faults::default(),
            manners,
            grants: Grants::default(),
            pending: Pending::default(),
            tokens: Tokens::default(),
            delays: RwLock::new(options.delays),
            inbox: Inbox::default(),
        }))
    }

    /// The account of an access key: its own digits, or that of the role it was issued for.
    fn account(&self, access_key: &str) -> String {
        match (caller::account_of(access_key), self.cloud.sessions.get(access_key)) {
            (Some(account), _) => account.to_owned(),
            (None, Some(session)) => session.account().to_owned(),
            (None, None) => String::new(),
        }
    }

    fn delays(&self) -> Delays {
        *self.delays.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `stop` completes; requests in flight are finished.
pub(super) async fn run(front: Arc<Front>, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let (graceful, seats) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let (endpoints, events, logs) = (front.endpoints.watch(), front.buses.deliver(), front.logs.deliver());
    let metrics = front.cloud.waf.deliver();
    tokio::pin!(stop, endpoints, events, logs, metrics);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
            () = &mut endpoints => break,
            () = &mut events => break,
            () = &mut logs => break,
            () = &mut metrics => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        // Before it has a seat: another user could take them all.
        if !has_our_client(&stream) {
            continue;
        }
        // Without a seat it is closed: the others are served on.
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let (wire, front) = (Wire::of(&stream), Arc::clone(&front));
        let service = service_fn(move |request: Request<Incoming>| {
            let (front, wire) = (Arc::clone(&front), wire.clone());
            async move { Ok::<_, Infallible>(handle(&front, &wire, request.map(Body::new)).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _seat = seat;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn handle(front: &Front, wire: &Wire, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut response = answer(front, wire, parts, body).await.unwrap_or_else(|refused| refused);
    guard::close(&mut response);
    response
}

/// The answer to a request; the error is the refusal of one that may not be made here.
async fn answer(front: &Front, wire: &Wire, parts: Parts, body: Body) -> Result<Response<Body>, Response<Body>> {
    if let Some(why) = guard::browser(&parts.headers) {
        return Err(plain(StatusCode::FORBIDDEN, why));
    }
    if let Some(path) = parts.uri.path().strip_prefix(admin::PREFIX) {
        let path = path.to_owned();
        if !guard::has_secret(front, &parts.headers) {
            return Err(plain(StatusCode::FORBIDDEN, "the header x-sftpctl-secret is missing or wrong"));
        }
        return Ok(admin::answer(front, &parts, &path, body).await);
    }
    // Public on AWS, too: nobody signs for them.
    if let Some(answer) = price_lists::answer(&parts) {
        return Ok(answer);
    }
    let signed = parts;
    let mut parts = canonical::canonical(&signed).map_err(|why| plain(StatusCode::BAD_REQUEST, why))?;
    let mut call = Call::of(front, &parts);
    let body = guard::signature(front, &call, &signed, body).await?;
    let body = call.read_form(&mut parts, body).await?;
    Ok(faults::around(front, wire, call, parts, body).await)
}

/// Answers a call here, or passes it on.
async fn dispatch(front: &Front, call: &Call, permit: Permit, mut parts: Parts, body: Body) -> Response<Body> {
    let response = match permit {
        Permit::OfFunction => {
            let scope = sign_as_account(call, &mut parts);
            pass(front, parts, &scope, &call.operation, body).await
        }
        Permit::OfCaller { hides_missing, is_granted } => {
            if is_granted {
                sign_as_account(call, &mut parts);
            }
            let response = route(front, call, parts, body).await;
            authorize::Allowed::shown(hides_missing, call, response)
        }
    };
    // CloudFormation may change a role at any time, but a caller relies on a change only after an answer reports it.
    if call.service == "cloudformation" || (call.service == "iam" && call.mutating) {
        front.cloud.roles.changed();
    }
    if call.service == "cloudformation" || (call.service == "wafv2" && call.mutating) {
        front.cloud.waf.changed();
    }
    response
}

async fn route(front: &Front, call: &Call, parts: Parts, body: Body) -> Response<Body> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    if let Some((api, region)) = execute_api::host(&host) {
        return execute_call(front, api, region, &parts, body).await;
    }
    let scope = caller::scope(&parts.headers, parts.uri.query());
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if target.is_some_and(|target| target.starts_with(transfer::TARGET_PREFIX)) {
        return transfer_call(front, &call.operation, scope, body).await;
    }
    if quotas::answers(call) {
        return quotas::answer(front, call, parts, body).await;
    }
    if ec2::answers(call) {
        return ec2::answer(front, call, parts, body).await;
    }
    match scope {
        Ok(scope) => pass(front, parts, &scope, &call.operation, body).await,
        Err(_) => front.upstream.pass(parts, body).await,
    }
}

/// Signs a call of a session that MiniStack does not know as one of the account.
fn sign_as_account(call: &Call, parts: &mut Parts) -> Scope {
    let scope = Scope { access_key: call.account.clone(), region: call.region.clone(), service: call.service.clone() };
    parts.headers.remove("x-amz-security-token");
    upstream::sign(&mut parts.headers, &scope);
    scope
}

/// Answers a request to a deployed API.
async fn execute_call(front: &Front, api: &str, region: &str, parts: &Parts, body: Body) -> Response<Body> {
    let Ok(body) = to_bytes(body, MAX_REQUEST).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
    };
    let account = api_account(front, api, region, parts).await;
    let aws = front.cloud.aws(&account).await;
    let context = execute_api::Context {
        aws: &aws,
        account: &account,
        region,
        sessions: &front.cloud.sessions,
        deployments: &front.cloud.deployments,
        roles: &front.cloud.roles,
        waf: &front.cloud.waf,
    };
    let answer = execute_api::answer(&context, api, parts, &body).await;
    if let Some(cause) = &answer.cause {
        tracing::info!(api, status = answer.status, cause, "execute-api");
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The account that owns an API. AWS needs only the ID; here the API is searched for in the signer's account, then in
/// the accounts with a Transfer server in the region, whose log-ins are the only other calls.
async fn api_account(front: &Front, api: &str, region: &str, parts: &Parts) -> String {
    let signer = match caller::scope(&parts.headers, parts.uri.query()) {
        Ok(scope) => front.account(&scope.access_key),
        Err(_) => String::new(),
    };
    let servers = front.store.all();
    let others = servers.iter().map(|(place, _, _)| place).filter(|place| place.region == region);
    let mut accounts: Vec<&str> = others.map(|place| place.account.as_str()).filter(|other| *other != signer).collect();
    accounts.dedup();
    for account in std::iter::once(signer.as_str()).filter(|signer| !signer.is_empty()).chain(accounts) {
        let apis = front.cloud.aws(account).await.apigateway(region).api_ids().await;
        if apis.is_ok_and(|apis| apis.iter().any(|known| known == api)) {
            return account.to_owned();
        }
    }
    signer
}

/// Answers a call of AWS Transfer Family.
async fn transfer_call(front: &Front, operation: &str, scope: Result<Scope, Unsigned>, body: Body) -> Response<Body> {
    let result = async {
        let scope = scope.map_err(|unsigned| match unsigned {
            Unsigned::Missing => {
                ApiError::protocol(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
            }
            Unsigned::Malformed => ApiError::protocol(
                400,
                "IncompleteSignatureException",
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters",
            ),
        })?;
        if scope.service != "transfer" {
            let what = "Credential should be scoped to correct service: 'transfer'.";
            return Err(ApiError::protocol(400, "InvalidSignatureException", what));
        }
        let body = to_bytes(body, MAX_REQUEST)
            .await
            .map_err(|error| ApiError::protocol(413, "RequestEntityTooLargeException", error.to_string()))?;
        let account = front.account(&scope.access_key);
        let context = Context {
            place: Place { account, region: scope.region },
            store: &front.store,
            addresses: &front.addresses,
            keys: &front.keys,
            neighbors: front,
            start_time: front.delays().server_start(),
        };
        let answer = transfer::answer(&context, operation, &body).await;
        // A server reported as ONLINE must be listening.
        front.endpoints.reconcile().await;
        answer
    };
    let (status, body) = match result.await {
        Ok(answer) => (200, answer.map(|value| value.to_string()).unwrap_or_default()),
        Err(error) => {
            tracing::info!(operation, code = error.code, "refused");
            (error.status, error.body().to_string())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// Passes any other call to MiniStack, with the exceptions that its operation requires.
async fn pass(front: &Front, parts: Parts, scope: &Scope, operation: &str, body: Body) -> Response<Body> {
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    // Only the query protocols name the operation in the body; an upload to S3 is never buffered.
    if scope.service != "s3" && is_form && parts.method == Method::POST {
        let Ok(bytes) = to_bytes(body, MAX_REQUEST).await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large");
        };
        let form = Form::parse(&bytes);
        if scope.service == "sts" && operation == "AssumeRole" {
            let response = front.upstream.pass(parts, Body::from(bytes)).await;
            return assumed(front, &form, response).await;
        }
        if scope.service == "iam"
            && operation == "SimulatePrincipalPolicy"
            && let Some(answer) = simulation::answer(front, &form).await
        {
            return xml(answer);
        }
        if scope.service == "cloudformation" {
            return stack_call(front, parts, scope, operation, &form, Body::from(bytes)).await;
        }
        return front.upstream.pass(parts, Body::from(bytes)).await;
    }
    if scope.service == "dynamodb" && (!front.delays().table_creation().is_zero() || front.pending.any_table()) {
        return table_call(front, parts, scope, operation, body).await;
    }
    if scope.service == "sqs" && ["CreateQueue", "GetQueueUrl", "ListQueues"].contains(&operation) {
        // Clients send their calls to a queue's URL.
        let (theirs, ours) = (front.ministack.endpoint.as_str(), endpoint(front.port));
        let response = front.upstream.pass(parts, body).await;
        return rewritten(response, |text| text.replace(theirs, &ours)).await;
    }
    if scope.service == "apigateway" && parts.method != Method::GET {
        snapshot(front, scope).await;
        let response = front.upstream.pass(parts, body).await;
        if operation == "CreateDeployment" {
            snapshot(front, scope).await;
        }
        return response;
    }
    if scope.service == "s3"
        && operation == "CopyObject"
        && let Some(refusal) = conditional_copy::refusal(front, &parts, scope).await
    {
        return refusal;
    }
    if scope.service == "s3"
        && operation == "GetBucketTagging"
        && let Some(bucket) = operation::bucket(&parts)
    {
        let account = front.account(&scope.access_key);
        let place = Place { account, region: scope.region.clone() };
        let response = front.upstream.pass(parts, body).await;
        return bucket_tags::answer(front, &place, &bucket, response).await;
    }
    front.upstream.pass(parts, body).await
}

/// Takes snapshots of the deployed APIs before a call that may change them.
async fn snapshot(front: &Front, scope: &Scope) {
    let account = front.account(&scope.access_key);
    let gateway = front.cloud.aws(&account).await.apigateway(&scope.region);
    if let Err(error) = front.cloud.deployments.snapshot(&gateway).await {
        tracing::warn!(%error, "cannot take snapshots of the deployments");
    }
}

/// Stores the keys of an assumed role: they sign calls, which its policies decide on.
async fn assumed(front: &Front, form: &Form, response: Response<Body>) -> Response<Body> {
    let (role, name) = (form.get("RoleArn").unwrap_or_default(), form.get("RoleSessionName").unwrap_or_default());
    let policy = form.get("Policy").map(str::to_owned);
    let seconds = form.get("DurationSeconds").and_then(|text| text.parse().ok());
    rewritten(response, |xml| {
        let field = |name: &str| {
            let (_, rest) = xml.split_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let keys = field("AccessKeyId").zip(field("SecretAccessKey")).zip(field("SessionToken"));
        if let Some(((access_key, secret), token)) = keys {
            let (role_arn, name) = (role.to_owned(), name.to_owned());
            let session = execute_api::Session { role_arn, name, secret, token, policy, granted: None };
            front.cloud.sessions.add(&access_key, session, seconds.map(Duration::from_secs));
        }
        xml
    })
    .await
}

/// Answers a call of DynamoDB while table creation is delayed.
async fn table_call(front: &Front, mut parts: Parts, scope: &Scope, operation: &str, body: Body) -> Response<Body> {
    let takes = front.delays().table_creation();
    match operation {
        "CreateTable" | "UpdateTable" => {
            let Ok(bytes) = to_bytes(body, MAX_REQUEST).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
            };
            let request: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let account = front.account(&scope.access_key);
            let response = front.upstream.pass(parts, Body::from(bytes)).await;
            if response.status().is_success() && !takes.is_zero() {
                let table = request["TableName"].as_str().unwrap_or_default();
                let table = table.rsplit('/').next().unwrap_or(table);
                let replicas = request["ReplicaUpdates"].as_array().into_iter().flatten();
                let replicas = replicas.filter_map(|update| update["Create"]["RegionName"].as_str());
                let home = (operation == "CreateTable").then_some(scope.region.as_str());
                for region in replicas.chain(home) {
                    let place = Place { account: account.clone(), region: region.to_owned() };
                    front.pending.table_began(&place, table, takes);
                }
            }
            response
        }
        "DescribeTable" => {
            let account = front.account(&scope.access_key);
            let place = Place { account, region: scope.region.clone() };
            parts.headers.remove(header::ACCEPT_ENCODING);
            let response = front.upstream.pass(parts, body).await;
            rewritten(response, |text| match serde_json::from_str(&text) {
                Ok(answer) => front.pending.show_table(&place, answer).to_string(),
                Err(_) => text,
            })
            .await
        }
        _ => front.upstream.pass(parts, body).await,
    }
}
