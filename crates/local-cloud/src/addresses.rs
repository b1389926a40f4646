//! The Elastic IP addresses of the local cloud, by account and region, in one file. MiniStack has them too, but neither
//! tags new ones nor filters by tags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::LocalError;
use crate::files::{read_json, write_json};
use crate::place::Place;

const VERSION: u32 = 1;
/// Elastic IP addresses of a region (Amazon EC2 user guide, "Elastic IP addresses").
const MOST: usize = 5;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    /// By account, region and allocation ID.
    addresses: BTreeMap<String, BTreeMap<String, BTreeMap<String, Address>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    pub(crate) ip: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Why an address could not be allocated.
#[derive(Debug)]
pub(crate) enum NotAllocated {
    /// The region has as many as AWS allows.
    Limit,
    NotSaved(LocalError),
}

/// All addresses, in memory. The whole file is written after each change.
#[derive(Debug)]
pub(crate) struct Addresses {
    path: PathBuf,
    file: Mutex<File>,
}

impl Addresses {
    /// Reads the file. If it does not exist, there are no addresses.
    pub(crate) fn open(path: &Path) -> Result<Self, LocalError> {
        let file: Option<File> = read_json(path)?;
        let file = file.unwrap_or_else(|| File { version: VERSION, addresses: BTreeMap::new() });
        if file.version != VERSION {
            let what = format!("format version {} is not supported, expected {VERSION}", file.version);
            return Err(LocalError::file("parsing", path)(std::io::Error::other(what)));
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// The addresses of an account and region, by allocation ID.
    pub(crate) fn list(&self, place: &Place) -> BTreeMap<String, Address> {
        let file = self.lock();
        file.addresses.get(&place.account).and_then(|regions| regions.get(&place.region)).cloned().unwrap_or_default()
    }

    /// Allocates one, from a block that is reserved for documentation (RFC 5737).
    pub(crate) fn allocate(
        &self,
        place: &Place,
        tags: BTreeMap<String, String>,
    ) -> Result<(String, Address), NotAllocated> {
        let id = format!("eipalloc-{:017x}", fastrand::u128(..) & 0xf_ffff_ffff_ffff_ffff);
        let added = self.change(place, |addresses| {
            if addresses.len() >= MOST {
                return None;
            }
            let is_free = |ip: &String| addresses.values().all(|address| address.ip != *ip);
            let ip = (1..255).map(|host| format!("203.0.113.{host}")).find(is_free)?;
            let address = Address { ip, tags };
            addresses.insert(id.clone(), address.clone());
            Some((id.clone(), address))
        });
        added.map_err(NotAllocated::NotSaved)?.ok_or(NotAllocated::Limit)
    }

    /// Removes one; false if it does not exist.
    pub(crate) fn release(&self, place: &Place, id: &str) -> Result<bool, LocalError> {
        self.change(place, |addresses| addresses.remove(id).is_some())
    }

    /// Changes the tags of one; false if it does not exist.
    pub(crate) fn change_tags(
        &self,
        place: &Place,
        id: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<bool, LocalError> {
        self.change(place, |addresses| addresses.get_mut(id).map(|address| change(&mut address.tags)).is_some())
    }

    fn change<T>(
        &self,
        place: &Place,
        change: impl FnOnce(&mut BTreeMap<String, Address>) -> T,
    ) -> Result<T, LocalError> {
        let mut file = self.lock();
        let regions = file.addresses.entry(place.account.clone()).or_default();
        let addresses = regions.entry(place.region.clone()).or_default();
        let before = addresses.clone();
        let result = change(addresses);
        if *addresses == before {
            return Ok(result);
        }
        let saved = write_json(&self.path, &*file);
        if saved.is_err() {
            let regions = file.addresses.entry(place.account.clone()).or_default();
            regions.insert(place.region.clone(), before);
        }
        saved.map(|()| result)
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_and_limited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("addresses.json");
        let place = |region: &str| Place { account: "111111111111".into(), region: region.into() };
        let here = place("us-west-2");
        let addresses = Addresses::open(&path).unwrap();
        let ids: Vec<String> = (0..MOST).map(|_| addresses.allocate(&here, BTreeMap::new()).unwrap().0).collect();
        assert!(matches!(addresses.allocate(&here, BTreeMap::new()), Err(NotAllocated::Limit)));
        addresses.allocate(&place("us-east-2"), BTreeMap::new()).unwrap();
        let tag = |tags: &mut BTreeMap<String, String>| drop(tags.insert("k".into(), "v".into()));
        assert!(addresses.change_tags(&here, &ids[1], tag).unwrap());
        assert!(addresses.release(&here, &ids[0]).unwrap() && !addresses.release(&here, &ids[0]).unwrap());
        assert!(!addresses.change_tags(&here, &ids[0], tag).unwrap());
        let again = Addresses::open(&path).unwrap();
        assert_eq!(again.list(&here), addresses.list(&here));
        assert_eq!((again.list(&here).len(), again.list(&here)[&ids[1]].tags["k"].as_str()), (MOST - 1, "v"));
    }
}
