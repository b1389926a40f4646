//! AWS's price list files, which anybody may read: `/offers/v1.0/aws/SERVICE/current/REGION/index.json`. They have the
//! form of "Reading the service price list files" in the AWS Billing user guide, and of each service the products that
//! `price_lists.json` records: usage types, units and tiers as public sources show them of AWS's files of August 2026,
//! among them products that are like those that are looked for.

use axum::body::Body;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::upstream::plain;

const PREFIX: &str = "/offers/v1.0/aws/";
const RECORDED: &str = include_str!("price_lists.json");
/// The prefixes of the regions whose files there are; usage types of us-east-1 have none, except those of services that
/// are younger than its second region.
const REGIONS: [(&str, &str); 6] = [
    ("us-east-1", ""),
    ("us-east-2", "USE2-"),
    ("us-west-1", "USW1-"),
    ("us-west-2", "USW2-"),
    ("eu-west-1", "EU-"),
    ("eu-central-1", "EUC1-"),
];

/// The answer to a request for such a file; `None` if it is another one.
pub(super) fn answer(parts: &Parts) -> Option<Response<Body>> {
    let path = parts.uri.path().strip_prefix(PREFIX).filter(|_| parts.method == Method::GET)?;
    let [offer, "current", region, "index.json"] = path.split('/').collect::<Vec<_>>()[..] else { return None };
    Some(match file(offer, region) {
        Some(file) => Response::new(Body::from(file.to_string())),
        None => plain(StatusCode::NOT_FOUND, "there is no such price list file"),
    })
}

fn file(offer: &str, region: &str) -> Option<Value> {
    let recorded: Value = serde_json::from_str(RECORDED).ok()?;
    let (_, prefix) = REGIONS.iter().find(|(name, _)| *name == region)?;
    let (mut products, mut terms) = (Map::new(), Map::new());
    for (at, recorded) in recorded[offer].as_array()?.iter().enumerate() {
        let sku = format!("LOCAL{offer}{at}");
        let prefix = if prefix.is_empty() && recorded["always"].is_string() { "USE1-" } else { prefix };
        let usage = format!("{prefix}{}", recorded["usage"].as_str()?);
        let attributes = json!({
            "servicecode": offer,
            "locationType": "AWS Region",
            "regionCode": region,
            "usagetype": usage,
            "operation": recorded["operation"].as_str().unwrap_or_default(),
        });
        let product = json!({ "sku": sku, "productFamily": recorded["family"], "attributes": attributes });
        let mut dimensions = Map::new();
        let tiers = recorded["tiers"].as_array()?;
        for (position, tier) in tiers.iter().enumerate() {
            let [begin, usd] = tier_of(tier)?;
            let end = tiers.get(position + 1).and_then(tier_of).map_or("Inf", |[begin, _]| begin);
            let code = format!("{sku}.JRTCKXETXF.{position}");
            let dimension = json!({
                "rateCode": code,
                "description": format!("${usd} per {usage}"),
                "beginRange": begin,
                "endRange": end,
                "unit": recorded["unit"],
                "pricePerUnit": { "USD": usd },
                "appliesTo": [],
            });
            dimensions.insert(code, dimension);
        }
        let term = json!({
            "offerTermCode": "JRTCKXETXF",
            "sku": sku,
            "effectiveDate": "2026-08-01T00:00:00Z",
            "priceDimensions": dimensions,
            "termAttributes": {},
        });
        products.insert(sku.clone(), product);
        terms.insert(sku.clone(), json!({ format!("{sku}.JRTCKXETXF"): term }));
    }
    Some(json!({
        "formatVersion": "v1.0",
        "disclaimer": "This file is of sftpctl's local cloud, and its prices are examples.",
        "offerCode": offer,
        "version": "20260831092318",
        "publicationDate": "2026-08-31T09:23:18Z",
        "products": products,
        "terms": { "OnDemand": terms },
    }))
}

fn tier_of(tier: &Value) -> Option<[&str; 2]> {
    Some([tier[0].as_str()?, tier[1].as_str()?])
}
