//! AWS's price list files ("offers"), which list every price of a service in a region and need no credentials: the
//! prices of this table's rows in them. Pure.
//!
//! The form is that of "Reading the service price list files" in the AWS Billing user guide. A row is taken only if one
//! product has its usage type, in a unit that is known, with the tiers that the row has; everything else is kept as it
//! was, with the reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::money::Usd;
use super::prices::{Confidence, Origin, Price, Prices, Row, id};

/// Where a row of the table is in AWS's files.
struct Place {
    id: &'static str,
    /// Code of the service, as in the file's address.
    offer: &'static str,
    /// The usage type, without the prefix of a region.
    usage: &'static str,
    operation: Option<&'static str>,
    /// What AWS calls one of the quantity.
    units: &'static [&'static str],
}

const fn place(id: &'static str, offer: &'static str, usage: &'static str, units: &'static [&'static str]) -> Place {
    Place { id, offer, usage, operation: None, units }
}

const SFTP: Option<&str> = Some("SFTP:S3");
const GB: &[&str] = &["GB", "GigaBytes"];
const GB_MONTHS: &[&str] = &["GB-Mo"];
const REQUESTS: &[&str] = &["Requests"];
const GB_SECONDS: &[&str] = &["Lambda-GB-Second", "Second", "seconds"];

/// The rows of a bill that AWS's files are known to have. What a bill has besides is kept: zones and queries (a file of
/// its own, without regions), and data to other regions, queues and events (whose usage types depend on more than the
/// region).
const PLACES: [Place; 20] = [
    Place { operation: SFTP, ..place(id::SFTP_HOUR, "AWSTransfer", "ProtocolHours", &["Hourly", "Hours", "Hrs"]) },
    Place { operation: SFTP, ..place(id::SFTP_UPLOAD, "AWSTransfer", "UploadBytes", GB) },
    Place { operation: SFTP, ..place(id::SFTP_DOWNLOAD, "AWSTransfer", "DownloadBytes", GB) },
    place(id::API_REQUESTS, "AmazonApiGateway", "ApiGatewayRequest", REQUESTS),
    place(id::LAMBDA_X86, "AWSLambda", "Lambda-GB-Second", GB_SECONDS),
    place(id::LAMBDA_ARM, "AWSLambda", "Lambda-GB-Second-ARM", GB_SECONDS),
    place(id::LAMBDA_REQUESTS, "AWSLambda", "Request", REQUESTS),
    place(id::TABLE_WRITES, "AmazonDynamoDB", "WriteRequestUnits", &["WriteRequestUnits"]),
    place(
        id::TABLE_REPLICATED_WRITES,
        "AmazonDynamoDB",
        "ReplWriteRequestUnits",
        &["ReplWriteRequestUnits", "ReplicatedWriteRequestUnits"],
    ),
    place(id::TABLE_READS, "AmazonDynamoDB", "ReadRequestUnits", &["ReadRequestUnits"]),
    place(id::TABLE_STORAGE, "AmazonDynamoDB", "TimedStorage-ByteHrs", GB_MONTHS),
    place(id::TABLE_RECOVERY, "AmazonDynamoDB", "TimedPITRStorage-ByteHrs", GB_MONTHS),
    place(id::S3_STORAGE, "AmazonS3", "TimedStorage-ByteHrs", GB_MONTHS),
    place(id::S3_PUTS, "AmazonS3", "Requests-Tier1", REQUESTS),
    place(id::S3_GETS, "AmazonS3", "Requests-Tier2", REQUESTS),
    place(id::LOGS_INGEST, "AmazonCloudWatch", "DataProcessing-Bytes", GB),
    place(id::LOGS_STORAGE, "AmazonCloudWatch", "TimedStorage-ByteHrs", GB_MONTHS),
    place(id::ALARM, "AmazonCloudWatch", "CW:AlarmMonitorUsage", &["Alarms"]),
    place(id::METRIC, "AmazonCloudWatch", "CW:MetricMonitorUsage", &["Metrics"]),
    place(id::INTERNET_OUT, "AWSDataTransfer", "DataTransfer-Out-Bytes", GB),
];

/// The services whose files are read.
pub const OFFERS: [&str; 7] = [
    "AWSTransfer",
    "AmazonApiGateway",
    "AWSLambda",
    "AmazonDynamoDB",
    "AmazonS3",
    "AmazonCloudWatch",
    "AWSDataTransfer",
];

/// A price list file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    #[error("it is not a price list file of AWS: {0}")]
    Syntax(String),
    #[error("it is the price list of `{0}`")]
    Other(String),
    #[error("its publication date `{0}` is not a time")]
    Date(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    offer_code: String,
    publication_date: String,
    products: BTreeMap<String, Product>,
    terms: Terms,
}

#[derive(Deserialize)]
struct Product {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Terms {
    #[serde(rename = "OnDemand", default)]
    on_demand: BTreeMap<String, BTreeMap<String, Term>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
}

/// One tier of a price.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    begin_range: String,
    end_range: String,
    unit: String,
    price_per_unit: BTreeMap<String, String>,
}

/// What AWS's files say, and what they do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    rows: BTreeMap<&'static str, Row>,
    /// Prices that stay as they were, one sentence each.
    pub kept: Vec<String>,
}

