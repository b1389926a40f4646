//! The bill of a month: each line a quantity times a price. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::authorizer;
use super::coverage::FILE_SYSTEMS;
use super::inventory::{Inventory, Region, Stack};
use super::money::{Quantity, Usd};
use super::prices::{Confidence, Price, Prices, Row, id};
use super::usage::{Basis, Estimate, Field, Usage};

/// Hours in a month, as AWS's calculator counts them: 365 days of 24 hours in twelve months.
pub const HOURS: u64 = 730;
/// The place of what belongs to no region.
pub const GLOBAL: &str = "global";

/// Reasons of a refusal in the authorizer's log, each a metric with `metrics.refusal_reasons`.
pub const REFUSAL_REASONS: u64 = 15;
/// Metrics that API Gateway has for a method without a cache: Count, 4XXError, 5XXError, Latency, IntegrationLatency
/// ("Amazon API Gateway dimensions and metrics" in its developer guide).
const METHOD_METRICS: u64 = 5;
/// KB of a table's item with its entry in the index.
const ITEM_KB: u64 = 2;
/// Items that a changed account writes: the account, and its entry in the index.
const WRITES: u64 = 2;
/// Percent of the bytes of log lines that are left when CloudWatch has compressed them: "0.15 Storage compression
/// factor" in the estimates of AWS's calculator.
const COMPRESSED_PERCENT: u64 = 15;
/// Requests of an upload's events to a queue: sending, receiving and deleting, for the event of the server and that of
/// S3.
const QUEUE_REQUESTS: u64 = 6;
/// Items that the guard reads for a log-in, each half a unit: the address, the address with the name, what was set by
/// hand.
const GUARD_READS: u64 = 3;
/// Items that the guard writes for a refusal: the address, and the address with the name.
const GUARD_WRITES: u64 = 2;
/// Receives of a month by one program that waits for twenty seconds with each.
const POLLS: u64 = HOURS * 180;

/// An amount between two limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    pub low: Usd,
    pub high: Usd,
}

impl Amount {
    pub fn is_exact(self) -> bool {
        self.low == self.high
    }

    #[must_use]
    pub fn rounded(self) -> Self {
        Self { low: self.low.rounded(), high: self.high.rounded() }
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { low: self.low - other.low, high: self.high - other.high }
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// A region, or [`GLOBAL`].
    pub place: String,
    pub service: String,
    pub item: String,
    /// The row of the table of prices.
    pub price_id: String,
    /// In units of the price.
    pub quantity: Estimate,
    pub unit: String,
    /// The price of one unit; of the first tier, if there are several.
    pub price: Usd,
    /// Whether the price falls with the quantity.
    pub has_tiers: bool,
    pub confidence: Confidence,
    /// The date in AWS's file that the price is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Each limit rounded to a cent.
    pub amount: Amount,
    /// Without rounding.
    #[serde(skip)]
    pub exact: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What an environment costs in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    pub environment: String,
    pub lines: Vec<Line>,
    pub total: Amount,
    /// What could not be priced, one sentence each; not in the total.
    pub unpriced: Vec<Unpriced>,
}

/// Something without a known price. Serialized as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    pub place: String,
    /// The ID of the missing price, or what has none.
    pub what: String,
    /// Of what the environment file fixes; 1 for what depends on usage.
    pub quantity: Quantity,
    pub sentence: String,
}

