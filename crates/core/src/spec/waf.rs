//! `waf`: a web ACL of AWS WAF in front of each region's API. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::guard::check_range;
use crate::yaml::Checker;

/// The web ACL, with defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waf {
    /// Whether its rules block; otherwise they only count.
    pub blocks: bool,
    /// Log-ins of one address in [`WINDOW_SECONDS`].
    pub rate: u32,
    /// Log-ins of one address with one user name in the same time.
    pub rate_per_name: u32,
    pub countries: Option<Countries>,
    /// Ranges of addresses that no rule applies to, as they are written.
    pub allow: Vec<String>,
}

/// From which countries customers may log in: ISO 3166, two letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// From these alone.
    Allow(Vec<String>),
    /// From all others.
    Block(Vec<String>),
}

/// Seconds in which log-ins are counted: AWS's default (AWS WAF API reference, `RateBasedStatement`).
pub const WINDOW_SECONDS: u32 = 300;

/// The web ACL as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Waf")]
pub(super) struct Setting {
    /// `count` lets every log-in through and counts those that `block` would refuse. Default `count`: read its metrics for a
    /// week before you set `block`.
    #[schemars(with = "Option<String>", regex(pattern = r"^(count|block)$"))]
    mode: Option<Spanned<String>>,
    /// Log-ins of one address within five minutes, admitted or not, 10 to 2,000,000,000. Default 100. Customers behind one
    /// address count together.
    #[schemars(with = "Option<u32>", range(min = 10, max = 2_000_000_000))]
    rate: Option<Spanned<u32>>,
    /// Log-ins of one address with one user name within five minutes, 10 or more and below `rate`. Default 20.
    #[schemars(with = "Option<u32>", range(min = 10, max = 2_000_000_000))]
    rate_per_name: Option<Spanned<u32>>,
    /// From which countries customers may log in: `allow` or `block`. Default: all.
    #[schemars(with = "Option<CountriesSetting>")]
    countries: Option<Spanned<CountriesSetting>>,
    /// Address ranges that no rule applies to, such as an office with many customers: at most 100.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    allow: Vec<Spanned<String>>,
}

/// Countries by their two letters in ISO 3166, such as `DE`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WafCountries")]
struct CountriesSetting {
    /// The only countries to log in from.
    #[schemars(with = "Option<Vec<String>>")]
    allow: Option<Vec<Spanned<String>>>,
    /// Countries that nobody may log in from.
    #[schemars(with = "Option<Vec<String>>")]
    block: Option<Vec<Spanned<String>>>,
}

const COUNT: &str = "count";
const BLOCK: &str = "block";
const RATE: u32 = 100;
const RATE_PER_NAME: u32 = 20;
/// What AWS allows (AWS WAF API reference, `RateBasedStatement`, `Limit`).
const LIMITS: (u32, u32) = (10, 2_000_000_000);
/// Ranges at most. AWS allows 10,000 in a set.
const RANGES: usize = 100;

/// Fills in what the file omits.
pub(super) fn fill(setting: Setting) -> Waf {
    let texts = |list: Vec<Spanned<String>>| list.into_iter().map(|one| one.value).collect();
    Waf {
        blocks: setting.mode.is_some_and(|mode| mode.value == BLOCK),
        rate: setting.rate.map_or(RATE, |rate| rate.value),
        rate_per_name: setting.rate_per_name.map_or(RATE_PER_NAME, |rate| rate.value),
        countries: setting.countries.and_then(|countries| match countries.value {
            CountriesSetting { allow: Some(list), .. } => Some(Countries::Allow(texts(list))),
            CountriesSetting { block: Some(list), .. } => Some(Countries::Block(texts(list))),
            CountriesSetting { allow: None, block: None } => None,
        }),
        allow: texts(setting.allow),
    }
}

/// Finds the faults of the web ACL.
pub(super) fn check(checker: &mut Checker<'_>, setting: Option<&Spanned<Setting>>) {
    let Some(place) = setting else { return };
    let setting = &place.value;
    if let Some(mode) = &setting.mode {
        checker.one_of(mode, "mode of AWS WAF", &[COUNT, BLOCK]);
    }
    let (lowest, highest) = LIMITS;
    checker.within(setting.rate.as_ref(), "`waf.rate`", lowest, highest);
    checker.within(setting.rate_per_name.as_ref(), "`waf.rate_per_name`", lowest, highest);
    let number = |value: &Option<Spanned<u32>>, default| value.as_ref().map_or(default, |value| value.value);
    let (rate, per_name) = (number(&setting.rate, RATE), number(&setting.rate_per_name, RATE_PER_NAME));
    if per_name >= rate {
        let message = format!("`waf.rate_per_name` is {per_name}, and would never apply before `waf.rate`, {rate}");
        checker.fault(place, message).hint = Some("lower `rate_per_name`, or raise `rate`".into());
    }
    if let Some(countries) = &setting.countries {
        check_countries(checker, countries);
    }
    if let Some(range) = setting.allow.get(RANGES) {
        checker.fault(range, format!("{} ranges are too many: {RANGES} are possible", setting.allow.len()));
    }
    for range in &setting.allow {
        if check_range(checker, range) && range.value.ends_with("/0") {
            checker.fault(range, format!("AWS WAF has no range `{}`", range.value)).hint =
                Some("leave out `waf`, if it is to apply to nobody".into());
        }
    }
}

