//! The decision of a web ACL on a request (AWS WAF developer guide, "How AWS WAF handles rule and rule group actions",
//! "Using forwarded IP addresses", "Using rate-based rule statements"). Pure, but for the counts of rate rules.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::geo::country;

/// The address that a request to the API comes from: Transfer's own, and the same for every customer.
pub(super) const ORIGIN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 0, 1));

/// What a web ACL sees of a request.
pub(super) struct Seen<'a> {
    /// By name in lower case.
    pub(super) headers: BTreeMap<String, String>,
    /// As it is sent, with the stage and percent-encoded.
    pub(super) path: &'a str,
}

/// The outcome for a request: names of metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    pub(super) blocked: bool,
    /// Rules that counted it.
    pub(super) counted: Vec<String>,
    /// The rule that allowed or blocked it; `None` for the default action.
    pub(super) by: Option<String>,
}

/// The requests of each key in the last minutes, by the rule's identity.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<(String, String), VecDeque<Instant>>);

impl Rates {
    /// Counts a request; returns how many there are in the window, with this one.
    fn count(&mut self, rule: &str, key: &str, window: Duration, now: Instant) -> u64 {
        let times = self.0.entry((rule.to_owned(), key.to_owned())).or_default();
        while times.front().is_some_and(|time| now.duration_since(*time) >= window) {
            times.pop_front();
        }
        times.push_back(now);
        times.len() as u64
    }
}

/// The ranges of a set by its ARN.
pub(super) type Sets = BTreeMap<String, Vec<String>>;

/// A web ACL with what it refers to.
pub(super) struct Acl<'a> {
    pub(super) acl: &'a Value,
    pub(super) sets: &'a Sets,
}

/// An address in a header.
enum Forwarded {
    /// There is no such header: the statement does not fit, whatever its fallback.
    Missing,
    /// The header has no address; whether the statement fits all the same.
    Invalid(bool),
    Address(IpAddr),
}

/// Decides on a request.
///
/// # Errors
/// The web ACL has something that is not modelled.
pub(super) fn decide(acl: &Acl<'_>, seen: &Seen<'_>, rates: &mut Rates, now: Instant) -> Result<Verdict, String> {
    let mut rules: Vec<&Value> = acl.acl["Rules"].as_array().into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule["Priority"].as_i64());
    let mut verdict = Verdict::default();
    for rule in rules {
        // A rule that is changed begins to count anew.
        let identity = format!("{} {}", acl.acl["ARN"], rule["Statement"]);
        if !fits_rule(acl, &rule["Statement"], seen, (&mut *rates, &identity, now))? {
            continue;
        }
        let metric = rule["VisibilityConfig"]["MetricName"].as_str().unwrap_or_default().to_owned();
        let action = rule["Action"].as_object().and_then(|action| action.keys().next()).map(String::as_str);
        match action {
            Some("Count") => verdict.counted.push(metric),
            Some(action @ ("Allow" | "Block")) => {
                return Ok(Verdict { blocked: action == "Block", by: Some(metric), ..verdict });
            }
            other => return Err(format!("the action {other:?} of a web ACL's rule is not modelled")),
        }
    }
    verdict.blocked = acl.acl["DefaultAction"]["Block"].is_object();
    Ok(verdict)
}

/// Whether a rule's whole statement fits: only there may be a rate.
fn fits_rule(
    acl: &Acl<'_>,
    statement: &Value,
    seen: &Seen<'_>,
    (rates, identity, now): (&mut Rates, &str, Instant),
) -> Result<bool, String> {
    let rate = &statement["RateBasedStatement"];
    if !rate.is_object() {
        return fits(acl, statement, seen);
    }
    if rate["ScopeDownStatement"].is_object() && !fits(acl, &rate["ScopeDownStatement"], seen)? {
        return Ok(false);
    }
    let Some(key) = rate_key(rate, seen)? else { return Ok(false) };
    let window = Duration::from_secs(rate["EvaluationWindowSec"].as_u64().unwrap_or(300));
    let limit = rate["Limit"].as_u64().unwrap_or(u64::MAX);
    Ok(rates.count(identity, &key, window, now) > limit)
}

