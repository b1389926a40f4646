//! The web ACL of AWS WAF in front of the API, its sets of addresses, and its association with the stage.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::TemplateError;
use crate::spec::model::Environment;
use crate::spec::waf::{Countries, WINDOW_SECONDS, Waf};

const ACL: &str = "WebAcl";
const ALLOWED: [&str; 2] = ["WafAllowedIpv4", "WafAllowedIpv6"];
/// All of them.
const PARTS: [&str; 6] = ["WafAnyIpv4", "WafAnyIpv6", ALLOWED[0], ALLOWED[1], ACL, "WebAclAssociation"];

/// The rule that counts requests with a customer's address, and the name of its metric.
pub const PROOF: &str = "source-address";
/// The rule that lets through what no other rule applies to, and the name of its metric.
pub const EXEMPT: &str = "allowed-addresses";
const COUNTRIES: &str = "countries";
const RATE: &str = "rate";
const RATE_PER_NAME: &str = "rate-per-name";

/// Fills in the settings; takes everything away if the environment has no web ACL, or the region no server.
pub(super) fn fit(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    if let Some(lacks) = PARTS.into_iter().find(|part| !resources.contains_key(*part)) {
        return Err(TemplateError::Lacks(lacks));
    }
    let has_server = environment.regions.get(region).is_some_and(|region| region.server);
    let Some(waf) = environment.waf.as_ref().filter(|_| has_server) else {
        PARTS.iter().for_each(|part| drop(resources.remove(*part)));
        return Ok(());
    };
    for range in &waf.allow {
        let Some((set, range)) = in_full(range) else { continue };
        if let Some(addresses) = resources[set]["Properties"]["Addresses"].as_array_mut() {
            addresses.push(range.into());
        }
    }
    let rules = resources[ACL]["Properties"]["Rules"].as_array_mut().ok_or(TemplateError::Lacks("Rules"))?;
    rules.retain(|rule| rule["Name"] != COUNTRIES || waf.countries.is_some());
    rules.iter_mut().try_for_each(|rule| fill(waf, rule))
}

/// The set of a range, and the range as AWS WAF gives it back: all groups of IPv6 with four digits.
fn in_full(range: &str) -> Option<(&'static str, String)> {
    let (address, bits) = range.split_once('/')?;
    Some(match address.parse().ok()? {
        IpAddr::V4(_) => (ALLOWED[0], range.to_owned()),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            (ALLOWED[1], format!("{}/{bits}", groups.join(":")))
        }
    })
}

fn fill(waf: &Waf, rule: &mut Value) -> Result<(), TemplateError> {
    let name = rule["Name"].as_str().unwrap_or_default().to_owned();
    match name.as_str() {
        PROOF | EXEMPT => return Ok(()),
        COUNTRIES => match &waf.countries {
            Some(Countries::Allow(list)) => {
                let place =
                    "/Statement/AndStatement/Statements/1/NotStatement/Statement/GeoMatchStatement/CountryCodes";
                *rule.pointer_mut(place).ok_or(TemplateError::Lacks(COUNTRIES))? = json!(list);
            }
            Some(Countries::Block(list)) => {
                let place = "/Statement/AndStatement/Statements/1/NotStatement/Statement";
                let mut statement = rule.pointer(place).cloned().ok_or(TemplateError::Lacks(COUNTRIES))?;
                statement["GeoMatchStatement"]["CountryCodes"] = json!(list);
                rule["Statement"] = statement;
            }
            None => {}
        },
        RATE => limit(rule, waf.rate),
        RATE_PER_NAME => limit(rule, waf.rate_per_name),
        _ => return Err(TemplateError::Lacks("this rule's setting")),
    }
    if waf.blocks {
        rule["Action"] = json!({ "Block": {} });
    }
    Ok(())
}

fn limit(rule: &mut Value, most: u32) {
    let statement = &mut rule["Statement"]["RateBasedStatement"];
    statement["Limit"] = json!(most);
    statement["EvaluationWindowSec"] = json!(WINDOW_SECONDS);
}

#[cfg(test)]
mod tests {
    use super::super::{Code, render};
    use super::*;
    use crate::spec;

    fn rendered(waf: &str, region: &str) -> Value {
        let file = format!("{}{waf}", include_str!("../../../../environments/99.yaml"));
        let code = Code { bucket: "b".into(), key: "k".into() };
        render(&spec::load(&file, "99.yaml").unwrap(), region, &code).unwrap().template["Resources"].take()
    }

