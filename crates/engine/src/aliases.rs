//! Customers' host names in Route 53: all records of the zone are read, and changes are sent in batches. What may be
//! changed is decided in `sftpctl_core::aliases`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sftpctl_aws::{Aws, AwsError, ListedRecord, RecordChange};
use sftpctl_core::aliases::batch;
use sftpctl_core::aliases::decide::{Change, Foreign, Outcome};
use sftpctl_core::aliases::memory::PROPAGATION;
use sftpctl_core::aliases::zone::{Cname, Found, Zone};
use sftpctl_core::spec::model::Dns;
use tokio::time::Instant;

use crate::execute::stop::Stop;
use crate::resources::record::only_zone;
use crate::wait;

/// The hosted zone of an environment.
pub struct AliasZone {
    aws: Arc<Aws>,
    id: String,
}

/// How far the work is.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// So many records of the zone are read.
    Reading { records: u64 },
    /// So many records are changed.
    Changing { done: u64, of: u64 },
    /// So many batches are known to all name servers.
    Waiting { done: u64, of: u64 },
}

/// Gets the progress.
pub type Watch<'a> = &'a (dyn Fn(Progress) + Sync);

/// What became of changes.
#[derive(Debug, Default)]
pub struct Sent {
    /// Records that are changed.
    pub done: u64,
    /// Records that somebody else changed meanwhile; left as they are.
    pub overtaken: Vec<Foreign>,
    /// Whether the user asked to stop before the last batch.
    pub interrupted: bool,
    /// The time, in seconds since 1970, at which all name servers were known to have all these changes.
    pub in_sync: Option<i64>,
    /// Whether Route 53 has carried out changes whose answers were lost.
    pub lost_answers: bool,
    /// Why the rest is not changed, or it is not known whether all name servers have the changes.
    pub error: Option<AwsError>,
}

impl AliasZone {
    /// The zone that the environment file names.
    ///
    /// # Errors
    /// There is none, or several of that name, or they cannot be listed.
    pub async fn find(aws: &Arc<Aws>, dns: &Dns) -> Result<Self, AwsError> {
        let id = match &dns.zone_id {
            Some(id) => id.clone(),
            None => only_zone(&aws.route53(), &dns.zone).await?,
        };
        Ok(Self { aws: Arc::clone(aws), id })
    }

