//! FilterLogEvents answers in pages, which may be empty although more follow, and understands patterns for JSON.

use axum::body::{Body, Bytes};
use hyper::Response;
use serde_json::{Value, json};

use super::super::Front;
use super::super::refusal;
use super::log_pattern::Pattern;
use super::{Answer, Description, Inquiry, Manner};

/// Lines that a page is searched for: on AWS at most as many as have 1 MB.
const PAGE: usize = 4_000;
/// Lines that MiniStack gives at once.
const MOST: usize = 10_000;

pub(super) struct LogPages;

/// Where a page begins: a time, in milliseconds since 1970, and how many of its lines were on the pages before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    time: i64,
    skip: usize,
}

impl Place {
    fn parse(token: &str) -> Option<Self> {
        let (time, skip) = token.split_once('.')?;
        Some(Self { time: time.parse().ok()?, skip: skip.parse().ok().filter(|skip| *skip < MOST)? })
    }
}

/// The place of a request; `None` on the first page.
fn place(body: &Value) -> Option<Place> {
    body["nextToken"].as_str().and_then(Place::parse)
}

/// Its pattern for JSON; all lines without one.
fn pattern(body: &Value) -> Option<Option<Pattern>> {
    match body["filterPattern"].as_str().filter(|pattern| pattern.trim_start().starts_with('{')) {
        Some(text) => Pattern::parse(text).map(Some),
        None => Some(None),
    }
}

#[async_trait::async_trait]
impl Manner for LogPages {
    fn description(&self) -> &'static Description {
        &Description {
            name: "log-pages",
            aws: "FilterLogEvents answers in pages of at most 1 MB or 10,000 lines, which may have no line although there \
                  are more, and selects lines by patterns for JSON",
            source: "CloudWatch Logs API reference, FilterLogEvents; CloudWatch Logs user guide, \"Filter pattern syntax\"",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        if !request.is("logs", &["FilterLogEvents"]) {
            return None;
        }
        let body = request.json();
        let refused = |message: &str| Some(refusal::error(request.call, 400, "InvalidParameterException", message));
        match (pattern(&body), place(&body)) {
            (None, _) => refused("Invalid filter pattern"),
            (_, None) if !body["nextToken"].is_null() => refused("The specified nextToken is invalid."),
            _ => None,
        }
    }

    async fn change(&self, _front: &Front, request: &Inquiry<'_>) -> Option<Bytes> {
        if !request.is("logs", &["FilterLogEvents"]) {
            return None;
        }
        let mut body = request.json();
        let place = place(&body);
        if let Some(place) = place {
            body["startTime"] = json!(place.time);
        }
        body["limit"] = json!((PAGE + 1 + place.map_or(0, |place| place.skip)).min(MOST));
        if let Some(body) = body.as_object_mut() {
            body.remove("nextToken");
            if pattern(&request.json()).flatten().is_some() {
                body.remove("filterPattern");
            }
        }
        Some(body.to_string().into())
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("logs", &["FilterLogEvents"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let body = request.json();
        let (pattern, limit) = (pattern(&body).flatten(), body["limit"].as_u64());
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST);
        answer.change_json(|answer| {
            let Some(events) = answer["events"].as_array() else { return };
            let (found, next) = page(events, place(&body).map_or(0, |place| place.skip), limit, |line| {
                pattern.as_ref().is_none_or(|pattern| pattern.fits(line))
            });
            let token = next.map(|Place { time, skip }| format!("{time}.{skip}"));
            answer["events"] = json!(found);
            if let Some(token) = token {
                answer["nextToken"] = json!(token);
            }
        });
    }
}

/// The lines of a page, and where the next one begins.
fn page(events: &[Value], skip: usize, limit: usize, fits: impl Fn(&str) -> bool) -> (Vec<Value>, Option<Place>) {
    let (mut found, mut end) = (Vec::new(), skip.min(events.len()));
    for event in events.iter().skip(skip).take(PAGE) {
        if found.len() == limit {
            break;
        }
        end += 1;
        if fits(event["message"].as_str().unwrap_or_default()) {
            found.push(event.clone());
        }
    }
    let time = |event: &Value| event["timestamp"].as_i64().unwrap_or_default();
    let last = events[..end].last().filter(|_| end < events.len()).map(time);
    let next =
        last.map(|last| Place { time: last, skip: events[..end].iter().filter(|event| time(event) == last).count() });
    (found, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_on_one_page() {
        let times = [1, 2, 2, 2, 2, 3, 3, 9];
        let events: Vec<Value> = times
            .iter()
            .enumerate()
            .map(|(at, time)| json!({ "timestamp": time, "message": at.to_string() }))
            .collect();
        for limit in 1..9 {
            let (mut all, mut place) = (Vec::new(), Place { time: 0, skip: 0 });
            loop {
                let from: Vec<Value> =
                    events.iter().filter(|event| event["timestamp"].as_i64().unwrap() >= place.time).cloned().collect();
                let (found, next) = page(&from, place.skip, limit, |line| line != "3");
                all.extend(found.iter().map(|event| event["message"].as_str().unwrap().to_owned()));
                let Some(next) = next else { break };
                assert_ne!(next, place, "{limit}");
                assert_eq!(Place::parse(&format!("{}.{}", next.time, next.skip)), Some(next));
                place = next;
            }
            assert_eq!(all, ["0", "1", "2", "4", "5", "6", "7"], "{limit}");
        }
    }
}
