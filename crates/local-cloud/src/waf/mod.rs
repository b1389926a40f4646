//! AWS WAF in front of deployed APIs: MiniStack keeps web ACLs (`functions/waf.py`), and here they decide on requests,
//! before IAM and the function, as on AWS (API Gateway developer guide, "Use AWS WAF to protect your REST APIs").
//!
//! Changes apply at once, which takes AWS up to minutes, and rates are exact, which AWS's are not ("Rate-based rule
//! caveats").

mod evaluate;
mod geo;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hyper::http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::evaluate::{Acl, Rates, Seen, Sets, Verdict, decide};
use crate::front::Upstream;
use crate::place::Place;

/// Values of metrics that wait to be sent.
const WAITING: usize = 10_000;
/// Values in one call; CloudWatch takes 1,000.
const BATCH: usize = 200;

/// A metric of a place: its name, the rule, and the web ACL.
type Metric = (String, String, String, &'static str, String, String);

pub(crate) struct Waf {
    upstream: Arc<Upstream>,
    rates: Mutex<Rates>,
    /// Web ACLs by their ARN, with their sets, until something may have changed.
    known: Mutex<BTreeMap<String, (Value, Sets)>>,
    sends_header: AtomicBool,
    sender: mpsc::Sender<Metric>,
    receiver: Mutex<Option<mpsc::Receiver<Metric>>>,
}

impl Waf {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            upstream,
            rates: Mutex::default(),
            known: Mutex::default(),
            sends_header: AtomicBool::new(true),
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Web ACLs, or their sets, may have changed.
    pub(crate) fn changed(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether Transfer names the customer's address in a header.
    pub(crate) fn is_told_the_address(&self) -> bool {
        self.sends_header.load(Ordering::Relaxed)
    }

    pub(crate) fn tell_the_address(&self, on: bool) {
        self.sends_header.store(on, Ordering::Relaxed);
    }

    /// Whether the web ACL blocks a request.
    ///
    /// # Errors
    /// The web ACL cannot be read, or has something that is not modelled.
    pub(crate) async fn blocks(&self, place: &Place, arn: &str, parts: &Parts) -> Result<bool, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned();
        let (acl, sets) = match known {
            Some(known) => known,
            None => {
                let read = self.read(place, arn).await?;
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.to_owned(), read.clone());
                read
            }
        };
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let seen = Seen { headers: parts.headers.iter().map(header).collect(), path: parts.uri.path() };
        let verdict = {
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            decide(&Acl { acl: &acl, sets: &sets }, &seen, &mut rates, Instant::now())?
        };
        let name = acl["VisibilityConfig"]["MetricName"].as_str().unwrap_or_default();
        self.measure(place, name, &verdict);
        Ok(verdict.blocked)
    }

    async fn read(&self, place: &Place, arn: &str) -> Result<(Value, Sets), String> {
        let acl = self.get(place, "GetWebACL", "WebACL", arn).await?;
        let mut sets = Sets::new();
        for arn in sets_of(&acl["Rules"]) {
            let set = self.get(place, "GetIPSet", "IPSet", &arn).await?;
            let ranges = set["Addresses"].as_array().into_iter().flatten();
            sets.insert(arn, ranges.filter_map(|range| range.as_str().map(str::to_owned)).collect());
        }
        Ok((acl, sets))
    }

    /// A web ACL or a set by its ARN, `…:regional/webacl/NAME/ID`.
    async fn get(&self, place: &Place, operation: &str, member: &str, arn: &str) -> Result<Value, String> {
        let mut words = arn.rsplit('/');
        let (id, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = json!({ "Id": id, "Name": name, "Scope": "REGIONAL" }).to_string();
        let (target, kind) = (format!("AWSWAF_20190729.{operation}"), "application/x-amz-json-1.1");
        let answer = self.upstream.ask(&place.account, &place.region, "wafv2", Some(&target), kind, &body).await?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        Ok(answer[member].take())
    }

    /// The metrics of a request (AWS WAF developer guide, "AWS WAF metrics and dimensions"): of the rules that counted it,
    /// of the rule that ended it or the default action, and of all together.
    fn measure(&self, place: &Place, acl: &str, verdict: &Verdict) {
        let end = if verdict.blocked { "BlockedRequests" } else { "AllowedRequests" };
        let by = verdict.by.as_deref().unwrap_or("Default_Action");
        let mut all = vec![(end, by), (end, "ALL")];
        all.extend(verdict.counted.iter().map(|rule| ("CountedRequests", rule.as_str())));
        all.extend(verdict.counted.first().map(|_| ("CountedRequests", "ALL")));
        for (metric, rule) in all {
            let value = (
                place.account.clone(),
                place.region.clone(),
                "AWS/WAFV2".to_owned(),
                metric,
                rule.to_owned(),
                acl.to_owned(),
            );
            if self.sender.try_send(value).is_err() {
                tracing::warn!("a value of a web ACL's metrics is lost: too many wait");
            }
        }
    }

    /// Sends metrics until this future is dropped.
    pub(crate) async fn deliver(&self) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut values) = receiver else { return std::future::pending().await };
        let mut waiting = Vec::new();
        while values.recv_many(&mut waiting, BATCH).await > 0 {
            let mut counts: BTreeMap<Metric, u64> = BTreeMap::new();
            for value in waiting.drain(..) {
                *counts.entry(value).or_default() += 1;
            }
            for ((account, region, namespace, metric, rule, acl), count) in counts {
                let mut form = format!(
                    "Action=PutMetricData&Version=2010-08-01&Namespace={namespace}&MetricData.member.1.MetricName={metric}\
                     &MetricData.member.1.Value={count}&MetricData.member.1.Unit=Count"
                );
                for (at, (name, value)) in [("Rule", &rule), ("WebACL", &acl), ("Region", &region)].iter().enumerate() {
                    let member = format!("&MetricData.member.1.Dimensions.member.{}", at + 1);
                    form += &format!("{member}.Name={name}{member}.Value={value}");
                }
                let kind = "application/x-www-form-urlencoded";
                if let Err(error) = self.upstream.ask(&account, &region, "monitoring", None, kind, &form).await {
                    tracing::warn!(error, "a web ACL's metrics are lost");
                }
            }
        }
    }
}

/// The ARNs of all sets in a web ACL's rules.
fn sets_of(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(sets_of).collect(),
        Value::Object(fields) => {
            let own = fields.get("IPSetReferenceStatement").and_then(|set| set["ARN"].as_str()).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(sets_of)).collect()
        }
        _ => Vec::new(),
    }
}