impl Refreshed {
    /// Takes the prices of one service in a region from the text of its file. `prices` is the table so far, `today` the
    /// date of the reading.
    ///
    /// # Errors
    /// The text is not such a file.
    pub fn add(
        &mut self,
        prices: &Prices,
        (offer, region): (&str, &str),
        text: &str,
        today: &str,
    ) -> Result<(), OfferError> {
        let file: Offer = serde_json::from_str(text).map_err(|error| OfferError::Syntax(error.to_string()))?;
        if file.offer_code != offer {
            return Err(OfferError::Other(file.offer_code));
        }
        let published = file.publication_date.split('T').next().unwrap_or_default();
        if !super::prices::is_date(published) {
            return Err(OfferError::Date(file.publication_date));
        }
        for place in PLACES.iter().filter(|place| place.offer == offer) {
            let Some(row) = prices.row(place.id) else { continue };
            match file.price(place, region, row) {
                Ok(usd) => {
                    let origin = Origin {
                        source: format!("AWS price list file `{offer}`"),
                        published: Some(published.to_owned()),
                        retrieved: today.to_owned(),
                        confidence: Confidence::Published,
                    };
                    let empty = || Row { prices: BTreeMap::new(), ..row.clone() };
                    let new = self.rows.entry(place.id).or_insert_with(empty);
                    new.prices.insert(region.to_owned(), Price { usd, origin });
                }
                Err(why) => self.kept.push(format!("{} in {region}: {why}", place.id)),
            }
        }
        Ok(())
    }

    /// Number of prices.
    pub fn count(&self) -> usize {
        self.rows.values().map(|row| row.prices.len()).sum()
    }

    /// As a table of prices. The date of a row is the oldest of its regions' files.
    pub fn to_toml(&self) -> String {
        // A string of JSON is one of TOML.
        let string = |text: &str| serde_json::Value::from(text).to_string();
        let mut toml = "version = 1\n".to_owned();
        for row in self.rows.values() {
            let Some(oldest) = row.prices.values().min_by_key(|price| &price.origin.published) else { continue };
            let Origin { source, published, retrieved, .. } = &oldest.origin;
            let _ = write!(
                toml,
                "\n[[price]]\nid = {}\nservice = {}\nitem = {}\nunit = {}\nper = {}\ntiers = {:?}\nusd = [\n",
                string(&row.id),
                string(&row.service),
                string(&row.item),
                string(&row.unit),
                row.per,
                row.tiers
            );
            for (region, price) in &row.prices {
                let usd: Vec<String> = price.usd.iter().map(|usd| string(&usd.exact().replace(',', ""))).collect();
                let _ = writeln!(toml, "  {{ usd = [{}], regions = [{}] }},", usd.join(", "), string(region));
            }
            let _ = write!(
                toml,
                "]\nsource = {}\npublished = {}\nretrieved = {}\nconfidence = \"published\"\n",
                string(source),
                string(published.as_deref().unwrap_or_default()),
                string(retrieved)
            );
        }
        toml
    }
}

