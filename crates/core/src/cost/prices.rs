//! The table of prices: `prices/aws.toml`, which is built in, and files of the same form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::money::{Quantity, Usd};

/// The built-in table.
const BUILT_IN: &str = include_str!("../../../../prices/aws.toml");
/// In place of a region: every region that no other price of the row names.
const EVERYWHERE: &str = "*";
const VERSION: u32 = 1;

/// The rows of the table that this code prices with. `ec2.…` and `ebs.…` are named by the inputs of a comparison.
pub mod id {
    pub const SFTP_HOUR: &str = "transfer.sftp-hour";
    pub const SFTP_UPLOAD: &str = "transfer.upload";
    pub const SFTP_DOWNLOAD: &str = "transfer.download";
    pub const PGP: &str = "transfer.pgp";
    pub const API_REQUESTS: &str = "apigateway.requests";
    pub const LAMBDA_X86: &str = "lambda.x86-gb-second";
    pub const LAMBDA_ARM: &str = "lambda.arm-gb-second";
    pub const LAMBDA_REQUESTS: &str = "lambda.requests";
    pub const TABLE_WRITES: &str = "dynamodb.writes";
    pub const TABLE_REPLICATED_WRITES: &str = "dynamodb.replicated-writes";
    pub const TABLE_READS: &str = "dynamodb.reads";
    pub const TABLE_STORAGE: &str = "dynamodb.storage";
    pub const TABLE_RECOVERY: &str = "dynamodb.recovery";
    pub const S3_STORAGE: &str = "s3.storage";
    pub const S3_PUTS: &str = "s3.puts";
    pub const S3_GETS: &str = "s3.gets";
    pub const LOGS_INGEST: &str = "logs.ingest";
    pub const LOGS_STORAGE: &str = "logs.storage";
    pub const ALARM: &str = "cloudwatch.alarm";
    pub const ALARM_HIGH_RESOLUTION: &str = "cloudwatch.alarm-high-resolution";
    pub const ALARM_COMPOSITE: &str = "cloudwatch.alarm-composite";
    pub const METRIC: &str = "cloudwatch.metric";
    pub const DASHBOARD: &str = "cloudwatch.dashboard";
    pub const ZONE: &str = "route53.zone";
    pub const QUERIES: &str = "route53.queries";
    pub const LATENCY_QUERIES: &str = "route53.latency-queries";
    pub const RECORDS: &str = "route53.records";
    pub const IPV4_HOUR: &str = "vpc.ipv4-hour";
    pub const INTERNET_OUT: &str = "data.internet-out";
    pub const BETWEEN_REGIONS: &str = "data.between-regions";
    pub const SQS_REQUESTS: &str = "sqs.requests";
    pub const SNS_REQUESTS: &str = "sns.requests";
    pub const SNS_MAILS: &str = "sns.mails";
    pub const EVENTS: &str = "eventbridge.custom-events";
    pub const WAF_ACL: &str = "waf.acl";
    pub const WAF_RULE: &str = "waf.rule";
    pub const WAF_REQUESTS: &str = "waf.requests";
    pub const MALWARE_GB: &str = "guardduty.s3-gb";
    pub const MALWARE_OBJECTS: &str = "guardduty.s3-objects";

    /// All of the above.
    pub const ALL: [&str; 39] = [
        SFTP_HOUR,
        SFTP_UPLOAD,
        SFTP_DOWNLOAD,
        PGP,
        API_REQUESTS,
        LAMBDA_X86,
        LAMBDA_ARM,
        LAMBDA_REQUESTS,
        TABLE_WRITES,
        TABLE_REPLICATED_WRITES,
        TABLE_READS,
        TABLE_STORAGE,
        TABLE_RECOVERY,
        S3_STORAGE,
        S3_PUTS,
        S3_GETS,
        LOGS_INGEST,
        LOGS_STORAGE,
        ALARM,
        ALARM_HIGH_RESOLUTION,
        ALARM_COMPOSITE,
        METRIC,
        DASHBOARD,
        ZONE,
        QUERIES,
        LATENCY_QUERIES,
        RECORDS,
        INTERNET_OUT,
        BETWEEN_REGIONS,
        SQS_REQUESTS,
        SNS_REQUESTS,
        SNS_MAILS,
        EVENTS,
        WAF_ACL,
        WAF_RULE,
        WAF_REQUESTS,
        MALWARE_GB,
        MALWARE_OBJECTS,
        IPV4_HOUR,
    ];
}

/// How sure a price is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A file of AWS says it.
    Published,
    /// Data of another program says it.
    Derived,
    /// Nothing confirms it.
    Assumed,
}

