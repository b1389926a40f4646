//! AWS's manners: ways in which AWS answers differently from MiniStack, and less kindly.
//!
//! Each is a small file with a [`Manner`]: what AWS does, where that is recorded or documented, and how the front
//! answers so. All are on unless they are turned off, by `sftpctl local start --without-manner NAME` or
//! `sftpctl local manners off NAME`. What takes seconds on AWS takes calls here, so that no test waits.

mod account_concurrency;
mod api_account;
mod ascii_templates;
mod bucket_name_reuse;
mod bucket_propagation;
mod failing_resource;
mod fingerprint_padding;
mod iam_delete_conflict;
mod iam_propagation;
mod log_pages;
mod log_pattern;
mod log_role;
mod lone_cnames;
mod null_templates;
mod object_errors;
mod object_limits;
mod permissions;
mod policy_arrays;
mod rates;
mod record_batches;
mod reserved_tags;
mod source_header;
mod stream_view;
mod table_changes;
mod table_source;
mod table_writes;
mod vpc_endpoint_propagation;
mod warm_throughput;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::{Body, Bytes, to_bytes};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, header};
use serde::Serialize;
use serde_json::Value;

use super::answers::forget_length;
use super::call::Call;
use super::operation::{self, Form};
use super::upstream::{MAX_BUFFERED, MAX_REQUEST, plain};
use super::{Front, StatusCode, dispatch, permitted};

pub(super) use permissions::NAME as PERMISSIONS;
pub(super) use source_header::NAME as SOURCE_HEADER;

/// One way in which AWS differs from MiniStack.
#[async_trait]
pub(super) trait Manner: Send + Sync {
    fn description(&self) -> &'static Description;

    /// Whether it counts calls that are then refused for another reason. All others look only at authorized calls: what
    /// they answer would tell about objects, and would use up what the next caller is due.
    fn counts_every_call(&self) -> bool {
        false
    }

    /// Answers a request in place of the service; `None` passes it on.
    fn answer(&self, _request: &Inquiry<'_>) -> Option<Response<Body>> {
        None
    }

    /// As [`Manner::answer`], for a manner that has to ask MiniStack first.
    async fn ask(&self, _front: &Front, request: &Inquiry<'_>) -> Option<Response<Body>> {
        self.answer(request)
    }

    /// The body that the service gets in place of the request's; `None` leaves it as it is.
    async fn change(&self, _front: &Front, _request: &Inquiry<'_>) -> Option<Bytes> {
        None
    }

    /// Whether [`Manner::rewrite`] is to get the answer to this request.
    fn concerns(&self, _request: &Inquiry<'_>) -> bool {
        false
    }

    /// Takes note of the answer, and changes it.
    fn rewrite(&self, _request: &Inquiry<'_>, _answer: &mut Answer) {}
}

/// What `sftpctl local manners` shows.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Description {
    pub(super) name: &'static str,
    /// What AWS does.
    pub(super) aws: &'static str,
    /// Where that is recorded, documented or reported.
    pub(super) source: &'static str,
}

/// A request, with what most manners ask of it.
pub(super) struct Inquiry<'a> {
    pub(super) call: &'a Call,
    pub(super) parts: &'a Parts,
    /// Empty for objects, which are never buffered.
    pub(super) body: &'a Bytes,
    /// What the service gets: the body, or what [`Manner::change`] has made of it.
    pub(super) sent: &'a Bytes,
}

impl Inquiry<'_> {
    /// Whether it is this operation of this service, by its signing name.
    pub(super) fn is(&self, service: &str, operations: &[&str]) -> bool {
        self.call.service == service && operations.contains(&self.call.operation.as_str())
    }

    /// The fields of a query protocol.
    pub(super) fn form(&self) -> Form {
        Form::parse(self.body)
    }

    /// The members of a JSON protocol.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// The bucket of a request to S3.
    pub(super) fn bucket(&self) -> Option<String> {
        operation::bucket(self.parts)
    }

    /// A name in the request's account and region.
    pub(super) fn here(&self, name: &str) -> Key {
        self.in_region(&self.call.region, name)
    }

    /// A name in the request's account, in another region.
    pub(super) fn in_region(&self, region: &str, name: &str) -> Key {
        (self.call.account.clone(), region.to_owned(), name.to_owned())
    }

    /// A name in the request's account that belongs to no region.
    pub(super) fn global(&self, name: &str) -> Key {
        self.in_region("", name)
    }
}