impl Offer {
    /// The prices of a row in a region, one for each of its tiers; the error says why they are not known.
    fn price(&self, place: &Place, region: &str, row: &Row) -> Result<Vec<Usd>, String> {
        let is_it = |product: &Product| {
            let attribute = |name: &str| product.attributes.get(name).map(String::as_str);
            attribute("regionCode").is_none_or(|code| code == region)
                && attribute("usagetype").is_some_and(|usage| without_region(usage) == place.usage)
                && place.operation.is_none_or(|operation| attribute("operation") == Some(operation))
        };
        let mut found = self.products.iter().filter(|(_, product)| is_it(product));
        let sku = match (found.next(), found.next()) {
            (Some((sku, _)), None) => sku,
            (None, _) => return Err(format!("AWS's file has no `{}`", place.usage)),
            (Some(_), Some(_)) => return Err(format!("AWS's file has several products of `{}`", place.usage)),
        };
        let mut terms = self.terms.on_demand.get(sku).into_iter().flat_map(BTreeMap::values);
        let (Some(term), None) = (terms.next(), terms.next()) else {
            return Err("AWS's file has not exactly one price on demand for it".to_owned());
        };
        tiers(term.price_dimensions.values(), place, row)
    }
}

/// The prices of all tiers, which must be those of the row. A free tier before them is left out, as everywhere.
fn tiers<'a>(dimensions: impl Iterator<Item = &'a Dimension>, place: &Place, row: &Row) -> Result<Vec<Usd>, String> {
    let mut all = Vec::new();
    for dimension in dimensions {
        if !place.units.contains(&dimension.unit.as_str()) {
            return Err(format!("AWS's price is for an unknown unit, `{}`", dimension.unit));
        }
        let end = match dimension.end_range.as_str() {
            "Inf" => None,
            end => Some(end.parse::<u64>().map_err(|_| format!("its tier ends at `{end}`"))?),
        };
        let begin = &dimension.begin_range;
        let begin = begin.parse::<u64>().map_err(|_| format!("its tier begins at `{begin}`"))?;
        let usd = dimension.price_per_unit.get("USD").ok_or("AWS's price is not in USD")?;
        // AWS writes ten digits after the point, of which the last ones are zeros.
        let digits = usd.split_once('.').map_or(usd.as_str(), |_| usd.trim_end_matches('0').trim_end_matches('.'));
        let price = Usd::parse(digits).ok_or_else(|| format!("`{usd}` is not an amount in USD"))?;
        all.push((begin, end, price.times(i128::from(row.per))));
    }
    all.sort_by_key(|(begin, ..)| *begin);
    let is_gapless = all.first().is_some_and(|(begin, ..)| *begin == 0)
        && all.last().is_some_and(|(_, end, _)| end.is_none())
        && all.windows(2).all(|pair| pair[0].1 == Some(pair[1].0));
    if !is_gapless {
        return Err("its tiers have gaps".to_owned());
    }
    if all.len() > 1 && all[0].2 == Usd::ZERO {
        all.remove(0);
    }
    if all.iter().any(|(.., price)| *price == Usd::ZERO) {
        return Err("AWS's price is zero".to_owned());
    }
    let ends: Vec<u64> = all.iter().filter_map(|(_, end, _)| *end).collect();
    if ends != row.tiers {
        return Err(format!("AWS's tiers end at {ends:?}, and the table's at {:?}", row.tiers));
    }
    Ok(all.into_iter().map(|(.., price)| price).collect())
}

