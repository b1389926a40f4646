//! The records of a hosted zone, as far as aliases are concerned.

use std::collections::BTreeMap;

use serde::Serialize;

/// A simple CNAME record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cname {
    /// Its value exactly as Route 53 lists it: a deletion must repeat it.
    pub value: String,
    /// Seconds.
    pub ttl: i64,
}

impl Cname {
    /// The host that it points to, in lower case and without the last dot.
    pub fn target(&self) -> String {
        self.value.trim_end_matches('.').to_ascii_lowercase()
    }
}

/// What a name has in the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Cname(Cname),
    /// Records of other types, or with a routing policy, in words: `has records of type A`.
    Other(String),
}

/// The records of a zone by name, in lower case and without the last dot.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    names: BTreeMap<String, Found>,
    /// Record sets, several of one name among them.
    pub record_sets: u64,
}

impl Zone {
    /// Adds a record set. Several of one name are not for us to change.
    pub fn insert(&mut self, name: &str, found: Found) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.record_sets += 1;
        let both = self.names.contains_key(&name).then(|| Found::Other("has several record sets".to_owned()));
        self.names.insert(name, both.unwrap_or(found));
    }

    pub fn get(&self, name: &str) -> Option<&Found> {
        self.names.get(name)
    }

    /// All names with what they have, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Found)> {
        self.names.iter().map(|(name, found)| (name.as_str(), found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_several_records_is_not_a_cname() {
        let mut zone = Zone::default();
        let cname = Found::Cname(Cname { value: "Old.Host.".into(), ttl: 60 });
        zone.insert("A.xx.net.", cname.clone());
        assert_eq!(zone.get("a.xx.net"), Some(&cname));
        zone.insert("a.xx.net", cname);
        assert!(matches!(zone.get("a.xx.net"), Some(Found::Other(_))));
        assert_eq!((zone.record_sets, zone.iter().count()), (2, 1));
    }
}