/// What a rate rule counts a request under; `None` if it does not count it.
fn rate_key(rate: &Value, seen: &Seen<'_>) -> Result<Option<String>, String> {
    let address = |config: &Value| match forwarded(config, seen) {
        Forwarded::Missing | Forwarded::Invalid(false) => None,
        // All of them together.
        Forwarded::Invalid(true) => Some("invalid".to_owned()),
        Forwarded::Address(address) => Some(address.to_string()),
    };
    let parts: Vec<Option<String>> = match rate["AggregateKeyType"].as_str() {
        Some("IP") => vec![Some(ORIGIN.to_string())],
        Some("CONSTANT") => vec![Some(String::new())],
        Some("FORWARDED_IP") => vec![address(&rate["ForwardedIPConfig"])],
        Some("CUSTOM_KEYS") => {
            let keys = rate["CustomKeys"].as_array().into_iter().flatten();
            let part = |key: &Value| match key.as_object().and_then(|key| key.iter().next()) {
                Some((name, _)) if name == "ForwardedIP" => Ok(address(&rate["ForwardedIPConfig"])),
                Some((name, _)) if name == "IP" => Ok(Some(ORIGIN.to_string())),
                Some((name, key)) if name == "UriPath" => transformed(seen.path, &key["TextTransformations"]).map(Some),
                other => Err(format!("the key {other:?} of a rate rule is not modelled")),
            };
            keys.map(part).collect::<Result<_, _>>()?
        }
        other => return Err(format!("the key {other:?} of a rate rule is not modelled")),
    };
    // A request without one of them is not counted.
    Ok(parts.into_iter().collect::<Option<Vec<_>>>().map(|parts| parts.join("\n")))
}

fn transformed(text: &str, transformations: &Value) -> Result<String, String> {
    let mut all: Vec<&Value> = transformations.as_array().into_iter().flatten().collect();
    all.sort_by_key(|one| one["Priority"].as_i64());
    all.into_iter().try_fold(text.to_owned(), |text, one| match one["Type"].as_str() {
        Some("NONE") => Ok(text),
        Some("LOWERCASE") => Ok(text.to_lowercase()),
        Some("URL_DECODE") => Ok(percent_decode_str(&text).decode_utf8_lossy().into_owned()),
        other => Err(format!("the text transformation {other:?} is not modelled")),
    })
}

fn fits(acl: &Acl<'_>, statement: &Value, seen: &Seen<'_>) -> Result<bool, String> {
    let (kind, content) = statement.as_object().and_then(|all| all.iter().next()).ok_or("a statement is empty")?;
    let inner = || content["Statements"].as_array().into_iter().flatten().map(|inner| fits(acl, inner, seen));
    match kind.as_str() {
        "AndStatement" => Ok(inner().collect::<Result<Vec<_>, _>>()?.into_iter().all(|fits| fits)),
        "OrStatement" => Ok(inner().collect::<Result<Vec<_>, _>>()?.into_iter().any(|fits| fits)),
        // Also of a statement that does not fit because its header is missing.
        "NotStatement" => Ok(!fits(acl, &content["Statement"], seen)?),
        "GeoMatchStatement" => Ok(fits_address(content, "ForwardedIPConfig", seen, |address| {
            content["CountryCodes"].as_array().into_iter().flatten().any(|code| *code == country(address))
        })),
        "IPSetReferenceStatement" => {
            let arn = content["ARN"].as_str().unwrap_or_default();
            let ranges = acl.sets.get(arn).ok_or_else(|| format!("the set {arn} does not exist"))?;
            Ok(fits_address(content, "IPSetForwardedIPConfig", seen, |address| {
                ranges.iter().any(|range| is_within(address, range))
            }))
        }
        other => Err(format!("the statement {other} is not modelled")),
    }
}