/// Account, region (empty for global services) and name.
pub(super) type Key = (String, String, String);

/// A service's answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Answer {
    /// Changes a JSON answer. An answer that is not JSON stays as it is.
    pub(super) fn change_json(&mut self, change: impl FnOnce(&mut Value)) {
        if let Ok(mut value) = serde_json::from_str(&self.text) {
            change(&mut value);
            self.text = value.to_string();
        }
    }
}

/// How many more calls something takes, by key: a delay that no clock measures.
pub(super) struct Countdown<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Countdown<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Countdown<K> {
    fn all(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this many calls count.
    pub(super) fn start(&self, key: K, calls: u32) {
        self.all().insert(key, calls);
    }

    /// Whether a call counts; takes it off.
    pub(super) fn take(&self, key: &K) -> bool {
        let mut all = self.all();
        match all.get_mut(key) {
            Some(left) if *left > 1 => *left -= 1,
            Some(_) => drop(all.remove(key)),
            None => return false,
        }
        true
    }
}

/// All manners, and which are off.
pub(super) struct Manners {
    all: Vec<Box<dyn Manner>>,
    off: Mutex<BTreeSet<String>>,
}

/// A manner and whether it is on, as `GET /_sftpctl/manners` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    description: Description,
    on: bool,
}

/// What turns a manner on or off.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// A manner's name, or `all`.
    name: String,
    on: bool,
}

impl Manners {
    /// All manners except these; fails for a name that no manner has.
    pub(super) fn without(off: &[String]) -> Result<Self, String> {
        let all: Vec<Box<dyn Manner>> = vec![
            // AWS counts calls that it then refuses for another reason.
            Box::<rates::Rates>::default(),
            Box::<account_concurrency::AccountConcurrency>::default(),
            Box::<api_account::ApiAccount>::default(),
            Box::new(ascii_templates::AsciiTemplates),
            Box::<bucket_name_reuse::BucketNameReuse>::default(),
            Box::<bucket_propagation::BucketPropagation>::default(),
            Box::new(fingerprint_padding::FingerprintPadding),
            Box::<iam_delete_conflict::IamDeleteConflict>::default(),
            Box::<iam_propagation::IamPropagation>::default(),
            Box::new(log_pages::LogPages),
            Box::<log_role::LogRole>::default(),
            // Before the conflicts, for which MiniStack is asked.
            Box::<record_batches::RecordBatches>::default(),
            Box::new(lone_cnames::LoneCnames),
            Box::new(null_templates::NullTemplates),
            Box::<object_errors::ObjectErrors>::default(),
            Box::new(object_limits::ObjectLimits),
            Box::new(permissions::Permissions),
            Box::new(policy_arrays::PolicyArrays),
            Box::new(reserved_tags::ReservedTags),
            Box::new(source_header::SourceHeader),
            Box::new(stream_view::StreamView),
            Box::<table_changes::TableChanges>::default(),
            Box::<table_source::TableSource>::default(),
            Box::<table_writes::TableWrites>::default(),
            Box::<vpc_endpoint_propagation::VpcEndpointPropagation>::default(),
            Box::<warm_throughput::WarmThroughput>::default(),
        ];
        let manners = Self { all, off: Mutex::default() };
        off.iter().try_for_each(|name| manners.switch(&Switch { name: name.clone(), on: false }))?;
        Ok(manners)
    }