/// A table of prices that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("unknown format version {0}; this sftpctl reads version {VERSION}")]
    Version(u32),
    #[error("row `{id}`: {message}")]
    Row { id: String, message: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    version: u32,
    #[serde(default)]
    price: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: String,
    service: String,
    item: String,
    unit: String,
    #[serde(default = "one")]
    per: u64,
    #[serde(default)]
    tiers: Vec<u64>,
    usd: Vec<RawPrice>,
    source: String,
    published: Option<String>,
    retrieved: String,
    confidence: Confidence,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrice {
    usd: Vec<String>,
    regions: Vec<String>,
}

fn one() -> u64 {
    1
}

/// What one thing costs, in each region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub service: String,
    pub item: String,
    /// What `per` of the quantity are called.
    pub unit: String,
    pub per: u64,
    /// The quantities of a month up to which each price but the last holds, ascending.
    pub tiers: Vec<u64>,
    /// By region, and for [`EVERYWHERE`].
    pub prices: BTreeMap<String, Price>,
    /// What to know of the line in a bill.
    pub note: Option<String>,
}

/// What one thing costs in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// One price for each tier.
    pub usd: Vec<Usd>,
    pub origin: Origin,
}

/// Where a price is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub source: String,
    /// The date in AWS's file, `2025-06-17`.
    pub published: Option<String>,
    /// When it was read.
    pub retrieved: String,
    pub confidence: Confidence,
}

impl Row {
    /// The price in a region.
    pub fn price(&self, region: &str) -> Option<&Price> {
        self.prices.get(region).or_else(|| self.prices.get(EVERYWHERE))
    }

    /// The prices in a region, one for each tier.
    pub fn in_region(&self, region: &str) -> Option<&[Usd]> {
        self.price(region).map(|price| price.usd.as_slice())
    }

    /// What a quantity costs in a region; `None` if the price there is unknown.
    pub fn amount(&self, region: &str, quantity: Quantity) -> Option<Usd> {
        let prices = self.in_region(region)?;
        let mut from = Quantity::ZERO;
        let mut amount = Usd::ZERO;
        for (at, price) in prices.iter().enumerate() {
            let to = self.tiers.get(at).copied().map(Quantity::whole);
            amount = amount + price.of(quantity.between(from, to), self.per);
            from = to.unwrap_or(from);
        }
        Some(amount)
    }
}

/// Prices by the ID of their row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    rows: BTreeMap<String, Row>,
}

impl Prices {
    /// The table that is built in.
    ///
    /// # Errors
    /// A fault of the build, which a test rules out.
    pub fn built_in() -> Result<Self, PricesError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The first fault of it.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let raw: RawTable = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            PricesError::Syntax { line, message: error.message().to_owned() }
        })?;
        if raw.version != VERSION {
            return Err(PricesError::Version(raw.version));
        }
        let mut rows = BTreeMap::new();
        for raw in raw.price {
            let id = raw.id.clone();
            let fault = |message: String| PricesError::Row { id: id.clone(), message };
            let row = row(raw).map_err(fault)?;
            if rows.insert(id.clone(), row).is_some() {
                return Err(fault("it is there twice".to_owned()));
            }
        }
        Ok(Self { rows })
    }

    /// Adds the rows of another table. A row of both has the prices of both, each with its origin, and where both name a
    /// region, the other's.
    pub fn extend(&mut self, other: Self) {
        for (id, mut row) in other.rows {
            if let Some(old) = self.rows.remove(&id)
                && (old.per, &old.tiers) == (row.per, &row.tiers)
                && !row.prices.contains_key(EVERYWHERE)
            {
                for (region, price) in old.prices {
                    row.prices.entry(region).or_insert(price);
                }
                row.note = row.note.or(old.note);
            }
            self.rows.insert(id, row);
        }
    }

    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }
}

fn row(raw: RawRow) -> Result<Row, String> {
    if raw.per == 0 {
        return Err("`per` is 0".to_owned());
    }
    if !raw.tiers.is_sorted() {
        return Err("`tiers` are not in ascending order".to_owned());
    }
    let origin =
        Origin { source: raw.source, published: raw.published, retrieved: raw.retrieved, confidence: raw.confidence };
    let mut prices = BTreeMap::new();
    for price in raw.usd {
        let wanted = raw.tiers.len() + 1;
        if price.usd.len() != wanted {
            return Err(format!("it has {} prices in `usd` for {wanted} tiers", price.usd.len()));
        }
        let usd = price.usd.iter().map(|text| {
            Usd::parse(text).ok_or_else(|| format!("`{text}` is not a price: expected a number like \"0.0000166667\""))
        });
        let price_of_all = Price { usd: usd.collect::<Result<Vec<_>, _>>()?, origin: origin.clone() };
        for region in price.regions {
            if prices.insert(region.clone(), price_of_all.clone()).is_some() {
                return Err(format!("it has two prices for {region}"));
            }
        }
    }
    let dates = origin.published.iter().chain([&origin.retrieved]);
    if let Some(wrong) = dates.into_iter().find(|date| !is_date(date)) {
        return Err(format!("`{wrong}` is not a date: expected 2025-06-17"));
    }
    if origin.confidence == Confidence::Published && origin.published.is_none() {
        return Err("its confidence is `published`, and `published` is missing".to_owned());
    }
    let RawRow { id, service, item, unit, per, tiers, note, .. } = raw;
    Ok(Row { id, service, item, unit, per, tiers, prices, note })
}

/// Whether a text is a day of the calendar, `2025-06-17`.
pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |text: &str, digits: usize| {
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}
