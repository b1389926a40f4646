//! The mapping that the names of columns suggest.

use std::collections::BTreeMap;

use crate::mapping::{Mapping, Rule};

/// The names that columns of other systems have, the likeliest first, without `_` and in small letters. ProFTPD's table
/// has its user names in `userid`.
const ORG_ID: &[&str] = &[
    "orgid",
    "organisationid",
    "organizationid",
    "organisation",
    "organization",
    "org",
    "customerid",
    "customernumber",
    "customerno",
    "customernr",
    "customer",
    "custid",
    "kundennr",
    "kdnr",
    "clientid",
    "accountid",
    "nr",
    "id",
];
const USERNAME: &[&str] = &["username", "login", "loginname", "userlogin", "userid", "user", "account", "name"];
const PASSWORD: &[&str] =
    &["passwordhash", "passwdhash", "pwhash", "hash", "password", "passwd", "secret", "pass", "pwd", "userpassword"];
const CLUSTER: &[&str] = &["cluster", "bucket"];
const HOME: &[&str] = &["home", "homedir", "homedirectory", "homefolder", "folder", "directory", "dir", "path"];
const STATUS: &[&str] = &["status", "active", "isactive", "enabled", "isenabled", "disabled", "isdisabled", "locked"];
const ALLOWED: &[&str] = &["allowed", "allowedips", "allowedip", "allowip", "allowcidr", "sourceips", "iprestriction"];
const KEYS: &[&str] = &["keys", "publickeys", "publickey", "sshkeys", "sshkey", "sshpublickey", "authorizedkeys"];
const EXPIRES: &[&str] =
    &["expires", "expiresat", "expiry", "expirydate", "expiration", "expirationdate", "validuntil"];
const NOTE: &[&str] = &["note", "notes", "comment", "comments", "remark", "remarks", "description"];

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// The rule for the column whose name comes first in `names`.
fn rule(columns: &[String], names: &[&str]) -> Option<Rule> {
    names.iter().find_map(|name| columns.iter().find(|column| plain(column) == *name)).map(Rule::column)
}

/// The rule for the status: a yes or no in a column that is named for one of them.
fn status(columns: &[String]) -> Option<Rule> {
    let mut rule = rule(columns, STATUS)?;
    let name = plain(rule.column.as_deref().unwrap_or_default());
    let (yes, no) = match name.trim_start_matches("is") {
        "status" => return Some(rule),
        "disabled" | "locked" => ("disabled", "active"),
        _ => ("active", "disabled"),
    };
    rule.values =
        BTreeMap::from([("1", yes), ("0", no)].map(|(value, meaning)| (value.to_owned(), meaning.to_owned())));
    Some(rule)
}

/// A mapping, if the names show where the organisation, the user name and the password are.
pub(super) fn mapping(columns: &[String]) -> Option<Mapping> {
    Some(Mapping {
        org_id: Some(rule(columns, ORG_ID)?),
        username: Some(rule(columns, USERNAME)?),
        password: Some(rule(columns, PASSWORD)?),
        plain_passwords: false,
        cluster: rule(columns, CLUSTER),
        home: rule(columns, HOME),
        status: status(columns),
        allowed: rule(columns, ALLOWED),
        keys: rule(columns, KEYS),
        expires: rule(columns, EXPIRES),
        note: rule(columns, NOTE),
        ..Mapping::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(columns: &[&str]) -> Option<Mapping> {
        mapping(&columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn column(rule: &Option<Rule>) -> &str {
        rule.as_ref().and_then(|rule| rule.column.as_deref()).unwrap_or("-")
    }

    #[test]
    fn names_show_the_attributes() {
        for (columns, org_id, username, password, home) in [
            (&["nr", "login", "secret", "folder"][..], "nr", "login", "secret", "folder"),
            (
                &["id", "Customer_ID", "user_name", "password_hash", "HomeDir"],
                "Customer_ID",
                "user_name",
                "password_hash",
                "HomeDir",
            ),
            // ProFTPD.
            (&["id", "userid", "passwd", "uid", "gid", "homedir", "shell"], "id", "userid", "passwd", "homedir"),
        ] {
            let mapping = found(columns).unwrap();
            assert_eq!(
                [&mapping.org_id, &mapping.username, &mapping.password, &mapping.home].map(column),
                [org_id, username, password, home]
            );
        }
        assert_eq!(found(&["nr", "login", "folder"]), None, "no password");
    }

    #[test]
    fn a_yes_or_no_is_a_status() {
        let status = |name: &str| found(&["nr", "login", "secret", name]).unwrap().status.unwrap().values;
        assert_eq!(status("is_active")["1"], "active");
        assert_eq!((status("locked")["1"].as_str(), status("locked")["0"].as_str()), ("disabled", "active"));
        assert!(status("status").is_empty());
    }
}