impl Unpriced {
    /// Whether a bill has less of it.
    pub fn is_more_than_in(&self, bill: &Bill) -> bool {
        let same = bill.unpriced.iter().find(|other| (&other.place, &other.what) == (&self.place, &self.what));
        same.is_none_or(|other| other.quantity < self.quantity)
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Serialize for Unpriced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Bill {
    /// The bill of an inventory.
    pub fn of(inventory: &Inventory, usage: &Usage, prices: &Prices) -> Self {
        let mut writer = Writer { prices, lines: Vec::new(), unpriced: BTreeMap::new() };
        for (name, region) in &inventory.regions {
            One { inventory, usage, name, region, writer: &mut writer }.write();
        }
        global(inventory, usage, &mut writer);
        writer.finish(&inventory.environment)
    }

    /// The sum of the lines of a service, by its name.
    pub fn by_service(&self) -> BTreeMap<&str, Amount> {
        sums(self.lines.iter().map(|line| (line.service.as_str(), line.amount)))
    }

    /// The sum of the lines of a region, by its name.
    pub fn by_place(&self) -> BTreeMap<&str, Amount> {
        sums(self.lines.iter().map(|line| (line.place.as_str(), line.amount)))
    }

    /// The oldest date of a file of AWS that a price of a line is of.
    pub fn oldest_price(&self) -> Option<&str> {
        self.lines.iter().filter_map(|line| line.published.as_deref()).min()
    }
}

fn sums<'a>(amounts: impl Iterator<Item = (&'a str, Amount)>) -> BTreeMap<&'a str, Amount> {
    let mut sums = BTreeMap::<&str, Amount>::new();
    for (name, amount) in amounts {
        let sum = sums.entry(name).or_default();
        *sum = sum.plus(amount);
    }
    sums
}

/// Collects lines.
pub(super) struct Writer<'a> {
    pub(super) prices: &'a Prices,
    pub(super) lines: Vec<Line>,
    /// By place and ID of the price.
    pub(super) unpriced: BTreeMap<(String, String), (Quantity, String)>,
}

impl Writer<'_> {
    /// A line, unless its quantity is certainly zero.
    pub(super) fn line(&mut self, place: &str, id: &str, quantity: Estimate, note: Option<&str>) {
        if quantity.high == Quantity::ZERO {
            return;
        }
        let region = if place == GLOBAL { "" } else { place };
        let Some(row) = self.prices.row(id) else {
            self.unpriced(place, id, quantity, format!("there is no price `{id}`"));
            return;
        };
        let (Some(price), Some(low), Some(high)) =
            (row.price(region), row.amount(region, quantity.low), row.amount(region, quantity.high))
        else {
            let sentence = format!("there is no price for {} ({}, `{id}`) in {place}", row.item, row.service);
            self.unpriced(place, id, quantity, sentence);
            return;
        };
        self.lines.push(line(place, (row, price), quantity, Amount { low, high }, note));
    }

    pub(super) fn unpriced(&mut self, place: &str, what: &str, quantity: Estimate, sentence: String) {
        let quantity = if quantity.basis == Basis::Fixed { quantity.high } else { Quantity::whole(1) };
        let entry = self.unpriced.entry((place.to_owned(), what.to_owned())).or_default();
        *entry = (entry.0.plus(quantity), sentence);
    }

    pub(super) fn finish(self, environment: &str) -> Bill {
        let total = self.lines.iter().fold(Amount::default(), |sum, line| sum.plus(line.amount));
        let unpriced = self.unpriced.into_iter().map(|((place, what), (quantity, sentence))| Unpriced {
            place,
            what,
            quantity,
            sentence,
        });
        let unpriced = unpriced.collect();
        Bill { environment: environment.to_owned(), lines: self.lines, total, unpriced }
    }
}

