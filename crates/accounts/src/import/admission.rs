//! Whether somebody can log in with an account that is written: one whose end is over, or that is limited to regions
//! without a server, is like a disabled one, and looks active in the source.

use std::collections::BTreeSet;

use sftp_authorizer::account::{EXPIRES, REGIONS};
use sftp_authorizer::expiry::Expiry;
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_core::spec::model::Environment;

use super::compare::text;
use super::wanted::Change;

/// What decides on it.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    /// Seconds since 1970.
    now: i64,
    /// The regions with a server.
    servers: BTreeSet<String>,
}

impl Admission {
    pub(super) fn of(environment: &Environment, now: i64) -> Self {
        let servers = environment.regions.iter().filter(|(_, region)| region.server).map(|(name, _)| name.clone());
        Self { now, servers: servers.collect() }
    }

    /// Why nobody can log in with an account, whatever its status: the attribute, its value, and the reason.
    pub(super) fn fault(&self, item: &Item) -> Option<(&'static str, String, &'static str)> {
        if let Some(end) = text(item, EXPIRES).and_then(Expiry::parse).filter(|end| end.is_over(self.now)) {
            return Some((EXPIRES, end.as_str().to_owned(), "its end is over: nobody can log in with it"));
        }
        match item.get(REGIONS) {
            Some(Attribute::Texts(regions)) if !regions.iter().any(|region| self.servers.contains(region)) => {
                Some((REGIONS, regions.join(", "), "there is no server in these regions: nobody can log in with it"))
            }
            _ => None,
        }
    }

    /// Whether a change shuts the customer out (`Some(true)`) or in (`Some(false)`), and by which attributes.
    pub(super) fn turn(&self, change: &Change) -> Option<(bool, String)> {
        let mut after = change.item.clone();
        for name in &change.attributes {
            match change.row.get(name) {
                Some(value) => after.insert(name.clone(), value.clone()),
                None => after.remove(name),
            };
        }
        let is_open =
            |item: &Item| Account::from_item(item).is_ok_and(|account| !account.disabled) && self.fault(item).is_none();
        let (was, is) = (is_open(&change.item), is_open(&after));
        let decides = |name: &&String| ["status", EXPIRES, REGIONS].contains(&name.as_str());
        let by: Vec<&str> = change.attributes.iter().filter(decides).map(String::as_str).collect();
        (was != is).then(|| (was, by.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Admission {
        let file = include_str!("../../../../environments/99.yaml");
        let environment = sftpctl_core::spec::load(file, "99.yaml").unwrap();
        Admission::of(&environment, 1_800_000_000)
    }

    fn item(more: &[(&str, Attribute)]) -> Item {
        let text = |text: &str| Attribute::Text(text.to_owned());
        let account = [
            ("orgid", Attribute::Number("7".to_owned())),
            ("username", text("jan")),
            ("password", text("lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==")),
            ("HomeDirectory", text("/bucket/7")),
        ];
        account.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn end(text: &str) -> (&'static str, Attribute) {
        (EXPIRES, Attribute::Text(text.to_owned()))
    }

    fn regions(names: &[&str]) -> (&'static str, Attribute) {
        (REGIONS, Attribute::Texts(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn ended_accounts_and_those_without_a_server_admit_nobody() {
        let of = |more: &[(&'static str, Attribute)]| admission().fault(&item(more)).map(|(column, ..)| column);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[end("2020-01-01")]), Some(EXPIRES));
        assert_eq!(of(&[end("2099-01-01")]), None);
        assert_eq!(of(&[regions(&["us-east-1"])]), Some(REGIONS));
        assert_eq!(of(&[regions(&["us-east-1", "us-west-2"])]), None);
    }

    #[test]
    fn a_change_of_the_end_is_a_change_of_the_admission() {
        let change = |before: &[(&str, Attribute)], after: &[(&str, Attribute)], attributes: &[&str]| {
            let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
            let place = String::new();
            let (row, item) = (item(after), item(before));
            Change { number: 1, place, written: None, row, item, attributes, is_newer: false }
        };
        let turn = |change: &Change| admission().turn(change);
        let disabled = ("status", Attribute::Text("disabled".to_owned()));
        let ends = change(&[end("2099-01-01")], &[end("2020-01-01")], &[EXPIRES]);
        assert_eq!(turn(&ends), Some((true, EXPIRES.to_owned())));
        let opens = change(&[end("2020-01-01")], &[], &[EXPIRES]);
        assert_eq!(turn(&opens), Some((false, EXPIRES.to_owned())));
        let disables = change(&[], std::slice::from_ref(&disabled), &["status"]);
        assert_eq!(turn(&disables), Some((true, "status".to_owned())));
        let mends = change(&[("status", Attribute::Text("on".to_owned()))], &[], &["status"]);
        assert_eq!(turn(&mends), Some((false, "status".to_owned())));
        // It stays shut out, and the source says nothing of the end.
        let still = change(&[end("2020-01-01"), disabled], &[], &["status"]);
        assert_eq!(turn(&still), None);
    }
}
