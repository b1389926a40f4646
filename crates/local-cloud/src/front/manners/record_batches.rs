//! Route 53 takes batches of a limited size, and one after the other.

use axum::body::Body;
use hyper::Response;

use super::super::authorize::xml;
use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// `ResourceRecord` elements, and characters of their values, in a request.
const RECORDS: usize = 1_000;
const CHARACTERS: usize = 32_000;
/// A batch with more records is still being processed when the next call arrives.
const LARGE: usize = 100;

#[derive(Default)]
pub(super) struct RecordBatches(Countdown<Key>);

impl Manner for RecordBatches {
    fn description(&self) -> &'static Description {
        &Description {
            name: "record-batches",
            aws: "ChangeResourceRecordSets takes 1,000 records and 32,000 characters of values, UPSERT counted twice; \
                  while Route 53 processes a batch, the next one for the zone is refused, here once after a batch of \
                  more than 100 records",
            source: "Route 53 developer guide, \"Quotas\"; DNSControl/dnscontrol#493, #908 and #1114 quote the \
                     sentences",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let (records, characters) = size(request)?;
        if self.0.take(&zone(request)) {
            let message = "The request was rejected because Route 53 was still processing a prior request.";
            return Some(refusal::error(request.call, 400, "PriorRequestNotComplete", message));
        }
        let message = match (records, characters) {
            (too_many, _) if too_many > RECORDS => format!("[Number of records limit of {RECORDS} exceeded.]"),
            (_, too_many) if too_many > CHARACTERS => format!("[RDATA character limit of {CHARACTERS} exceeded.]"),
            _ => return None,
        };
        Some(refusal::error(request.call, 400, "InvalidChangeBatch", &message))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        size(request).is_some_and(|(records, _)| records > LARGE)
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if answer.status.is_success() {
            self.0.start(zone(request), 1);
        }
    }
}

fn zone(request: &Inquiry<'_>) -> Key {
    request.global(request.parts.uri.path())
}

/// The records of a batch and the characters of their values, as Route 53 counts them.
fn size(request: &Inquiry<'_>) -> Option<(usize, usize)> {
    let is_batch = request.is("route53", &["ChangeResourceRecordSets"]);
    let xml = is_batch.then(|| xml::plain(request.body).ok()).flatten()?;
    Some(xml::elements(xml, "Change").into_iter().fold((0, 0), |(records, characters), change| {
        let times = if change.contains("<Action>UPSERT</Action>") { 2 } else { 1 };
        let values = xml::elements(change, "Value");
        let length: usize =
            values.iter().filter_map(|value| xml::text(value).ok()).map(|value| value.chars().count()).sum();
        (records + times * values.len(), characters + times * length)
    }))
}