fn check_countries(checker: &mut Checker<'_>, place: &Spanned<CountriesSetting>) {
    let list = match (&place.value.allow, &place.value.block) {
        (Some(list), None) | (None, Some(list)) => list,
        _ => {
            checker.fault(place, "`waf.countries` has either `allow` or `block`").hint =
                Some("for example { allow: [DE, AT, CH] }".into());
            return;
        }
    };
    if list.is_empty() {
        checker.fault(place, "`waf.countries` names no country");
    }
    for country in list {
        if !COUNTRIES.contains(&country.value.as_str()) {
            let upper = country.value.to_ascii_uppercase();
            let hint = match upper.as_str() {
                "UK" => "write GB for the United Kingdom".to_owned(),
                upper if COUNTRIES.contains(&upper) => format!("write {upper}"),
                _ => "countries have two letters as in ISO 3166, for example DE".to_owned(),
            };
            checker.fault(country, format!("`{}` is not a country that AWS WAF knows", country.value)).hint =
                Some(hint);
        }
    }
}

/// The countries that AWS WAF knows: the schema of `AWS::WAFv2::WebACL` in CloudFormation's registry.
#[rustfmt::skip]
pub const COUNTRIES: [&str; 250] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB",
    "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY",
    "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX",
    "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK",
    "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS",
    "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR",
    "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA",
    "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE",
    "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM",
    "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG",
    "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF",
    "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY",
    "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA", "ZM", "ZW",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn load(waf: &str) -> Result<Option<Waf>, String> {
        let source = format!(
            "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions: {{ us-west-2: {{ server: true }} }}\nclusters: {{ 9-5: us-west-2 }}\n{waf}\n"
        );
        let loaded = spec::load(&source, "x.yaml");
        loaded
            .map(|environment| environment.waf)
            .map_err(|faults| faults.list().iter().map(|fault| fault.message.clone()).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn it_counts_until_it_is_told_to_block() {
        assert_eq!(load(""), Ok(None));
        let waf = load("waf: {}").unwrap().unwrap();
        assert_eq!((waf.blocks, waf.rate, waf.rate_per_name, waf.countries), (false, 100, 20, None));
        let text = "waf: { mode: block, rate: 500, countries: { allow: [DE, AT] }, allow: [203.0.113.0/24] }";
        let waf = load(text).unwrap().unwrap();
        assert!(waf.blocks && waf.rate == 500 && waf.allow == ["203.0.113.0/24"]);
        assert_eq!(waf.countries, Some(Countries::Allow(vec!["DE".into(), "AT".into()])));
        // Norway is a text.
        let waf = load("waf: { countries: { block: [KP, NO] } }").unwrap().unwrap();
        assert_eq!(waf.countries, Some(Countries::Block(vec!["KP".into(), "NO".into()])));
    }

    #[test]
    fn faults_say_what_is_possible() {
        for (setting, message) in [
            ("{ mode: off }", "invalid mode of AWS WAF `off`"),
            ("{ mode: Block }", "invalid mode of AWS WAF `Block`"),
            ("{ rate: 9 }", "`waf.rate` is 9; AWS allows 10 to 2000000000"),
            ("{ rate: 20 }", "would never apply before `waf.rate`, 20"),
            ("{ rate_per_name: 5 }", "`waf.rate_per_name` is 5"),
            ("{ countries: {} }", "either `allow` or `block`"),
            ("{ countries: { allow: [DE], block: [FR] } }", "either `allow` or `block`"),
            ("{ countries: { block: [] } }", "names no country"),
            ("{ countries: { allow: [UK] } }", "`UK` is not a country"),
            ("{ countries: { allow: [de] } }", "`de` is not a country"),
            ("{ countries: { allow: [Germany] } }", "`Germany` is not a country"),
            ("{ allow: [203.0.113.1/24] }", "is not a range"),
            ("{ allow: [0.0.0.0/0] }", "AWS WAF has no range `0.0.0.0/0`"),
            ("{ reputation: true }", "reputation"),
        ] {
            let faults = load(&format!("waf: {setting}")).unwrap_err();
            assert!(faults.contains(message), "{setting}: {faults}");
        }
        let many: Vec<String> = (0..101).map(|number| format!("192.0.2.{number}/32")).collect();
        assert!(load(&format!("waf: {{ allow: [{}] }}", many.join(", "))).unwrap_err().contains("101 ranges"));
    }

    #[test]
    fn countries_are_in_order_and_there_once() {
        assert!(COUNTRIES.is_sorted_by(|one, next| one < next));
    }
}
