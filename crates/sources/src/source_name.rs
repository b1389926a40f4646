//! The name that a source has by itself, which its accounts keep. Two sources have one name only if they are the same, as
//! far as their place tells: a deletion covers the accounts of the name, so that too narrow a name only refuses, and too
//! wide a name would delete the customers of another system.

use std::path::{Path, PathBuf};

use sftpctl_core::hex;
use sha2::{Digest as _, Sha256};

use crate::mysql::{self, Options as Database};
use crate::options::{Kind, Options};

/// Most characters of a name.
pub const LENGTH: usize = 100;
/// Digits of a digest: among a million sources, two have the same with a probability of 1 in 500.
const DIGITS: usize = 12;

/// The name of a source of files. `place` is what `--from` says after the kind; `everyone` includes those who would be
/// left out as staff.
pub fn of_file(kind: Kind, place: &str, options: &Options, everyone: bool) -> String {
    let path = std::path::absolute(place).unwrap_or_else(|_| PathBuf::from(place));
    let path = if place == "-" { place.into() } else { path.display().to_string() };
    // The files of the server itself are in the same place on every server.
    let machine = if matches!(kind, Kind::Shadow | Kind::Proftpd) { machine() + ":" } else { String::new() };
    let part = options.pointer.as_deref().filter(|_| kind == Kind::Json).map(|pointer| format!("#{pointer}"));
    let everyone = if everyone { "#everyone" } else { "" };
    fitted(&format!("{}:{machine}{path}{}{everyone}", kind.as_str(), part.unwrap_or_default()))
}

/// The name of a table or a query. What `--where` or a query selects is another source than the whole table.
pub fn of_database(url: &str, options: &Database) -> String {
    let place = match mysql::place(url) {
        Ok((place, true)) => format!("{}:{place}", machine()),
        Ok((place, false)) => place,
        // The database was not read then.
        Err(_) => "-".to_owned(),
    };
    let table = options.table.as_ref().map(|table| format!("/{table}")).unwrap_or_default();
    let part = match (&options.query, &options.filter) {
        (Some(query), _) => format!("#query={}", digest(query)),
        (None, Some(filter)) => format!("#where={}", digest(filter)),
        (None, None) => String::new(),
    };
    fitted(&format!("{}:{place}{table}{part}", Kind::Mysql.as_str()))
}

/// The name that earlier versions gave to a source: the kind, and the table or the last part of the place. Several
/// sources have the same one.
pub fn former(kind: Kind, place: &str, table: Option<&str>) -> String {
    let path = place.split('?').next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut name = format!("{}:{}", kind.as_str(), table.unwrap_or(last));
    name.retain(|c| !c.is_control());
    name.chars().take(LENGTH).collect()
}

/// Whether the place of files names what is read: a pipe, the standard input, or another program's file descriptor may
/// be anything.
pub fn is_lasting(place: &str) -> bool {
    let path = std::path::absolute(place).unwrap_or_else(|_| PathBuf::from(place));
    let is_of_system = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    place != "-" && !is_of_system && std::fs::metadata(Path::new(place)).is_ok_and(|of| of.is_file() || of.is_dir())
}

/// The name of this machine.
fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A name of at most [`LENGTH`] characters without control characters: a longer one is cut at its beginning, and has the
/// digest of the whole.
fn fitted(name: &str) -> String {
    if name.chars().count() <= LENGTH && !name.contains(char::is_control) {
        return name.to_owned();
    }
    let kind = name.split(':').next().unwrap_or_default();
    let start = format!("{kind}:#{}…", digest(name));
    let printable: Vec<char> = name.chars().filter(|c| !c.is_control()).collect();
    let from = printable.len().saturating_sub(LENGTH - start.chars().count());
    start.chars().chain(printable.into_iter().skip(from)).collect()
}

fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text)).chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn database(table: Option<&str>, query: Option<&str>, filter: Option<&str>) -> Database {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Database { table: text(table), query: text(query), filter: text(filter), ..Database::default() }
    }

    #[test]
    fn sources_have_names_of_their_own() {
        let file = |kind, place: &str| of_file(kind, place, &Options::default(), false);
        let (plain, pointed) = (Options::default(), Options { pointer: Some("/staff".into()), ..Options::default() });
        let table = |url, table| of_database(url, &database(Some(table), None, None));
        let on = |url: &str, query| of_database(url, &database(None, Some(query), None));
        let shop = "mysql://reader@db/shop";
        let names = [
            file(Kind::Csv, "s1/customers.csv"),
            file(Kind::Csv, "s2/customers.csv"),
            file(Kind::Json, "s1/customers.csv"),
            file(Kind::Csv, &format!("{}/customers.csv", "a".repeat(200))),
            file(Kind::Csv, &format!("{}b/customers.csv", "a".repeat(199))),
            file(Kind::Csv, "s1/custo\nmers.csv"),
            file(Kind::Csv, "-"),
            of_file(Kind::Json, "a.json", &plain, false),
            of_file(Kind::Json, "a.json", &pointed, false),
            of_file(Kind::Shadow, "/", &plain, false),
            of_file(Kind::Shadow, "/", &plain, true),
            table(shop, "customers"),
            table(shop, "others"),
            table("mysql://reader@db/shop2", "customers"),
            table("mysql://reader@db:3307/shop", "customers"),
            table("mysql://reader@db2/shop", "customers"),
            table("mysql://reader@/shop?socket=/run/a.sock", "customers"),
            table("mysql://reader@/shop?socket=/run/b.sock", "customers"),
            of_database(shop, &database(Some("customers"), None, Some("orgid<>6001"))),
            of_database(shop, &database(Some("customers"), None, Some("orgid<>6002"))),
            on(shop, "SELECT 1"),
            on(shop, "SELECT 2"),
        ];
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:#?}");
        for name in &names {
            assert!(name.chars().count() <= LENGTH && !name.contains(char::is_control), "{name}");
        }
    }

    #[test]
    fn a_source_is_the_same_from_every_folder_and_for_every_user() {
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("s1/customers.csv").display().to_string();
        let file = |place: &str| of_file(Kind::Csv, place, &Options::default(), false);
        assert_eq!(file("s1/customers.csv"), file(&absolute));
        assert_eq!(file("./s1/./customers.csv"), file(&absolute));
        let table = |url| of_database(url, &database(Some("customers"), None, None));
        assert_eq!(table("mysql://reader@DB.example.com/shop"), "mysql:db.example.com:3306/shop/customers");
        assert_eq!(table("mysql://root@db.example.com:3306/shop"), table("mysql://reader@db.example.com/shop"));
        assert_eq!(table("mysql://a@127.0.0.1/shop"), format!("mysql:{}:127.0.0.1:3306/shop/customers", machine()));
    }

    #[test]
    fn what_may_be_anything_has_no_lasting_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        assert!(!is_lasting(path.to_str().unwrap()), "it is not there");
        std::fs::write(&path, "").unwrap();
        assert!(is_lasting(path.to_str().unwrap()) && is_lasting(dir.path().to_str().unwrap()));
        for place in ["-", "/dev/null", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"] {
            assert!(!is_lasting(place), "{place}");
        }
    }

    #[test]
    fn former_names_are_known() {
        for (kind, place, table, name) in [
            (Kind::Csv, "s1/customers.csv", None, "csv:customers.csv"),
            (Kind::Mysql, "//reader@db/shop?socket=/x", None, "mysql:shop"),
            (Kind::Mysql, "//reader@db/shop", Some("customers"), "mysql:customers"),
            (Kind::Shadow, "/", None, "shadow:"),
        ] {
            assert_eq!(former(kind, place, table), name);
        }
    }
}
