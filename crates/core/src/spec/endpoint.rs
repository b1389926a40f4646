//! `server` of a region: whether it has a Transfer server, and how customers reach it. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::guard;
use crate::text::counted;
use crate::yaml::{Checker, Long, OneOr};

/// Where the endpoint of a region's server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// AWS's own addresses, which change without notice.
    Public,
    /// In a VPC, at fixed addresses.
    Vpc(VpcEndpoint),
}

/// An endpoint in a VPC, which customers reach from the internet at Elastic IP addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// `vpc-…`.
    pub vpc: String,
    /// Each in an availability zone of its own, and with an address of its own.
    pub subnets: Vec<String>,
    pub access: Access,
    pub addresses: Addresses,
}

/// Who can reach an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever these security groups admit.
    Groups(Vec<String>),
    /// These ranges of IPv4 addresses, by a security group that sftpctl creates.
    Allow(Vec<String>),
}

/// The Elastic IP addresses of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Allocated and kept by sftpctl, one for each subnet.
    Elastic,
    /// Those with these allocation IDs, which sftpctl neither allocates nor releases.
    Existing(Vec<String>),
}

impl VpcEndpoint {
    /// Whether sftpctl creates its security group.
    pub fn has_own_group(&self) -> bool {
        matches!(self.access, Access::Allow(_))
    }

    /// How many addresses sftpctl allocates for it.
    pub fn allocated(&self) -> usize {
        match self.addresses {
            Addresses::Elastic => self.subnets.len(),
            Addresses::Existing(_) => 0,
        }
    }
}

/// The setting as it is written: `true`, `false`, or a mapping.
pub(super) type Setting = OneOr<bool, Mapping>;

impl Default for Setting {
    fn default() -> Self {
        Self::One(false)
    }
}

/// A server, and where its endpoint is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerEndpoint")]
pub(super) struct Mapping {
    /// `vpc`: in a VPC, at fixed addresses for customers' firewalls. `public`: at AWS's own addresses, which change; a
    /// new server is public anyway, and one that is not returns there. AWS changes it only while the server is stopped.
    #[schemars(with = "String", regex(pattern = "^(public|vpc)$"))]
    endpoint: Spanned<String>,
    /// The VPC that the subnets are in.
    #[schemars(with = "Option<String>")]
    vpc: Option<Spanned<String>>,
    /// Public subnets, one to three, each in an availability zone of its own.
    #[schemars(with = "Option<Vec<String>>", length(min = 1, max = 3))]
    subnets: Option<Spanned<Vec<Spanned<String>>>>,
    /// Existing security groups of the endpoint, one to five. They admit customers to port 22 (TCP). Instead of `allow`.
    #[schemars(with = "Option<Vec<String>>", length(min = 1, max = 5))]
    security_groups: Option<Spanned<Vec<Spanned<String>>>>,
    /// Ranges of IPv4 addresses that customers connect from, at most sixty: sftpctl creates a security group that admits
    /// them to port 22. `0.0.0.0/0` is everybody. Instead of `security_groups`.
    #[schemars(with = "Option<Vec<String>>", length(min = 1, max = 60))]
    allow: Option<Spanned<Vec<Spanned<String>>>>,
    /// `elastic` allocates an Elastic IP address for each subnet, which is kept when the environment is deleted. Or the
    /// allocation IDs of existing ones, one for each subnet. Default `elastic`.
    #[schemars(with = "Option<AddressSetting>")]
    addresses: Option<Spanned<AddressSetting>>,
}

/// `elastic`, or allocation IDs.
#[derive(Debug)]
enum AddressSetting {
    Word(String),
    Ids(Vec<Spanned<String>>),
}

const ELASTIC: &str = "elastic";
/// Elastic IP addresses of an endpoint, at most (Transfer API reference, `EndpointDetails`).
const ADDRESSES: usize = 3;
/// Security groups of a network interface (VPC user guide, "Amazon VPC quotas").
const SECURITY_GROUPS: usize = 5;
/// Inbound rules of a security group (VPC user guide, "Amazon VPC quotas").
pub const RULES: usize = 60;