/// A usage type without the prefix of its region: `USW2-`, `EU-`; the files of us-east-1 mostly have none. `IA-`, of
/// another storage class, is not a region.
fn without_region(usage: &str) -> &str {
    let Some((prefix, rest)) = usage.split_once('-') else { return usage };
    let letters = prefix.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_region = prefix == "EU"
        || (letters.len() + 1 == prefix.len()
            && (2..=4).contains(&letters.len())
            && letters.bytes().all(|byte| byte.is_ascii_uppercase()));
    if is_region { rest } else { usage }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    /// Begin, end and price of each.
    type Tiers<'a> = &'a [(&'a str, &'a str, &'a str)];
    /// Usage type, operation, unit and tiers.
    type Listed<'a> = (&'a str, &'a str, &'a str, Tiers<'a>);

    fn file(offer: &str, products: &[Listed<'_>]) -> String {
        let (mut all, mut terms) = (json!({}), json!({}));
        for (at, (usage, operation, unit, tiers)) in products.iter().enumerate() {
            let sku = format!("SKU{at}");
            all[&sku] = json!({ "sku": sku, "productFamily": "F", "attributes": { "servicecode": offer,
                "regionCode": "us-west-2", "usagetype": usage, "operation": operation } });
            let dimensions: serde_json::Map<String, Value> = tiers
                .iter()
                .enumerate()
                .map(|(tier, (begin, end, usd))| {
                    let dimension = json!({ "rateCode": "r", "description": "d", "beginRange": begin, "endRange": end,
                    "unit": unit, "pricePerUnit": { "USD": usd }, "appliesTo": [] });
                    (format!("{sku}.JRTCKXETXF.{tier}"), dimension)
                })
                .collect();
            terms[&sku] = json!({ format!("{sku}.JRTCKXETXF"): { "offerTermCode": "JRTCKXETXF", "sku": sku,
                "effectiveDate": "2026-08-01T00:00:00Z", "priceDimensions": dimensions, "termAttributes": {} } });
        }
        json!({ "formatVersion": "v1.0", "disclaimer": "…", "offerCode": offer, "version": "20260831092318",
            "publicationDate": "2026-08-31T09:23:18Z", "products": all, "terms": { "OnDemand": terms } })
        .to_string()
    }

    fn read(offer: &str, text: &str) -> Refreshed {
        let mut refreshed = Refreshed::default();
        let prices = Prices::built_in().unwrap();
        refreshed.add(&prices, (offer, "us-west-2"), text, "2026-11-30").unwrap();
        refreshed
    }

    fn usd(refreshed: &Refreshed, id: &str) -> Vec<String> {
        let row = refreshed.rows.get(id).unwrap_or_else(|| panic!("{id}: {:?}", refreshed.kept));
        row.prices["us-west-2"].usd.iter().map(|usd| usd.exact()).collect()
    }

    #[test]
    fn a_price_is_that_of_its_own_product() {
        let all: &[(&str, &str)] = &[("0", "Inf")];
        let one = |usd| [(all[0].0, all[0].1, usd)];
        let text = file(
            "AWSTransfer",
            &[
                ("USW2-ProtocolHours", "FTPS:S3", "Hourly", &one("0.9000000000")),
                ("USW2-ProtocolHours", "SFTP:S3", "Hourly", &one("0.3100000000")),
                ("USW2-UploadBytes", "SFTP:S3", "GigaBytes", &one("0.0410000000")),
                ("USW2-SFTPConnector-SendBytes", "SFTP:S3", "GB", &one("0.4000000000")),
            ],
        );
        let refreshed = read("AWSTransfer", &text);
        assert_eq!(usd(&refreshed, id::SFTP_HOUR), ["0.31"]);
        assert_eq!(usd(&refreshed, id::SFTP_UPLOAD), ["0.041"]);
        assert_eq!(refreshed.kept, ["transfer.download in us-west-2: AWS's file has no `DownloadBytes`"]);
    }

    #[test]
    fn a_price_of_one_is_that_of_a_million_in_every_tier() {
        let tiers = [
            ("333000000", "1000000000", "0.0000028000"),
            ("0", "333000000", "0.0000035000"),
            ("20000000000", "Inf", "0.0000015100"),
            ("1000000000", "20000000000", "0.0000023800"),
        ];
        let text = file(
            "AmazonApiGateway",
            &[
                ("USW2-ApiGatewayRequest", "ApiGatewayRequest", "Requests", &tiers),
                ("USW2-ApiGatewayHttpRequest", "ApiGatewayHttpApi", "Requests", &[("0", "Inf", "0.000001")]),
            ],
        );
        assert_eq!(usd(&read("AmazonApiGateway", &text), id::API_REQUESTS), ["3.50", "2.80", "2.38", "1.51"]);
    }

    #[test]
    fn a_free_tier_is_left_out_and_another_class_is_another_price() {
        let text = file(
            "AmazonDynamoDB",
            &[
                (
                    "USW2-TimedStorage-ByteHrs",
                    "",
                    "GB-Mo",
                    &[("0", "25", "0.0000000000"), ("25", "Inf", "0.2600000000")],
                ),
                ("USW2-IA-TimedStorage-ByteHrs", "", "GB-Mo", &[("0", "Inf", "0.1000000000")]),
                ("WriteRequestUnits", "PayPerRequestThroughput", "WriteRequestUnits", &[("0", "Inf", "0.0000006300")]),
                (
                    "IA-WriteRequestUnits",
                    "PayPerRequestThroughput",
                    "WriteRequestUnits",
                    &[("0", "Inf", "0.0000007800")],
                ),
            ],
        );
        let refreshed = read("AmazonDynamoDB", &text);
        assert_eq!(usd(&refreshed, id::TABLE_STORAGE), ["0.26"]);
        assert_eq!(usd(&refreshed, id::TABLE_WRITES), ["0.63"]);
    }

    #[test]
    fn what_is_not_certain_is_kept_with_its_reason() {
        let usual = [("0", "51200", "0.023"), ("51200", "512000", "0.022"), ("512000", "Inf", "0.021")];
        let cases: [(&str, Tiers<'_>, &str); 8] = [
            ("GB-Days", &usual, "an unknown unit, `GB-Days`"),
            ("GB-Mo", &usual[..2], "its tiers have gaps"),
            ("GB-Mo", &usual[1..], "its tiers have gaps"),
            ("GB-Mo", &[("0", "Inf", "0.023")], "AWS's tiers end at [], and the table's at [51200, 512000]"),
            ("GB-Mo", &[("0", "51200", "0.023"), ("51200", "512000", "0"), ("512000", "Inf", "0.021")], "is zero"),
            ("GB-Mo", &[("0", "Inf", "0.0")], "is zero"),
            ("GB-Mo", &[("0", "Inf", "-1")], "`-1` is not an amount"),
            ("GB-Mo", &[("zero", "Inf", "1")], "its tier begins at `zero`"),
        ];
        for (unit, tiers, why) in cases {
            let refreshed = read("AmazonS3", &file("AmazonS3", &[("USW2-TimedStorage-ByteHrs", "", unit, tiers)]));
            let kept = refreshed.kept.iter().find(|kept| kept.starts_with("s3.storage in us-west-2: ")).unwrap();
            assert!(kept.contains(why) && refreshed.rows.is_empty(), "{why}: {kept}");
        }
        let product = ("USW2-TimedStorage-ByteHrs", "", "GB-Mo", &usual[..]);
        assert_eq!(usd(&read("AmazonS3", &file("AmazonS3", &[product])), id::S3_STORAGE), ["0.023", "0.022", "0.021"]);
        let twice = read("AmazonS3", &file("AmazonS3", &[product, product]));
        assert!(twice.kept[0].contains("several products"), "{twice:?}");
        let elsewhere = file("AmazonS3", &[product]).replace("us-west-2", "us-east-1");
        assert!(read("AmazonS3", &elsewhere).rows.is_empty());
    }

    #[test]
    fn other_files_are_refused() {
        let prices = Prices::built_in().unwrap();
        let add = |text: &str| Refreshed::default().add(&prices, ("AmazonS3", "us-west-2"), text, "2026-11-30");
        assert!(matches!(add("<html>"), Err(OfferError::Syntax(_))));
        assert_eq!(add(&file("AmazonEC2", &[])), Err(OfferError::Other("AmazonEC2".into())));
        let undated = file("AmazonS3", &[]).replace("2026-08-31T", "soon ");
        assert!(matches!(add(&undated), Err(OfferError::Date(_))));
    }

    #[test]
    fn a_table_is_written_that_can_be_read() {
        let text = file("AWSTransfer", &[("USW2-ProtocolHours", "SFTP:S3", "Hourly", &[("0", "Inf", "0.3100000000")])]);
        let refreshed = read("AWSTransfer", &text);
        assert_eq!(refreshed.count(), 1);
        let mut prices = Prices::built_in().unwrap();
        prices.extend(Prices::parse(&refreshed.to_toml()).unwrap());
        let row = prices.row(id::SFTP_HOUR).unwrap();
        let origin = &row.price("us-west-2").unwrap().origin;
        assert_eq!(row.in_region("us-west-2").unwrap()[0].exact(), "0.31");
        assert_eq!((origin.published.as_deref(), origin.retrieved.as_str()), (Some("2026-08-31"), "2026-11-30"));
        assert_eq!(row.price("us-east-1").unwrap().origin.published.as_deref(), Some("2025-06-17"), "kept");
    }

    #[test]
    fn every_place_is_of_a_row_and_of_a_file_that_is_read() {
        let prices = Prices::built_in().unwrap();
        let ids: BTreeSet<&str> = PLACES.iter().map(|place| place.id).collect();
        assert_eq!(ids.len(), PLACES.len());
        for place in &PLACES {
            assert!(prices.row(place.id).is_some(), "{}", place.id);
            assert!(OFFERS.contains(&place.offer), "{}", place.id);
        }
    }
}
