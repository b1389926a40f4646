//! The servers' security policies: `clients/security-policies.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Offer;

const BUILT_IN: &str = include_str!("../../../../clients/security-policies.toml");
const VERSION: u32 = 1;
/// What the names of all of them begin with.
const PREFIX: &str = "TransferSecurityPolicy-";

/// A security policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `TransferSecurityPolicy-2025-03`.
    pub name: String,
    pub fips: bool,
    /// What a server with it accepts.
    pub offer: Offer,
}

impl Policy {
    /// The name without what all names begin with.
    pub fn short(&self) -> &str {
        short(&self.name)
    }
}

/// A policy's name without what all names begin with.
pub fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    policy: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    fips: bool,
    kex: Vec<String>,
    host_keys: Vec<String>,
    ciphers: Vec<String>,
    macs: Vec<String>,
}

static ALL: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let policy = |raw: Raw| {
        let Raw { name, fips, kex, host_keys, ciphers, macs } = raw;
        Policy { name, fips, offer: Offer { kex, host_keys, ciphers, macs } }
    };
    // The file is built in, and a test reads it.
    let table = toml::from_str::<Table>(BUILT_IN).ok().filter(|table| table.version == VERSION);
    table.into_iter().flat_map(|table| table.policy).map(policy).collect()
});

/// All policies whose algorithms are known, the strictest first.
pub fn all() -> &'static [Policy] {
    &ALL
}

/// A policy by its whole name; `None` if its algorithms are not known.
pub fn policy(name: &str) -> Option<&'static Policy> {
    ALL.iter().find(|policy| policy.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::clients::Part;

    #[test]
    fn the_table_is_complete() {
        toml::from_str::<Table>(BUILT_IN).map(|_| ()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(all().len(), 15);
        for policy in all() {
            assert!(policy.name.starts_with(PREFIX), "{}", policy.name);
            for part in Part::ALL {
                let names = policy.offer.of(part);
                assert!(names.len() > 1, "{} {part:?}", policy.name);
                assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{} {part:?}", policy.name);
            }
            // Every FIPS policy is one by its name.
            assert_eq!(policy.fips, policy.short().starts_with("FIPS-"), "{}", policy.name);
        }
        assert_eq!(policy("TransferSecurityPolicy-2025-03").map(Policy::short), Some("2025-03"));
        assert_eq!(policy("TransferSecurityPolicy-2031-01"), None);
    }
}