    fn off(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shown(&self) -> Vec<Shown> {
        let off = self.off();
        let shown = |manner: &dyn Manner| {
            let description = *manner.description();
            Shown { on: !off.contains(description.name), description }
        };
        let mut all: Vec<Shown> = self.all.iter().map(|manner| shown(manner.as_ref())).collect();
        all.sort_by_key(|shown| shown.description.name);
        all
    }

    /// Turns one on or off, or all; fails for a name that no manner has.
    pub(super) fn switch(&self, switch: &Switch) -> Result<(), String> {
        let names = self.all.iter().map(|manner| manner.description().name);
        let chosen: Vec<&str> = names.filter(|name| switch.name == "all" || *name == switch.name).collect();
        if chosen.is_empty() {
            return Err(format!("there is no manner `{}`; `sftpctl local manners` lists them", switch.name));
        }
        let mut off = self.off();
        for name in chosen {
            if switch.on {
                off.remove(name);
            } else {
                off.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// Whether the manner of this name is on.
    pub(super) fn has(&self, name: &str) -> bool {
        !self.off().contains(name)
    }

    fn on(&self) -> Vec<&dyn Manner> {
        let off = self.off();
        self.all.iter().map(AsRef::as_ref).filter(|manner| !off.contains(manner.description().name)).collect()
    }
}

/// Answers a call as AWS would.
pub(super) async fn around(front: &Front, call: &Call, parts: Parts, body: Body) -> Response<Body> {
    let on = front.manners.on();
    // An upload is never buffered.
    let streams = call.service == "execute-api" || call.object.is_some();
    let (body, bytes) = if streams {
        (Some(body), Bytes::new())
    } else {
        match to_bytes(body, MAX_REQUEST).await {
            Ok(bytes) => (None, bytes),
            Err(_) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"),
        }
    };
    let request = Inquiry { call, parts: &parts, body: &bytes, sent: &bytes };
    for manner in on.iter().filter(|manner| manner.counts_every_call()) {
        if let Some(response) = manner.ask(front, &request).await {
            return response;
        }
    }
    let whole = body.unwrap_or_else(|| Body::from(bytes.clone()));
    let (permit, body) = match permitted(front, call, &parts, whole).await {
        Ok(permitted) => permitted,
        Err(refused) => return refused,
    };
    for manner in on.iter().filter(|manner| !manner.counts_every_call()) {
        if let Some(response) = manner.ask(front, &request).await {
            return response;
        }
    }
    let mut changed = bytes.clone();
    for manner in on.iter().filter(|_| !streams) {
        let request = Inquiry { call, parts: &parts, body: &changed, sent: &changed };
        if let Some(body) = manner.change(front, &request).await {
            changed = body;
        }
    }
    let request = Inquiry { call, parts: &parts, body: &bytes, sent: &changed };
    let concerned: Vec<&dyn Manner> = on.into_iter().filter(|manner| manner.concerns(&request)).collect();
    let mut sent = parts.clone();
    if !concerned.is_empty() {
        sent.headers.remove(header::ACCEPT_ENCODING);
    }
    if changed != bytes {
        forget_body(&mut sent.headers);
    }
    let response = dispatch(front, call, permit, sent, if streams { body } else { Body::from(changed.clone()) }).await;
    if concerned.is_empty() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_BUFFERED).await else {
        return plain(StatusCode::BAD_GATEWAY, "MiniStack's answer was cut off, or is too large to be rewritten");
    };
    let Ok(text) = String::from_utf8(body.to_vec()) else {
        return Response::from_parts(head, Body::from(body));
    };
    let mut answer = Answer { status: head.status, text };
    for manner in concerned {
        manner.rewrite(&request, &mut answer);
    }
    head.status = answer.status;
    forget_length(&mut head.headers);
    Response::from_parts(head, Body::from(answer.text))
}

/// Removes the headers that describe the old body: the length, and the checksums that S3 asks for.
fn forget_body(headers: &mut HeaderMap) {
    let checksums: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("x-amz-checksum-")).cloned().collect();
    for name in checksums {
        headers.remove(name);
    }
    headers.remove("content-md5");
    headers.remove(header::CONTENT_LENGTH);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manner_says_what_aws_does_and_where_that_is_from() {
        let manners = Manners::without(&[]).unwrap();
        let mut names = BTreeSet::new();
        for shown in manners.shown() {
            let Description { name, aws, source } = shown.description;
            assert!(shown.on && names.insert(name), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(aws.len() > 30 && source.len() > 10, "{name}");
        }
    }

    #[test]
    fn manners_are_turned_off_by_name() {
        let manners = Manners::without(&["policy-arrays".to_owned()]).unwrap();
        let off = |manners: &Manners| manners.shown().iter().filter(|shown| !shown.on).count();
        assert_eq!(off(&manners), 1);
        manners.switch(&Switch { name: "all".to_owned(), on: false }).unwrap();
        assert_eq!((off(&manners), manners.on().len()), (manners.all.len(), 0));
        manners.switch(&Switch { name: "all".to_owned(), on: true }).unwrap();
        assert_eq!(off(&manners), 0);
        assert!(Manners::without(&["nothing".to_owned()]).is_err());
    }

    #[test]
    fn a_countdown_takes_calls_off() {
        let countdown = Countdown::default();
        assert!(!countdown.take(&"a"));
        countdown.start("a", 2);
        assert!(countdown.take(&"a") && countdown.take(&"a"));
        assert!(!countdown.take(&"a"));
    }
}