    /// Reads all records.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn read(&self, watch: Watch<'_>) -> Result<Zone, AwsError> {
        let route53 = self.aws.route53();
        let (mut zone, mut from) = (Zone::default(), None);
        loop {
            let (page, next) = route53.page_of_records(&self.id, from).await?;
            for record in page {
                zone.insert(&record.name, found(&record));
            }
            watch(Progress::Reading { records: zone.record_sets });
            from = next;
            if from.is_none() {
                return Ok(zone);
            }
            wait::for_route53().await;
        }
    }

    /// How many more record sets the zone takes.
    ///
    /// # Errors
    /// Its limit cannot be read.
    pub async fn room(&self, zone: &Zone) -> Result<u64, AwsError> {
        let of = self.aws.route53().zone_use(&self.id).await?;
        Ok(of.map_or(u64::MAX, |of| of.limit.saturating_sub(zone.record_sets)))
    }

    /// Sends changes batch by batch, and waits until all name servers have them.
    pub async fn carry_out(&self, changes: &[Change], stop: &Stop, watch: Watch<'_>) -> Sent {
        let (mut sent, mut ids) = (Sent::default(), Vec::new());
        let of = changes.len() as u64;
        watch(Progress::Changing { done: 0, of });
        for batch in batch::batches(changes) {
            if stop.requested() {
                sent.interrupted = true;
                break;
            }
            if let Err(error) = self.send(batch, &mut sent, &mut ids).await {
                sent.error = Some(error);
                break;
            }
            watch(Progress::Changing { done: sent.done, of });
        }
        match self.wait(&ids, stop, watch).await {
            // The ID of a change whose answer was lost is not known.
            Ok(true) if sent.lost_answers || ids.is_empty() => {}
            Ok(true) => sent.in_sync = Some(Timestamp::now().as_second()),
            Ok(false) => sent.interrupted = true,
            Err(error) => sent.error = sent.error.or(Some(error)),
        }
        sent
    }

    /// Sends a batch. If Route 53 refuses it, what is done already is counted, what somebody else has changed is left,
    /// and the rest is sent once more.
    async fn send(&self, batch: &[Change], sent: &mut Sent, ids: &mut Vec<String>) -> Result<(), AwsError> {
        let mut open = batch.to_vec();
        while !open.is_empty() {
            wait::for_route53().await;
            let error = match self.aws.route53().change_records(&self.id, &requests(&open)).await {
                Ok(id) => {
                    sent.done += open.len() as u64;
                    ids.push(id);
                    return Ok(());
                }
                Err(error) if error.is("InvalidChangeBatch") => error,
                Err(error) => return Err(error),
            };
            let (zone, before) = (self.read(&|_| ()).await?, open.len());
            open.retain(|change| match change.outcome(&zone) {
                Outcome::Open => true,
                // The answer to an earlier attempt was lost.
                Outcome::Done => {
                    sent.done += 1;
                    sent.lost_answers = true;
                    false
                }
                Outcome::Overtaken => {
                    let reason = "was changed outside this run".to_owned();
                    sent.overtaken.push(Foreign { name: change.name.clone(), reason });
                    false
                }
            });
            if open.len() == before {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Waits until all name servers have the changes. Whether they have; not if the user asks to stop.
    async fn wait(&self, ids: &[String], stop: &Stop, watch: Watch<'_>) -> Result<bool, AwsError> {
        let (start, of) = (Instant::now(), ids.len() as u64);
        let limit = Duration::from_secs(PROPAGATION.unsigned_abs());
        for (done, id) in (0_u64..).zip(ids) {
            watch(Progress::Waiting { done, of });
            loop {
                if stop.requested() {
                    return Ok(false);
                }
                wait::for_route53().await;
                if self.aws.route53().is_in_sync(id).await? {
                    break;
                }
                if start.elapsed() > limit {
                    return Err(AwsError {
                        operation: "route53:GetChange",
                        object: id.clone(),
                        code: Some("ChangePending".into()),
                        message: format!("the change is still PENDING after {PROPAGATION} seconds"),
                        status: Some(200),
                    });
                }
                wait::for_poll(start.elapsed()).await;
            }
        }
        Ok(true)
    }
}

/// The requests of a batch: the deletion of each old record before the creation of its new one.
fn requests(changes: &[Change]) -> Vec<RecordChange> {
    let mut requests = Vec::new();
    for Change { name, old, new } in changes {
        if let Some(Cname { value, ttl }) = old.clone() {
            requests.push(RecordChange::Delete { name: name.clone(), value, ttl });
        }
        if let Some(Cname { value, ttl }) = new.clone() {
            requests.push(RecordChange::Create { name: name.clone(), value, ttl });
        }
    }
    requests
}

fn found(record: &ListedRecord) -> Found {
    match (record.kind.as_str(), record.is_simple, record.values.as_slice(), record.ttl) {
        ("CNAME", true, [value], Some(ttl)) => Found::Cname(Cname { value: value.clone(), ttl }),
        ("CNAME", ..) => Found::Other("has a routing policy, a health check or an alias target".to_owned()),
        (kind, ..) => Found::Other(format!("has a record of type {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_by_its_exact_deletion_and_a_creation() {
        let cname = |value: &str| Some(Cname { value: value.into(), ttl: 60 });
        let change = Change { name: "a".into(), old: cname("old."), new: cname("host") };
        let name = || "a".to_owned();
        let delete = RecordChange::Delete { name: name(), value: "old.".into(), ttl: 60 };
        let create = RecordChange::Create { name: name(), value: "host".into(), ttl: 60 };
        assert_eq!(requests(&[change]), [delete, create]);
    }

    #[test]
    fn only_a_simple_cname_is_one() {
        let record = |kind: &str, is_simple, ttl| ListedRecord {
            name: "a.".into(),
            kind: kind.into(),
            values: vec!["b.".into()],
            ttl,
            is_simple,
        };
        assert_eq!(found(&record("CNAME", true, Some(60))), Found::Cname(Cname { value: "b.".into(), ttl: 60 }));
        for other in [record("CNAME", false, Some(60)), record("CNAME", true, None), record("A", true, Some(60))] {
            assert!(matches!(found(&other), Found::Other(_)), "{other:?}");
        }
    }
}