impl Long for Mapping {
    const NAME: &'static str = "RegionServer";
    const EXPECTED: &'static str = "`true`, `false`, or a mapping with `endpoint`";

    fn one() -> Value {
        json!({ "type": "boolean" })
    }
}

impl<'de> Deserialize<'de> for AddressSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = AddressSetting;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`elastic`, or a list of allocation IDs")
            }

            fn visit_str<E>(self, text: &str) -> Result<AddressSetting, E> {
                Ok(AddressSetting::Word(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, ids: A) -> Result<AddressSetting, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(ids)).map(AddressSetting::Ids)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for AddressSetting {
    fn schema_name() -> Cow<'static, str> {
        "ServerAddresses".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let id = json!({ "type": "string", "pattern": "^eipalloc-[0-9a-f]{8,40}$" });
        let ids = json!({ "type": "array", "items": id, "minItems": 1, "maxItems": ADDRESSES });
        schemars::json_schema!({ "anyOf": [{ "const": ELASTIC }, ids] })
    }
}

impl Setting {
    /// Whether the region has a server.
    pub(super) fn is_there(&self) -> bool {
        match self {
            Self::One(is_there) => *is_there,
            Self::Mapping(_) => true,
        }
    }

    /// The endpoint with plain values; `None` where the file does not say.
    pub(super) fn fill(self) -> Option<Endpoint> {
        let Self::Mapping(mapping) = self else { return None };
        if mapping.endpoint.value != "vpc" {
            return Some(Endpoint::Public);
        }
        let values = |list: Option<Spanned<Vec<Spanned<String>>>>| {
            list.into_iter().flat_map(|list| list.value).map(|one| one.value).collect()
        };
        let access = match mapping.allow {
            Some(allow) => Access::Allow(values(Some(allow))),
            None => Access::Groups(values(mapping.security_groups)),
        };
        Some(Endpoint::Vpc(VpcEndpoint {
            vpc: mapping.vpc.map(|vpc| vpc.value).unwrap_or_default(),
            subnets: values(mapping.subnets),
            access,
            addresses: match mapping.addresses.map(|addresses| addresses.value) {
                Some(AddressSetting::Ids(ids)) => Addresses::Existing(ids.into_iter().map(|id| id.value).collect()),
                Some(AddressSetting::Word(_)) | None => Addresses::Elastic,
            },
        }))
    }
}

/// Finds the faults of one region's setting.
pub(super) fn check(checker: &mut Checker<'_>, setting: &Setting) {
    let Setting::Mapping(mapping) = setting else { return };
    let Mapping { endpoint, vpc, subnets, security_groups, allow, addresses } = &**mapping;
    match endpoint.value.as_str() {
        "public" => {
            let of_vpc = [
                ("vpc", vpc.is_some()),
                ("subnets", subnets.is_some()),
                ("security_groups", security_groups.is_some()),
                ("allow", allow.is_some()),
                ("addresses", addresses.is_some()),
            ];
            if let Some((name, _)) = of_vpc.iter().find(|(_, is_set)| *is_set) {
                checker
                    .fault(endpoint, format!("`{name}` is a setting of an endpoint in a VPC, and this one is public"))
                    .hint = Some("write `endpoint: vpc`, or leave the setting out".into());
            }
            return;
        }
        "vpc" => {}
        _ => return checker.one_of(endpoint, "kind of endpoint", &["public", "vpc"]),
    }
    match vpc {
        Some(vpc) => id(checker, vpc, ("VPC", "vpc")),
        None => missing(checker, endpoint, "vpc", "vpc: vpc-0123456789abcdef0"),
    }
    match subnets {
        Some(subnets) => ids(checker, subnets, ("subnet", "subnet"), ADDRESSES),
        None => missing(checker, endpoint, "subnets", "subnets: [subnet-0123456789abcdef0]"),
    }
    match (security_groups, allow) {
        (Some(_), Some(allow)) => {
            checker.fault(allow, "`allow` and `security_groups` exclude each other").hint =
                Some("with `security_groups`, those decide who is admitted".into());
        }
        (Some(groups), None) => ids(checker, groups, ("security group", "sg"), SECURITY_GROUPS),
        (None, Some(allow)) => ranges(checker, allow),
        (None, None) => missing(checker, endpoint, "security_groups` or `allow", "allow: [203.0.113.0/24]"),
    }
    let Some(addresses) = addresses else { return };
    match &addresses.value {
        AddressSetting::Word(word) if word != ELASTIC => {
            checker.fault(addresses, format!("unknown addresses `{word}`")).hint =
                Some("write `elastic`, or a list of allocation IDs: [eipalloc-0123456789abcdef0]".into());
        }
        AddressSetting::Word(_) => {}
        AddressSetting::Ids(all) => {
            each_id(checker, all, ("allocation ID", "eipalloc"));
            let subnets = subnets.as_ref().map_or(0, |subnets| subnets.value.len());
            if all.len() != subnets {
                let message = format!(
                    "{} for {}: each subnet has one",
                    if all.len() == 1 { "1 address".to_owned() } else { format!("{} addresses", all.len()) },
                    counted(subnets as u64, "subnet")
                );
                checker.fault(addresses, message).hint = Some("name as many addresses as subnets".into());
            }
        }
    }
}