    fn rule<'a>(resources: &'a Value, name: &str) -> Option<&'a Value> {
        resources[ACL]["Properties"]["Rules"].as_array().unwrap().iter().find(|rule| rule["Name"] == name)
    }

    /// Every value under this key, however deep.
    fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == key {
                        found.push(value);
                    }
                    under(value, key, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| under(value, key, found)),
            _ => {}
        }
    }

    #[test]
    fn there_is_one_where_a_server_is_and_the_file_says_so() {
        for (waf, region) in [("", "us-west-2"), ("waf: {}\n", "us-east-1")] {
            let resources = rendered(waf, region);
            for part in PARTS {
                assert!(resources.get(part).is_none(), "{part} in {region}");
            }
        }
        let resources = rendered("waf: {}\n", "us-west-2");
        for part in PARTS {
            assert!(resources.get(part).is_some(), "{part}");
        }
        for name in [PROOF, RATE, RATE_PER_NAME] {
            assert_eq!(rule(&resources, name).unwrap()["Action"], json!({ "Count": {} }), "{name}");
        }
        assert_eq!(rule(&resources, EXEMPT).unwrap()["Action"], json!({ "Allow": {} }));
        assert!(rule(&resources, COUNTRIES).is_none());
        assert!(
            resources[ACL]["Properties"]["Tags"].is_array() && resources["WafAnyIpv4"]["Properties"]["Tags"].is_array()
        );
    }

    #[test]
    fn rules_have_the_settings_of_the_file() {
        let resources = rendered(
            "waf: { mode: block, rate: 500, rate_per_name: 30, countries: { allow: [DE, AT] }, \
             allow: [203.0.113.0/24, \"2001:db8::/32\"] }\n",
            "us-west-2",
        );
        let block = json!({ "Block": {} });
        for (name, most) in [(RATE, 500), (RATE_PER_NAME, 30)] {
            let rule = rule(&resources, name).unwrap();
            assert_eq!((&rule["Action"], &rule["Statement"]["RateBasedStatement"]["Limit"]), (&block, &json!(most)));
        }
        let countries = rule(&resources, COUNTRIES).unwrap();
        let statements = &countries["Statement"]["AndStatement"]["Statements"];
        let geo = &statements[1]["NotStatement"]["Statement"]["GeoMatchStatement"];
        assert_eq!((&countries["Action"], &geo["CountryCodes"]), (&block, &json!(["DE", "AT"])));
        assert!(statements[0]["OrStatement"].is_object(), "NOT alone fits a request without the header");
        assert_eq!(rule(&resources, PROOF).unwrap()["Action"], json!({ "Count": {} }));
        let addresses = ALLOWED.map(|set| resources[set]["Properties"]["Addresses"].clone());
        assert_eq!(addresses[0], json!(["127.0.0.1/32", "203.0.113.0/24"]));
        assert_eq!(addresses[1][1], "2001:0db8:0000:0000:0000:0000:0000:0000/32");

        let resources = rendered("waf: { countries: { block: [KP] } }\n", "us-west-2");
        let countries = rule(&resources, COUNTRIES).unwrap();
        assert_eq!(countries["Statement"]["GeoMatchStatement"]["CountryCodes"], json!(["KP"]));
        assert_eq!(countries["Action"], json!({ "Count": {} }));
    }

    /// Samples and logs have all headers, and so passwords and the signature that Transfer calls the API with.
    #[test]
    fn nothing_of_a_request_is_kept() {
        let resources = rendered("waf: { countries: { allow: [DE] } }\n", "us-west-2");
        let acl = &resources[ACL]["Properties"];
        let (mut samples, mut configs) = (Vec::new(), Vec::new());
        under(acl, "SampledRequestsEnabled", &mut samples);
        under(acl, "VisibilityConfig", &mut configs);
        assert_eq!(configs.len(), 6, "five rules, and the web ACL's own");
        assert!(samples.len() == configs.len() && samples.iter().all(|on| **on == json!(false)));
        let protected = &acl["DataProtectionConfig"]["DataProtections"][0];
        assert_eq!(protected["Action"], "SUBSTITUTION");
        let headers = ["passwordbase64", "password", "authorization", "x-amz-security-token"];
        assert_eq!(protected["Field"], json!({ "FieldType": "SINGLE_HEADER", "FieldKeys": headers }));
        let all = resources.as_object().unwrap().values();
        assert!(!all.clone().any(|one| one["Type"] == "AWS::WAFv2::LoggingConfiguration"));
    }

    /// Otherwise AWS WAF looks at Transfer's own address, which is the same for every customer.
    #[test]
    fn every_statement_on_addresses_looks_at_the_header() {
        let resources = rendered("waf: { countries: { allow: [DE] } }\n", "us-west-2");
        for (statement, config) in [
            ("IPSetReferenceStatement", "IPSetForwardedIPConfig"),
            ("GeoMatchStatement", "ForwardedIPConfig"),
            ("RateBasedStatement", "ForwardedIPConfig"),
        ] {
            let mut found = Vec::new();
            under(&resources[ACL], statement, &mut found);
            assert!(!found.is_empty());
            for one in found {
                assert_eq!(one[config]["HeaderName"], "SourceIP", "{statement}");
                // A fault of the header refuses nobody.
                assert_eq!(one[config]["FallbackBehavior"], "NO_MATCH", "{statement}");
            }
        }
        let mut keys = Vec::new();
        under(&resources[ACL], "AggregateKeyType", &mut keys);
        assert_eq!(keys, ["FORWARDED_IP", "CUSTOM_KEYS"]);
    }
}