fn fits_address(statement: &Value, config: &str, seen: &Seen<'_>, fits: impl Fn(IpAddr) -> bool) -> bool {
    if !statement[config].is_object() {
        return fits(ORIGIN);
    }
    match forwarded(&statement[config], seen) {
        Forwarded::Missing => false,
        Forwarded::Invalid(matches) => matches,
        Forwarded::Address(address) => fits(address),
    }
}

/// The first address in a header.
fn forwarded(config: &Value, seen: &Seen<'_>) -> Forwarded {
    let name = config["HeaderName"].as_str().unwrap_or_default().to_ascii_lowercase();
    let Some(text) = seen.headers.get(&name) else { return Forwarded::Missing };
    match text.split(',').next().unwrap_or_default().trim().parse() {
        Ok(address) => Forwarded::Address(address),
        Err(_) => Forwarded::Invalid(config["FallbackBehavior"] == "MATCH"),
    }
}

fn is_within(address: IpAddr, range: &str) -> bool {
    let Some((network, bits)) = range.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) => {
            let shift = 32_u32.saturating_sub(bits);
            u64::from(u32::from(address)) >> shift == u64::from(u32::from(network)) >> shift
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) => {
            let shifted = |address: std::net::Ipv6Addr| {
                u128::from(address).checked_shr(128_u32.saturating_sub(bits)).unwrap_or_default()
            };
            shifted(address) == shifted(network)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEADER: &str = "SourceIP";

    fn rule(name: &str, priority: u32, action: &str, statement: Value) -> Value {
        json!({ "Name": name, "Priority": priority, "Action": { action: {} }, "Statement": statement,
                "VisibilityConfig": { "MetricName": name } })
    }

    fn seen(address: Option<&str>) -> Seen<'static> {
        let headers = address.map(|address| (HEADER.to_ascii_lowercase(), address.to_owned())).into_iter().collect();
        Seen { headers, path: "/prod/servers/s-1/users/Jan%40x/config" }
    }

    fn set(arn: &str, fallback: &str) -> Value {
        let config = json!({ "HeaderName": HEADER, "FallbackBehavior": fallback, "Position": "FIRST" });
        json!({ "IPSetReferenceStatement": { "ARN": arn, "IPSetForwardedIPConfig": config } })
    }

    fn geo(countries: &[&str]) -> Value {
        let config = json!({ "HeaderName": HEADER, "FallbackBehavior": "NO_MATCH" });
        json!({ "GeoMatchStatement": { "CountryCodes": countries, "ForwardedIPConfig": config } })
    }

    fn decided(rules: &[Value], address: Option<&str>) -> Verdict {
        let acl = json!({ "ARN": "a", "DefaultAction": { "Allow": {} }, "Rules": rules });
        let sets = Sets::from([
            ("v4".to_owned(), vec!["0.0.0.0/1".to_owned(), "128.0.0.0/1".to_owned()]),
            ("v6".to_owned(), vec!["2001:0db8:0000:0000:0000:0000:0000:0000/32".to_owned()]),
        ]);
        let acl = Acl { acl: &acl, sets: &sets };
        decide(&acl, &seen(address), &mut Rates::default(), Instant::now()).unwrap()
    }

    fn is_blocked(statement: Value, address: Option<&str>) -> bool {
        decided(&[rule("r", 0, "Block", statement)], address).blocked
    }

    #[test]
    fn a_missing_header_fits_nothing_and_so_fits_not() {
        for (fallback, invalid) in [("MATCH", true), ("NO_MATCH", false)] {
            assert!(!is_blocked(set("v4", fallback), None), "a fallback is for invalid addresses");
            assert_eq!(is_blocked(set("v4", fallback), Some("unknown")), invalid);
        }
        let not = json!({ "NotStatement": { "Statement": geo(&["DE"]) } });
        assert!(is_blocked(not.clone(), None) && is_blocked(not.clone(), Some("203.0.113.7")));
        assert!(!is_blocked(not.clone(), Some("198.51.100.7")));
        let beside = json!({ "AndStatement": { "Statements": [set("v4", "NO_MATCH"), not] } });
        assert!(!is_blocked(beside.clone(), None) && !is_blocked(beside.clone(), Some("x")));
        assert!(is_blocked(beside, Some("203.0.113.7")));
    }

    #[test]
    fn addresses_are_found_in_sets_and_countries() {
        assert!(is_blocked(set("v4", "NO_MATCH"), Some("203.0.113.7, 10.0.0.1")), "the first one counts");
        assert!(is_blocked(set("v6", "NO_MATCH"), Some("2001:db8:ffff::1")));
        for other in ["2001:db9::1", "203.0.113.7"] {
            assert!(!is_blocked(set("v6", "NO_MATCH"), Some(other)), "{other}");
        }
        assert!(is_blocked(geo(&["US", "CN"]), Some("127.186.0.1")) && !is_blocked(geo(&["US"]), Some("10.0.0.1")));
        // Without the header's name it is the sender's own address.
        let plain = json!({ "IPSetReferenceStatement": { "ARN": "v4" } });
        assert!(is_blocked(plain, None));
    }

    #[test]
    fn the_first_rule_that_allows_or_blocks_ends_it() {
        let any = || set("v4", "NO_MATCH");
        let rules = [
            rule("block", 3, "Block", any()),
            rule("count", 1, "Count", any()),
            rule("allow", 2, "Allow", geo(&["DE"])),
        ];
        let of = |address| decided(&rules, Some(address));
        let counted = vec!["count".to_owned()];
        let allowed = Verdict { blocked: false, counted: counted.clone(), by: Some("allow".into()) };
        assert_eq!(of("198.51.100.7"), allowed);
        assert_eq!(of("10.0.0.1"), Verdict { blocked: true, counted, by: Some("block".into()) });
        assert_eq!(decided(&rules, None), Verdict::default());
        let acl = json!({ "Rules": [rule("r", 0, "Captcha", any())] });
        let acl = Acl { acl: &acl, sets: &Sets::from([("v4".to_owned(), vec!["0.0.0.0/1".to_owned()])]) };
        assert!(decide(&acl, &seen(Some("10.0.0.1")), &mut Rates::default(), Instant::now()).is_err());
    }

    #[test]
    fn rates_are_of_a_window_and_of_each_key() {
        let config = json!({ "HeaderName": HEADER, "FallbackBehavior": "NO_MATCH" });
        let rate = |keys: Value| {
            let mut rate = json!({ "Limit": 10, "EvaluationWindowSec": 60, "ForwardedIPConfig": config });
            rate.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
            json!({ "RateBasedStatement": rate })
        };
        let transformations = json!([{ "Priority": 1, "Type": "LOWERCASE" }, { "Priority": 0, "Type": "URL_DECODE" }]);
        let custom = json!({ "AggregateKeyType": "CUSTOM_KEYS",
                             "CustomKeys": [{ "ForwardedIP": {} }, { "UriPath": { "TextTransformations": transformations } }] });
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        for (keys, other_path_counts) in [(json!({ "AggregateKeyType": "FORWARDED_IP" }), true), (custom, false)] {
            let acl =
                json!({ "ARN": "a", "DefaultAction": { "Allow": {} }, "Rules": [rule("r", 0, "Block", rate(keys))] });
            let (sets, mut rates) = (Sets::new(), Rates::default());
            let acl = Acl { acl: &acl, sets: &sets };
            let mut blocked = |address: Option<&str>, path: &'static str, second| {
                let seen = Seen { path, ..seen(address) };
                decide(&acl, &seen, &mut rates, at(second)).unwrap().blocked
            };
            for second in 0..10 {
                assert!(!blocked(Some("10.0.0.1"), "/a%40b", second));
            }
            assert!(blocked(Some("10.0.0.1"), "/A@b", 10), "the eleventh within the window");
            assert!(!blocked(Some("10.0.0.2"), "/a@b", 10) && !blocked(None, "/a@b", 10));
            assert_eq!(blocked(Some("10.0.0.1"), "/other", 11), other_path_counts);
            // Requests that are blocked count as well; after a quiet window there are none.
            assert!(!blocked(Some("10.0.0.1"), "/a@b", 80));
        }
    }
}