fn missing(checker: &mut Checker<'_>, endpoint: &Spanned<String>, name: &str, example: &str) {
    checker.fault(endpoint, format!("an endpoint in a VPC needs `{name}`")).hint = Some(format!("add `{example}`"));
}

/// Checks the ranges that are admitted.
fn ranges(checker: &mut Checker<'_>, list: &Spanned<Vec<Spanned<String>>>) {
    if !(1..=RULES).contains(&list.value.len()) {
        checker.fault(list, format!("expected 1 to {RULES} ranges, got {}", list.value.len()));
    }
    let mut seen = BTreeSet::new();
    for range in &list.value {
        // The endpoint has IPv4 addresses only.
        if range.value.contains(':') || !guard::is_range(&range.value) {
            checker.fault(range, format!("`{}` is not a range of IPv4 addresses", range.value)).hint =
                Some("for example 203.0.113.0/24, or 203.0.113.7/32 for one address".into());
        }
        if !seen.insert(&range.value) {
            checker.fault(range, format!("{} is listed twice", range.value));
        }
    }
}

/// Checks a list of IDs, such as `subnet-0123456789abcdef0`.
pub(super) fn ids(
    checker: &mut Checker<'_>,
    list: &Spanned<Vec<Spanned<String>>>,
    (what, prefix): (&'static str, &'static str),
    most: usize,
) {
    if !(1..=most).contains(&list.value.len()) {
        checker.fault(list, format!("expected 1 to {most} {what}s, got {}", list.value.len()));
    }
    each_id(checker, &list.value, (what, prefix));
}

fn each_id(checker: &mut Checker<'_>, list: &[Spanned<String>], (what, prefix): (&'static str, &'static str)) {
    let mut seen = BTreeSet::new();
    for one in list {
        id(checker, one, (what, prefix));
        if !seen.insert(&one.value) {
            checker.fault(one, format!("{} is listed twice", one.value));
        }
    }
}