fn line(place: &str, (row, price): (&Row, &Price), quantity: Estimate, exact: Amount, note: Option<&str>) -> Line {
    let notes: Vec<&str> = note.into_iter().chain(row.note.as_deref()).collect();
    Line {
        place: place.to_owned(),
        service: row.service.clone(),
        item: row.item.clone(),
        price_id: row.id.clone(),
        quantity: quantity.map(|quantity| quantity.in_units(row.per)),
        unit: row.unit.clone(),
        price: price.usd.first().copied().unwrap_or_default(),
        has_tiers: !row.tiers.is_empty(),
        confidence: price.origin.confidence,
        published: price.origin.published.clone(),
        amount: exact.rounded(),
        exact,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

fn fixed(count: u64) -> Estimate {
    Estimate::exactly(Quantity::whole(count), Basis::Fixed)
}

fn between(low: u64, high: u64, basis: Basis) -> Estimate {
    Estimate { low: Quantity::whole(low), high: Quantity::whole(high), basis }
}

/// A region whose lines are written.
struct One<'a, 'b> {
    inventory: &'a Inventory,
    usage: &'a Usage,
    name: &'a str,
    region: &'a Region,
    writer: &'a mut Writer<'b>,
}

impl One<'_, '_> {
    fn line(&mut self, id: &str, quantity: Estimate, note: Option<&str>) {
        self.writer.line(self.name, id, quantity, note);
    }

    fn write(&mut self) {
        if self.region.server {
            self.server();
        }
        if self.region.addresses > 0 {
            self.line(
                id::IPV4_HOUR,
                fixed(self.region.addresses * HOURS),
                Some("kept, and billed, without a server too"),
            );
        }
        if let Some(stack) = &self.region.stack {
            self.stack(stack);
        }
        if self.region.replica && self.inventory.table.is_some() {
            self.replica();
        }
    }

    /// What is used at the region's server; nothing of a field that is neither known nor assumed.
    fn used(&self, field: Field) -> Estimate {
        self.known(field).unwrap_or_else(|| fixed(0))
    }

    /// The same; `None` of such a field.
    fn known(&self, field: Field) -> Option<Estimate> {
        self.usage.of(self.name, field, (1, self.inventory.servers()))
    }

    fn server(&mut self) {
        let (uploaded, downloaded) = (self.used(Field::UploadedGb), self.used(Field::DownloadedGb));
        self.line(id::SFTP_HOUR, fixed(HOURS), None);
        self.line(id::SFTP_UPLOAD, uploaded, None);
        self.line(id::SFTP_DOWNLOAD, downloaded, None);
        self.line(id::INTERNET_OUT, downloaded, None);
        if let Some(away) = self.away() {
            let data = uploaded.with(downloaded, Quantity::plus).with(away, Quantity::percent);
            self.line(id::BETWEEN_REGIONS, data, Some("files whose bucket is in another region than the server"));
        }
        let log_ins = self.used(Field::LogIns);
        self.line(id::TABLE_READS, log_ins.with(self.used(Field::ReadUnits), Quantity::times), None);
        self.line(id::API_REQUESTS, log_ins, None);
        self.line(id::LAMBDA_REQUESTS, log_ins, None);
        if let Some(stack) = &self.region.stack {
            let ms = match self.known(Field::AuthorizerMs) {
                Some(each) => log_ins.with(each, Quantity::times),
                None => {
                    let (refused, vcpu_ms) = (self.used(Field::RefusedLogIns), self.used(Field::AuthorizerVcpuMs));
                    authorizer::total_ms(log_ins, refused, vcpu_ms, stack.memory_mb)
                }
            };
            let gb_seconds = ms.map(|ms| ms.part(stack.memory_mb, 1024 * 1000));
            self.line(if stack.is_arm { id::LAMBDA_ARM } else { id::LAMBDA_X86 }, gb_seconds, None);
            self.logs(stack, log_ins);
            if stack.guards > 0 {
                self.guard(log_ins);
            }
            if stack.workflows > 0 {
                self.line(id::PGP, uploaded, Some("all uploads, if all of them are encrypted"));
            }
            if stack.web_acls > 0 {
                self.line(id::WAF_ACL, fixed(stack.web_acls), None);
                self.line(id::WAF_RULE, fixed(stack.waf_rules), None);
                self.line(id::WAF_REQUESTS, log_ins, Some("every log-in, blocked or not"));
            }
        }
    }

    /// What the guard reads for each log-in, and writes for each refusal.
    fn guard(&mut self, log_ins: Estimate) {
        let reads = log_ins.map(|count| count.times(Quantity::whole(GUARD_READS)).part(1, 2));
        let refused = self.used(Field::RefusedLogIns).with(log_ins, Ord::min);
        let writes = refused.map(|count| count.times(Quantity::whole(GUARD_WRITES)));
        self.line(id::TABLE_READS, reads, Some("the guard's table"));
        self.line(id::TABLE_WRITES, writes, Some("the guard's table, for refused log-ins"));
    }

    /// Percent of the files whose bucket is in another region; `None` if no bucket is.
    fn away(&self) -> Option<Estimate> {
        let (own, all) = (self.region.stack.as_ref().map_or(0, |stack| stack.buckets), self.inventory.buckets());
        let away = self.used(Field::OtherRegionPercent);
        match own {
            own if own == all => None,
            0 if away.basis == Basis::Assumed => Some(Estimate::exactly(Quantity::whole(100), Basis::Fixed)),
            _ => Some(away),
        }
    }

    fn logs(&mut self, stack: &Stack, log_ins: Estimate) {
        let files = self.used(Field::UploadedFiles).with(self.used(Field::DownloadedFiles), Quantity::plus);
        let of_log_ins = log_ins.with(self.used(Field::LogKbPerLogIn), Quantity::times);
        let of_files = files.with(self.used(Field::LogKbPerFile), Quantity::times);
        let gb = of_log_ins.with(of_files, Quantity::plus).map(|kb| kb.part(1, 1024 * 1024));
        self.line(id::LOGS_INGEST, gb, None);
        let kept = gb.map(|gb| gb.part(stack.retention_days * 24, HOURS).part(COMPRESSED_PERCENT, 100));
        self.line(id::LOGS_STORAGE, kept, Some("compressed, once the retention is reached"));
    }

    fn stack(&mut self, stack: &Stack) {
        self.line(id::ALARM, fixed(stack.alarms), None);
        self.line(id::ALARM_HIGH_RESOLUTION, fixed(stack.fast_alarms), None);
        self.line(id::ALARM_COMPOSITE, fixed(stack.composite_alarms), None);
        if self.region.server {
            let reasons = match stack.refusal_reasons {
                // With a guard there is one more, `banned`.
                true => (REFUSAL_REASONS + stack.guards.min(1)).saturating_sub(1),
                false => 0,
            };
            let of_methods = if stack.method_metrics { stack.methods * METHOD_METRICS } else { 0 };
            let low = stack.steady_metrics.min(stack.metrics) + of_methods;
            let metrics = between(low, stack.metrics + reasons + of_methods, self.used(Field::LogIns).basis);
            let metrics = if metrics.low == metrics.high { fixed(low) } else { metrics };
            self.line(id::METRIC, metrics, Some("for the hours with values"));
        }
        if stack.buckets > 0 {
            self.buckets(stack);
        }
        if stack.queues > 0 {
            // Each cluster has one queue, or with that for `history watch` two.
            let requests = QUEUE_REQUESTS * (stack.queues / stack.buckets.max(1)).max(1);
            let sent = self.stored(stack, Field::UploadedFiles).map(|files| files.times(Quantity::whole(requests)));
            let polls = between(0, stack.queues * POLLS, sent.basis);
            self.line(id::SQS_REQUESTS, sent.with(polls, Quantity::plus), None);
        }
        if stack.arrivals > 0 {
            // Of the region's files, each bucket has an equal part.
            let files = self.stored(stack, Field::UploadedFiles);
            let of = |count: u64| files.map(|files| files.part(count, stack.buckets.max(1)));
            self.line(id::SNS_REQUESTS, of(stack.arrivals), Some("of arriving files, without renames"));
            if stack.arrival_mails > 0 {
                self.line(id::SNS_MAILS, of(stack.arrival_mails), Some("one for each arriving file and address"));
            }
        }
        if stack.malware_plans > 0 {
            // Of the region's files, each bucket has an equal part.
            let of_plans = |used: Estimate| used.map(|used| used.part(stack.malware_plans, stack.buckets.max(1)));
            let gb = of_plans(self.stored(stack, Field::UploadedGb));
            let files = of_plans(self.stored(stack, Field::UploadedFiles));
            self.line(id::MALWARE_GB, gb, Some("a file that is renamed is scanned once more"));
            self.line(id::MALWARE_OBJECTS, files, Some("without S3's charges for tags and for GuardDuty's reads"));
        }
        if stack.file_systems > 0 {
            let count = stack.file_systems;
            let sentence = format!("no price is known of {FILE_SYSTEMS}, of which {} has {count}", self.name);
            self.writer.unpriced(self.name, FILE_SYSTEMS, fixed(count), sentence);
        }
        if stack.forwards > 0 {
            let files = self.used(Field::UploadedFiles);
            let away = files.with(self.away().unwrap_or_else(|| fixed(0)), Quantity::percent);
            self.line(id::EVENTS, away, Some("events of files whose queue is in another region"));
        }
    }

    /// What is used at the region's buckets: of what customers do, each bucket has an equal part.
    fn stored(&self, stack: &Stack, field: Field) -> Estimate {
        let share = (stack.buckets, self.inventory.buckets());
        total(self.inventory, self.usage, field).map(|quantity| quantity.part(share.0, share.1))
    }

    fn buckets(&mut self, stack: &Stack) {
        let share = (stack.buckets, self.inventory.buckets());
        let stored = self.usage.of(self.name, Field::StoredGb, share);
        self.line(id::S3_STORAGE, stored.unwrap_or_else(|| fixed(0)), None);
        let uploaded = self.stored(stack, Field::UploadedGb);
        let replaced = uploaded.with(self.used(Field::OverwrittenPercent), Quantity::percent);
        let (old, note) = match stack.old_versions_days {
            Some(days) => (replaced.map(|gb| gb.part(days * 24, HOURS)), "old versions".to_owned()),
            None => {
                (replaced, "old versions of one month: they are kept for ever, and so every month adds as much".into())
            }
        };
        self.line(id::S3_STORAGE, old, Some(&note));
        let (files, read) = (self.stored(stack, Field::UploadedFiles), self.stored(stack, Field::DownloadedFiles));
        self.line(id::S3_PUTS, files, Some("one for a file; large files have one for each part"));
        self.line(id::S3_GETS, files.with(read, Quantity::plus), None);
    }

    fn replica(&mut self) {
        let gb = self.used(Field::Accounts).map(|accounts| accounts.part(ITEM_KB, 1024 * 1024));
        self.line(id::TABLE_STORAGE, gb, None);
        if self.name == self.inventory.home_region && self.inventory.table.is_some_and(|table| table.recovery) {
            self.line(id::TABLE_RECOVERY, gb, None);
        }
        let replicas = self.inventory.regions.values().filter(|region| region.replica).count();
        let id = if replicas > 1 { id::TABLE_REPLICATED_WRITES } else { id::TABLE_WRITES };
        let writes = self.used(Field::ChangedAccounts).map(|changed| changed.times(Quantity::whole(WRITES)));
        self.line(id, writes, None);
    }
}

/// What is used at all servers.
fn total(inventory: &Inventory, usage: &Usage, field: Field) -> Estimate {
    if !usage.is_by_region(field) {
        return usage.whole(field).unwrap_or_else(|| fixed(0));
    }
    let servers = inventory.servers();
    let regions = inventory.regions.iter();
    let all = regions.filter_map(|(name, region)| usage.of(name, field, (u64::from(region.server), servers)));
    all.reduce(|sum, next| sum.with(next, Quantity::plus)).unwrap_or_else(|| fixed(0))
}

fn global(inventory: &Inventory, usage: &Usage, writer: &mut Writer<'_>) {
    if inventory.dashboard {
        writer.line(GLOBAL, id::DASHBOARD, between(0, 1, Basis::Fixed), Some("the first three of an account are free"));
    }
    let Some(dns) = inventory.dns.as_ref().filter(|dns| dns.records > 0) else { return };
    let note = format!("{}, which other records share", dns.zone);
    writer.line(GLOBAL, id::ZONE, fixed(1), Some(&note));
    let queries = total(inventory, usage, Field::DnsQueries);
    writer.line(GLOBAL, if dns.latency { id::LATENCY_QUERIES } else { id::QUERIES }, queries, None);
}
