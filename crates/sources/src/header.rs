//! Whether names of columns are names: the values of a first record, or keys that are data, are not to be shown as such.
//! They may be secret. Pure.

use std::borrow::Cow;

use sftpctl_core::shown::visible;

use crate::hashes;
use crate::inspect::attribute_named;

/// What customers' tables have besides an account's attributes, without what people vary.
const OTHERS: [&str; 28] = [
    "email",
    "emailaddress",
    "mail",
    "company",
    "firma",
    "firstname",
    "lastname",
    "fullname",
    "vorname",
    "nachname",
    "phone",
    "telephone",
    "telefon",
    "created",
    "createdat",
    "updated",
    "updatedat",
    "modified",
    "lastlogin",
    "uid",
    "gid",
    "shell",
    "group",
    "role",
    "type",
    "quota",
    "server",
    "regions",
];

/// Whether a name is none: a number, an address, a path, a hash.
pub(crate) fn looks_like_data(name: &str) -> bool {
    let name = name.trim();
    let is_number = name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number || name == "\\N" || name.contains('@') || name.starts_with('/') || hashes::looks_like_one(name)
}

/// Whether the names are those of columns: the mapping has one of them, or two are known by what they say, one of which
/// says who it is. A record may have a word such as `active` or `secret`, too.
pub(crate) fn are_names(names: &[String], mapped: &[String]) -> bool {
    if names.iter().any(|name| mapped.contains(name)) {
        return true;
    }
    let mut known = Vec::new();
    for name in names {
        let plain = crate::mapping::plain_name(name.rsplit('.').next().unwrap_or_default());
        known.extend(attribute_named(name).or_else(|| OTHERS.into_iter().find(|other| *other == plain)));
    }
    known.sort_unstable();
    known.dedup();
    let says_who = |word: &str| matches!(word, "username" | "orgid" | "email" | "emailaddress" | "mail");
    known.len() > 1 && known.iter().any(|word| says_who(word))
}

/// A name as it may be shown.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    if name.split('.').any(looks_like_data) || looks_like_data(name) { "(not shown)".into() } else { visible(name) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_first_record_is_no_header() {
        let are_names = |names: &str, mapped: &[&str]| {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            let mapped: Vec<String> = mapped.iter().map(|name| (*name).to_owned()).collect();
            super::are_names(&names, &mapped)
        };
        for names in [
            "orgid,username,password",
            "Kunden-Nr,login_name,pw",
            "nr,E-Mail,x",
            "cust_no,home_dir",
            "user.name,user.mail",
        ] {
            assert!(are_names(names, &[]), "{names}");
        }
        for names in ["jan,hunter2,active", "jan,secret,active", "17,piet,Summer", "admin,pass", "a,b,c"] {
            assert!(!are_names(names, &[]), "{names}");
        }
        assert!(are_names("a,b,c", &["x", "b"]) && !are_names("jan,hunter2", &["x"]));
    }
}