fn id(checker: &mut Checker<'_>, id: &Spanned<String>, (what, prefix): (&str, &str)) {
    let message = format!("invalid {what} `{}`", id.value);
    let hint = format!("its ID: {prefix}-0123456789abcdef0");
    checker.matches(id, &format!("^{prefix}-[0-9a-f]{{8,40}}$"), message, &hint);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;
    use crate::spec::Faults;
    use crate::spec::model::Environment;

    fn load(server: &str) -> Result<Environment, Faults> {
        let source = "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                      clusters: { 9-5: us-west-2 }\nregions:\n  us-west-2:\n    server: ";
        spec::load(&format!("{source}{server}\n"), "9.yaml")
    }

    const PLACE: &str = "vpc: vpc-01234567, security_groups: [sg-01234567]";

    #[test]
    fn a_server_is_there_with_or_without_settings() {
        let region = |server: &str| load(server).unwrap().regions["us-west-2"].clone();
        assert!(!region("false").server);
        let plain = region("true");
        assert!(plain.server && plain.endpoint.is_none());
        let public = region("{ endpoint: public }");
        assert!(public.server && public.endpoint == Some(Endpoint::Public));
        let elastic = region(&format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567, subnet-01234568] }}"));
        let Some(Endpoint::Vpc(endpoint)) = elastic.endpoint else { panic!("{elastic:?}") };
        assert_eq!((endpoint.vpc.as_str(), endpoint.allocated()), ("vpc-01234567", 2));
        let ids = "subnets: [subnet-01234567], addresses: [eipalloc-01234567]";
        let existing = region(&format!("{{ endpoint: vpc, {PLACE}, {ids} }}"));
        let Some(Endpoint::Vpc(endpoint)) = existing.endpoint else { panic!("{existing:?}") };
        assert_eq!(endpoint.addresses, Addresses::Existing(vec!["eipalloc-01234567".into()]));
        assert_eq!(endpoint.allocated(), 0);
        let admitted = "vpc: vpc-01234567, subnets: [subnet-01234567], allow: [0.0.0.0/0]";
        let admitted = region(&format!("{{ endpoint: vpc, {admitted} }}"));
        assert_eq!(admitted.vpc_endpoint().unwrap().access, Access::Allow(vec!["0.0.0.0/0".into()]));
    }

    #[test]
    fn faults_say_what_is_missing_or_wrong() {
        for (server, message) in [
            ("{ endpoint: lan }", "invalid kind of endpoint `lan`"),
            ("{ endpoint: public, addresses: elastic }", "`addresses` is a setting of an endpoint in a VPC"),
            ("{ endpoint: vpc }", "an endpoint in a VPC needs `subnets`"),
            ("{ endpoint: vpc, vpc: vpc-X }", "invalid VPC `vpc-X`"),
            (&format!("{{ endpoint: vpc, {PLACE}, subnets: [] }}"), "expected 1 to 3 subnets, got 0"),
            (
                &format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567, subnet-01234567] }}"),
                "subnet-01234567 is listed twice",
            ),
            (
                &format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567], addresses: static }}"),
                "unknown addresses `static`",
            ),
            (
                &format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567], addresses: [] }}"),
                "0 addresses for 1 subnet: each subnet has one",
            ),
            (
                &format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567], addresses: [52.0.0.1] }}"),
                "invalid allocation ID `52.0.0.1`",
            ),
            ("{ endpoint: vpc, adresses: elastic }", "adresses"),
            ("{ endpoint: vpc }", "an endpoint in a VPC needs `security_groups` or `allow`"),
            (
                &format!("{{ endpoint: vpc, {PLACE}, subnets: [subnet-01234567], allow: [203.0.113.0/24] }}"),
                "`allow` and `security_groups` exclude each other",
            ),
            ("{ endpoint: vpc, allow: [] }", "expected 1 to 60 ranges, got 0"),
            ("{ endpoint: vpc, allow: [203.0.113.1/24] }", "`203.0.113.1/24` is not a range of IPv4 addresses"),
            ("{ endpoint: vpc, allow: [\"2001:db8::/32\"] }", "is not a range of IPv4 addresses"),
            ("{ endpoint: vpc, allow: [203.0.113.0/24, 203.0.113.0/24] }", "203.0.113.0/24 is listed twice"),
            ("{ endpoint: public, allow: [0.0.0.0/0] }", "`allow` is a setting of an endpoint in a VPC"),
            ("yes please", "`true`, `false`, or a mapping with `endpoint`"),
        ] {
            let faults = load(server).unwrap_err().render(false);
            assert!(faults.contains(message), "{server}: {faults}");
        }
    }
}
